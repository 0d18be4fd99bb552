"""The bias level of each row, from the overscan: clipped row means, 30 bins, an Akima spline through them.

As ip_isr's overscan correction with HSC's settings (AKIMA_SPLINE, order 30, 3 sigma). The read noise is what is left
in the overscan pixels after that.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image import stats

CLIPPED_3_SIGMA = 0.98657727  # standard deviation of a Gaussian cut at 3 sigma


@dataclass(frozen=True)
class Overscan:
    """The overscan of one amplifier.

    level_adu      : (ny,) float32, smooth bias level of each row.
    mean_adu       : mean of the level; NaN if no overscan pixel is usable.
    read_noise_adu : one sigma of a pixel about the level.
    is_blind       : (ny,) bool, leading and trailing rows without a usable overscan pixel.
    """

    level_adu: npt.NDArray[np.float32]
    mean_adu: float
    read_noise_adu: float
    is_blind: npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _row_means(
    pixels: npt.NDArray[np.float32], center: float, deviation_max: float, n_sigma: float
) -> npt.NDArray[np.float64]:
    """Clipped mean of each row; NaN where no pixel is within deviation_max of center."""
    ny, nx = pixels.shape
    means = np.full(ny, np.nan)
    held = np.empty(nx)
    for y in range(ny):
        n = 0
        for x in range(nx):
            one = float(pixels[y, x])
            if abs(one - center) <= deviation_max:  # also drops NaN
                at = n
                while at > 0 and held[at - 1] > one:  # insertion sort: rows have some 16 pixels
                    held[at] = held[at - 1]
                    at -= 1
                held[at] = one
                n += 1
        if n == 0:
            continue
        middle = 0.5 * (held[(n - 1) // 2] + held[n // 2])
        sigma = 0.74 * (held[(3 * (n - 1) + 2) // 4] - held[(n - 1 + 2) // 4])
        reach = max(n_sigma * sigma, 1.0)  # whole adu: the quartiles of a quiet row may coincide
        total, kept = 0.0, 0
        for i in range(n):
            if abs(held[i] - middle) <= reach:
                total += held[i]
                kept += 1
        if kept:
            means[y] = total / kept
    return means


def smooth(means: npt.NDArray[np.float64], n_bin: int) -> npt.NDArray[np.float64]:
    """Akima spline through the means of n_bin equal bins of rows; straight on beyond the outer bin centers.

    means : (ny,), NaN allowed. With fewer than three filled bins: their mean everywhere (NaN if none is filled).
    """
    ny = means.size
    n_bin = max(min(n_bin, ny // 8), 1)
    edge = np.linspace(0, ny, n_bin + 1).astype(int)
    rows = np.arange(ny)
    good = np.isfinite(means)
    count = np.add.reduceat(good, edge[:-1])
    filled = count > 0
    if filled.sum() < 3:
        return np.full(ny, means[good].mean() if good.any() else math.nan)
    y_bin = np.add.reduceat(np.where(good, rows, 0.0), edge[:-1])[filled] / count[filled]
    mean_bin = np.add.reduceat(np.where(good, means, 0.0), edge[:-1])[filled] / count[filled]
    inside = np.clip(rows, y_bin[0], y_bin[-1])
    at = np.clip(np.searchsorted(y_bin, inside, side="right") - 1, 0, y_bin.size - 2)
    step, slope = np.diff(y_bin)[at], _slopes(y_bin, mean_bin)
    u = (inside - y_bin[at]) / step
    before, after = slope[at] * step, slope[at + 1] * step
    rise = mean_bin[at + 1] - mean_bin[at]
    level = mean_bin[at] + u * (before + u * (3.0 * rise - 2.0 * before - after + u * (before + after - 2.0 * rise)))
    beyond: npt.NDArray[np.float64] = np.where(rows < inside, slope[0], slope[-1]) * (rows - inside)
    return level + beyond


def _slopes(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slopes of Akima's spline (1970, J. ACM 17, 589) at its three or more points; scipy's takes 0.5 s to import.

    At each point the mean of the slopes to both sides, each weighted with how little those on the other side differ.
    """
    inner = np.diff(y) / np.diff(x)
    first, last = 2.0 * inner[0] - inner[1], 2.0 * inner[-1] - inner[-2]
    m = np.r_[2.0 * first - inner[0], first, inner, last, 2.0 * last - inner[-1]]
    turn = np.abs(np.diff(m))
    left, right = turn[2:], turn[:-2]
    is_even = left + right <= 1e-9 * (left + right).max()  # no side is straighter: the plain mean
    total = np.where(is_even, 1.0, left + right)
    slopes: npt.NDArray[np.float64] = np.where(
        is_even, 0.5 * (m[1:-2] + m[2:-1]), (left * m[1:-2] + right * m[2:-1]) / total
    )
    return slopes


def measure(
    pixels: npt.NDArray[Any], n_bin: int = 30, n_sigma: float = 3.0, deviation_max_adu: float = 1000.0
) -> Overscan:
    """Bias level and read noise of one amplifier.

    pixels : (ny, nx) raw overscan [adu], rows as the amplifier's data rows.
    """
    raw = np.ascontiguousarray(pixels, dtype=np.float32)
    center = stats.median(raw)
    means = _row_means(raw, center, deviation_max_adu, n_sigma)
    level = smooth(means, n_bin)
    seen = np.flatnonzero(np.isfinite(means))
    is_blind = np.ones(means.size, bool)
    if not seen.size:
        return Overscan(level.astype(np.float32), math.nan, math.nan, is_blind)
    is_blind[seen[0] : seen[-1] + 1] = False
    residual = (raw - level[:, None]).ravel()
    residual = residual[np.abs(residual) <= deviation_max_adu]
    sigma = stats.clipped(residual, 3.0, 10)[1] / CLIPPED_3_SIGMA
    return Overscan(level.astype(np.float32), float(level.mean()), sigma, is_blind)
