"""Tracts and patches: the tangent planes into which the sky is divided for joint solutions and coadds.

Geometry and numbering are hscPipe's (lsst/skymap: DiscreteSkyMap, RingsSkyMap versions 0 and 1), with TAN projection,
x against RA, and no rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.errors import DataError
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Object ids keep 5 bits for each index of a patch.
MAX_PATCH = 32

PATCH = np.dtype(
    [
        (name, np.int32)
        for name in (
            "patch_x", "patch_y", "patch",
            "inner_x0_pix", "inner_y0_pix", "inner_x1_pix", "inner_y1_pix",
            "outer_x0_pix", "outer_y0_pix", "outer_x1_pix", "outer_y1_pix",
        )
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What all tracts of a sky map have in common."""

    pixel_scale_arcsec: float = 0.168
    patch_inner_pix: int = 4000
    patch_border_pix: int = 100
    tract_overlap_deg: float = 0.0


@dataclass(frozen=True)
class Tract:
    """One tract. radius_deg : half its side before rounding to patches, without overlap."""

    tract: int
    ra: float
    dec: float
    radius_deg: float
    crpix: tuple[float, float]
    n_patch_x: int
    n_patch_y: int
    layout: Layout

    @classmethod
    def around(cls, tract: int, ra: float, dec: float, radius_deg: float, layout: Layout) -> Tract:
        """The tract with this center that holds a square of half side radius + overlap, in whole patches.

        DataError `too_large` if a patch's index would not fit into object ids (32 a side: radius 2.89 deg for HSC).
        """
        scale = layout.pixel_scale_arcsec / 3600.0
        half = radius_deg + layout.tract_overlap_deg
        reach = sphere.offset(ra, dec, np.array([0.0, 90.0, 180.0, 270.0]), half)
        xi, eta = sphere.project(*reach, ra, dec)
        first, count = [], []
        for along in (-xi / scale, eta / scale):
            low, high = int(np.floor(along.min() + 0.5)), int(np.ceil(along.max() - 0.5))
            size = high - low + 1
            n = -(-size // layout.patch_inner_pix)
            first.append(low - (n * layout.patch_inner_pix - size) // 2)
            count.append(n)
        if max(count) > MAX_PATCH:
            raise DataError(
                f"tract {tract}: {count[0]} x {count[1]} patches (at most {MAX_PATCH} a side). "
                f"Select frames of a smaller field, use `hscdb skymap rings`, or enlarge skymap.patch_inner_pix.",
                code="too_large",
            )
        return cls(tract, ra, dec, radius_deg, (float(-first[0]), float(-first[1])), count[0], count[1], layout)

    @property
    def width(self) -> int:
        """Columns."""
        return self.n_patch_x * self.layout.patch_inner_pix

    @property
    def height(self) -> int:
        """Rows."""
        return self.n_patch_y * self.layout.patch_inner_pix

    @cached_property
    def wcs(self) -> Wcs:
        """TAN, no distortion; CRPIX is 0-based."""
        scale = self.layout.pixel_scale_arcsec / 3600.0
        return Wcs((self.ra, self.dec), self.crpix, np.array([[-scale, 0.0], [0.0, scale]]))

    def corners(self) -> tuple[Floats, Floats]:
        """(ra, dec), each (4,), at pixel edges: (x0, y0), (x1, y0), (x1, y1), (x0, y1)."""
        return self.wcs.corners(self.width, self.height)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Whether directions fall on pixels of the tract."""
        x, y = self.wcs.sky_to_pixel(ra, dec)
        with np.errstate(invalid="ignore"):
            return np.asarray((x >= -0.5) & (x < self.width - 0.5) & (y >= -0.5) & (y < self.height - 0.5))

    def find_patch(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Ints, Ints]:
        """(patch_x, patch_y) of directions; -1 where they are not in the tract."""
        x, y = self.wcs.sky_to_pixel(ra, dec)
        inside = self.contains(ra, dec)
        column, row = (np.floor(np.where(inside, at, 0.0) + 0.5).astype(np.int64) for at in (x, y))
        side = self.layout.patch_inner_pix
        return np.where(inside, column // side, -1), np.where(inside, row // side, -1)

    def patches(self) -> NDArray[np.void]:
        """All patches, dtype PATCH, by running number; boxes are first and last pixel."""
        row, column = (index.ravel() for index in np.mgrid[0 : self.n_patch_y, 0 : self.n_patch_x])
        side, border = self.layout.patch_inner_pix, self.layout.patch_border_pix
        found = np.zeros(len(row), PATCH)
        found["patch_x"], found["patch_y"] = column, row
        found["patch"] = self.n_patch_x * row + column
        for axis, index, size in (("x", column, self.width), ("y", row, self.height)):
            low, high = side * index, side * index + side - 1
            found[f"inner_{axis}0_pix"], found[f"inner_{axis}1_pix"] = low, high
            found[f"outer_{axis}0_pix"] = np.maximum(low - border, 0)
            found[f"outer_{axis}1_pix"] = np.minimum(high + border, size - 1)
        return found

    def touching(self, corner_ra: Floats, corner_dec: Floats) -> tuple[Ints, Ints]:
        """Pairs (frame, patch) of indices where the quadrangle of a frame overlaps the patch with its border.

        corner_ra, corner_dec : (n_frame, 4), corners in order around the frame. Frames with a corner behind the
        tangent plane touch nothing. Two convex shapes are apart if a side of either separates them.
        """
        x, y = self.wcs.sky_to_pixel(corner_ra, corner_dec)
        patch = self.patches()
        x0, x1 = patch["outer_x0_pix"] - 0.5, patch["outer_x1_pix"] + 0.5
        y0, y1 = patch["outer_y0_pix"] - 0.5, patch["outer_y1_pix"] + 0.5
        with np.errstate(invalid="ignore"):
            apart = np.zeros((len(x), len(patch)), bool)
            apart[~np.isfinite(x + y).all(axis=1)] = True
            apart |= (x.max(axis=1)[:, None] < x0) | (x.min(axis=1)[:, None] > x1)
            apart |= (y.max(axis=1)[:, None] < y0) | (y.min(axis=1)[:, None] > y1)
            for side in range(4):
                dx, dy = x[:, (side + 1) % 4] - x[:, side], y[:, (side + 1) % 4] - y[:, side]
                own = dx[:, None] * y - dy[:, None] * x
                of_box = [dx[:, None] * py - dy[:, None] * px for px in (x0, x1) for py in (y0, y1)]
                apart |= np.minimum.reduce(of_box) > own.max(axis=1)[:, None]
                apart |= np.maximum.reduce(of_box) < own.min(axis=1)[:, None]
        frame, index = np.nonzero(~apart)
        return frame, index
