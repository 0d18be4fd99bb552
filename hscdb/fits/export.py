"""Tables for other people: FITS, ECSV, VOTable, Parquet with units, UCDs and meanings. What is missing stays so.

However many rows there are, few of them are in memory at a time.
"""

import csv
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
from astropy.io import fits

from hscdb.fits import hdu as _hdu
from hscdb.fits import spool, votable
from hscdb.fits.spool import Field, Spool, chunks, text, vector_length

__all__ = ["FORMATS", "Field", "text", "write"]
FORMATS = ("fits", "ecsv", "votable", "parquet")
_NULLS = {"i2": -(2**15), "i4": -(2**31), "i8": -(2**63)}
_CODES = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "b1": "L"}
_PARQUET_ROWS = 20000  # of a row group


def write(
    path: Path,
    form: str,
    fields: Sequence[Field],
    rows: Iterable[Sequence[Any]],
    is_cut: Callable[[], bool] = lambda: False,
) -> int:
    """Write rows in one of FORMATS, whole or not at all; returns their number.

    is_cut : asked after the last row, whether a limit has left out others. The file then says so: FITS by the keyword
    OVERFLOW, VOTable by QUERY_STATUS, ECSV and Parquet by OVERFLOW among the table's own words.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if form == "parquet":
            n_row = _parquet(temporary, fields, rows, is_cut)
        elif form == "ecsv":
            n_row = _ecsv(temporary, fields, rows, is_cut)
        else:
            with Spool(fields, path.parent) as kept:
                kept.fill(rows)
                {"fits": _fits, "votable": votable.write}[form](temporary, kept, is_cut)
                n_row = kept.n_row
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return n_row


def _cut_words(n_row: int) -> str:
    return f"cut at {n_row} rows by a limit"


def _fits(path: Path, kept: Spool, is_cut: Callable[[], bool]) -> None:
    columns, layout = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)  # a name like ?column? is what the user asked for
        for field, kind, has_null in zip(kept.fields, kept.kinds, kept.has_null, strict=True):
            number = kind.base.str[1:]
            if kind.kind == "S":
                code, stored = f"{kind.itemsize}A", kind
            else:
                code = f"{kind.shape[0] if kind.shape else ''}{_CODES[number]}"
                stored = np.dtype("u1") if number == "b1" else kind.newbyteorder(">")
            null = _NULLS.get(number) if has_null else None
            columns.append(fits.Column(field.name, code, unit=_fits_unit(field.unit), null=null))
            layout.append(stored)
        header = fits.BinTableHDU.from_columns(columns, nrows=0).header
    header["NAXIS2"] = kept.n_row
    for i, field in enumerate(kept.fields, start=1):
        if field.ucd:
            header[f"TUCD{i}"] = field.ucd
        if field.meaning:
            header[f"TCOMM{i}"] = field.meaning.encode("ascii", "replace").decode()
    if is_cut():
        header["OVERFLOW"] = (True, _cut_words(kept.n_row))
    row = np.dtype([(f"c{i}", kind) for i, kind in enumerate(layout)])
    with path.open("wb") as file:
        file.write(_hdu.header_bytes(fits.PrimaryHDU().header) + _hdu.header_bytes(header))
        for part in kept:
            stored_rows = np.zeros(len(part[0]), row)
            for i, column in enumerate(part):
                stored_rows[f"c{i}"] = _fits_cells(column)
            file.write(stored_rows.tobytes())
        file.write(bytes(-kept.n_row * row.itemsize % _hdu.BLOCK))


def _fits_unit(unit: str) -> str | None:
    """A unit as FITS has it, which knows no electron (a count is one) and no fraction of 1."""
    return re.sub("^1/(.+)$", r"\1**-1", unit.replace("electron", "count")) or None


def _fits_cells(column: np.ma.MaskedArray[Any, Any]) -> Any:
    """Cells as they stand in FITS: a logical is T, F or, where it is missing, a byte of zero (which astropy does not
    write)."""
    if column.dtype.kind == "b":
        return np.where(np.ma.getmaskarray(column), 0, np.where(column.data, ord("T"), ord("F"))).astype(np.uint8)
    return column.filled(_NULLS[column.dtype.str[1:]]) if column.dtype.kind == "i" else column.data


def _ecsv(path: Path, fields: Sequence[Field], rows: Iterable[Sequence[Any]], is_cut: Callable[[], bool]) -> int:
    """The lines first, for only the last of them tells whether all lists are vectors of one length; then the header
    by astropy, and the lines behind it."""
    lengths: list[set[int]] = [set() for _ in fields]
    of_text = [i for i, field in enumerate(fields) if field.is_text]
    n_row = 0
    with SpooledTemporaryFile(spool.MEMORY, "w+", encoding="utf-8", newline="", dir=str(path.parent)) as body:
        writer = csv.writer(body, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        for part in chunks(rows):
            cells: list[Any] = part
            if of_text:
                cells = [list(row) for row in part]
            for i in of_text:
                lengths[i] |= {vector_length(row[i]) for row in part if row[i] is not None}
                for row in cells:
                    row[i] = text(row[i])
            writer.writerows(cells)
            n_row += len(part)
        kinds = [
            np.dtype(("f8", (next(iter(seen)),))) if len(seen) == 1 and 0 not in seen
            else np.dtype("S1") if field.is_text else np.dtype(field.dtype)
            for field, seen in zip(fields, lengths, strict=True)
        ]  # fmt: skip
        table = votable.blank_table(fields, kinds)
        if is_cut():
            table.meta["OVERFLOW"] = _cut_words(n_row)
        head = StringIO()
        table.write(head, format="ascii.ecsv", delimiter=",")
        body.seek(0)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(head.getvalue().replace(os.linesep, "\n"))
            shutil.copyfileobj(body, file)
    return n_row


_ARROW = {"i2": "int16", "i4": "int32", "i8": "int64", "f4": "float32", "f8": "float64", "?": "bool_", "date": "date32"}


def _parquet(path: Path, fields: Sequence[Field], rows: Iterable[Sequence[Any]], is_cut: Callable[[], bool]) -> int:
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
        for part in chunks(rows, _PARQUET_ROWS):
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
        if is_cut():
            writer.add_key_value_metadata({"OVERFLOW": _cut_words(n_row)})
    return n_row
