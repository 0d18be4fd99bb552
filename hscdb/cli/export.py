"""Rows of a query as an ECSV or FITS table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.errors import ConfigError


def column(entries: Sequence[Any]) -> np.ndarray[Any, Any]:
    """One column: numbers as numbers (NaN where missing, so integers with gaps become floats), lists of equal length
    as vectors, all else as text."""
    there = [each for each in entries if each is not None]
    if there and all(isinstance(each, bool) for each in there) and len(there) == len(entries):
        return np.array(entries, bool)
    if there and all(isinstance(each, int | float | Decimal) and not isinstance(each, bool) for each in there):
        if len(there) == len(entries) and all(isinstance(each, int) for each in there):
            return np.array(entries, np.int64)
        return np.array([np.nan if each is None else float(each) for each in entries])
    if there and all(isinstance(each, list) for each in there) and len({len(each) for each in there}) == 1:
        n_element = len(there[0])
        return np.array([[np.nan] * n_element if each is None else each for each in entries], float)
    return np.array(
        ["" if each is None else each.isoformat() if isinstance(each, date) else str(each) for each in entries]
    )


def write(path: Path, form: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows to a file: form `fits` or `ecsv`. ConfigError `bad_output` if two columns have one name."""
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: two columns have the same name. Give names with AS.", code="bad_output")
    columns = [column([row[i] for row in rows]) for i in range(len(names))]
    array = np.zeros(
        len(rows), [(name, entries.dtype, entries.shape[1:]) for name, entries in zip(names, columns, strict=True)]
    )
    for name, entries in zip(names, columns, strict=True):
        array[name] = entries
    if form == "fits":
        from hscdb.fits.table import write_table

        text = [name for name in names if array.dtype[name].kind == "U"]
        plain = array.astype(
            [(n, array.dtype[n] if n not in text else f"S{max(1, array.dtype[n].itemsize)}") for n in names]
        )
        write_table(path, plain)
    else:
        from astropy.table import Table

        Table(array).write(path, format="ascii.ecsv", overwrite=True)
