"""Tables for other people: FITS, ECSV, VOTable, Parquet with units, UCDs and meanings. What is missing stays so."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.io.votable import converters, from_table
from astropy.io.votable.tree import Info
from astropy.table import MaskedColumn, Table

FORMATS = ("fits", "ecsv", "votable", "parquet")
CHUNK_ROWS = 20000
_TIMES = ("date", "time")
_NULLS = {"i2": -(2**15), "i4": -(2**31), "i8": -(2**63)}


@dataclass(frozen=True)
class Field:
    """A column. dtype: numpy's code of its numbers ("i4", "f8", "?", ...), "U" for text, "date" or "time"; the rest as
    written."""

    name: str
    dtype: str
    unit: str = ""
    ucd: str = ""
    meaning: str = ""


def text(entry: Any) -> str:
    """A cell as text: dates in ISO form, times UTC and without a zone (as FITS wants them), lists and documents as
    JSON, bytes as PostgreSQL writes them, nothing for what is missing."""
    if entry is None:
        return ""
    if isinstance(entry, datetime) and entry.tzinfo is not None:
        entry = entry.astimezone(UTC).replace(tzinfo=None)
    if isinstance(entry, date):
        return entry.isoformat()
    if isinstance(entry, dict | list):
        return json.dumps(entry, ensure_ascii=False, default=text)
    return "\\x" + entry.hex() if isinstance(entry, bytes) else str(entry)


def chunks(rows: Iterable[Sequence[Any]], n_row: int = CHUNK_ROWS) -> Iterator[list[Sequence[Any]]]:
    """Rows in lists of at most n_row."""
    left = iter(rows)
    while part := list(islice(left, n_row)):
        yield part


def column(field: Field, entries: Sequence[Any]) -> np.ma.MaskedArray[Any, Any]:
    """Cells as a masked array; vectors of equal length stay vectors, all else that is no number is text."""
    if field.dtype in ("U", *_TIMES):
        there = [entry for entry in entries if entry is not None]
        lengths = {len(entry) for entry in there if isinstance(entry, list)}
        is_vector = bool(there) and all(isinstance(entry, list) for entry in there) and len(lengths) == 1
        if is_vector and not any(isinstance(item, str) for entry in there for item in entry):
            n = lengths.pop()
            blank = [None] * n
            listed = np.array([blank if entry is None else entry for entry in entries], float)
            return np.ma.MaskedArray(listed, np.isnan(listed))
        return np.ma.MaskedArray([text(entry) for entry in entries], [entry is None for entry in entries], dtype=str)
    mask = np.array([entry is None for entry in entries], bool)
    blank_number: Any = np.nan if field.dtype[0] == "f" else 0
    numbers = [blank_number if entry is None else entry for entry in entries]
    return np.ma.MaskedArray(np.array(numbers, field.dtype), mask)


def write(path: Path, form: str, fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows in one of FORMATS, whole or not at all; returns their number. Parquet is written chunk by chunk, the
    others are gathered as arrays first. `rows` may have an attribute is_cut that is asked after the last row."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if form == "parquet":
            n_row = _parquet(temporary, fields, rows)
        else:
            parts = [[column(f, [row[i] for row in part]) for i, f in enumerate(fields)] for part in chunks(rows)]
            parts = parts or [[column(f, []) for f in fields]]
            joined: Any = np.ma.concatenate  # it has no types
            whole = [joined(pieces) for pieces in zip(*_even(parts), strict=True)]
            n_row = len(whole[0]) if whole else 0
            {"fits": _fits, "ecsv": _ecsv, "votable": _votable}[form](temporary, fields, whole)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return n_row


def mark_cut(path: Path, form: str, n_row: int) -> None:
    """Say in a file that a limit has left out rows: VOTable's QUERY_STATUS, FITS keyword OVERFLOW."""
    if form == "fits":
        fits.setval(path, "OVERFLOW", value=True, comment=f"cut at {n_row} rows by a limit", ext=1)
    elif form == "votable":
        words = path.read_bytes()
        mark = b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n </RESOURCE>'
        path.write_bytes(words.replace(b"</RESOURCE>", mark, 1))


def _even(parts: list[list[Any]]) -> list[list[Any]]:
    """Chunks whose columns have one kind: a column that is a vector in some and text in others becomes text."""
    for i in range(len(parts[0])):
        shapes = {(part[i].dtype.kind, part[i].shape[1:]) for part in parts}
        if len(shapes) > 1:
            for part in parts:
                cells = part[i].tolist()
                part[i] = np.ma.MaskedArray([text(c) for c in cells], [c is None for c in cells], dtype=str)
    return parts


