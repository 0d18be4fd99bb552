"""Robust statistics: clipped means, medians, MAD and a robust straight line. NaN never counts."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

MAD_TO_SIGMA = 1.4826022185056018  # of a Gaussian
IQR_TO_SIGMA = 0.7413011092528010  # of a Gaussian

Array = npt.NDArray[np.floating]


def finite(values: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """The finite members of an array of any shape, flat."""
    array = np.asarray(values)
    good: npt.NDArray[np.floating] = array[np.isfinite(array)]
    return good


def median(values: npt.ArrayLike) -> float:
    """Median of the finite values; NaN if there are none."""
    good = finite(values)
    return float(np.median(good)) if good.size else math.nan


def mad_sigma(values: npt.ArrayLike) -> float:
    """Sigma of a Gaussian with the median absolute deviation of the finite values; NaN if there are none."""
    good = finite(values)
    return float(MAD_TO_SIGMA * np.median(np.abs(good - np.median(good)))) if good.size else math.nan


def iqr_sigma(values: npt.ArrayLike) -> float:
    """Sigma of a Gaussian with the interquartile range of the finite values; NaN if there are none."""
    good = finite(values)
    if not good.size:
        return math.nan
    low, high = np.percentile(good, (25.0, 75.0))
    return float(IQR_TO_SIGMA * (high - low))


@njit(cache=True, nogil=True)
def _clip(values: Array, center: float, sigma: float, n_sigma: float, n_iteration: int) -> tuple[float, float, int]:
    """Mean, standard deviation and number of the values within n_sigma, from a first center and sigma."""
    mean, n_kept = center, 0
    for _ in range(n_iteration + 1):
        low, high = mean - n_sigma * sigma, mean + n_sigma * sigma
        total, square, n_now = 0.0, 0.0, 0
        for i in range(values.size):
            one = float(values[i])
            if low <= one <= high:
                shifted = one - center
                total += shifted
                square += shifted * shifted
                n_now += 1
        if n_now == 0:
            break
        mean = center + total / n_now
        sigma = math.sqrt(max(square / n_now - (total / n_now) ** 2, 0.0))
        if n_now == n_kept:
            break
        n_kept = n_now
    return mean, sigma, n_kept


def clipped(values: npt.ArrayLike, n_sigma: float = 3.0, n_iteration: int = 3) -> tuple[float, float, int]:
    """Mean, standard deviation and number of values after clipping at `n_sigma` about the median, then the mean.

    values : any shape; NaN is left out. Begins with the median and the interquartile range (afw's MEANCLIP and
    STDEVCLIP). The standard deviation is that of what is left (at 3 sigma 1.3 % below a Gaussian's).
    Returns (NaN, NaN, 0) if nothing is finite.
    """
    good = finite(values)
    if not good.size:
        return math.nan, math.nan, 0
    low, center, high = np.percentile(good, (25.0, 50.0, 75.0))
    sigma = IQR_TO_SIGMA * (high - low)
    if sigma <= 0:  # more than half of the values are equal
        sigma = float(np.std(good))
    mean, sigma, n_kept = _clip(good, float(center), float(sigma), float(n_sigma), n_iteration)
    return float(mean), float(sigma), int(n_kept)


def clipped_mean(values: npt.ArrayLike, n_sigma: float = 3.0, n_iteration: int = 3) -> float:
    """Mean after clipping; see `clipped`."""
    return clipped(values, n_sigma, n_iteration)[0]


def weighted_mean(values: npt.ArrayLike, weight: npt.ArrayLike) -> tuple[float, float]:
    """Weighted mean and its one-sigma error 1 / sqrt(sum of weights); NaN where nothing has weight.

    values, weight : one shape; weight = 1 / error**2; pairs with NaN are left out.
    """
    x, w = np.asarray(values, float), np.asarray(weight, float)
    good = np.isfinite(x) & np.isfinite(w) & (w > 0)
    total = float(w[good].sum())
    if total <= 0:
        return math.nan, math.nan
    return float((x[good] * w[good]).sum() / total), 1.0 / math.sqrt(total)


def clip_mask(values: npt.ArrayLike, n_sigma: float = 3.0, n_iteration: int = 3) -> npt.NDArray[np.bool_]:
    """True for values within `n_sigma` robust sigmas (MAD, then standard deviation) of the center. Shape as given."""
    array = np.asarray(values, float)
    mean, sigma, n_kept = clipped(array, n_sigma, n_iteration)
    if n_kept == 0:
        return np.zeros(array.shape, bool)
    kept: npt.NDArray[np.bool_] = np.isfinite(array) & (np.abs(array - mean) <= n_sigma * sigma)
    return kept


def robust_line(
    x: npt.ArrayLike, y: npt.ArrayLike, err: npt.ArrayLike | None = None, n_sigma: float = 4.0, n_iteration: int = 10
) -> tuple[float, float, npt.NDArray[np.bool_]]:
    """Straight line y = a + b x through points with outliers.

    Begins with Tukey's resistant line (medians of the outer thirds in x). Then minimise
    sum(((y - a - b x) / err)**2) over the points within n_sigma MAD-sigmas of the median of the scaled residuals,
    until these points stay the same.

    x, y, err : (n,). err None: all alike. Returns a, b and which points were kept; NaN, NaN with fewer than two.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    weight = np.ones_like(x) if err is None else 1.0 / np.asarray(err, float) ** 2
    usable = np.isfinite(x) & np.isfinite(y) & np.isfinite(weight)
    if usable.sum() < 2:
        return math.nan, math.nan, usable
    order = np.flatnonzero(usable)[np.argsort(x[usable], kind="stable")]
    third = max(len(order) // 3, 1)
    run = float(np.median(x[order[-third:]]) - np.median(x[order[:third]]))
    b = float(np.median(y[order[-third:]]) - np.median(y[order[:third]])) / run if run > 0 else 0.0
    a = float(np.median(y[usable] - b * x[usable]))
    floor = 1e-12 * float(np.abs(y[usable]).max() + 1.0) * math.sqrt(float(weight[usable].max()))
    kept = np.zeros(x.shape, np.bool_)
    for _ in range(n_iteration):
        residual = np.where(usable, (y - a - b * x) * np.sqrt(weight), np.nan)
        center = median(residual[kept if kept.any() else usable])
        now = usable & (np.abs(residual - center) <= n_sigma * max(mad_sigma(residual), floor))
        if np.array_equal(now, kept):
            break
        kept = now
        w, xk, yk = weight[kept], x[kept], y[kept]
        x_mean, y_mean = np.average(xk, weights=w), np.average(yk, weights=w)
        spread = float((w * (xk - x_mean) ** 2).sum())
        b = float((w * (xk - x_mean) * (yk - y_mean)).sum() / spread) if spread > 0 else 0.0
        a = float(y_mean - b * x_mean)
    return a, b, kept
