"""Clipped stacks of calibration frames that do not have to be in memory together, and the levels of flats.

Two goes over the frames. The first gives every pixel a center: the mean without its highest and its lowest frame, so
that a cosmic ray or two cannot draw it. The second sums what lies within n_sigma of it, sigma being known from read
noise and photons. Memory is four planes whatever the number of frames; the price is that frames are read out twice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.errors import DataError
from hscdb.image.mask import DETECTED, SAT, UNMASKEDNAN
from hscdb.image.plane import Image

_UNUSED = int(SAT | UNMASKEDNAN | DETECTED)

Plane = npt.NDArray[np.float32]


@dataclass
class Stack:
    """Sums of a stack on its way; all (ny, nx). n_frame frames have gone into the center so far."""

    total: Plane
    low: Plane
    high: Plane
    count: npt.NDArray[np.int16]
    n_frame: int = 0
    n_rejected: int = 0


def begin(shape: tuple[int, int]) -> Stack:
    """An empty stack of frames (ny, nx)."""
    return Stack(
        np.zeros(shape, np.float32),
        np.full(shape, np.inf, np.float32),
        np.full(shape, -np.inf, np.float32),
        np.zeros(shape, np.int16),
    )


@njit(cache=True, nogil=True)
def _look(
    image: Plane, mask: npt.NDArray[np.int32], factor: float, total: Plane, low: Plane, high: Plane,
    count: npt.NDArray[np.int16],
) -> None:  # fmt: skip
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            one = image[y, x] * np.float32(factor)
            if mask[y, x] & _UNUSED == 0 and one == one:
                total[y, x] += one
                low[y, x] = min(low[y, x], one)
                high[y, x] = max(high[y, x], one)
                count[y, x] += 1


def look(stack: Stack, image: Image, scale: float) -> None:
    """First go: take a frame into the centers. scale: what the frame is divided by."""
    _look(image.data, image.mask, 1.0 / scale, stack.total, stack.low, stack.high, stack.count)
    stack.n_frame += 1


@njit(cache=True, nogil=True)
def _center(total: Plane, low: Plane, high: Plane, count: npt.NDArray[np.int16], lowest_of_two: bool) -> None:
    for y in range(total.shape[0]):
        for x in range(total.shape[1]):
            n = count[y, x]
            if n > 2:
                total[y, x] = (total[y, x] - low[y, x] - high[y, x]) / (n - 2)
            elif n == 2:
                total[y, x] = low[y, x] if lowest_of_two else 0.5 * total[y, x]
            elif n == 0:
                total[y, x] = np.nan


def center(stack: Stack, lowest_of_two: bool = False) -> Plane:
    """End the first go: the center of every pixel, NaN where no frame has it. The stack begins anew for the second.

    lowest_of_two : of only two values the lower is believed (darks, where only cosmic rays tell them apart).
    """
    _center(stack.total, stack.low, stack.high, stack.count, lowest_of_two)
    centers = stack.total
    stack.total, stack.low = stack.low, stack.high
    stack.total[:] = 0.0
    stack.low[:] = 0.0  # from now on the sum of the scales
    stack.high = centers
    return centers


@njit(cache=True, nogil=True)
def _add(
    image: Plane, variance: Plane, mask: npt.NDArray[np.int32], scale: float, centers: Plane, n_sigma: float,
    floor: float, total: Plane, weight: Plane,
) -> int:  # fmt: skip
    n_rejected = 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            one = image[y, x]
            if mask[y, x] & _UNUSED != 0 or one != one:
                continue
            expected = centers[y, x] * np.float32(scale)
            noise = variance[y, x] - max(one, np.float32(0.0)) + max(expected, np.float32(0.0))
            spread = noise + np.float32(floor * floor) * expected * expected
            off = one - expected
            if off * off <= np.float32(n_sigma * n_sigma) * spread:
                total[y, x] += one
                weight[y, x] += np.float32(scale)
            else:
                n_rejected += 1
    return n_rejected


def add(stack: Stack, image: Image, scale: float, n_sigma: float, floor: float) -> None:
    """Second go: sum the pixels within n_sigma of the center.

    sigma^2 = variance of the frame with the photons of the center + (floor * center)^2.
    """
    stack.n_rejected += _add(
        image.data, image.variance, image.mask, scale, stack.high, n_sigma, floor, stack.total, stack.low
    )


def result(stack: Stack) -> Plane:
    """The master: sum of the frames kept / sum of their scales; the center where none was kept, NaN where none is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = stack.total / stack.low
    empty = ~(stack.low > 0)
    mean[empty] = stack.high[empty]
    return mean


def mosaic_levels(
    visit: npt.NDArray[np.int64], ccd: npt.NDArray[np.int64], level: npt.NDArray[np.float64], kind: str = "flat"
) -> tuple[dict[int, float], dict[int, float]]:
    """Split levels into exposure and ccd: level[v, c] = exposure[v] * response[c], mean(response) = 1.

    kind : of the master they are for, in messages.
    Minimise sum((log level - log exposure[visit] - log response[ccd])^2); every ccd may miss in some visits.
    visit, ccd, level : (n,). Returns {visit: exposure}, {ccd: response}. Levels that are not above zero are left out.

    Solved by the normal equations of the ccds with the visits eliminated: one small matrix (n_ccd, n_ccd).
    DataError `no_flat_level` if no level is above zero, or ccds are tied together by no visit.
    """
    good = np.isfinite(level) & (level > 0)
    if not good.any():
        why = "Are these lit flats?" if kind == "flat" else "Have their ccds master flats that hold on that night?"
        raise DataError(f"master {kind}: no frame is above zero. {why}", code="no_flat_level")
    visits, v = np.unique(visit[good], return_inverse=True)
    ccds, c = np.unique(ccd[good], return_inverse=True)
    log = np.log(level[good])
    seen = np.zeros((len(visits), len(ccds)))
    value = np.zeros_like(seen)
    seen[v, c], value[v, c] = 1.0, log
    n_of_visit = seen.sum(1)
    normal = np.diag(seen.sum(0)) - seen.T @ (seen / n_of_visit[:, None])
    right = value.sum(0) - seen.T @ (value.sum(1) / n_of_visit)
    if len(ccds) > 1 and np.linalg.matrix_rank(normal, tol=1e-9 * len(visits)) < len(ccds) - 1:
        raise DataError(
            f"master {kind}: the {len(ccds)} ccds fall apart into groups that share no visit. "
            "Select visits that were read out by all ccds.",
            code="no_overlap",
        )
    g = np.linalg.lstsq(normal + np.ones_like(normal), right, rcond=None)[0]
    g -= np.log(np.mean(np.exp(g)))
    e = (value - seen * g).sum(1) / n_of_visit
    return (
        {int(one): float(x) for one, x in zip(visits, np.exp(e), strict=True)},
        {int(one): float(x) for one, x in zip(ccds, np.exp(g), strict=True)},
    )


def groups(night: npt.NDArray[np.int64], gap: int) -> npt.NDArray[np.int64]:
    """Number of the group of each frame: nights (days, sorted or not) further apart than `gap` begin a new one."""
    days, index = np.unique(night, return_inverse=True)
    number = np.cumsum(np.r_[0, np.diff(days) > gap]) if days.size else days
    return np.asarray(number, np.int64)[index]
