"""The camera and its CCDs under the names that hscPipe's scripts call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hscdb.butler.geom import Box2I, Extent2I, Point2D, reader
from hscdb.camera import focalplane
from hscdb.camera.model import Amplifier, Camera, Ccd
from hscdb.errors import InputError

PIXELS, FOCAL_PLANE, FIELD_ANGLE = "PIXELS", "FOCAL_PLANE", "FIELD_ANGLE"


class Amp:
    """An amplifier."""

    def __init__(self, ours: Amplifier) -> None:
        self.ours = ours

    def getName(self) -> str:
        """Its number, as text."""
        return str(self.ours.amp)

    def getGain(self) -> float:
        """[electron/adu]."""
        return self.ours.gain_e_per_adu

    def getReadNoise(self) -> float:
        """[electron]."""
        return self.ours.read_noise_e

    def getSaturation(self) -> float:
        """[adu]."""
        return self.ours.saturation_adu

    def getBBox(self) -> Box2I:
        """Its pixels in the trimmed image."""
        box = self.ours.box
        return Box2I((box.x0, box.y0), Extent2I(box.width, box.height))


class Detector:
    """A CCD. `ours` is the hscdb.camera.model.Ccd underneath."""

    def __init__(self, ours: Ccd, camera: Camera) -> None:
        self.ours, self._camera = ours, camera
        self.id, self.name = ours.ccd, ours.name

    getId = reader("id", "Its number.")
    getName = reader("name", "Its name.")

    def getSerial(self) -> str:
        """Its number, as text."""
        return str(self.id)

    def getBBox(self) -> Box2I:
        """Its pixels."""
        return Box2I((0, 0), Extent2I(self.ours.width, self.ours.height))

    getAllPixels = getBBox

    def getOrientation(self) -> Detector:
        """The CCD itself, which has getNQuarter."""
        return self

    def getNQuarter(self) -> int:
        """Quarter turns."""
        return self.ours.n_quarter

    def getAmplifiers(self) -> list[Amp]:
        """Its amplifiers."""
        return [Amp(each) for each in self.ours.amplifiers]

    getAmpInfoCatalog = getAmplifiers

    def __iter__(self) -> Iterator[Amp]:
        return iter(self.getAmplifiers())

    def __getitem__(self, index: int) -> Amp:
        return self.getAmplifiers()[index]

    def transform(self, point: Any, origin: str = PIXELS, to: str = FOCAL_PLANE) -> Point2D:
        """A point from one of PIXELS, FOCAL_PLANE [pix] and FIELD_ANGLE [arcsec] to another."""
        x, y = (np.asarray(each, np.float64) for each in point)
        if origin == FIELD_ANGLE:
            x, y = focalplane.field_to_focal(self._camera, x, y)
        if origin == PIXELS and to != PIXELS:
            x, y = focalplane.pixel_to_focal(self.ours, x, y)
        if to == PIXELS and origin != PIXELS:
            x, y = focalplane.focal_to_pixel(self.ours, x, y)
        if to == FIELD_ANGLE and origin != FIELD_ANGLE:
            x, y = focalplane.focal_to_field(self._camera, x, y)
        return Point2D(float(x), float(y))

    def getCorners(self, to: str = FOCAL_PLANE) -> list[Point2D]:
        """The corners of its outermost pixels, counter-clockwise."""
        x1, y1 = self.ours.width - 0.5, self.ours.height - 0.5
        return [self.transform(each, PIXELS, to) for each in ((-0.5, -0.5), (x1, -0.5), (x1, y1), (-0.5, y1))]

    def __repr__(self) -> str:
        return f"Detector {self.id} ({self.name})"


class CameraView:
    """All CCDs of a camera, by number or name."""

    def __init__(self, ours: Camera) -> None:
        self.ours = ours

    def getName(self) -> str:
        """The camera's name."""
        return self.ours.name

    def __getitem__(self, which: int | str) -> Detector:
        for ccd in self.ours.ccds.values():
            if which in (ccd.ccd, ccd.name):
                return Detector(ccd, self.ours)
        raise InputError(
            f"camera {self.ours.name}: no ccd {which}. It has {len(self.ours.ccds)}: "
            f"{min(self.ours.ccds)}..{max(self.ours.ccds)}.",
            code="no_ccd",
        )

    def get(self, which: int | str) -> Detector:
        """One CCD."""
        return self[which]

    def __iter__(self) -> Iterator[Detector]:
        return (Detector(ccd, self.ours) for ccd in self.ours.ccds.values())

    def __repr__(self) -> str:
        return f"Camera of {len(self)} CCDs"

    def __len__(self) -> int:
        return len(self.ours.ccds)
