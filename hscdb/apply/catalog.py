"""Catalogs with the joint solution applied: rows of calibrated_source, and CALSRC in hscPipe's column names."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.apply.solution import NJY_MAG0, Solution, sky_errors

Rows = npt.NDArray[np.void]


def rows(key: dict[str, int], unit: dict[str, Any], sources: Rows, chosen: Solution) -> Rows:
    """Rows of calibrated_source. Sources whose place is not on the sky of the WCS are left out."""
    x, y = sources["x_pix"], sources["y_pix"]
    ra, dec = chosen.wcs.pixel_to_sky(x, y)
    factor = chosen.factor(x, y)
    njy = factor * NJY_MAG0 / chosen.mag0_e
    xy = np.nan_to_num(sources["x_y_pix2_cov"])
    ra_err, dec_err = sky_errors(chosen.wcs, x, y, sources["x_pix_err"] ** 2, xy, sources["y_pix_err"] ** 2)
    aper, aper_err = main_flux(sources)
    n = len(sources)
    columns = {
        "run_id": np.full(n, key["run_id"]),
        "task_id": np.full(n, key["task_id"]),
        "visit": np.full(n, unit["visit"]),
        "ccd": np.full(n, unit["ccd"]),
        "tract": np.full(n, unit["tract"]),
        "source_id": sources["source_id"],
        "ra": ra,
        "dec": dec,
        "ra_mas_err": ra_err,
        "dec_mas_err": dec_err,
        "flux_factor": factor,
        "psf_flux_njy": sources["psf_flux_e"] * njy,
        "psf_flux_njy_err": sources["psf_flux_e_err"] * njy,
        "aper_flux_njy": aper * njy,
        "aper_flux_njy_err": aper_err * njy,
        "is_extrapolated": np.full(n, chosen.is_extrapolated),
    }
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(factor)
    out = np.empty(int(good.sum()), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        out[name] = column[good]
    return out


def main_flux(sources: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts and error of the flux that mosaic calibrates: the 12-pix aperture, or a catalog's main flux.

    The latter is kept in nJy by the catalog's own zero point and goes back to counts by it.
    """
    counts = sources["flux_njy"] * sources["first_mag0_e"] / NJY_MAG0
    error = sources["flux_njy_err"] * sources["first_mag0_e"] / NJY_MAG0
    has = np.isfinite(sources["aper_flux_e"])
    return np.where(has, sources["aper_flux_e"], counts), np.where(has, sources["aper_flux_e_err"], error)


def from_src(table: Rows, chosen: Solution, do_apply_calib: bool) -> Rows:
    """CALSRC from the rows of SRC: new coordinates, every flux times F, column mosaic_corr = F.

    do_apply_calib : replace `<name>_instFlux`, `_instFluxErr` by AB magnitudes `<name>_mag`, `_magErr` (NaN where the
                     flux is not positive), with the solution's zero point.
    """
    x, y = _column(table, "base_SdssCentroid_x"), _column(table, "base_SdssCentroid_y")
    factor = chosen.factor(x, y)
    ra, dec = chosen.wcs.pixel_to_sky(x, y)
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in table.dtype.names or ():
        column = table[name]
        if name == "coord_ra":
            column = np.radians(ra)
        elif name == "coord_dec":
            column = np.radians(dec)
        elif name.endswith(("_instFlux", "_instFluxErr")):
            column = column * factor
        columns[name] = column
    columns["mosaic_corr"] = factor
    if do_apply_calib:
        columns = magnitudes(columns, chosen.mag0_e)
    return _table(columns)


def from_rows(sources: Rows, chosen: Solution, do_apply_calib: bool) -> Rows:
    """CALSRC of a frame that came as a catalog: the columns such a catalog has, in hscPipe's names."""
    x, y = sources["x_pix"], sources["y_pix"]
    factor = chosen.factor(x, y)
    ra, dec = chosen.wcs.pixel_to_sky(x, y)
    aper, aper_err = main_flux(sources)
    columns: dict[str, npt.NDArray[Any]] = {
        "id": sources["source_id"],
        "coord_ra": np.radians(ra),
        "coord_dec": np.radians(dec),
        "base_SdssCentroid_x": x,
        "base_SdssCentroid_y": y,
        "base_SdssCentroid_xErr": sources["x_pix_err"],
        "base_SdssCentroid_yErr": sources["y_pix_err"],
        "base_PsfFlux_instFlux": sources["psf_flux_e"] * factor,
        "base_PsfFlux_instFluxErr": sources["psf_flux_e_err"] * factor,
        "base_CircularApertureFlux_12_0_instFlux": aper * factor,
        "base_CircularApertureFlux_12_0_instFluxErr": aper_err * factor,
        "flags_word": sources["flags"],
        "mosaic_corr": factor,
    }
    if do_apply_calib:
        columns = magnitudes(columns, chosen.mag0_e)
    return _table(columns)


def magnitudes(columns: dict[str, npt.NDArray[Any]], mag0: float) -> dict[str, npt.NDArray[Any]]:
    """Flux columns replaced by AB magnitudes, the others as they are."""
    out: dict[str, npt.NDArray[Any]] = {}
    for name, column in columns.items():
        if name.endswith("_instFlux"):
            with np.errstate(invalid="ignore", divide="ignore"):
                out[name.removesuffix("_instFlux") + "_mag"] = np.where(
                    column > 0, -2.5 * np.log10(np.where(column > 0, column, 1.0) / mag0), np.nan
                )
        elif name.endswith("_instFluxErr"):
            flux = columns.get(name.removesuffix("Err"))
            if flux is None:
                continue
            with np.errstate(invalid="ignore", divide="ignore"):
                out[name.removesuffix("_instFluxErr") + "_magErr"] = np.where(
                    flux > 0, 2.5 / np.log(10.0) * column / np.where(flux > 0, flux, 1.0), np.nan
                )
        else:
            out[name] = column
    return out


def _column(table: Rows, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(table[name], np.float64)


def _table(columns: dict[str, npt.NDArray[Any]]) -> Rows:
    out = np.empty(
        len(next(iter(columns.values()))), [(n, c.dtype.newbyteorder("="), c.shape[1:]) for n, c in columns.items()]
    )
    for name, column in columns.items():
        out[name] = column
    return out


def units(names: tuple[str, ...]) -> dict[str, str]:
    """Units of the columns by their names' endings."""
    endings = (
        (("coord_ra", "coord_dec"), "rad"), (("_instFlux", "_instFluxErr"), "electron"),
        (("_mag", "_magErr"), "mag"), (("_x", "_y", "_xErr", "_yErr"), "pix"),
    )  # fmt: skip
    return {name: unit for name in names for ends, unit in endings if name.endswith(ends)}


def explaining(header: dict[str, Any]) -> list[tuple[str, Any]]:
    """The cards of SRC that explain its flags and slots."""
    starts = ("TFLAG", "TFDOC", "ALIAS", "AFW_")
    return [(name, content) for name, content in header.items() if name.startswith(starts)]
