"""Migrations: once each, all or nothing, and never over an edited or a newer schema."""

import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hscdb.db import engine as engines
from hscdb.db import migrate
from hscdb.errors import SchemaError

FILES = {
    "0011_first.sql": "CREATE TABLE a (x integer);",
    "0020_second.sql": "CREATE TABLE b (x integer); INSERT INTO b VALUES (1);",
    "functions/double_x.sql": "CREATE OR REPLACE FUNCTION double_x(integer) RETURNS integer"
    " LANGUAGE sql AS $$ SELECT 2 * $1 $$;",
    "views/above.sql": "CREATE VIEW above AS SELECT double_x(x) AS y FROM below;",
    "views/below.sql": "CREATE VIEW below AS SELECT x FROM b;",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A schema folder that may be changed."""
    for name, text in FILES.items():
        path = tmp_path / "schema" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "schema"


def apply(dsn: str, root: Path) -> list[str]:
    engine = engines.connect(dsn, pool=False)
    return migrate.migrate(engine, root)


def tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as raw:
        found = raw.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = to_regnamespace('public')"
        )
        return {row[0] for row in found}


def test_a_second_migration_applies_nothing(empty_dsn: str, root: Path) -> None:
    assert apply(empty_dsn, root)[:2] == ["0011_first.sql", "0020_second.sql"]
    assert apply(empty_dsn, root) == []
    with psycopg.connect(empty_dsn) as raw:
        assert raw.execute("SELECT y FROM above").fetchall() == [(2,)]


def test_of_six_at_once_one_applies(empty_dsn: str, root: Path) -> None:
    outcome: list[list[str]] = []
    threads = [threading.Thread(target=lambda: outcome.append(apply(empty_dsn, root))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(names) for names in outcome) == [0, 0, 0, 0, 0, 5]


def test_an_edited_file_is_refused_by_name(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    (root / "0011_first.sql").write_text("CREATE TABLE a (x bigint);")
    with pytest.raises(SchemaError, match=r"0011_first\.sql was edited") as caught:
        apply(empty_dsn, root)
    assert caught.value.code == "edited_file"


def test_a_failing_upgrade_leaves_no_trace(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    before = tables(empty_dsn)
    (root / "0030_third.sql").write_text("CREATE TABLE c (x integer);")
    (root / "0040_fourth.sql").write_text("CREATE TABLE d (x integer);\nCREATE TABLE e (x no_such_type);")
    with pytest.raises(SchemaError, match=r'0040_fourth\.sql: type "no_such_type" .* in line 2') as caught:
        apply(empty_dsn, root)
    assert caught.value.code == "failed_upgrade"
    assert tables(empty_dsn) == before
    (root / "0040_fourth.sql").unlink()
    assert apply(empty_dsn, root) == ["0030_third.sql"]


def test_a_newer_schema_is_refused(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    (root / "0020_second.sql").unlink()
    for call in (lambda: apply(empty_dsn, root), lambda: migrate.check(engines.connect(empty_dsn, pool=False), root)):
        with pytest.raises(SchemaError) as caught:
            call()
        assert (caught.value.code, caught.value.exit_status) == ("newer_schema", 3)


def test_check_names_an_older_schema(empty_dsn: str, root: Path) -> None:
    engine = engines.connect(empty_dsn, pool=False)
    with pytest.raises(SchemaError) as caught:
        migrate.check(engine, root)
    assert caught.value.code == "old_schema"
    apply(empty_dsn, root)
    migrate.check(engine, root)


def test_a_changed_function_reaches_the_views_on_it(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    path = root / "functions" / "double_x.sql"
    path.write_text(path.read_text().replace("2 *", "20 *"))
    (root / "views" / "below.sql").write_text("CREATE VIEW below AS SELECT x + 1 AS x, 7 AS z FROM b;")
    assert apply(empty_dsn, root) == ["functions/double_x.sql", "views/below.sql"]
    with psycopg.connect(empty_dsn) as raw:
        assert raw.execute("SELECT y FROM above").fetchall() == [(40,)]


def test_a_view_that_went_is_dropped(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    (root / "views" / "above.sql").unlink()
    apply(empty_dsn, root)
    assert "above" not in tables(empty_dsn)


def test_views_of_others_are_not_dropped(empty_dsn: str, root: Path) -> None:
    apply(empty_dsn, root)
    with psycopg.connect(empty_dsn) as raw:
        raw.execute("CREATE VIEW mine AS SELECT * FROM below")
    (root / "views" / "below.sql").write_text("CREATE VIEW below AS SELECT x + 1 AS x FROM b;")
    with pytest.raises(SchemaError, match="mine") as caught:
        apply(empty_dsn, root)
    assert caught.value.code == "views_in_use"


def test_the_program_fits_its_own_schema(fresh_dsn: str) -> None:
    engine = engines.connect(fresh_dsn, pool=False)
    migrate.check(engine)
    assert migrate.migrate(engine) == []


def test_a_database_keeps_its_flavor_of_q3c(empty_dsn: str) -> None:
    """Made without the extension, a database stays without it, wherever it is upgraded."""
    engine = engines.connect(empty_dsn, pool=False)
    migrate.migrate(engine, q3c="sql")
    assert migrate.migrate(engine, q3c="auto") == []


def test_two_databases_are_migrated_beside_each_other(empty_dsn: str, fresh_dsn: str, root: Path) -> None:
    other = make_conninfo(fresh_dsn, options="-c search_path=other")
    with psycopg.connect(fresh_dsn) as raw:
        raw.execute("CREATE SCHEMA other")
    assert len(apply(other, root)) == 5
    migrate.check(engines.connect(fresh_dsn, pool=False))