def _fits(path: Path, fields: Sequence[Field], columns: Sequence[Any]) -> None:
    cells = []
    for field, array in zip(fields, columns, strict=True):
        kind = array.dtype.kind
        if kind == "U":
            plain = np.char.encode(array.filled(""), "utf-8") if array.size else np.zeros(0, "S1")
            code = f"{max(1, plain.dtype.itemsize)}A"
            cells.append(fits.Column(field.name, code, array=plain, unit=field.unit or None))
            continue
        code = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "b1": "L"}[array.dtype.str[1:]]
        null = _NULLS.get(array.dtype.str[1:]) if kind == "i" and np.ma.is_masked(array) else None
        filler: Any = np.nan if kind == "f" else False if kind == "b" else null
        plain = array.filled(filler) if filler is not None else array.data
        code = f"{array.shape[1]}{code}" if array.ndim == 2 else code
        cells.append(fits.Column(field.name, code, array=plain, unit=field.unit or None, null=null))
    table = fits.BinTableHDU.from_columns(cells)
    for number, field in enumerate(fields, start=1):
        if field.ucd:
            table.header[f"TUCD{number}"] = field.ucd
        if field.meaning:
            table.header[f"TCOMM{number}"] = field.meaning[:68]
    missing = {f.name: np.ma.getmaskarray(a) for f, a in zip(fields, columns, strict=True) if a.dtype.kind == "b"}
    layout, n_row = table.data.dtype, len(table.data)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)
    # FITS's own way to say that a logical is missing is a byte of zero, which astropy does not write.
    if any(mask.any() for mask in missing.values()):
        with fits.open(path) as written:
            start = written[1].fileinfo()["datLoc"]
        stored = np.memmap(path, layout, "r+", start, (n_row,))
        for name, mask in missing.items():
            stored[name][mask] = 0
        stored.flush()


def _table(fields: Sequence[Field], columns: Sequence[Any]) -> Table:
    table = Table()
    for field, array in zip(fields, columns, strict=True):
        kept = array if np.ma.is_masked(array) else array.data
        made = MaskedColumn(kept) if np.ma.is_masked(kept) else kept
        table[field.name] = made
        table[field.name].unit = units.Unit(field.unit, parse_strict="silent") if field.unit else None
        table[field.name].description = field.meaning or None
        if field.ucd:
            table[field.name].meta["ucd"] = field.ucd
    return table


def _ecsv(path: Path, fields: Sequence[Field], columns: Sequence[Any]) -> None:
    _table(fields, columns).write(path, format="ascii.ecsv", overwrite=True)


def _votable(path: Path, fields: Sequence[Field], columns: Sequence[Any]) -> None:
    # times are of plain characters: validators take no others for a timestamp
    plain = [
        np.ma.MaskedArray(np.char.encode(array.filled(""), "ascii"), np.ma.getmaskarray(array))
        if field.dtype in _TIMES and array.size
        else array
        for field, array in zip(fields, columns, strict=True)
    ]
    made = from_table(_table(fields, plain))
    for there, field in zip(made.get_first_table().fields, fields, strict=True):
        there.ucd = field.ucd or None
        there.description = field.meaning or None
        there.xtype = "timestamp" if field.dtype in _TIMES else None
        if field.dtype == "?":  # and not bit, which has no way to be missing, and which STILTS cannot read alone
            there.datatype = "boolean"
            there.converter = converters.get_converter(there)
    made.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    made.to_xml(str(path), tabledata_format="binary2")


_ARROW = {"i2": "int16", "i4": "int32", "i8": "int64", "f4": "float32", "f8": "float64", "?": "bool_", "date": "date32"}


def _parquet(path: Path, fields: Sequence[Field], rows: Iterable[Sequence[Any]]) -> int:
    import pyarrow as pa  # 60 ms to import, and needed for this format alone
    import pyarrow.parquet as parquet

    about = [{k: v for k, v in (("unit", f.unit), ("ucd", f.ucd), ("description", f.meaning)) if v} for f in fields]
    schema = pa.schema([
        pa.field(
            f.name,
            pa.timestamp("us", "UTC") if f.dtype == "time" else getattr(pa, _ARROW.get(f.dtype, "string"))(),
            metadata=meta,
        )
        for f, meta in zip(fields, about, strict=True)
    ])  # fmt: skip
    n_row = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for part in chunks(rows):
            arrays = []
            for i, field in enumerate(fields):
                cells: list[Any] = [row[i] for row in part]
                if field.dtype == "U":
                    cells = [None if cell is None else text(cell) for cell in cells]
                elif field.dtype[0] == "f":
                    cells = [None if cell is None else float(cell) for cell in cells]
                arrays.append(pa.array(cells, schema.field(i).type))
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            n_row += len(part)
    return n_row
