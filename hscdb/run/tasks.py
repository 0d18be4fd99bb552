"""Units of work: which there are for a stage and a selection, entered as tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.run.config import canonical
from hscdb.run.log import logger
from hscdb.run.select import Selection
from hscdb.run.stage import Stage

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

read_frames = query("run/read_frames")
read_masters = query("run/read_masters")
read_tract_frames = query("run/read_tract_frames")
read_solved_frames = query("run/read_solved_frames")
count_frames = query("run/count_frames")
insert_tasks = query("run/insert_tasks")
mark_todo = query("run/mark_todo")
read_open_units = query("run/read_open_units")
read_inputs = query("run/read_inputs")

_FACTS = ("visit", "ccd", "filter", "field", "pointing", "night", "tai_date", "exposure_s", "tract", "kind")


@dataclass(frozen=True)
class Unit:
    """One unit of work.

    data_id   : its name, e.g. `visit=903334 ccd=50`; key of its tasks.
    ids       : what a stage gets as work.unit.
    facts     : what `--show data` prints.
    newest    : when the newest of its inputs was finished; a task begun before is out of date.
    selection : what a tract was restricted to, in words; None when it takes all it has.
    frames    : those frames, structured (visit, ccd); None likewise.
    """

    data_id: str
    ids: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    filter: str | None = None
    newest: datetime | None = None
    selection: str | None = None
    frames: Any = None


def name(ids: Mapping[str, Any]) -> str:
    """`visit=903334 ccd=50`; keys without a value are left out."""
    return " ".join(f"{key}={entry}" for key, entry in ids.items() if entry is not None)


def is_behind_tract(stage: Stage, known: Mapping[str, Stage]) -> bool:
    """Whether a frame stage builds on a stage of tracts: its units then have a tract too (apply)."""
    return stage.per == "frame" and any(known[each].per == "tract" for each in stage.needs if each in known)


def units(
    engine: Engine,
    run_id: int,
    stage: Stage,
    selection: Selection,
    known: Mapping[str, Stage],
    options: Mapping[str, Any],
) -> list[Unit]:
    """The units of a stage that a selection holds, in the order they are worked on."""
    asked: dict[str, Any] = {"ids": list(selection.ids), "where_visits": None, "where_ccds": None}
    if selection.where is not None:
        from hscdb.db.where import frames

        found = frames(engine, selection.where)
        asked |= {"where_visits": found["visit"], "where_ccds": found["ccd"]}
    with transaction(engine) as connection:
        if stage.per == "repository":
            return [_repository_unit(connection, run_id, stage, options)]
        if stage.per == "ccd":
            return _master_units(connection, asked, str(options.get("kind", "bias")))
        if stage.per == "tract":
            return _tract_units(connection, run_id, stage, asked)
        if is_behind_tract(stage, known):
            return _solved_units(connection, run_id, asked, options.get("kind"))
        of_frames = _frame_units(connection, asked)
        return of_frames if stage.per == "frame" else _visit_units(of_frames)


def _facts(row: Any) -> dict[str, Any]:
    facts = {key: row[key] for key in _FACTS if key in row.dtype.names}
    return {key: entry.item() if isinstance(entry, np.generic) else entry for key, entry in facts.items()}


def _frame_units(connection: Connection, asked: Mapping[str, Any]) -> list[Unit]:
    rows = read_frames(connection, kind="raw", data_type="science", **asked)
    # column by column, for selections of 1e5 frames: fields of single numpy records are slow
    keys = [key for key in _FACTS if key in rows.dtype.names]
    found = []
    for entries in zip(*(rows[key].tolist() for key in keys), strict=True):
        facts = dict(zip(keys, entries, strict=True))
        ids = {"visit": facts["visit"], "ccd": facts["ccd"]}
        found.append(Unit(f"visit={ids['visit']} ccd={ids['ccd']}", ids, facts, facts["filter"]))
    return found


def _visit_units(frames: Iterable[Unit]) -> list[Unit]:
    first = {unit.ids["visit"]: unit for unit in reversed(list(frames))}
    return [
        Unit(
            f"visit={visit}",
            {"visit": visit},
            {k: v for k, v in first[visit].facts.items() if k != "ccd"},
            first[visit].filter,
        )
        for visit in sorted(first)
    ]


def _master_units(connection: Connection, asked: Mapping[str, Any], kind: str) -> list[Unit]:
    found = []
    for row in read_masters(connection, kind=kind, **asked):
        ids = {"kind": kind, "ccd": int(row["ccd"]), "filter": row["filter"]}
        facts = {**{key: entry for key, entry in ids.items() if entry is not None}, "n_frame": len(row["visits"])}
        frames = None
        if len(row["visits"]) < row["n_all"]:
            frames = np.array([(visit, ids["ccd"]) for visit in row["visits"]], [("visit", "i8"), ("ccd", "i4")])
        selection = None if frames is None else _describe(frames)
        found.append(Unit(name(ids), ids, facts, row["filter"], row["newest"], selection, frames))
    return found


def _tract_units(connection: Connection, run_id: int, stage: Stage, asked: Mapping[str, Any]) -> list[Unit]:
    rows = read_tract_frames(connection, run_id=run_id, **asked)
    found = []
    for tract, filter_ in sorted({(int(row["tract"]), str(row["filter"])) for row in rows}):
        mine = rows[(rows["tract"] == tract) & (rows["filter"] == filter_)]
        chosen = mine[mine["is_selected"]]
        ids = {"tract": tract, "filter": filter_}
        finished = [each for each in chosen["finished_at"] if each is not None]
        finished += _finished(connection, run_id, stage, tract=tract, filter=filter_)
        is_all = len(chosen) == len(mine)
        found.append(
            Unit(
                name(ids),
                ids,
                ids,
                filter_,
                max(finished, default=None),
                None if is_all else _describe(chosen),
                None if is_all else np.array(chosen[["visit", "ccd"]].tolist(), [("visit", "i8"), ("ccd", "i4")]),
            )
        )
    return found


def _finished(connection: Connection, run_id: int, stage: Stage, **keys: Any) -> list[datetime]:
    """When the tract-wide tasks a unit needs were finished."""
    needs = [each for each in stage.needs if each not in ("calibrate", "skymap")]
    if not needs:
        return []
    asked = {"visit": None, "ccd": None, "tract": None, "filter": None} | keys
    rows = read_inputs(connection, run_id=run_id, stages=needs, **asked)
    return [row["finished_at"] for row in rows if row["status"] == "done"]


def _describe(frames: Any) -> str:
    """Frames in the --id grammar, one word per visit and its ccds: equal text, equal frames."""
    by_ccds: dict[tuple[int, ...], list[int]] = {}
    for visit in np.unique(frames["visit"]):
        ccds = tuple(int(each) for each in np.unique(frames["ccd"][frames["visit"] == visit]))
        by_ccds.setdefault(ccds, []).append(int(visit))
    words = [f"visit={_spans(visits)} ccd={_spans(ccds)}" for ccds, visits in by_ccds.items()]
    return "; ".join(words)


def _spans(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return "^".join(str(a) if a == b else f"{a}..{b}" for a, b in spans)


def _solved_units(connection: Connection, run_id: int, asked: Mapping[str, Any], kind: Any) -> list[Unit]:
    """Frames of a tract; doing only one kind of product (images, catalogs) is a task of its own."""
    found = []
    for row in read_solved_frames(connection, run_id=run_id, **asked):
        ids = {"tract": int(row["tract"]), "visit": int(row["visit"]), "ccd": int(row["ccd"])}
        found.append(Unit(name(ids | {"kind": kind}), ids, _facts(row), row["filter"], row["finished_at"]))
    return found


def _repository_unit(connection: Connection, run_id: int, stage: Stage, options: Mapping[str, Any]) -> Unit:
    newest = _finished_any(connection, run_id, stage.needs)
    words = {key: entry for key, entry in options.items() if isinstance(entry, str | int | float | bool | list | tuple)}
    return Unit("repository", {}, {}, None, newest, canonical(words) if words else None)


def _finished_any(connection: Connection, run_id: int, needs: Sequence[str]) -> datetime | None:
    if not needs:
        return None
    rows = query("run/read_finished")(connection, run_id=run_id, stages=list(needs))
    return max((row["finished_at"] for row in rows if row["finished_at"] is not None), default=None)


def warn_of_empty(engine: Engine, selection: Selection) -> bool:
    """Tell of each --id that holds no frame at all. Whether none holds any."""
    with transaction(engine) as connection:
        rows = count_frames(connection, ids=list(selection.ids))
    empty = rows[rows["n_frame"] == 0]
    for row in empty:
        one = Selection((selection.ids[int(row["place"]) - 1],))
        logger.warning("No data found for %s", one.describe())
    return len(empty) == len(rows) > 0


def enter(engine: Engine, run_id: int, stage: Stage, found: Sequence[Unit], *, is_redo: bool) -> None:
    """Enter units as tasks and open those again that failed, are out of date, or are to be redone."""
    with transaction(engine) as connection:
        enter_in(connection, run_id, stage.name, found)
        opened = mark_todo(
            connection,
            run_id=run_id,
            stage=stage.name,
            data_ids=[unit.data_id for unit in found],
            newest=[unit.newest for unit in found],
            selections=[unit.selection for unit in found],
            is_redo=is_redo,
        )
    for row in opened:
        if row["was"] == "done" and not is_redo:
            why = (
                "its input is newer" if row["is_stale"] else f"it was done with {row['old_selection'] or 'all frames'}"
            )
            logger.info("%s %s: done again, because %s", stage.name, row["data_id"], why)


def enter_in(connection: Connection, run_id: int, stage: str, found: Sequence[Unit]) -> None:
    """Enter units as tasks, in the caller's transaction; those that are there stay as they are."""
    insert_tasks(
        connection,
        run_id=run_id,
        stage=stage,
        data_ids=[unit.data_id for unit in found],
        visits=[unit.ids.get("visit") for unit in found],
        ccds=[unit.ids.get("ccd") for unit in found],
        tracts=[unit.ids.get("tract") for unit in found],
        filters=[unit.filter for unit in found],
    )


