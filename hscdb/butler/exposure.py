"""Exposure: a trio of planes and all that is known about the frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hscdb.butler.angle import SpherePoint, degrees
from hscdb.butler.calib import PhotoCalib
from hscdb.butler.geom import Box2I, Extent2I, Point2I, reader
from hscdb.butler.image import PARENT
from hscdb.butler.masked import MaskedImage
from hscdb.butler.metadata import PropertyList
from hscdb.butler.psf import Psf
from hscdb.butler.wcs import SkyWcs, makeWcs
from hscdb.errors import InputError


class VisitInfo:
    """What a header tells about the exposure, or the tables where it does not (facts: keyword -> content)."""

    def __init__(self, metadata: PropertyList, facts: Mapping[str, Any] | None = None) -> None:
        self._header, self._facts = metadata, facts or {}

    def _number(self, name: str) -> float:
        found = self._header.get(name) if name in self._header else self._facts.get(name)
        return float("nan") if found is None else float(found)

    def getExposureTime(self) -> float:
        """[s]."""
        return self._number("EXPTIME")

    def getExposureId(self) -> int:
        """The visit."""
        return int(self._facts["EXPID"]) if "EXPID" in self._facts else self._header.getAsInt("EXPID")

    def getDate(self) -> Any:
        """Middle of the exposure, astropy's Time (TAI)."""
        from astropy.time import Time

        return Time(self._number("MJD-AVG"), format="mjd", scale="tai")

    def getBoresightRaDec(self) -> SpherePoint:
        """Where the telescope pointed, ICRS."""
        return SpherePoint(self._number("BORE-RA"), self._number("BORE-DEC"), degrees)

    def getBoresightAirmass(self) -> float:
        """Airmass."""
        return self._number("BORE-AIRMASS")

    def getBoresightRotAngle(self) -> Any:
        """Position angle of the instrument."""
        return self._number("BORE-ROTANG") * degrees

    def __repr__(self) -> str:
        return f"VisitInfo of {self._header!r}"


class Filter:
    """The name of a filter."""

    def __init__(self, name: str) -> None:
        self.name = self.physicalLabel = name

    getName = reader("name", "The name.")

    def __repr__(self) -> str:
        return f"Filter {self.name}"


