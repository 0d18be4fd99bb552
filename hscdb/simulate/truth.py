"""Columns of the truth tables, and magnitudes in the camera's own filters."""

import re
from fnmatch import fnmatch

import numpy as np
from numpy.lib import recfunctions
from numpy.typing import NDArray

from hscdb.camera.model import Camera, Filter
from hscdb.simulate.exposure import CcdTruth, Exposure
from hscdb.simulate.population import BANDS, OBJECT

# One object on one frame: where its light falls (0-based pixels), and how much of it.
#   flux_e         electrons in the whole profile; mag = the object's magnitude in the filter at that time
#   ra, dec        at the time of the exposure, with proper motion and parallax, before the atmosphere
#   area_mag       -2.5 log10 of the pixel's sky area relative to the field center
#   illumination_mag, ccd_mag   the same of the lamp's light relative to the sky's, and of the CCD's response to
#                  the sky relative to that to the lamp
# After division by a dome flat of one norm for all CCDs, m_inst = mag - zp + cloud_mag - area_mag - illumination_mag
# + ccd_mag with one zp for all.
SOURCE = np.dtype(
    [
        ("visit", "i8"), ("ccd", "i4"), ("star_id", "i8"), ("x", "f8"), ("y", "f8"), ("ra", "f8"), ("dec", "f8"),
        ("flux_e", "f8"), ("mag", "f8"), ("peak_e", "f8"), ("fwhm_pix", "f4"), ("cloud_mag", "f4"),
        ("area_mag", "f8"), ("illumination_mag", "f8"), ("ccd_mag", "f4"), ("is_galaxy", "?"), ("is_variable", "?"),
    ]
)  # fmt: skip

UNITS = {
    "ra": "deg", "dec": "deg", "x": "pix", "y": "pix", "flux_e": "electron", "peak_e": "electron",
    "ra_true": "deg", "dec_true": "deg", "start_mjd": "d", "mjd_tai": "d", "exposure_s": "s", "phase": "",
}  # fmt: skip
_SUFFIX = {
    "_mas_yr": "mas/yr", "_mas": "mas", "_mag": "mag", "_arcsec": "arcsec", "_deg": "deg", "_pix": "pix", "_d": "d",
    "_rad": "rad",
}  # fmt: skip


def unit_of(column: str) -> str:
    """The unit of a truth column, by its name."""
    if column in UNITS:
        return UNITS[column]
    if re.match(r"mag(_|$)", column):
        return "mag"
    return next((unit for suffix, unit in _SUFFIX.items() if column.endswith(suffix)), "")


def filter_mag(camera: Camera, chosen: Filter, objects: NDArray[np.void]) -> NDArray[np.float64]:
    """Magnitudes (n,) in a filter of the camera: PS1 magnitudes through its color term, or those of ref_band."""
    for term in camera.color_terms:
        known = {term.primary_band, term.secondary_band} <= set(BANDS)
        if term.color_term_set == camera.color_term_set and term.filter == chosen.filter and known:
            if fnmatch("ps1", term.refcat_glob):
                primary, secondary = (objects[f"mag_{band}"] for band in (term.primary_band, term.secondary_band))
                color = np.clip(primary - secondary, -1.0, 1.5)  # the terms are polynomials: not beyond the known stars
                return np.asarray(primary + term.c0 + term.c1 * color + term.c2 * color * color)
    band = chosen.ref_band if chosen.ref_band in set(BANDS) else "r"
    return np.asarray(objects[f"mag_{band}"])


def filter_column(chosen: Filter) -> str:
    """Column of truth_star that holds the magnitudes in a filter, e.g. mag_hsc_r."""
    return "mag_" + re.sub(r"\W+", "_", chosen.filter).lower()


def star_table(camera: Camera, chosen: list[Filter], objects: NDArray[np.void]) -> NDArray[np.void]:
    """truth_star: the objects at epoch 2016.0 with their magnitudes in the filters observed."""
    names = [filter_column(one) for one in chosen]
    table = np.empty(len(objects), OBJECT.descr + [(name, "f8") for name in names if name not in (OBJECT.names or ())])
    recfunctions.recursive_fill_fields(objects, table)
    for one, name in zip(chosen, names, strict=True):
        table[name] = filter_mag(camera, one, objects)
    return table


def visit_table(exposures: list[Exposure]) -> NDArray[np.void]:
    """truth_visit: what the headers say and what was so."""
    names = [
        "visit", "kind", "filter", "start_mjd", "exposure_s", "ra", "dec", "pa_deg", "ra_true", "dec_true",
        "rotation_err_deg", "scale_err", "transparency_mag", "fwhm_arcsec",
    ]  # fmt: skip
    kinds = {"visit": "i8", "kind": "U8", "filter": "U16"}
    table = np.empty(
        len(exposures),
        [(name, kinds.get(name, "f8")) for name in names]
        + [("mjd_tai", "f8"), ("cloud_u_mag", "f8"), ("cloud_v_mag", "f8"), ("distortion_arcsec", "f8", (2, 7))],
    )
    for row, one in zip(table, exposures, strict=True):
        for name in names:
            row[name] = getattr(one, name)
        row["mjd_tai"] = one.mjd_tai
        row["cloud_u_mag"], row["cloud_v_mag"] = one.cloud
        row["distortion_arcsec"] = one.distortion
    return table


def ccd_table(ccds: list[CcdTruth]) -> NDArray[np.void]:
    """truth_ccd: where the CCDs really sit, and their response."""
    rows = [(one.ccd, one.du_pix, one.dv_pix, one.rotation_rad, one.efficiency, one.sky_to_lamp) for one in ccds]
    names = ("ccd", "du_pix", "dv_pix", "rotation_rad", "efficiency", "sky_to_lamp")
    return np.array(rows, [(name, "i4" if name == "ccd" else "f8") for name in names])