def open_units(
    engine: Engine, run_id: int, stages: Sequence[str], found: Sequence[Unit]
) -> tuple[list[Unit], list[Unit]]:
    """Those units that have work left in any of the stages, in their order; and of these the ones no worker is at."""
    with transaction(engine) as connection:
        rows = read_open_units(
            connection, run_id=run_id, stages=list(stages), data_ids=[unit.data_id for unit in found]
        )
    is_held = {str(row["data_id"]): bool(row["is_held"]) for row in rows}
    left = [unit for unit in found if unit.data_id in is_held]
    return left, [unit for unit in left if not is_held[unit.data_id]]


def missing_input(
    connection: Connection, run_id: int, stage: str, unit: Unit, needed: Sequence[str]
) -> str | None:
    """Which of the stages that a stage needs is not done for a unit, in words; None if all are."""
    keys: dict[str, Any] = {"visit": None, "ccd": None, "tract": None} | unit.ids | {"filter": unit.filter}
    keys = {key: keys[key] for key in ("visit", "ccd", "tract", "filter")}
    found = {str(row["stage"]): row for row in read_inputs(connection, run_id=run_id, stages=list(needed), **keys)}
    for need in needed:
        row = found.get(need)
        if row is None or row["status"] in ("todo", "running"):
            return f"{stage} {unit.data_id}: {need} is not done. Run it first: `hscdb {need}`."
        if row["status"] == "failed":
            return f"{need} {row['data_id']} failed ({row['reason']}): {row['message']}"
    return None
