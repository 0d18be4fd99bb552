"""Everything that is measured on a source, one source after the other, with its neighbours taken out."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hscdb.detect.centroid import fit_star
from hscdb.detect.deblend import Children
from hscdb.detect.flux import annulus, circles, kron
from hscdb.detect.psf_flux import broader, psf_flux, spread
from hscdb.detect.shape import fill_shape
from hscdb.image import flags as bits
from hscdb.image import mask as planes
from hscdb.image.psf import Psf, fill_stamp, fill_terms
from hscdb.image.resample import HALF, shift_core

FWHM_PER_SIGMA = 2.3548200450309493
RADII = (3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0)
REFERENCE = 4  # the 12-pix aperture, hscPipe's CalibFlux
COLUMNS = (
    "x", "y", "x_err", "y_err", "x_y_cov", "ixx", "iyy", "ixy", "psf_flux", "psf_flux_err", "gauss_flux",
    "gauss_flux_err", "kron_flux", "kron_flux_err", "kron_radius", "blendedness", "local_background", "peak",
    "local_background_err", "spread", "spread_err", "ixx_err", "iyy_err", "ixy_err",
)  # fmt: skip
N_COLUMN = len(COLUMNS)

REJECT = int(planes.word("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN"))
# mask plane, flag of any pixel of the footprint or within 3 pix of the centroid, flag of the centre
PIXEL_FLAGS = (
    ("EDGE", "edge", ""),
    ("NO_DATA", "edge", ""),
    ("INTRP", "interpolated", "interpolated_center"),
    ("SAT", "saturated", "saturated_center"),
    ("CR", "cr", "cr_center"),
    ("BAD", "bad", ""),
    ("SUSPECT", "suspect", "suspect_center"),
    ("CROSSTALK", "crosstalk", ""),
)
CENTROID_BAD = bits.word("centroid_bad")
PSF_FLUX_BAD = bits.word("psf_flux_bad")
KRON_FLUX_BAD = bits.word("kron_flux_bad")
APER_FLUX_BAD = bits.word("aper_flux_bad")
EDGE = bits.word("edge")

OWN, CHILD, PARENT = 0, 1, 2
# Error of a child's flux, in parts of the neighbors' light that was taken from under it: with it pulls of simulated
# stars that share footprints have the width 0.9 to 1.1 whatever that light; without it 1.6 where it is 3 to 10 %.
DIVISION_ERROR = 0.5
SHARE_MIN = 0.1  # pixels of which a child has less do not lend it their flags


@dataclass(frozen=True)
class Targets:
    """What to measure, arrays (n_source,).

    kind  : OWN (the pixels of a peak's basin), CHILD (shares), PARENT (all pixels of a blend).
    key   : peak (OWN), number of the child (CHILD), footprint (PARENT).
    x, y  : start [pix]; box: (n_source, 4) x0, y0, x1, y1 of the pixels; sky_sigma: noise of a sky pixel there.
    psf_moments : (n_source, 3) of the PSF there [pix^2].
    """

    kind: npt.NDArray[np.int64]
    key: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    box: npt.NDArray[np.int64]
    sky_sigma: npt.NDArray[np.float64]
    psf_moments: npt.NDArray[np.float64]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _insert(clean, image, mask, basin, blend_of, kind, key, box, start, share, put):
    """Write (put) or wipe the pixels of a source in the frame of empty sky. Returns mask bits, area, peak value."""
    word = 0
    n = 0
    peak = -np.inf
    at = start[key] if kind == CHILD else 0
    for j in range(box[1], box[3] + 1):
        for i in range(box[0], box[2] + 1):
            part = np.float32(0.0)
            if kind == CHILD:
                part = share[at]
                at += 1
            else:
                b = basin[j, i]
                if b >= 0 and ((kind == OWN and b == key) or (kind == PARENT and blend_of[b] == key)):
                    part = np.float32(1.0)
            if part <= 0.0:
                continue
            if put:
                value = part * image[j, i]
                clean[j, i] = value
                if part >= SHARE_MIN:
                    word |= mask[j, i]
                    n += 1
                peak = max(peak, value)
            else:
                clean[j, i] = np.float32(0.0)
    return word, n, peak


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _around(mask, x, y, reach):
    """Mask bits within `reach` pixels of a place (a square), and whether it leaves the frame."""
    ny, nx = mask.shape
    word = 0
    off = False
    for j in range(int(np.floor(y + 0.5)) - reach, int(np.floor(y + 0.5)) + reach + 1):
        for i in range(int(np.floor(x + 0.5)) - reach, int(np.floor(x + 0.5)) + reach + 1):
            if 0 <= j < ny and 0 <= i < nx:
                word |= mask[j, i]
            else:
                off = True
    return word, off


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _measure(image, clean, variance, mask, basin, blend_of, kinds, keys, xs, ys, boxes, start, share, coefficient,
             wide, order, psf_moments, sky_sigma, photon, radii, half_core, half_spread, sky_bad, out, aper,
             aper_err, words, flags, n_pixel):  # fmt: skip
    ny, nx = image.shape
    m = coefficient.shape[1]
    half = m // 2
    term = np.empty(coefficient.shape[0])
    stamp = np.empty((m, m))
    value = np.empty((m, m))
    slope = np.empty((2, m, m))
    scratch = np.empty((2, m + 2 * HALF, m))
    n_core = 2 * half_spread + 1
    blurred = np.empty((3, n_core, n_core))
    place = np.empty(8)
    moments = np.empty(9)  # center, moments, errors of moments and light
    sums = np.empty((2, 9))
    pair = np.empty(2)
    ellipse = np.empty(3)
    ring = np.empty(20000, np.float32)
    reach, put = np.int64(50), np.bool_(True)  # cast: numba compiles a callee anew for every constant it is given
    for k in range(len(xs)):
        kind = kinds[k]
        word, n, peak = _insert(clean, image, mask, basin, blend_of, kind, keys[k], boxes[k], start, share, put)
        flag = 0
        out[k, :] = np.nan
        n_pixel[k] = n
        out[k, 17] = peak if peak > -np.inf else np.nan  # a child may have got no pixel at all
        pxx, pyy = psf_moments[k, 0], psf_moments[k, 1]
        sigma = np.sqrt(0.5 * (pxx + pyy))
        fill_terms(xs[k], ys[k], order, nx, ny, term)
        fill_stamp(coefficient, term, stamp)
        sky2 = sky_sigma[k] ** 2
        status = fit_star(clean, variance, mask, np.int64(REJECT), stamp, sky2, photon, xs[k], ys[k], half_core,
                          max(2.0, 1.5 * sigma), place)  # fmt: skip
        x, y = xs[k], ys[k]
        if status == 0:
            x = place[0]
            y = place[1]
            out[k, 2] = np.sqrt(place[3])
            out[k, 3] = np.sqrt(place[4])
            out[k, 4] = place[5]
        else:
            flag |= CENTROID_BAD
        out[k, 0], out[k, 1] = x, y
        around, off = _around(mask, x, y, np.int64(3))
        words[k, 0] = word
        words[k, 1], _ = _around(mask, x, y, np.int64(1))
        words[k, 2] = around
        if off:
            flag |= EDGE
        # PSF flux
        ix = int(np.floor(x + 0.5))
        iy = int(np.floor(y + 0.5))
        shift_core(stamp, x - ix, y - iy, half, value, slope[0], slope[1], scratch)
        if psf_flux(clean, variance, mask, REJECT, value, sky2, photon, ix, iy, pair):
            flux = pair[0]
            snr = flux / pair[1]
            if status == 0 and snr > 2.0:
                # a fitted place is where the noise helps: by one sigma^2 / flux on average for its two coordinates
                flux *= 1.0 - 1.0 / (snr * snr)
            out[k, 8] = flux
            out[k, 9] = pair[1]
            fill_stamp(wide, term, stamp)
            shift_core(stamp, x - ix, y - iy, half_spread, blurred[0], blurred[1], blurred[2], scratch)
            if spread(clean, variance, mask, REJECT, value, blurred[0], sky2, photon, flux, ix, iy, pair):
                out[k, 19] = pair[0]
                out[k, 20] = pair[1]
        else:
            flag |= PSF_FLUX_BAD
            snr = 0.0
        shape = fill_shape(image, clean, variance, x, y, psf_moments[k], max(2.0, sigma), reach, moments, sums, out[k])
        flag |= shape
        if shape == 0 and status == 0 and snr > 10.0:
            # a broad source has a flatter top: its place is as much less certain
            ratio = 2.0 * (pxx + pyy) / (pxx + pyy + moments[2] + moments[3])
            if ratio < 1.0:
                out[k, 2] /= ratio
                out[k, 3] /= ratio
                out[k, 4] /= ratio * ratio
        if not kron(clean, variance, x, y, moments[2], moments[3], moments[4], 1.2533 * sigma, ellipse):
            flag |= KRON_FLUX_BAD
        out[k, 12], out[k, 13], out[k, 14] = ellipse[0], ellipse[1], ellipse[2]
        circles(clean, variance, x, y, radii, aper[k], aper_err[k])
        if not np.isfinite(aper[k, REFERENCE]):
            flag |= APER_FLUX_BAD
        out[k, 16] = annulus(image, mask, sky_bad, basin, x, y, 7.0 * sigma, 15.0 * sigma, ring, pair)
        out[k, 18] = pair[0]
        flags[k] = flag
        _insert(clean, image, mask, basin, blend_of, kind, keys[k], boxes[k], start, share, not put)


def pixel_flags(words: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Flag words (n,) from mask words (n, 3) of the footprint, within 1 pix and within 3 pix of the centroid."""
    flags = np.zeros(len(words), np.int64)
    for plane, any_flag, center_flag in PIXEL_FLAGS:
        bit = 1 << planes.BIT[plane]
        seen = ((words[:, 0] | words[:, 2]) & bit) != 0
        flags[seen] |= bits.word(any_flag)
        if center_flag:
            flags[(words[:, 1] & bit) != 0] |= bits.word(any_flag, center_flag)
    return flags


def measure(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    basin: npt.NDArray[np.int32],
    blend_of: npt.NDArray[np.int64],
    targets: Targets,
    children: Children,
    psf: Psf,
    photon: float,
) -> dict[str, npt.NDArray[Any]]:
    """Measure all targets.

    Each is put alone into a frame from which all footprints were wiped (as hscPipe does, but wiped to zero instead of
    noise: nothing random, and the variance plane still counts their noise), measured and wiped again.
    Returns the COLUMNS, `aper` and `aper_err` (n, 10), `flags` and `n_pixel`.
    """
    n = len(targets.x)
    clean = np.where(basin >= 0, np.float32(0.0), image)
    sigma = float(np.sqrt(0.5 * np.median(targets.psf_moments[:, :2].sum(axis=1)))) if n else 1.0
    half_core, half_spread = (max(3, min(psf.size // 2, int(np.ceil(reach * sigma)))) for reach in (3.0, 5.0))
    wide = broader(psf.coefficient, FWHM_PER_SIGMA * sigma)
    out, words = np.empty((n, N_COLUMN)), np.zeros((n, 3), np.int64)
    aper, aper_err = np.empty((n, len(RADII))), np.empty((n, len(RADII)))
    flags, n_pixel = np.zeros(n, np.int64), np.zeros(n, np.int64)
    sky_bad = int(planes.word("BAD", "SAT", "INTRP", "NO_DATA", "EDGE", "UNMASKEDNAN"))
    _measure(
        image, clean, variance, mask, basin, blend_of, targets.kind, targets.key, targets.x, targets.y, targets.box,
        children.start, children.share, psf.coefficient, wide, psf.order, targets.psf_moments, targets.sky_sigma,
        photon, np.array(RADII), half_core, half_spread, sky_bad, out, aper, aper_err, words, flags, n_pixel,
    )  # fmt: skip
    ny, nx = image.shape
    is_off = ~((out[:, 0] >= -0.5) & (out[:, 0] <= nx - 0.5) & (out[:, 1] >= -0.5) & (out[:, 1] <= ny - 0.5))
    flags |= np.where(is_off, bits.word("off_image"), 0)
    result: dict[str, npt.NDArray[Any]] = {name: out[:, k] for k, name in enumerate(COLUMNS)}
    _widen(result, targets.kind == CHILD, psf)
    return result | {"aper": aper, "aper_err": aper_err, "flags": flags | pixel_flags(words), "n_pixel": n_pixel}


def _widen(columns: dict[str, npt.NDArray[Any]], is_child: npt.NDArray[np.bool_], psf: Psf) -> None:
    """Add to the errors of PSF flux and place, in quadrature and in place, what the variance plane does not know.

    The noise of the PSF model: a star of S/N s fitted with a PSF that is worth a star of S/N p has the errors of one of
    (s^-2 + p^-2)^(-1/2).  And for the flux of a child DIVISION_ERROR of its neighbors' light, b / (1 - b) of its own.
    """
    flux, error = columns["psf_flux"], columns["psf_flux_err"]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr2 = np.nan_to_num(np.maximum(flux / error, 0.0), posinf=0.0) ** 2
    wider = np.sqrt(1.0 + snr2 * psf.relative_variance(columns["x"], columns["y"]))
    for name in ("x_err", "y_err", "psf_flux_err"):
        columns[name] *= wider
    columns["x_y_cov"] *= wider**2
    part = np.clip(np.nan_to_num(columns["blendedness"]), 0.0, 0.9)
    others = np.where(is_child, np.abs(np.nan_to_num(flux)) * part / (1.0 - part), 0.0)
    columns["psf_flux_err"][...] = np.hypot(error, DIVISION_ERROR * others)
