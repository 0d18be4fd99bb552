"""Catalogs made elsewhere: columns of a table -> frames with sources, positions, WCS and flux scale."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.camera.model import Camera
from hscdb.errors import ConfigError, InputError
from hscdb.ingest import catalogwcs, times
from hscdb.ingest.columns import Floats, first, integers, pick, sources
from hscdb.ingest.measures import FLUXES, MAIN, Measured, measure
from hscdb.ingest.rules import quantity
from hscdb.ingest.translate import VISIT_MAX, Facts, field_name, translate
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

# What a map may name beside the fluxes.
_PLAIN = ("visit", "ccd", "x", "y", "x_err", "y_err", "ra", "dec", "extendedness", "snr", "filter", "field", "obs_mjd",
          "exposure_s", "pixel_origin", "zero_point", "fwhm_pix", "gain_e", "mag", "mag_err", "flux", "flux_err",
          "relative_err", "hdu", "id")  # fmt: skip


@dataclass(frozen=True)
class CatalogFrame:
    """One frame of a catalog, ready to be stored."""

    facts: Facts
    solved: catalogwcs.Solved
    measured: Measured


@dataclass(frozen=True)
class Rows:
    """The rows of a table that have a place, as quantities of ours. x, y are 0-based; NaN where unknown."""

    visit: NDArray[np.int64]
    ccd: NDArray[np.int64]
    x: Floats
    y: Floats
    ra: Floats
    dec: Floats
    has_pixels: bool
    has_sky: bool
    kept: NDArray[np.int64]


def spec_of(preset: Mapping[str, Any] | None, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A preset overruled by a map. ConfigError `bad_map` on an unknown name.

    Map names: visit ccd x y ra dec x_err y_err, flux flux_err relative_err mag mag_err snr of the main flux, or of
    another one as psf.flux, aper_6_0.mag_err, ...; filter field obs_mjd exposure_s extendedness; and the constants
    pixel_origin (of x, y; default 0), zero_point (magnitude of one count in the exposure), fwhm_pix, gain_e, hdu.
    """
    spec: dict[str, Any] = {key: value for key, value in (preset or {}).items() if key not in ("columns", "flux")}
    spec["columns"] = dict((preset or {}).get("columns", {}))
    fluxes = {name: dict(one) for name, one in (preset or {}).get("flux", {}).items()}
    for name, source in mapping.items():
        kind, _, what = name.partition(".")
        if what and kind in FLUXES and what in ("flux", "flux_err", "relative_err", "mag", "mag_err", "snr"):
            fluxes.setdefault(kind, {})[what] = source
        elif name in ("flux", "flux_err", "relative_err", "mag", "mag_err"):
            fluxes.setdefault(MAIN, {})[name] = source
        elif name in _PLAIN:
            spec["columns"][name] = source
        else:
            near = difflib.get_close_matches(name, _PLAIN, 1)
            guess = f"; did you mean '{near[0]}'?" if near else f" (there are {', '.join(_PLAIN)})."
            raise ConfigError(f"--map: no quantity '{name}'{guess}", "bad_map")
    return spec | {"flux": fluxes}


