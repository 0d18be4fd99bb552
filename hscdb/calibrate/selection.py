"""Which sources of a frame serve for what."""

import numpy as np
from numpy.typing import NDArray

from hscdb.calibrate import pattern
from hscdb.calibrate.astrometry import Detections
from hscdb.calibrate.reference import Places
from hscdb.image import flags
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

Rows = NDArray[np.void]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

ASTROMETRY_BAD = (
    "off_image",
    "saturated_center",
    "bad",
    "cr_center",
    "interpolated_center",
    "centroid_bad",
    "negative",
)
PHOTOMETRY_BAD = (*ASTROMETRY_BAD, "edge", "saturated", "aper_flux_bad")
# What a centroid without an error is taken to be worth.
_UNKNOWN_PIX = 0.1


_WHOLE = {"source_id": "i8", "n_child": "i4", "flags": "i8"}
_DOUBLE = ("x_pix", "y_pix")
_SINGLE = (
    "x_pix_err",
    "y_pix_err",
    "x_y_pix2_cov",
    "psf_flux_e",
    "psf_flux_e_err",
    "aper_12_0_flux_e",
    "aper_12_0_flux_e_err",
    "extendedness",
)


def as_stored(sources: Rows) -> Rows:
    """Rows of `source`, from detect's hands or read back, with the precision the table keeps.

    So a frame whose calibration was interrupted gives the same to the last bit when it is done again from the table.
    """
    rows = np.zeros(len(sources), [*_WHOLE.items(), *((name, "f8") for name in (*_DOUBLE, *_SINGLE))])
    for name in (*_WHOLE, *_DOUBLE):
        rows[name] = sources[name]
    for name in _SINGLE:
        rows[name] = sources[name].astype(np.float32)
    return rows


def usable(sources: Rows, bad: tuple[str, ...]) -> NDArray[np.bool_]:
    """Sources without children and without these flags, with a finite place."""
    good = (sources["flags"] & flags.word(*bad)) == 0
    good &= (sources["n_child"] == 0) & np.isfinite(sources["x_pix"]) & np.isfinite(sources["y_pix"])
    return np.asarray(good)


def bright(sources: Rows, snr_min: float, n_min: int) -> Rows:
    """Sources for the astrometry: clean, and above a S/N of the PSF flux or among the n_min brightest."""
    clean = sources[usable(sources, ASTROMETRY_BAD) & np.isfinite(sources["psf_flux_e"])]
    flux = clean["psf_flux_e"].astype(np.float64)
    place = np.argsort(np.argsort(-flux, kind="stable"), kind="stable")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(clean[(flux / clean["psf_flux_e_err"] >= snr_min) | (place < n_min)])


def detections(sources: Rows) -> Detections:
    """Rows of `source` as the fit of the WCS takes them."""
    error = np.hypot(sources["x_pix_err"], sources["y_pix_err"]).astype(np.float64) / np.sqrt(2.0)
    return Detections(
        sources["x_pix"].astype(np.float64),
        sources["y_pix"].astype(np.float64),
        np.where(error > 0.0, error, _UNKNOWN_PIX),
        sources["psf_flux_e"].astype(np.float64),
    )


def pair(sources: Rows, places: Places, wcs: Wcs, radius_pix: float) -> tuple[Indices, Indices, Floats]:
    """Mutually nearest sources and reference stars within a radius: indices into both, and separations [arcsec]."""
    scale = float(np.sqrt(wcs.plane_area(*wcs.crpix)))
    here = np.stack(wcs.pixel_to_plane(sources["x_pix"], sources["y_pix"]), axis=1)
    there = np.stack(sphere.project(places.ra, places.dec, *wcs.crval), axis=1)
    (ahead,) = np.nonzero(np.isfinite(there).all(axis=1))
    i, j = pattern.mutual_nearest(here, there[ahead], radius_pix * scale)
    return i, ahead[j], np.hypot(*(here[i] - there[ahead[j]]).T) * 3600.0
