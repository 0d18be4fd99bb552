"""Adaptive second moments: the elliptical Gaussian that matches an object best.

Bernstein & Jarvis 2002 (AJ 123, 583), as in SDSS and hscPipe's SdssShape: the moments under a Gaussian weight equal
half the weight's own covariance at the solution, so the weight is iterated until it is the object's own.
"""

import numba
import numpy as np
import numpy.typing as npt

N_ITERATION = 60
TOLERANCE = 1e-5
RHO2_MAX = 12.5  # the weight is followed to 3.5 sigma (exp(-6) = 0.2 %)


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
        # rho^2 = a (dx + c dy / a)^2 + (b - c^2 / a) dy^2 is below RHO2_MAX in one run of a row
        wide = (RHO2_MAX - (b - c * c / a) * dy * dy) / a
        if wide <= 0.0:
            continue
        wide = np.sqrt(wide)
        middle = x - c / a * dy
        i0 = max(x0, int(np.floor(middle - wide)) + 1)
        i1 = min(x1, int(np.ceil(middle + wide)))
        if i1 <= i0:
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
def adapt(image, x, y, sigma, half, shift_max, moments):
    """Adaptive moments of the object near (x, y). Returns True if they converged.

    sigma     : start value [pix]; half: largest reach [pix]; shift_max: largest move of the centre; 0: it is fixed.
    moments   : filled with x, y, ixx, iyy, ixy [pix, pix^2].
    """
    sums = np.empty(6)
    ixx = iyy = sigma * sigma
    ixy = 0.0
    cx = x
    cy = y
    limit = (0.4 * half) ** 2
    for _ in range(N_ITERATION):
        weighted_sums(image, cx, cy, ixx, iyy, ixy, half, sums)
        if not sums[0] > 0.0:
            return False
        mx = sums[1] / sums[0]
        my = sums[2] / sums[0]
        if shift_max > 0.0:
            cx += 2.0 * mx
            cy += 2.0 * my
            if (cx - x) ** 2 + (cy - y) ** 2 > shift_max * shift_max:
                return False
        else:
            mx = my = 0.0
        # moments of (object x weight): 1/S = 1/M + 1/W, so that the new W = M = (S^-1 - W^-1)^-1
        sxx = sums[3] / sums[0] - mx * mx
        syy = sums[4] / sums[0] - my * my
        sxy = sums[5] / sums[0] - mx * my
        det_s = sxx * syy - sxy * sxy
        det_w = ixx * iyy - ixy * ixy
        if not det_s > 1e-8:
            return False
        a = syy / det_s - iyy / det_w
        b = sxx / det_s - ixx / det_w
        c = -sxy / det_s + ixy / det_w
        det = a * b - c * c
        if not (det > 0.0 and a > 0.0 and b > 0.0):  # broader than any Gaussian: widen the weight and go on
            nxx, nyy, nxy = 1.5 * ixx, 1.5 * iyy, 1.5 * ixy
        else:
            nxx = min(max(b / det, 0.5 * ixx), 2.0 * ixx)
            nyy = min(max(a / det, 0.5 * iyy), 2.0 * iyy)
            nxy = -c / det
            if nxy * nxy >= 0.98 * nxx * nyy:
                nxy = np.sign(nxy) * np.sqrt(0.98 * nxx * nyy)
        if nxx + nyy > 2.0 * limit:
            return False
        change = abs(nxx - ixx) + abs(nyy - iyy) + abs(nxy - ixy)
        done = change < TOLERANCE * (ixx + iyy) and abs(mx) + abs(my) < 1e-3
        ixx = nxx
        iyy = nyy
        ixy = nxy
        if done:
            moments[0] = cx
            moments[1] = cy
            moments[2] = ixx
            moments[3] = iyy
            moments[4] = ixy
            return True
    return False


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _adapt_many(stamps, sigma, out):
    half = stamps.shape[1] // 2
    moments = np.empty(5)
    for k in range(stamps.shape[0]):
        is_good = adapt(stamps[k], half * 1.0, half * 1.0, sigma, half, 0.25 * half, moments)
        for i in range(5):
            out[k, i] = moments[i] if is_good else np.nan


def stamp_moments(stamps: npt.NDArray[np.floating], sigma: float = 1.8) -> npt.NDArray[np.float64]:
    """Adaptive moments of stamps (m, n, n) with the object near the centre; sigma is a first guess [pix].

    Returns (m, 5): x, y (from the stamp's corner), ixx, iyy, ixy; NaN where they do not converge.
    """
    out = np.empty((len(stamps), 5))
    _adapt_many(np.ascontiguousarray(stamps, dtype=np.float32), sigma, out)
    return out
