"""Runs: opening, chaining, and the rule that a run is made with one set of settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count
from typing import TYPE_CHECKING, Any

from hscdb import __version__
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.errors import ConfigError
from hscdb.run.config import Settings, differences
from hscdb.run.log import logger

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

find_run = query("run/find_run")
read_runs = query("run/read_runs")
insert_run = query("run/insert_run")
mark_settings = query("run/mark_settings")
count_begun_tasks = query("run/count_begun_tasks")

# Name of the run that was opened last: a fork has another name than was asked for, and files are looked for in it.
opened: ContextVar[str] = ContextVar("opened", default="")

_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_./+-]*$")


@dataclass(frozen=True)
class Run:
    """An opened run (rerun) with the settings it is made with."""

    run_id: int
    name: str
    parent: str | None
    settings: Settings


def parse(word: str) -> tuple[str | None, str]:
    """`out` or `in:out` as (in or None, out). ConfigError `bad_run` on anything else."""
    parts = word.split(":")
    if len(parts) > 2 or not all(_NAME.match(part) and ".." not in part.split("/") for part in parts):
        raise ConfigError(
            f"--rerun {word}: not a name or IN:OUT. Names are made of letters, digits and _ . / + -.", code="bad_run"
        )
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def existing(connection: Connection, name: str) -> Any:
    """The row of a run. ConfigError `no_run`, with the nearest name, if there is none."""
    row = find_run.one(connection, name=name)
    if row is None:
        names = [str(each) for each in read_runs(connection)["name"]]
        near = get_close_matches(name, names, 1)
        guess = f"; did you mean '{near[0]}'?" if near else "."
        raise ConfigError(f"no run '{name}'{guess} Runs: {', '.join(names) or 'none yet'}.", code="no_run")
    return row


def open_run(
    engine: Engine,
    word: str,
    settings: Settings,
    stages: Sequence[str],
    *,
    spoken: Mapping[str, Any] | None = None,
    is_clobber: bool = False,
) -> Run:
    """Open the run named by `out` or `in:out`, making it if it is new.

    settings : as resolved for this command. Only the `stages` of this command, and names `spoken` on the command line
               ("stage.name"), are compared with what the run holds; settings of other stages stay as they are stored
               (or, in a new run, as its parent has them).
    is_clobber : where settings differ, take the new ones if no task of the stage is done under the old, else go on in
                 a fork: a new run NAME-2 (-3, ...) that builds on this one.
    Raises ConfigError `no_run`, `other_parent`, `other_settings` (listing the names that differ).
    """
    parent, name = parse(word)
    with transaction(engine) as connection:
        base = existing(connection, parent)["settings"] if parent is not None else {}
        if parent == name:
            raise ConfigError(f"--rerun {word}: a run cannot build on itself.", code="other_parent")
        if find_run.one(connection, name=name) is None:
            fresh = _merged(base, settings, stages, spoken or {})
            insert_run(
                connection,
                name=name,
                parent=parent,
                settings=fresh.values,
                settings_sha256=fresh.sha256,
                code_version=__version__,
            )
            row = existing(connection, name)
            logger.info("run %s opened%s", name, f" on {parent}" if parent else "")
            opened.set(name)
            return Run(int(row["run_id"]), name, row["parent"], fresh)
        row = existing(connection, name)
        if parent is not None and row["parent"] != parent:
            builds = f"builds on {row['parent']}" if row["parent"] else "builds on no other"
            raise ConfigError(
                f"--rerun {word}: run {name} {builds}. Give another name for the output.", code="other_parent"
            )
        if row["code_version"] != __version__:
            logger.warning("run %s was opened by hscdb %s, this is %s", name, row["code_version"], __version__)
        wanted = _merged(row["settings"], settings, stages, spoken or {})
        try:
            _agree(connection, row, wanted, is_clobber)
        except ConfigError as error:
            if not is_clobber:
                raise
            row = _fork(connection, row, wanted, str(error))
        opened.set(str(row["name"]))
        return Run(int(row["run_id"]), str(row["name"]), row["parent"], wanted)


def _merged(
    stored: Mapping[str, Any], settings: Settings, stages: Sequence[str], spoken: Mapping[str, Any]
) -> Settings:
    """This command's settings for its stages and for what was said; the stored ones for all else."""
    values: dict[str, dict[str, Any]] = {}
    for stage, names in settings.values.items():
        if stage in stages or stage not in stored:
            values[stage] = dict(names)
            continue
        values[stage] = {
            name: value if f"{stage}.{name}" in spoken else stored[stage].get(name, value)
            for name, value in names.items()
        }
    return Settings(values, settings.history)


def _fork(connection: Connection, row: Any, wanted: Settings, why: str) -> Any:
    """The row of the run NAME-2, NAME-3, ... on a run: the first that has the wanted settings, or a new one."""
    for number in count(2):
        name = f"{row['name']}-{number}"
        found = find_run.one(connection, name=name)
        if found is None:
            insert_run(
                connection, name=name, parent=row["name"], settings=wanted.values, settings_sha256=wanted.sha256,
                code_version=__version__,
            )  # fmt: skip
            found = existing(connection, name)
        if found["parent"] == row["name"] and not differences(found["settings"], wanted.values):
            logger.warning("%s\n    --clobber-config: results go to run %s, which builds on %s", why, name, row["name"])
            return found
    raise AssertionError("there is always a next number")


def _agree(connection: Connection, row: Any, wanted: Settings, is_clobber: bool) -> None:
    """Refuse settings under which the run was not made; store those of stages that have not begun."""
    changed = differences(row["settings"], wanted.values)
    if not changed:
        return
    refused, name = [], str(row["name"])
    for stage in sorted({each.partition(".")[0] for each in changed}):
        counts = count_begun_tasks.one(connection, run_id=int(row["run_id"]), stage=stage)
        if counts["n_done"] or (counts["n_begun"] and not is_clobber):
            refused.append((stage, int(counts["n_done"])))
    if refused:
        lines = [
            f"    {each}: {old!r} in the run, {new!r} now"
            for each, (old, new) in changed.items()
            if each.partition(".")[0] in {stage for stage, _ in refused}
        ]
        done = ", ".join(f"{n_done} tasks of {stage}" for stage, n_done in refused)
        is_done = any(n_done for _, n_done in refused)
        advice = "Nothing is done under the old ones: --clobber-config takes the new."
        if is_done:
            advice = (
                f"Start a run of your own on it (--rerun {name}:NEW; --clobber-config does it and calls it {name}-2), "
                f"or delete it (hscdb rerun delete REPO {name})."
            )
        raise ConfigError(
            f"run {name}: was made with other settings ({done} are done with them):\n"
            + "\n".join(lines)
            + ("" if is_clobber else f"\n    {advice}"),
            code="other_settings",
        )
    for each, (old, new) in changed.items():
        logger.info("run %s: %s is now %r (was %r); no task was done under the old", name, each, new, old)
    mark_settings(connection, run_id=int(row["run_id"]), settings=wanted.values, settings_sha256=wanted.sha256)
