"""The noise of a frame: of empty sky over the field, of photons, and the S/N of a peak under the local PSF."""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hscdb.detect.flux import annulus
from hscdb.detect.footprint import bilinear_row
from hscdb.image import background as sky
from hscdb.image import mask as planes
from hscdb.image.psf import Psf, fill_stamp, fill_terms, gaussian

GUESS_NORM = float(np.sqrt(np.sum(gaussian(1.5, (1, 1)).coefficient[0] ** 2)))
# Pixels of sources, left out of sky and noise, in sigma of the filtered map. At 3 sigma noise peaks are left out too,
# which made the sky 1 % of its noise too low (and 12-pix fluxes at S/N 100 1 % too high).
COVERED_SIGMA = 4.0
SCALE_OK = (0.8, 1.25)  # measured over expected noise of the sky: beyond it the variance plane is scaled
UNUSABLE = int(
    planes.word("BAD", "SAT", "INTRP", "CR", "EDGE", "NO_DATA", "UNMASKEDNAN", "DETECTED", "DETECTED_NEGATIVE")
)

FILLED = int(planes.word("BAD", "CR", "NO_DATA", "UNMASKEDNAN"))
SEEN_MIN = 0.2  # of the kernel's square: with less, a peak is the core of a star that was lost as a whole, or nothing
UNSEEN_SNR = 50.0  # what was filled must reach to be the former: what is filled from noise stays below 10
RING = (7.0, 15.0)  # sigma of the PSF; hscPipe's LocalBackground
RING_BAD = int(planes.word("BAD", "SAT", "INTRP", "NO_DATA", "EDGE", "UNMASKEDNAN"))
RING_NOISE = 0.3  # sigma
RING_SNR = 20.0  # only weaker peaks are asked


