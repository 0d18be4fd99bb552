"""Which bright detections are stars: hscPipe's objectSize selector, on adaptive moments."""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hscdb.image import mask as planes
from hscdb.image.moments import adapt, weighted_sums

BLEMISH = int(
    planes.word("BAD", "SAT", "INTRP", "CR", "EDGE", "SUSPECT", "NO_DATA", "UNMASKEDNAN", "CROSSTALK")
)
SIZE_WINDOW = 0.10  # relative width of the window that finds the crowd of equal sizes
SIZE_FLOOR = 0.02  # relative; stars are kept within max(3 scatters, this) of the local size
NEIGHBOR_PART = 0.02  # of a star's height: what a neighbour in its stamp may have


@dataclass(frozen=True)
class Candidates:
    """Bright detections, arrays (n,): x, y [pix], snr, flux, sigma (determinant radius, pix), e1, e2.

    is_clean : no spoilt pixel in the core, no neighbour in the stamp.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    flux: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    e1: npt.NDArray[np.float64]
    e2: npt.NDArray[np.float64]
    is_clean: npt.NDArray[np.bool_]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _measure(image, mask, blemish, x, y, sigma, half, radius, out, clean):
    ny, nx = image.shape
    moments = np.empty(5)
    sums = np.empty(6)
    start = np.array([sigma * sigma, sigma * sigma, 0.0])
    for k in range(len(x)):
        out[k, :] = np.nan
        clean[k] = False
        if not (radius <= x[k] < nx - radius and radius <= y[k] < ny - radius):
            continue
        if not adapt(image, float(x[k]), float(y[k]), start, half, 4.0, moments):
            continue
        weighted_sums(image, moments[0], moments[1], moments[2], moments[3], moments[4], half, sums)
        for i in range(5):
            out[k, i] = moments[i]
        out[k, 5] = 2.0 * sums[0]
        good = True
        for j in range(y[k] - radius, y[k] + radius + 1):
            for i in range(x[k] - radius, x[k] + radius + 1):
                if mask[j, i] & blemish and (j - y[k]) ** 2 + (i - x[k]) ** 2 <= radius * radius:
                    good = False
        clean[k] = good


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _lonely(x, y, order, height, radius, part, clean):
    """Mark as not clean those with a neighbour of more than `part` of their height within `radius`; order: by y."""
    n = len(x)
    for a in range(n):
        k = order[a]
        for b in range(a + 1, n):
            m = order[b]
            if y[m] - y[k] > radius:
                break
            if abs(x[m] - x[k]) <= radius:
                if height[m] > part * height[k]:
                    clean[k] = False
                if height[k] > part * height[m]:
                    clean[m] = False


def measure(
    image: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    height: npt.NDArray[np.float64],
    snr_min: float,
    sigma: float,
    radius: int,
) -> Candidates:
    """Adaptive moments of the detections above snr_min; x, y, height are all peaks, which serve as neighbours.

    image  : background-subtracted. sigma : first guess of the PSF [pix]. radius : half a PSF stamp [pix].
    """
    bright = np.flatnonzero(height >= snr_min)
    lonely = np.ones(len(x), np.bool_)
    _lonely(x, y, np.argsort(y, kind="stable"), height, radius, NEIGHBOR_PART, lonely)
    out, clean = np.empty((len(bright), 6)), np.empty(len(bright), np.bool_)
    _measure(image, mask, BLEMISH, x[bright], y[bright], sigma, 3 * radius, radius // 2 + 1, out, clean)
    ixx, iyy, ixy = out[:, 2], out[:, 3], out[:, 4]
    trace = ixx + iyy
    size = np.sqrt(np.sqrt(np.maximum(ixx * iyy - ixy**2, 0.0)))
    return Candidates(
        out[:, 0], out[:, 1], height[bright], out[:, 5], size, (ixx - iyy) / trace, 2 * ixy / trace,
        clean & lonely[bright],
    )  # fmt: skip


def select(
    candidates: Candidates, shape: tuple[int, int], sigma_min: float = 0.9, sigma_max: float = 10.0
) -> npt.NDArray[np.bool_]:
    """Which candidates are stars: those of the most crowded size, followed over the frame, of the common ellipticity.

    The crowd is the window of 10 % in size with most members (stars are all of one size, galaxies and cosmic rays of
    many); of windows with nearly as many members the smallest is taken. Then a plane (order 2 from 40 stars) through
    the sizes, clipped at 3 sigma. Limits as hscPipe's widthMin, widthMax [pix].
    """
    usable = candidates.is_clean & (candidates.sigma >= sigma_min) & (candidates.sigma <= sigma_max)
    chosen = np.zeros(len(usable), np.bool_)
    if not usable.any():
        return chosen
    index = np.flatnonzero(usable)
    size = np.log(candidates.sigma[index])
    ordered = np.sort(size)
    n_in = np.searchsorted(ordered, ordered + SIZE_WINDOW, side="right") - np.arange(len(ordered))
    first = int(np.flatnonzero(n_in >= 0.7 * n_in.max())[0])
    best = first + int(np.argmax(n_in[first : first + max(1, int(n_in[first]))]))
    center = np.full(len(index), np.median(ordered[best : best + n_in[best]]))
    is_in = np.abs(size - center) < SIZE_WINDOW
    u = 2 * candidates.x[index] / shape[1] - 1
    v = 2 * candidates.y[index] / shape[0] - 1
    e1, e2 = candidates.e1[index], candidates.e2[index]
    for _ in range(5):
        n = int(is_in.sum())
        columns = [np.ones_like(u)]
        if n >= 15:
            columns += [u, v]
        if n >= 40:
            columns += [u * u, u * v, v * v]
        design = np.stack(columns, axis=1)
        distance = np.zeros(len(index))
        for values, floor in ((size, SIZE_FLOOR), (e1, 0.02), (e2, 0.02)):
            solution = np.linalg.lstsq(design[is_in], values[is_in], rcond=None)[0]
            residual = values - design @ solution
            scatter = 1.4826 * np.median(np.abs(residual[is_in] - np.median(residual[is_in])))
            distance = np.maximum(distance, np.abs(residual) / max(3.0 * scatter, floor))
        before, is_in = is_in, (distance < 1.0) & (np.abs(size - center) < 3 * SIZE_WINDOW)
        if not is_in.any():
            is_in = before
            break
        if (before == is_in).all():
            break
    chosen[index[is_in]] = True
    return chosen
