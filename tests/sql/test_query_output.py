"""hscdb query: formats give the rows back with units, UCDs and meanings; a cut is told; Ctrl-C reaches the server."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import Table
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from hscdb.cli import main
from hscdb.db.engine import connect
from hscdb.db.stream import answer
from hscdb.errors import ConfigError

COLUMNS = "visit, exp_id, ra, exposure_s * 2 AS twice, pointing, night, visit = 3 AS is_three"
SELECT = f"SELECT {COLUMNS} FROM visit ORDER BY visit"


@pytest.fixture
def repository(fresh_dsn: str, tmp_path: Path) -> Path:
    (tmp_path / "hscdb.toml").write_text(f'camera = "toy"\ndsn = "{fresh_dsn}"\n')
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        rows = (
            "VALUES (1, 'é', 'science', 10.25, 30, 5, '2020-01-02'::date), (2, NULL, 'science', NULL, NULL, NULL, NULL)"
        )
        columns = "visit, exp_id, data_type, ra, exposure_s, pointing, night"
        connection.execute(
            f"INSERT INTO visit ({columns}) {rows}, (3, 'c', 'bias', 0.125, 1, 7, '2020-01-03')".encode()
        )
    return tmp_path


def ask(repository: Path, statement: str, *words: Any) -> int:
    return main(["query", str(repository), statement, *map(str, words)])


def test_fits_has_units_ucds_meanings_and_missing_numbers(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.fits"
    assert ask(repository, SELECT, "-o", path) == 0
    header = fits.getheader(path, 1)
    by_name = {header[f"TTYPE{i}"]: i for i in range(1, 8)}
    assert header[f"TUNIT{by_name['ra']}"] == "deg"
    assert header[f"TUCD{by_name['ra']}"] == "pos.eq.ra"
    assert header[f"TCOMM{by_name['ra']}"] == "boresight right ascension, ICRS"
    assert f"TUNIT{by_name['twice']}" not in header  # a computed column: nothing is known of it
    table = Table.read(path)
    assert list(table["visit"]) == [1, 2, 3]
    assert table["pointing"].mask.tolist() == [False, True, False]
    assert (table["ra"][0], table["twice"][0], table["exp_id"][0].strip()) == (10.25, 60.0, "é")
    assert np.ma.is_masked(table["ra"][1]) or np.isnan(table["ra"][1])
    assert list(table["is_three"]) == [False, False, True]


def test_votable_and_ecsv_have_them_too(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.vot"
    assert ask(repository, SELECT, "-o", path) == 0
    table = parse(path).get_first_table()
    field = {f.name: f for f in table.fields}["ra"]
    assert (str(field.unit), field.ucd, field.description) == ("deg", "pos.eq.ra", "boresight right ascension, ICRS")
    assert table.array["pointing"].mask.tolist() == [False, True, False]
    assert b"OVERFLOW" not in path.read_bytes()
    path = tmp_path / "out.ecsv"
    assert ask(repository, SELECT, "-o", path) == 0
    read = Table.read(path)
    assert (str(read["ra"].unit), read["ra"].meta["ucd"]) == ("deg", "pos.eq.ra")
    assert read["ra"].description == "boresight right ascension, ICRS"
    assert read["pointing"].mask.tolist() == [False, True, False]
    assert read["pointing"].dtype.kind == "i"


ODD = """SELECT 1 AS n, true AS is_it, CAST('2026-01-02 03:04:05.678901+02' AS timestamptz) AS at,
  CAST('2026-01-02' AS date) AS day, CAST('{"k": [1, null], "é": "a"}' AS jsonb) AS document,
  CAST('\\xdeadbeef' AS bytea) AS raw,
  E'a,b"c\nd' AS words, CAST('{1.5,2.5}' AS double precision[]) AS pair
UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL
UNION ALL SELECT 3, false, NULL, NULL, NULL, NULL, '', '{3,4}'
ORDER BY 1"""


@pytest.mark.parametrize("form", ["fits", "votable", "ecsv"])
@pytest.mark.filterwarnings("ignore:Column 'is_it' contains NULL")  # astropy's own reading of FITS
def test_booleans_times_documents_and_bytes_are_written_as_others_read_them(
    repository: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "out"
    assert ask(repository, ODD, "-o", path, "--format", form) == 0
    read = Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
    assert str(read["at"][0]) == "2026-01-02T01:04:05.678901"  # UTC
    assert str(read["day"][0]) == "2026-01-02"
    assert json.loads(read["document"][0]) == {"k": [1, None], "é": "a"}
    assert str(read["raw"][0]) == "\\xdeadbeef"
    assert str(read["words"][0]) == 'a,b"c\nd'
    assert read["pair"][2].tolist() == [3.0, 4.0]
    if form == "fits":
        with fits.open(path, logical_as_bytes=True) as file:
            assert file[1].data["is_it"].tolist() == [b"T", b"", b"F"]
    else:
        assert read["is_it"].tolist() == [True, None, False]
    if form == "votable":
        kinds = {field.name: (field.datatype, field.xtype) for field in parse(path).get_first_table().fields}
        assert kinds["is_it"] == ("boolean", None)
        assert kinds["at"] == ("char", "timestamp")


def test_a_line_of_a_table_stays_a_line(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(repository, ODD) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2 + 3 + 1
    assert 'a,b"c\\nd' in shown[2]
    assert '{"k": [1, null], "é": "a"}' in shown[2]
    assert ask(repository, ODD, "--format", "csv") == 0
    row = next(iter(list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]))
    assert (json.loads(row[4]), row[5], row[6]) == ({"k": [1, None], "é": "a"}, "\\xdeadbeef", 'a,b"c\nd')


def test_parquet_is_typed_and_described(repository: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    path = tmp_path / "out.parquet"
    assert ask(repository, SELECT, "-o", path) == 0
    table = parquet.read_table(path)
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "string",
        "double",
        "double",
        "int32",
        "date32[day]",
        "bool",
    ]
    assert table.column("pointing").to_pylist() == [5, None, 7]
    assert table.column("exp_id").to_pylist() == ["é", None, "c"]
    assert table.schema.field("ra").metadata == {
        b"unit": b"deg", b"ucd": b"pos.eq.ra", b"description": b"boresight right ascension, ICRS"
    }  # fmt: skip


def is_marked(path: Path, form: str) -> bool:
    """Whether a file says that a limit has cut it."""
    if form == "votable":
        words = path.read_bytes()
        assert words.count(b"OVERFLOW") <= 1
        return b"OVERFLOW" in words[words.index(b"</TABLE>") :]
    if form == "fits":
        return "OVERFLOW" in fits.getheader(path, 1)
    if form == "ecsv":
        return "OVERFLOW" in Table.read(path, format="ascii.ecsv").meta
    import pyarrow.parquet as parquet

    return b"OVERFLOW" in (parquet.read_metadata(path).metadata or {})


@pytest.mark.parametrize("form", ["csv", "fits", "ecsv", "votable", "parquet", "table"])
def test_many_rows_none_and_a_cut_are_written_alike(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    path = tmp_path / "out"
    statement = "SELECT CAST(n AS integer) AS n, 'x' || n AS name FROM generate_series(1, 25000) AS n"
    for words, n_row, is_cut in (
        ([], 25000, False),
        (["--limit", 25000], 25000, False),
        (["--limit", 22000], 22000, True),
    ):
        assert ask(repository, statement, "-o", path, "--format", form, *words) == 0
        told = capsys.readouterr().err
        assert ("INCOMPLETE" in told) == is_cut
        if form in ("fits", "votable", "ecsv"):
            read = Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
            assert (len(read), read["n"][-1], str(read["name"][-1]).strip()) == (n_row, n_row, f"x{n_row}")
        elif form == "csv":
            assert path.read_text().split()[-1] == f"{n_row},x{n_row}"
        if form in ("votable", "ecsv", "parquet", "fits"):  # and the file says so itself
            assert (is_marked(path, form)) == is_cut
    assert ask(repository, "SELECT visit, ra FROM visit WHERE visit > 99", "-o", path, "--format", form) == 0
    if form in ("fits", "votable", "ecsv"):
        assert len(Table.read(path, format={"ecsv": "ascii.ecsv"}.get(form, form))) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM visit",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "SELECT 1/0",
        "CREATE TABLE a (b integer)",
        "SELECT nothing FROM visit",
        "SELECT CAST('infinity' AS timestamptz)",
        "SELECT CAST('0044-03-15 BC' AS date)",
    ],
)
def test_what_is_no_single_select_is_refused(
    repository: Path, statement: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(repository, statement) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_time_limit_stops_a_statement(fresh_dsn: str, engine: Engine) -> None:
    long = "SELECT count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"
    with pytest.raises(ConfigError, match="stopped after"), answer(engine, long, 0.3) as found:
        list(found.rows)


def test_a_limit_on_temporary_files_is_told_in_the_servers_words(fresh_dsn: str, engine: Engine) -> None:
    narrow = make_conninfo(fresh_dsn, options="-c temp_file_limit=100kB -c work_mem=64kB")
    long = "SELECT n FROM generate_series(1, 100000) AS n ORDER BY md5(n::text)"
    with pytest.raises(ConfigError, match="temp_file_limit"), answer(connect(narrow, pool=False), long) as found:
        list(found.rows)


def test_a_failed_export_leaves_no_file(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.fits"
    assert ask(repository, "SELECT 1 / (n - 24000) AS a FROM generate_series(1, 25000) AS n", "-o", path) == 2
    assert ask(repository, "SELECT 1 AS a, 2 AS a", "-o", path) == 2
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


def test_ctrl_c_cancels_on_the_server(repository: Path, fresh_dsn: str) -> None:
    mark = "SELECT count(*) AS ctrl_c_test FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b"
    words = [sys.executable, "-m", "hscdb", "query", str(repository), mark]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # also where our caller ignores it (`make &`)
    )  # fmt: skip
    ask_running = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) AS ctrl%%' AND state = 'active'"
    )
    with psycopg.connect(make_conninfo(fresh_dsn), autocommit=True) as connection:

        def is_running() -> bool:
            return connection.execute(ask_running.replace("%%", "%").encode()).fetchone() != (0,)

        end = time.monotonic() + 60
        while not is_running():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in told
        assert not is_running()


def test_ctrl_c_cancels_even_where_its_exception_is_lost(engine: Engine) -> None:
    """Python drops a KeyboardInterrupt raised inside a finalizer; a handler that raises nothing is like that."""
    lost = []
    before = signal.signal(signal.SIGINT, lambda *_: lost.append(1))
    alarm = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    long = "SELECT count(*) FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b"
    try:
        with pytest.raises(KeyboardInterrupt), answer(engine, long, 60.0) as found:  # noqa: PT012
            alarm.start()
            list(found.rows)
        assert lost
        os.kill(os.getpid(), signal.SIGINT)
        assert len(lost) == 2  # the handler of before is back
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("form", ["fits", "votable", "ecsv", "parquet"])
def test_strange_names_of_columns_are_kept_or_refused_in_a_line(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    path = tmp_path / "out"
    assert ask(repository, 'SELECT 1 + 1, 2 AS "two words"', "-o", path, "--format", form) == 0
    assert ask(repository, 'SELECT 1 AS "é"', "-o", path, "--format", form) == (2 if form == "fits" else 0)
    told = capsys.readouterr().err
    assert ("FITS has only ASCII" in told) == (form == "fits")
    assert "arning" not in told
    if form == "fits":
        header = fits.getheader(path, 1)
        assert (header["TTYPE1"], header["TTYPE2"]) == ("?column?", "two words")
    elif form == "votable":
        assert [field.name for field in parse(path).get_first_table().fields] == ["é"]


@pytest.mark.parametrize("form", ["csv", "fits"])
def test_a_file_that_cannot_be_written_is_told(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    path = tmp_path / "nowhere" / f"out.{form}"
    assert ask(repository, SELECT, "-o", path) == 1
    assert f"{path}: cannot be written (No such file or directory)" in capsys.readouterr().err
