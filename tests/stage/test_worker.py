"""Units are done once, together or not at all, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hscdb.errors import ConfigError
from hscdb.run import rerun, select, worker
from hscdb.run.config import resolve
from hscdb.run.execute import Command, Outcome
from hscdb.run.product import TaskFiles
from hscdb.run.repository import Repository, enter_camera

sys.path.insert(0, str(Path(__file__).parent))
from fake import stages as fake

CCDS = range(4)


VISITS = """
INSERT INTO visit (visit, data_type, filter, band, field, pointing, night, exposure_s)
SELECT 100 + 2 * n, 'science', (SELECT min(filter) FROM filter), 'r', 'FIELD', 7, '2015-01-01', 30
  FROM generate_series(0, %s) AS n
"""
FRAMES = """
INSERT INTO frame (visit, ccd, kind, path, hdu, width_pix, height_pix, n_byte, sha256)
SELECT visit, ccd, 'raw', visit || '-' || ccd, 0, 1, 1, 1, '-'
  FROM visit, generate_series(0, 3) AS ccd
"""


def fill(dsn: str, n_visit: int = 3) -> None:
    """Visits 100, 102, ... of the toy camera."""
    with psycopg.connect(dsn) as connection:
        connection.execute(VISITS, [n_visit - 1])
        connection.execute(FRAMES)


@pytest.fixture
def repository(fresh_dsn: str, tmp_path: Path) -> Iterator[Repository]:
    """A repository of the toy camera on a database of its own, with 3 visits of 4 ccds."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "hscdb.toml").write_text('camera = "toy"\n')
    opened = Repository.open(tmp_path, fresh_dsn)
    enter_camera(opened.engine, opened.camera)
    fill(fresh_dsn)
    yield opened
    opened.close()


def command(repository: Repository, stages: Any = (fake.FIRST, fake.SECOND, fake.THIRD), **more: Any) -> Command:
    """A command on some stages; words, word (--rerun), where, ids as on the command line."""
    settings = resolve(fake.CONFIGS, words=more.pop("words", []))
    names = [stage.name for stage in stages]
    run = rerun.open_run(
        repository.engine, more.pop("word", "out"), settings, names, is_clobber=more.pop("clobber", False)
    )
    selection = select.parse(more.pop("ids", None), more.pop("where", None))
    return Command(repository, run, stages, selection, known=fake.KNOWN, **more)


def rows(repository: Repository, statement: str) -> list[tuple[Any, ...]]:
    """What a statement gives."""
    with psycopg.connect(str(repository.dsn)) as connection:
        return connection.execute(statement.encode()).fetchall()


def stars(repository: Repository) -> list[tuple[Any, ...]]:
    """All rows of the second stage, without the numbers that differ from run to run."""
    return rows(repository, "SELECT visit, ccd, x_pix, y_pix FROM psf_star ORDER BY 1, 2, 3")


def statuses(repository: Repository, stage: str) -> dict[str, str]:
    """Status by data id."""
    return dict(rows(repository, f"SELECT data_id, status FROM task WHERE stage = 'fake_{stage}' ORDER BY task_id"))  # type: ignore[arg-type]


WANTED = [(v, c, float(n), v % 97 + n / 7) for v in (100, 102, 104) for c in CCDS for n in range(3)]


def is_tidy(repository: Repository) -> bool:
    """Whether every file has its row and every row its file."""
    on_disk = {str(p.relative_to(repository.path)) for p in repository.path.glob("rerun/**/*") if p.is_file()}
    return on_disk == {path for (path,) in rows(repository, "SELECT path FROM product WHERE swept_at IS NULL")}


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_unit_is_done_once_however_many_workers(repository: Repository, jobs: int) -> None:
    outcome = command(repository, jobs=jobs).execute()
    assert outcome.exit_status == 0
    assert stars(repository) == WANTED
    assert {n for (n,) in rows(repository, "SELECT n_attempt FROM task")} == {1}
    assert [(each.stage, each.n_done, each.funnel) for each in outcome.reports] == [
        ("fake_first", 12, [("n_pixel", 12, 120.0)]),
        ("fake_second", 12, [("n_star", 12, 36.0)]),
        ("fake_third", 12, [("n_calibrated", 12, 12.0)]),
    ]
    assert is_tidy(repository)
    assert rows(repository, LOCKS) == [(0,)]


