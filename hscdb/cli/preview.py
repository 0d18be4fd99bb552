"""--show: what a command would work on, with which settings, without doing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch, fnmatchcase
from typing import TYPE_CHECKING, Any

from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.config import Settings
    from hscdb.run.repository import Repository
    from hscdb.run.select import Selection
    from hscdb.run.stage import Stage

_WHAT = ("data", "config", "history", "tasks", "run")


def show(
    repository: Repository,
    stages: Sequence[Stage],
    settings: Settings | None,
    selection: Selection,
    words: Sequence[str],
    rerun: str | None,
    options: Mapping[str, Any],
) -> None:
    """Print each of `words`: data, config[=GLOB], history[=GLOB] (which want settings), tasks.

    ConfigError `usage` on another word.
    """
    for word in words:
        what, _, glob = word.partition("=")
        if what not in _WHAT:
            raise ConfigError(f"--show {word}: not one of {', '.join(_WHAT)}.", code="usage")
        if what == "data":
            data(repository, stages[0], selection, rerun, options)
        elif what == "config" and settings is not None:
            config(settings, stages, glob)
        elif what == "history" and settings is not None:
            history(settings, stages, glob)
        elif what == "tasks":
            for stage in stages:
                needs = f"  needs {', '.join(stage.needs)}" if stage.needs else ""
                print(f"{stage.name}: one task per {stage.per}{needs}")


def data(
    repository: Repository, stage: Stage, selection: Selection, rerun: str | None, options: Mapping[str, Any]
) -> None:
    """One line per unit, as hscPipe prints it."""
    from hscdb import pipeline
    from hscdb.db.engine import transaction
    from hscdb.run import listing, tasks
    from hscdb.run import rerun as reruns
    from hscdb.run.select import data_id_line

    run_id = -1  # no run is made for a look; one that is there tells what is calibrated
    if rerun is not None:
        parent, name = reruns.parse(rerun)
        with transaction(repository.engine) as connection:
            for each in (name, parent):
                row = reruns.find_run.one(connection, name=each) if each else None
                if row is not None:
                    run_id = int(row["run_id"])
                    break
    known = {name: pipeline.outline(name) for name in pipeline.ORDER} | {stage.name: stage}
    if stage.per == "frame" and not tasks.is_behind_tract(stage, known):
        lines = listing.of_frames(repository.engine, selection)
    else:
        found = tasks.units(repository.engine, run_id, stage, selection, known, options)
        lines = [data_id_line(unit.facts or unit.ids) for unit in found]
    if selection.is_given and (len(selection.ids) > 1 or not lines):
        tasks.warn_of_empty(repository.engine, selection)
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _is_like(name: str, glob: str, was: str = "") -> bool:
    """hscPipe's rule: a glob in lower case matches whatever the case, unless it ends in :NOIGNORECASE. Its own names of
    a setting (`was`) are looked at too."""
    if not glob:
        return True
    exact = glob.endswith(":NOIGNORECASE")
    glob = glob.removesuffix(":NOIGNORECASE")
    stage, _, own = name.partition(".")
    olds = was.replace(",", " ").split()
    parts = (name, own, *olds, *(f"{stage}.{old}" for old in olds))
    if exact or glob != glob.lower():
        return any(fnmatchcase(part, glob) for part in parts)
    return any(fnmatch(part.lower(), glob) for part in parts)


def _chosen(stages: Sequence[Stage], glob: str) -> list[tuple[str, str]]:
    """(stage, name) of the settings that a glob fits; it is told if there are none."""
    from hscdb.run.config import knobs

    found = [
        (stage.name, knob.name)
        for stage in stages
        for knob in knobs(stage.name, stage.config).values()
        if _is_like(f"{stage.name}.{knob.name}", glob, knob.was)
    ]
    if not found:
        names = ", ".join(stage.name for stage in stages)
        print(f"hscdb: no setting of {names} is like {glob}. `hscdb config STAGE` lists them.", file=sys.stderr)
    return found


def config(settings: Settings, stages: Sequence[Stage], glob: str) -> None:
    """`stage.name = value`, as a settings file of --configfile holds it."""
    last = ""
    for stage, name in _chosen(stages, glob):
        if stage != last:
            print(f"[{stage}]")
        last, value = stage, settings.values[stage][name]
        print(f"{name} = {toml(value)}" if value is not None else f"# {name} is not set")


def history(settings: Settings, stages: Sequence[Stage], glob: str) -> None:
    """Each setting with who has said it."""
    for stage, name in _chosen(stages, glob):
        said = settings.history[f"{stage}.{name}"]
        print(f"{stage}.{name}: " + "  <  ".join(f"{value!r} ({where})" for where, value in said))


def toml(value: Any) -> str:
    """A setting as TOML writes it."""
    import json

    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value) if isinstance(value, str | bool | int | float) else repr(value)