@dataclass(frozen=True)
class SkyNoise:
    """Noise of a pixel of empty sky on a grid.

    sigma : (n_y, n_x) [e], at columns x and rows y; median : its median.
    photon: variance per unit of flux in a pixel: 1 for electrons and a flat near 1, 0 if the plane knows the sky only.
    scale : measured / given noise, by which variance was scaled (1 within SCALE_OK).
    variance : the plane (ny, nx), positive everywhere.
    """

    sigma: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    median: float
    photon: float
    scale: float
    variance: npt.NDArray[np.float32]

    def place(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(sigma, x, y), as footprint.find takes it."""
        return self.sigma, self.x, self.y

    def at(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Noise at pixels (x, y), bilinear."""
        out = np.empty(len(x))
        for k in range(len(x)):
            row = np.empty(1)
            bilinear_row(self.sigma, self.x - x[k], self.y, float(y[k]), row)
            out[k] = row[0]
        return out


def covered(filtered: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.int32]:
    """DETECTED where a filtered map (kernel of square sum 1) stands out of the sky, grown by 4 pixels."""
    hit = filtered > np.float32(COVERED_SIGMA * sigma)
    out = np.zeros(filtered.shape, np.int32)
    _spread(hit, 4, int(planes.DETECTED), out)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread(hit, reach, bit, out):
    ny, nx = hit.shape
    for j in range(ny):
        for i in range(nx):
            if not hit[j, i]:
                continue
            # inner pixels of a source need no box of their own
            inner = 0 < j < ny - 1 and 0 < i < nx - 1
            if inner and hit[j, i - 1] and hit[j, i + 1] and hit[j - 1, i] and hit[j + 1, i]:
                out[j, i] = bit
                continue
            for jj in range(max(0, j - reach), min(ny, j + reach + 1)):
                for ii in range(max(0, i - reach), min(nx, i + reach + 1)):
                    out[jj, ii] = bit


def sky_noise(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    free: npt.NDArray[np.int32],
    seen: sky.Mesh,
    size: int,
    do_scale: bool = True,
) -> SkyNoise:
    """Noise of the sky over the frame from the variance plane, checked against the scatter of the sky itself.

    free : mask with DETECTED where sources are.  seen : mesh of the sky without them, of bins of `size` pixels.
    Where the plane is not positive and finite the measured scatter stands in; where its sky is beyond SCALE_OK of the
    measured one (images detrended elsewhere, in units unknown), the plane is scaled as a whole, if do_scale.
    """
    measured = float(np.median(seen.sigma[seen.is_good]))
    measured = measured if measured > 0 else 1.0
    if not _all_positive(variance):
        known = np.isfinite(variance) & (variance > 0)
        variance = np.where(known, variance, np.float32(measured**2)).astype(np.float32)
    given = sky.mesh(variance, free, UNUSABLE, size)
    good = given.is_good & np.isfinite(seen.sigma) & (seen.sigma > 0)
    ratio = float(np.median(seen.sigma[good] / np.sqrt(given.mean[good]))) if good.any() else 1.0
    scale = ratio if do_scale and not SCALE_OK[0] <= ratio <= SCALE_OK[1] else 1.0
    if scale != 1.0:
        variance = variance * np.float32(scale**2)
    level = np.where(given.is_good, given.mean * scale**2, np.nan)
    median = float(np.nanmedian(level)) if np.isfinite(level).any() else measured**2
    level = np.sqrt(np.where(np.isfinite(level), level, median))
    photon = _photon(data, variance, free, median)
    return SkyNoise(level, seen.x, seen.y, float(np.sqrt(median)), photon, scale, variance)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _all_positive(variance):
    for j in range(variance.shape[0]):
        for i in range(variance.shape[1]):
            if not (0.0 < variance[j, i] < np.inf):
                return False
    return True


def _photon(
    data: npt.NDArray[np.float32], variance: npt.NDArray[np.float32], mask: npt.NDArray[np.int32], sky_variance: float
) -> float:
    """Slope of the variance plane with the data, from every seventh row's pixels above 20 sigma."""
    part = data[::7], variance[::7], mask[::7]
    spoilt = UNUSABLE & ~int(planes.DETECTED | planes.DETECTED_NEGATIVE)
    bright = (part[0] > 20 * np.sqrt(sky_variance)) & (part[2] & spoilt == 0)
    if bright.sum() < 20:
        return 0.0
    slope = float(np.median((part[1][bright] - sky_variance) / part[0][bright]))
    return max(slope, 0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _local_snr(data, variance, mask, reject, coefficient, order, half, x, y, out, per_electron):
    ny, nx = data.shape
    m = coefficient.shape[1]
    middle = m // 2
    term = np.empty(coefficient.shape[0])
    stamp = np.empty((m, m))
    for k in range(len(x)):
        fill_terms(float(x[k]), float(y[k]), order, nx, ny, term)
        fill_stamp(coefficient, term, stamp)
        dot = power = dot_all = power_all = seen = whole = weight = 0.0
        for j in range(max(0, y[k] - half), min(ny, y[k] + half + 1)):
            for i in range(max(0, x[k] - half), min(nx, x[k] + half + 1)):
                p = stamp[j - y[k] + middle, i - x[k] + middle]
                whole += p * p
                dot_all += p * data[j, i]
                power_all += p * p * variance[j, i]
                if mask[j, i] & reject == 0:
                    seen += p * p
                    weight += p
                    dot += p * data[j, i]
                    power += p * p * variance[j, i]
        per_electron[k] = 0.0
        if seen < SEEN_MIN * whole:
            out[k] = dot_all / np.sqrt(power_all) if power_all > 0.0 else 0.0
            if abs(out[k]) < UNSEEN_SNR:
                out[k] = 0.0
        elif power > 0.0:
            out[k] = dot / np.sqrt(power)
            per_electron[k] = weight / np.sqrt(power)
        else:
            out[k] = 0.0


def local_snr(
    data: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    psf: Psf,
    half: int,
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """S/N of the matched filter at pixels (x, y), with the PSF (its inner 2 half + 1 pixels) and the variance there.

    Returns it, and by how much it grows if the sky is an electron higher (0 where it may not be corrected for that).
    Only pixels that were seen count: where a pixel of a bad column was filled from its neighbours, their noise is there
    twice, and 100 false peaks beside the defects of an HSC CCD were detections.
    """
    out, per_electron = np.empty(len(x)), np.empty(len(x))
    _local_snr(data, variance, mask, FILLED, psf.coefficient, psf.order, half, x, y, out, per_electron)
    return out, per_electron


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rings(data, mask, bad, basin, x, y, inner, outer, level, error):
    room = np.empty(20000, np.float32)
    pair = np.empty(2)
    for k in range(len(x)):
        level[k] = annulus(data, mask, bad, basin, x[k], y[k], inner, outer, room, pair)
        error[k] = pair[0]


def over_local_sky(
    data: npt.NDArray[np.float32],
    mask: npt.NDArray[np.int32],
    basin: npt.NDArray[np.int32],
    sigma: float,
    x: npt.NDArray[np.int64],
    y: npt.NDArray[np.int64],
    snr: npt.NDArray[np.float64],
    per_electron: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """S/N of peaks at pixels (x, y) above the sky around them, not only above that of the frame.

    The background is stiff: around large galaxies and bright stars some electrons of their light stay in it, and noise
    needs so much less to be a detection. The sky of a peak is the clipped mean of the free pixels in a ring of RING
    sigma of the PSF. Where so few are free that its error would add RING_NOISE to the S/N (crowded fields), it stays.
    snr, per_electron : of local_snr.
    """
    weak = np.flatnonzero((snr > 0.0) & (snr < RING_SNR))
    level, error = np.empty(len(weak)), np.empty(len(weak))
    inner, outer = (reach * sigma for reach in RING)
    place = x[weak].astype(np.float64), y[weak].astype(np.float64)
    _rings(data, mask, RING_BAD, basin, *place, inner, outer, level, error)
    with np.errstate(invalid="ignore"):
        is_sure = error * per_electron[weak] < RING_NOISE
    above = snr.copy()
    above[weak] -= np.where(is_sure, per_electron[weak] * level, 0.0)
    return above
