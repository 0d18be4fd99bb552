"""pg_dump and restore keep rows, functions, comments, grants and plans."""

import subprocess
from pathlib import Path

import psycopg
import pytest
from joint_tables import database, repository, run
from joint_world import build
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from whole_database import everything

from hscdb.db import binaries, engine, migrate


def tool(name: str) -> str:
    """A program of the PostgreSQL that runs the tests, or of the PATH."""
    return binaries.find().program(name)


@pytest.mark.parametrize("form", ["custom", "plain"])
def test_a_restored_database_is_the_same(
    server_dsn: str, template: str, empty_dsn: str, tmp_path: Path, form: str
) -> None:
    with (
        database(server_dsn, template, "hscdb_dump") as dsn,
        repository(tmp_path / "repo", dsn, build(n_visit=2, per_ccd=30)) as opened,
    ):
        outcome = run(opened, "mosaic")
        assert outcome.exit_status == 0
        path = tmp_path / "dump"
        words = {name: text for name, text in conninfo_to_dict(dsn).items() if name != "dbname"}
        subprocess.run([tool("pg_dump"), "-F", form[0], "-f", path, dsn], check=True)
        program = "pg_restore" if form == "custom" else "psql"
        options = ["--exit-on-error", path] if form == "custom" else ["-q", "-v", "ON_ERROR_STOP=1", "-f", path]
        target = make_conninfo(**(words | {"dbname": conninfo_to_dict(empty_dsn)["dbname"]}))
        subprocess.run([tool(program), "-d", target, *map(str, options)], check=True, capture_output=True)
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute("ANALYZE")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("ANALYZE")
        assert everything(target) == everything(dsn)
        made = engine.connect(target, pool=False)
        assert migrate.migrate(made) == []  # it is up to date, and stays of its flavor
        made.dispose()
