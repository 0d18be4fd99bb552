"""ingest-refcat: reference catalog files into ref_star and ref_flux."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db import copy
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.db.tables import analyze
from hscdb.errors import ConfigError, InputError
from hscdb.fits.intake import find_files, fingerprint
from hscdb.fits.table import read_table
from hscdb.ingest import refcat
from hscdb.ingest.columns import parse_map
from hscdb.ingest.stage import Outcome, Report, refuse, replace_refusal
from hscdb.run.log import logger

if TYPE_CHECKING:
    from sqlalchemy import Engine

find_ref_catalog = query("ingest/find_ref_catalog")
insert_ref_catalog = query("ingest/insert_ref_catalog")
find_ref_file = query("ingest/find_ref_file")
insert_ref_file = query("ingest/insert_ref_file")
read_known_refs = query("ingest/read_known_refs")
mark_ref_catalog = query("ingest/mark_ref_catalog")
delete_refusals = query("ingest/delete_refusals")

TABLES = (".fits", ".fit", ".fits.gz", ".ecsv", ".csv", ".parquet", ".vot", ".votable", ".xml", ".cat", ".ldac", ".fz")


def presets(kind: str) -> dict[str, dict[str, Any]]:
    """The presets of a kind (`refcat`, `catalog`) by name, as parsed from hscdb/ingest/presets/."""
    found = {}
    for path in sorted((Path(__file__).parent / "presets").glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if content["kind"] == kind:
            found[path.stem] = content
    return found


def chosen(kind: str, name: str | None) -> dict[str, Any] | None:
    """The preset of a name; None for None. ConfigError `unknown_preset`."""
    if name is None:
        return None
    known = presets(kind)
    if name not in known:
        raise ConfigError(f"--preset {name}: no such preset (there are {', '.join(known)}).", "unknown_preset")
    return known[name]


def ingest_refcat(
    engine: Engine,
    name: str,
    words: Sequence[str | Path],
    *,
    preset: str | None = None,
    mapping: Sequence[str] = (),
    epoch: float | None = None,
    report: Report | None = None,
) -> Outcome:
    """Enter files of a reference catalog; one transaction per file.

    preset  : gaia or ps1; without one and without a mapping it is guessed from the columns of each file.
    mapping : --map words (see columns.parse_map): id, ra, dec, ra_err, dec_err, epoch, pm_ra, pm_dec, parallax, their
              errors, is_resolved, is_variable, and flux.BAND, flux_err.BAND [nJy], mag.BAND, mag_err.BAND [AB],
              snr.BAND. Angles are degrees, errors and motions mas (/yr) unless the column says otherwise.
    epoch   : julian year of the positions where rows have none.

    A file whose content was ingested before is counted as known; a star (ref_id) that is there already stays as it is.
    Rows without a position are counted, and told of in ingest_refusal.
    """
    given, overrule = chosen("refcat", preset), parse_map(mapping)
    refcat.spec_of(given, overrule)
    outcome = Outcome(dict.fromkeys(("n_file", "n_row", "n_stored", "n_known", "n_no_position", "n_refused"), 0))
    files = find_files(words, TABLES)
    for number, path in enumerate(files, start=1):
        outcome.counts["n_file"] += 1
        try:
            _ingest_file(engine, name, path, preset, given, overrule, epoch, outcome.counts)
        except InputError as error:
            refuse(engine, path, error, outcome)
        if report is not None:
            report(number, len(files), str(path))
    if outcome.counts["n_stored"]:
        analyze(engine, ("ref_star", "ref_flux"))
    return outcome


def _guess(path: Path, columns: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The preset that finds most bands in a table. InputError `unknown_columns`."""
    counts = {name: (refcat.n_found(one, columns), one) for name, one in presets("refcat").items()}
    best = max(counts, key=lambda name: counts[name][0])
    if not counts[best][0]:
        raise InputError(
            f"{path}: its columns fit no preset ({', '.join(counts)}). Name them: --map ra=COLUMN dec=COLUMN ...",
            "unknown_columns",
        )
    return best, counts[best][1]


def _ingest_file(
    engine: Engine,
    name: str,
    path: Path,
    preset_name: str | None,
    preset: Mapping[str, Any] | None,
    mapping: Mapping[str, Any],
    epoch: float | None,
    counts: dict[str, int],
) -> None:
    _, sha256 = fingerprint(path)
    table = read_table(path)
    if preset is None and not mapping:
        preset_name, preset = _guess(path, table.columns)
    year = epoch if epoch is not None else (preset or {}).get("epoch")
    epoch_mjd = None if year is None else float(refcat.mjd_of_year(year))
    spec = refcat.spec_of(preset, mapping)
    stars, fluxes, n_no_position = refcat.convert(spec, table.columns, table.units, epoch_mjd)
    with transaction(engine) as connection:
        insert_ref_catalog(connection, name=name, preset=preset_name or "map", epoch_mjd=epoch_mjd)
        catalog = int(find_ref_catalog.one(connection, name=name)["ref_catalog_id"])
        counts["n_row"] += len(table)
        counts["n_no_position"] += n_no_position
        if find_ref_file.one(connection, ref_catalog_id=catalog, sha256=sha256) is not None:
            counts["n_known"] += len(table) - n_no_position
            return
        known = read_known_refs(connection, ref_catalog_id=catalog, ref_ids=stars["ref_id"])["ref_id"]
        stars["ref_catalog_id"] = fluxes["ref_catalog_id"] = catalog
        new = stars[~np.isin(stars["ref_id"], known)]
        copy.write(connection, "ref_star", new)
        copy.write(connection, "ref_flux", fluxes[~np.isin(fluxes["ref_id"], known)])
        insert_ref_file(
            connection, ref_catalog_id=catalog, sha256=sha256, path=str(path), n_row=len(table), n_stored=len(new)
        )
        bands = [band for band in spec["band"] if (fluxes["band"] == band).any()]
        mark_ref_catalog(connection, ref_catalog_id=catalog, n_stored=len(new), bands=bands)
        delete_refusals(connection, path=str(path))
        if n_no_position:
            message = f"{path}: {n_no_position} of {len(table)} rows have no position and were left out."
            replace_refusal(connection, path=str(path), reason="nan_coordinates", message=message)
            logger.warning("%s", message)
    counts["n_stored"] += len(new)
    counts["n_known"] += len(table) - n_no_position - len(new)
