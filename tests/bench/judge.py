"""What benches and tests judge measurements by: matching to the truth, robust scatter, the Cramer-Rao bound, AUC."""

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial import cKDTree
from scipy.stats import rankdata

BETA = 3.0  # of the simulated Moffat profile
_FWHM_PER_ALPHA = 2.0 * np.sqrt(2.0 ** (1.0 / BETA) - 1.0)


def scatter(values: np.ndarray) -> float:
    """1.4826 times the median absolute deviation of the finite values."""
    values = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else float("nan")


def matched(truth: np.ndarray, x: np.ndarray, y: np.ndarray, radius: float = 3.0) -> np.ndarray:
    """Detection (index into x, y) of each true source, -1 = none: the brightest first, each detection once."""
    index = np.full(len(truth), -1, np.int64)
    tree = cKDTree(np.stack([x, y], axis=1))
    n_near = min(3, len(x))
    apart, near = tree.query(np.stack([truth["x"], truth["y"]], 1), n_near, distance_upper_bound=radius)
    apart, near = apart.reshape(len(truth), n_near), near.reshape(len(truth), n_near)
    taken = np.zeros(len(x) + 1, bool)
    for k in np.argsort(-truth["flux_e"], kind="stable"):
        for m in near[k][np.isfinite(apart[k])]:
            if not taken[m]:
                index[k], taken[m] = m, True
                break
    return index


def lonely(truth: np.ndarray, radius: float = 14.0, part: float = 0.01) -> np.ndarray:
    """Which true sources have none of more than `part` of their flux within `radius` pixels."""
    result = np.ones(len(truth), bool)
    for a, b in cKDTree(np.stack([truth["x"], truth["y"]], axis=1)).query_pairs(radius):
        result[a] &= truth["flux_e"][b] <= part * truth["flux_e"][a]
        result[b] &= truth["flux_e"][a] <= part * truth["flux_e"][b]
    return result


def expected_flux(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flux [e] after flat-fielding, up to one factor for all, and the magnitude that goes with it.

    The factor is such that the median of flux over the charge that fell is 1; see hscdb/simulate/README.md.
    """
    mag = truth["mag"] + truth["cloud_mag"] - truth["area_mag"] - truth["illumination_mag"] + truth["ccd_mag"]
    flux = 10.0 ** (-0.4 * mag)
    return flux * float(np.median(truth["flux_e"] / flux)), truth["mag"]


def moffat(half: int, fwhm: float, dx: float, dy: float) -> np.ndarray:
    """A round Moffat profile of unit flux at (dx, dy) from the middle of a stamp, at pixel centers."""
    alpha2 = (fwhm / _FWHM_PER_ALPHA) ** 2
    j, i = np.indices((2 * half + 1, 2 * half + 1)) - half
    return (BETA - 1) / (np.pi * alpha2) * (1 + ((i - dx) ** 2 + (j - dy) ** 2) / alpha2) ** -BETA


def shed(truth: np.ndarray, reach: float = 80.0) -> np.ndarray:
    """Light [e] that the other true sources shed into a PSF flux at each true place: sum F_j sum P_i P_j / sum P_i^2.

    All are taken as stars of the frame's median width, those within `reach` pixels.
    """
    fwhm, half = float(np.median(truth["fwhm_pix"])), 15
    own = moffat(half, fwhm, 0.0, 0.0)
    step = np.linspace(0.0, reach, 161)
    overlap = np.array([np.sum(own * moffat(half, fwhm, d, 0.0)) for d in step]) / np.sum(own**2)
    result = np.zeros(len(truth))
    place = np.stack([truth["x"], truth["y"]], axis=1)
    a, b = cKDTree(place).query_pairs(reach, output_type="ndarray").T
    part = np.interp(np.hypot(*(place[a] - place[b]).T), step, overlap)
    np.add.at(result, a, part * truth["flux_e"][b])
    np.add.at(result, b, part * truth["flux_e"][a])
    return result


def cramer_rao(truth: np.ndarray, flux: np.ndarray, sky_variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Least error per axis [pix] of the place of a star, and S/N under its true profile, sky and photons counted.

    1 / sum (F dP/dx)^2 / (sky + F P) for a star on a pixel's center, from a table in flux and width.
    """
    step, half = 1e-3, 20
    width = np.linspace(truth["fwhm_pix"].min(), truth["fwhm_pix"].max() * 1.001, 6)
    grid = np.logspace(1.0, 8.0, 140)
    place, snr = np.empty((len(width), len(grid))), np.empty((len(width), len(grid)))
    for k, fwhm in enumerate(width):
        p = moffat(half, fwhm, 0.0, 0.0)
        slope = (moffat(half, fwhm, step, 0.0) - moffat(half, fwhm, -step, 0.0)) / (2 * step)
        noise = sky_variance + grid[:, None, None] * p
        place[k] = -0.5 * np.log(np.sum((grid[:, None, None] * slope) ** 2 / noise, axis=(1, 2)))
        snr[k] = 0.5 * np.log(np.sum((grid[:, None, None] * p) ** 2 / noise, axis=(1, 2)))
    at = np.stack([truth["fwhm_pix"], np.log(flux)], axis=1)
    tables = (RegularGridInterpolator((width, np.log(grid)), table, bounds_error=False) for table in (place, snr))
    error, ratio = (np.exp(table(at)) for table in tables)
    return error, ratio


def auc(score: np.ndarray, is_galaxy: np.ndarray) -> float:
    """Area under the receiver operating characteristic: chance that a galaxy scores higher than a star."""
    rank = rankdata(score)
    n = int(is_galaxy.sum())
    m = len(score) - n
    return float((rank[is_galaxy].sum() - n * (n + 1) / 2) / (n * m))
