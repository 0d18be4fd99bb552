"""The place of a star: a fit of flux and position under the local PSF."""

import numba
import numpy as np

from hscdb.detect.psf_flux import overlap, weight
from hscdb.image.resample import HALF, shift_core

N_ITERATION = 12
STEP_MAX = 0.5  # pix, largest single step
TOLERANCE = 2e-4  # pix; a fiftieth of the photon noise at S/N 100


@numba.njit(cache=True, nogil=True, error_model="numpy")
def solve3(a, b, out):
    """Solve the symmetric 3 x 3 system a out = b, and overwrite a by its inverse. False if it is singular."""
    c00 = a[1, 1] * a[2, 2] - a[1, 2] * a[1, 2]
    c01 = a[0, 2] * a[1, 2] - a[0, 1] * a[2, 2]
    c02 = a[0, 1] * a[1, 2] - a[0, 2] * a[1, 1]
    det = a[0, 0] * c00 + a[0, 1] * c01 + a[0, 2] * c02
    if not abs(det) > 1e-12 * abs(a[0, 0] * a[1, 1] * a[2, 2]) or a[0, 0] == 0.0:
        return False
    c11 = a[0, 0] * a[2, 2] - a[0, 2] * a[0, 2]
    c12 = a[0, 1] * a[0, 2] - a[0, 0] * a[1, 2]
    c22 = a[0, 0] * a[1, 1] - a[0, 1] * a[0, 1]
    a[0, 0] = c00 / det
    a[0, 1] = a[1, 0] = c01 / det
    a[0, 2] = a[2, 0] = c02 / det
    a[1, 1] = c11 / det
    a[1, 2] = a[2, 1] = c12 / det
    a[2, 2] = c22 / det
    for k in range(3):
        out[k] = a[k, 0] * b[0] + a[k, 1] * b[1] + a[k, 2] * b[2]
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _covariance(variance, mask, reject, space, sky_variance, photon, flux, ix, iy, half, a, result):
    """Fill result[3:7] with (J^T W J)^-1 (J^T W V W J) (J^T W J)^-1, V from the variance plane; a = (J^T W J)^-1."""
    ny, nx = variance.shape
    j0, j1 = overlap(iy, half, ny)
    i0, i1 = overlap(ix, half, nx)
    vxx = vyy = vxy = vff = 0.0
    for j in range(j0, j1):
        jj = iy - half + j
        for i in range(i0, i1):
            ii = ix - half + i
            if mask[jj, ii] & reject:
                continue
            p = space[0, j, i]
            w = weight(p, flux, sky_variance, photon)
            gx = flux * space[1, j, i]
            gy = flux * space[2, j, i]
            hf = w * (a[0, 0] * p + a[0, 1] * gx + a[0, 2] * gy)
            hx = w * (a[1, 0] * p + a[1, 1] * gx + a[1, 2] * gy)
            hy = w * (a[2, 0] * p + a[2, 1] * gx + a[2, 2] * gy)
            v = variance[jj, ii]
            vff += hf * hf * v
            vxx += hx * hx * v
            vyy += hy * hy * v
            vxy += hx * hy * v
    result[3] = vxx
    result[4] = vyy
    result[5] = vxy
    result[6] = vff


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fit_star(image, variance, mask, reject, stamp, sky_variance, photon, x, y, half, shift_max, result):
    """Fit flux and position of a star near (x, y) by Gauss-Newton.

    Minimise sum (image - F P(x, y))^2 / (sky_variance + photon F P) over the inner (2 half + 1)^2 pixels, weights as in
    psf_flux.weight. Pixels with a bit of `reject` are left out while half of the PSF's square remains.
    stamp   : (n, n) PSF here, sum 1.  photon : variance per unit of flux in a pixel (1 for electrons).
    result  : x, y, flux, var x, var y, cov xy, var flux (covariance with the variance plane), steps.
    Returns 0 = good, 1 = did not converge or ran away, 2 = no pixels.
    """
    ny, nx = image.shape
    m = 2 * half + 1
    space = np.empty((3, m, m))
    value = space[0]
    slope_x = space[1]
    slope_y = space[2]
    scratch = np.empty((2, m + 2 * HALF, m))
    a = np.empty((3, 3))
    b = np.empty(3)
    step = np.empty(3)
    cx = x
    cy = y
    ix = int(np.floor(cx + 0.5))
    iy = int(np.floor(cy + 0.5))
    flux = 0.0
    status = 1
    use_all = False
    turn = 0
    for turn in range(N_ITERATION):
        # the window follows late, lest a star between two pixels make it jump to and fro for ever
        if turn == 0 or abs(cx - ix) > 0.7 or abs(cy - iy) > 0.7:
            ix = int(np.floor(cx + 0.5))
            iy = int(np.floor(cy + 0.5))
        shift_core(stamp, cx - ix, cy - iy, half, value, slope_x, slope_y, scratch)
        use_all = False
        for _ in range(2):
            a[:] = 0.0
            b[:] = 0.0
            seen = 0.0
            power = 0.0
            for j in range(m):
                jj = iy - half + j
                for i in range(m):
                    ii = ix - half + i
                    p = value[j, i]
                    power += p * p
                    if jj < 0 or jj >= ny or ii < 0 or ii >= nx:
                        continue
                    if mask[jj, ii] & reject and not use_all:
                        continue
                    seen += p * p
                    w = weight(p, flux, sky_variance, photon)
                    r = image[jj, ii] - flux * p
                    gx = flux * slope_x[j, i]
                    gy = flux * slope_y[j, i]
                    a[0, 0] += w * p * p
                    a[0, 1] += w * p * gx
                    a[0, 2] += w * p * gy
                    a[1, 1] += w * gx * gx
                    a[1, 2] += w * gx * gy
                    a[2, 2] += w * gy * gy
                    b[0] += w * r * p
                    b[1] += w * r * gx
                    b[2] += w * r * gy
            if seen >= 0.5 * power:
                break
            use_all = True
        if not seen > 0.2 * power:
            return 2
        if turn == 0:  # flux alone first, at the peak
            flux = b[0] / a[0, 0]
            if not flux > 0.0:
                return 1
            continue
        if not solve3(a, b, step):
            return 1
        largest = max(abs(step[1]), abs(step[2]))
        part = min(1.0, STEP_MAX / largest) if largest > 0.0 else 1.0
        flux = max(flux + step[0], 0.1 * flux)
        cx += part * step[1]
        cy += part * step[2]
        if (cx - x) ** 2 + (cy - y) ** 2 > shift_max * shift_max:
            return 1
        # a is the covariance now: a step of a thirtieth of the error is no step
        if largest < TOLERANCE or largest * largest < 1e-3 * min(a[1, 1], a[2, 2]):
            status = 0
            break
    result[0] = cx
    result[1] = cy
    result[2] = flux
    result[7] = turn
    _covariance(variance, mask, 0 if use_all else reject, space, sky_variance, photon, flux, ix, iy, half, a, result)
    return status
