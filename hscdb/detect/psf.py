"""The PSF from its stars: every pixel of the stamp a polynomial over the frame, by iterated residuals."""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hscdb.detect.centroid import fit_star
from hscdb.image import mask as planes
from hscdb.image import moments
from hscdb.image.psf import Psf, gaussian, n_term, terms
from hscdb.image.resample import HALF, shift_core

REJECT = int(planes.word("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN"))
SNR_CAP = 200.0  # a star brighter than this weighs no more: what is left is the PSF's own change, not photons
MODEL_ERROR = 0.01  # of a pixel's model: part of the PSF that an order-2 polynomial does not follow
STARS_PER_TERM = 3
NOISE_POWER_MAX = 0.05  # of the stamps, over the PSF's own: noisier terms are left out; twice that for a constant PSF


@dataclass(frozen=True)
class PsfStars:
    """Stars of the PSF, arrays (n,): place [pix], snr, flux, is_reserved, is_rejected; sizes [pix] and ellipticities of
    star and PSF, reduced chi2 (NaN for a Gaussian PSF)."""

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    snr: npt.NDArray[np.float64]
    flux: npt.NDArray[np.float64]
    is_reserved: npt.NDArray[np.bool_]
    is_rejected: npt.NDArray[np.bool_]
    star_sigma: npt.NDArray[np.float64]
    psf_sigma: npt.NDArray[np.float64]
    star_e: npt.NDArray[np.float64]
    psf_e: npt.NDArray[np.float64]
    chi2: npt.NDArray[np.float64]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _residuals(image, variance, mask, reject, stamps, sky_variance, photon, model_error, place, half_core, basin, owner,
               out, centred, fitted):  # fmt: skip
    """Residual of every star from its PSF, moved back to the stamp's centre, over the star's flux.

    place   : (n, 3) x, y, flux; refitted if fitted, else taken as given (first turn).
    out     : (n,) reduced chi2 of the core.
    centred : (n, m, m) residuals / flux, m = size of a PSF stamp. The fit is judged and clipped per pixel.
    basin, owner : peak that owns a pixel (-1: none), and that of each star: pixels of others do not count.
    """
    ny, nx = image.shape
    n_star, m, _ = stamps.shape
    half = m // 2
    wide = half + HALF
    result = np.empty(8)
    core = np.empty((2 * wide + 1, 2 * wide + 1))
    value = np.empty((m, m))
    slope = np.empty((2, m, m))
    scratch = np.empty((2, m + 2 * HALF, m))
    for k in range(n_star):
        if fitted:
            status = fit_star(
                image, variance, mask, reject, stamps[k], sky_variance, photon, place[k, 0], place[k, 1],
                half_core, 2.0, result,
            )  # fmt: skip
            if status != 0:
                out[k] = np.nan
                centred[k] = 0.0
                continue
            for i in range(3):  # not slices: to compile the complaint about their shapes takes a second
                place[k, i] = result[i]
        x = place[k, 0]
        y = place[k, 1]
        flux = place[k, 2]
        ix = int(np.floor(x + 0.5))
        iy = int(np.floor(y + 0.5))
        shift_core(stamps[k], x - ix, y - iy, half, value, slope[0], slope[1], scratch)
        core[:] = 0.0
        chi2 = 0.0
        n = 0
        for j in range(-wide, wide + 1):
            for i in range(-wide, wide + 1):
                jj = iy + j
                ii = ix + i
                if jj < 0 or jj >= ny or ii < 0 or ii >= nx or mask[jj, ii] & reject:
                    continue
                if basin[jj, ii] >= 0 and basin[jj, ii] != owner[k]:
                    continue
                model = 0.0
                if fitted and abs(j) <= half and abs(i) <= half:
                    model = flux * value[j + half, i + half]
                elif fitted:
                    continue
                r = image[jj, ii] - model
                if fitted:
                    noise2 = sky_variance + photon * max(model, 0.0) + (model_error * model) ** 2
                    if abs(j) <= half_core and abs(i) <= half_core:
                        chi2 += r * r / noise2
                        n += 1
                    bound = 5.0 * np.sqrt(noise2) + 0.1 * model  # a neighbour or a hit, not the PSF
                    r = min(max(r, -bound), bound)
                core[j + wide, i + wide] = r / flux
        out[k] = chi2 / max(n - 3, 1)
        shift_core(core, ix - x, iy - y, half, value, slope[0], slope[1], scratch)
        for j in range(m):
            for i in range(m):
                centred[k, j, i] = value[j, i]


