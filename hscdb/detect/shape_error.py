"""How far noise moves adaptive moments and the flux under them. The mathematics is in README.md of this folder."""

import numba
import numpy as np

from hscdb.image.moments import row_run

# Fourth moments of light that is no Gaussian are so much more than a Gaussian's. Of PSFs: Moffat with beta 2.5 to 4.8
# has 0.10 to 0.05, Kolmogorov's 0.04; of galaxies in them: exponential 0.06 to 0.15, de Vaucouleurs 0.13 to 0.20.
STAR_EXCESS, GALAXY_EXCESS = 0.06, 0.14
# S/N from which a source's own fourth moments count for more than these: they are known to 1.5 / SNR.
OWN_SNR = 20.0
# Second order of the noise: variances are 1 + SECOND / SNR^2 of those of the first. Fitted to simulated stars; without
# it widths of pulls were 1.08 at S/N 10 and 1.2 at 5 to 6.
SECOND = 20.0
DET_MIN = 1e-3  # of L, a Gaussian has 1 / 64: what is below is no maximum, and no answer


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fourth_sums(image, x, y, ixx, iyy, ixy, rho2_max, half, sums):
    """Sums over image times exp(-rho^2 / 2) of 1; dx^2, dy^2, dx dy; dx^4, dx^3 dy, dx^2 dy^2, dx dy^3, dy^4.

    rho is that of the covariance (ixx, iyy, ixy) at (x, y) and goes to rho2_max, in a box of `half` pixels. sums: (9,).
    """
    ny, nx = image.shape
    det = ixx * iyy - ixy * ixy
    a = iyy / det
    b = ixx / det
    c = -ixy / det
    reach = min(half, int(np.ceil(np.sqrt(rho2_max * max(ixx, iyy)))) + 1)
    x0 = max(0, int(x) - reach)
    x1 = min(nx, int(x) + reach + 2)
    ratio = np.exp(-a)
    sums[:] = 0.0
    for j in range(max(0, int(y) - reach), min(ny, int(y) + reach + 2)):
        dy = j - y
        i0, i1 = row_run(a, b, c, x, dy, rho2_max, x0, x1)
        if i1 == i0:
            continue
        dx = i0 - x
        w = np.exp(-0.5 * (a * dx * dx + b * dy * dy + 2 * c * dx * dy))
        factor = np.exp(-(a * (dx + 0.5) + c * dy))
        r0 = r1 = r2 = r3 = r4 = 0.0
        for i in range(np.uintp(i0), np.uintp(i1)):
            v = w * image[j, i]
            dx2 = dx * dx
            r0 += v
            r1 += v * dx
            r2 += v * dx2
            r3 += v * dx2 * dx
            r4 += v * dx2 * dx2
            dx += 1.0
            w *= factor
            factor *= ratio
        dy2 = dy * dy
        sums[0] += r0
        sums[1] += r2
        sums[2] += dy2 * r0
        sums[3] += dy * r1
        sums[4] += r4
        sums[5] += dy * r3
        sums[6] += dy2 * r2
        sums[7] += dy2 * dy * r1
        sums[8] += dy2 * dy2 * r0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _about(sums, s, out):
    """Fill out (3, 3) with the sums of products of (dx^2, dy^2, dx dy) - s, s (3,)."""
    for p in range(3):
        for q in range(3):
            # dx^m dy^n of a product: dx^2, dy^2 and dx dy count 0, 2 and 1 towards n
            n = (2 if p == 1 else p // 2) + (2 if q == 1 else q // 2)
            out[p, q] = sums[4 + n] - s[p] * sums[1 + q] - s[q] * sums[1 + p] + s[p] * s[q] * sums[0]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _inverse(m, out):
    """Fill out (3, 3) with the adjoint of m over its determinant, which is returned."""
    for p in range(3):
        p1, p2 = (p + 1) % 3, (p + 2) % 3
        for q in range(3):
            q1, q2 = (q + 1) % 3, (q + 2) % 3
            out[q, p] = m[p1, q1] * m[p2, q2] - m[p1, q2] * m[p2, q1]
    det = m[0, 0] * out[0, 0] + m[0, 1] * out[1, 0] + m[0, 2] * out[2, 0]
    out /= det
    return det


@numba.njit(cache=True, nogil=True, error_model="numpy")
def moment_errors(light, noise, xx, yy, xy, psf_trace, errors):
    """Errors of adaptive moments (xx, yy, xy) and of the sum of light under their Gaussian.

    light : sums of the light under the weight w.   noise: sums of the variance under w^2.   Both see fourth_sums, (9,).
    psf_trace: xx + yy of the PSF.
    errors: (4,) filled with one sigma of xx, yy, xy [pix^2], and of light[0]. Returns False without light.
    """
    if not (light[0] > 0.0 and noise[0] > 0.0):
        return False
    det = xx * yy - xy * xy
    a, b, c = yy / det, xx / det, -xy / det
    half = np.array([0.5 * xx, 0.5 * yy, 0.5 * xy])
    # columns: what a change of xx, yy, xy makes of d^T W^-1 dW W^-1 d, rows: parts of dx^2, dy^2, dx dy
    turn = np.array([
        [a * a, c * c, 2.0 * a * c], [c * c, b * b, 2.0 * b * c], [2.0 * a * c, 2.0 * b * c, 2.0 * (a * b + c * c)],
    ])  # fmt: skip
    gauss = np.array([
        [0.5 * xx * xx, 0.5 * xy * xy, 0.5 * xx * xy], [0.5 * xy * xy, 0.5 * yy * yy, 0.5 * yy * xy],
        [0.5 * xx * xy, 0.5 * yy * xy, 0.25 * (xx * yy + xy * xy)],
    ])  # fmt: skip
    spread = np.empty((3, 3))
    own = np.empty((3, 3))
    left = np.empty((3, 3))
    inverse = np.empty((3, 3))
    _about(noise, half, spread)
    _about(light, half, own)
    snr2 = light[0] * light[0] / noise[0]
    part = snr2 / (snr2 + OWN_SNR * OWN_SNR)
    excess = STAR_EXCESS + (GALAXY_EXCESS - STAR_EXCESS) * max(1.0 - psf_trace / (xx + yy), 0.0)
    for _ in range(2):
        for p in range(3):
            for q in range(3):
                total = 0.0
                for k in range(3):
                    total += (part * own[p, k] / light[0] + (1.0 - part) * (1.0 + excess) * gauss[p, k]) * turn[k, q]
                left[p, q] = (0.5 if p == q else 0.0) - 0.5 * total
        if _inverse(left, inverse) > DET_MIN:
            break
        part = 0.0  # of a blend or a hole: what holds for stars is the better guess
    second = 1.0 + SECOND / snr2
    grow = np.zeros(3)  # of the sum of light, with the moments of its noise
    for p in range(3):
        for q in range(3):
            for k in range(3):
                grow[p] += 0.5 * turn[k, q] * half[k] * inverse[q, p]
    flux = noise[0]
    for p in range(3):
        flux += 2.0 * grow[p] * (noise[1 + p] - half[p] * noise[0])
        total = 0.0
        for q in range(3):
            flux += grow[p] * spread[p, q] * grow[q]
            for k in range(3):
                total += inverse[p, q] * spread[q, k] * inverse[p, k]
        errors[p] = np.sqrt(second * max(total, 0.0)) / light[0]
    errors[3] = np.sqrt(second * max(flux, 0.0))
    return True
