"""How a visit of many CCDs scales with processes: raw frames to calexp and rows, -j 1 beside -j 2 on the same frames.

python tests/bench/bench_scaling.py [--work DIR] [--ccds 20] [--jobs 2] [--repeat 1] [--first] [--json]

`hscdb run isr..calibrate` on one simulated visit of HSC, in a process of its own, rows into the repository's server.
Told are the wall (worth something on an idle machine only), and CPU seconds of the command with all its processes, of
the server, and of the tasks by stage: what -j 2 costs more than -j 1 is what it can never scale. `busy` is the part of
the wall in which the workers were at a task; `outside` the CPU of the command beyond that of its tasks (imports, the
parent, claims).
With --first (root only) the command goes before all other work of the machine; the files of a run go when it is over.
"""

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from meter import ahead, server_s

from hscdb.cli import main as hscdb
from hscdb.db.engine import transaction
from hscdb.run.repository import Repository

CCDS = (41, 42, 49, 50, 57, 58, 40, 43, 48, 51, 56, 59, 33, 34, 65, 66, 32, 35, 64, 67)
_PR_SET_CHILD_SUBREAPER = 36  # Linux


def prepare(work: Path, n_ccd: int) -> Path:
    """A repository with a visit of n_ccd CCDs, masters and reference catalogs, under `work`; kept if it is there."""
    sky, repo = work / "sky", work / "repo"
    if (work / "done").exists():
        return repo
    ccds = [str(ccd) for ccd in CCDS[:n_ccd]]
    sets = ["star_density=12", "n_bias=2", "n_dark=2", "n_flat=2"]
    simulate = ["simulate", str(sky), "--camera", "hsc", "--ccds", *ccds, "--visits", "1", "-j", "2", "--set", *sets]
    commands = [simulate, ["init", str(repo), "--camera", "hsc"]]
    for command in commands:
        _told(command)
    _told(["ingest", str(repo), *(str(path) for part in ("raw", "calib") for path in (sky / part).glob("*.fits"))])
    for kind in ("bias", "dark", "flat"):
        _told(["master", str(repo), kind, "--id", "-j", "2"])
    for name, file in (("gaia_dr3", "refcat_gaia"), ("ps1_dr1", "refcat_ps1")):
        _told(["ingest-refcat", str(repo), name, str(sky / f"{file}.fits")])
    (work / "done").touch()
    return repo


def _told(command: list[str]) -> None:
    if hscdb(command) != 0:
        raise SystemExit(f"failed: {command}")


def _children() -> set[str]:
    """Numbers of the processes that are ours to wait for."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def _children_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def measure(repo: Path, run: str, jobs: int, is_first: bool) -> dict[str, float]:
    """Wall and CPU of one run of all frames. is_first: before all other work of the machine."""
    repository = Repository.open(repo)
    with transaction(repository.engine):  # the server is up
        pass
    server = int((repository.path / "pgdata" / "postmaster.pid").read_text().split()[0])
    words = [sys.executable, "-c", "import sys; from hscdb.cli import main; sys.exit(main(sys.argv[1:]))"]
    words += ["run", str(repo), "isr..calibrate", "--rerun", run, "--id", "-j", str(jobs)]
    # what the command leaves behind (the process that its workers are forked from) becomes ours to wait for
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    others = _children()  # what the making of the frames has left: they stay
    before, served = _children_s(), server_s(server)
    start = time.monotonic()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=is_first
    )  # fmt: skip
    with ahead(server, process.pid) if is_first else contextlib.nullcontext():
        status = process.wait()
    wall = time.monotonic() - start
    with contextlib.suppress(ChildProcessError):
        while _children() - others:
            os.waitpid(-1, os.WNOHANG)
            time.sleep(0.01)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0)
    cpu, served = _children_s() - before, server_s(server) - served
    if status != 0:
        raise SystemExit(f"the run failed with status {status}")
    with repository.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT sum(cpu_s), sum(wall_s), max(peak_mb) FROM task JOIN run USING (run_id) WHERE run.name = %s", (run,)
        )
        task_cpu, task_wall, peak = (float(value) for value in rows.one())
        rows = connection.exec_driver_sql(
            "SELECT stage, percentile_cont(ARRAY[0, 0.5, 0.9, 1]) WITHIN GROUP (ORDER BY cpu_s)"
            " FROM task JOIN run USING (run_id) WHERE run.name = %s GROUP BY stage", (run,)
        )  # fmt: skip
        stages = {f"{stage} {part}": seconds for stage, spread in rows
                  for part, seconds in zip(("least", "median", "90 %", "most"), spread, strict=True)}  # fmt: skip
    shutil.rmtree(repo / "rerun" / run)
    return {
        "wall_s": wall, "cpu_s": cpu, "server_cpu_s": served, "task_cpu_s": task_cpu, "outside_s": cpu - task_cpu,
        "busy": task_wall / jobs / wall, "peak_mb": peak, **stages,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder to keep the frames in, or to find them in")
    parser.add_argument("--ccds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--first", action="store_true", help="before all other work of the machine (root only)")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = told.work or Path(temporary)
        work.mkdir(exist_ok=True)
        repo = prepare(work, told.ccds)
        result: dict[str, Any] = {}
        for turn in range(told.repeat):
            for jobs in (1, told.jobs):
                now = measure(repo, f"scale{os.getpid()}_{turn}_{jobs}", jobs, told.first)
                best = result.setdefault(f"-j {jobs}", now)
                if now["wall_s"] < best["wall_s"]:
                    result[f"-j {jobs}"] = now
    one, many = result["-j 1"], result[f"-j {told.jobs}"]
    total = [each["cpu_s"] + each["server_cpu_s"] for each in (one, many)]
    result["wall ratio"] = one["wall_s"] / many["wall_s"]
    result["CPU ratio"] = total[1] / total[0]
    result["CPU s per CCD"] = total[0] / told.ccds
    if told.json:
        print(json.dumps(result))
        return
    for title, numbers in result.items():
        print(title, round(numbers, 3) if isinstance(numbers, float) else {k: round(n, 3) for k, n in numbers.items()})


if __name__ == "__main__":
    main()
