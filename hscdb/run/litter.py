"""Files without rows, and runs that are not wanted any more."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from hscdb.db import partition
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.errors import ConfigError
from hscdb.fits.product import DATASETS
from hscdb.run.product import PREFIX
from hscdb.run.repository import Repository
from hscdb.run.rerun import existing, read_runs

_NOT_RAW = {"rerun", "pgdata", "server"}  # folders of a repository that ingest puts nothing into
_FOLDERS = {template.partition("/")[0] for template in DATASETS.values()}
read_product_paths = query("run/read_product_paths")
read_run_products = query("run/read_run_products")
read_master_users = query("run/read_master_users")
delete_run_tasks = query("run/delete_run_tasks")
delete_run_row = query("run/delete_run")


def find_litter(repository: Repository, age_s: float = 3600.0) -> list[Path]:
    """Temporary files of killed workers and of a killed ingest, and FITS files in the products' folders of known runs
    that have no product row. Other folders of a run are the user's (mosaic.py --diagDir may name one).

    age_s : files changed less than so many seconds ago are left out: a worker renames before it commits.
    """
    with transaction(repository.engine) as connection:
        paths = {str(path) for path in read_product_paths(connection)["path"]}
        runs = [str(name) for name in read_runs(connection)["name"]]
    old = time.time() - age_s
    found = []
    for path in sorted(repository.path.glob("rerun/**/*")):
        inside = path.relative_to(repository.path).as_posix()
        is_temporary = path.name.startswith(PREFIX) or (path.name.startswith(".") and path.name.endswith(".tmp"))
        is_ours = path.suffix == ".fits" and any(_has_products(inside, f"rerun/{name}/") for name in runs)
        if (is_temporary or (is_ours and inside not in paths)) and path.is_file() and path.stat().st_mtime <= old:
            found.append(path)
    fields = (each for each in repository.path.iterdir() if each.is_dir() and each.name not in _NOT_RAW)
    for path in sorted(one for field in fields for one in field.rglob(f"{PREFIX}*")):
        if not path.is_dir() and path.lstat().st_mtime <= old:
            found.append(path)
    return found


def _has_products(inside: str, run: str) -> bool:
    """Whether a path lies in a folder of a run where products lie: those of the templates, or a pointing's."""
    first = inside.removeprefix(run).partition("/")[0]
    return inside.startswith(run) and (first in _FOLDERS or (first.isdigit() and len(first) >= 5))


def remove(root: Path, files: Iterable[Path]) -> None:
    """Remove files, and the folders below `root` that become empty by it."""
    for path in files:
        path.unlink(missing_ok=True)
        folder = path.parent
        while folder != root and root in folder.parents and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def archive_run(repository: Repository, name: str) -> list[str]:
    """Put the measurements of a run aside, as they lie on the disk; the tables. Not while another run builds on it.

    ConfigError `no_run`, `has_heirs`, `archived`.
    """
    with transaction(repository.engine) as connection:
        row = existing(connection, name)
        heirs = [str(each["name"]) for each in read_runs(connection) if each["parent"] == name]
        if heirs:
            raise ConfigError(f"run {name}: {', '.join(heirs)} build on it. Archive them first.", code="has_heirs")
        moved = partition.archive_run(connection, int(row["run_id"]))
    if not moved:
        raise ConfigError(f"run {name}: it has no rows to archive, or they are archived already.", code="archived")
    return moved


def restore_run(repository: Repository, name: str) -> list[str]:
    """Bring back what archive_run has put aside; the tables. ConfigError `no_run`, `archived`."""
    with transaction(repository.engine) as connection:
        back = partition.restore_run(connection, int(existing(connection, name)["run_id"]))
    if not back:
        raise ConfigError(f"run {name}: nothing of it is archived.", code="archived")
    return back


def delete_run(repository: Repository, name: str) -> int:
    """Delete a run: its rows, then the files of its products; the number of files. Not while another builds on it, or
    has frames that were cleaned with its masters.

    ConfigError `no_run`, `has_heirs`.
    """
    with transaction(repository.engine) as connection:
        row = existing(connection, name)
        heirs = [str(each["name"]) for each in read_runs(connection) if each["parent"] == name]
        if heirs:
            verb = "builds" if len(heirs) == 1 else "build"
            raise ConfigError(f"run {name}: {', '.join(heirs)} {verb} on it. Delete them first.", code="has_heirs")
        run_id = int(row["run_id"])
        users = [f"{each['name']} ({each['n_frame']} frames)" for each in read_master_users(connection, run_id=run_id)]
        if users:
            raise ConfigError(
                f"run {name}: its masters were used in {', '.join(users)}. Delete those first; `hscdb master --redo` "
                "makes masters anew without deleting any.",
                code="has_heirs",
            )
        paths = [repository.path / str(each) for each in read_run_products(connection, run_id=run_id)["path"]]
        partition.drop_run(connection, run_id)
        delete_run_tasks(connection, run_id=run_id)
        delete_run_row(connection, run_id=run_id)
    there = [path for path in paths if path.exists()]
    remove(repository.path / "rerun", there)
    return len(there)
