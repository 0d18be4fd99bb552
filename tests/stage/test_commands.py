"""The hscdb command: what it prints, and its exit status."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from test_worker import fill

from hscdb import pipeline
from hscdb.cli import commands, main
from hscdb.cli.stages import span
from hscdb.errors import ConfigError
from hscdb.run import listing, select, tasks
from hscdb.run.repository import Repository, enter_camera

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: exit status, standard output, standard error."""

    def one(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return one


@pytest.fixture
def repository(fresh_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the toy camera with 3 visits of 4 ccds."""
    (tmp_path / "hscdb.toml").write_text('camera = "toy"\n')
    with Repository.open(tmp_path, fresh_dsn) as opened:
        enter_camera(opened.engine, opened.camera)
    fill(fresh_dsn)
    monkeypatch.setenv("HSCDB_DSN", fresh_dsn)
    return tmp_path


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from hscdb.cli import main; main(['--help']); print(sorted(m for m in sys.modules if m in "
    code += "('numpy', 'sqlalchemy', 'psycopg', 'astropy', 'numba', 'rich')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", [command.name for command in commands.COMMANDS])
def test_every_command_has_help_and_all_but_two_have_examples(run: Run, name: str) -> None:
    status, out, _ = run(name, "--help")
    assert status == 0
    assert out.startswith("usage: hscdb")
    assert "examples:" in out or name in ("stages", "init-db")


def test_a_command_misspelt_or_of_hscpipe_is_answered(run: Run) -> None:
    assert run("mosiac")[::2] == (2, "hscdb: no command 'mosiac'; did you mean 'mosaic'? `hscdb --help` lists them.\n")
    status, _, err = run("calibrateCatalog.py", "x")
    assert status == 2
    assert "hscdb apply REPO catalogs" in err
    assert "isr..calibrate" in run("help", "processCcd")[1]
    assert "did you mean processCcd.py" in run("help", "procesCcd.py")[2]


def test_a_forgotten_dsn_is_told_and_no_empty_server_is_made(
    run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("status", str(repository))[0] == 0
    monkeypatch.delenv("HSCDB_DSN")
    status, _, err = run("status", str(repository))
    assert status == 2
    assert "HSCDB_DSN" in err
    assert not (repository / "pgdata").exists()


def test_every_stage_of_the_pipeline_has_its_command() -> None:
    assert set(pipeline.ORDER) <= {command.name for command in commands.COMMANDS}


def test_spans_are_read_in_the_order_of_the_pipeline() -> None:
    assert span("isr..calibrate") == ["isr", "detect", "calibrate"]
    assert span("match") == ["match"]
    assert span("mosaic..") == list(pipeline.ORDER[pipeline.ORDER.index("mosaic") :])
    for word in ("mosaic..isr", "ingest..isr", "iser..match", "master"):
        with pytest.raises(ConfigError):
            span(word)


def test_usage_errors_end_with_2(run: Run, repository: Path) -> None:
    for words in (
        ["isr", repository, "--id", "vist=1", "--rerun", "a"],
        ["isr", repository, "--id", "visit=1"],  # no rerun named
        ["isr", repository, "--rerun", "a", "--where", "ccd <"],
        ["isr", repository, "--rerun", "a:b:c"],
        ["isr", repository, "--rerun", "a", "--config", "isr.do_flatt=False"],
        ["isr", repository, "--rerun", "a", "--idd"],
        ["isr", repository, "--rerun", "a", "--calib", "nowhere"],
        ["isr", repository, "-j", "0"],
        ["run", repository, "isr..mosiac", "--rerun", "a"],
        ["query", repository, "SELEC 1"],
        ["query", repository, "DELETE FROM frame"],
        ["status", repository, "--rerun", "nowhere"],
        ["status", repository / "nowhere"],
        ["display", repository, "--id", "visit=1", "--png", "a.bmp"],
        ["display", repository, "--id", "visit=1", "--png", "/nowhere/a.png"],
        ["display", repository, "--dataset", "src", "--id", "visit=1", "--png", "a.png"],
        ["display", repository, "--png", "a.png"],
    ):
        status, _, err = run(*words)
        assert status == 2, (words, err)
        assert re.match(r"hscdb( [\w-]+)?: ", err), err


def test_a_folder_without_a_repository_is_told(run: Run, tmp_path: Path) -> None:
    status, _, err = run("status", tmp_path)
    assert status == 2  # nothing was begun
    assert "hscdb init" in err


def test_a_schema_newer_than_the_program_ends_with_3(run: Run, repository: Path, fresh_dsn: str) -> None:
    with psycopg.connect(fresh_dsn) as connection:
        connection.execute("INSERT INTO schema_version (version, name, sha256) VALUES (9990, '9990_future.sql', '-')")
    status, _, err = run("status", repository)
    assert status == 3
    assert "newer than this program" in err


def test_show_data_prints_hscpipes_lines_and_makes_no_run(run: Run, repository: Path) -> None:
    status, out, _ = run("isr", repository, "--rerun", "x", "--id", "visit=100..102:2", "ccd=3", "--show", "data")
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 2
    assert lines[0].startswith("id dataRef.dataId = {'visit': 100, 'ccd': 3, 'filter': ")
    assert "'pointing': 7" in lines[0]
    assert "'dateObs': '2015-01-01'" in lines[0]
    assert "'expTime': 30.0" in lines[0]
    assert "no runs yet" in run("status", repository)[1]


def test_show_config_and_history_tell_the_resolved_settings(run: Run, repository: Path) -> None:
    words = ["isr", repository, "--rerun", "x", "--config", "do_flat=False", "--show"]
    assert "do_flat = false" in run(*words, "config=*do_flat*")[1]
    assert (
        "isr.do_flat: True (default)  <  False (--config)"
        in run(*words, "history=*DO_FLAT*:NOIGNORECASE", "history=do_flat")[1]
    )
    for glob in ("doFlat", "*.doFlat:NOIGNORECASE", "*doflat*"):  # hscPipe's name
        assert run(*words, f"config={glob}")[1] == "[isr]\ndo_flat = false\n"
    assert "no setting of isr is like *DOFLAT*" in run(*words, "config=*DOFLAT*")[2]
    assert run(*words, "everything")[0] == 2


def test_an_empty_selection_is_told_and_ends_with_1(run: Run, repository: Path) -> None:
    status, _, err = run("isr", repository, "--rerun", "x", "--id", "visit=4711")
    assert status == 1
    assert "No data found for --id visit=4711" in err
    assert '"--show data"' in err


def test_a_frame_without_its_file_fails_with_a_reason(run: Run, repository: Path) -> None:
    status, out, _ = run("run", repository, "isr..calibrate", "--rerun", "x", "--id", "visit=100", "ccd=0")
    assert status == 1
    assert "3 failed, 2 of them for want of input" in out
    status, out, _ = run("status", repository)
    assert status == 1
    assert "x isr: 1 failed" in out
    assert "x detect: 1 failed (no_input)" in out


def test_query_writes_what_it_is_asked(run: Run, repository: Path, tmp_path: Path) -> None:
    statement = "SELECT visit, ccd, NULL AS nothing, 0.5 AS half FROM frame ORDER BY 1, 2 LIMIT 2"
    assert run("query", repository, statement, "--format", "csv")[1].split() == [
        "visit,ccd,nothing,half", "100,0,,0.5", "100,1,,0.5",
    ]  # fmt: skip
    assert "(2 rows)" in run("query", repository, statement)[1]
    for ending in ("fits", "ecsv"):
        from astropy.table import Table

        path = tmp_path / f"rows.{ending}"
        assert run("query", repository, statement, "-o", path)[0] == 0
        rows = Table.read(path)
        assert rows.colnames == ["visit", "ccd", "nothing", "half"]
        assert list(rows["ccd"]) == [0, 1]


def test_describe_tells_units(run: Run, repository: Path) -> None:
    assert "frame_info" in run("db", "describe", repository)[1]
    out = run("db", "describe", repository, "visit")[1]
    assert any(line.split()[:4] == ["ra", "double", "precision", "deg"] for line in out.splitlines()), out


def test_litter_goes_and_products_stay(run: Run, repository: Path) -> None:
    from test_worker import command, fake

    with Repository.open(repository) as opened:
        (repository / "orders").mkdir()
        command(opened, (fake.FIRST,)).execute()
    products = {path for path in repository.glob("rerun/**/*") if path.is_file()}
    litter = [repository / name for name in ("rerun/out/.hscdb-1-2-x.fits", "rerun/out/00671/deep/stray.fits",
                                             "FIELD/2015-01-01/.hscdb-7-TOY-0000100-000.fits")]  # fmt: skip
    kept = [repository / name for name in ("FIELD/2015-01-01/TOY-0000100-000.fits", "rerun/out/mine/own.fits")]
    for path in (*litter, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (repository / "rerun/notes.txt").touch()
    assert run("gc", repository)[1] == "0 files, 0.0 MB removed\n"
    assert run("gc", repository, "--age", "0", "--dry-run")[1].count("\n") == 4
    assert run("gc", repository, "--age", "0")[1] == "3 files, 0.0 MB removed\n"
    left = {path for path in repository.glob("rerun/**/*") if path.is_file()}
    assert left == products | {repository / "rerun/notes.txt", kept[1]}
    assert kept[0].exists()
    assert not litter[1].parent.exists()


def test_a_run_is_deleted_with_its_rows_and_files(run: Run, repository: Path, fresh_dsn: str) -> None:
    from test_worker import command, fake

    with Repository.open(repository) as opened:
        (repository / "orders").mkdir()
        command(opened).execute()
        command(opened, (fake.FIRST,), word="out:heir").execute()
    assert "heir builds on it" in run("rerun", "delete", repository, "out", "--yes")[2]
    assert run("rerun", "delete", repository, "heir", "--yes")[0] == 0
    assert run("rerun", "delete", repository, "out", "--yes")[0] == 0
    assert not [path for path in repository.glob("rerun/**/*") if path.is_file()]
    with psycopg.connect(fresh_dsn) as connection:
        for table in ("run", "task", "product", "psf_star"):
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)


@pytest.mark.parametrize("name", pipeline.ORDER)
def test_the_outline_of_a_stage_is_what_the_stage_says(name: str) -> None:
    outline, stage = pipeline.outline(name), pipeline.load(name)
    assert replace(stage, reads=(), run=outline.run, help="") == outline


def test_frames_are_listed_as_the_units_that_would_be_worked_on(repository: Path) -> None:
    with Repository.open(repository) as opened:
        stage = pipeline.outline("isr")
        for words, where in (
            ([[]], None),
            ([["ccd=1..2"], ["visit=100..1000000000:1", "ccd=2..3"]], None),
            ([["filter=HSC-I"]], None),
            ([[]], "ccd > 1"),
        ):
            selection = select.parse(words, where)
            units = tasks.units(opened.engine, -1, stage, selection, {"isr": stage}, {})
            assert listing.of_frames(opened.engine, selection) == [select.data_id_line(unit.facts) for unit in units]
        assert len(listing.of_frames(opened.engine, select.parse([["ccd=1..2"], ["ccd=2"]], None))) == 6


def test_a_look_at_the_data_imports_no_stage(repository: Path) -> None:
    words = ["run", str(repository), "isr..calibrate", "--rerun", "a", "--id", "--show", "data"]
    code = f"import sys; from hscdb.cli import main; main({words!r})"
    code += "; print([m for m in ('numba', 'scipy', 'astropy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"
    assert len(told.stdout.splitlines()) == 13


def test_rerun_diff_tells_settings_tasks_and_figures_that_differ(run: Run, repository: Path, fresh_dsn: str) -> None:
    for name, words in (("a", []), ("b", ["--config", "isr.do_bias=false"])):
        assert run("isr", repository, "--rerun", name, "--id", "visit=100", "ccd=0", *words)[0] == 1  # no such file
    with psycopg.connect(fresh_dsn) as connection:
        connection.execute("UPDATE task SET status = 'done', reason = NULL, message = NULL WHERE run_id = 1")
        connection.execute(
            "INSERT INTO qa_metric (run_id, task_id, metric, variant, sample, figure, unit, n_used) "
            "SELECT run_id, task_id, name, 'after', 'all', figure, 'mas', 9 "
            "FROM task, (VALUES ('rms'), ('same')) AS m (name), "
            "LATERAL (SELECT CASE WHEN name = 'rms' THEN 10.0 * run_id ELSE 7 END) AS f (figure)"
        )
    status, out, _ = run("rerun", "diff", repository, "a", "b")
    lines = [line.split() for line in out.splitlines()]
    assert status == 0
    assert ["isr.do_bias", "True", "False"] in lines
    assert ["isr", "1", "0", "0", "0", "1"] in lines
    assert ["rms", "all", "10", "20", "mas"] in lines
    assert "same" not in out
    assert "which is it to be compared" in run("rerun", "diff", repository, "a")[2]
    assert "one run at a time" in run("rerun", "show", repository, "a", "b")[2]


def test_help_begins_with_what_must_be_given(run: Run) -> None:
    assert run("run", "--help")[1].startswith("usage: hscdb run REPO A..B [options]\n")
    assert run("init", "--help")[1].startswith("usage: hscdb init REPO --camera NAME [options]\n")
    assert max(map(len, run("gc", "--help")[1].splitlines())) < 130
    assert "-j, --processes, --jobs N" in run("isr", "--help")[1]


def test_words_that_are_wrong_are_told_without_argparse(run: Run) -> None:
    for words, said in (
        (("run", "R"), "hscdb run: A..B is missing. Usage: hscdb run REPO A..B [options]."),
        (("skymap", "R", "discret"), "'discret': not one of discrete, rings; did you mean 'discrete'? See"),
        (("isr", "R", "--idd"), "hscdb isr: unrecognized arguments: --idd; did you mean --id? See"),
    ):
        status, _, err = run(*words)
        assert (status, err.count("\n")) == (2, 1)
        assert said in err
