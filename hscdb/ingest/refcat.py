"""Reference catalogs: columns of a table -> ref_star and ref_flux."""

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.errors import ConfigError, InputError
from hscdb.ingest.columns import Floats, Sources, booleans, first, integers, magnitude, pick, positive

AB_ZERO_NJY = 3631e9  # flux of AB magnitude 0
MAG_ERROR = 2.5 / np.log(10.0)
STAR = np.dtype(
    [("ref_catalog_id", "i4"), ("ref_id", "i8"), ("ra", "f8"), ("dec", "f8"), ("ra_mas_err", "f4"),
     ("dec_mas_err", "f4"), ("ra_dec_corr", "f4"),
     ("epoch_mjd", "f8"), ("pm_ra_mas_yr", "f4"), ("pm_dec_mas_yr", "f4"), ("pm_ra_mas_yr_err", "f4"),
     ("pm_dec_mas_yr_err", "f4"), ("parallax_mas", "f4"), ("parallax_mas_err", "f4"), ("is_resolved", "O"),
     ("is_variable", "O")]
)  # fmt: skip
FLUX = np.dtype([("ref_catalog_id", "i4"), ("ref_id", "i8"), ("band", "O"), ("flux_njy", "f8"), ("flux_njy_err", "f8")])

# What a map may name, and the column of ref_star it fills.
_ANGLES = {
    "ra_err": "ra_mas_err", "dec_err": "dec_mas_err", "pm_ra": "pm_ra_mas_yr", "pm_dec": "pm_dec_mas_yr",
    "pm_ra_err": "pm_ra_mas_yr_err", "pm_dec_err": "pm_dec_mas_yr_err", "parallax": "parallax_mas",
    "parallax_err": "parallax_mas_err",
}  # fmt: skip
_PLAIN = ("id", "ra", "dec", "epoch", "ra_dec_corr", "is_resolved", "is_variable")
_BAND = ("flux", "flux_err", "mag", "mag_err", "snr", "zero")


