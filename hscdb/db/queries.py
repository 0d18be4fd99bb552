"""sql/<stage>/<verb>_<noun>.sql -> checked callable: names and types in, structured array out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, TextClause, text

from hscdb.db import header, types
from hscdb.db.engine import folder
from hscdb.errors import SchemaError

_FLOAT4 = 700  # the server's number of the type real


@dataclass(frozen=True)
class Query:
    """A statement of sql/, ready to be called."""

    parsed: header.Statement
    statement: TextClause
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """`stage/verb_noun`."""
        return self.parsed.name

    @property
    def sql(self) -> str:
        """The body without comments."""
        return self.parsed.sql

    @property
    def params(self) -> dict[str, str]:
        """Parameter name -> PostgreSQL type."""
        return self.parsed.params

    @property
    def returns(self) -> dict[str, str] | None:
        """Column name -> PostgreSQL type, or None if only the number of rows is told."""
        return self.parsed.returns

    def __call__(self, connection: Connection, **params: Any) -> Any:
        """Execute; a structured array of the rows, (n_row,), or the row count (int) if the header says `count`.

        NULL becomes NaN in float columns and None in object columns; in integer and boolean columns it is an error
        (SchemaError `null_column`): write COALESCE, or declare the column as double precision.
        """
        result = connection.execute(self.statement, self.bind(params))
        if self.returns is None:
            return result.rowcount
        if list(result.keys()) != list(self.returns):
            raise SchemaError(
                f"sql/{self.name}.sql: gives columns {', '.join(result.keys())}, "
                f"but its header says {', '.join(self.returns)}.",
                code="bad_query",
            )
        singles = [column[0] for column in result.cursor.description or () if column[1] == _FLOAT4]
        return self._array(result.all(), singles)

    def many(self, connection: Connection, rows: np.ndarray[Any, Any], **params: Any) -> int:
        """Execute once per element of a structured array whose fields are parameters; `params` are the same for all.

        Returns the number of rows sent. Above some 1e4 rows use hscdb.db.copy.
        """
        names = rows.dtype.names or ()
        if not len(rows):
            self._check({*names, *params})
            return 0
        columns = {name: _column(rows[name], self.params.get(name, "")) for name in names}
        self._check({*names, *params})
        shared = {name: self._entry(name, entry) for name, entry in params.items()}
        bound = [
            dict(zip(columns, entries, strict=True)) | shared for entries in zip(*columns.values(), strict=True)
        ]
        connection.execute(self.statement, bound)
        return len(bound)

    def one(self, connection: Connection, **params: Any) -> Any:
        """The only row (numpy record) or None if there is none. SchemaError `many_rows` if there are more."""
        rows = self(connection, **params)
        if len(rows) > 1:
            raise SchemaError(f"sql/{self.name}.sql: {len(rows)} rows where at most one is expected.", code="many_rows")
        return rows[0] if len(rows) else None

    def _check(self, given: Iterable[str]) -> None:
        names = set(given)
        if names != self.params.keys():
            missing = ", ".join(sorted(self.params.keys() - names)) or "none"
            unknown = ", ".join(sorted(names - self.params.keys())) or "none"
            raise TypeError(f"{self.name}: parameters missing: {missing}; unknown: {unknown}")

    def _entry(self, name: str, entry: Any) -> Any:
        return _outward(types.plain(entry, self.params[name]), self.params[name])

    def bind(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters as the driver takes them. TypeError if a name is missing or unknown."""
        self._check(params)
        return {name: self._entry(name, entry) for name, entry in params.items()}

    def _array(self, rows: Iterable[Any], singles: list[str]) -> np.ndarray[Any, Any]:
        """Rows as a structured array. Columns named in `singles` are real: the driver gives their shortest decimal
        form, which only single precision turns into the number that is stored."""
        listed = [tuple(row) for row in rows]
        array = np.empty(len(listed), self.dtype)
        if not listed:
            return array
        for (name, type_name), column in zip((self.returns or {}).items(), zip(*listed, strict=True), strict=True):
            kind = self.dtype[name].kind
            if kind == "O":
                array[name] = _objects(column, type_name)
            elif kind == "f":
                array[name] = np.array(column, dtype=np.float32 if name in singles else np.float64)  # None becomes NaN
            elif None in column:
                raise SchemaError(
                    f"sql/{self.name}.sql: NULL in column {name} ({type_name}), which has no NULL in an array. "
                    f"Write COALESCE in the statement.",
                    code="null_column",
                )
            else:
                array[name] = column
        return array


def _objects(column: tuple[Any, ...], type_name: str) -> np.ndarray[Any, Any]:
    """A column of objects; lists stay single elements. The driver gives arrays of our domains as text."""
    array = np.empty(len(column), object)
    is_array = type_name.endswith("[]")
    for index, entry in enumerate(column):
        array[index] = types.parse_array(entry, type_name) if is_array and isinstance(entry, str) else entry
    return array


def _outward(entry: Any, type_name: str) -> Any:
    if entry is not None and types.base(type_name) in ("jsonb", "json") and not isinstance(entry, Jsonb):
        return Jsonb(entry)
    return entry


def _column(column: np.ndarray[Any, Any], type_name: str) -> list[Any]:
    """A field of a structured array as parameters of one type."""
    if column.dtype.kind in "iub" and not type_name.endswith("[]"):
        listed: list[Any] = column.tolist()
        if types.dtype(type_name).kind != "f":
            return listed
    return [_outward(types.plain(entry, type_name), type_name) for entry in column]


@cache
def query(name: str) -> Query:
    """The statement sql/<name>.sql, e.g. query("match/link_pairs").

    SchemaError `no_query` if there is no such file, `bad_query` if its header and its body disagree.
    """
    path = folder("sql") / f"{name}.sql"
    if not path.is_file():
        raise SchemaError(f"{path}: there is no such statement. Mend the name, or reinstall hscdb.", code="no_query")
    parsed = header.parse(name, path.read_text(encoding="utf-8"))
    return Query(parsed, text(header.for_sqlalchemy(parsed)), types.row_dtype(parsed.returns or {}))


def names() -> list[str]:
    """All statements of sql/, sorted: `stage/verb_noun`."""
    root = folder("sql")
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.sql"))
