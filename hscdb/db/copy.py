"""Bulk transfer between structured arrays and the database by COPY, in the caller's transaction."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from hscdb.db import encode, header, types
from hscdb.db.engine import driver
from hscdb.db.queries import Query
from hscdb.errors import SchemaError

_FIRST_ROWS = 2**14
_DECODED_BYTES = 2**23  # at a time: what the processor's caches hold is decoded fastest
_COLUMNS = """
SELECT attname, COALESCE(NULLIF(format_type(typbasetype, NULL), '-'), format_type(atttypid, NULL))
  FROM pg_attribute
  JOIN pg_type ON pg_type.oid = atttypid
 WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


def _column_types(raw: psycopg.Connection[Any], table: str, names: tuple[str, ...]) -> list[str]:
    """Types of the table's columns, domains resolved. SchemaError `no_column` if the table or a column is missing."""
    known = {row[0]: types.base(row[1]) for row in raw.execute(_COLUMNS, [table])}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SchemaError(
            f"table {table}: has no column {', '.join(unknown)} (it has {', '.join(known) or 'none: no such table'}). "
            f"Name the fields of the array like the columns.",
            code="no_column",
        )
    return [known[name] for name in names]


def write(
    connection: Connection, table: str, array: np.ndarray[Any, Any], nulls: dict[str, int | bytes] | None = None
) -> int:
    """Append the rows of a structured array to a table; returns their number.

    array : (n_row,), fields named like columns, in any order; columns that are not named get their default. NaN, NaT,
            None and masked elements become NULL. Fields of objects may hold text, dict or list (jsonb), arrays, dates.
    nulls : per field an integer, or of fields of bytes the text, that stands for NULL, e.g. {"parent_id": 0}.

    Numbers, dates and text go by binary COPY without a loop over rows (60 columns: the server takes ten times as long);
    a table with jsonb or array columns goes row by row. ValueError if a value does not fit its column.
    """
    names = array.dtype.names or ()
    if not names:
        raise ValueError(f"table {table}: a structured array is needed, not {array.dtype}")
    raw = driver(connection)
    types_ = _column_types(raw, table, names)
    if not len(array):
        return 0
    missing = nulls or {}
    stream = encode.stream(array, types_, missing)
    target = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with raw.cursor() as cursor:
        if stream is not None:
            with cursor.copy(target + sql.SQL(" (FORMAT binary)")) as copy:
                for chunk in stream.chunks():
                    copy.write(chunk)
        else:
            lists = [_listed(array[name], kind, missing.get(name)) for name, kind in zip(names, types_, strict=True)]
            with cursor.copy(target) as copy:
                for row in zip(*lists, strict=True):
                    copy.write_row(row)
    return len(array)


def _listed(values: Any, type_name: str, missing: Any) -> list[Any]:
    """A field as a list of what the driver's text COPY takes."""
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    listed = [types.plain(entry, type_name) for entry in np.ma.getdata(values)]
    if type_name in ("jsonb", "json"):
        listed = [entry if entry is None or isinstance(entry, Jsonb) else Jsonb(entry) for entry in listed]
    if missing is not None:
        listed = [None if entry == missing else entry for entry in listed]
    if masked is not None:
        listed = [None if is_masked else entry for entry, is_masked in zip(listed, masked, strict=True)]
    return listed


def read(connection: Connection, query: Query, **params: Any) -> np.ndarray[Any, Any]:
    """The rows of a statement of sql/ by binary COPY: three times as fast as calling it, for more than some 1e5 rows.

    The result equals query(connection, **params). Statements with columns other than numbers and booleans, and those
    that do more than SELECT, are simply called.
    """
    returns = query.returns
    if returns is None or query.dtype.hasobject or not query.sql.lstrip().upper().startswith(("SELECT", "WITH")):
        return np.asarray(query(connection, **params))
    # NULL would make the records ragged: floats carry it as NaN; elsewhere it is an error, as in a call.
    wanted = ", ".join(
        f"COALESCE(CAST(q.{name} AS {kind}), 'NaN') AS {name}"
        if query.dtype[name].kind == "f"
        else f"CAST(q.{name} AS {kind}) AS {name}"
        for name, kind in ((name, types.base(kind)) for name, kind in returns.items())
    )
    statement = f"COPY (SELECT {wanted} FROM ({header.for_psycopg(query.parsed)}) AS q) TO STDOUT (FORMAT binary)"
    fields: list[tuple[str, str]] = [("_n", ">i2")]
    for name in returns:
        fields += [(f"_{name}", ">i4"), (name, query.dtype[name].newbyteorder(">").str)]
    record = np.dtype(fields)
    rows = _Rows(query, record)
    with driver(connection).cursor() as cursor, cursor.copy(statement.encode(), query.bind(params)) as copy:
        for chunk in _chunks(copy, driver(connection).pgconn):
            rows.add(chunk)
    return rows.done()


def _chunks(copy: psycopg.Copy, raw: Any) -> Iterator[Any]:
    """What a COPY sends, a row at a time: what has arrived is taken from libpq, the driver is asked only to wait.

    Its own loop costs five times as much for each of three million rows.
    """
    while chunk := copy.read():
        yield chunk
        n_byte, data = raw.get_copy_data(1)
        while n_byte > 0:
            yield data
            n_byte, data = raw.get_copy_data(1)
        if n_byte < 0:  # the end
            while (result := raw.get_result()) is not None:
                if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                    raise psycopg.errors.lookup(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode())(
                        result.error_message.decode()
                    )
            return


class _Rows:
    """Records of a binary COPY, decoded as they come into an array that grows in place."""

    def __init__(self, query: Query, record: np.dtype[Any]) -> None:
        self.query, self.record = query, record
        self.array: np.ndarray[Any, Any] = np.empty(_FIRST_ROWS, query.dtype)
        self.n, self.stream, self.left = 0, bytearray(), len(encode.SIGNATURE)

    def add(self, chunk: Any) -> None:
        """Take what has come; it is decoded some megabytes at a time."""
        self.stream += chunk
        if len(self.stream) >= _DECODED_BYTES:
            self._decode(False)

    def done(self) -> np.ndarray[Any, Any]:
        """All rows. SchemaError `null_column` for a NULL where an array has none."""
        self._decode(True)
        self.array.resize(self.n, refcheck=False)
        return self.array

    def _decode(self, is_last: bool) -> None:
        end = len(self.stream) - len(encode.TRAILER) if is_last else len(self.stream)
        n = max(end - self.left, 0) // self.record.itemsize
        rows = np.frombuffer(self.stream, self.record, n, self.left) if n else np.empty(0, self.record)
        names = self.query.dtype.names or ()
        is_ragged = is_last and self.left + n * self.record.itemsize != end
        if is_ragged or any((rows[f"_{name}"] != self.query.dtype[name].itemsize).any() for name in names):
            raise SchemaError(
                f"sql/{self.query.name}.sql: NULL in a column that has no NULL in an array. Write COALESCE in the "
                "statement.",
                code="null_column",
            )
        while self.n + n > len(self.array):
            self.array.resize(2 * len(self.array), refcheck=False)
        part = self.array[self.n : self.n + n]
        for name in names:
            part[name] = rows[name]
        self.n += n
        used = self.left + n * self.record.itemsize
        del rows
        self.stream, self.left = self.stream[used:], 0
