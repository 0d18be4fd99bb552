"""ingest-catalog: catalogs made elsewhere, into the registry and as calibrated frames of a run.

A frame of such a catalog is one done task of stage `calibrate`: match and all that follows see it like one of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.camera.model import Camera
from hscdb.db import copy, partition
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.db.tables import analyze
from hscdb.errors import InputError
from hscdb.fits.header import wcs_from_header
from hscdb.fits.intake import find_files, fingerprint
from hscdb.fits.table import Columns, read_table
from hscdb.ingest import catalog
from hscdb.ingest.columns import parse_map
from hscdb.ingest.measures import afw_flags
from hscdb.ingest.stage import Outcome, RawFile, RawFrame, Report, enter_frame, enter_visit, refuse, replace_refusal
from hscdb.ingest.stage_refcat import TABLES, chosen
from hscdb.ingest.translate import Facts
from hscdb.run.log import logger
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

read_visits = query("ingest/read_visits")
read_known_frames = query("ingest/read_known_frames")
replace_tasks = query("ingest/replace_tasks")
delete_refusals = query("ingest/delete_refusals")

FILLED = ("visit", "frame", "task", "source", "source_sky", "wcs_solution", "flux_scale")
_COUNTS = ("n_file", "n_frame", "n_row", "n_stored", "n_known", "n_no_position", "n_refused")


def ingest_catalog(
    engine: Engine,
    camera: Camera,
    run_id: int,
    words: Sequence[str | Path],
    *,
    preset: str | None = None,
    mapping: Sequence[str] = (),
    report: Report | None = None,
) -> Outcome:
    """Enter files of catalogs into visit, frame, source, source_sky, wcs_solution and flux_scale of a run.

    One transaction per file. preset : last, sextractor-ldac, lsst-src, lsst-matched. mapping : --map words, which
    overrule it (see catalog.spec_of). A file that is in the run already is counted as known; a frame that came from a
    file of other content is refused, and with it the whole file.

    Counts: n_file, n_frame, n_row (of sources), n_stored (frames), n_known (frames), n_no_position (rows), n_refused.
    """
    spec = catalog.spec_of(chosen("catalog", preset), parse_map(mapping))
    outcome = Outcome(dict.fromkeys(_COUNTS, 0))
    files = find_files(words, TABLES)
    for number, path in enumerate(files, start=1):
        outcome.counts["n_file"] += 1
        try:
            _ingest_file(engine, camera, run_id, path, spec, outcome.counts)
        except InputError as error:
            message = str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
            refuse(engine, path, InputError(message, error.code), outcome)
        if report is not None:
            report(number, len(files), str(path))
    if outcome.counts["n_stored"]:
        analyze(engine, FILLED)
    return outcome


def _ingest_file(
    engine: Engine, camera: Camera, run_id: int, path: Path, spec: Mapping[str, Any], counts: dict[str, int]
) -> None:
    n_byte, sha256 = fingerprint(path)
    hdu = catalog.constant(spec, "hdu", spec.get("hdu"))
    table = read_table(path, hdu if hdu is None or isinstance(hdu, str) else int(hdu), None, spec.get("header_hdu"))
    columns = afw_flags(table.columns, table.header) if spec.get("afw_flags") else table.columns
    known = _known_visits(engine, catalog.visits_named(spec, columns))
    frames, n_no_position = catalog.frames(camera, spec, columns, table.units, table.header, _header_wcs(table), known)
    if not frames:
        raise InputError(f"{path}: none of its {len(table)} rows has a position.", "nan_coordinates")
    file = RawFile(path, n_byte, sha256)
    partition.ensure(engine, run_id, [frame.facts.visit for frame in frames])
    with transaction(engine) as connection:
        new = _new_frames(connection, run_id, file, frames)
        for frame, number, is_there in new:
            enter_visit(connection, frame.facts, str(path))
            if not is_there:
                _enter_frame(connection, camera, frame, file, table, None if len(frames) == 1 else number)
        if new:
            _enter_results(connection, camera, run_id, [frame for frame, _, _ in new])
        delete_refusals(connection, path=str(path))
        if n_no_position:
            message = f"{path}: {n_no_position} of {len(table)} rows have no position and were left out."
            replace_refusal(connection, path=str(path), reason="nan_coordinates", message=message)
            logger.warning("%s", message)
    counts["n_frame"] += len(frames)
    counts["n_stored"] += len(new)
    counts["n_known"] += len(frames) - len(new)
    counts["n_row"] += sum(len(frame.measured.source) for frame, _, _ in new)
    counts["n_no_position"] += n_no_position


def _header_wcs(table: Columns) -> Wcs | None:
    """The WCS of the image's header; None if it has none."""
    try:
        return wcs_from_header(table.header)
    except InputError as error:
        if error.code != "no_wcs":
            raise
        return None


def _known_visits(engine: Engine, visits: list[int]) -> dict[int, Facts]:
    """The facts of visits that are in the registry."""
    if not visits:
        return {}
    with transaction(engine) as connection:
        rows = read_visits(connection, visits=visits)
    return {int(row["visit"]): _facts(row) for row in rows}


def _facts(row: Any) -> Facts:
    content = {name: row[name] for name in row.dtype.names}
    plain: dict[str, Any] = {
        name: entry.item() if isinstance(entry, np.generic) else entry for name, entry in content.items()
    }
    known: dict[str, Any] = {name: None if entry != entry else entry for name, entry in plain.items()}
    return Facts(ccd=-1, **known)


