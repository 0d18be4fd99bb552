"""What a reader may do, what no reader can do, and that nobody's query outlives the limits."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from hscdb.db import engine as engines
from hscdb.db import reader
from hscdb.db.where import select
from hscdb.errors import ConfigError

LIMITS = reader.Limits(connections=2, seconds=1, temp_mb=1)
LONG = "SELECT count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"


@pytest.fixture
def owner(fresh_dsn: str) -> Iterator[Engine]:
    made = engines.connect(fresh_dsn, pool=False)
    yield made
    made.dispose()


@pytest.fixture
def login(fresh_dsn: str, owner: Engine) -> Iterator[str]:
    """DSN of a reader."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    password = reader.make(owner, name, LIMITS)
    yield make_conninfo(fresh_dsn, user=name, password=password)
    reader.drop(owner, name)


def tables(owner: Engine) -> list[str]:
    with owner.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT table_name FROM column_doc WHERE table_kind = 'table' GROUP BY 1 ORDER BY 1"
        )
        return [row[0] for row in rows]


def state(owner: Engine) -> list[Any]:
    """Rows of every table, and every name, privilege and role there is."""
    with owner.connect() as connection:
        counts = [connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in tables(owner)]
        kept = "relname, relkind, CAST(relacl AS text), relowner"
        names = f"SELECT {kept} FROM pg_class WHERE relnamespace >= 2200 ORDER BY 1, 2"
        texts = [tuple(row) for row in connection.exec_driver_sql(names) if not row[0].startswith("pg_toast")]
        functions = connection.exec_driver_sql("SELECT count(*), max(oid) FROM pg_proc").one()
        roles = connection.exec_driver_sql(
            "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles WHERE rolname LIKE 'hscdb%%' ORDER BY 1"
        ).all()
        large = connection.exec_driver_sql("SELECT count(*) FROM pg_largeobject_metadata").scalar()
        return [counts, texts, tuple(functions), [tuple(row) for row in roles], large]


