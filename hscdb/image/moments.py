"""Adaptive second moments: the elliptical Gaussian that matches an object best.

Bernstein & Jarvis 2002 (AJ 123, 583), as in SDSS and hscPipe's SdssShape: the moments under a Gaussian weight equal
half the weight's own covariance at the solution, so the weight is iterated until it is the object's own.
"""

import numba
import numpy as np
import numpy.typing as npt

N_ITERATION = 30
TOLERANCE = 1e-5  # of the trace, in the first N_EARLY turns
N_EARLY = 14
TOLERANCE_LATE = 5e-3
STRETCH_MIN, STRETCH_MAX = 0.3, 4.0  # of a step
SHIFT_PART = 0.8  # of the weight's sigma: galaxies of S/N 7 and 5 pix are seen 3 pix off the fitted place of a star
NARROWEST, BROADEST = 0.1, 8.0  # variance over that of the first weight, which is the PSF's
RHO2_MAX = 12.5  # the weight is followed to 3.5 sigma (exp(-6) = 0.2 %)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def row_run(a, b, c, x, dy, rho2_max, x0, x1):
    """Columns i0 to i1, that excluded, of a row dy from the center where a dx^2 + b dy^2 + 2 c dx dy < rho2_max.

    It is a (dx + c dy / a)^2 + (b - c^2 / a) dy^2, below that in one run of a row. None outside of x0 to x1.
    """
    wide = np.sqrt(max((rho2_max - (b - c * c / a) * dy * dy) / a, 0.0))
    middle = x - c / a * dy
    i0 = max(x0, int(np.floor(middle - wide)) + 1)
    return i0, max(i0, min(x1, int(np.ceil(middle + wide))))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def weighted_sums(image, x, y, ixx, iyy, ixy, half, sums):
    """Sums of image under the Gaussian of covariance (ixx, iyy, ixy) at (x, y), in a box of `half` pixels.

    sums : filled with sum w I, w I dx, w I dy, w I dx^2, w I dy^2, w I dx dy; w = exp(-rho^2 / 2), cut at 3.5 sigma.
    """
    ny, nx = image.shape
    det = ixx * iyy - ixy * ixy
    a = iyy / det
    b = ixx / det
    c = -ixy / det
    reach = min(half, int(np.ceil(np.sqrt(RHO2_MAX * max(ixx, iyy)))) + 1)
    x0 = max(0, int(x) - reach)
    x1 = min(nx, int(x) + reach + 2)
    y0 = max(0, int(y) - reach)
    y1 = min(ny, int(y) + reach + 2)
    ratio = np.exp(-a)
    s0 = sx = sy = sxx = syy = sxy = 0.0
    for j in range(y0, y1):
        dy = j - y
        i0, i1 = row_run(a, b, c, x, dy, RHO2_MAX, x0, x1)
        if i1 == i0:
            continue
        # a Gaussian in steps: each weight is the last one times a factor that shrinks by exp(-a); no exp per pixel
        dx = i0 - x
        w = np.exp(-0.5 * (a * dx * dx + b * dy * dy + 2 * c * dx * dy))
        factor = np.exp(-(a * (dx + 0.5) + c * dy))
        r0 = rx = rxx = 0.0
        for i in range(np.uintp(i0), np.uintp(i1)):
            v = w * image[j, i]
            r0 += v
            rx += v * dx
            rxx += v * dx * dx
            dx += 1.0
            w *= factor
            factor *= ratio
        s0 += r0
        sx += rx
        sxx += rxx
        sy += dy * r0
        sxy += dy * rx
        syy += dy * dy * r0
    sums[0] = s0
    sums[1] = sx
    sums[2] = sy
    sums[3] = sxx
    sums[4] = syy
    sums[5] = sxy


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _source(sums, mx, my, wxx, wyy, wxy, moments):
    """Fill moments[2:] with those of a Gaussian of which a weight (wxx, wyy, wxy) at the place gave these sums.

    (mx, my) : its mean there. Moments of (object x weight): 1/S = 1/M + 1/W, so that M = (S^-1 - W^-1)^-1.
    Returns 0; 1: it is broader than any Gaussian; 2: the sums are those of nothing.
    """
    sxx = sums[3] / sums[0] - mx * mx
    syy = sums[4] / sums[0] - my * my
    sxy = sums[5] / sums[0] - mx * my
    det_s = sxx * syy - sxy * sxy
    det_w = wxx * wyy - wxy * wxy
    if not (sums[0] > 0.0 and sxx > 0.0 and det_s > 1e-8):
        return 2
    a = syy / det_s - wyy / det_w
    b = sxx / det_s - wxx / det_w
    c = -sxy / det_s + wxy / det_w
    det = a * b - c * c
    if not (det > 0.0 and a > 0.0 and b > 0.0):
        return 1
    moments[2] = b / det
    moments[3] = a / det
    moments[4] = -c / det
    return 0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _narrow(xx, yy, xy):
    """The smaller of the two eigenvalues of a covariance."""
    return 0.5 * (xx + yy - np.sqrt((xx - yy) ** 2 + 4.0 * xy * xy))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def adapt(image, x, y, start, half, shift_max, moments):
    """Adaptive moments of the object near (x, y). Returns True if they converged.

    start     : (3,) xx, yy, xy of the first weight [pix^2]; half: largest reach [pix].
    shift_max : largest move of the center [pix], or SHIFT_PART sigmas of the weight if that is more; 0: it is fixed.
    moments   : filled with x, y, ixx, iyy, ixy [pix, pix^2].

    The weight goes to the object's moments under it, turn by turn. How far is told by the last two turns: if what is
    left shrinks to r of itself by a step, the step is stretched by 1 / (1 - r), so that neither a faint source whose
    weight creeps on nor one whose weight goes to and fro is followed for ever. Pixels come under the weight and
    leave it as it changes, each with its noise: after N_EARLY turns TOLERANCE_LATE is enough, a twentieth of the error
    at S/N 10.
    """
    sums = np.empty(6)
    xx, yy, xy = start[0], start[1], start[2]
    narrowest = NARROWEST * 0.5 * (xx + yy)
    broadest = 2.0 * (0.4 * half) ** 2
    last_xx = last_yy = last_xy = 0.0
    stretch = 1.0
    cx = x
    cy = y
    for turn in range(N_ITERATION):
        weighted_sums(image, cx, cy, xx, yy, xy, half, sums)
        mx = my = 0.0
        if shift_max > 0.0 and sums[0] > 0.0:
            mx = sums[1] / sums[0]
            my = sums[2] / sums[0]
            cx += 2.0 * mx
            cy += 2.0 * my
            if (cx - x) ** 2 + (cy - y) ** 2 > max(shift_max**2, SHIFT_PART**2 * 0.5 * (xx + yy)):
                return False
        kind = _source(sums, mx, my, xx, yy, xy, moments)
        if kind == 2:
            return False
        is_late = turn >= N_EARLY
        done = False
        if kind == 1:  # widen the weight and go on
            dxx, dyy, dxy = 0.5 * xx, 0.5 * yy, 0.5 * xy
            last_xx = last_yy = last_xy = 0.0
            part = stretch = 1.0
        else:
            dxx, dyy, dxy = moments[2] - xx, moments[3] - yy, moments[4] - xy
            last2 = last_xx * last_xx + last_yy * last_yy + 2.0 * last_xy * last_xy
            r = (dxx * last_xx + dyy * last_yy + 2.0 * dxy * last_xy) / last2 if last2 > 0.0 else 0.0
            stretch = min(max(stretch / max(1.0 - r, 0.05), STRETCH_MIN), STRETCH_MAX)
            change = (abs(dxx) + abs(dyy) + abs(dxy)) * max(stretch, 1.0)
            done = change < (TOLERANCE_LATE if is_late else TOLERANCE) * (xx + yy)
            done = done and abs(mx) + abs(my) < (1e-2 if is_late else 1e-3)
            # no variance more than doubles or halves
            for change_of, old in ((dxx, xx), (dyy, yy)):
                if change_of * stretch > old:
                    stretch = old / change_of
                elif change_of * stretch < -0.5 * old:
                    stretch = -0.5 * old / change_of
            part = stretch
            last_xx, last_yy, last_xy = dxx, dyy, dxy
        xx += part * dxx
        yy += part * dyy
        xy += part * dxy
        if xx + yy > broadest:
            return False
        least = _narrow(xx, yy, xy)
        if least < narrowest:  # a stretched step can lead beyond; what stays there is a pixel and no source
            xx += narrowest - least
            yy += narrowest - least
        if done:
            moments[0], moments[1] = cx, cy
            moments[2], moments[3], moments[4] = xx, yy, xy
            return bool(least > narrowest)
    return False


