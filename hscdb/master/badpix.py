"""Bad pixels found in darks and flats: hot ones, and those whose response differs from that of their neighbors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.camera.model import Box
from hscdb.image import stats

Plane = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_TILE = 64  # pixels: response is compared with the median of a square of this side
_SOUND_MIN = 0.1  # part of a square that must be sound


@dataclass(frozen=True)
class Limits:
    """hot_min_e_s, hot_n_sigma: least excess over the dark's level; response_max: largest relative deviation."""

    hot_min_e_s: float = 0.5
    hot_n_sigma: float = 6.0
    response_max: float = 0.2


def hot(dark: Plane, limits: Limits) -> Bools:
    """Pixels of a master dark [e/s] far above its level; the noise is that of the master itself."""
    level, sigma, _ = stats.clipped(dark[::4, ::4], 3.0, 5)
    with np.errstate(invalid="ignore"):
        return np.asarray(dark - level > max(limits.hot_min_e_s, limits.hot_n_sigma * sigma))


def odd(flat: Plane, listed: Bools, limits: Limits) -> Bools:
    """Pixels of a master flat further than response_max (relative) from the median of a square of 64 x 64 pixels.

    Listed pixels do not count in the medians; a square with few others takes the median of the nearest one with enough.
    """
    ny, nx = (-(-length // _TILE) for length in flat.shape)
    middle = np.full((ny, nx), np.nan)
    tiles = [
        (q, p, np.s_[q * _TILE : (q + 1) * _TILE, p * _TILE : (p + 1) * _TILE]) for q in range(ny) for p in range(nx)
    ]
    for q, p, where in tiles:
        sound = flat[where][~listed[where]]
        if np.isfinite(sound).sum() > _SOUND_MIN * _TILE**2:
            middle[q, p] = stats.median(sound)
    found = np.zeros(flat.shape, np.bool_)
    if np.isnan(middle).all():
        return found
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(np.isnan(middle), return_distances=False, return_indices=True)
    middle = middle[tuple(nearest)]
    for q, p, where in tiles:
        with np.errstate(invalid="ignore"):
            found[where] = np.abs(flat[where] - middle[q, p]) > limits.response_max * middle[q, p]
    return found


@njit(cache=True, nogil=True)
def _runs(bad: Bools, room: npt.NDArray[np.int32]) -> int:
    """Runs along columns: x, first y, last y + 1, in order of x, as far as there is room; returns their number."""
    ny, nx = bad.shape
    n = 0
    for x in range(nx):
        y = np.int64(0)
        while y < ny:
            if not bad[y, x]:
                y += 1
                continue
            first = y
            while y < ny and bad[y, x]:
                y += 1
            if n < room.shape[0]:
                room[n, 0], room[n, 1], room[n, 2] = x, first, y
            n += 1
    return n


def boxes(bad: Bools) -> list[Box]:
    """Rectangles that cover the bad pixels (ny, nx) and nothing else: runs along columns, joined where alike."""
    room = np.empty((100_000, 3), np.int32)
    n = _runs(bad, room)
    if n > len(room):
        room = np.empty((n, 3), np.int32)
        _runs(bad, room)
    growing: dict[tuple[int, int], tuple[int, int]] = {}  # (first y, end y): (first x, last x) of a box that may grow
    done = []
    for x, first, end in room[:n].tolist():
        start, last = growing.get((first, end), (x, x - 1))
        if last != x - 1:
            done.append(Box(start, first, last - start + 1, end - first))
            start = x
        growing[first, end] = (start, x)
    done += [Box(start, first, last - start + 1, end - first) for (first, end), (start, last) in growing.items()]
    return sorted(done, key=lambda box: (box.y0, box.x0))


def find(
    dark: Plane | None, flats: list[Plane], listed: Bools, unlit: Bools, limits: Limits | None = None
) -> list[tuple[Box, str]]:
    """Rectangles of bad pixels and their causes, without those that are listed already or get no light.

    dark   : (ny, nx) master [e/s] or None. flats: masters of some filters; bad is what is bad in at least half of them.
    listed : pixels of the camera's defect list. unlit: pixels outside the lit circle, whose flat is no number.
    """
    limits = limits or Limits()
    found: dict[str, Bools] = {}
    unknown = np.zeros(listed.shape, np.bool_)
    if dark is not None:
        found["hot"] = hot(dark, limits)
        unknown |= ~np.isfinite(dark)
    if flats:
        votes = np.zeros(listed.shape, np.int16)
        for flat in flats:
            votes += odd(flat, listed, limits)
            unknown |= ~np.isfinite(flat) & ~unlit
        found["response"] = 2 * votes >= len(flats)
    found["unlit"] = unknown
    rows: list[tuple[Box, str]] = []
    seen = listed | (unlit if flats else np.zeros_like(listed))
    for cause, bad in found.items():
        rows += [(box, cause) for box in boxes(bad & ~seen)]
        seen = seen | bad
    return rows
