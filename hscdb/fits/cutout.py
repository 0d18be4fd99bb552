"""Parts of the planes of an image product, read without the rest of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.errors import DataError, InputError
from hscdb.fits import hdu as _hdu
from hscdb.fits.product import _contents, _remap

_DTYPE = {"IMAGE": np.float32, "MASK": np.int32, "VARIANCE": np.float32}
Box = tuple[int, int, int, int]  # x0, y0, width, height


@dataclass(frozen=True)
class Planes:
    """An image product whose headers have been read.

    header : HDU 0's contents, overridden by IMAGE's. shape: (ny, nx). names: the planes it has.
    """

    path: Path
    header: dict[str, Any]
    shape: tuple[int, int]
    hdus: Mapping[str, _hdu.Hdu]
    stamp: tuple[int, int, int]

    def read(self, name: str, box: Box | None = None) -> npt.NDArray[Any]:
        """Pixels (ny, nx) of IMAGE, VARIANCE (float32) or MASK (int32, our bits), or those in a box; zeros for a plane
        that the file has not. DataError `changed_file` if the file was replaced since its headers were read.
        """
        x0, y0, width, height = box if box is not None else (0, 0, self.shape[1], self.shape[0])
        found = self.hdus.get(name)
        if found is None:
            return np.zeros((height, width), _DTYPE[name])
        if _stamp(self.path) != self.stamp:
            raise DataError(f"{self.path}: was written anew since it was opened. Get it again.", code="changed_file")
        if box is None:
            pixels = _hdu.read_pixels(self.path, found)
        else:
            pixels = _rows(self.path, found, x0, y0, width, height)
        pixels = pixels.astype(_DTYPE[name], copy=False)
        return _remap(pixels, found.header) if name == "MASK" else pixels


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _rows(path: Path, found: _hdu.Hdu, x0: int, y0: int, width: int, height: int) -> npt.NDArray[Any]:
    """Some columns of some rows, native byte order."""
    n_column, n_row = int(found.header["NAXIS1"]), int(found.header["NAXIS2"])
    if x0 < 0 or y0 < 0 or width < 1 or height < 1 or x0 + width > n_column or y0 + height > n_row:
        raise InputError(
            f"{path}: columns {x0}..{x0 + width - 1}, rows {y0}..{y0 + height - 1} do not lie in its "
            f"{n_column} x {n_row} pixels. Clip the box first.",
            code="bad_box",
        )
    dtype = np.dtype(_hdu._DTYPE[found.header["BITPIX"]])
    start = found.data_start + y0 * n_column * dtype.itemsize
    pixels = np.fromfile(path, dtype, height * n_column, offset=start).reshape(height, n_column)
    return pixels[:, x0 : x0 + width].astype(dtype.newbyteorder("="))


def planes(path: Path) -> Planes:
    """The planes of an image product (calexp and its like, masters). InputError `no_file`, `no_hdu` without IMAGE."""
    header: dict[str, Any] = {}
    hdus: dict[str, _hdu.Hdu] = {}
    stamp = _stamp(path)
    for number, found in enumerate(_hdu.scan(path)):
        if number == 0 or found.name == "IMAGE":
            header |= _contents(found.header)
        if found.name in _DTYPE:
            hdus[found.name] = found
        if len(hdus) == len(_DTYPE):
            break
    if "IMAGE" not in hdus:
        raise InputError(f"{path}: no HDU IMAGE.", code="no_hdu")
    image = hdus["IMAGE"].header
    return Planes(path, header, (int(image["NAXIS2"]), int(image["NAXIS1"])), hdus, stamp)


def n_row(path: Path, number: int = 1) -> int:
    """Rows of a table, from its header alone. InputError `no_hdu`."""
    for at, found in enumerate(_hdu.scan(path)):
        if at == number:
            return int(found.header["NAXIS2"])
    raise InputError(f"{path}: no HDU {number}.", code="no_hdu")
