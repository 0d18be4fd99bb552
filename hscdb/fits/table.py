"""Tables of other people: FITS (also LDAC), ECSV, CSV, Parquet and VOTable in, FITS out.

What comes in is a dictionary of one-dimensional arrays (or n x k ones) of native numbers, booleans or text; a missing
element of a number column is NaN (integer columns with missing elements become floats).
"""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from hscdb.errors import InputError
from hscdb.fits import header as _header
from hscdb.fits.hdu import set_cards

Column = npt.NDArray[Any]
_TEXT_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv"} | dict.fromkeys((".vot", ".votable", ".xml"), "votable")
_SUFFIXES = (".fits", ".fit", ".fz", ".cat", ".ldac")


@dataclass(frozen=True)
class Columns:
    """A table: columns by name, their units (as written), and the header beside them, if the format has one."""

    columns: dict[str, Column]
    units: dict[str, str] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read_columns(path: Path, hdu: int | str | None = None, names: Sequence[str] | None = None) -> dict[str, Column]:
    """Columns of a table file by name; see `read_table`."""
    return read_table(path, hdu, names).columns


def read_table(
    path: Path, hdu: int | str | None = None, names: Sequence[str] | None = None, header_hdu: int | str | None = None
) -> Columns:
    """A table file; what it is is told by its first bytes, or else by its name.

    hdu        : HDU of a FITS file (number from 0, or EXTNAME); None takes the first table with rows of sources
                 (LDAC_OBJECTS of an LDAC file).
    names      : columns wanted; None means all. InputError `missing_column` names those that are not there.
    header_hdu : HDU whose header is returned, if not the table's own over the primary one. An LDAC file's image
                 header is found by itself.

    InputError `no_file`, `not_table` (unknown format), `truncated_fits`, `no_hdu`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.", code="no_file")
    with path.open("rb") as file:
        start = file.read(16)
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if start.startswith(b"SIMPLE  =") or (start.startswith(b"\x1f\x8b") and suffix in _SUFFIXES):
        return _read_fits(path, hdu, names, header_hdu)
    try:
        if start.startswith(b"PAR1"):
            return _from_parquet(path, names)
        if suffix in _TEXT_FORMATS or start.startswith((b"<?xml", b"<VOTABLE", b"# %ECSV")):
            return _from_astropy(path, _text_format(suffix, start), names)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error}). Is it complete?", code="not_table") from error
    raise InputError(
        f"{path}: not a table in a known format (FITS, LDAC, ECSV, CSV, Parquet, VOTable). Convert it first.",
        code="not_table",
    )


def _text_format(suffix: str, start: bytes) -> str:
    if start.startswith((b"<?xml", b"<VOTABLE")):
        return "votable"
    return "ascii.ecsv" if start.startswith(b"# %ECSV") else _TEXT_FORMATS[suffix]


def _wanted(path: Path, available: Iterable[str], names: Sequence[str] | None) -> list[str]:
    """The columns to read. InputError `missing_column`."""
    known = list(available)
    if names is None:
        return known
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)} (there are {', '.join(known[:40])}). Name them by --map.",
            code="missing_column",
        )
    return list(names)


def _native(values: Any) -> Column:
    """A column as a plain native array; masked numbers become NaN, bytes text."""
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    array = np.asarray(np.ma.getdata(values))
    if array.dtype.kind == "S":
        array = np.char.strip(np.char.decode(array, "utf-8", "replace"))
    elif array.dtype.kind in "iuf" and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if masked is not None and masked.any():
        if array.dtype.kind in "iufb":
            array = array.astype(array.dtype if array.dtype.kind == "f" else np.float64)
            array[masked] = np.nan
        elif array.dtype.kind == "U":
            array = np.where(masked, "", array)
    return array


def _read_fits(path: Path, hdu: int | str | None, names: Sequence[str] | None, header_hdu: int | str | None) -> Columns:
    found = _header.parts(path)  # refuses what is broken off, before astropy reads half of it
    tables = [part for part in found if part.header.get("XTENSION") == "BINTABLE" and part.shape is None]
    if hdu is None:
        tables = [part for part in tables if part.name != "LDAC_IMHEAD"]
    else:
        tables = [part for part in tables if hdu == part.number or hdu == part.name]
    if not tables:
        raise InputError(f"{path}: no table{'' if hdu is None else f' in HDU {hdu}'}.", code="no_hdu")
    part = tables[0]
    with fits.open(path, memmap=False, character_as_bytes=False) as opened:
        rows = opened[part.number].data
        described = opened[part.number].columns
        wanted = _wanted(path, described.names, names)
        columns = {name: _native(_with_null(rows[name], described[name])) for name in wanted}
        units = {name: described[name].unit or "" for name in wanted}
    return Columns(columns, units, _table_header(path, found, part, header_hdu))


def _with_null(values: Any, description: fits.Column) -> Any:
    """Integers equal to TNULL are missing."""
    if description.null is None or np.asarray(values).dtype.kind not in "iu":
        return values
    return np.ma.masked_equal(np.asarray(values), description.null)


def _table_header(
    path: Path, found: list[_header.Part], part: _header.Part, header_hdu: int | str | None
) -> dict[str, Any]:
    if header_hdu is not None:
        for other in found:
            if header_hdu == other.number or header_hdu == other.name:
                return _header.inherited(found[0], other)
        raise InputError(f"{path}: no HDU {header_hdu}.", code="no_hdu")
    before = found[part.number - 1] if part.number else None
    if before is not None and before.name == "LDAC_IMHEAD":
        with fits.open(path, memmap=False) as opened:
            text = "".join(str(card).ljust(80) for card in np.ravel(opened[before.number].data.field(0)))
        return _header.contents(fits.Header.fromstring(text))
    return _header.inherited(found[0], part)


def _from_astropy(path: Path, kind: str, names: Sequence[str] | None) -> Columns:
    from astropy.table import Table  # takes 0.7 s, and most commands read FITS only
    from astropy.units import UnitsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)  # units we do not interpret may be written in any way
        table = Table.read(path, format=kind)
    wanted = _wanted(path, table.colnames, names)
    units = {name: str(table[name].unit or "") for name in wanted}
    meta = {key: content for key, content in table.meta.items() if isinstance(content, str | int | float)}
    return Columns({name: _objects(_native(table[name])) for name in wanted}, units, meta)


def _objects(column: Column) -> Column:
    """Text that came as objects, as text; missing text is empty."""
    if column.dtype.kind != "O":
        return column
    return np.array(["" if entry is None else str(entry) for entry in column], dtype=np.str_)


def _from_parquet(path: Path, names: Sequence[str] | None) -> Columns:
    import pyarrow.parquet as parquet  # 60 ms to import, and needed for this format alone

    file = parquet.ParquetFile(path)
    wanted = _wanted(path, file.schema_arrow.names, names)
    table = file.read(columns=wanted)
    columns = {}
    for name in wanted:
        column = table.column(name).combine_chunks()
        array = column.to_numpy(zero_copy_only=False)
        columns[name] = _objects(array) if array.dtype.kind == "O" else _native(array)
    described = {one.name: (one.metadata or {}).get(b"unit", b"").decode() for one in file.schema_arrow}
    return Columns(columns, {name: described[name] for name in wanted})


def write_table(
    path: Path,
    array: npt.NDArray[Any],
    units: Mapping[str, str] | None = None,
    docs: Mapping[str, str] | None = None,
    header_cards: Any = (),
    name: str | None = None,
) -> None:
    """Write a structured array as a FITS table with TUNIT from `units` and TCOMM from `docs`, whole or not at all.

    header_cards : mapping keyword -> content, or tuples (keyword, content[, comment]), for the table's header.
    """
    table = fits.BinTableHDU(array, name=name)
    for number, column in enumerate(table.columns, start=1):
        unit = (units or {}).get(column.name, "")
        if unit and unit != "-":
            column.unit = unit
        if docs and column.name in docs:
            table.header[f"TCOMM{number}"] = docs[column.name]
    set_cards(table.header, header_cards)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(temporary, overwrite=True)
    temporary.replace(path)
