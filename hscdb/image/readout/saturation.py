"""Saturated pixels: found on raw adu, trails widened, all grown by a pixel before they are interpolated over."""

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import SAT, SUSPECT

_SAT, _SUSPECT = int(SAT), int(SUSPECT)


@njit(cache=True, nogil=True)
def bits(raw_adu: float, saturation_adu: float, suspect_adu: float) -> int:
    """Mask bits of a raw pixel: SAT above the one level, SUSPECT above the other; a NaN level is never passed."""
    return (_SAT if raw_adu > saturation_adu else 0) | (_SUSPECT if raw_adu > suspect_adu else 0)


@njit(cache=True, nogil=True)
def extra(n_pix: int) -> int:
    """Pixels added on both sides of a saturated run of n_pix in a row (obs_subaru widenSaturationTrails)."""
    if n_pix < 6:
        return 0
    if n_pix < 8:
        return 1
    if n_pix < 10:
        return 3
    return 4


@njit(cache=True, nogil=True)
def _runs(mask: npt.NDArray[np.int32], bit: int) -> npt.NDArray[np.int32]:
    """(n_run, 3) y, first x, last x of the runs of a bit along rows."""
    ny, nx = mask.shape
    runs = np.empty((1024, 3), np.int32)
    n = 0
    for y in range(ny):
        x = 0
        while x < nx:
            if mask[y, x] & bit == 0:
                x += 1
                continue
            first = x
            while x < nx and mask[y, x] & bit != 0:
                x += 1
            if n == runs.shape[0]:
                wider = np.empty((2 * n, 3), np.int32)
                wider[:n] = runs
                runs = wider
            runs[n, 0], runs[n, 1], runs[n, 2] = y, first, x - 1
            n += 1
    return runs[:n]


@njit(cache=True, nogil=True)
def _spread(mask: npt.NDArray[np.int32], bit: int, widen: bool, n_grow: int) -> None:
    ny, nx = mask.shape
    runs = _runs(mask, bit)
    for i in range(runs.shape[0]):
        y, first, last = runs[i, 0], runs[i, 1], runs[i, 2]
        if widen:
            more = extra(last - first + 1)
            first, last = first - more, last + more
        for v in range(max(y - n_grow, 0), min(y + n_grow + 1, ny)):
            for u in range(max(first - n_grow, 0), min(last + n_grow + 1, nx)):
                mask[v, u] |= bit


def spread(mask: npt.NDArray[np.int32], widen: bool = True, n_grow: int = 1) -> None:
    """Widen saturation trails and grow all saturated pixels by n_grow pixels (a square), in place.

    mask  : (ny, nx) int32; SAT is looked at and set.
    widen : runs of 6-7 pixels in a row get 1 pixel more on both sides, 8-9 get 3, longer ones 4.
    """
    _spread(mask, _SAT, widen, n_grow)
