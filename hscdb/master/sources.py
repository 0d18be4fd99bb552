"""Sky frames without their sources: what fringe and sky masters are stacked from."""

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image import background, stats
from hscdb.image.mask import BAD, DETECTED, EDGE, NO_DATA, SAT, SUSPECT, UNMASKEDNAN
from hscdb.image.plane import Image

UNUSED = int(BAD | SAT | SUSPECT | NO_DATA | UNMASKEDNAN | EDGE | DETECTED)
_DETECTED = int(DETECTED)
MESH_PIX = 512  # far wider than a fringe
_BOX = 5  # pixels that are averaged before sources are looked for
_GROW_PIX = 10

Plane = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _smooth(image: Plane, mask: npt.NDArray[np.int32], unused: int, out: Plane) -> None:
    """Means of _BOX x _BOX tiles of usable pixels; NaN where fewer than half are."""
    for q in range(out.shape[0]):
        for p in range(out.shape[1]):
            n, total = 0, 0.0
            for y in range(q * _BOX, min((q + 1) * _BOX, image.shape[0])):
                for x in range(p * _BOX, min((p + 1) * _BOX, image.shape[1])):
                    if mask[y, x] & unused == 0:
                        n += 1
                        total += image[y, x]
            out[q, p] = total / n if 2 * n >= _BOX * _BOX else np.nan


@njit(cache=True, nogil=True)
def _hide(means: Plane, limit: float, mask: npt.NDArray[np.int32], grow: int) -> int:
    ny, nx = mask.shape
    n = 0
    for q in range(means.shape[0]):
        for p in range(means.shape[1]):
            if means[q, p] > limit:
                n += 1
                for y in range(max(q * _BOX - grow, 0), min((q + 1) * _BOX + grow, ny)):
                    for x in range(max(p * _BOX - grow, 0), min((p + 1) * _BOX + grow, nx)):
                        mask[y, x] |= _DETECTED
    return n


def hide(image: Image, n_sigma: float = 4.0, n_round: int = 3) -> tuple[float, Plane]:
    """Set DETECTED where sources stand out of the sky, and around. Returns the sky's level and its smooth surface.

    Tiles of 5 x 5 pixels n_sigma above the surface are sources; sigma is that of the tiles themselves, fringes
    included, so that no crest of a fringe is cut. The surface is fitted anew each round. DataError `no_pixels`.
    """
    tiles = np.empty(tuple(-(-length // _BOX) for length in image.shape), np.float32)
    surface = np.zeros(image.shape, np.float32)
    for _ in range(n_round):
        surface = background.estimate(image.data, image.mask, UNUSED, MESH_PIX, 4).render()
        _smooth(image.data - surface, image.mask, UNUSED, tiles)
        sigma = stats.clipped(tiles)[1]
        if not _hide(tiles, n_sigma * sigma, image.mask, _GROW_PIX):
            break
    good = image.mask[::4, ::4] & UNUSED == 0
    return stats.median(image.data[::4, ::4][good]), surface