def constant(spec: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A constant of the spec: from the map (name:=...), or a number of the preset."""
    for one in sources(spec["columns"].get(name)):
        if "value" in one:
            return one["value"]
    return default


def frames(
    camera: Camera, spec: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str],
    header: Mapping[str, Any], header_wcs: Wcs | None, known: Mapping[int, Facts] | None = None,
) -> tuple[list[CatalogFrame], int]:  # fmt: skip
    """(frames, number of rows refused for want of a position) of a table.

    header     : the contents of the image's header; used by the camera's keyword map where the table has no visit.
    header_wcs : its WCS, if it has one. known : visits that are in the registry, for tables that tell only a number.
    InputError as of `translate`, and `missing_column`, `bad_column`, `no_position`.
    """  # fmt: skip
    named = _named(spec, columns)
    whole = None if named is not None else _whole(camera, spec, header)
    rows = rows_of(spec, columns, units, named, whole)
    n_row = len(next(iter(columns.values()), ()))
    made: list[CatalogFrame] = []
    for visit in np.unique(rows.visit):
        of_visit = rows.visit == visit
        facts = whole or _facts_of_visit(camera, spec, columns, header, rows, int(visit), (known or {}).get(int(visit)))
        for ccd, solved, index in _solved(
            camera, rows, np.flatnonzero(of_visit), None if whole is None else header_wcs
        ):
            mine = {name: np.asarray(column)[rows.kept[index]] for name, column in columns.items()}
            own = replace(facts, ccd=ccd)
            place = _place(rows, index, solved.wcs)
            made.append(CatalogFrame(own, solved, measure(camera, spec, own, solved.wcs, mine, units, header, place)))
    return made, n_row - len(rows.kept)


def _solved(
    camera: Camera, rows: Rows, index: NDArray[np.int64], header_wcs: Wcs | None
) -> Iterator[tuple[int, catalogwcs.Solved, NDArray[np.int64]]]:
    """(ccd, WCS, rows) of each frame of a visit. InputError `unknown_ccd`, `no_position`."""
    strange = sorted({int(ccd) for ccd in np.unique(rows.ccd[index])} - camera.ccds.keys())
    if strange:
        raise InputError(
            f"camera {camera.name} has no ccd {', '.join(map(str, strange))}. Map another column, or another camera.",
            "unknown_ccd",
        )
    if header_wcs is None and rows.has_pixels and not rows.has_sky:
        raise InputError("no WCS in the header and no ra, dec in the table. Solve it first.", "no_position")
    plane = None
    if header_wcs is None and rows.has_pixels:
        plane = catalogwcs.visit_plane(
            camera, rows.ccd[index], rows.x[index], rows.y[index], rows.ra[index], rows.dec[index]
        )
    for number in np.unique(rows.ccd[index]):
        mine = index[rows.ccd[index] == number]
        ccd, star = camera.ccds[int(number)], (rows.x[mine], rows.y[mine], rows.ra[mine], rows.dec[mine])
        if header_wcs is not None:
            rms = catalogwcs.rms_mas(header_wcs, *star) if rows.has_sky and rows.has_pixels else float("nan")
            yield int(number), catalogwcs.Solved(header_wcs, len(mine), rms), mine
        elif plane is not None:
            yield int(number), catalogwcs.frame_wcs(camera, ccd, plane, *star), mine
        else:
            yield int(number), catalogwcs.Solved(catalogwcs.plain_wcs(camera, ccd, *star[2:]), len(mine), 0.0), mine


def _place(rows: Rows, index: NDArray[np.int64], wcs: Wcs) -> tuple[Floats, Floats, Floats, Floats]:
    """x, y, ra, dec of rows; what the table does not tell, by the WCS."""
    x, y, ra, dec = (column[index] for column in (rows.x, rows.y, rows.ra, rows.dec))
    if not rows.has_pixels:
        x, y = wcs.sky_to_pixel(ra, dec)
    if not rows.has_sky:
        ra, dec = wcs.pixel_to_sky(x, y)
    return x, y, ra, dec


def visits_named(spec: Mapping[str, Any], columns: Mapping[str, Any]) -> list[int]:
    """The visits whose numbers the table itself tells."""
    named = _named(spec, columns)
    return [] if named is None else [int(visit) for visit in np.unique(named[0])]


def _whole(camera: Camera, spec: Mapping[str, Any], header: Mapping[str, Any]) -> Facts:
    """The facts of the only frame of a table, by the camera's keyword map; constants of the map overrule it."""
    overrule = {name: {"value": constant(spec, name)} for name in ("visit", "ccd", "filter", "field", "exposure_s")}
    section = dict(camera.settings["header"]) | {
        key: rule for key, rule in overrule.items() if rule["value"] is not None
    }
    return translate(replace(camera, settings={**camera.settings, "header": section}), header)


def _named(spec: Mapping[str, Any], columns: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(visit, ccd) of every row, where the table (or a constant) tells them: by columns, or by hscPipe's source id."""
    ids = integers(spec["columns"].get("id"), columns)
    if ids is not None:
        return (ids >> 32) // 200, (ids >> 32) % 200
    wanted = [spec["columns"].get(name) for name in ("visit", "ccd")]
    if any(first(one, columns) is None for one in wanted):
        return None
    pair = integers(wanted[0], columns), integers(wanted[1], columns)
    if pair[0] is None or pair[1] is None:
        raise InputError("the columns of visit and ccd do not both hold whole numbers. Map others.", "bad_column")
    return pair[0], pair[1]


def rows_of(
    spec: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str],
    named: tuple[NDArray[np.int64], NDArray[np.int64]] | None, whole: Facts | None,
) -> Rows:  # fmt: skip
    """The rows that have a place: finite x, y, or finite ra, dec where there are no pixels."""
    wanted = spec["columns"]
    origin = float(constant(spec, "pixel_origin", 0.0))
    n_row = len(next(iter(columns.values()), ()))
    pixel = [pick(wanted.get(axis), columns, units) for axis in ("x", "y")]
    sky = [pick(wanted.get(axis), columns, units, "deg") for axis in ("ra", "dec")]
    has_pixels, has_sky = (all(axis is not None for axis in pair) for pair in (pixel, sky))
    if not (has_pixels or has_sky):
        raise InputError(
            f"no columns for x, y nor for ra, dec (there are {', '.join(list(columns)[:40])}). Name them by --map.",
            "missing_column",
        )
    x, y = (np.full(n_row, np.nan) if axis is None else axis - origin for axis in pixel)
    ra, dec = (np.full(n_row, np.nan) if axis is None else axis for axis in sky)
    is_placed = np.ones(n_row, dtype=bool)
    if has_pixels:
        is_placed &= np.isfinite(x) & np.isfinite(y)
    if has_sky:
        with np.errstate(invalid="ignore"):
            is_placed &= np.isfinite(ra) & (np.abs(dec) <= 90.0)
    kept = np.flatnonzero(is_placed)
    if named is None and whole is not None:
        named = np.full(n_row, whole.visit, np.int64), np.full(n_row, whole.ccd, np.int64)
    visit, ccd = named if named is not None else (np.zeros(n_row, np.int64),) * 2
    return Rows(
        visit[kept], ccd[kept], x[kept], y[kept], sphere.normalize_ra(ra[kept]), dec[kept], has_pixels, has_sky, kept
    )


def _facts_of_visit(
    camera: Camera, spec: Mapping[str, Any], columns: Mapping[str, Any], header: Mapping[str, Any], rows: Rows,
    visit: int, known: Facts | None,
) -> Facts:  # fmt: skip
    """What is known of a visit that the table gives by number: by the registry, the columns, its stars' places."""
    if not 0 <= visit <= VISIT_MAX:
        raise InputError(f"visit {visit} is not within 0 .. {VISIT_MAX}. Map another column.", "visit_too_large")
    if known is not None:
        return known
    here = rows.kept[rows.visit == visit]
    mine = {name: np.asarray(column)[here] for name, column in columns.items()}
    name = _one(spec, "filter", mine) or quantity("filter", camera.settings["header"], header)
    found = camera.filter_of(str(name)) if name is not None else None
    if found is None:
        listed = ", ".join(one.filter for one in camera.filters)
        raise InputError(
            f"visit {visit}: filter {name!r} is unknown to camera {camera.name} (it has {listed}). "
            "Name it: --map filter:=NAME or filter=COLUMN.",
            "unknown_filter",
        )
    mjd, exposure_s = (pick(spec["columns"].get(key), mine, {}) for key in ("obs_mjd", "exposure_s"))
    middle = None if mjd is None or not np.isfinite(mjd).any() else float(np.nanmedian(mjd))
    ra, dec = sphere.mean_position(rows.ra[rows.visit == visit], rows.dec[rows.visit == visit])
    start = None if middle is None else times.to_datetime(times.to_utc(middle))
    return Facts(
        visit=visit, ccd=-1, data_type="science", filter=found.filter, band=found.band,
        field=field_name(_one(spec, "field", mine)), obs_mjd=middle, obs_start=start,
        exposure_s=None if exposure_s is None else float(np.nanmedian(exposure_s)),
        ra=ra if rows.has_sky else None, dec=dec if rows.has_sky else None,
    )  # fmt: skip


def _one(spec: Mapping[str, Any], name: str, columns: Mapping[str, Any]) -> Any:
    """The only content of a quantity in some rows, as text; None if it is not there."""
    source = first(spec["columns"].get(name), columns)
    if source is None:
        return None
    if "value" in source:
        return source["value"]
    contents = np.unique(np.asarray(columns[source["column"]]).astype(str))
    if len(contents) > 1:
        raise InputError(
            f"{name}: one visit has {', '.join(contents[:5])}. Map a column that is one per visit.", "bad_column"
        )
    return str(contents[0]).strip()
