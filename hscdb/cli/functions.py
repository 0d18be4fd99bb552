"""db functions: what the database's functions take, give and mean, as text or as the page schema/FUNCTIONS.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hscdb.errors import ConfigError

_HEAD = """# Functions of the database

Written by `hscdb db functions REPO --markdown`, from the database; `SELECT * FROM help('%cone%')` says the same there.
The examples are of the repository that `make demo` makes. `float8` is double precision, `float4` real.
"""
_SHORT = {'"dec"': "dec", "double precision": "float8", "real": "float4", "::text": "", "::name": ""}


def show(repository: Any, pattern: str | None, *, is_page: bool) -> None:
    """Print the functions whose name is like a pattern (all that people call, without)."""
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(repository.engine) as connection:
        rows = query("run/read_functions")(connection, pattern=pattern or "%")
    if not len(rows):
        raise ConfigError(
            f"no function is like '{pattern}'. `hscdb db functions REPO` lists them; % stands for any letters.",
            code="no_function",
        )
    print("\n".join(page(rows) if is_page else plain(rows)))


def page(rows: Any) -> Iterator[str]:
    """The lines of the page: a heading for each name, an entry for each of its forms."""
    yield _HEAD
    before = ""
    for row in rows:
        if row["name"] != before:
            yield f"## {_name(row)}\n"
        before = row["name"]
        yield f"`{signature(row)}`\n\n{row['meaning']}\n\n```sql\n{row['example']}\n```\n"


def plain(rows: Any) -> Iterator[str]:
    """The same as text."""
    for row in rows:
        yield f"{signature(row)}\n    {row['meaning']}\n    {row['example']}\n"


def signature(row: Any) -> str:
    """name(arguments) -> result, with short names of types."""
    words = f"{_name(row)}({row['arguments']}) -> {row['result']}"
    for long, short in _SHORT.items():
        words = words.replace(long, short)
    return words


def _name(row: Any) -> str:
    """The name with the capitals of its example: PostgreSQL has none."""
    found = re.search(rf"\b{re.escape(row['name'])}\b", row["example"], re.IGNORECASE)
    return found[0] if found else str(row["name"])
