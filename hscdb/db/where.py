"""A user's own condition on view `frame_info`, and a user's own SELECT: read only, one statement, with a time limit."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from psycopg import errors
from sqlalchemy import Engine

from hscdb.db.engine import driver
from hscdb.errors import ConfigError

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_FRAMES = "SELECT visit, ccd FROM frame_info WHERE ({}\n) ORDER BY visit, ccd"
# SQLSTATE classes that are not the fault of the statement: connection, resources, operator, system, internal.
_NOT_THE_STATEMENT = ("08", "53", "57", "58", "XX")
DTYPE = np.dtype([("visit", "i8"), ("ccd", "i4")])


def _expression(text: str) -> str:
    """The condition, once it is sure to be one expression: no comment, no second statement, parentheses in pairs."""
    bare = _QUOTED.sub("''", text)
    if ";" in bare or "--" in bare or "/*" in bare or "$" in bare or bare.count("'") % 2 or '"' in bare:
        raise ConfigError(
            f'--where "{text}": only a condition is allowed here, no comment and no further statement. '
            "Write e.g. --where \"band = 'r' AND seeing_arcsec < 0.8\".",
            code="bad_where",
        )
    depth = 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
    if depth != 0:
        raise ConfigError(f'--where "{text}": the parentheses are not in pairs. Mend the condition.', code="bad_where")
    return text


def frames(engine: Engine, condition: str, timeout_s: float = 60.0) -> np.ndarray[Any, Any]:
    """(visit, ccd) of the frames a condition on view frame_info holds for, sorted.

    The statement runs prepared in a READ ONLY transaction with a time limit, with the rights of the reader where
    the server lets us take them. ConfigError `bad_where` with the server's words if it cannot be run.
    """
    statement = _FRAMES.format(_expression(condition))
    try:
        _, rows = select(engine, statement, timeout_s)
    except ConfigError as error:
        raise ConfigError(
            f'--where "{condition}": {error}. Columns: see `hscdb db describe frame_info`.', code="bad_where"
        ) from error
    found = np.empty(len(rows), DTYPE)
    found["visit"], found["ccd"] = [row[0] for row in rows], [row[1] for row in rows]
    return found


def select(
    engine: Engine, statement: str, timeout_s: float = 0.0, limit: int | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one statement of a user, which can change nothing.

    timeout_s : 0 sets none. limit: read at most so many rows.
    ConfigError `bad_query` with the server's words if it is refused, fails or takes too long.
    """
    with engine.connect() as connection, connection.begin():
        raw = driver(connection)
        raw.execute("SET TRANSACTION READ ONLY")
        raw.execute(f"SET LOCAL statement_timeout = {int(timeout_s * 1000)}")
        become_reader(raw)
        # A prepared statement is one statement: the server refuses a second one behind a semicolon.
        with explained(timeout_s), raw.cursor() as cursor:
            cursor.execute(statement.encode(), prepare=True)
            if cursor.description is None:
                raise ConfigError("the statement gives no rows; only SELECT is allowed here", code="bad_query")
            names = [column.name for column in cursor.description]
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
    return names, rows


@contextmanager
def explained(timeout_s: float) -> Iterator[None]:
    """ConfigError `bad_query`, in the server's words, for what is wrong with a user's statement or beyond its limits;
    what is wrong with the server passes."""
    try:
        yield
    except errors.QueryCanceled:
        raise ConfigError(f"stopped after {timeout_s:g} s", code="bad_query") from None
    except psycopg.DataError as error:
        if error.sqlstate is None:  # psycopg's own: a date that Python has not, e.g. infinity or before year 1
            raise ConfigError(f"{error}. Such a date cannot be read: CAST it AS text.", code="bad_query") from None
        raise ConfigError(_said(error), code="bad_query") from None
    except psycopg.Error as error:
        is_limit = isinstance(error, errors.ConfigurationLimitExceeded)  # 53400, of a reader's temporary files
        if error.sqlstate is None or (error.sqlstate[:2] in _NOT_THE_STATEMENT and not is_limit):
            raise
        raise ConfigError(_said(error), code="bad_query") from None


def _said(error: psycopg.Error) -> str:
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    return f"{error.diag.message_primary or error}{hint}"


def become_reader(raw: psycopg.Connection[Any]) -> None:
    """Take the reader's rights for this transaction, if there is such a role and we are a member of it."""
    row = raw.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = 'hscdb_reader' AND pg_has_role(current_user, oid, 'MEMBER')"
    ).fetchone()
    if row is not None:
        raw.execute("SET LOCAL ROLE hscdb_reader")
