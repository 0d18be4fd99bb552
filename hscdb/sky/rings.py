"""The rings sky map: tracts on rings of equal declination, numbered from the south pole to the north pole."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.sky import sphere
from hscdb.sky.tract import Layout, Tract

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """n_ring rings and two caps. HSC-SSP: Rings(120, 0.0, version, Layout(tract_overlap_deg=1/60)).

    version 0 is the numbering before mid-2018, in which the first tract of each ring (at ra_start) has the number the
    next ring's would have; version 1 counts on.
    """

    n_ring: int = 120
    ra_start_deg: float = 0.0
    version: int = 1
    layout: Layout = field(default_factory=lambda: Layout(tract_overlap_deg=1.0 / 60.0))

    @property
    def height_deg(self) -> float:
        """Height of a ring."""
        return 180.0 / (self.n_ring + 1)

    @cached_property
    def counts(self) -> Ints:
        """Tracts of each ring."""
        edge = self.height_deg * (np.arange(self.n_ring + 1) + 0.5) - 90.0
        widest = np.radians(np.minimum(np.abs(edge[:-1]), np.abs(edge[1:])))
        return np.asarray((2.0 * np.pi * np.cos(widest) / np.radians(self.height_deg)).astype(np.int64) + 1)

    @property
    def n_tract(self) -> int:
        """All tracts, with both caps."""
        return int(self.counts.sum()) + 2

    def center(self, tract: int) -> tuple[float, float]:
        """(ra, dec) of a tract's center. ValueError if there is no such tract."""
        if not 0 <= tract < self.n_tract:
            raise ValueError(f"rings: no tract {tract} (0 .. {self.n_tract - 1})")
        if tract in (0, self.n_tract - 1):
            return 0.0, -90.0 if tract == 0 else 90.0
        place, ring = tract - 1, 0
        while ring < self.n_ring - 1 and (
            place > self.counts[ring] if self.version == 0 else place >= self.counts[ring]
        ):
            place -= int(self.counts[ring])
            ring += 1
        ra = sphere.normalize_ra(360.0 * place / self.counts[ring] + self.ra_start_deg)
        return float(ra), self.height_deg * (ring + 1) - 90.0

    def find(self, ra: ArrayLike, dec: ArrayLike) -> Ints:
        """Number of the tract whose center is nearest in the sense of the numbering: each place has one."""
        ras, decs = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
        south = self.height_deg * 0.5 - 90.0
        ring = np.clip(np.floor((decs - south) / self.height_deg).astype(np.int64), 0, self.n_ring - 1)
        number = self._number(ring, self._place(ras, ring))
        return np.where(decs < south, 0, np.where(decs > -south, self.n_tract - 1, number))

    def near(self, ra: ArrayLike, dec: ArrayLike) -> list[int]:
        """Numbers of all tracts that may hold any of the directions: three rings, three tracts on each, and the caps
        where a direction is within two rings of a pole."""
        ras, decs = np.broadcast_arrays(np.ravel(ra), np.ravel(dec))
        middle = np.floor((decs - self.height_deg * 0.5 + 90.0) / self.height_deg).astype(np.int64)
        found: set[int] = set()
        for step in (-1, 0, 1):
            on = (middle + step >= 0) & (middle + step < self.n_ring)
            ring = (middle + step)[on]
            place = self._place(ras[on], ring)
            for aside in (-1, 0, 1):
                found.update(self._number(ring, (place + aside) % self.counts[ring]).tolist())
        found.update({0} if (decs < 2.0 * self.height_deg - 90.0).any() else set())
        found.update({self.n_tract - 1} if (decs > 90.0 - 2.0 * self.height_deg).any() else set())
        return sorted(found)

    def tract(self, tract: int) -> Tract:
        """Geometry of a tract: half side = half a ring's height, plus the overlap."""
        return Tract.around(tract, *self.center(tract), self.height_deg / 2.0, self.layout)

    def _place(self, ra: NDArray[np.float64], ring: Ints) -> Ints:
        on_ring = self.counts[ring]
        place = np.floor(sphere.normalize_ra(ra - self.ra_start_deg) / (360.0 / on_ring) + 0.5).astype(np.int64)
        return np.asarray(np.where(place >= on_ring, 0, place))

    def _number(self, ring: Ints, place: Ints) -> Ints:
        # Version 0 counts the first tract of a ring (but the first ring's) at the end of the ring.
        shown = np.where((place == 0) & (ring != 0), self.counts[ring], place) if self.version == 0 else place
        return np.asarray(1 + np.concatenate([[0], np.cumsum(self.counts)])[ring] + shown)
