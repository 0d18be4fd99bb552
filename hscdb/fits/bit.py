"""Set bits in a file nobody reads yet, in their place: planes of a mask, flags of a table."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hscdb.errors import InputError
from hscdb.fits import hdu as _hdu
from hscdb.fits.column import first_bytes


def set_plane(path: Path, plane: str, pixels: npt.NDArray[np.bool_]) -> None:
    """Set a plane of the HDU MASK, by its key MP_<plane>, where pixels (ny, nx) are true, and clear it elsewhere.

    Only rows of pixels that change are written. InputError `no_hdu`, `no_plane`. ValueError if the shape differs.
    """
    found = _named(path, "MASK")
    key = f"MP_{plane}"
    if key not in found.header:
        raise InputError(f"{path}: its mask has no {key}. Make it anew with detect.", code="no_plane")
    shape = int(found.header["NAXIS2"]), int(found.header["NAXIS1"])
    if pixels.shape != shape:
        raise ValueError(f"{path}: MASK is {shape}, the plane {pixels.shape}")
    number = int(found.header[key])
    # one byte of four, the highest first
    mask = np.fromfile(path, np.uint8, 4 * shape[0] * shape[1], offset=found.data_start).reshape(*shape, 4)
    part = mask[:, :, 3 - number // 8]
    word = np.uint8(1 << number % 8)
    wrong = ((part & word) != 0) != pixels
    with path.open("r+b") as file:
        for row in np.flatnonzero(wrong.any(axis=1)):
            part[row] ^= np.where(wrong[row], word, np.uint8(0))
            file.seek(found.data_start + 4 * shape[1] * int(row))
            file.write(mask[row].data)


def set_flags(path: Path, name: str, bit: int, values: npt.NDArray[np.bool_]) -> None:
    """Set or clear bit number `bit` (from 0) of the packed column `flags` of a table for each row: values (n_row,).

    InputError `no_hdu`, or `no_column` where the column has fewer bits. ValueError if the number of rows differs.
    """
    found = _named(path, name)
    n_byte, n_row = int(found.header["NAXIS1"]), int(found.header["NAXIS2"])
    first, form = first_bytes(found.header).get("flags", (0, ""))
    if not form.endswith("X") or int(form[:-1] or 1) <= bit:
        raise InputError(f"{path}: {name} has no flag of bit {bit}. Make it anew with detect.", code="no_column")
    if len(values) != n_row:
        raise ValueError(f"{path}: {len(values)} values for {n_row} rows")
    if n_row:
        rows = np.fromfile(path, np.uint8, n_row * n_byte, offset=found.data_start).reshape(n_row, n_byte)
        at, word = first + bit // 8, np.uint8(0x80 >> bit % 8)  # FITS packs from the highest bit down
        rows[:, at] = np.where(values, rows[:, at] | word, rows[:, at] & ~word)
        _hdu.overwrite(path, found.data_start, rows)


def _named(path: Path, name: str) -> _hdu.Hdu:
    found = next((one for one in _hdu.scan(path) if one.name == name), None)
    if found is None:
        raise InputError(f"{path}: no HDU {name}. Give the name of one of its HDUs.", code="no_hdu")
    return found
