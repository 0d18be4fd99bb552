"""How a visit of many CCDs scales with processes: raw frames to calexp and rows, -j 1 beside -j 2 on the same frames.

python tests/bench/bench_scaling.py [--work DIR] [--ccds 20] [--jobs 2] [--repeat 3] [--first] [--json]

`hscdb run isr..calibrate` on one simulated visit of HSC, in a process of its own, rows into the repository's server.
Before anything is measured one CCD goes through, so that all is compiled, and before each run all raw frames, masters
and modules are read, so that all find them in memory. Runs alternate (-j 1, -j 2, -j 1, ...); medians are told.

wall_s            worth something if nothing else is at work: others_s are the CPU seconds that other processes took,
                  stolen_s those that the host gave to other machines, disk_s those in which a core waited for the disk
cpu_s             of the command with all its processes; server_cpu_s of the server; task_cpu_s of the tasks alone
outside_s         CPU of the command beyond its tasks: imports, the parent, claims
start_s, end_s    from the command's start to the first task, from the last task's end to the command's
tail_s            between the end of the first worker's last task and the last one's: cores without work
gaps_s            between tasks, mean of the workers
wait_s            of the tasks' wall what was not their own CPU (the server's, the disk's, other work's), likewise
cores             CPU seconds of command and server by wall: how many cores were at work
wall ratio        the figure that is asked for
ceiling           what it would be if -j 2 kept all cores at work and needed no more CPU than -j 1 (whose wall has the
                  server at work beside the worker already)
tasks' CPU ratio  what tasks cost more beside each other
machine           the same without any of ours: a process that counts, one that copies memory, beside themselves

With --first (root only) the command goes before all other work of the machine; the files of a run go when it is over.
"""

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
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


_PROGRAM = (
    "import hscdb.cli.stages, hscdb.run.execute, hscdb.run.pool, hscdb.isr.stage, hscdb.detect.stage,"
    " hscdb.calibrate.stage"
)


def warm(repo: Path) -> None:
    """All raw frames and masters, and the program itself, into memory, as far as it has room."""
    for pattern in ("SIMULATION/**/*.fits", "rerun/calib/**/*.fits"):
        for path in repo.glob(pattern):
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass
    subprocess.run([sys.executable, "-c", f"{_PROGRAM}, hscdb.run.ready"], check=True)


def _machine_s() -> tuple[float, float, float]:
    """CPU seconds so far of all processes and the kernel; those that were stolen; those that waited for a disk."""
    ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    words = [int(each) / os.sysconf("SC_CLK_TCK") for each in ticks]
    idle, waiting, stolen = words[3], words[4], words[7]
    return sum(words) - idle - waiting - stolen, stolen, waiting


def measure(repo: Path, run: str, jobs: int, is_first: bool, ccd: str = "") -> dict[str, float]:
    """Wall and CPU of one run of all frames (or those of one ccd). is_first: before all other work of the machine."""
    repository = Repository.open(repo)
    with transaction(repository.engine):  # the server is up
        pass
    server = int((repository.path / "pgdata" / "postmaster.pid").read_text().split()[0])
    words = [sys.executable, "-c", "import sys; from hscdb.cli import main; sys.exit(main(sys.argv[1:]))"]
    words += ["run", str(repo), "isr..calibrate", "--rerun", run, "-j", str(jobs), "--id", *([ccd] if ccd else [])]
    # what the command leaves behind (the process that its workers are forked from) becomes ours to wait for
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    others = _children()  # what the making of the frames has left: they stay
    before, served, (machine, stolen, waited) = _children_s(), server_s(server), _machine_s()
    own = time.process_time()
    start, began = time.monotonic(), time.time()
    # a Python that keeps no bytecode compiles all of it in every process
    environment = {name: word for name, word in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=is_first, env=environment
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
    spent, *lost = _machine_s()
    machine = spent - machine - cpu - served - (time.process_time() - own)
    if status != 0:
        raise SystemExit(f"the run failed with status {status}")
    shutil.rmtree(repo / "rerun" / run)
    told = {
        "wall_s": wall, "others_s": machine, "stolen_s": lost[0] - stolen, "disk_s": lost[1] - waited, "cpu_s": cpu,
        "server_cpu_s": served, "cores": (cpu + served) / wall,
    }  # fmt: skip
    return told | _tasks(repository, run, began, began + wall, cpu)


def _tasks(repository: Repository, run: str, began: float, ended: float, cpu: float) -> dict[str, float]:
    """What the rows of the tasks tell of a run that lasted from `began` to `ended` [s of the clock]."""
    with repository.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT worker, CAST(extract(epoch FROM started_at) AS double precision),"
            " CAST(extract(epoch FROM finished_at) AS double precision), wall_s, cpu_s, peak_mb, stage"
            " FROM task JOIN run USING (run_id) WHERE run.name = %s ORDER BY started_at", (run,)
        ).all()  # fmt: skip
    workers: dict[str, list[Any]] = {}
    for row in rows:
        workers.setdefault(row[0], []).append(row)
    gaps = sum(after[1] - before[2] for mine in workers.values() for before, after in pairwise(mine))
    ends = [mine[-1][2] for mine in workers.values()]
    task_wall, task_cpu = sum(row[3] for row in rows), sum(row[4] for row in rows)
    told = {
        "task_cpu_s": task_cpu, "outside_s": cpu - task_cpu, "start_s": rows[0][1] - began, "end_s": ended - max(ends),
        "tail_s": max(ends) - min(ends), "gaps_s": gaps / len(workers), "wait_s": (task_wall - task_cpu) / len(workers),
        "peak_mb": max(row[5] for row in rows),
    }  # fmt: skip
    for stage in dict.fromkeys(row[6] for row in rows):
        spent = [row[4] for row in rows if row[6] == stage]
        told |= {f"{stage} median": statistics.median(spent), f"{stage} most": max(spent)}
    return told