@numba.njit(cache=True, nogil=True, error_model="numpy")
def under(image, x, y, weight, half, moments):
    """Moments as one turn of `adapt` gives them, at (x, y) under a weight (3,) xx, yy, xy that stays; else the weight.

    moments : filled with x, y, ixx, iyy, ixy [pix, pix^2]. Returns True if they are the object's and no more than
    BROADEST times the weight, False if the object has none that hold, and those of the weight are given.
    """
    sums = np.empty(6)
    weighted_sums(image, x, y, weight[0], weight[1], weight[2], half, sums)
    is_own = _source(sums, 0.0, 0.0, weight[0], weight[1], weight[2], moments) == 0
    is_own = is_own and moments[2] + moments[3] < BROADEST * (weight[0] + weight[1])
    is_own = is_own and _narrow(moments[2], moments[3], moments[4]) > NARROWEST * 0.5 * (weight[0] + weight[1])
    if not is_own:
        for i in range(3):
            moments[2 + i] = weight[i]
    moments[0] = x
    moments[1] = y
    return is_own


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _adapt_many(stamps, sigma, out):
    half = stamps.shape[1] // 2
    moments = np.empty(5)
    start = np.array([sigma * sigma, sigma * sigma, 0.0])
    for k in range(stamps.shape[0]):
        is_good = adapt(stamps[k], half * 1.0, half * 1.0, start, half, 0.25 * half, moments)
        for i in range(5):
            out[k, i] = moments[i] if is_good else np.nan


def stamp_moments(stamps: npt.NDArray[np.floating], sigma: float = 1.8) -> npt.NDArray[np.float64]:
    """Adaptive moments of stamps (m, n, n) with the object near the centre; sigma is a first guess [pix].

    Returns (m, 5): x, y (from the stamp's corner), ixx, iyy, ixy; NaN where they do not converge.
    """
    out = np.empty((len(stamps), 5))
    _adapt_many(np.ascontiguousarray(stamps, dtype=np.float32), sigma, out)
    return out
