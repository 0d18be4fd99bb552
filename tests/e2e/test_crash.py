"""A server that dies with commits that workers did not wait for: what is lost is open again, what has ended is kept.
A command that dies while it changes a file leaves it as it was."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from astropy.io import fits
from runner import is_alive, kill_server
from test_kill import IS_FRAME, ONE_VISIT, is_whole
from toy import World, content, differing, untidy

from hscdb.run.product import PREFIX

_WRITERS = "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer', 'checkpointer')"
_N_SOURCE = "SELECT count(*) FROM source JOIN run USING (run_id) WHERE name = %s"


@pytest.fixture
def forget(world: World) -> Iterator[Callable[[], None]]:
    """From its call on the server has on the disk what somebody has waited for, and nothing that was committed since:
    those of its processes that would write it down a moment later sleep. Until it is killed."""
    asleep: list[int] = []

    def call() -> None:
        asleep[:] = [pid for (pid,) in world.rows(_WRITERS)]
        assert len(asleep) == 3
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)

    yield call
    if any(is_alive(pid) for pid in asleep):
        kill_server(world.repository)


def test_what_a_dying_server_has_lost_is_open_again_and_its_files_are_overwritten(
    world: World, forget: Callable[[], None]
) -> None:
    run, command = "lost", ["run", *ONE_VISIT, "--rerun", "lost", "-j", 2]
    # all frames are done, and the command has not yet waited for any commit of its workers
    dying = {"place": "hscdb.run.statistics:Statistics.end", "n": 1, "when": "before", "victim": str(world.repository)}
    for is_redone in (False, True):
        forget()
        told = world(*command, *["--redo"] * is_redone, at=dying)
        assert told.status == 1, told
        assert "Start the server" in told.err
        assert sum("calibrate visit=902800" in line and "done in" in line for line in told.err.splitlines()) == 4
        assert set(world.tasks(run).values()) == {"todo"}
        assert len([path for path in world.files(run) if "/SRC-" in path]) == 4
        if not is_redone:
            assert untidy(world, run) == world.files(run)
            assert world.rows(_N_SOURCE, run) == [(0,)]
        world.done(*command, is_fork=True)
        assert untidy(world, run) == set()
        is_whole(world, run, IS_FRAME)


def test_a_command_that_has_ended_has_lost_nothing(world: World, forget: Callable[[], None]) -> None:
    forget()
    world.done("run", *ONE_VISIT, "--rerun", "ended", "-j", 2, is_fork=True)
    kill_server(world.repository)
    is_whole(world, "ended", IS_FRAME)


# where calibrate, on its own, is at the files that detect has written
IN_A_FILE = [
    ("hscdb.fits.bit:set_plane", 1, "after"),
    ("hscdb.fits.column:overwrite", 1, "before"),
    ("hscdb.fits.bit:set_flags", 2, "before"),
]


def test_a_file_is_never_seen_half_changed(world: World) -> None:
    frames = ["--id", "visit=902800", "--rerun", "apart"]
    world.done("run", "isr..detect", *frames, is_fork=True)
    for place, n, when in IN_A_FILE:
        told = world("run", "calibrate", *frames, at={"place": place, "n": n, "when": when, "victim": "self"})
        assert told.status == -signal.SIGKILL, (place, told)
        assert {path for path in untidy(world, "apart") if not Path(path).name.startswith(PREFIX)} == set()
    world.done("run", "calibrate", *frames, is_fork=True)
    # of calibrate's own files the cards may be written with a zero more: read, they are those of `whole`
    assert differing(content(world, "apart", IS_FRAME), content(world, "whole", IS_FRAME)).keys() <= {"product"}
    world.done("gc", "--age", 0)
    assert untidy(world, "apart") == set()
    pairs = [(path, path.replace("/apart/", "/whole/")) for path in world.files("apart")]
    assert len(pairs) == 8
    for pair in pairs:
        one, other = (world.repository / path for path in pair)
        assert fits.FITSDiff(one, other, ignore_keywords=["HDB_RUN", "HDB_TASK"]).identical
