"""What hscPipe's commands left in places of their own: mosaic's diagnostics, jointcal's solutions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hscdb.cli.old import Plan


def leave(plan: Plan) -> None:
    """Write what a Plan asks for, of the tracts and filters it was about."""
    from hscdb.db.engine import transaction
    from hscdb.pipeline import outline
    from hscdb.run import rerun, select, tasks
    from hscdb.run.execute import with_needs
    from hscdb.run.repository import Repository

    with Repository.open(plan.repository) as repository:
        with transaction(repository.engine) as connection:
            run = rerun.existing(connection, rerun.opened.get() or rerun.parse(plan.rerun)[1])
        stage = outline("qa")
        units = tasks.units(
            repository.engine, int(run["run_id"]), stage, select.parse(plan.ids), with_needs([stage]), {}
        )
        if plan.diagnostics is not None:
            _diagnostics(repository.path / "rerun" / str(run["name"]), Path(plan.diagnostics).expanduser(), units)


def part_models(plan: Plan) -> None:
    """Let a solution go to a run of its own where the plan's run holds one of another model.

    hscPipe's mosaic.py and jointcal.py on one rerun wrote to different places, and which of both a later command took
    was hard to tell. Here a run has one joint solution, and the other command's goes to RUN-2, which builds on RUN.
    """
    from hscdb.db.engine import transaction
    from hscdb.run import rerun
    from hscdb.run.repository import Repository

    with Repository.open(plan.repository) as repository, transaction(repository.engine) as connection:
        row = rerun.find_run.one(connection, name=rerun.parse(plan.rerun)[1])
    if row is None:
        return
    held = row["settings"].get("mosaic", {}).get("model", "mosaic")
    if held != plan.model:
        for command in plan.commands:
            if "--clobber-config" not in command:
                command.append("--clobber-config")


def _diagnostics(run: Path, out: Path, units: list[Any]) -> None:
    """Copy a tract's pictures and tables to OUT/<tract>/, as mosaic.py did; by filter if there are several."""
    from hscdb.fits.product import path

    for unit in units:
        tract = int(unit.ids["tract"])
        source = (run / path("MdM", **unit.ids)).parent
        several = sum(other.ids["tract"] == tract for other in units) > 1
        target = out / f"{tract:04d}" / (str(unit.ids["filter"]) if several else "")
        target.mkdir(parents=True, exist_ok=True)
        names = sorted(each for each in source.iterdir() if each.is_file() and not each.name.startswith("."))
        for each in names:
            shutil.copy2(each, target / each.name)
        print(f"{len(names)} files in {target}")
