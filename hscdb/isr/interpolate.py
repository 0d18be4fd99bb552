"""Fill pixels that carry no measurement from their neighbours in the row, as hscPipe does, and say so (INTRP).

Short runs with two good pixels on both sides: the best linear prediction for a star of the given width (ordinary
kriging with the autocorrelation of a Gaussian PSF), which leaves a star's core where it was. Longer ones: a straight
line. What is not worth guessing - defects wider than `reach`, or wider than 4 pixels at the edge, and what no light
reaches - becomes the level of the chip, without INTRP. Every pixel is finite afterwards.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image.mask import BAD, INTRP, NO_DATA, SAT, UNMASKEDNAN

_FILLED = int(BAD | SAT | UNMASKEDNAN)
_SAT, _INTRP, _NO_DATA = int(SAT), int(INTRP), int(NO_DATA)
N_SHORT = 8  # longest run that is predicted
NOISE_MAX = 1.25  # a predicted pixel is at most this much noisier than a measured one
EDGE_MAX_PIX = 4  # widest defect at an edge that is filled from its one side


def weights(sigma_pix: float) -> npt.NDArray[np.float64]:
    """(N_SHORT + 1, N_SHORT, 4): for a run of n pixels, the weights of x0-2, x0-1, x1+1, x1+2 for each of its pixels.

    sigma_pix : sigma of the PSF. Pixels of a field of stars correlate as exp(-d^2 / (4 sigma^2)); weights sum to one.
    The noise assumed is raised, run length by run length, until the weights do not amplify it beyond NOISE_MAX.
    """
    table = np.zeros((N_SHORT + 1, N_SHORT, 4))
    for n in range(1, N_SHORT + 1):
        noise = 1e-3
        while True:
            table[n, :n] = [_predict(np.array([-2.0, -1.0, n, n + 1.0]) - i, sigma_pix, noise) for i in range(n)]
            if (table[n] ** 2).sum(1).max() <= NOISE_MAX**2:
                break
            noise *= 1.5
    return table


def _predict(distance: npt.NDArray[np.float64], sigma_pix: float, noise: float) -> npt.NDArray[np.float64]:
    """Ordinary kriging weights of pixels at these distances; noise: variance over that of the signal."""
    matrix = np.ones((5, 5))
    matrix[:4, :4] = np.exp(-((distance[:, None] - distance) ** 2) / (4 * sigma_pix**2)) + noise * np.eye(4)
    matrix[4, 4] = 0.0
    right = np.append(np.exp(-(distance**2) / (4 * sigma_pix**2)), 1.0)
    solved: npt.NDArray[np.float64] = np.linalg.solve(matrix, right)[:4]
    return solved


@njit(cache=True, nogil=True)
def _is_good(word: int) -> bool:
    return word & (_FILLED | _NO_DATA) == 0


@njit(cache=True, nogil=True)
def _fill_run(
    row: npt.NDArray[np.float32],
    spread: npt.NDArray[np.float32],
    bits: npt.NDArray[np.int32],
    first: int,
    last: int,
    table: npt.NDArray[np.float64],
    reach: int,
    level: float,
    level_variance: float,
) -> bool:
    """Fill the run first..last of one row. Returns whether it was interpolated (else set to the level)."""
    nx, n = row.size, last - first + 1
    has_left = first > 0 and _is_good(bits[first - 1])
    has_right = last < nx - 1 and _is_good(bits[last + 1])
    is_saturated = False
    for x in range(first, last + 1):
        is_saturated |= bits[x] & _SAT != 0
    widest = nx if is_saturated else (reach if has_left and has_right else EDGE_MAX_PIX)
    if n > widest or not (has_left or has_right):
        for x in range(first, last + 1):
            row[x], spread[x] = level, level_variance
        return False
    left, right = (first - 1 if has_left else last + 1), (last + 1 if has_right else first - 1)
    is_short = n <= N_SHORT and has_left and has_right and first > 1 and last < nx - 2
    is_short = is_short and _is_good(bits[max(first - 2, 0)]) and _is_good(bits[min(last + 2, nx - 1)])
    for x in range(first, last + 1):
        part = (x - left) / (right - left) if right != left else 0.0
        spread[x] = (1 - part) * spread[left] + part * spread[right]
        if is_short:
            w = table[n, x - first]
            row[x] = w[0] * row[first - 2] + w[1] * row[first - 1] + w[2] * row[last + 1] + w[3] * row[last + 2]
        else:
            row[x] = (1 - part) * row[left] + part * row[right]
        bits[x] |= _INTRP
    return True


@njit(cache=True, nogil=True)
def _fill(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    table: npt.NDArray[np.float64],
    reach: int,
    level: float,
    level_variance: float,
) -> tuple[int, int]:
    n_interpolated, n_level = 0, 0
    ny, nx = image.shape
    for y in range(ny):
        row, spread, bits = image[y], variance[y], mask[y]
        x: Any = np.int64(0)  # a plain 0 would be a constant, and _fill_run compiled for it, too
        while x < nx:
            word = bits[x]
            if _is_good(word):
                x += 1
                continue
            if word & _NO_DATA:
                row[x], spread[x] = level, level_variance
                n_level += 1
                x += 1
                continue
            first = x
            while x < nx and bits[x] & _FILLED != 0 and bits[x] & _NO_DATA == 0:
                x += 1
            if _fill_run(row, spread, bits, first, x - 1, table, reach, level, level_variance):
                n_interpolated += x - first
            else:
                n_level += x - first
    return n_interpolated, n_level


def fill(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    sigma_pix: float,
    level: float,
    level_variance: float,
    reach_pix: int = 50,
) -> tuple[int, int]:
    """Fill BAD, SAT, UNMASKEDNAN and NO_DATA pixels in place; set INTRP where a value was interpolated.

    sigma_pix : sigma of the expected PSF. level, level_variance : the chip's, for what is not interpolated.
    reach_pix : widest defect that is bridged. Returns the numbers of pixels interpolated and set to the level.
    """
    if not (math.isfinite(level) and math.isfinite(level_variance)):
        level, level_variance = 0.0, 0.0
    return _fill(image, variance, mask, weights(sigma_pix), reach_pix, level, level_variance)
