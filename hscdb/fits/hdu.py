"""The bytes of a FITS file: where its HDUs lie, headers as cards, pixels in and out without spare copies.

astropy builds and reads the header cards and the tables; the pixels go past it, because a trio of a CCD is 100 MB and
astropy's way costs several times the byte swap and the copy that are needed (measured in tests/bench/bench_product.py).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from hscdb.errors import InputError

BLOCK = 2880
_CHUNK = 1 << 20  # bytes swapped at a time: stays in the cache
_DTYPE = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}

_STANDARD = re.compile("[A-Z0-9_-]{1,8}")

Cards = Mapping[str, Any] | Iterable[tuple[Any, ...]]


@dataclass(frozen=True)
class Hdu:
    """Where one HDU lies in a file: byte offsets of its header and data, both padded to whole blocks."""

    name: str
    header_start: int
    data_start: int
    end: int
    header: fits.Header


@dataclass(frozen=True)
class Table:
    """A binary table to be written: structured array, EXTNAME, units by column and further cards."""

    name: str
    rows: npt.NDArray[Any]
    units: Mapping[str, str] | None = None
    cards: Cards = ()


def _plain(content: Any) -> Any:
    """A card's content as FITS knows it: numpy scalars become Python's, NaN and None the undefined card, text ASCII."""
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, str):
        return _ascii(content)
    if content is None or (isinstance(content, float) and not math.isfinite(content)):
        return fits.card.Undefined()
    return content


def _ascii(text: str) -> str:
    """Printable ASCII, on one line: what a card can hold."""
    return " ".join(text.encode("ascii", "replace").decode().split("\n"))


def _room(name: str, plain: Any) -> int:
    """Characters that a card (name with HIERARCH, content as `_plain` makes it) leaves for its comment."""
    if isinstance(plain, str):
        # quotes are doubled, texts filled up to 8 characters
        wide = 2 + max(8, len(plain) + plain.count("'")) if plain else 2
    elif isinstance(plain, fits.card.Undefined):
        wide = 0
    else:
        wide = 1 if isinstance(plain, bool) else len(str(plain))
    keyword = name.removeprefix("HIERARCH ")
    if wide and len(keyword) <= 8:
        wide = max(wide, 20)  # only the contents of long keywords do without the fixed field
    return 80 - wide - (10 if keyword == name else len(name) + 3) - 3


def set_cards(header: fits.Header, cards: Cards) -> None:
    """Set `cards`, a mapping keyword -> content or tuples (keyword, content[, comment]), in `header`.

    COMMENT and HISTORY are appended; long and unusual keywords become HIERARCH cards, whose texts are cut to one card;
    comments are cut to the room there is. A card without a comment keeps that of the one it replaces.
    """
    items: Iterable[tuple[Any, ...]] = cards.items() if isinstance(cards, Mapping) else cards
    for keyword, content, *comment in items:
        name = str(keyword)
        if name in ("COMMENT", "HISTORY", ""):
            (header.add_history if name == "HISTORY" else header.add_comment)(_ascii(str(content)))
            continue
        if not _STANDARD.fullmatch(name.upper()) and not name.startswith("HIERARCH "):
            name = "HIERARCH " + name
        plain = _plain(content)
        if name.startswith("HIERARCH ") and isinstance(plain, str):
            while _room(name, plain) < -3:
                plain = plain[:-1]
        words = comment[0] if comment else None
        if words is None and name in header:
            words = header.comments[name]
        header[name] = (plain, _ascii(str(words or ""))[: max(_room(name, plain), 0)])


def header_bytes(header: fits.Header) -> bytes:
    """The header as it lies in a file: cards, END, blanks up to a whole block."""
    return bytes(header.tostring(), "ascii")


def image_header(
    shape: tuple[int, ...] | None, dtype: npt.DTypeLike, name: str | None, cards: Cards, primary: bool = False
) -> fits.Header:
    """Header of an image HDU of this numpy shape (None or (): no pixels) with `cards` after the mandatory ones.

    Mandatory cards found among `cards` (say, of a raw frame's header) are left out.
    """
    header = fits.Header()
    header["SIMPLE" if primary else "XTENSION"] = True if primary else "IMAGE"
    header["BITPIX"] = _BITPIX[np.dtype(dtype).str[1:]]
    header["NAXIS"] = len(shape or ())
    for axis, length in enumerate(reversed(shape or ()), start=1):
        header[f"NAXIS{axis}"] = int(length)
    if primary:
        header["EXTEND"] = True
    else:
        header["PCOUNT"] = 0
        header["GCOUNT"] = 1
        header["INHERIT"] = True
    if name is not None:
        header["EXTNAME"] = name
        header["EXTTYPE"] = name
    taken = {"SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "BSCALE", "BZERO", "END",
             "CHECKSUM", "DATASUM"} | {f"NAXIS{axis}" for axis in range(1, 10)}  # fmt: skip
    items: Iterable[tuple[Any, ...]] = cards.items() if isinstance(cards, Mapping) else cards
    set_cards(header, [card for card in items if card[0] not in taken])
    return header


def write_pixels(file: BinaryIO, pixels: npt.NDArray[Any]) -> None:
    """Append the pixels of a native array, byte-swapped a cache-full at a time, and pad to a whole block."""
    flat = np.ascontiguousarray(pixels).reshape(-1)
    step = max(_CHUNK // flat.itemsize, 1)
    swap = flat.itemsize > 1 and flat.dtype.newbyteorder("=").isnative
    for start in range(0, flat.size, step):
        part = flat[start : start + step]
        file.write((part.byteswap() if swap else part).view(np.uint8).data)
    file.write(bytes(-flat.nbytes % BLOCK))


def overwrite(path: Path, start: int, content: npt.NDArray[np.uint8]) -> None:
    """Put bytes in the place of those from byte `start` of a file on.

    Not by a map of the file: to be sure of what others read, a map waits for the disk, which beside another worker that
    writes 100 MB has taken 0.1 s.
    """
    with path.open("r+b") as file:
        file.seek(start)
        file.write(np.ascontiguousarray(content).data)


def _columns(rows: npt.NDArray[Any]) -> list[fits.Column]:
    """The columns of a table; one of several truth values per row (flags) becomes packed bits."""
    columns = []
    for column in fits.ColDefs(rows):
        kind = rows.dtype[column.name]
        if kind.base == np.dtype(bool) and kind.shape:
            column = fits.Column(column.name, format=f"{kind.shape[0]}X", array=rows[column.name])
        columns.append(column)
    return columns


def write_table(file: BinaryIO, table: Table) -> None:
    """Append a binary table HDU."""
    hdu = fits.BinTableHDU.from_columns(fits.ColDefs(_columns(table.rows)), name=table.name)
    for column in hdu.columns.names:
        unit = (table.units or {}).get(column)
        if unit and unit != "-":
            # FITS knows no electron, and its readers warn of every such column; a count is one electron
            hdu.columns[column].unit = unit.replace("electron", "count")
    set_cards(hdu.header, table.cards)
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    file.write(buffer.getbuffer()[BLOCK:])


def _data_bytes(header: fits.Header) -> int:
    """Size of the data of an HDU without padding (FITS standard 4.0, eq. 1 and 2)."""
    n_axis = header["NAXIS"]
    if n_axis == 0:
        return 0
    n_pixel = math.prod(header[f"NAXIS{axis}"] for axis in range(1, n_axis + 1))
    return int(abs(header["BITPIX"]) // 8 * header.get("GCOUNT", 1) * (header.get("PCOUNT", 0) + n_pixel))


def scan(path: Path) -> Iterator[Hdu]:
    """The HDUs of a file one after the other, reading headers only.

    InputError `no_file`, `not_fits` or `truncated_fits`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.", code="no_file")
    with path.open("rb") as file:
        yield from scan_stream(file, path.stat().st_size, str(path))


def scan_stream(file: BinaryIO, size: int, path: str) -> Iterator[Hdu]:
    """The same for an open file (or bytes in memory) of `size` bytes; `path` is what messages call it."""
    start = 0
    while start < size:
        raw = b""
        while True:
            file.seek(start + len(raw))
            block = file.read(BLOCK)
            if start == 0 and not raw and not block.startswith(b"SIMPLE  ="):
                raise InputError(f"{path}: not a FITS file (it does not begin with SIMPLE).", code="not_fits")
            if len(block) < BLOCK:
                raise InputError(
                    f"{path}: a header ends with the file ({start + len(raw) + len(block)} bytes). Fetch it anew.",
                    code="truncated_fits",
                )
            raw += block
            if any(block[at : at + 8] == b"END     " for at in range(0, BLOCK, 80)):
                break
        header = fits.Header.fromstring(raw)
        data_start = start + len(raw)
        n_byte = _data_bytes(header)
        if data_start + n_byte > size:
            raise InputError(
                f"{path}: truncated ({size} bytes; its headers announce {data_start + n_byte}). Fetch it anew.",
                code="truncated_fits",
            )
        end = data_start + n_byte + -n_byte % BLOCK
        yield Hdu(str(header.get("EXTNAME", "")).strip().upper(), start, data_start, end, header)
        start = end


def read_pixels(path: Path, hdu: Hdu) -> npt.NDArray[Any]:
    """Pixels (ny, nx) of an image HDU in native byte order; BZERO and BSCALE are not looked at."""
    header = hdu.header
    shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
    dtype = np.dtype(_DTYPE[header["BITPIX"]])
    pixels = np.fromfile(path, dtype, math.prod(shape), offset=hdu.data_start)
    if dtype.itemsize > 1:
        step = _CHUNK // dtype.itemsize
        for start in range(0, pixels.size, step):
            pixels[start : start + step].byteswap(inplace=True)
        pixels = pixels.view(dtype.newbyteorder("="))
    return pixels.reshape(shape)
