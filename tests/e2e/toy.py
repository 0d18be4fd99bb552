"""A small sky of the toy camera, a repository on it, and the means to compare runs by what they hold."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from hscdb.db.server import Server
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate

# Four CCDs of 512 x 512: many bright stars, for a WCS, a zero point and a PSF on each; few faint ones, so that the
# bright ones are not blended.
SETUP = Setup(
    camera="toy", n_visit=3, star_density=40.0, mag_limit=22.0, galaxy_density=0.3, dither_ccd=0.1, n_bias=3, n_dark=3,
    n_flat=3,
)  # fmt: skip
VISITS = [902800, 902802, 902804]
# Columns that tell who made a row and when, not what was found.
_WHO = {"run_id", "task_id", "product_id", "master_id", "bias_master_id", "dark_master_id", "flat_master_id",
        "qa_metric_id", "created_at", "swept_at", "path", "sha256", "skymap"}  # fmt: skip
TABLES = (
    "frame_isr", "frame_quality", "source", "psf_star", "source_sky", "source_ref", "wcs_solution", "flux_scale",
    "frame_tract", "frame_patch", "star", "star_member", "star_ref", "mosaic_solution", "mosaic_visit", "mosaic_ccd",
    "star_solution", "star_residual", "calibrated_source", "qa_metric", "product",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """How a command line ended."""

    status: int
    out: str
    err: str


class Runner:
    """The process of runner.py."""

    def __init__(self) -> None:
        environment = {name: text for name, text in os.environ.items() if name not in ("HSCDB_DSN", "HSCDB_TEST_DSN")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("runner.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "runner.py has ended"
        return dict(json.loads(line))

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=30)


class World:
    """A repository with all frames of a simulated sky, both reference catalogs and masters."""

    def __init__(self, folder: Path, runner: Runner, setup: Setup = SETUP) -> None:
        self.runner, self.sky, self.repository = runner, folder / "sky", folder / "repository"
        self.counts = simulate(self.sky, setup)
        self.repository.mkdir()
        # Nothing here must outlive the power: the server need not wait for the disk.
        settings = {"shared_buffers": "64MB", "wal_buffers": "16MB", "fsync": "off", "full_page_writes": "off"}
        self.server = Server(self.repository, settings)

    def __call__(self, *words: object, is_fork: bool = False, **more: Any) -> Told:
        """hscdb WORD REPOSITORY ...: the repository is put after the first word."""
        first, *rest = (str(word) for word in words)
        found = self.runner.ask(words=[first, str(self.repository), *rest], is_fork=is_fork, **more)
        return Told(**found)

    def begin(self, *words: object) -> int:
        """The same beside this process; its number."""
        first, *rest = (str(word) for word in words)
        return int(self.runner.ask(words=[first, str(self.repository), *rest], is_begun=True)["pid"])

    def wait(self, pid: int) -> Told:
        """Until such a process has ended."""
        return Told(**self.runner.ask(wait=pid))

    def done(self, *words: object, **more: Any) -> Told:
        """A command line that must succeed."""
        told = self(*words, **more)
        assert told.status == 0, (words, told)
        return told

    def fill(self) -> None:
        """init, ingest, reference catalogs, masters."""
        self.done("init", "--camera", "toy")
        self.done("ingest", self.sky / "raw", self.sky / "calib")
        self.done("ingest-refcat", "gaia_dr3", self.sky / "refcat_gaia.fits", "--preset", "gaia")
        self.done("ingest-refcat", "ps1_dr1", self.sky / "refcat_ps1.fits", "--preset", "ps1")
        for kind in ("bias", "dark", "flat"):
            self.done("master", kind, "--id")

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What a statement gives."""
        with psycopg.connect(self.server.start()) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def tasks(self, run: str) -> dict[tuple[str, str], str]:
        """{(stage, data id): status} of a run."""
        found = self.rows("SELECT stage, data_id, status FROM task JOIN run USING (run_id) WHERE name = %s", run)
        return {(stage, data_id): status for stage, data_id, status in found}

    def funnel(self, run: str, stage: str) -> dict[str, int]:
        """Sums of a stage's counts."""
        found = self.rows(
            "SELECT key, sum(entry::bigint)::bigint FROM task JOIN run USING (run_id), "
            "LATERAL jsonb_each_text(funnel) AS f (key, entry) WHERE name = %s AND stage = %s GROUP BY key", run, stage,
        )  # fmt: skip
        return {name: int(count) for name, count in found}

    def files(self, run: str) -> set[str]:
        """Files below the run, relative to the repository."""
        found = (self.repository / "rerun" / run).rglob("*")
        return {path.relative_to(self.repository).as_posix() for path in found if path.is_file()}


def content(world: World, run: str, where: str = "true") -> dict[str, list[str]]:
    """{table: its rows of a run as text, sorted}, without what tells who made them and when; files with what they hold.

    where : a condition on the columns of `task`, for part of a run.
    """
    found = {}
    with psycopg.connect(world.server.start()) as connection:
        for table in TABLES:
            columns = [
                str(name)
                for (name,) in connection.execute(
                    "SELECT column_name FROM column_doc WHERE table_name = %s ORDER BY column_name", [table]
                )
                if name not in _WHO
            ]
            # means over rows that the server may take in any order: equal but for the last digits
            listed = ", ".join(f"a.{name}" + ("::float4" if name == "figure" else "") for name in columns)
            shown = "a.path" if table == "product" else "NULL"
            statement = (
                f"SELECT ROW({listed})::text, {shown} FROM {table} AS a JOIN run AS r ON r.run_id = a.run_id "
                f"WHERE r.name = %s AND a.task_id IN (SELECT task_id FROM task WHERE {where})"
                + (" AND a.swept_at IS NULL" if table == "product" else "")
            )
            rows = connection.execute(statement.encode(), [run]).fetchall()
            found[table] = sorted(text + (_inside(world, run, path) if path else "") for text, path in rows)
    return found


def _inside(world: World, run: str, path: str) -> str:
    """Name of a file in its run, and checksum of what it holds without the cards that name run and task."""
    held = re.sub(rb"HDB_(RUN |TASK)= .{70}", b"", (world.repository / path).read_bytes())
    return path.removeprefix(f"rerun/{run}/") + " " + hashlib.sha256(held).hexdigest()


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """Tables whose rows differ, with the first rows that only one side has."""
    return {
        table: (sorted(set(rows) - set(other[table]))[:2], sorted(set(other[table]) - set(rows))[:2])
        for table, rows in one.items()
        if rows != other[table]
    }


def untidy(world: World, run: str) -> set[str]:
    """Files without a row, rows without a file, and files whose content is not that of their row."""
    listed = dict(
        world.rows("SELECT path, sha256 FROM product JOIN run USING (run_id) WHERE name = %s AND swept_at IS NULL", run)
    )
    found = set(listed) ^ world.files(run)
    for path in set(listed) & world.files(run):
        with (world.repository / path).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != listed[path]:
                found.add(path)
    return found
