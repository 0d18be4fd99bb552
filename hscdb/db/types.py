"""PostgreSQL's types as numpy dtypes, and values on their way in."""

from functools import cache
from typing import Any

import numpy as np

_DTYPES: dict[str, str] = {
    "smallint": "i2",
    "integer": "i4",
    "bigint": "i8",
    "real": "f4",
    "double precision": "f8",
    "boolean": "?",
}
_ALIASES = {
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "finite4": "real",
    "finite8": "double precision",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying",
}


@cache
def base(type_name: str) -> str:
    """The canonical name of a type: aliases and the project's domains resolved, `[]` kept."""
    element = type_name.removesuffix("[]")
    name = _ALIASES.get(element.lower(), element.lower())
    return name + "[]" if type_name.endswith("[]") else name


def dtype(type_name: str) -> np.dtype[Any]:
    """The dtype a column of this type has in arrays: numbers and booleans as such, all else as object."""
    return np.dtype(_DTYPES.get(base(type_name), "O"))


def row_dtype(columns: dict[str, str]) -> np.dtype[Any]:
    """The structured dtype of rows with these columns."""
    return np.dtype([(name, dtype(type_name)) for name, type_name in columns.items()])


def plain(entry: Any, type_name: str) -> Any:
    """A value as the driver takes it: numpy scalars and arrays made Python's; NaN of a float type made NULL."""
    if entry is None:
        return None
    if type_name.endswith("[]") and isinstance(entry, np.ndarray | list | tuple):
        element = type_name.removesuffix("[]")
        listed = entry.tolist() if isinstance(entry, np.ndarray) else entry
        if all(type(item) is float and item == item for item in listed) and dtype(element).kind == "f":
            return list(listed)
        return [plain(item, element) for item in listed]
    if isinstance(entry, np.ndarray | np.generic):
        entry = entry.tolist() if not isinstance(entry, np.datetime64) else entry.item()
    kind = base(type_name)
    if isinstance(entry, float) and entry != entry:
        return None
    if kind in ("smallint", "integer", "bigint") and isinstance(entry, float) and entry.is_integer():
        return int(entry)
    if kind in ("real", "double precision") and isinstance(entry, int):
        return float(entry)
    return entry


def parse_array(written: str, type_name: str) -> list[Any]:
    """A one-dimensional array of numbers as the server writes it, e.g. '{1,NULL,2.5}', as a list."""
    convert = float if dtype(type_name.removesuffix("[]")).kind == "f" else int
    inner = written.strip()[1:-1]
    if "{" in inner:
        raise ValueError(f"{written[:40]}: only arrays of one dimension are read")
    return [None if entry == "NULL" else convert(entry) for entry in inner.split(",")] if inner else []
