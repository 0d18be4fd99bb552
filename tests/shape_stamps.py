"""Noisy images of a star or galaxy whose shape is known, and what detect tells of them; for tests and bench."""

import galsim
import numba
import numpy as np

from hscdb.detect.flux import kron
from hscdb.detect.measure import COLUMNS, N_COLUMN
from hscdb.detect.shape import fill_shape

SHAPE, ERROR = slice(5, 8), [COLUMNS.index(name) for name in ("ixx_err", "iyy_err", "ixy_err")]
FLUX, FLUX_ERROR = (
    [COLUMNS.index(f"{name}_flux{ending}") for name in ("gauss", "kron")] for ending in ("", "_err")
)  # fmt: skip
KRON = COLUMNS.index("kron_flux")  # its error and radius follow
SIDE, SKY = 61, 3000.0
PSF = galsim.Moffat(beta=3.0, fwhm=3.9).shear(g1=0.03)
WEIGHT = np.array([3.6, 3.4, 0.0])


def _galaxy(profile, g1, g2):
    return galsim.Convolve(PSF, profile.shear(g1=g1, g2=g2))


KINDS = {
    "star": PSF,
    "exponential": _galaxy(galsim.Exponential(half_light_radius=3.0), 0.2, 0.2),
    "broad": _galaxy(galsim.Exponential(half_light_radius=6.0), 0.3, 0.0),
    "de Vaucouleurs": _galaxy(galsim.DeVaucouleurs(half_light_radius=3.0), -0.2, 0.0),
}


@numba.njit
def _many(light, variance, weight, reach, rows, flags):
    moments, sums = np.empty(9), np.empty((2, 9))
    for k in range(len(light)):
        rows[k, :] = np.nan
        middle = light.shape[1] // 2
        flags[k] = fill_shape(
            light[k], light[k], variance[k], middle + 0.2, middle - 0.3, weight, 2.5, reach, moments, sums, rows[k]
        )
        # 1.2533 sigma: first radial moment of the PSF
        least = 1.2533 * np.sqrt(0.5 * (weight[0] + weight[1]))
        kron(light[k], variance[k], middle + 0.2, middle - 0.3, moments[2], moments[3], moments[4], least,
             rows[k, KRON : KRON + 3])  # fmt: skip


def told(light, variance):
    """(rows, flags) of fill_shape and kron on (n, side, side) stamps; NaN is what it does not write."""
    rows, flags = np.empty((len(light), N_COLUMN)), np.zeros(len(light), np.int64)
    _many(np.float32(light), np.float32(variance), WEIGHT, 50, rows, flags)
    return rows, flags


def drawn(kind, snr, n, sky=SKY):
    """Pulls (n, 5) of ixx, iyy, ixy, Gaussian and Kron flux of a source whose PSF flux has the S/N, and the flags."""
    base, star = (
        one.shift(0.2, -0.3).drawImage(nx=SIDE, ny=SIDE, scale=1.0).array.astype(float) for one in (KINDS[kind], PSF)
    )
    true = told(base[None] * 1e6, np.ones((1, SIDE, SIDE)))[0][0]
    flux = snr
    for _ in range(30):
        flux *= snr / (flux * np.sum(base * star) / np.sqrt(np.sum(star**2 * (sky + flux * base))))
    mean = sky + flux * base
    raw = mean + np.sqrt(mean) * np.random.default_rng(4).standard_normal((n, SIDE, SIDE))
    rows, flags = told(raw - sky, np.maximum(raw, 1.0))
    shape = (rows[:, SHAPE] - true[SHAPE]) / rows[:, ERROR]
    return np.column_stack([shape, (rows[:, FLUX] - true[FLUX] * flux / 1e6) / rows[:, FLUX_ERROR]]), flags


def width(pulls):
    """1.4826 times the median absolute deviation, by column."""
    return 1.4826 * np.nanmedian(np.abs(pulls - np.nanmedian(pulls, axis=0)), axis=0)
