"""Structured array -> PostgreSQL's binary COPY format, without a Python loop over rows.

Fields that have the width of their column are read where they lie in the array, by one pass over its rows
(records.py); others are turned into bytes as they are sent, column by column, and laid beside it.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import numpy as np

from hscdb.db import records

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_CHUNK_BYTES = 2**18  # stays in the caches of both sides; the next is encoded while the server loads this one
_NOTHING = np.zeros(0, np.uint8)
_BINARY = {
    "smallint": ">i2",
    "integer": ">i4",
    "bigint": ">i8",
    "real": ">f4",
    "double precision": ">f8",
    "boolean": "?",
    "date": ">i4",
    "timestamp with time zone": ">i8",
}
_TEXTS = ("text", "character varying")
_DAY_ZERO = np.datetime64("2000-01-01", "D")
_TIME_ZERO = np.datetime64("2000-01-01T00:00:00", "us")
_EXACT_FLOAT = 2.0**53


class Column:
    """One column ready for encoding: `values` of fixed width (big-endian, or bytes for text) and `is_null` or None."""

    def __init__(self, name: str, values: np.ndarray[Any, Any], is_null: np.ndarray[Any, Any] | None) -> None:
        self.name = name
        self.values = values
        self.is_null = is_null if is_null is not None and is_null.any() else None
        self.is_text = values.dtype.kind == "S"


def column(name: str, type_name: str, values: Any, missing: Any = None) -> Column | None:
    """Prepare a column for its type in the database, or None if the type needs the row-by-row road.

    values  : (n_row,) array of any dtype; NaN, NaT, None and masked elements are NULL.
    missing : an integer, or of bytes the text, that also stands for NULL.
    ValueError if a value does not fit: a fraction or an overflow in an integer column.
    """
    if type_name not in _BINARY and type_name not in _TEXTS:
        return None
    is_null = None
    if isinstance(values, np.ma.MaskedArray):
        is_null = np.ma.getmaskarray(values).copy()
        values = values.data
    values = np.asarray(values)
    if values.ndim != 1:
        return None
    if values.dtype.kind == "O":
        none = np.fromiter((entry is None or entry != entry for entry in values), bool, len(values))
        is_null = none if is_null is None else is_null | none
        values = _from_objects(type_name, values, is_null)
    if missing is not None:
        absent = values == missing
        is_null = absent if is_null is None else is_null | absent
    if type_name in _TEXTS:
        return None if values.dtype.kind not in "US" else Column(name, _text(values), is_null)
    if values.dtype.kind == "f":
        nan = np.isnan(values)
        if nan.any():
            is_null = nan if is_null is None else is_null | nan
    if values.dtype.kind == "M":
        nat = np.isnat(values)
        is_null = nat if is_null is None else is_null | nat
    return Column(name, _numbers(name, type_name, values, is_null), is_null)


def _from_objects(type_name: str, values: np.ndarray[Any, Any], is_null: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if type_name in _TEXTS:
        return np.array(["" if null else str(entry) for entry, null in zip(values, is_null, strict=True)], dtype="U")
    if type_name in ("date", "timestamp with time zone"):
        filled = [np.datetime64("NaT") if null else _utc(entry) for entry, null in zip(values, is_null, strict=True)]
        return np.array(filled, dtype="M8[us]")
    dtype = np.dtype(_BINARY[type_name]).newbyteorder("=")
    return np.array([0 if null else entry for entry, null in zip(values, is_null, strict=True)], dtype=dtype)


def _utc(entry: Any) -> Any:
    """A time with a zone as naive UTC, which is what datetime64 holds."""
    return entry.astimezone(UTC).replace(tzinfo=None) if getattr(entry, "tzinfo", None) is not None else entry


def _text(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    encoded: np.ndarray[Any, Any] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
    return encoded if encoded.dtype.itemsize else encoded.astype("S1")


def _numbers(
    name: str, type_name: str, values: np.ndarray[Any, Any], is_null: np.ndarray[Any, Any] | None
) -> np.ndarray[Any, Any]:
    target = np.dtype(_BINARY[type_name])
    if type_name in ("date", "timestamp with time zone"):
        if values.dtype.kind != "M":
            raise ValueError(f"column {name}: {values.dtype} cannot become {type_name}; use datetime64")
        if type_name == "date":
            return (values.astype("M8[D]") - _DAY_ZERO).astype(np.int64).astype(target)
        return (values.astype("M8[us]") - _TIME_ZERO).astype(np.int64).astype(target)
    if values.dtype.kind not in "iufb":
        raise ValueError(f"column {name}: {values.dtype} cannot become {type_name}")
    if target.kind == "f":
        with np.errstate(invalid="ignore"):  # a signaling NaN is NULL like others
            return values.astype(target)
    good = values if is_null is None else np.where(is_null, np.zeros((), values.dtype), values)
    if target.kind == "b":
        if not np.isin(good, (0, 1)).all():
            raise ValueError(f"column {name}: a boolean must be 0 or 1")
        return good.astype(target)
    if good.dtype.kind == "f" and (np.any(good != np.trunc(good)) or np.any(np.abs(good) > _EXACT_FLOAT)):
        raise ValueError(f"column {name}: floating-point numbers that are no exact integers in a column of {type_name}")
    limits = np.iinfo(target)
    if good.dtype.kind in "iuf" and len(good) and (good.min() < limits.min or good.max() > limits.max):
        raise ValueError(f"column {name}: {good.min()} .. {good.max()} does not fit {type_name}")
    return good.astype(target)


class Stream:
    """The COPY stream of a structured array."""

    def __init__(self, array: np.ndarray[Any, Any], kinds: list[str], missing: dict[str, int | bytes]) -> None:
        """kinds and missing as in `stream`, which makes one."""
        self.n_row = len(array)
        self.columns: list[Column] = []
        self.plan = np.zeros((len(kinds), 4), np.int64)
        self.is_fit = True
        side: list[tuple[str, Any]] = []
        for line, name, kind in zip(self.plan, array.dtype.names or (), kinds, strict=True):
            direct = _direct(array, name, kind, missing.get(name))
            if direct is not None:
                line[:] = direct
                continue
            made = column(name, kind, array[name], missing.get(name))
            if made is None:
                self.is_fit = False
                return
            self.columns.append(made)
            offset = np.dtype(side).itemsize
            side += [(f"n{len(side)}", "?"), (f"v{len(side)}", made.values.dtype)]
            line[:3] = records.TEXT if made.is_text else records.READY, offset, made.values.dtype.itemsize
        self.side = np.dtype(side)
        is_read = bool((self.plan[:, 0] <= records.MARKED).any())
        self.source = np.ascontiguousarray(array).view(np.uint8) if is_read else np.zeros(0, np.uint8)
        self.stride = array.dtype.itemsize if is_read else 0

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The stream, signature and trailer included. A chunk is overwritten when the next is asked for."""
        yield SIGNATURE
        n_byte = 2 + int((4 + self.plan[:, 2]).sum())
        size = min(max(_CHUNK_BYTES // n_byte, 1), self.n_row)
        out = np.empty(size * n_byte, np.uint8)
        side = np.zeros(size, self.side)
        names = self.side.names or ()
        for first in range(0, self.n_row, size):
            end = min(first + size, self.n_row)
            for index, entry in enumerate(self.columns):
                if entry.is_null is not None:
                    side[names[2 * index]][: end - first] = entry.is_null[first:end]
                side[names[2 * index + 1]][: end - first] = entry.values[first:end]
            n = records.write(
                self.source[first * self.stride : end * self.stride], self.stride,
                side.view(np.uint8) if names else _NOTHING, self.side.itemsize, self.plan, end - first, out,
            )  # fmt: skip
            yield out.data[:n]
        yield TRAILER


def _direct(array: np.ndarray[Any, Any], name: str, kind: str, missing: int | bytes | None) -> tuple[int, ...] | None:
    """The line of the plan for a field that can be read where it lies, None if it must be prepared."""
    held, offset = (array.dtype.fields or {})[name][:2]
    is_plain = not (array.dtype.hasobject or isinstance(array, np.ma.MaskedArray) or isinstance(missing, bytes))
    if not is_plain or kind in ("date", "timestamp with time zone") or kind not in _BINARY:
        return None
    if held != np.dtype(_BINARY[kind]).newbyteorder("<") or (missing is not None and held.kind != "i"):
        return None
    if missing is None:
        return (records.FLOAT if held.kind == "f" else records.WHOLE, offset, held.itemsize, 0)
    if not -(2 ** (8 * held.itemsize - 1)) <= missing < 2 ** (8 * held.itemsize - 1):
        return (records.WHOLE, offset, held.itemsize, 0)
    # as the machine's word of that width, which is compared without its sign
    marked = int(np.array(missing, held).astype(np.int64)) & (2 ** (8 * held.itemsize) - 1)
    return (records.MARKED, offset, held.itemsize, marked - 2**64 if marked >= 2**63 else marked)


def stream(array: np.ndarray[Any, Any], kinds: list[str], missing: dict[str, int | bytes]) -> Stream | None:
    """The COPY stream of an array, or None if a column needs the row-by-row road.

    array   : (n_row,) structured.
    kinds   : type in the database of each field.
    missing : per field an integer, or bytes, that also stands for NULL.
    ValueError if a value does not fit: a fraction or an overflow in an integer column.
    """
    made = Stream(array, kinds, missing)
    return made if made.is_fit else None
