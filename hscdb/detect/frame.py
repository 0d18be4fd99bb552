"""One frame from clean pixels to measured sources: the order of the steps, without files or database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.detect import apcorr, classify, cosmic_ray, deblend, footprint, measure, negative, noise, star, targets
from hscdb.detect import psf as psf_fit
from hscdb.detect.smooth import matched_filter
from hscdb.errors import DataError
from hscdb.image import background as sky
from hscdb.image import flags as bits
from hscdb.image import mask as planes
from hscdb.image.plane import Image
from hscdb.image.psf import Psf, gaussian

SKY_BAD = int(
    planes.word("BAD", "SAT", "INTRP", "CR", "EDGE", "NO_DATA", "UNMASKEDNAN", "DETECTED", "DETECTED_NEGATIVE")
)
UNUSABLE = int(planes.word("NO_DATA", "UNMASKEDNAN"))
GUESS_SIGMA = 1.5  # pix; 3.53 pix FWHM, hscPipe's first PSF
FIRST_THRESHOLD = 10.0  # sigma; peaks that can be PSF stars or their neighbours
NEIGHBOR_GROW = 3  # pix about those peaks that are left out of the stamps of the PSF stars beside them
# Reach of the detection's kernel in sigma of the PSF: with the wings of a real PSF, and what is left of neighbors in
# them, every bright star is seen again at the edge of the stamp.
KERNEL_REACH = 4.0
EXACT_MARGIN = 0.9  # the map is searched to this part of the threshold, the local PSF decides


@dataclass(frozen=True)
class Limits:
    """What the steps are told; names, meanings and defaults are those of stage.Config."""

    background_bin_pix: int = 128
    background_order: int = 6
    threshold_sigma: float = 5.0
    grow_sigma: float = 2.4
    psf_snr_min: float = 50.0
    psf_flux_min_e: float = 0.0
    psf_width_min_pix: float = 0.9
    psf_width_max_pix: float = 10.0
    psf_order: int = 2
    psf_reserved: float = 0.2
    do_cosmic_ray: bool = True
    cr_n_sigma: float = 6.0
    cr_charge_min_e: float = 150.0
    cr_c1: float = 2.5
    cr_c2: float = 0.7
    cr_n_pixel_max: int = 1_000_000
    n_psf_star_max: int = 300
    do_negative: bool = False
    do_scale_variance: bool = True
    deblend_area_max_pix: int = 1_000_000
    deblend_n_peak_max: int = 0


@dataclass(frozen=True)
class Measured:
    """The result for one frame.

    image : background-subtracted, cosmic rays filled, DETECTED set.  columns: see measure.measure, aperture-corrected,
    with `parent` (index of the parent or -1), `n_child`, `extendedness`, and the factors `psf_correction`, ...
    corrections: surfaces of the aperture corrections by the names of the fluxes.
    """

    image: Image
    background: sky.Background
    psf: Psf
    stars: psf_fit.PsfStars
    corrections: dict[str, apcorr.Correction]
    columns: dict[str, npt.NDArray[Any]]
    n_cosmic_ray: int
    n_negative: int
    funnel: dict[str, int] = field(default_factory=dict)


def characterize(
    image: Image,
    limits: Limits,
    seed: int,
    tick: Callable[[str], None] = lambda step: None,
    is_own: bool = False,
    given: Psf | None = None,
) -> Measured:
    """Find and measure the sources of a frame.

    image : electrons, with sky; not changed, unless is_own (the caller has no more need of it).
    seed  : decides which PSF stars are reserved (the frame's number).
    given : the PSF, where it is known already; the stars then only judge it.
    tick  : called with the name of each step when it is done (for benchmarks).
    DataError `no_pixels` or `all_saturated` where there is nothing to measure. No source is not an error.
    """
    data, variance, mask = _usable(image, is_own)
    background = sky.estimate(data, mask, SKY_BAD, limits.background_bin_pix, limits.background_order)
    data -= background.render()
    data[(mask & UNUSABLE) != 0] = 0.0
    tick("background")
    first, _ = matched_filter(data, gaussian(GUESS_SIGMA, image.shape).coefficient[0])
    data, background, bins, covered = _resky(data, mask, first, background, limits)
    grid = noise.sky_noise(data, variance, mask | covered, bins, limits.background_bin_pix, limits.do_scale_variance)
    del covered
    variance = grid.variance
    tick("first detection")
    psf, stars = _psf(data, variance, mask, first, grid, limits, seed, given)
    del first
    tick("psf")
    n_ray = 0
    if limits.do_cosmic_ray:
        ny, nx = image.shape
        n_ray = cosmic_ray.remove(
            data, variance, mask, psf.at(nx / 2, ny / 2), limits.cr_n_sigma, limits.cr_charge_min_e, limits.cr_c1,
            limits.cr_c2, n_pixel_max=limits.cr_n_pixel_max,
        )  # fmt: skip
    tick("cosmic rays")
    found, below = _detect(data, variance, mask, grid, psf, limits)
    mask[found.basin >= 0] |= planes.DETECTED
    if below is not None:
        mask[below.basin >= 0] |= planes.DETECTED_NEGATIVE
    tick("detection")
    chosen, children, parent, n_child, is_whole = targets.choose(
        data, variance, found, psf, grid, limits.deblend_area_max_pix, limits.deblend_n_peak_max
    )
    if is_whole.any():
        of_peak = is_whole[-len(found.x) :]
        mask[(found.basin >= 0) & of_peak[found.basin]] |= planes.word("NOT_DEBLENDED")
    tick("deblending")
    columns = measure.measure(
        data, variance, mask, found.basin, found.blend, chosen, children, psf, grid.photon
    )
    tick("measurement")
    columns["parent"], columns["n_child"] = parent, n_child
    columns["flags"] |= np.where(is_whole, bits.word("not_deblended"), 0)
    if limits.do_negative and below is not None:
        negative.append(columns, data, variance, mask, below, psf, grid)
    corrections = classify.correct(columns, stars, image.shape)
    columns["flags"] |= classify.flag(columns, stars, corrections["psf_flux"], psf)
    tick("aperture correction")
    funnel = {
        "n_peak": len(found.x),
        "n_parent": int((n_child > 0).sum()),
        "n_source": len(columns["x"]),
        "n_psf_star": int((~stars.is_reserved & ~stars.is_rejected).sum()),
        "n_psf_star_reserved": int((stars.is_reserved & ~stars.is_rejected).sum()),
        "n_cosmic_ray": n_ray,
        "n_negative": 0 if below is None else len(below.x),
    }
    return Measured(
        Image(data, variance, mask), background, psf, stars, corrections, columns, n_ray, funnel["n_negative"], funnel
    )


def _usable(
    image: Image, is_own: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Copies that may be written to; pixels that are not numbers are masked and zero."""
    data = np.array(image.data, dtype=np.float32, copy=None if is_own else True)
    mask = image.mask & ~np.int32(planes.DETECTED | planes.DETECTED_NEGATIVE)
    lost = ~np.isfinite(data)
    if lost.any():
        mask[lost] |= planes.UNMASKEDNAN
        data[lost] = 0.0
    hidden = int(planes.word("BAD", "NO_DATA", "UNMASKEDNAN"))
    left = (mask & hidden) == 0
    if not left.any():
        raise DataError(
            "detect: every pixel is masked as BAD, NO_DATA or not a number. Look at the frame and its masters.",
            code="no_pixels",
        )
    if not ((mask & int(planes.SAT)) == 0)[left].any():
        raise DataError(
            "detect: every usable pixel is saturated. Leave the frame out, or look at the saturation level.",
            code="all_saturated",
        )
    return data, np.asarray(image.variance, dtype=np.float32), mask


def _resky(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    filtered: npt.NDArray[np.float32],
    background: sky.Background,
    limits: Limits,
) -> tuple[npt.NDArray[np.float32], sky.Background, sky.Mesh, npt.NDArray[np.int32]]:
    """Estimate the background again without the sources that the first filter shows, and subtract what is left.

    Returns data, the sum of the backgrounds, the mesh of the second, and DETECTED where the sources were left out.
    """
    covered = noise.covered(filtered, background.sigma)
    bins = sky.mesh(data, mask | covered, SKY_BAD, limits.background_bin_pix)
    if not bins.is_good.any():  # what is seen covers all, as a storm of cosmic rays does: clipping must do
        covered = np.zeros_like(covered)
        bins = sky.mesh(data, mask, SKY_BAD, limits.background_bin_pix)
    again = sky.fit(bins, (data.shape[0], data.shape[1]), limits.background_order)
    surface = again.render()
    data -= surface
    data[(mask & UNUSABLE) != 0] = 0.0
    surface *= np.float32(gaussian(GUESS_SIGMA, data.shape).coefficient[0].sum() / noise.GUESS_NORM)
    filtered -= surface
    return data, background.plus(again), bins, covered


def _psf(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    filtered: npt.NDArray[np.float32],
    grid: noise.SkyNoise,
    limits: Limits,
    seed: int,
    given: Psf | None,
) -> tuple[Psf, psf_fit.PsfStars]:
    """Select the stars and fit the PSF; in a sparse frame down to a third, then a fifth of the S/N asked for."""
    shape = (data.shape[0], data.shape[1])
    peaks = footprint.find(filtered, grid.place(), variance, FIRST_THRESHOLD, NEIGHBOR_GROW)
    inner = min(15, max(4, min(shape) // 8))
    sigma, half = GUESS_SIGMA, inner
    for part in (1.0, 0.3, 0.2):
        snr_min = max(limits.psf_snr_min * part, FIRST_THRESHOLD)
        seen = star.measure(data, mask, peaks.x, peaks.y, peaks.snr, snr_min, GUESS_SIGMA, inner)
        chosen = star.select(seen, shape, limits.psf_width_min_pix, limits.psf_width_max_pix)
        chosen &= seen.flux >= limits.psf_flux_min_e
        if chosen.sum() >= 25:
            break
    if not chosen.any() and given is not None:
        return given, psf_fit.fallback(GUESS_SIGMA, shape, half)[1]
    if not chosen.any():
        return psf_fit.fallback(_typical_size(seen, limits), shape, half)
    brightest = np.flatnonzero(chosen)[np.argsort(-seen.snr[chosen], kind="stable")][: limits.n_psf_star_max]
    sigma = float(np.median(seen.sigma[brightest]))
    half = int(np.clip(np.ceil(8.0 * sigma), 7, 25))
    n = len(brightest)
    # frames with few stars can spare none; the order of x makes the draw independent of the order of detection
    draw = np.random.default_rng(seed).random(n)[np.argsort(np.argsort(seen.x[brightest], kind="stable"))]
    reserved = draw < limits.psf_reserved if n >= 15 else np.zeros(n, np.bool_)
    if given is not None:
        return given, psf_fit.judge(
            data, np.stack([seen.x, seen.y, seen.flux], axis=1)[brightest], seen.snr[brightest], given
        )
    place = np.stack([seen.x[brightest], seen.y[brightest], seen.flux[brightest]], axis=1)
    return psf_fit.fit(
        data, variance, mask, place, seen.snr[brightest], sigma, grid.median**2, grid.photon, limits.psf_order,
        reserved, half, peaks.basin,
    )  # fmt: skip


def _typical_size(seen: star.Candidates, limits: Limits) -> float:
    """Size for a Gaussian PSF: the lower quartile of the detections' sizes; the first guess without any."""
    size = seen.sigma[(seen.sigma >= limits.psf_width_min_pix) & (seen.sigma <= limits.psf_width_max_pix)]
    return float(np.quantile(size, 0.25)) if len(size) else GUESS_SIGMA


def _detect(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    grid: noise.SkyNoise,
    psf: Psf,
    limits: Limits,
) -> tuple[footprint.Footprints, footprint.Footprints | None]:
    """Footprints of the peaks that the local PSF sees above the threshold; those as far below the sky, if any."""
    ny, nx = data.shape
    sigma = float(psf.sigma(nx / 2, ny / 2)[0])
    half = min(psf.size // 2, int(np.ceil(KERNEL_REACH * sigma)))
    cut = slice(psf.size // 2 - half, psf.size // 2 + half + 1)
    filtered, _ = matched_filter(data, psf.at(nx / 2, ny / 2)[cut, cut])
    n_grow = round(limits.grow_sigma * sigma)
    found = footprint.find(filtered, grid.place(), variance, EXACT_MARGIN * limits.threshold_sigma, n_grow)
    below = negative.find(filtered, variance, limits.threshold_sigma, n_grow)
    if below is not None:
        snr, _ = noise.local_snr(data, variance, mask, psf, half, below.x, below.y)
        below = footprint.keep(below, snr <= -limits.threshold_sigma)
    snr, per_electron = noise.local_snr(data, variance, mask, psf, half, found.x, found.y)
    snr = noise.over_local_sky(data, mask, found.basin, sigma, found.x, found.y, snr, per_electron)
    found = footprint.keep(found, snr >= limits.threshold_sigma)
    return _prune(data, variance, found, psf, sigma, limits.threshold_sigma), below


def _prune(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    found: footprint.Footprints,
    psf: Psf,
    sigma: float,
    threshold: float,
) -> footprint.Footprints:
    """Ask the PSF about the weak peaks of blends; the others stay as they are."""
    weak = np.isin(found.blend, found.blend[found.into >= 0])
    member = np.flatnonzero(weak)
    if not len(member):
        return found
    place = np.full(len(weak), -1, np.int64)
    place[member] = np.arange(len(member))
    into = np.where(found.into[member] >= 0, place[np.maximum(found.into[member], 0)], -1)
    x, y = found.x[member].astype(np.float64), found.y[member].astype(np.float64)
    chosen = np.ones(len(weak), np.bool_)
    chosen[member] = deblend.weak_peaks(data, variance, x, y, into, psf.at_many(x, y), sigma, threshold)
    return footprint.keep(found, chosen, do_merge=True)
