"""The inverse of a distortion: Newton's iteration, bounded, for many points at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hscdb.sky import polynomial

Floats = NDArray[np.float64]

# Quadratic from the linear part on a chip (4 to 6 steps); the rest is for halved steps far away.
_MAX_STEP = 40
_TOLERANCE_PIX = 1e-10


def solve(a: Floats, b: Floats, goal: Floats) -> Floats:
    """(u, v), shape (2, n), with u + A = goal[0], v + B = goal[1]; NaN where there is none."""
    (ax, ay), (bx, by) = polynomial.derivatives(a), polynomial.derivatives(b)

    def miss(at: Floats, aim: Floats) -> Floats:
        return at + np.stack([polynomial.evaluate(a, *at), polynomial.evaluate(b, *at)]) - aim

    result = np.full_like(goal, np.nan)
    (index,) = np.nonzero(np.isfinite(goal).all(axis=0))
    at, aim = goal[:, index].copy(), goal[:, index]
    # Below 4 ulp of the farthest number in the sum nothing can be gained: 1e-10 pix up to 1e5 pix from crpix.
    enough = np.maximum(_TOLERANCE_PIX, 4.0 * np.finfo(float).eps * np.abs(aim).max(axis=0, initial=0.0))
    off = miss(at, aim)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(_MAX_STEP):
            xx, yy = 1.0 + polynomial.evaluate(ax, *at), 1.0 + polynomial.evaluate(by, *at)
            xy, yx = polynomial.evaluate(ay, *at), polynomial.evaluate(bx, *at)
            det = xx * yy - xy * yx
            step = np.stack([(yy * off[0] - xy * off[1]) / det, (xx * off[1] - yx * off[0]) / det])
            length, size = np.abs(step).max(axis=0), np.hypot(*off)
            done = (length < enough) & (det > 0.0)
            result[:, index[done]] = at[:, done] - step[:, done]
            keep = ~done & np.isfinite(length)
            if not keep.any():
                break
            index, at, aim, enough = index[keep], at[:, keep], aim[:, keep], enough[keep]
            step, size = step[:, keep], size[keep]
            at, off = _descend(miss, at, aim, step, size)
    return result


def _descend(
    miss: Callable[[Floats, Floats], Floats], at: Floats, aim: Floats, step: Floats, size: Floats
) -> tuple[Floats, Floats]:
    """One Newton step for each point, halved (at most 10 times) until it comes nearer to its aim."""
    factor = np.ones(at.shape[1])
    for _ in range(10):
        trial = at - factor * step
        off = miss(trial, aim)
        worse = ~(np.hypot(*off) < size) & (size > 0.0)
        if not worse.any():
            break
        factor[worse] /= 2.0
    return trial, off
