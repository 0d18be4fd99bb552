"""A VOTable of any number of rows: astropy writes what stands before the rows, these are written as they are read."""

import base64
import warnings
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.io.votable import exceptions, from_table
from astropy.io.votable.tree import Info
from astropy.table import Table

from hscdb.fits.spool import TIMES, Field, Spool

_LINE = 57  # bytes of a line of 76 characters
_CUT = b'  <INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'


def write(path: Path, spool: Spool, is_cut: Callable[[], bool]) -> None:
    """Write a VOTable (BINARY2); behind the rows it says OVERFLOW if the answer was cut."""
    words = _frame(spool)
    head, _, tail = words.partition(b"</TABLE>")
    with path.open("wb") as file:
        file.write(head + b' <DATA>\n    <BINARY2>\n     <STREAM encoding="base64">\n')
        left = b""
        for columns in spool:
            left += b"".join(_rows(spool.fields, columns))
            whole = len(left) - len(left) % _LINE
            file.write(base64.encodebytes(left[:whole]))
            left = left[whole:]
        file.write(base64.encodebytes(left))
        file.write(b"     </STREAM>\n    </BINARY2>\n   </DATA>\n  </TABLE>")
        file.write(tail.replace(b" </RESOURCE>", _CUT + b" </RESOURCE>") if is_cut() else tail)


def blank_table(fields: Sequence[Field], kinds: Sequence[np.dtype[Any]]) -> Table:
    """A table without rows that has the columns with their units and meanings."""
    table = Table()
    for field, kind in zip(fields, kinds, strict=True):
        table[field.name] = np.zeros((0, *kind.shape), str if kind.kind == "S" else kind.base)
        table[field.name].unit = units.Unit(field.unit, parse_strict="silent") if field.unit else None
        table[field.name].description = field.meaning or None
        if field.ucd:
            table[field.name].meta["ucd"] = field.ucd
    return table


def _frame(spool: Spool) -> bytes:
    """The file without its rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.W03)  # identifiers are made of names, whatever those are
        made = from_table(blank_table(spool.fields, spool.kinds))
    # VOTable, like FITS, knows no electron; a count is one
    for there, field, kind in zip(made.get_first_table().fields, spool.fields, spool.kinds, strict=True):
        there.unit = field.unit.replace("electron", "count") or None
        there.ucd = field.ucd or None
        there.description = field.meaning or None
        there.xtype = "timestamp" if field.dtype in TIMES else None
        if kind.kind == "S":  # times are of plain characters: validators take no others for a timestamp
            there.datatype = "char" if field.dtype in TIMES else "unicodeChar"
            there.arraysize = "*"
        if field.dtype == "?":  # and not bit, which has no way to be missing, and which STILTS cannot read alone
            there.datatype = "boolean"
    made.resources[0].infos.append(Info(name="QUERY_STATUS", value="OK"))
    buffer = BytesIO()
    made.to_xml(buffer)
    return buffer.getvalue()


def _rows(fields: Sequence[Field], columns: Sequence[np.ma.MaskedArray[Any, Any]]) -> Iterator[bytes]:
    """The rows of a chunk in pieces: a bit for each cell that is missing, then the cells (VOTable 1.4, section 6.4)."""
    n_row = len(columns[0])
    gone = np.zeros((n_row, len(columns)), bool)
    for i, column in enumerate(columns):
        gone[:, i] = np.ma.getmaskarray(column).reshape(n_row, -1).all(axis=1)
    fixed = [np.packbits(gone, axis=1)]
    pieces: list[Sequence[bytes]] = []
    for field, column in zip(fields, columns, strict=True):
        if column.dtype.kind == "S":
            pieces.append(_cut(fixed))
            fixed = [np.zeros((n_row, 0), np.uint8)]
            pieces.append([_counted(cell, field) for cell in column.data.tolist()])
        else:
            fixed.append(_bytes(column))
    pieces.append(_cut(fixed))
    return chain.from_iterable(zip(*pieces, strict=True))


def _cut(fixed: list[npt.NDArray[np.uint8]]) -> list[bytes]:
    """Columns of bytes (n_row, width) side by side, cut into rows."""
    beside = np.concatenate(fixed, axis=1)
    width = beside.shape[1]
    whole = beside.tobytes()
    return [whole[i * width : (i + 1) * width] for i in range(len(beside))]


def _counted(cell: bytes, field: Field) -> bytes:
    """A text with its length before it."""
    if field.dtype not in TIMES:
        cell = cell.decode().encode("utf-16-be")
        return (len(cell) // 2).to_bytes(4, "big") + cell
    return len(cell).to_bytes(4, "big") + cell


def _bytes(column: np.ma.MaskedArray[Any, Any]) -> npt.NDArray[np.uint8]:
    """Numbers, the highest byte first, as (n_row, width); truth is T, F or ? where it is missing."""
    if column.dtype.kind == "b":
        letters = np.where(np.ma.getmaskarray(column), ord("?"), np.where(column.data, ord("T"), ord("F")))
        return letters.astype(np.uint8)[:, None]
    swapped = np.ascontiguousarray(column.data, column.dtype.newbyteorder(">"))
    return swapped.reshape(len(column), -1).view(np.uint8)