def hostile(owner: Engine, me: str) -> list[str]:
    """Statements that must fail, each for itself."""
    found = [
        "CREATE TABLE mine (a integer)", "CREATE TEMP TABLE mine (a integer)", "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE VIEW v AS SELECT 1", "CREATE SCHEMA mine", "CREATE SEQUENCE s", "CREATE TYPE t AS (a integer)",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION pg_temp.sky_zone(double precision) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION sky_zone(double precision) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
        "CREATE AGGREGATE a(integer) (SFUNC = int4pl, STYPE = integer)", "CREATE EXTENSION plpgsql",
        "CREATE LANGUAGE c", "CREATE DATABASE mine", "CREATE ROLE mine",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", "CREATE TABLESPACE t LOCATION '/tmp'",
        "CREATE SERVER s FOREIGN DATA WRAPPER f", "CREATE PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "SELECT 1 AS a INTO mine",
        "COPY (SELECT 1) TO PROGRAM 'id'", "COPY (SELECT 1) TO '/tmp/hscdb_reader_was_here'",
        "COPY visit FROM PROGRAM 'id'", "COPY visit FROM '/etc/passwd'", "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_binary_file('/etc/passwd')", "SELECT pg_ls_dir('/')", "SELECT pg_stat_file('/etc/passwd')",
        "SELECT pg_ls_logdir()", "SELECT pg_current_logfile()", "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')", "SELECT lo_create(0)", "SELECT lo_creat(-1)", "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_unlink(1)", "SELECT pg_sleep(100)", "SELECT pg_sleep_for('1 hour')",
        "SELECT pg_sleep_until(now() + '1 hour')", "SELECT pg_advisory_lock(1752393572)",
        "SELECT pg_try_advisory_lock(1)", "SELECT pg_advisory_xact_lock(1)",
        "SELECT set_config('role', 'hscdb_owner', false)", "SELECT set_config('statement_timeout', '0', false)",
        "SELECT query_to_xml('SELECT 1', true, true, '')", "SELECT pg_notify('a', 'b')",
        "SELECT database_to_xml(true, true, '')", "SELECT ts_stat('SELECT 1')", "SET ROLE hscdb_owner",
        "SET ROLE hscdb_pipeline", "SET ROLE postgres", "SET ROLE hscdb", "SET SESSION AUTHORIZATION hscdb",
        "SET SESSION AUTHORIZATION hscdb_owner", "SET temp_file_limit = '100GB'",
        "SET session_replication_role = replica", "SET log_statement = 'none'", "SET session_preload_libraries = 'x'",
        "SET zero_damaged_pages = on", "SET dynamic_library_path = '/tmp'", "LOAD '/tmp/x.so'", "LOAD 'auto_explain'",
        "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CHECKPOINT", f"ALTER ROLE {me} SUPERUSER",
        f"ALTER ROLE {me} CONNECTION LIMIT -1", f"ALTER ROLE {me} CREATEROLE", f"GRANT hscdb_owner TO {me}",
        f"GRANT hscdb_pipeline TO {me}", f"GRANT pg_read_all_data TO {me}",
        f"GRANT pg_execute_server_program TO {me}", f"ALTER ROLE {me} SET temp_file_limit = '100GB'",
        "DROP ROLE hscdb_owner", "ALTER ROLE hscdb_owner LOGIN", "REASSIGN OWNED BY hscdb TO CURRENT_USER",
        "ALTER DATABASE postgres SET jit = on", "DROP DATABASE postgres", "ALTER SCHEMA public RENAME TO gone",
        "DROP SCHEMA public CASCADE", "SELECT * FROM schema_text", "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow", "SELECT * FROM pg_hba_file_rules", "SELECT * FROM pg_file_settings",
        "SELECT * FROM pg_largeobject", "SELECT * FROM pg_statistic", "SELECT * FROM pg_user_mapping",
        "SELECT * FROM pg_subscription", "SELECT match_work()", "SELECT match_analyze('visit')",
        "SELECT * FROM end_overtime(0)",
        "ALTER FUNCTION xmatch SECURITY DEFINER",
        "SELECT pg_switch_wal()", "SELECT pg_create_restore_point('x')", "SELECT pg_stat_reset()",
        "SELECT pg_rotate_logfile()", "SELECT pg_create_physical_replication_slot('x')",
        "SELECT pg_logical_emit_message(true, 'a', 'b')", "SELECT pg_export_snapshot()",
        "SELECT * FROM xmatch('pg_authid', 'pg_authid', 1.0, left_key => 'oid')",
        "SELECT * FROM xmatch('visit', 'visit; DROP TABLE visit', 1.0)",
        "SELECT * FROM xmatch('star', 'star', 1.0, left_ra => 'ra) OR lo_create(0) > (0')",
        "VACUUM FULL visit; SELECT 1 / 0",
    ]  # fmt: skip
    for table in tables(owner):
        forms = ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {} CASCADE", "DROP TABLE {} CASCADE")
        forms += ("ALTER TABLE {} ADD a integer", "LOCK TABLE {} IN EXCLUSIVE MODE")
        found += [form.format(table) for form in forms]
    return found


def test_no_reader_gets_beyond_the_grants(owner: Engine, login: str) -> None:
    """A thousand hostile statements: each fails, plain, with limits switched off before, and within a DO block."""
    before = state(owner)
    n_tried = 0
    succeeded = []
    with psycopg.connect(login, autocommit=True) as plain, psycopg.connect(login, autocommit=True) as loose:
        loose.execute("SET default_transaction_read_only = off")
        loose.execute("SET statement_timeout = 0")
        for statement in hostile(owner, plain.info.user):
            block = f"DO $do$BEGIN EXECUTE $q${statement}$q$; END$do$"
            for connection, form in ((plain, statement), (loose, statement), (loose, block)):
                n_tried += 1
                try:
                    connection.execute(form.encode())
                except psycopg.Error:
                    continue
                succeeded.append(form)
    assert succeeded == []
    assert n_tried >= 1000
    assert state(owner) == before


