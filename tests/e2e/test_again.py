"""The same work in other ways: more processes, again, redone, in parts, by two commands at once."""

from typing import Any

import pytest
from toy import VISITS, World, content, differing, untidy

FRAME_STAGES = "stage IN ('isr', 'detect', 'calibrate')"
TRACT_STAGES = "stage IN ('match', 'mosaic', 'apply', 'qa')"


def table(told: Any) -> dict[str, list[int]]:
    """{stage: units, skipped, done, failed, left} as the command prints them."""
    rows = [line.split() for line in told.out.splitlines()]
    return {row[0]: [int(word) for word in row[1:6]] for row in rows if len(row) >= 6 and row[1].isdigit()}


def attempts(world: World, run: str) -> dict[tuple[str, str], tuple[int, Any]]:
    """How often each task was begun, and when it was finished."""
    found = world.rows(
        "SELECT stage, data_id, n_attempt, finished_at FROM task JOIN run USING (run_id) WHERE name = %s", run
    )
    return {(stage, data_id): (n_attempt, finished_at) for stage, data_id, n_attempt, finished_at in found}


def test_two_processes_find_what_one_finds(world: World) -> None:
    world.done("run", "isr..calibrate", "--rerun", "two", "--id", "-j", 2, is_fork=True)
    assert differing(content(world, "two", FRAME_STAGES), content(world, "whole", FRAME_STAGES)) == {}
    world.done("run", "match..qa", "--rerun", "whole:two-tract", "--id", "tract=0", "-j", 2, is_fork=True)
    assert differing(content(world, "two-tract", TRACT_STAGES), content(world, "whole", TRACT_STAGES)) == {}
    assert untidy(world, "two") | untidy(world, "two-tract") == set()


def test_a_finished_run_is_left_alone(world: World) -> None:
    before = attempts(world, "whole")
    files = {path: (world.repository / path).stat().st_mtime_ns for path in world.files("whole")}
    found = table(world.done("run", "isr..calibrate", "--rerun", "whole", "--id"))
    found |= table(world.done("skymap", "discrete", "--rerun", "whole"))
    found |= table(world.done("run", "match..qa", "--rerun", "whole", "--id", "tract=0"))
    assert all(
        units == skipped and done == failed == left == 0 for units, skipped, done, failed, left in found.values()
    )
    assert set(found) == {"isr", "detect", "calibrate", "skymap", "match", "mosaic", "apply", "qa"}
    assert attempts(world, "whole") == before
    assert {path: (world.repository / path).stat().st_mtime_ns for path in world.files("whole")} == files


def test_redo_replaces_and_gives_the_same(world: World) -> None:
    words = ["run", "isr..calibrate", "--rerun", "redone", "--id", "visit=902800", "ccd=0..1"]
    world.done(*words)
    before, content_before = attempts(world, "redone"), content(world, "redone")
    assert table(world.done(*words, "--redo"))["detect"] == [2, 0, 2, 0, 0]
    assert {key: n for key, (n, _) in attempts(world, "redone").items()} == dict.fromkeys(before, 2)
    assert differing(content(world, "redone"), content_before) == {}
    assert untidy(world, "redone") == set()


def test_other_frames_make_the_tract_be_done_again(world: World) -> None:
    words = ["run", "match..mosaic", "--rerun", "whole:grown", "--id", "tract=0"]
    world.done(*words, f"visit={VISITS[0]}..{VISITS[1]}")
    assert world.funnel("grown", "match")["n_visit"] == 2
    told = world.done(*words)
    assert "done again, because it was done with visit=902800^902802" in told.err
    assert world.funnel("grown", "mosaic")["n_visit"] == 3
    some = "stage IN ('match', 'mosaic')"
    assert differing(content(world, "grown", some), content(world, "whole", some)) == {}
    assert untidy(world, "grown") == set()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--id", "visit=902800..902804:4", "ccd=1^3"], {(902800, 1), (902800, 3), (902804, 1), (902804, 3)}),
        (["--id", "visit=902800", "ccd=0", "--id", "visit=902802", "ccd=2"], {(902800, 0), (902802, 2)}),
        (["--where", "visit = 902804 AND ccd < 2 AND band = 'r'"], {(902804, 0), (902804, 1)}),
        (["--id", "ccd=0..1", "filter=HSC-R", "--where", "visit > 902802"], {(902804, 0), (902804, 1)}),
    ],
)
def test_a_selection_is_what_is_done(world: World, words: list[str], wanted: set[tuple[int, int]]) -> None:
    run = f"part{len(world.rows('SELECT name FROM run'))}"
    shown = world.done("isr", "--rerun", run, *words, "--show", "data")
    assert shown.out.count("id dataRef.dataId = ") == len(wanted)
    world.done("isr", "--rerun", run, *words)
    found = world.rows("SELECT visit, ccd, status FROM task JOIN run USING (run_id) WHERE name = %s", run)
    assert {(visit, ccd) for visit, ccd, _ in found} == wanted
    assert {status for _, _, status in found} == {"done"}


def test_two_commands_at_once_share_the_units(world: World) -> None:
    words = ["run", "isr..calibrate", "--rerun", "shared", "--id"]
    both = [world.begin(*words), world.begin(*words)]
    told = [world.wait(pid) for pid in both]
    assert [each.status for each in told] == [0, 0], told
    assert {n for n, _ in attempts(world, "shared").values()} == {1}
    workers = world.rows("SELECT DISTINCT worker FROM task JOIN run USING (run_id) WHERE name = 'shared'")
    assert len(workers) == 2
    assert differing(content(world, "shared", FRAME_STAGES), content(world, "whole", FRAME_STAGES)) == {}
    assert untidy(world, "shared") == set()
