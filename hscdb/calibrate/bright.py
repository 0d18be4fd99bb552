"""The mask around very bright reference stars, and the sources that lie in it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.image import flags

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A flag of pixels within a distance [pix] of the centroid, as in detect
_AROUND = (("bright_object", 3), ("bright_object_center", 1))


def radius_arcsec(mag: ArrayLike) -> Floats:
    """Radius of the mask of a star by its AB magnitude: that of the first public data release of the HSC survey.

    200 10^(0.25 (7 - mag)) + 12 10^(0.05 (16 - mag)); Coupon et al. 2018 (PASJ 70, S7) say how such radii are found:
    where counts of sources around stars return to those of the field.
    """
    m = np.asarray(mag, dtype=np.float64)
    return np.asarray(200.0 * 10.0 ** (0.25 * (7.0 - m)) + 12.0 * 10.0 ** (0.05 * (16.0 - m)))


def plane(x: Floats, y: Floats, radius: Floats, shape: tuple[int, int]) -> Bools:
    """(ny, nx): which pixels lie in one of the disks. x, y, radius : (n,) [pix]; what is not a number is left out."""
    ny, nx = shape
    inside = np.zeros(shape, np.bool_)
    for cx, cy, reach in zip(x, y, radius, strict=True):
        if not np.isfinite([cx, cy, reach]).all():
            continue
        x0, x1 = max(0, int(np.ceil(cx - reach))), min(nx, int(np.floor(cx + reach)) + 1)
        y0, y1 = max(0, int(np.ceil(cy - reach))), min(ny, int(np.floor(cy + reach)) + 1)
        if x0 < x1 and y0 < y1:
            across, up = np.arange(x0, x1) - cx, np.arange(y0, y1) - cy
            inside[y0:y1, x0:x1] |= across**2 + (up**2)[:, None] <= reach**2
    return inside


def source_flags(inside: Bools, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Flag words (n,) of sources at (x, y) from the pixels (ny, nx) of the mask."""
    ny, nx = inside.shape
    word = np.zeros(len(x), np.int64)
    if not inside.any():
        return word
    i, j = (np.floor(np.nan_to_num(place, nan=-1e6) + 0.5).astype(np.int64) for place in (x, y))
    for name, reach in _AROUND:
        for dj in range(-reach, reach + 1):
            for di in range(-reach, reach + 1):
                p, q = i + di, j + dj
                on = (p >= 0) & (p < nx) & (q >= 0) & (q < ny)
                on[on] = inside[q[on], p[on]]
                word[on] |= flags.word(name)
    return word
