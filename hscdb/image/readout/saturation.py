"""Saturated pixels: found on raw adu, trails widened, all grown by a pixel before they are interpolated over."""

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import SAT, SUSPECT

_SAT, _SUSPECT = int(SAT), int(SUSPECT)
_ROOM = 100_000  # runs that are found in one go; some frames have more, they take two


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
def _runs(mask: npt.NDArray[np.int32], bit: int, runs: npt.NDArray[np.int32]) -> int:
    """Write y, first x, last x of the runs of a bit along rows, as far as there is room; returns how many there are."""
    n = 0
    for y in range(mask.shape[0]):
        was = 0
        for x in range(mask.shape[1]):
            now = mask[y, x] & bit
            if now != was:
                was = now
                if now:
                    n += 1
                if n <= runs.shape[0]:
                    runs[n - 1, 0] = y
                    if now:
                        runs[n - 1, 1] = x
                    runs[n - 1, 2] = x if now else x - 1
        if was and n <= runs.shape[0]:
            runs[n - 1, 2] = mask.shape[1] - 1
    return n


@njit(cache=True, nogil=True)
def _spread(mask: npt.NDArray[np.int32], bit: int, runs: npt.NDArray[np.int32], widen: bool, n_grow: int) -> None:
    ny, nx = mask.shape
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
    runs = np.empty((_ROOM, 3), np.int32)
    n_run = _runs(mask, _SAT, runs)
    if n_run > _ROOM:
        runs = np.empty((n_run, 3), np.int32)
        _runs(mask, _SAT, runs)
    _spread(mask, _SAT, runs[:n_run], widen, n_grow)