def test_workers_that_start_together_share_the_units(repository: Repository) -> None:
    (repository.path / "orders" / "meet").touch()
    outcome = command(repository, jobs=2).execute()
    workers = rows(repository, "SELECT worker, count(*) FROM task WHERE stage = 'fake_second' GROUP BY worker")
    assert len(workers) == 2
    assert sum(int(n) for _, n in workers) == 12
    assert outcome.exit_status == 0


def test_two_commands_at_once_never_do_a_unit_twice(repository: Repository) -> None:
    (repository.path / "orders" / "slow").write_text("0.03")
    both = [command(repository), command(repository)]
    threads = [threading.Thread(target=each.execute) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stars(repository) == WANTED
    assert {n for (n,) in rows(repository, "SELECT n_attempt FROM task")} == {1}


def test_a_failed_unit_leaves_no_rows_and_one_reason(repository: Repository) -> None:
    (repository.path / "orders" / "fail-2").touch()
    outcome = command(repository, ids=[["visit=100"]]).execute()
    assert outcome.exit_status == 1
    found = rows(repository, "SELECT stage, status, reason, message FROM task WHERE ccd = 2 ORDER BY task_id")
    assert [row[:3] for row in found] == [
        ("fake_first", "failed", "too_dark"), ("fake_second", "failed", "no_input"),
        ("fake_third", "failed", "no_input"),
    ]  # fmt: skip
    assert all("too dark (0 vs 1)" in row[3] for row in found)
    assert rows(repository, "SELECT count(*) FROM psf_star WHERE ccd = 2") == [(0,)]
    assert rows(repository, "SELECT count(*) FROM product WHERE ccd = 2") == [(0,)]
    assert is_tidy(repository)
    assert len(outcome.reports[0].failures) == 1


def test_the_next_command_tries_the_failed_again_and_skips_the_done(repository: Repository) -> None:
    (repository.path / "orders" / "fail-2").touch()
    command(repository).execute()
    (repository.path / "orders" / "fail-2").unlink()
    outcome = command(repository).execute()
    assert outcome.exit_status == 0
    assert stars(repository) == WANTED
    assert [(each.n_skipped, each.n_done) for each in outcome.reports] == [(9, 3), (9, 3), (9, 3)]
    assert dict(rows(repository, "SELECT ccd, max(n_attempt) FROM task WHERE stage = 'fake_first' GROUP BY ccd")) == {
        0: 1, 1: 1, 2: 2, 3: 1,
    }  # fmt: skip


def test_a_unit_that_fails_when_redone_loses_its_earlier_rows_and_files(repository: Repository) -> None:
    command(repository).execute()
    (repository.path / "orders" / "fail-1").touch()
    outcome = command(repository, is_redo=True).execute()
    assert outcome.exit_status == 1
    assert stars(repository) == [row for row in WANTED if row[1] != 1]
    assert is_tidy(repository)


def test_a_redone_task_replaces_its_rows_and_products(repository: Repository) -> None:
    command(repository).execute()
    before = rows(repository, "SELECT task_id, path, sha256 FROM product ORDER BY path")
    outcome = command(repository, is_redo=True).execute()
    assert outcome.exit_status == 0
    assert stars(repository) == WANTED
    assert rows(repository, "SELECT task_id, path, sha256 FROM product ORDER BY path") == before
    assert is_tidy(repository)


def test_what_was_swept_is_made_again_when_it_is_needed(repository: Repository) -> None:
    command(repository).execute()
    outcome = command(repository, (fake.SECOND,), is_redo=True, ids=[["visit=102", "ccd=3"]]).execute()
    assert outcome.exit_status == 0
    again = rows(repository, "SELECT stage, n_attempt, status FROM task WHERE visit = 102 AND ccd = 3 ORDER BY task_id")
    assert again == [("fake_first", 2, "done"), ("fake_second", 3, "done"), ("fake_third", 1, "todo")]
    assert stars(repository) == WANTED


def contents(repository: Repository, run: str = "out") -> dict[tuple[int, int], tuple[str, str]]:
    """Text of calexp and the stage it belongs to, by visit and ccd."""
    found = rows(
        repository,
        "SELECT p.visit, p.ccd, p.path, t.stage FROM product AS p JOIN task AS t USING (task_id) JOIN run AS r"
        f" ON r.run_id = p.run_id WHERE dataset = 'calexp' AND swept_at IS NULL AND r.name = '{run}'",
    )
    return {(v, c): ((repository.path / path).read_text(), stage) for v, c, path, stage in found}


def test_what_a_stage_leaves_to_the_next_is_written_by_it_or_where_it_fails(repository: Repository) -> None:
    for order in ("leave", "fail-third-1"):
        (repository.path / "orders" / order).touch()
    for _ in range(2):
        assert command(repository, is_redo=True).execute().exit_status == 1
        assert contents(repository) == {
            (v, c): (f"second {{'visit': {v}, 'ccd': {c}}}" + " calibrated" * (c != 1), "fake_second")
            for v in (100, 102, 104)
            for c in CCDS
        }
        assert is_tidy(repository)
    (repository.path / "orders" / "fail-third-1").unlink()
    assert command(repository).execute().exit_status == 0
    assert {text.endswith(" calibrated") for text, _ in contents(repository).values()} == {True}
    assert {n for (n,) in rows(repository, "SELECT n_attempt FROM task WHERE stage = 'fake_second'")} == {2}


def test_what_a_killed_worker_has_left_is_made_again_and_not_taken_from_a_parent(repository: Repository) -> None:
    command(repository, word="one").execute()
    for order in ("leave", "kill-third-2"):
        (repository.path / "orders" / order).touch()
    stages = (fake.SECOND, fake.THIRD)
    command(repository, (fake.FIRST,), word="one", is_redo=True).execute()
    assert command(repository, stages, word="one:two", jobs=2).execute().exit_status == 0
    assert {text.endswith(" calibrated") for text, _ in contents(repository, "two").values()} == {True}
    assert len(contents(repository, "two")) == 12
    again = rows(
        repository,
        "SELECT n_attempt FROM task JOIN run USING (run_id) WHERE stage = 'fake_second' AND name = 'two' AND ccd = 2",
    )
    assert sorted(again) == [(1,), (1,), (2,)]
    assert is_tidy(repository)


def test_later_tasks_of_a_redone_frame_are_open_again(repository: Repository) -> None:
    command(repository).execute()
    command(repository, (fake.FIRST,), is_redo=True, ids=[["ccd=0"]]).execute()
    assert {k for k, v in statuses(repository, "third").items() if v == "todo"} == {
        f"visit={v} ccd=0" for v in (100, 102, 104)
    }
    assert command(repository).execute().exit_status == 0
    assert stars(repository) == WANTED


def test_a_bug_stops_the_worker_and_gives_the_task_back(repository: Repository) -> None:
    (repository.path / "orders" / "bug-1").touch()
    outcome = command(repository, ids=[["visit=100"]]).execute()
    assert outcome.exit_status == 1
    assert "ZeroDivisionError" in outcome.bugs[0].text
    assert statuses(repository, "second")["visit=100 ccd=1"] == "todo"
    assert rows(repository, "SELECT count(*) FROM psf_star WHERE ccd = 1") == [(0,)]
    (repository.path / "orders" / "bug-1").unlink()
    assert command(repository).execute().exit_status == 0
    assert stars(repository) == WANTED


def test_a_killed_worker_is_replaced_and_its_unit_taken_over(repository: Repository) -> None:
    (repository.path / "orders" / "kill-3").touch()
    outcome = command(repository, jobs=2).execute()
    assert not list((repository.path / "orders").iterdir())
    assert outcome.exit_status == 0
    assert stars(repository) == WANTED
    litter = [p for p in repository.path.glob("rerun/**/.hscdb-*") if p.is_file()]
    assert len(litter) == 1  # what the killed worker was writing


def test_a_unit_that_kills_every_worker_ends_as_failed(repository: Repository) -> None:
    (repository.path / "orders" / "always-kill-3").touch()
    outcome = command(repository, jobs=2, ids=[["visit=100"]]).execute()
    assert outcome.exit_status == 1
    assert [(f[0], f[1]) for f in outcome.reports[1].failures] == [("visit=100 ccd=3", "worker_killed")]
    assert stars(repository) == [row for row in WANTED if row[0] == 100 and row[1] != 3]


def test_a_product_is_renamed_only_with_its_row(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, int]] = []

    def look(what: str) -> None:
        seen.append((what, len(list(repository.path.glob("rerun/out/**/CORR-*"))), n_done(repository)))

    def marked(*words: Any, **more: Any) -> Any:
        look("marked")
        return mark_done(*words, **more)

    def settled(files: TaskFiles) -> None:
        look("committed")
        settle(files)

    mark_done, settle = worker.mark_done, TaskFiles.settle
    monkeypatch.setattr(worker, "mark_done", marked)
    monkeypatch.setattr(TaskFiles, "settle", settled)
    command(repository, (fake.FIRST, fake.SECOND), ids=[["visit=100", "ccd=0"]]).execute()
    assert seen == [("marked", 0, 0), ("committed", 0, 0), ("marked", 0, 0), ("committed", 1, 1)]


