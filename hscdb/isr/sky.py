"""Sky level, noise and flatness of a frame: hscPipe's SKYLEVEL, SKYSIGMA, FLATNESS_PP and FLATNESS_RMS."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image import stats
from hscdb.image.mask import BAD, CROSSTALK, NO_DATA, SAT, SUSPECT, UNMASKEDNAN

UNUSED = int(BAD | SAT | SUSPECT | NO_DATA | UNMASKEDNAN | CROSSTALK)
MESH_PIX = 256
STEP = 4  # every fourth pixel in x and y: 530 000 of an HSC CCD, level good to 0.002 sigma


@dataclass(frozen=True)
class Sky:
    """level, sigma [image unit]: median and clipped (3 sigma, 3 times) standard deviation of the usable pixels.

    flatness_pp, flatness_rms : peak to peak and rms of (clipped means in 256-pix meshes / their median - 1).
    n_x, n_y : meshes in x and y. NaN where nothing is usable.
    """

    level: float
    sigma: float
    flatness_pp: float
    flatness_rms: float
    n_x: int
    n_y: int


@njit(cache=True, nogil=True)
def _thin(
    image: npt.NDArray[np.float32], mask: npt.NDArray[np.int32], unused: int, step: int
) -> npt.NDArray[np.float32]:
    """Every step-th pixel in x and y, NaN where it is not to be used."""
    ny, nx = (image.shape[0] + step - 1) // step, (image.shape[1] + step - 1) // step
    thin = np.empty((ny, nx), np.float32)
    for j in range(ny):
        for i in range(nx):
            used = mask[j * step, i * step] & unused == 0
            thin[j, i] = image[j * step, i * step] if used else np.nan
    return thin


def measure(image: npt.NDArray[np.float32], mask: npt.NDArray[np.int32]) -> Sky:
    """Sky of a frame. image, mask : (ny, nx)."""
    thin = _thin(image, mask, UNUSED, STEP)
    level = stats.median(thin)
    sigma = stats.clipped(thin, 3.0, 3)[1]
    n_y, n_x = (max(round(length / MESH_PIX), 1) for length in image.shape)
    size = max(MESH_PIX // STEP, 1)
    means = [
        stats.clipped_mean(thin[j * size : (j + 1) * size, i * size : (i + 1) * size])
        for j in range(n_y)
        for i in range(n_x)
    ]
    seen = stats.finite(means)
    middle = float(np.median(seen)) if seen.size else math.nan
    if not seen.size or middle <= 0:
        return Sky(level, sigma, math.nan, math.nan, n_x, n_y)
    flatness = seen / middle - 1.0
    return Sky(level, sigma, float(np.ptp(flatness)), float(flatness.std()), n_x, n_y)


@njit(cache=True, nogil=True)
def _count(mask: npt.NDArray[np.int32], a: int, b: int, c: int) -> tuple[int, int, int]:
    n_a, n_b, n_c = 0, 0, 0
    for word in mask.flat:
        n_a += word & a != 0
        n_b += word & b != 0
        n_c += word & c != 0
    return n_a, n_b, n_c


def count(mask: npt.NDArray[np.int32]) -> tuple[int, int, int]:
    """Numbers of SAT, BAD and NO_DATA pixels."""
    return _count(mask, int(SAT), int(BAD), int(NO_DATA))
