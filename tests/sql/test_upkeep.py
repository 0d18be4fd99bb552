"""db size, check, reader: what they tell is what is there, and a planted fault is found."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from joint_tables import database, repository
from joint_world import build
from psycopg.conninfo import make_conninfo

from hscdb.cli import main


@pytest.fixture
def folder(server_dsn: str, template: str, tmp_path: Path) -> Any:
    """(folder, dsn) of a repository up to match, with one product."""
    with database(server_dsn, template, "hscdb_upkeep") as dsn:
        with repository(tmp_path / "repo", dsn, build(n_visit=2, per_ccd=20)):
            pass
        (tmp_path / "repo" / "hscdb.toml").write_text(f'camera = "toy"\ndsn = "{dsn}"\n')
        (tmp_path / "repo" / "a.fits").write_bytes(b"1234")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO product (run_id, task_id, dataset, path, n_byte, sha256)"
                " SELECT run_id, task_id, 'src', 'a.fits', 4,"
                " '03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4' FROM task ORDER BY task_id LIMIT 1"
            )
            yield tmp_path / "repo", dsn


FAULTS = {
    "rows of no done task": "UPDATE task SET status = 'todo' WHERE task_id = (SELECT min(task_id) FROM source_sky)",
    "place without source": "DELETE FROM source WHERE source_id = (SELECT min(source_id) FROM source)",
    "detection without place": "DELETE FROM source_sky WHERE source_id = (SELECT min(source_id) FROM star_member)",
    "member without star": "DELETE FROM star WHERE star_id = (SELECT min(star_id) FROM star)",
    "count differs": "INSERT INTO frame_quality (run_id, task_id, visit, ccd, psf_model, psf_order, n_psf_star,"
    " n_psf_star_reserved, n_cosmic_ray, n_negative, n_source)"
    " SELECT run_id, task_id, visit, ccd, 'pixel', 0, 0, 0, 0, 0, 1 FROM task WHERE stage = 'detect' LIMIT 1",
    "partition not attached": "CREATE TABLE source_999 (LIKE source)",
    "size differs": "UPDATE product SET n_byte = 5",
    "file missing": "UPDATE product SET path = 'b.fits'",
    "checksum differs": "UPDATE product SET sha256 = 'x'",
}


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_a_fault_is_found_and_a_sound_repository_has_none(
    folder: Any, fault: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, dsn = folder
    if fault is not None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(FAULTS[fault].encode())
    status = main(["db", "check", str(path), "--checksums"])
    told = capsys.readouterr().out
    assert status == (fault is not None), told
    assert "1 files (sizes and checksums)" in told
    if fault is not None:
        assert f"{fault}: " in told
    else:
        assert "0 faults" in told


def test_an_archived_run_is_out_of_queries_and_no_fault(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path, dsn = folder

    def count() -> int:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("SELECT count(*) FROM source").fetchone()
            return int(row[0]) if row else -1

    n_row = count()
    assert main(["db", "archive", str(path)]) == 2
    assert main(["db", "archive", str(path), "joint", "--restore"]) == 2
    assert main(["db", "archive", str(path), "joint"]) == 0
    assert count() == 0 < n_row
    assert main(["db", "check", str(path)]) == 0, capsys.readouterr().out
    assert main(["db", "archive", str(path), "joint"]) == 2
    assert main(["db", "archive", str(path), "joint", "--restore"]) == 0
    assert count() == n_row
    assert main(["db", "check", str(path)]) == 0


def test_sizes_are_those_of_the_server(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path, dsn = folder
    assert main(["db", "size", str(path)]) == 0
    told = capsys.readouterr().out
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) / 1e6 FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"
        ).fetchone()
    total = float(re.findall(r"^all .* ([\d.e+]+)$", told, re.M)[0])
    assert row is not None
    assert total == pytest.approx(float(row[0]), rel=1e-3)
    assert re.search(r"^source +\d+ ", told, re.M)
    assert re.search(r"^joint .* 1 +4e-06$", told, re.M)


def test_a_login_made_by_the_command_can_look(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path, dsn = folder
    assert main(["db", "reader", str(path), "upkeep_alice", "--seconds", "7"]) == 0
    password = re.search(r"password (\S+)", capsys.readouterr().out)
    assert password is not None
    with psycopg.connect(make_conninfo(dsn, user="upkeep_alice", password=password[1])) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert connection.execute("SELECT count(*) > 0 FROM source_info").fetchone() == (True,)
    assert main(["db", "reader", str(path), "upkeep_alice", "--drop"]) == 0
    assert main(["db", "reader", str(path), "upkeep_alice", "--drop"]) == 2
    assert main(["db", "reader", str(path)]) == 2
    assert main(["db", "status", str(path)]) == 0
    assert "q3c_ functions: our own" in capsys.readouterr().out