def test_a_run_reads_its_parents_products(repository: Repository) -> None:
    command(repository, (fake.FIRST,), word="one").execute()
    outcome = command(repository, (fake.SECOND, fake.THIRD), word="one:two").execute()
    assert outcome.exit_status == 0
    assert rows(repository, "SELECT DISTINCT name, dataset FROM product JOIN run USING (run_id) ORDER BY 1") == [
        ("one", "postISRCCD"), ("two", "calexp"),
    ]  # fmt: skip
    assert rows(repository, "SELECT count(*) FROM product WHERE swept_at IS NOT NULL") == [(0,)]
    again = command(repository, (fake.SECOND,), word="two").execute()
    assert [(each.n_skipped, each.n_done) for each in again.reports] == [(12, 0)]


def test_a_stage_without_its_input_says_which(repository: Repository) -> None:
    outcome = command(repository, (fake.SECOND,), ids=[["visit=100", "ccd=0"]]).execute()
    ((data_id, reason, message),) = outcome.reports[0].failures
    assert (data_id, reason) == ("visit=100 ccd=0", "no_input")
    assert "fake_first is not done" in message


def test_other_settings_are_refused_by_name(repository: Repository) -> None:
    command(repository).execute()
    with pytest.raises(ConfigError, match=r"fake_second\.n_row: 3 in the run, 5 now") as caught:
        command(repository, (fake.SECOND,), words=["fake_second.n_row=5"])
    assert caught.value.code == "other_settings"
    assert "--rerun out:NEW; --clobber-config does it and calls it out-2" in str(caught.value)
    outcome = command(repository, (fake.SECOND,), words=["fake_second.n_row=5"], word="out:new").execute()
    assert outcome.exit_status == 0
    assert rows(repository, "SELECT name, count(*) FROM psf_star JOIN run USING (run_id) GROUP BY 1 ORDER BY 1") == [
        ("new", 60), ("out", 36),
    ]  # fmt: skip


