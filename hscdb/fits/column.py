"""Change columns of a table in a file nobody reads yet, in their place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.errors import InputError
from hscdb.fits import hdu as _hdu

_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
_DTYPE = {"B": ">u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


def overwrite(path: Path, name: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Put new values, (n_row,) each, into numeric columns of the table with EXTNAME `name`.

    InputError `no_hdu` or `no_column`. ValueError if the number of rows or the kind of a column does not fit.
    """
    found = next((one for one in _hdu.scan(path) if one.name == name), None)
    if found is None:
        raise InputError(f"{path}: no HDU {name}. Give the name of one of its tables.", code="no_hdu")
    n_byte, n_row = int(found.header["NAXIS1"]), int(found.header["NAXIS2"])
    places = first_bytes(found.header)
    rows = np.fromfile(path, np.uint8, n_row * n_byte, offset=found.data_start).reshape(n_row, n_byte)
    for column, values in columns.items():
        if column not in places:
            raise InputError(f"{path}: table {name} has no column {column}.", code="no_column")
        first, form = places[column]
        code = form.removeprefix("1")  # a format with a number is an array in each row
        if len(values) != n_row or code not in _DTYPE:
            raise ValueError(f"{path}: {len(values)} values for {n_row} rows of column {column} ({code})")
        raw = np.ascontiguousarray(values, _DTYPE[code]).view(np.uint8).reshape(n_row, np.dtype(_DTYPE[code]).itemsize)
        rows[:, first : first + raw.shape[1]] = raw
    _hdu.overwrite(path, found.data_start, rows)


def first_bytes(header: Any) -> dict[str, tuple[int, str]]:
    """{column: (first byte in the row, TFORM)} of a table, by its header. ValueError for a format that is none."""
    places, at = {}, 0
    for k in range(1, int(header["TFIELDS"]) + 1):
        form = re.match(r"(\d*)([LXBIJKAEDCMPQ])", str(header[f"TFORM{k}"]).strip())
        if form is None:
            raise ValueError(f"column format {header[f'TFORM{k}']!r}")
        repeat, code = int(form[1] or 1), form[2]
        places[str(header[f"TTYPE{k}"]).strip()] = at, "".join(form.groups())
        at += (repeat + 7) // 8 if code == "X" else repeat * _BYTES[code]
    return places
