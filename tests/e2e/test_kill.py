"""Kill -9 of the command, of a worker and of the server, Ctrl-C, no room for files: the same command again gives what
an undisturbed run gives."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import rawfile
from runner import kill_server
from toy import Runner, World, content, differing, untidy

# Where it strikes: function, its n-th call in the command, before or after it. One after the other on the same run.
FRAMES = [
    ("hscdb.run.worker:mark_running", 1, "before"),  # claimed, nothing begun
    ("hscdb.db.copy:write", 2, "after"),  # rows copied, not committed
    ("hscdb.run.product:TaskFiles.store", 2, "before"),  # files under their temporary names
    ("pathlib:Path.rename", 1, "after"),  # one file at its place, its row not committed
    ("hscdb.run.worker:mark_done", 3, "after"),
    ("hscdb.run.product:TaskFiles.settle", 1, "before"),  # committed, not told to anyone
    ("hscdb.run.worker:delete_lock", 1, "before"),  # a frame is over, its lock is held
    ("hscdb.run.execute:read_outcome", 1, "after"),  # in the command itself, before its workers
]
TRACTS = [
    ("hscdb.run.worker:mark_done", 1, "before"),  # match has filled its tables
    ("hscdb.run.product:TaskFiles.store", 2, "before"),  # mosaic has solved and written everything
    ("pathlib:Path.rename", 5, "after"),  # and put some of it in place
    ("hscdb.run.product:TaskFiles.settle", 1, "before"),
    ("hscdb.db.copy:write", 3, "after"),  # apply, third frame
    ("pathlib:Path.rename", 4, "after"),
    ("hscdb.run.worker:delete_lock", 9, "before"),
    ("hscdb.run.product:TaskFiles.store", 1, "after"),  # qa or what is left of apply
]
ONE_VISIT = ["isr..calibrate", "--id", "visit=902800"]
ONE_TRACT = ["match..qa", "--id", "tract=0"]
IS_FRAME = "stage IN ('isr', 'detect', 'calibrate') AND visit = 902800"
IS_TRACT = "stage IN ('match', 'mosaic', 'apply', 'qa')"


def strike(world: World, words: list[str], faults: list[tuple[str, int, str]], victim: str) -> None:
    """Run a command that is struck at each of the faults in turn, then once more in peace."""
    for place, n, when in faults:
        at = {"place": place, "n": n, "when": when, "victim": victim}
        told = world("run", *words, at=at)
        if victim == "self":
            assert told.status == -signal.SIGKILL, (place, told)
        else:
            assert told.status == 1, (place, told)
            assert "went away" in told.err, (place, told)
    world.done("run", *words, is_fork=True)


def is_whole(world: World, run: str, where: str) -> None:
    """The run holds what run `whole` holds, and but for litter that gc takes away, files and rows agree."""
    assert differing(content(world, run, where), content(world, "whole", where)) == {}
    world.done("gc", "--age", 0)
    assert untidy(world, run) == set()
    assert {status for (stage, _), status in world.tasks(run).items()} == {"done"}
    assert world.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_command_killed_again_and_again_over_frames(world: World) -> None:
    strike(world, [*ONE_VISIT, "--rerun", "killed"], FRAMES, "self")
    is_whole(world, "killed", IS_FRAME)


def test_a_command_killed_again_and_again_over_a_tract(world: World) -> None:
    strike(world, [*ONE_TRACT, "--rerun", "whole:killed-tract"], TRACTS, "self")
    is_whole(world, "killed-tract", IS_TRACT)


def test_a_server_killed_again_and_again_under_frames(world: World) -> None:
    strike(world, [*ONE_VISIT, "--rerun", "served"], FRAMES, str(world.repository))
    is_whole(world, "served", IS_FRAME)


def test_a_server_killed_again_and_again_under_a_tract(world: World) -> None:
    strike(world, [*ONE_TRACT, "--rerun", "whole:served-tract"], TRACTS, str(world.repository))
    is_whole(world, "served-tract", IS_TRACT)


def wait_for(true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_killed_worker_is_replaced_within_the_command(world: World) -> None:
    def running() -> list[int]:
        found = world.rows(
            "SELECT worker FROM task JOIN run USING (run_id) WHERE name = 'replaced' AND status = 'running'"
        )
        return [int(worker.rpartition(":")[2]) for (worker,) in found]

    pid = world.begin("run", *ONE_VISIT, "--rerun", "replaced", "-j", 2)
    wait_for(lambda: bool(running()))
    victim = running()[0]
    assert victim != pid
    os.kill(victim, signal.SIGKILL)
    told = world.wait(pid)
    assert told.status == 0, told
    assert "was killed (SIGKILL)" in told.err
    is_whole(world, "replaced", IS_FRAME)


def test_a_server_killed_under_two_workers(world: World) -> None:
    def n_done() -> int:
        return sum(status == "done" for status in world.tasks("two-served").values())

    pid = world.begin("run", *ONE_VISIT, "--rerun", "two-served", "-j", 2)
    wait_for(lambda: n_done() >= 2)
    kill_server(world.repository)
    told = world.wait(pid)
    assert told.status == 1, told
    assert "run the same command again" in told.err
    world.done("run", *ONE_VISIT, "--rerun", "two-served", "-j", 2, is_fork=True)
    is_whole(world, "two-served", IS_FRAME)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_goes_on_where_it_was(world: World, number: signal.Signals) -> None:
    run = f"stopped-{number.name}"

    def is_begun() -> bool:
        return "done" in world.tasks(run).values()

    pid = world.begin("run", *ONE_VISIT, "--rerun", run)
    wait_for(is_begun)
    os.kill(pid, number)
    told = world.wait(pid)
    assert told.status == 128 + number, told
    assert "tasks in hand were given back" in told.err
    assert set(world.tasks(run).values()) == {"done", "todo"}
    world.done("run", *ONE_VISIT, "--rerun", run, is_fork=True)
    is_whole(world, run, IS_FRAME)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_cannot_be_written_is_no_bug_and_no_failure(world: World, jobs: int) -> None:
    run = f"narrow-{jobs}"
    # A limit on the size of files meets write() as a full disk does. Images of 512 x 512 have 2.6 MB, catalogs less.
    told = world("run", *ONE_VISIT, "--rerun", run, "-j", jobs, n_byte_max=1_500_000)
    assert told.status == 1
    assert "file too large" in told.err
    assert "run the same command again" in told.err
    assert "BUG" not in told.err
    assert "Traceback" not in told.err
    assert "failed" not in world.tasks(run).values()
    assert "running" not in world.tasks(run).values()
    world.done("run", *ONE_VISIT, "--rerun", run, "-j", jobs, is_fork=True)
    is_whole(world, run, IS_FRAME)


@pytest.mark.parametrize("mode", ["link", "move"])
def test_an_ingest_killed_again_and_again_loses_no_file(
    runner: Runner, fresh_dsn: str, tmp_path: Path, mode: str
) -> None:
    repository, incoming = tmp_path / "repository", tmp_path / "incoming"
    incoming.mkdir()
    for ccd in range(4):
        rawfile.write(incoming / f"{ccd}.fits", change=rawfile.frame_id(40900, ccd))
    held = {(incoming / f"{ccd}.fits").read_bytes() for ccd in range(4)}
    runner.ask(words=["init", str(repository), "--camera", "toy", "--dsn", fresh_dsn])
    words = ["ingest", str(repository), str(incoming), "--mode", mode, "--dsn", fresh_dsn]
    for place, n, when in (
        ("hscdb.ingest.stage:enter_visit", 1, "before"),
        ("hscdb.ingest.stage:enter_frame", 1, "before"),  # the first file lies in its place, without a row
        ("hscdb.ingest.stage:delete_refusals", 2, "after"),  # two are entered, the second is not committed
        ("pathlib:Path.unlink", 3, "before"),
    ):
        told = runner.ask(words=words, at={"place": place, "n": n, "when": when, "victim": "self"})
        assert told["status"] == -signal.SIGKILL, (place, told)
    if mode == "link" or any(incoming.iterdir()):
        assert runner.ask(words=words)["status"] == 0
    with psycopg.connect(fresh_dsn) as connection:
        rows = connection.execute("SELECT ccd, path FROM frame ORDER BY ccd").fetchall()
    assert [ccd for ccd, _ in rows] == [0, 1, 2, 3]
    assert {(repository / path).read_bytes() for _, path in rows} == held
    # entered, and killed before its old name was removed: it stays, known
    assert len(list(incoming.iterdir())) == (1 if mode == "move" else 4)