def spec_of(preset: Mapping[str, Any] | None, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Sources by quantity: those of the preset, overruled by the map. ConfigError `bad_map` on an unknown name.

    Bands lie under spec["band"][BAND] with flux, flux_err [nJy], mag, mag_err [AB], snr, zero [mag, added].
    """
    spec: dict[str, Any] = dict((preset or {}).get("columns", {}))
    bands: dict[str, Any] = {band: dict(one) for band, one in (preset or {}).get("band", {}).items()}
    for name, source in mapping.items():
        head, _, band = name.partition(".")
        if band and head in _BAND:
            bands.setdefault(band, {})[head] = source
        elif not band and name in (*_PLAIN, *_ANGLES):
            spec[name] = source
        else:
            known = [*_PLAIN, *_ANGLES, *(f"{one}.BAND" for one in _BAND)]
            near = difflib.get_close_matches(name, known, 1)
            guess = f"; did you mean '{near[0]}'?" if near else f" (there are {', '.join(known)})."
            raise ConfigError(f"--map: no quantity '{name}'{guess}", "bad_map")
    return spec | {"band": bands}


def n_found(preset: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """How many quantities of a preset a table has: bands count, without positions it is 0. For guessing the preset."""
    spec = preset["columns"]
    if first(spec["ra"], columns) is None or first(spec["dec"], columns) is None:
        return 0
    return sum(any(first(one.get(key), columns) for key in ("flux", "mag")) for one in preset["band"].values())


def convert(
    spec: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str], epoch_mjd: float | None
) -> tuple[NDArray[Any], NDArray[Any], int]:
    """(stars, fluxes, number of rows refused for want of a position).

    stars  : (n_star,) of dtype STAR, each ref_id once. fluxes : (n_flux,) of dtype FLUX, only those that are known.
    In both, ref_catalog_id is the caller's to set.
    Errors of 0 are missing; a proper motion or parallax of 0 without an error is missing, too.
    epoch_mjd : where the table has no epoch. InputError `missing_column` without ra and dec.
    """
    n_row = len(next(iter(columns.values()), ()))
    place = {axis: pick(spec.get(axis), columns, units, "deg") for axis in ("ra", "dec")}
    for axis, values in place.items():
        if values is None:
            raise InputError(
                f"no column for {axis} (there are {', '.join(list(columns)[:40])}). Name it: --map {axis}=COLUMN.",
                "missing_column",
            )
    ra, dec = (np.asarray(place[axis]) for axis in ("ra", "dec"))
    star = np.zeros(n_row, STAR)
    star["ra"], star["dec"] = np.where(np.mod(ra, 360.0) >= 360.0, 0.0, np.mod(ra, 360.0)), dec
    for name, column in _ANGLES.items():
        values = pick(spec.get(name), columns, units, "mas")
        star[column] = positive(values, n_row) if name.endswith("_err") else np.nan if values is None else values
    for name, error in (("pm_ra_mas_yr",) * 2, ("pm_dec_mas_yr",) * 2, ("parallax_mas",) * 2):
        star[name][np.isnan(star[f"{error}_err"]) & (star[name] == 0.0)] = np.nan
        star[name][~np.isfinite(star[name])] = np.nan
    correlation = pick(spec.get("ra_dec_corr"), columns, units)
    star["ra_dec_corr"] = np.nan if correlation is None else correlation
    star["epoch_mjd"] = epoch(pick(spec.get("epoch"), columns, units), n_row, epoch_mjd)
    for name in ("is_resolved", "is_variable"):
        truth = booleans(spec.get(name), columns)
        star[name] = [None] * n_row if truth is None else truth.tolist()
    with np.errstate(invalid="ignore"):
        has_place = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90.0)
    ids = integers(spec.get("id"), columns)
    star["ref_id"] = (
        place_id(np.where(has_place, star["ra"], 0.0), np.where(has_place, dec, 0.0)) if ids is None else ids
    )
    kept = np.flatnonzero(has_place)
    kept = kept[np.sort(np.unique(star["ref_id"][kept], return_index=True)[1])]
    flux = [_fluxes(band, one, columns, units, star["ref_id"], kept) for band, one in spec["band"].items()]
    return star[kept], np.concatenate([*flux, np.zeros(0, FLUX)]), int(n_row - has_place.sum())


def epoch(values: Floats | None, n_row: int, default_mjd: float | None) -> Floats:
    """Epochs as MJD: julian years (1800 .. 2200) are converted, days are taken as they are; missing: the default."""
    default = np.nan if default_mjd is None else default_mjd
    if values is None:
        return np.full(n_row, default)
    with np.errstate(invalid="ignore"):
        is_year, is_day = (values > 1800.0) & (values < 2200.0), (values > 15000.0) & (values < 1e5)
    return np.where(is_year, mjd_of_year(values), np.where(is_day, values, default))


def mjd_of_year(year: Any) -> Any:
    """MJD of a julian year: J2000.0 = MJD 51544.5."""
    return 51544.5 + (year - 2000.0) * 365.25


def place_id(ra: Floats, dec: Floats) -> NDArray[np.int64]:
    """An identifier made from the position in mas, for catalogs without one: 31 bits of ra, 30 of dec."""
    ra_mas = np.round(ra * 3.6e6).astype(np.int64)
    return (ra_mas << 30) | np.round((dec + 90.0) * 3.6e6).astype(np.int64)


def _fluxes(
    band: str,
    one: Mapping[str, Sources],
    columns: Mapping[str, Any],
    units: Mapping[str, str],
    ids: NDArray[np.int64],
    kept: NDArray[Any],
) -> NDArray[Any]:
    """Fluxes of one band [nJy]: from a flux column, else from a magnitude (+ zero: Vega to AB, say)."""
    n_row = len(ids)
    flux = pick(one.get("flux"), columns, units)
    mag = pick(one.get("mag"), columns, units)
    if flux is None and mag is None:
        return np.zeros(0, FLUX)
    if flux is None:
        zero = one.get("zero", 0.0)
        shift = float(zero["value"] if isinstance(zero, dict) else zero)
        flux = AB_ZERO_NJY * 10.0 ** (-0.4 * (magnitude(mag, n_row) + shift))
    error = positive(pick(one.get("flux_err"), columns, units), n_row)
    mag_error = positive(pick(one.get("mag_err"), columns, units), n_row)
    snr = positive(pick(one.get("snr"), columns, units), n_row)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(np.isfinite(error), error, flux * mag_error / MAG_ERROR)
        error = np.where(np.isfinite(error), error, flux / snr)
        good = kept[(np.isfinite(flux) & (flux > 0.0))[kept]]
    rows = np.zeros(len(good), FLUX)
    rows["ref_id"], rows["band"], rows["flux_njy"], rows["flux_njy_err"] = ids[good], band, flux[good], error[good]
    return rows
