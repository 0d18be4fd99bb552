"""Tracts and patches under the names that hscPipe's scripts call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.butler.angle import SpherePoint, degrees
from hscdb.butler.geom import Box2I, Extent2I, Point2I
from hscdb.butler.wcs import SkyWcs
from hscdb.errors import InputError
from hscdb.sky.wcs import Wcs

if TYPE_CHECKING:
    from hscdb.butler.registry import Registry


class PatchInfo:
    """A patch of a tract."""

    def __init__(self, row: Any, tract: TractInfo) -> None:
        self._row, self.tract = row, tract

    def getIndex(self) -> tuple[int, int]:
        """(column, row) of the patch."""
        return int(self._row["patch_x"]), int(self._row["patch_y"])

    def _box(self, which: str) -> Box2I:
        x0, y0, x1, y1 = (int(self._row[f"{which}_{end}_pix"]) for end in ("x0", "y0", "x1", "y1"))
        return Box2I(Point2I(x0, y0), Point2I(x1, y1))

    def getInnerBBox(self) -> Box2I:
        """Its pixels of the tract without border."""
        return self._box("inner")

    def getOuterBBox(self) -> Box2I:
        """Its pixels of the tract with border."""
        return self._box("outer")

    def __repr__(self) -> str:
        return f"Patch {self.getIndex()} of tract {self.tract.getId()}"


class TractInfo:
    """A tract."""

    def __init__(self, row: Any, registry: Registry) -> None:
        self._row, self._registry = row, registry

    @property
    def skymap(self) -> str:
        """Name of the sky map that it belongs to."""
        return str(self._row["skymap"])

    def getId(self) -> int:
        """Its number."""
        return int(self._row["tract"])

    def getWcs(self) -> SkyWcs:
        """Its TAN WCS."""
        row, scale = self._row, float(self._row["pixel_scale_arcsec"]) / 3600.0
        center = float(row["ra"]), float(row["dec"])
        crpix = float(row["crpix1_pix"]), float(row["crpix2_pix"])
        return SkyWcs(Wcs(center, crpix, np.array([[-scale, 0.0], [0.0, scale]])))

    def getBBox(self) -> Box2I:
        """All its pixels."""
        return Box2I((0, 0), Extent2I(int(self._row["width_pix"]), int(self._row["height_pix"])))

    def getCtrCoord(self) -> SpherePoint:
        """Its centre."""
        return SpherePoint(float(self._row["ra"]), float(self._row["dec"]), degrees)

    def getVertexList(self) -> list[SpherePoint]:
        """Its corners."""
        return [
            SpherePoint(float(ra), float(dec), degrees)
            for ra, dec in zip(self._row["corner_ra"], self._row["corner_dec"], strict=True)
        ]

    def getNumPatches(self) -> tuple[int, int]:
        """Patches in x and y."""
        return int(self._row["n_patch_x"]), int(self._row["n_patch_y"])

    @cached_property
    def _patches(self) -> dict[tuple[int, int], PatchInfo]:
        rows = self._registry.ask("read_patches", skymap=str(self._row["skymap"]), tract=self.getId())
        return {(int(row["patch_x"]), int(row["patch_y"])): PatchInfo(row, self) for row in rows}

    def getPatchInfo(self, index: Any) -> PatchInfo:
        """The patch (column, row), or of a running number. InputError `no_patch`."""
        n_x = self.getNumPatches()[0]
        at = (index % n_x, index // n_x) if isinstance(index, int) else (int(index[0]), int(index[1]))
        if at not in self._patches:
            raise InputError(f"tract {self.getId()}: no patch {at} ({self.getNumPatches()} there are).", "no_patch")
        return self._patches[at]

    __getitem__ = getPatchInfo

    def __iter__(self) -> Iterator[PatchInfo]:
        return iter(self._patches.values())

    def __len__(self) -> int:
        return len(self._patches)

    def contains(self, coord: SpherePoint) -> bool:
        """Whether a direction falls on its pixels."""
        point = self.getWcs().skyToPixel(coord)
        return bool(np.isfinite(point.x) and self.getBBox().contains(point))

    def findPatch(self, coord: SpherePoint) -> PatchInfo:
        """The patch of a direction. InputError `no_patch`."""
        point = self.getWcs().skyToPixel(coord)
        for patch in self:
            if patch.getInnerBBox().contains(point):
                return patch
        raise InputError(f"tract {self.getId()}: {coord} does not lie in it.", code="no_patch")

    def findPatchList(self, coords: list[SpherePoint]) -> list[PatchInfo]:
        """The patches that directions fall on."""
        found = [self.findPatch(each) for each in coords if self.contains(each)]
        return list({each.getIndex(): each for each in found}.values())

    def __repr__(self) -> str:
        return f"Tract {self.getId()} at {self.getCtrCoord()}, {self.getNumPatches()} patches"


class SkyMap:
    """The tracts of a run."""

    def __init__(self, tracts: dict[int, TractInfo]) -> None:
        self._tracts = tracts

    @classmethod
    def read(cls, registry: Registry) -> SkyMap:
        """The sky map that the run sees. InputError `no_skymap` if there is none."""
        from hscdb.butler.registry import NoResults

        rows = registry.ask("read_tracts", run_id=registry.run_id("deepCoadd_skyMap"))
        if not len(rows):
            raise NoResults("butler: deepCoadd_skyMap: no tracts yet. Run `hscdb skymap`.", code="no_skymap")
        return cls({int(row["tract"]): TractInfo(row, registry) for row in rows})

    def __getitem__(self, tract: int) -> TractInfo:
        if tract not in self._tracts:
            raise InputError(
                f"sky map: no tract {tract}. Tracts: {', '.join(map(str, list(self._tracts)[:12]))}.", "no_tract"
            )
        return self._tracts[tract]

    def __iter__(self) -> Iterator[TractInfo]:
        return iter(self._tracts.values())

    def __len__(self) -> int:
        return len(self._tracts)

    def findTract(self, coord: SpherePoint) -> TractInfo:
        """The tract whose centre is nearest."""
        return min(self, key=lambda each: float(each.getCtrCoord().separation(coord)))

    def findAllTracts(self, coord: SpherePoint) -> list[TractInfo]:
        """All tracts that a direction falls on."""
        return [each for each in self if each.contains(coord)]

    def findTractPatchList(self, coords: list[SpherePoint]) -> list[tuple[TractInfo, list[PatchInfo]]]:
        """The tracts, and their patches, that directions fall on."""
        found = [(each, each.findPatchList(coords)) for each in self]
        return [(each, patches) for each, patches in found if patches]