def test_clobber_forks_a_run_that_has_done_tasks_and_says_so(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    command(repository).execute()
    for n_row, name in ((5, "out-2"), (6, "out-3"), (5, "out-2")):
        caplog.clear()
        with caplog.at_level("WARNING", "hscdb.run"):
            forked = command(repository, (fake.SECOND,), words=[f"fake_second.n_row={n_row}"], clobber=True)
        assert (forked.run.name, forked.run.parent) == (name, "out")
        assert f"fake_second.n_row: 3 in the run, {n_row} now" in caplog.text
        assert f"results go to run {name}, which builds on out" in caplog.text
        assert forked.execute().exit_status == 0
    assert rows(repository, "SELECT name, count(*) FROM psf_star JOIN run USING (run_id) GROUP BY 1 ORDER BY 1") == [
        ("out", 36), ("out-2", 60), ("out-3", 72),
    ]  # fmt: skip


def test_settings_of_a_stage_that_was_only_tried_need_clobber(repository: Repository) -> None:
    for ccd in CCDS:
        (repository.path / "orders" / f"fail-{ccd}").touch()
    command(repository, (fake.FIRST,)).execute()
    with pytest.raises(ConfigError, match="--clobber-config"):
        command(repository, (fake.FIRST,), words=["fake_first.n_row=9"])
    command(repository, (fake.FIRST,), words=["fake_first.n_row=9"], clobber=True)
    assert rows(repository, "SELECT settings -> 'fake_first' ->> 'n_row' FROM run") == [("9",)]


def test_unknown_parents_and_other_parents_are_refused(repository: Repository) -> None:
    command(repository, (fake.FIRST,), word="first")
    with pytest.raises(ConfigError, match="did you mean 'first'"):
        command(repository, word="frist:new")
    command(repository, (fake.FIRST,), word="first:child")
    command(repository, (fake.FIRST,), word="other")
    with pytest.raises(ConfigError, match="builds on first"):
        command(repository, word="other:child")
    for word in ("a:b:c", "", "../up", "x:x"):
        with pytest.raises(ConfigError):
            command(repository, word=word)


def test_where_selects_by_what_the_view_knows(repository: Repository) -> None:
    outcome = command(repository, (fake.FIRST,), where="ccd < 2 AND field = 'FIELD' AND visit IN (100, 104)").execute()
    assert list(statuses(repository, "first")) == [f"visit={v} ccd={c}" for v in (100, 104) for c in (0, 1)]
    assert outcome.exit_status == 0


@pytest.mark.parametrize(
    "where",
    ["ccd < 2; DELETE FROM frame", "ccd < 2) OR (1 = 1", "true) UNION SELECT 1, 2 FROM frame WHERE (true", "ccd < 2 --",
     "no_such_column > 1", "ccd <", "pg_sleep(0) IS NULL /* */", "ccd = 'a'", " ", "(ccd = 1"],
)  # fmt: skip
def test_where_is_a_condition_and_nothing_else(repository: Repository, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        command(repository, (fake.FIRST,), where=where).execute()
    assert caught.value.code == "bad_where"
    assert rows(repository, "SELECT count(*) FROM frame") == [(12,)]


def test_where_can_change_nothing(repository: Repository) -> None:
    with psycopg.connect(str(repository.dsn)) as connection:
        connection.execute("CREATE FUNCTION harm() RETURNS boolean LANGUAGE sql AS 'DELETE FROM frame RETURNING true'")
    with pytest.raises(ConfigError, match=r"read-only|permission"):
        command(repository, (fake.FIRST,), where="harm()").execute()


def test_an_empty_selection_is_told_and_no_success(repository: Repository, caplog: pytest.LogCaptureFixture) -> None:
    outcome = command(repository, ids=[["visit=9999"]]).execute()
    assert outcome.exit_status == 1
    assert [each.n_unit for each in outcome.reports] == [0, 0, 0]


MAIN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where our caller ignores it
sys.path.insert(0, {here!r})
from test_worker import command, fake, Repository
from hscdb.run import log
if __name__ == "__main__":
    log.start()
    outcome = command(Repository.open({path!r}, {dsn!r}), jobs={jobs}).execute()
    print("lost:", outcome.lost)
    sys.exit(outcome.exit_status)
"""


# of this database: other tests' databases are on the same server
LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def begin(repository: Repository, jobs: int = 1) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    script = repository.path / "main.py"
    here = str(Path(__file__).parent)
    script.write_text(MAIN.format(here=here, path=str(repository.path), dsn=repository.dsn, jobs=jobs))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    """Until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def hold_last_visit(repository: Repository) -> Path:
    """Let no worker finish visit 104, however long it takes us to look; the file whose removal ends that."""
    path = repository.path / "orders" / "hold-104"
    path.touch()
    return path


def n_done(repository: Repository) -> int:
    """Done tasks of the second stage."""
    return int(rows(repository, "SELECT count(*) FROM task WHERE stage = 'fake_second' AND status = 'done'")[0][0])


def test_a_command_that_is_killed_is_finished_by_the_next(repository: Repository) -> None:
    hold = hold_last_visit(repository)
    process = begin(repository)
    wait_for(lambda: n_done(repository) >= 3)
    process.kill()
    process.communicate()
    assert n_done(repository) < 12
    hold.unlink()
    assert command(repository).execute().exit_status == 0
    assert stars(repository) == WANTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_and_sigterm_leave_nothing_half_done(repository: Repository, jobs: int, number: signal.Signals) -> None:
    (repository.path / "orders" / "slow").write_text("0.1")
    hold_last_visit(repository)
    process = begin(repository, jobs)
    wait_for(lambda: n_done(repository) >= 2)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode not in (0, -signal.SIGTERM)
    assert set(statuses(repository, "second").values()) == {"done", "todo"}
    assert is_tidy(repository)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own answer to SIGINT, also where the tests are run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_the_middle_of_a_statement_gives_the_task_back(repository: Repository) -> None:
    (repository.path / "orders" / "stop-2").touch()
    with pytest.raises(KeyboardInterrupt):
        command(repository).execute()
    found = rows(repository, "SELECT stage, status FROM task WHERE data_id = 'visit=100 ccd=2' ORDER BY task_id")
    assert found == [("fake_first", "done"), ("fake_second", "todo"), ("fake_third", "todo")]
    assert is_tidy(repository)
    assert rows(repository, LOCKS) == [(0,)]
    assert command(repository).execute().exit_status == 0
    assert stars(repository) == WANTED


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_a_task_is_committed_waits_until_it_is_done(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*words: Any, **more: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return mark_done(*words, **more)

    mark_done = worker.mark_done
    monkeypatch.setattr(worker, "mark_done", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command(repository).execute()
    done = rows(repository, "SELECT stage, data_id FROM task WHERE status = 'done'")
    assert done == [("fake_first", "visit=100 ccd=0")]
    assert set(statuses(repository, "second").values()) == {"todo"}
    assert is_tidy(repository)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Repository]:
    """A repository with an embedded server of its own, to be killed."""
    folder = tmp_path / "repository"
    opened = Repository.create(folder, "toy")
    (folder / "orders").mkdir()
    fill(opened.start())
    opened.dsn = None
    yield opened
    assert opened.server is not None
    opened.server.remove()


def test_a_killed_server_is_an_error_and_the_next_command_goes_on(own_server: Repository) -> None:
    server = own_server.server
    assert server is not None
    hold = hold_last_visit(own_server)
    watched = Repository.open(own_server.path, server.dsn())
    watched.path = own_server.path
    process = begin(watched)
    wait_for(lambda: n_done(watched) >= 3)
    os.kill(int((server.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    hold.unlink()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert "lost: " in told
    assert "lost: None" not in told, told
    with Repository.open(own_server.path) as again:
        outcome: Outcome = command(again).execute()
    assert outcome.exit_status == 0
    assert stars(watched) == WANTED
