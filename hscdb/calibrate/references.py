"""Which reference catalog serves for what, and its stars as the fits take them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.calibrate.reference import Places, propagate
from hscdb.camera.color import color_term, find_term
from hscdb.camera.model import Camera, ColorTerm
from hscdb.errors import DataError, InputError

Rows = NDArray[np.void]
Floats = NDArray[np.float64]

# hscPipe's catRMS: what a catalog without errors is taken to be worth.
_UNKNOWN_MAS = 40.0
# Spread of the proper motions of field stars at G = 18-20, for stars without one.
_UNKNOWN_PM_MAS_YR = 5.0


@dataclass(frozen=True)
class Catalogs:
    """Rows of read_ref_catalogs chosen for positions and for magnitudes, and the color term of the latter."""

    astrometry: Any
    photometry: Any
    term: ColorTerm

    @property
    def ids(self) -> list[int]:
        """Their numbers, each once."""
        return sorted({int(self.astrometry["ref_catalog_id"]), int(self.photometry["ref_catalog_id"])})


def choose(
    catalogs: Rows, camera: Camera, filter: str, positions: str, magnitudes: str, color_term_set: str
) -> Catalogs:
    """The catalogs to use.

    positions, magnitudes : names given by settings; "" means: for positions a Gaia catalog, else that of the
        magnitudes; for magnitudes the first one with a color term for the filter, else the first with the filter's
        reference band.
    InputError `no_reference_catalog`; DataError `no_reference_flux` if none can tell magnitudes in the filter.
    """
    if not len(catalogs):
        raise InputError(
            "calibrate: there is no reference catalog. Ingest one with `hscdb ingest-refcat REPO NAME FILES`.",
            code="no_reference_catalog",
        )
    photometry = _named(catalogs, magnitudes, "photometry_catalog") if magnitudes else None
    if photometry is None:
        suitable = [row for row in catalogs if find_term(camera, row["name"], filter, color_term_set)]
        suitable += [row for row in catalogs if _has_band(row, camera, filter)]
        if not suitable:
            raise DataError(
                f"calibrate: no reference catalog leads to {filter} (there are {', '.join(catalogs['name'])}): none "
                "has a color term or the filter's reference band. Ingest another, or give the camera a color term.",
                code="no_reference_flux",
            )
        photometry = suitable[0]
    if positions:
        astrometry = _named(catalogs, positions, "astrometry_catalog")
    else:
        gaia = [row for row in catalogs if row["preset"] == "gaia" or str(row["name"]).lower().startswith("gaia")]
        astrometry = gaia[0] if gaia else photometry
    return Catalogs(astrometry, photometry, color_term(camera, str(photometry["name"]), filter, color_term_set))


def _named(catalogs: Rows, name: str, knob: str) -> Any:
    for row in catalogs:
        if row["name"] == name:
            return row
    raise InputError(
        f"calibrate.{knob}: no reference catalog '{name}' (there are {', '.join(catalogs['name'])}). "
        "Give one of these.",
        code="no_reference_catalog",
    )


def _has_band(row: Any, camera: Camera, filter: str) -> bool:
    return color_term(camera, str(row["name"]), filter).primary_band in list(row["bands"])


def places(rows: Rows, mjd: float) -> Places:
    """Where the stars (rows of read_ref_stars) are at an epoch; NaN takes them at their catalog's."""
    mas_err = np.hypot(rows["ra_mas_err"], rows["dec_mas_err"]) / np.sqrt(2.0)
    pm_err = np.hypot(rows["pm_ra_mas_yr_err"], rows["pm_dec_mas_yr_err"]) / np.sqrt(2.0)
    known = np.isfinite(rows["pm_ra_mas_yr"]) & np.isfinite(rows["pm_dec_mas_yr"])
    return propagate(
        rows["ra"],
        rows["dec"],
        mjd if np.isfinite(mjd) else 51544.5,
        epoch_mjd=rows["epoch_mjd"] if np.isfinite(mjd) else np.full(len(rows), np.nan),
        pm_ra_mas_yr=rows["pm_ra_mas_yr"],
        pm_dec_mas_yr=rows["pm_dec_mas_yr"],
        parallax_mas=rows["parallax_mas"] if np.isfinite(mjd) else np.full(len(rows), np.nan),
        mas_err=np.where(mas_err > 0.0, mas_err, _UNKNOWN_MAS),
        pm_mas_yr_err=np.where(known, np.nan_to_num(pm_err), _UNKNOWN_PM_MAS_YR),
        is_reserved=rows["is_reserved"],
    )


def fluxes(rows: Rows, ref_id: NDArray[np.int64], bands: Iterable[str]) -> Mapping[str, tuple[Floats, Floats]]:
    """{band: (flux, error)} [nJy] of stars, (n_ref,), from rows of read_ref_fluxes; NaN where a star has none.

    ref_id : of the stars, ascending.    bands : of the catalog; all of them are in the result.
    """
    table = {band: (np.full(len(ref_id), np.nan), np.full(len(ref_id), np.nan)) for band in bands}
    for band, (flux, error) in table.items():
        here = rows[rows["band"] == band]
        here = here[np.isin(here["ref_id"], ref_id)]
        at = np.searchsorted(ref_id, here["ref_id"])
        flux[at], error[at] = here["flux_njy"], here["flux_njy_err"]
    return table