def _new_frames(
    connection: Connection, run_id: int, file: RawFile, frames: Sequence[catalog.CatalogFrame]
) -> list[tuple[catalog.CatalogFrame, int, bool]]:
    """(frame, its number in the file, whether the registry has it) of those that the run has not.

    InputError `duplicate_frame` if one came from a file of other content.
    """
    facts = [frame.facts for frame in frames]
    rows = read_known_frames(
        connection, run_id=run_id, visits=[one.visit for one in facts], ccds=[one.ccd for one in facts]
    )
    known = {(int(row["visit"]), int(row["ccd"])): row for row in rows}
    new = []
    for number, frame in enumerate(frames, start=1):
        row = known.get((frame.facts.visit, frame.facts.ccd))
        if row is not None and row["kind"] == "catalog" and row["sha256"] != file.sha256:
            raise InputError(
                f"{file.path}: visit={frame.facts.visit} ccd={frame.facts.ccd} is in the registry already, from a file "
                f"of other content ({row['path']}). Keep one of them.",
                "duplicate_frame",
            )
        if row is None or not row["is_done"]:
            new.append((frame, number, row is not None))
    return new


def _enter_frame(
    connection: Connection,
    camera: Camera,
    frame: catalog.CatalogFrame,
    file: RawFile,
    table: Columns,
    number: int | None,
) -> None:
    """Enter a frame; of a file with many of them, `number` marks which, and the header is not repeated for each."""
    ccd = camera.ccds[frame.facts.ccd]
    header = {key: [_plain(content), ""] for key, content in table.header.items()} if number is None else {}
    path = str(file.path) if number is None else f"{file.path}#{number}"
    enter_frame(
        connection, frame.facts, "catalog", path, RawFrame(0, frame.facts, (ccd.height, ccd.width), header), file
    )


def _plain(content: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(content, float) and not np.isfinite(content):
        return None
    return content if content is None or isinstance(content, bool | int | float) else str(content)


def _enter_results(connection: Connection, camera: Camera, run_id: int, frames: Sequence[catalog.CatalogFrame]) -> None:
    """Tasks, sources, positions, WCS and flux scales of frames."""
    facts = [frame.facts for frame in frames]
    tasks = replace_tasks(
        connection, run_id=run_id, visits=[one.visit for one in facts], ccds=[one.ccd for one in facts],
        data_ids=[f"visit={one.visit} ccd={one.ccd}" for one in facts], filters=[one.filter for one in facts],
        funnels=[json.dumps({"n_source": len(frame.measured.source)}) for frame in frames],
    )  # fmt: skip
    task_of = {(int(row["visit"]), int(row["ccd"])): int(row["task_id"]) for row in tasks}
    ids = [task_of[one.visit, one.ccd] for one in facts]
    for table in ("source", "sky"):
        rows = np.concatenate([getattr(frame.measured, table) for frame in frames])
        rows["run_id"] = run_id
        rows["task_id"] = np.repeat(np.array(ids, np.int64), [len(frame.measured.source) for frame in frames])
        copy.write(connection, "source" if table == "source" else "source_sky", rows)
    copy.write(connection, "wcs_solution", wcs_rows(camera, run_id, ids, frames))
    copy.write(connection, "flux_scale", scale_rows(run_id, ids, frames))


def wcs_rows(
    camera: Camera, run_id: int, task_ids: Sequence[int], frames: Sequence[catalog.CatalogFrame]
) -> np.ndarray[Any, Any]:
    """Rows of wcs_solution."""
    names = ("run_id", "task_id", "stage", "visit", "ccd", "status", "crval1_deg", "crval2_deg", "crpix1_pix",
             "crpix2_pix", "cd1_1_deg", "cd1_2_deg", "cd2_1_deg", "cd2_2_deg", "sip_order", "sip_a", "sip_b",
             "corner_ra", "corner_dec", "ra", "dec", "radius_deg", "n_star", "rms_mas")  # fmt: skip
    rows = np.empty(len(frames), [(name, "O") for name in names])
    for row, (task_id, frame) in enumerate(zip(task_ids, frames, strict=True)):
        wcs, ccd = frame.solved.wcs, camera.ccds[frame.facts.ccd]
        corner_ra, corner_dec = wcs.corners(ccd.width, ccd.height)
        ra, dec = wcs.pixel_to_sky((ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0)
        radius = float(sphere.separation(ra, dec, corner_ra, corner_dec).max())
        rms = frame.solved.rms_mas
        rows[row] = (
            run_id, task_id, "catalog", frame.facts.visit, frame.facts.ccd, "solved", *wcs.crval, *wcs.crpix,
            *(float(one) for one in wcs.cd.ravel()), wcs.order, wcs.sip_a(), wcs.sip_b(), corner_ra.tolist(),
            corner_dec.tolist(), float(ra), float(dec), radius, frame.solved.n_star, rms if np.isfinite(rms) else None,
        )  # fmt: skip
    return rows


def scale_rows(run_id: int, task_ids: Sequence[int], frames: Sequence[catalog.CatalogFrame]) -> np.ndarray[Any, Any]:
    """Rows of flux_scale: one number per frame."""
    names = ("run_id", "task_id", "stage", "visit", "ccd", "status", "flux_mag0_e", "poly_order", "poly_mag", "x0_pix",
             "y0_pix", "has_jacobian", "n_star")  # fmt: skip
    rows = np.empty(len(frames), [(name, "O") for name in names])
    for row, (task_id, frame) in enumerate(zip(task_ids, frames, strict=True)):
        scale = (frame.measured.flux_mag0_e, 0, [0.0], 0.0, 0.0, False, 0)
        rows[row] = (run_id, task_id, "catalog", frame.facts.visit, frame.facts.ccd, "solved", *scale)
    return rows