def test_a_reader_reads_searches_and_asks_for_help(owner: Engine, login: str) -> None:
    with psycopg.connect(login, autocommit=True) as connection:
        for table in tables(owner):
            if table != "schema_text":
                connection.execute(f"SELECT * FROM {table} LIMIT 1".encode())
        for (example,) in connection.execute(
            "SELECT DISTINCT example FROM help() WHERE name <> 'end_overtime'"
        ).fetchall():
            connection.execute(example.encode())
        shown = {row[0]: row[1] for row in connection.execute("SELECT name, setting FROM pg_settings")}
        assert (shown["search_path"], shown["default_transaction_read_only"], shown["jit"]) == ("public", "on", "off")
        # A name of the reader's own cannot come before ours.
        connection.execute("SET search_path = pg_temp, public")
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE visit (a integer)")


def test_nothing_outlives_its_limit(owner: Engine, login: str) -> None:
    with psycopg.connect(login, autocommit=True) as connection:
        with pytest.raises(errors.QueryCanceled):
            connection.execute(LONG)
        connection.execute("SET statement_timeout = 0")
        with pytest.raises(errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            connection.execute("SET work_mem = '64kB'; SELECT n FROM generate_series(1, 400000) AS n ORDER BY random()")
        # The time limit is lifted by the reader, the watch is not.
        told: list[str] = []
        watching = threading.Thread(
            target=reader.watch, args=(owner, 0.5, told.append), kwargs={"rounds": 40, "pause_s": 0.1}
        )
        watching.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute(LONG)
        watching.join()
    assert len(told) == 1
    assert "generate_series" in told[0]


def test_a_reader_has_so_many_connections(login: str) -> None:
    held = [psycopg.connect(login) for _ in range(LIMITS.connections)]
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        psycopg.connect(login)
    for connection in held:
        connection.close()


def test_a_reader_who_may_upload_matches_a_list(owner: Engine, fresh_dsn: str) -> None:
    name = f"reader_{uuid.uuid4().hex[:8]}"
    password = reader.make(owner, name, LIMITS, may_upload=True)
    with psycopg.connect(make_conninfo(fresh_dsn, user=name, password=password), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("CREATE TEMP TABLE mine (id integer, ra double precision, dec double precision)")
        connection.execute("INSERT INTO mine VALUES (1, 10, 20), (2, 10.0001, 20), (3, 50, 60)")
        rows = connection.execute("SELECT left_id, right_id FROM xmatch('mine', 'mine', 1.0) ORDER BY 1, 2").fetchall()
        assert rows == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)]
        assert connection.execute("SELECT * FROM xmatch('mine', 'star', 1.0)").fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine2 (a integer)")
    reader.drop(owner, name)


def test_a_login_is_renewed_and_other_roles_are_left_alone(owner: Engine, fresh_dsn: str) -> None:
    name = f"reader_{uuid.uuid4().hex[:8]}"
    old, new = (reader.make(owner, name, LIMITS) for _ in range(2))
    assert old != new
    psycopg.connect(make_conninfo(fresh_dsn, user=name, password=new)).close()
    reader.drop(owner, name)
    for taken in ("hscdb_owner", "hscdb_reader", "pg_read_all_data"):
        with pytest.raises(ConfigError):
            reader.make(owner, taken, LIMITS)
        with pytest.raises(ConfigError):
            reader.drop(owner, taken if taken != "hscdb_reader" else "nobody_of_this_name")


def test_a_statement_of_query_cannot_become_another_role(owner: Engine) -> None:
    for statement in (
        "SELECT set_config('role', 'none', true), current_user",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_create(0)",
        "RESET ROLE",
        "SELECT 1; RESET ROLE",
        "DO 'BEGIN RESET ROLE; PERFORM lo_create(0); END'",
    ):
        with pytest.raises(ConfigError):
            select(owner, statement)
    assert select(owner, "SELECT current_user::text")[1] == [("hscdb_reader",)]
