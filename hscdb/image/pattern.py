"""How much of a fixed pattern of the sky, fringes or its uneven illumination, is in a frame; and its subtraction.

hscPipe measures fringes as medians of 30 000 small boxes minus larger ones around; here the boxes tile the frame, so
that nothing is random and every pixel counts: means of 8 x 8 pixels without stars, minus the mean of the 7 x 7 boxes
around, and a straight line through what frame and pattern have in common, clipped.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.image import stats
from hscdb.image.mask import BAD, CROSSTALK, DETECTED, EDGE, INTRP, NO_DATA, SAT, SUSPECT, UNMASKEDNAN

UNUSED = int(BAD | SAT | SUSPECT | NO_DATA | UNMASKEDNAN | CROSSTALK | EDGE | INTRP | DETECTED)
BOX_PIX = 8
_AROUND = 7  # boxes
_N_SIGMA_STAR = 5.0  # pixels further from the sky around them are stars
_LEAST = 0.5  # part of a box that must be usable
_N_BOX_MIN = 100
_STEP = 4  # every fourth pixel tells the level

Plane = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def _boxes(
    image: Plane, mask: npt.NDArray[np.int32], pattern: Plane, unused: int, level: Floats, reach: float, least: int
) -> tuple[Floats, Floats]:
    """Means of frame and pattern over the same pixels of each box, those within reach of the box's level; NaN: few."""
    n_y, n_x = image.shape[0] // BOX_PIX, image.shape[1] // BOX_PIX
    ours, theirs = np.full((n_y, n_x), np.nan), np.full((n_y, n_x), np.nan)
    for q in range(n_y):
        for p in range(n_x):
            n, a, b = 0, 0.0, 0.0
            for y in range(q * BOX_PIX, (q + 1) * BOX_PIX):
                for x in range(p * BOX_PIX, (p + 1) * BOX_PIX):
                    other = pattern[y, x]
                    if mask[y, x] & unused == 0 and other == other and abs(image[y, x] - level[q, p]) <= reach:
                        n += 1
                        a += image[y, x]
                        b += other
            if n >= least:
                ours[q, p] = a / n
                theirs[q, p] = b / n
    return ours, theirs


def _around(means: Floats) -> Floats:
    """Mean of the known boxes around each: being linear, it does to frame and pattern the same (a median would not)."""
    from scipy.ndimage import uniform_filter

    known = np.isfinite(means)
    total = uniform_filter(np.where(known, means, 0.0), _AROUND, mode="constant")
    part = uniform_filter(known.astype(float), _AROUND, mode="constant")
    return np.asarray(np.where(part > 0.01, total / np.maximum(part, 0.01), np.mean(means[known])))


def amplitude(
    image: Plane, mask: npt.NDArray[np.int32], pattern: Plane, level: float, sigma: float
) -> tuple[float, float]:
    """What the pattern must be multiplied with to be that of the frame, and one sigma; NaN, NaN if it cannot be told.

    image, mask : (ny, nx). pattern: (ny, nx) per unit of sky, NaN where not known. level, sigma: of the image's sky.
    """
    least = round(_LEAST * BOX_PIX**2)
    local = np.full((image.shape[0] // BOX_PIX, image.shape[1] // BOX_PIX), level)
    for reach in (max(0.3 * abs(level), 10.0 * sigma), _N_SIGMA_STAR * sigma):
        ours, theirs = _boxes(image, mask, pattern, UNUSED, local, reach, least)
        if np.isfinite(ours).sum() < _N_BOX_MIN:
            return math.nan, math.nan
        local = _around(ours)
    ripple, goal = theirs - _around(theirs), ours - local
    good = np.isfinite(ripple) & np.isfinite(goal)
    x, y = ripple[good], goal[good]
    keep = np.ones(len(x), np.bool_)
    slope, scatter = math.nan, math.nan
    for _ in range(20):
        weight = float(x[keep] @ x[keep])
        if not weight > 0.0:
            return math.nan, math.nan
        slope = float(x[keep] @ y[keep]) / weight
        rest = y - slope * x
        scatter = stats.iqr_sigma(rest[keep])
        new = np.abs(rest) <= 3.0 * scatter
        if (new == keep).all() or new.sum() < _N_BOX_MIN:
            break
        keep = new
    return slope, scatter / math.sqrt(weight)


@njit(cache=True, nogil=True)
def _subtract(image: Plane, pattern: Plane, factor: float, zero: float) -> None:
    for y in range(image.shape[0]):
        row, other = image[y], pattern[y]
        for x in range(row.size):
            step = np.float32(factor) * (other[x] - np.float32(zero))
            row[x] -= step if step == step else np.float32(0.0)


def subtract(image: Plane, pattern: Plane, factor: float) -> None:
    """Take factor * pattern off, in place, where the pattern is a number."""
    _subtract(image, pattern, factor, 0.0)


def flatten(image: Plane, mask: npt.NDArray[np.int32], pattern: Plane, level: float = math.nan) -> float:
    """Take the pattern of the sky off, in place, and leave its level: image - level * (pattern - 1).

    level : what the pattern is to be multiplied with; NaN: what the frame itself says, its clipped mean over the
    pattern. Returns it; NaN: not done.
    """
    if not math.isfinite(level):
        thin = np.s_[::_STEP, ::_STEP]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(mask[thin] & UNUSED == 0, image[thin] / pattern[thin], np.nan)
        level = stats.clipped(ratio)[0]
    if math.isfinite(level):
        _subtract(image, pattern, level, 1.0)
    return level
