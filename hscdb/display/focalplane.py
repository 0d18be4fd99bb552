"""The CCDs of a visit side by side: binned, put where they lie on the sky, north up and east left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera import focalplane
from hscdb.camera.model import Camera, Ccd
from hscdb.display import render
from hscdb.errors import InputError

_N_GRID = 6  # points per axis of the map from the sky to a CCD's pixels
_ORDER = 3  # of its polynomials: test_display holds it to a tenth of a binned pixel on HSC's outermost CCDs


@dataclass(frozen=True)
class Piece:
    """A CCD's binned pixels and mask (planes set in any pixel of a bin)."""

    ccd: Ccd
    pixels: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32] | None


@dataclass(frozen=True)
class Mosaic:
    """All CCDs on one grid.

    pixels, mask : (ny, nx), rows from south to north, columns from east to west; NaN between the CCDs.
    west, north  : place of pixel [0, 0] [arcsec], to the west and to the north of the boresight.
    step_arcsec  : side of a pixel.
    labels       : number of each CCD with the place (column, row) of its center.
    """

    pixels: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32] | None
    west: float
    north: float
    step_arcsec: float
    labels: list[tuple[int, float, float]]


@dataclass(frozen=True)
class Sky:
    """How a camera's focal plane lies on the sky, for a rotator angle [deg]."""

    camera: Camera
    rotator_deg: float

    def of_pixels(self, ccd: Ccd, x: Any, y: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(west, north) [arcsec] of the boresight of pixels of a CCD."""
        field_x, field_y = focalplane.focal_to_field(self.camera, *focalplane.pixel_to_focal(ccd, x, y))
        (a, b), (c, d) = focalplane.orientation(self.camera, self.rotator_deg)
        return -(a * field_x + b * field_y), c * field_x + d * field_y


def piece(ccd: Ccd, pixels: npt.NDArray[Any], mask: npt.NDArray[np.int32] | None, n_bin: int) -> Piece:
    """A CCD for `mosaic`."""
    return Piece(ccd, render.binned(pixels, n_bin), None if mask is None else render.binned_mask(mask, n_bin))


def trimmed(raw: npt.NDArray[Any], ccd: Ccd) -> npt.NDArray[np.float32]:
    """A raw frame [adu] as an image [electron]: each amplifier less the median of its overscan, times its gain."""
    image = np.full((ccd.height, ccd.width), np.nan, np.float32)
    for amplifier in ccd.amplifiers:
        level = 0.0 if amplifier.overscan is None else float(np.median(raw[amplifier.overscan.slices]))
        image[amplifier.box.slices] = (raw[amplifier.raw_box.slices] - level) * amplifier.gain_e_per_adu
    return image


def mosaic(pieces: Iterable[Piece], sky: Sky, n_bin: int) -> Mosaic:
    """The CCDs on a grid whose pixels are n_bin CCD pixels wide; each grid pixel takes the bin that it lies in.

    InputError `no_frame` if there are none.
    """
    found = list(pieces)
    if not found:
        raise InputError("focal plane: not one CCD to show. Select others with --id.", code="no_frame")
    step = n_bin * sky.camera.pixel_scale_arcsec
    corners = np.array([_corners(sky, each.ccd) for each in found])
    west0, north0 = corners.min(axis=(0, 2)) - step
    west1, north1 = corners.max(axis=(0, 2)) + step
    shape = int(np.ceil((north1 - north0) / step)), int(np.ceil((west1 - west0) / step))
    pixels = np.full(shape, np.nan, np.float32)
    mask = np.zeros(shape, np.int32) if any(each.mask is not None for each in found) else None
    labels = []
    for each, (west, north) in zip(found, corners, strict=True):
        column, row = (west - west0) / step, (north - north0) / step
        rows = slice(max(int(row.min()), 0), min(int(row.max()) + 2, shape[0]))
        columns = slice(max(int(column.min()), 0), min(int(column.max()) + 2, shape[1]))
        grid_y, grid_x = np.mgrid[rows, columns]
        x, y = to_pixels(sky, each.ccd, west0 + grid_x * step, north0 + grid_y * step)
        i, j = np.floor((x + 0.5) / n_bin).astype(int), np.floor((y + 0.5) / n_bin).astype(int)
        is_on = (x >= -0.5) & (y >= -0.5) & (x < each.ccd.width - 0.5) & (y < each.ccd.height - 0.5)
        pixels[rows, columns][is_on] = each.pixels[j[is_on], i[is_on]]
        if mask is not None and each.mask is not None:
            mask[rows, columns][is_on] = each.mask[j[is_on], i[is_on]]
        labels.append((each.ccd.ccd, float(column.mean()), float(row.mean())))
    return Mosaic(pixels, mask, float(west0), float(north0), step, labels)


def _corners(sky: Sky, ccd: Ccd) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    x1, y1 = ccd.width - 0.5, ccd.height - 0.5
    return sky.of_pixels(ccd, np.array([-0.5, x1, x1, -0.5]), np.array([-0.5, -0.5, y1, y1]))


def to_pixels(sky: Sky, ccd: Ccd, west: Any, north: Any) -> tuple[Any, Any]:
    """Pixels of places on the sky, by polynomials fitted to the exact map on a grid over the CCD."""
    x, y = np.meshgrid(np.linspace(0, ccd.width - 1, _N_GRID), np.linspace(0, ccd.height - 1, _N_GRID))
    known_west, known_north = sky.of_pixels(ccd, x.ravel(), y.ravel())
    center = known_west.mean(), known_north.mean()
    half = max(np.ptp(known_west), np.ptp(known_north)) / 2

    def powers(w: Any, n: Any) -> npt.NDArray[np.float64]:
        u, v = (w - center[0]) / half, (n - center[1]) / half
        return np.stack([u**p * v**q for p in range(_ORDER + 1) for q in range(_ORDER + 1 - p)], axis=-1)

    matrix = powers(known_west, known_north)
    found = np.linalg.lstsq(matrix, np.stack([x.ravel(), y.ravel()], axis=1), rcond=None)[0]
    both = powers(np.asarray(west, np.float64), np.asarray(north, np.float64)) @ found
    return both[..., 0], both[..., 1]