def choose_order(snr: npt.NDArray[np.float64], order: int, n_pixel: int) -> int:
    """Largest order up to `order` that stars of these S/N support; -1 if not even a constant.

    Three stars per term, and the noise of the terms' n_pixel pixels, n_term n_pixel / sum(snr^2) of the PSF's own power
    (with the square sum of a PSF about 1 / n_pixel of its core), below NOISE_POWER_MAX.
    """
    power = float(np.sum(np.minimum(snr, SNR_CAP) ** 2))
    while order > 0 and (
        len(snr) < STARS_PER_TERM * n_term(order) or n_term(order) * n_pixel > NOISE_POWER_MAX * power
    ):
        order -= 1
    return order if len(snr) > 0 and n_pixel <= 2 * NOISE_POWER_MAX * power else -1


def _quieten(
    coefficient: npt.NDArray[np.float64], noise: npt.NDArray[np.float64], radius: float
) -> npt.NDArray[np.float64]:
    """Shrink the pixels of each ring beyond `radius` [pix] to its mean, by the part of their scatter that is noise.

    noise : (n_term,) standard error of a pixel of each term. James & Stein's factor 1 - noise^2 / scatter^2: wings that
    the stars show stay as they are, wings that they do not become round.
    """
    half = coefficient.shape[1] // 2
    j, i = np.indices(coefficient.shape[1:]) - half
    ring = np.rint(np.hypot(i, j)).astype(np.int64)
    out = coefficient.copy()
    for r in range(max(2, int(np.ceil(radius))), int(ring.max()) + 1):
        here = ring == r
        for k in range(len(coefficient)):
            pixels = coefficient[k][here]
            scatter = float(np.var(pixels))
            part = max(0.0, 1.0 - noise[k] ** 2 / scatter) if scatter > 0 else 0.0
            out[k][here] = pixels.mean() + part * (pixels - pixels.mean())
    return out


def fit(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    place: npt.NDArray[np.float64],
    snr: npt.NDArray[np.float64],
    sigma: float,
    sky_variance: float,
    photon: float,
    order: int,
    is_reserved: npt.NDArray[np.bool_],
    half: int,
    basin: npt.NDArray[np.int32],
    n_turn: int = 4,
) -> tuple[Psf, PsfStars]:
    """Fit the PSF of a frame to its stars.

    Minimise sum_stars w |D_s / F_s - sum_k u^i v^j C_k|^2 per pixel of the stamp, D_s being a star's pixels moved to
    the stamp's centre; w = 1 / (1 / snr^2 + 1 / 200^2). It is done on residuals: star minus PSF at its place on its own
    pixels, moved back and fitted, so that masked pixels and neighbours (clipped at 5 sigma) drop out and the error of
    the interpolation is undone by the next turn. Stars of large chi2 are rejected each turn (median + 4 scatters).

    place : (n, 3) x, y [pix], flux. sigma : their size [pix]. photon : variance per unit of flux.
    is_reserved : not used in the fit.  half : half size of the stamp.  basin : peak that owns each pixel, -1 = none.
    Returns the PSF and its stars; a Gaussian of `sigma` if no star is left.
    """
    shape = (image.shape[0], image.shape[1])
    size = 2 * half + 1
    n_star = len(place)
    place = place.copy()
    column, row = (np.clip(np.rint(place[:, a]), 0, shape[1 - a] - 1).astype(np.int64) for a in (0, 1))
    owner = basin[row, column]
    rejected = np.zeros(n_star, np.bool_)
    half_core = min(half, int(np.ceil(3.0 * sigma)))
    chi2, centred = np.full(n_star, np.nan), np.zeros((n_star, size, size))
    psf = gaussian(sigma, shape, half)
    for turn in range(n_turn + 1):
        stamps = psf.at_many(place[:, 0], place[:, 1])
        _residuals(
            image, variance, mask, REJECT, stamps, sky_variance, photon, MODEL_ERROR, place, half_core, basin,
            owner, chi2, centred, turn > 0,
        )  # fmt: skip
        rejected = _outliers(chi2, is_reserved, rejected, turn)
        used = ~is_reserved & ~rejected
        fit_order = choose_order(snr[used], order, (2 * half_core + 1) ** 2)
        if fit_order < 0:
            psf, rejected = gaussian(sigma, shape, half), np.ones(n_star, np.bool_)
            break
        if turn == n_turn:
            break
        psf = _update(
            psf if turn > 0 else None, shape, place[used], snr[used], (sky_variance, photon), centred[used], fit_order,
            sigma,
        )  # fmt: skip
    return psf, _judge(image, place, snr, psf, is_reserved, rejected, chi2, half)


