"""pg_dump and restore keep rows, functions, comments, grants and plans."""

import re
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from joint_tables import bare, database, load, repository, run
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


STARS = "'star', 'star_id', 'ra', 'dec', 1e6"
CELLS = f"SELECT sky_cell_join_statement({STARS}, {STARS}, 0.001)"


def test_an_owner_who_is_no_superuser_loses_nothing_but_an_operator(
    fresh_dsn: str, empty_dsn: str, tmp_path: Path
) -> None:
    """The operator class of a match's cells is refused to such an owner; matches go on by the ordinary equality."""
    made = engine.connect(fresh_dsn, pool=False)
    world = build(n_visit=2, per_ccd=20, seed=9)
    with made.begin() as connection:
        load(connection, world, bare(connection, world))
        connection.exec_driver_sql(
            "INSERT INTO star (task_id, star_id, run_id, tract, filter, ra, dec, n_visit, is_ambiguous, is_reserved)"
            " SELECT min(task_id), 1000 + n, min(run_id), 0, 'HSC-R', 10 + 0.0005 * n, 2, 1, false, false"
            " FROM task, generate_series(1, 50) AS n GROUP BY n"
        )
    made.dispose()
    owner = f"owner_{uuid.uuid4().hex[:8]}"
    words = conninfo_to_dict(empty_dsn) | {"user": owner, "password": "plain"}
    subprocess.run([tool("pg_dump"), "-Fc", "-f", tmp_path / "dump", fresh_dsn], check=True)
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'plain'".encode())
        admin.execute(f"ALTER DATABASE {words['dbname']} OWNER TO {owner}".encode())
    target = make_conninfo(**words)
    told = subprocess.run(
        [tool("pg_restore"), "--no-owner", "-d", target, tmp_path / "dump"], capture_output=True, text=True, check=False
    )
    refused = re.findall(r"Command was: (.*?;)\n", told.stderr, re.DOTALL)
    assert 1 <= len(refused) <= 8
    assert [one for one in refused if "near_integer" not in one and "=#=" not in one] == []
    before, after = everything(fresh_dsn), everything(target)
    # What everybody may call of the server's own functions is its administrator's to take back.
    for what in before.keys() - {"functions", "help", "forbidden"}:
        assert after[what] == before[what], what
    for what in ("functions", "help"):
        kept = [row[:2] for row in before[what] if row[0] != "near_integer_eq"]
        assert [row[:2] for row in after[what]] == kept
    with psycopg.connect(fresh_dsn) as one, psycopg.connect(target) as other:
        statement, plain = (str(each.execute(CELLS).fetchall()[0][0]) for each in (one, other))
        assert ("=#=" in statement, "=#=" in plain) == (True, False)
        pairs, found = (
            each.execute(f"SELECT probe_id, base_id FROM ({words}) AS p ORDER BY 1, 2".encode()).fetchall()
            for each, words in ((one, statement), (other, plain))
        )
        assert found == pairs
        assert len(pairs) > 140  # each with itself and those beside it
    made = engine.connect(target, pool=False)
    assert migrate.migrate(made) == []
    made.dispose()
    with psycopg.connect(target) as own:  # as restored before 0320: with the operator of 0290, but not its class
        own.execute("CREATE OPERATOR =#= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq, HASHES)")
        own.execute((engine.folder("schema") / "0320_cell_hash_owner.sql").read_bytes())
        assert own.execute("SELECT to_regoperator('=#=(integer,integer)')").fetchone() == (None,)
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute(f"REASSIGN OWNED BY {owner} TO CURRENT_USER".encode())
        admin.execute(f"DROP OWNED BY {owner}".encode())
        admin.execute(f"DROP ROLE {owner}".encode())
