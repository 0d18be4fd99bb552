"""Files that hscPipe's commands left in places of their own: mosaic's diagnostics, jointcal's results."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hscdb.cli.old import Plan


def leave(plan: Plan) -> None:
    """Write what a Plan asks for, of the tracts and filters it was about."""
    from hscdb.db.engine import transaction
    from hscdb.pipeline import load
    from hscdb.run import rerun, select, tasks
    from hscdb.run.execute import with_needs
    from hscdb.run.repository import Repository

    with Repository.open(plan.repository) as repository:
        with transaction(repository.engine) as connection:
            run = rerun.existing(connection, rerun.opened.get() or rerun.parse(plan.rerun)[1])
        stage = load("qa")
        units = tasks.units(
            repository.engine, int(run["run_id"]), stage, select.parse(plan.ids), with_needs([stage]), {}
        )
        if plan.diagnostics is not None:
            _diagnostics(repository.path / "rerun" / str(run["name"]), Path(plan.diagnostics).expanduser(), units)
        if plan.is_jointcal:
            from hscdb.butler import jointcal

            for unit in units:
                n_file = jointcal.write(repository, run, int(unit.ids["tract"]), str(unit.ids["filter"]))
                folder = repository.path / "rerun" / str(run["name"]) / "jointcal-results" / f"{unit.ids['tract']:04d}"
                print(f"{n_file} files in {folder}")


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
