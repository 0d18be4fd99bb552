"""The answer to a user's SELECT, row by row: never held as a whole, with units and meanings of its columns."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, pq
from sqlalchemy import Connection, Engine

from hscdb.db.engine import driver
from hscdb.db.queries import query
from hscdb.db.where import become_reader, explained
from hscdb.errors import ConfigError

read_column_docs = query("run/read_column_docs")
CHUNK_ROWS = 1000
_CANCEL_S = 5.0  # patience with a server that does not take the request to cancel
# Object identifiers of types, as in every PostgreSQL; anything else is text.
_DTYPES = {21: "i2", 23: "i4", 20: "i8", 26: "i8", 700: "f4", 701: "f8", 1700: "f8", 16: "?"}
_DTYPES |= {1082: "date", 1184: "time"}


@dataclass(frozen=True)
class Column:
    """A column of an answer. dtype: numpy's code of its numbers, "U" for text, "date", or "time" with a zone; units
    etc. are empty if unknown."""

    name: str
    dtype: str
    unit: str = ""
    ucd: str = ""
    meaning: str = ""


@dataclass
class Answer:
    """Columns, and rows that can be read once. is_cut tells, after the last row, whether the limit has left out any."""

    columns: list[Column]
    rows: Iterator[tuple[Any, ...]]
    is_cut: bool = False


@contextmanager
def answer(engine: Engine, statement: str, timeout_s: float = 0.0, limit: int | None = None) -> Iterator[Answer]:
    """The answer to one statement of a user, which can change nothing and runs with the reader's rights.

    Ctrl-C while it runs, or leaving the block early, cancels it on the server.
    ConfigError `bad_query` with the server's words if it is refused, fails or takes too long.
    """
    with engine.connect() as connection, connection.begin(), explained(timeout_s):
        raw = driver(connection)
        raw.execute("SET TRANSACTION READ ONLY")
        raw.execute(f"SET LOCAL statement_timeout = {int(timeout_s * 1000)}")
        become_reader(raw)
        found = Answer(_columns(connection, raw, statement), iter(()))
        found.rows = _rows(raw, statement, limit, found)
        try:
            with _cancelling(raw):
                yield found
        finally:
            found.rows.close()  # type: ignore[attr-defined]  # a generator: it cancels what still runs


@contextmanager
def _cancelling(raw: psycopg.Connection[Any]) -> Iterator[None]:
    """Let Ctrl-C cancel the statement in its handler: Python loses a KeyboardInterrupt that comes inside a finalizer,
    and the server would go on for nobody. Outside the main thread, or with SIGINT ignored, nothing is changed."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    is_asked = False

    def received(number: int, frame: Any) -> None:
        nonlocal is_asked
        is_asked = True
        try:
            raw.cancel_safe(timeout=_CANCEL_S)
        finally:  # a server that does not listen must not keep the user from leaving
            before(number, frame)

    signal.signal(signal.SIGINT, received)
    try:
        yield
    except errors.QueryCanceled:
        if is_asked:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _columns(connection: Connection, raw: psycopg.Connection[Any], statement: str) -> list[Column]:
    """What the server says of the answer before it is computed. A second statement is refused here."""
    _checked(raw.pgconn.prepare(b"", statement.encode()))
    told = _checked(raw.pgconn.describe_prepared(b""))
    if not told.nfields:
        raise ConfigError("the statement gives no rows; only SELECT is allowed here", code="bad_query")
    docs = read_column_docs(
        connection,
        tables=[told.ftable(i) for i in range(told.nfields)],
        places=[told.ftablecol(i) for i in range(told.nfields)],
    )
    return [
        Column(
            (told.fname(i) or b"").decode(),
            _DTYPES.get(told.ftype(i), "U"),
            *(str(doc[name] or "") for name in ("unit", "ucd", "meaning")),
        )
        for i, doc in enumerate(docs)
    ]


def _checked(told: Any) -> Any:
    """A result of the server, unless it is an error."""
    if told.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        state = told.error_field(pq.DiagnosticField.SQLSTATE)
        raise errors.lookup(state.decode() if state else "XX000")(told.get_error_message(), info=told)
    return told


def _rows(raw: psycopg.Connection[Any], statement: str, limit: int | None, found: Answer) -> Iterator[tuple[Any, ...]]:
    with raw.cursor() as cursor:
        size = CHUNK_ROWS if psycopg.capabilities.has_stream_chunked() else 1
        for n_row, row in enumerate(cursor.stream(statement.encode(), size=size)):
            if n_row == limit:
                found.is_cut = True
                return
            yield row
