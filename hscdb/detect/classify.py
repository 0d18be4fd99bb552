"""What needs all sources of a frame: aperture corrections, PSF stars among the sources, star or galaxy, last flags."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hscdb.detect import apcorr, measure
from hscdb.detect.psf import PsfStars
from hscdb.image import flags as bits
from hscdb.image.psf import Psf

Columns = dict[str, npt.NDArray[Any]]
STAR_RATIO = 0.95  # a source is a star if this part of its Gaussian flux is below its PSF flux (HSC's src)
# Surroundings of a saturated star, 20 arcsec of HSC, and the S/N from which a source there is believed: in a map of
# noise alone a peak of 5 sigma is found every 4 million pixels, one of 6 sigma every 900 million.
HALO_PIX, HALO_SIGMA = 120.0, 6.0


CORRECTED = ("psf_flux", "gauss_flux", "kron_flux")


def correct(
    columns: Columns, stars: PsfStars, shape: tuple[int, int]
) -> dict[str, apcorr.Correction]:
    """Fit the aperture corrections on the PSF stars and apply them to the fluxes of CORRECTED, in place.

    Returns the surfaces by the names of the fluxes; the factors become the columns psf_correction, ...
    """
    x, y = columns["x"].astype(float), columns["y"].astype(float)
    used = star_flags(x, y, stars, columns["n_child"])
    # the PSF was made of the used stars, but the flux ratio was not: reserved stars may judge as well as serve
    chosen = ((used & bits.word("psf_used", "psf_reserved")) != 0) & (columns["parent"] < 0)
    chosen = chosen if chosen.sum() >= 5 else (used & bits.word("psf_candidate")) != 0
    aper, aper_err = columns["aper"][:, measure.REFERENCE], columns["aper_err"][:, measure.REFERENCE]
    surfaces = {}
    for name in CORRECTED:
        flux, error = columns[name].astype(float), columns[f"{name}_err"].astype(float)
        surface = apcorr.fit(x[chosen], y[chosen], flux[chosen], error[chosen], aper[chosen], aper_err[chosen], shape)
        factor = surface.at(x, y)
        columns[name], columns[f"{name}_err"] = flux * factor, error * factor
        columns[name.replace("_flux", "_correction")] = factor
        surfaces[name] = surface
    columns["star_flags"] = used
    return surfaces


def star_flags(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], stars: PsfStars, n_child: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Flags psf_candidate, psf_used and psf_reserved of the sources within 1.5 pix of a PSF star, parents excepted."""
    flags = np.zeros(len(x), np.int64)
    for k in range(len(stars.x)):
        distance = np.where(n_child > 0, np.inf, np.hypot(x - stars.x[k], y - stars.y[k]))
        best = int(np.argmin(distance)) if len(distance) else -1
        if best < 0 or distance[best] > 1.5:
            continue
        names = ["psf_candidate"]
        if not stars.is_rejected[k]:
            names.append("psf_reserved" if stars.is_reserved[k] else "psf_used")
        flags[best] |= bits.word(*names)
    return flags


def doubtful(columns: Columns, psf: Psf) -> npt.NDArray[np.bool_]:
    """Which sources within HALO_PIX of a saturated star are not HALO_SIGMA above the sky around them.

    PSF flux less the local background times the PSF's area, 1 / sum(P^2), over its error; not measured is doubtful.
    """
    x, y = columns["x"].astype(float), columns["y"].astype(float)
    core = ((columns["flags"] & bits.word("saturated_center")) != 0) & (columns["n_child"] == 0)
    if not core.any():
        return np.zeros(len(x), np.bool_)
    apart, _ = cKDTree(np.stack([x[core], y[core]], axis=1)).query(np.stack([x, y], axis=1))
    ny, nx = psf.shape
    area = 1.0 / float(np.sum(psf.at(nx / 2, ny / 2) ** 2))
    sky = np.nan_to_num(columns["local_background"].astype(float)) * area
    with np.errstate(invalid="ignore", divide="ignore"):
        is_sure = columns["psf_flux"] - sky >= HALO_SIGMA * columns["psf_flux_err"]
    return np.asarray((apart < HALO_PIX) & ~is_sure)


def flag(
    columns: Columns,
    stars: PsfStars,
    correction: apcorr.Correction,
    psf: Psf,
) -> npt.NDArray[np.int64]:
    """Extendedness (into columns), and the flags that need more than one source or flux."""
    psf_flux, gauss_flux = columns["psf_flux"].astype(float), columns["gauss_flux"].astype(float)
    known = np.isfinite(psf_flux) & np.isfinite(gauss_flux) & (columns["flags"] & bits.word("negative") == 0)
    columns["extendedness"] = np.where(known, np.where(STAR_RATIO * gauss_flux < psf_flux, 0.0, 1.0), np.nan)
    flags = columns.pop("star_flags").astype(np.int64)
    flags[~known] |= bits.word("extendedness_bad")
    flags[columns["parent"] >= 0] |= bits.word("blended")
    blendedness = columns["blendedness"].astype(float)
    flags[np.nan_to_num(blendedness) > 0.5] |= bits.word("blended_neighbor")
    if correction.n_star == 0:
        flags |= bits.word("aper_correction_bad")
    flags[doubtful(columns, psf)] |= bits.word("doubtful")
    if psf.model != "pixel":  # the stars did not support one that changes over the frame
        flags |= bits.word("psf_weak")
    return flags
