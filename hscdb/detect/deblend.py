"""Deblending: the light of a footprint with several peaks, divided among them.

Every peak gets a template: the PSF if that explains its core, else its own light made symmetric (as SDSS and hscPipe
do). Each pixel is divided in proportion to the templates, so that the children sum to the parent exactly.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hscdb.image.resample import HALF, shift_core

N_SWEEP = 8
CHI2_MAX = 1.5  # of the core, for a peak to be taken as a star (hscPipe's psfChisq)
AREA_MAX = 250_000  # pixels of a template's box; larger ones are cut about the peak


@dataclass(frozen=True)
class Children:
    """Shares of light.

    member : (n_child,) int, peaks that are children.
    start  : (n_child + 1,) int, where a child's shares begin in `share`.
    box    : (n_child, 4) int, x0, y0, x1, y1 (inclusive) of its shares.
    share  : float32, part of each pixel of the box that is the child's, 0..1, row by row.
    is_psf : (n_child,) bool, the template was the PSF.
    """

    member: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    box: npt.NDArray[np.int64]
    share: npt.NDArray[np.float32]
    is_psf: npt.NDArray[np.bool_]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _model_stars(residual, variance, stamps, x, y, flux, n_sweep, half_core, chi2, snr):
    """Fit PSFs to all peaks of the blends together, by sweeps over the residual image (Gauss-Seidel).

    residual : float32 frame; on return frame minus the models (stars left subtracted).
    x, y, flux : (n_child,) refined in place; flux is never negative.
    """
    ny, nx = residual.shape
    n_child, m, _ = stamps.shape
    half = m // 2
    value = np.empty((m, m))
    slope_x = np.empty((m, m))
    slope_y = np.empty((m, m))
    scratch = np.empty((2, m + 2 * HALF, m))
    start_x = x.copy()
    start_y = y.copy()
    for sweep in range(n_sweep + 1):
        for k in range(n_child):
            ix = int(np.floor(x[k] + 0.5))
            iy = int(np.floor(y[k] + 0.5))
            shift_core(stamps[k], x[k] - ix, y[k] - iy, half, value, slope_x, slope_y, scratch)
            a00 = a11 = a22 = b0 = b1 = b2 = 0.0
            total = 0.0
            noise = 0.0
            n = 0
            for j in range(-half_core, half_core + 1):
                for i in range(-half_core, half_core + 1):
                    jj = iy + j
                    ii = ix + i
                    if not (0 <= jj < ny and 0 <= ii < nx):
                        continue
                    p = value[j + half, i + half]
                    r = residual[jj, ii]
                    gx = flux[k] * slope_x[j + half, i + half]
                    gy = flux[k] * slope_y[j + half, i + half]
                    a00 += p * p
                    noise += p * p * variance[jj, ii]
                    a11 += gx * gx
                    a22 += gy * gy
                    b0 += r * p
                    b1 += r * gx
                    b2 += r * gy
                    total += r * r / (variance[jj, ii] + (0.02 * flux[k] * p) ** 2)
                    n += 1
            if sweep == n_sweep:
                chi2[k] = total / max(n - 3, 1)
                snr[k] = flux[k] * a00 / np.sqrt(noise) if noise > 0.0 else 0.0
                continue
            old_flux = flux[k]
            new_flux = max(old_flux + b0 / a00, 0.0) if a00 > 0.0 else 0.0
            dx = 0.0
            dy = 0.0
            if sweep > 1 and a11 > 0.0 and a22 > 0.0 and old_flux > 0.0:
                dx = min(max(b1 / a11, -0.3), 0.3)
                dy = min(max(b2 / a22, -0.3), 0.3)
                if abs(x[k] + dx - start_x[k]) > 1.5 or abs(y[k] + dy - start_y[k]) > 1.5:
                    dx = 0.0
                    dy = 0.0
            for j in range(-half, half + 1):
                for i in range(-half, half + 1):
                    if 0 <= iy + j < ny and 0 <= ix + i < nx:
                        residual[iy + j, ix + i] += old_flux * value[j + half, i + half]
            if dx != 0.0 or dy != 0.0:
                x[k] += dx
                y[k] += dy
                ix = int(np.floor(x[k] + 0.5))
                iy = int(np.floor(y[k] + 0.5))
                shift_core(stamps[k], x[k] - ix, y[k] - iy, half, value, slope_x, slope_y, scratch)
            flux[k] = new_flux
            for j in range(-half, half + 1):
                for i in range(-half, half + 1):
                    if 0 <= iy + j < ny and 0 <= ix + i < nx:
                        residual[iy + j, ix + i] -= new_flux * value[j + half, i + half]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _templates(residual, basin, blend_of, blend, stamps, x, y, flux, is_psf, box, start, share, total):
    """Fill the templates of all children into `share`, their sum into `total` (a frame of zeros on entry)."""
    ny, nx = residual.shape
    n_child, m, _ = stamps.shape
    half = m // 2
    value = np.empty((m, m))
    slope = np.empty((2, m, m))
    scratch = np.empty((2, m + 2 * HALF, m))
    for k in range(n_child):
        ix = int(np.floor(x[k] + 0.5))
        iy = int(np.floor(y[k] + 0.5))
        shift_core(stamps[k], x[k] - ix, y[k] - iy, half, value, slope[0], slope[1], scratch)
        at = start[k]
        for jj in range(box[k, 1], box[k, 3] + 1):
            for ii in range(box[k, 0], box[k, 2] + 1):
                t = 0.0
                b = basin[jj, ii]
                if b >= 0 and blend_of[b] == blend[k]:
                    model = 0.0
                    if abs(jj - iy) <= half and abs(ii - ix) <= half:
                        model = max(flux[k] * value[jj - iy + half, ii - ix + half], 0.0)
                    if is_psf[k]:
                        t = model
                    else:
                        oj = int(np.floor(2 * y[k] - jj + 0.5))
                        oi = int(np.floor(2 * x[k] - ii + 0.5))
                        here = residual[jj, ii] + model
                        there = 0.0
                        if 0 <= oj < ny and 0 <= oi < nx:
                            there = residual[oj, oi]
                            if abs(oj - iy) <= half and abs(oi - ix) <= half:
                                there += max(flux[k] * value[oj - iy + half, oi - ix + half], 0.0)
                        t = max(min(here, there), 0.0)
                share[at] = t
                total[jj, ii] += t
                at += 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _divide(basin, member, box, start, share, total):
    """Turn templates into shares; a pixel without any template goes to the peak whose basin it is in."""
    for k in range(len(member)):
        at = start[k]
        for jj in range(box[k, 1], box[k, 3] + 1):
            for ii in range(box[k, 0], box[k, 2] + 1):
                if total[jj, ii] > 0.0:
                    share[at] /= total[jj, ii]
                elif basin[jj, ii] == member[k]:
                    share[at] = 1.0
                at += 1


def core(sigma: float) -> int:
    """Half size [pix] of the square in which PSFs are fitted to the peaks of a blend."""
    return max(2, int(np.ceil(1.5 * sigma)))


def weak_peaks(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    into: npt.NDArray[np.int64],
    stamps: npt.NDArray[np.float64],
    sigma: float,
    threshold: float,
) -> npt.NDArray[np.bool_]:
    """Which peaks of blends are real: certain ones (into < 0), and weak ones that stand out of the others' PSFs.

    All are fitted by PSFs together. A weak peak must have S/N >= threshold then, and the brighter one it stands on
    (into, an index of these arrays) must itself be a star: a galaxy's light is no PSF and would leave false peaks.
    """
    flux, chi2, snr = (np.zeros(len(x)) for _ in range(3))
    _model_stars(image.copy(), variance, stamps, x.copy(), y.copy(), flux, N_SWEEP, core(sigma), chi2, snr)
    is_weak = into >= 0
    return ~is_weak | ((snr >= threshold) & (chi2[np.maximum(into, 0)] < CHI2_MAX) & (chi2 < CHI2_MAX))


def divide(
    image: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    basin: npt.NDArray[np.int32],
    blend_of: npt.NDArray[np.int64],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    basin_box: npt.NDArray[np.int64],
    member: npt.NDArray[np.int64],
    stamps: npt.NDArray[np.float64],
    sigma: float,
) -> Children:
    """Divide the light of all blends.

    image, variance : background-subtracted frame.  basin : owner of each pixel; blend_of : footprint of each peak.
    x, y, basin_box : of each peak.  member : peaks that share a footprint.  stamps : (n_child, n, n) PSFs at them.
    sigma : of the PSF [pix].
    """
    n_child = len(member)
    residual = image.copy()
    cx, cy = x[member].copy(), y[member].copy()
    flux, chi2, snr = np.zeros(n_child), np.zeros(n_child), np.zeros(n_child)
    _model_stars(residual, variance, stamps, cx, cy, flux, N_SWEEP, core(sigma), chi2, snr)
    is_psf = (chi2 < CHI2_MAX) & (flux > 0)
    box = _template_boxes(basin_box[member], cx, cy, is_psf, stamps.shape[1] // 2, image.shape)
    area = (box[:, 2] - box[:, 0] + 1) * (box[:, 3] - box[:, 1] + 1)
    start = np.concatenate([[0], np.cumsum(area)])
    share = np.zeros(int(start[-1]), np.float32)
    total = np.zeros(image.shape, np.float32)
    _templates(residual, basin, blend_of, blend_of[member], stamps, cx, cy, flux, is_psf, box, start, share, total)
    _divide(basin, member, box, start, share, total)
    return Children(member, start, box, share, is_psf)


def _template_boxes(
    basin_box: npt.NDArray[np.int64],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    is_psf: npt.NDArray[np.bool_],
    half: int,
    shape: tuple[int, ...],
) -> npt.NDArray[np.int64]:
    """The box of a template: the basin's, mirrored about the peak, and at least the PSF's stamp."""
    ix, iy = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    reach_x = np.maximum(np.maximum(basin_box[:, 2] - ix, ix - basin_box[:, 0]), half)
    reach_y = np.maximum(np.maximum(basin_box[:, 3] - iy, iy - basin_box[:, 1]), half)
    side = int(np.sqrt(AREA_MAX) / 2)
    reach_x, reach_y = np.minimum(reach_x, side), np.minimum(reach_y, side)
    box = np.stack([ix - reach_x, iy - reach_y, ix + reach_x, iy + reach_y], axis=1)
    whole = np.minimum(box[:, :2], basin_box[:, :2]), np.maximum(box[:, 2:], basin_box[:, 2:])
    box = np.concatenate(whole, axis=1)  # pixels of the basin must all lie in it: flux is conserved
    box[:, :2] = np.maximum(box[:, :2], 0)
    box[:, 2] = np.minimum(box[:, 2], shape[1] - 1)
    box[:, 3] = np.minimum(box[:, 3], shape[0] - 1)
    return box
