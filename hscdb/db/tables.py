"""What is done to whole tables, whose names come from the stages: clear a task's rows, refresh the statistics."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from hscdb.db.engine import driver
from hscdb.errors import SchemaError

_COLUMNS = """
SELECT attname
  FROM pg_attribute
 WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


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


def analyze(engine: Engine, tables: Iterable[str]) -> None:
    """Refresh the planner's statistics of tables that were filled: without them sky joins compare everything."""
    with engine.connect() as connection, connection.begin():
        raw = driver(connection)
        for table in tables:
            raw.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def is_worth_retry(error: BaseException) -> bool:
    """Whether an exception comes from a deadlock or a serialization failure, which may not happen again."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