def _outliers(
    chi2: npt.NDArray[np.float64], is_reserved: npt.NDArray[np.bool_], rejected: npt.NDArray[np.bool_], turn: int
) -> npt.NDArray[np.bool_]:
    """Stars whose chi2 is not finite or, from the second turn on, above the median by 4 scatters (and above 2)."""
    if turn < 2:
        return ~np.isfinite(chi2)
    known = chi2[~is_reserved & ~rejected & np.isfinite(chi2)]
    if not len(known):
        return rejected
    middle = np.median(known)
    scatter = max(1.4826 * float(np.median(np.abs(known - middle))), 0.25)
    return np.asarray(~(chi2 < max(middle + 4.0 * scatter, 2.0)))


def _update(
    old: Psf | None,
    shape: tuple[int, int],
    place: npt.NDArray[np.float64],
    snr: npt.NDArray[np.float64],
    noise: tuple[float, float],
    residual: npt.NDArray[np.float64],
    order: int,
    sigma: float,
) -> Psf:
    """Add the polynomial through the stars' residuals (n, size, size) to the old PSF.

    noise : variance of the sky in a pixel, and per unit of flux. snr: of the stars over the sky's noise alone.
    """
    design = terms(place[:, 0], place[:, 1], order, shape)
    weight = 1.0 / (1.0 / snr**2 + 1.0 / SNR_CAP**2)
    # the solution is gain @ residual, its error sqrt(gain^2 @ noise^2)
    gain = np.linalg.solve(design.T @ (design * weight[:, None]), (design * weight[:, None]).T)
    coefficient = np.einsum("ks,sji->kji", gain, residual)
    if old is not None:
        n = min(len(old.coefficient), len(coefficient))
        coefficient[:n] += old.coefficient[:n]
    coefficient = _quieten(coefficient, np.sqrt(noise[0] * gain**2 @ place[:, 2] ** -2.0), 2.0 * sigma)
    # photons count too when a star's place or flux is at stake
    covariance = (gain * (snr**-2.0 + noise[1] / place[:, 2])) @ gain.T
    # the mean of the stamps is 1; Psf.at renormalises at every place
    return Psf(coefficient / coefficient[0].sum(), order, "pixel" if order > 0 else "constant", shape, covariance)


def _judge(
    image: npt.NDArray[np.float32],
    place: npt.NDArray[np.float64],
    snr: npt.NDArray[np.float64],
    psf: Psf,
    is_reserved: npt.NDArray[np.bool_],
    rejected: npt.NDArray[np.bool_],
    chi2: npt.NDArray[np.float64],
    half: int,
) -> PsfStars:
    """Sizes and ellipticities of stars and PSF."""
    n_star = len(place)
    star_moments = np.full((n_star, 3), np.nan)
    ny, nx = image.shape
    for k in range(n_star):
        ix, iy = int(place[k, 0] + 0.5), int(place[k, 1] + 0.5)
        if half <= ix < nx - half and half <= iy < ny - half:
            cut = image[None, iy - half : iy + half + 1, ix - half : ix + half + 1]
            star_moments[k] = moments.stamp_moments(cut)[0, 2:]
    psf_moments = psf.moments(place[:, 0], place[:, 1]) if n_star else np.empty((0, 3))
    sizes, shapes = [], []
    for m in (star_moments, psf_moments):
        trace = m[:, 0] + m[:, 1]
        sizes.append(np.maximum(m[:, 0] * m[:, 1] - m[:, 2] ** 2, 0.0) ** 0.25)
        shapes.append(np.stack([(m[:, 0] - m[:, 1]) / trace, 2 * m[:, 2] / trace], axis=1))
    return PsfStars(
        place[:, 0], place[:, 1], snr, place[:, 2], is_reserved, rejected, sizes[0], sizes[1], shapes[0], shapes[1],
        chi2,
    )  # fmt: skip


def judge(
    image: npt.NDArray[np.float32], place: npt.NDArray[np.float64], snr: npt.NDArray[np.float64], psf: Psf
) -> PsfStars:
    """Stars at place (n, 3: x, y [pix], flux) beside a PSF that was not made from them: all are kept aside."""
    n = len(place)
    half = min(psf.size // 2, 25)
    return _judge(image, place, snr, psf, np.ones(n, np.bool_), np.zeros(n, np.bool_), np.full(n, np.nan), half)


def fallback(sigma: float, shape: tuple[int, int], half: int) -> tuple[Psf, PsfStars]:
    """A Gaussian PSF of `sigma` pixels and no stars."""
    none, flag = np.zeros(0), np.zeros(0, np.bool_)
    stars = PsfStars(none, none, none, none, flag, flag, none, none, np.zeros((0, 2)), np.zeros((0, 2)), none)
    return gaussian(sigma, shape, half), stars

