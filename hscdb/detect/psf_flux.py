"""The flux of a source under the PSF, and how much broader than the PSF it is."""

import numba
import numpy as np
import numpy.typing as npt

# Photon over sky noise variance at the peak of a star beyond which the weights of the PSF flux stay the same: the noise
# is within 4 % of the least possible for all stars; equal weights cost 20 % at the bright end.
WEIGHT_MAX = 8.0
# Scale of the exponential that broadens the PSF for the spread, in FWHM of the PSF: from 0.1 to 0.25 galaxies of 21 to
# 24 mag are told from stars best (area under the curve 0.992), SPREAD_MODEL of SExtractor has 1 / 16.
SPREAD_SCALE = 0.15
N_SUB = 5


def broader(coefficient: npt.NDArray[np.float64], fwhm: float) -> npt.NDArray[np.float64]:
    """The terms (n_term, n, n) of a PSF convolved with an exponential disk of scale SPREAD_SCALE * fwhm [pix]."""
    n = coefficient.shape[1]
    j, i = np.indices((n, n)) - n // 2
    step = (np.arange(N_SUB) - N_SUB // 2) / N_SUB
    disk = sum(np.exp(-np.hypot(i + a, j + b) / (SPREAD_SCALE * fwhm)) for a in step for b in step)
    kernel = np.asarray(disk) / np.sum(disk)
    size, first = (2 * n - 1, 2 * n - 1), (n - 1) // 2  # of the whole convolution; its middle is kept
    both = np.fft.irfft2(np.fft.rfft2(coefficient, size) * np.fft.rfft2(kernel, size), size)
    return both[:, first : first + n, first : first + n]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def overlap(center, half, n):
    """First and last + 1 of the 2 half + 1 pixels about `center` that lie in a frame of n, counted from the first."""
    return max(0, half - center), min(2 * half + 1, n - center + half)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def weight(p, flux, sky_variance, photon):
    """Weight of a pixel of the PSF p by the noise of sky and model, not of the data: that would pull the flux down."""
    return 1.0 / (sky_variance + photon * max(flux * p, 0.0))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def psf_flux(image, variance, mask, reject, value, sky_variance, photon, ix, iy, result):
    """Flux under the PSF (value, on the frame's pixels): sum(w P d) / sum(w P^2); rejected pixels are left out.

    The second pass weighs by the noise of sky and model, w = 1 / (sky_variance + photon F P), F being the first one's
    flux under equal weights, but all stars brighter than WEIGHT_MAX alike: with an imperfect PSF the flux depends on
    the weights. Returns False if less than a fifth of the PSF is seen.
    """
    ny, nx = image.shape
    m = value.shape[0]
    half = m // 2
    brightest = WEIGHT_MAX * sky_variance / max(photon * value[half, half], 1e-30)
    dot = power = noise = flux = 0.0
    use_all = False
    for attempt in range(3):
        dot = power = noise = whole = seen = 0.0
        for j in range(m):
            jj = iy - half + j
            for i in range(m):
                ii = ix - half + i
                p = value[j, i]
                whole += p * p
                if jj < 0 or jj >= ny or ii < 0 or ii >= nx or (mask[jj, ii] & reject and not use_all):
                    continue
                w = p * weight(p, flux, sky_variance, photon)
                seen += p * p
                power += w * p
                dot += w * image[jj, ii]
                noise += w * w * variance[jj, ii]
        if attempt == 0 and seen < 0.5 * whole:
            use_all = True
            continue
        if not seen > 0.2 * whole:
            return False
        if flux > 0.0 or not dot > 0.0:
            break
        flux = min(dot / power, brightest)
    result[0] = dot / power
    result[1] = np.sqrt(noise) / power
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def spread(image, variance, mask, reject, value, wide, sky_variance, photon, flux, ix, iy, result):
    """How much more a source resembles the broadened PSF than the PSF: sum(w G d) / sum(w P d), less that of a star.

    value, wide : P (n, n) and G (m, m), m <= n odd, on the frame's pixels.  Weights as in psf_flux, for this flux.
    result      : spread (0 for a star, > 0 for a galaxy), its error.  Returns False without flux.
    After Desai et al. 2012 (ApJ 757, 83), SExtractor's SPREAD_MODEL.
    """
    ny, nx = image.shape
    m = wide.shape[0]
    half = m // 2
    inset = value.shape[0] // 2 - half
    bright = min(max(flux, 0.0), WEIGHT_MAX * sky_variance / max(photon * value[inset + half, inset + half], 1e-30))
    gd = pd = gp = pp = ggv = gpv = ppv = 0.0
    j0, j1 = overlap(iy, half, ny)
    i0, i1 = overlap(ix, half, nx)
    for j in range(j0, j1):
        jj = iy - half + j
        for i in range(i0, i1):
            ii = ix - half + i
            if mask[jj, ii] & reject:
                continue
            p = value[inset + j, inset + i]
            g = wide[j, i]
            w = weight(p, bright, sky_variance, photon)
            d = image[jj, ii]
            v = variance[jj, ii]
            gd += w * g * d
            pd += w * p * d
            gp += w * g * p
            pp += w * p * p
            ggv += w * w * g * g * v
            gpv += w * w * g * p * v
            ppv += w * w * p * p * v
    if not (pd > 0.0 and pp > 0.0):
        return False
    ratio = gd / pd
    result[0] = ratio - gp / pp
    result[1] = np.sqrt(max(ggv - 2.0 * ratio * gpv + ratio * ratio * ppv, 0.0)) / pd
    return True