# of each run
_SHOWN = ("wall_s", "others_s", "stolen_s", "disk_s", "cores", "start_s", "end_s", "tail_s", "gaps_s", "wait_s")

_ALONE = """
import sys, time
import numpy as np
kind = sys.argv[1]
a = np.ones(4096 if kind == "counting" else 1 << 24)
b = np.empty_like(a)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
begin = time.process_time()
for _ in range(400_000 if kind == "counting" else 60):
    np.sqrt(a, out=b) if kind == "counting" else np.copyto(b, a)
print(time.process_time() - begin)
"""


def machine_ratio(kind: str, n: int, is_first: bool) -> float:
    """CPU seconds of n processes beside each other that count in the cache, or copy memory, by those of one alone."""
    spent = []
    for number in (1, n, 1, n):
        crowd = [
            subprocess.Popen([sys.executable, "-c", _ALONE, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, start_new_session=is_first) for _ in range(number)
        ]  # fmt: skip
        with ahead(os.getpid(), *(each.pid for each in crowd)) if is_first else contextlib.nullcontext():
            for each in crowd:
                each.stdout.readline()
            for each in crowd:
                each.stdin.write("go\n")
                each.stdin.flush()
            spent.append(statistics.mean(float(each.stdout.readline()) for each in crowd))
        for each in crowd:
            each.communicate()
    return min(spent[1::2]) / min(spent[::2])


def judged(one: dict[str, float], many: dict[str, float], n_ccd: int, jobs: int) -> dict[str, float]:
    """The figures that come from both."""
    total = [each["cpu_s"] + each["server_cpu_s"] for each in (one, many)]
    return {
        "wall ratio": one["wall_s"] / many["wall_s"], "ceiling": one["wall_s"] / (total[0] / jobs),
        "CPU ratio": total[1] / total[0], "tasks' CPU ratio": many["task_cpu_s"] / one["task_cpu_s"],
        "CPU s per CCD": total[0] / n_ccd,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder to keep the frames in, or to find them in")
    parser.add_argument("--ccds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--first", action="store_true", help="before all other work of the machine (root only)")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = told.work or Path(temporary)
        work.mkdir(exist_ok=True)
        repo = prepare(work, told.ccds)
        stem = f"scale{os.getpid()}"
        measure(repo, f"{stem}_warm", 1, False, f"ccd={CCDS[0]}")
        runs: dict[int, list[dict[str, float]]] = {1: [], told.jobs: []}
        for turn in range(told.repeat):
            for jobs, known in runs.items():
                warm(repo)
                known.append(measure(repo, f"{stem}_{turn}_{jobs}", jobs, told.first))
                shown = "  ".join(f"{name} {known[-1][name]:.2f}" for name in _SHOWN)
                print(f"-j {jobs}: {shown}", file=sys.stderr, flush=True)
    one, many = ({name: statistics.median(run[name] for run in known) for name in known[0]} for known in runs.values())
    result: dict[str, Any] = {"-j 1": one, f"-j {told.jobs}": many, **judged(one, many, told.ccds, told.jobs)}
    result["machine"] = {kind: machine_ratio(kind, told.jobs, told.first) for kind in ("counting", "copying")}
    if told.json:
        print(json.dumps(result))
        return
    for title, numbers in result.items():
        print(title, round(numbers, 3) if isinstance(numbers, float) else {k: round(n, 3) for k, n in numbers.items()})


if __name__ == "__main__":
    main()