class Exposure:
    """A MaskedImage with WCS, PSF, zero point and header; each is made when it is first asked for.

    Made of a MaskedImage (and a WCS), of another Exposure (a part of it, if a box is given), or of a path.
    An Exposure of a wcs or fcr file has a header only. facts: asked for what a header without EXPID does not tell.
    """

    _masked: MaskedImage | None

    def __init__(
        self, source: Any, other: Any = None, origin: str = PARENT, deep: bool = False, *,
        metadata: PropertyList | None = None, psf: Psf | Callable[[], Psf] | None = None, detector: Any = None,
        facts: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        if isinstance(source, str | Path):
            from hscdb.butler.read import exposure

            source = exposure(Path(source))
        if isinstance(source, Exposure):
            self._copy(source)
            if other is not None:
                self._masked = source.getMaskedImage().subset(other, origin)
            if deep and self._masked is not None:
                self._masked = self._masked.clone()
            return
        self._masked = source
        self._metadata = metadata if metadata is not None else PropertyList({}, "exposure")
        self._psf, self._detector, self._facts = psf, detector, facts
        self._wcs: SkyWcs | None = other if isinstance(other, SkyWcs) else None
        self._calib: PhotoCalib | None = None

    def _copy(self, source: Exposure) -> None:
        self._masked, self._metadata, self._psf = source._masked, source._metadata, source._psf
        self._detector, self._wcs, self._calib = source._detector, source._wcs, source._calib
        self._facts = source._facts

    def getMaskedImage(self) -> MaskedImage:
        """Image, mask and variance. InputError `no_pixels` if there is only a header."""
        if self._masked is None:
            raise InputError(f"{self._metadata!r}: has no pixels. Use its getWcs or getMetadata.", code="no_pixels")
        return self._masked

    maskedImage = property(getMaskedImage)
    image = property(lambda self: self.getMaskedImage().image, doc="The pixels.")
    mask = property(lambda self: self.getMaskedImage().mask, doc="The mask.")
    variance = property(lambda self: self.getMaskedImage().variance, doc="The variance.")
    getImage = reader("image", "The pixels.")
    getMask = reader("mask", "The mask.")
    getVariance = reader("variance", "The variance.")

    def setMaskedImage(self, masked: MaskedImage) -> None:
        """Take another trio."""
        self._masked = masked

    def getMetadata(self) -> PropertyList:
        """The header."""
        return self._metadata

    def hasWcs(self) -> bool:
        """Whether the header has one."""
        return self._wcs is not None or "CTYPE1" in self._metadata

    def getWcs(self) -> SkyWcs | None:
        """The WCS, of the whole frame's pixels; None if there is none."""
        if self._wcs is None and self.hasWcs():
            self._wcs = makeWcs(self._metadata)
        return self._wcs

    def setWcs(self, wcs: SkyWcs) -> None:
        """Take another WCS."""
        self._wcs = wcs

    def hasPsf(self) -> bool:
        """Whether there is one."""
        return self._psf is not None

    def getPsf(self) -> Psf | None:
        """The PSF; None if there is none."""
        if self._psf is not None and not isinstance(self._psf, Psf):
            self._psf = self._psf()
        return self._psf

    def setPsf(self, psf: Psf) -> None:
        """Take another PSF."""
        self._psf = psf

    def getPhotoCalib(self) -> PhotoCalib | None:
        """The zero point; None if there is none yet."""
        return self._calib if self._calib is not None else PhotoCalib.of(self._metadata)

    getCalib = getPhotoCalib

    def setPhotoCalib(self, calib: PhotoCalib) -> None:
        """Take another zero point."""
        self._calib = calib

    setCalib = setPhotoCalib

    def getFilter(self) -> Filter:
        """The filter."""
        name = self._metadata.get("FILTER", "") or self._known.get("FILTER") or "NONE"
        return Filter(str(name).strip())

    getFilterLabel = getFilter

    def getDetector(self) -> Any:
        """The CCD; None if it is not known."""
        return self._detector() if callable(self._detector) else self._detector

    @cached_property
    def _known(self) -> Mapping[str, Any]:
        """What the tables add to the header."""
        return {} if self._facts is None or "EXPID" in self._metadata else self._facts()

    @cached_property
    def _info(self) -> VisitInfo:
        return VisitInfo(self._metadata, self._known)

    def getInfo(self) -> Exposure:
        """The exposure itself, which has getVisitInfo, getWcs, getPsf, ..."""
        return self

    def getVisitInfo(self) -> VisitInfo:
        """What the header tells about the exposure."""
        return self._info

    def getBBox(self, origin: str = PARENT) -> Box2I:
        """The box of all pixels."""
        return self.getMaskedImage().getBBox(origin)

    def getXY0(self) -> Point2I:
        """The first pixel."""
        return self.getMaskedImage().getXY0()

    def getX0(self) -> int:
        """Its column."""
        return self.getMaskedImage().getX0()

    def getY0(self) -> int:
        """Its row."""
        return self.getMaskedImage().getY0()

    def getWidth(self) -> int:
        """Columns."""
        return self.getMaskedImage().getWidth()

    def getHeight(self) -> int:
        """Rows."""
        return self.getMaskedImage().getHeight()

    def getDimensions(self) -> Extent2I:
        """Columns and rows."""
        return self.getMaskedImage().getDimensions()

    def subset(self, box: Box2I, origin: str = PARENT) -> Exposure:
        """A part that shares the pixels."""
        return Exposure(self, box, origin)

    def __getitem__(self, box: Box2I) -> Exposure:
        return Exposure(self, box)

    def getCutout(self, center: Any, size: Any) -> Exposure:
        """A copy of the part of a size around a SpherePoint, as far as it lies on the frame."""
        wcs = self.getWcs()
        if wcs is None:
            raise InputError(f"{self._metadata!r}: has no WCS. Run calibrate first.", code="no_wcs")
        x, y = wcs.skyToPixel(center)
        width, height = (int(each) for each in size)
        box = Box2I((round(x - (width - 1) / 2), round(y - (height - 1) / 2)), Extent2I(width, height))
        box.clip(self.getBBox())
        return Exposure(self, box, PARENT, True)

    def Factory(self, *args: Any) -> Exposure:
        """Another one: (exposure, box, origin, deep)."""
        return Exposure(*args)

    def clone(self) -> Exposure:
        """A copy."""
        return Exposure(self, None, PARENT, True)

    @classmethod
    def readFits(cls, path: str | Path) -> Exposure:
        """The exposure of a file."""
        return cls(path)

    def writeFits(self, path: str | Path) -> None:
        """Write a file in the layout of calexp: header, IMAGE, MASK, VARIANCE, PSF. Never into a run: see README."""
        from hscdb.butler.read import write_exposure

        write_exposure(self, Path(path))

    def __repr__(self) -> str:
        return f"Exposure of {self._masked!r}, {self._metadata!r}"
