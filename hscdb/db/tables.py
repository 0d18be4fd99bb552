"""What is done to whole tables, whose names come from the stages: clear a task's rows, refresh the statistics."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hscdb.db.engine import driver
from hscdb.db.lost import ServerLostError
from hscdb.errors import SchemaError

_COLUMNS = """
SELECT attname
  FROM pg_attribute
 WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_INDEXED = """
SELECT DISTINCT a.attname
  FROM pg_index AS i
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = to_regclass(%s)
 ORDER BY a.attname
"""
_LEAVES = "SELECT CAST(CAST(relid AS regclass) AS text) FROM pg_partition_tree(to_regclass(%s)) WHERE isleaf"
_WIDE = 30  # columns
_FIRST_WITH_ONLY = 180000  # PostgreSQL 18


def _columns(raw: psycopg.Connection[Any], table: str) -> set[str]:
    found = {row[0] for row in raw.execute(_COLUMNS, [table])}
    if not found:
        raise SchemaError(f"table {table}: a stage names it, but the database has none. Run `hscdb db migrate REPO`.")
    return found


def delete_task_rows(connection: Connection, tables: Iterable[str], run_id: int, task_id: int) -> int:
    """Delete the rows a task has left in these tables; returns their number. Tables without task_id are left alone.

    Tables are cleared in reverse order, so that those that point to others come first. SchemaError if one is missing.
    """
    raw = driver(connection)
    n_row = 0
    for table in reversed(list(tables)):
        columns = _columns(raw, table)
        if "task_id" not in columns:
            continue
        # run_id lets the planner look into the run's partitions only.
        condition = "task_id = {} AND run_id = {}" if "run_id" in columns else "task_id = {}"
        statement = sql.SQL("DELETE FROM {table} WHERE " + condition).format(
            sql.Literal(task_id), *([sql.Literal(run_id)] if "run_id" in columns else []), table=sql.Identifier(table)
        )
        n_row += raw.execute(statement).rowcount
    return n_row


def analyze(engine: Engine, tables: Iterable[str], run_id: int | None = None) -> None:
    """Refresh the planner's statistics of tables that were filled: without them sky joins compare everything.

    run_id : the run whose rows are new. Of tables partitioned by run only its partitions are read, and a thin sample
    for the whole: time does not grow with the runs there are (before PostgreSQL 18, which cannot leave the others'
    partitions alone, it does). Wide tables get fine histograms of what is indexed, coarse ones of what is measured:
    30 000 rows by 57 columns of source are 0.6 CPU s, so they are 0.1.
    """
    with engine.connect() as connection, connection.begin():
        raw = driver(connection)
        for table in tables:
            leaves = [] if run_id is None else [row[0] for row in raw.execute(_LEAVES, [f"{table}_r{int(run_id)}"])]
            for leaf in leaves:
                _analyze(raw, leaf)
            _analyze(raw, table, "ONLY" if leaves and raw.info.server_version >= _FIRST_WITH_ONLY else "")


def try_analyze(engine: Engine, tables: Iterable[str], run_id: int | None = None) -> bool:
    """The same where nobody can be told of an error: whether there was none, of the server or of a statement."""
    try:
        analyze(engine, tables, run_id)
    except (psycopg.Error, SQLAlchemyError, ServerLostError):
        return False
    return True


def _analyze(raw: psycopg.Connection[Any], table: str, only: str = "") -> None:
    names = {"table": sql.Identifier(table), "only": sql.SQL(only)}
    if len(_columns(raw, table)) <= _WIDE:
        raw.execute(sql.SQL("ANALYZE {only} {table}").format(**names))
        return
    raw.execute("SET LOCAL default_statistics_target = 10")
    raw.execute(sql.SQL("ANALYZE {only} {table}").format(**names))
    raw.execute("RESET default_statistics_target")
    indexed = [sql.Identifier(row[0]) for row in raw.execute(_INDEXED, [table])]
    if indexed:
        fine = sql.SQL("ANALYZE {only} {table} ({indexed})")
        raw.execute(fine.format(**names, indexed=sql.SQL(", ").join(indexed)))


def is_worth_retry(error: BaseException) -> bool:
    """Whether an exception comes from a deadlock or a serialization failure, which may not happen again."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
