"""Raw frames: pixels as they were read out, and the amplifiers that a frame's own header describes."""

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from hscdb.camera.model import Box, Camera, Ccd
from hscdb.errors import InputError
from hscdb.fits import hdu as _hdu
from hscdb.fits.header import open_bytes, section

Pixels = npt.NDArray[np.uint16] | npt.NDArray[np.float32]


def read_raw(path: Path, hdu: int, ccd: Ccd) -> Pixels:
    """Pixels (ny, nx) of a raw frame, flipped as ccd.flip says; contiguous, native byte order, the caller's own.

    Sixteen-bit frames with BZERO 32768 come as uint16 unless a pixel is BLANK, everything else as float32 with BSCALE,
    BZERO and BLANK (NaN, which isr masks UNMASKEDNAN and fills) applied. InputError `no_file`, `not_fits`,
    `truncated_fits`, `no_hdu`, or `wrong_size` if the camera prescribes another size.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.", code="no_file")
    content = open_bytes(path)
    scanned = _hdu.scan(path) if content is None else _hdu.scan_stream(BytesIO(content), len(content), str(path))
    found = next((one for number, one in enumerate(scanned) if number == hdu), None)
    if found is None:
        raise InputError(f"{path}: no HDU {hdu}.", code="no_hdu")
    pixels: npt.NDArray[Any]
    if found.header.get("ZIMAGE", False):
        pixels = _compressed(path, hdu)
    elif content is None:
        pixels = _physical(_hdu.read_pixels(path, found), found.header)
    else:
        pixels = _physical(_from_bytes(content, found), found.header)
    check_size(str(path), pixels.shape, ccd)
    if ccd.flip:
        pixels = np.ascontiguousarray(pixels[:: -1 if "TB" in ccd.flip else 1, :: -1 if "LR" in ccd.flip else 1])
    return pixels


def read_ahead(path: Path) -> None:
    """Ask the system to bring a file into memory, and do not wait for it; a file that is not there is left alone."""
    with suppress(OSError, AttributeError), path.open("rb", buffering=0) as file:  # no such function: another system
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def check_size(path: str, shape: tuple[int, ...], ccd: Ccd) -> None:
    """InputError `wrong_size` if a raw frame has not the size (ny, nx) that the camera prescribes."""
    wanted = (ccd.raw_height, ccd.raw_width)
    if len(shape) != 2 or (all(wanted) and tuple(shape) != wanted):
        raise InputError(
            f"{path}: an array of {' x '.join(map(str, reversed(shape))) or 'no'} pixels "
            f"(needed {wanted[1]} x {wanted[0]} for ccd {ccd.ccd}). Ingest raw frames of this camera, or mend its "
            "description.",
            code="wrong_size",
        )


def _from_bytes(content: bytes, found: _hdu.Hdu) -> npt.NDArray[Any]:
    header = found.header
    shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
    dtype = np.dtype({8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}[header["BITPIX"]])
    pixels = np.frombuffer(content, dtype, math.prod(shape), offset=found.data_start)
    return pixels.astype(dtype.newbyteorder("=")).reshape(shape)


def _physical(stored: npt.NDArray[Any], header: fits.Header) -> Pixels:
    """Pixels with BSCALE, BZERO and BLANK applied."""
    scale, zero = float(header.get("BSCALE", 1.0)), float(header.get("BZERO", 0.0))
    blank = header.get("BLANK") if stored.dtype.kind in "iu" else None
    # HSC's frames announce BLANK = -32768 and have no such pixel (it would be 0 adu): to look is cheaper than floats.
    lost = stored == int(blank) if blank is not None else None
    if stored.dtype == np.int16 and scale == 1.0 and zero == 32768.0 and (lost is None or not lost.any()):
        # n + 32768 modulo 2^16 is n with its top bit turned over.
        unsigned = stored.view(np.uint16)
        unsigned ^= np.uint16(0x8000)
        return unsigned
    is_wide = stored.dtype.itemsize > 2 and (scale, zero) != (1.0, 0.0)
    pixels: npt.NDArray[Any] = stored.astype(np.float64 if is_wide else np.float32)
    if (scale, zero) != (1.0, 0.0):
        pixels = (pixels * scale + zero).astype(np.float32)
    if lost is not None:
        pixels[lost] = np.nan
    return pixels.astype(np.float32, copy=False)


def _compressed(path: Path, hdu: int) -> Pixels:
    """A tile-compressed image (.fz)."""
    with fits.open(path, memmap=False) as opened:
        pixels: npt.NDArray[Any] = opened[hdu].data
    if pixels.dtype == np.uint16:
        return pixels
    return pixels.astype(np.float32)


def ccd_in(camera: Camera, ccd: Ccd, header: Mapping[str, Any]) -> Ccd:
    """The ccd with its amplifiers as the header of a frame describes them.

    [raw.keywords] of the camera names keywords for box, raw_box, overscan, readout (regions as in the file, before the
    flip) and for gain_e_per_adu, read_noise_e, saturation_adu, sky_adu; `suffixes` are appended to them, one per
    amplifier. What is not named or not in the header is as in the camera's description. Without that section the ccd
    is returned as it is. InputError `bad_header` if a region or a number cannot be understood.
    """
    keywords = camera.settings.get("raw", {}).get("keywords")
    if not keywords:
        return ccd
    raw_width, raw_height = ccd.raw_width or int(header["NAXIS1"]), ccd.raw_height or int(header["NAXIS2"])
    read = [
        {name: header.get(f"{keyword}{suffix}") for name, keyword in keywords.items() if name != "suffixes"}
        for suffix in keywords.get("suffixes", [""])
    ]
    try:
        changes = [_changes(one, ccd, raw_width, raw_height) for one in read]
    except (TypeError, ValueError) as error:
        raise InputError(f"ccd {ccd.ccd}: {error}. Mend the header or [raw.keywords].", "bad_header") from error
    changes.sort(key=lambda one: (one["raw_box"].y0, one["raw_box"].x0) if "raw_box" in one else (0, 0))
    nominal = sorted(ccd.amplifiers, key=lambda one: (one.raw_box.y0, one.raw_box.x0))
    amplifiers = [replace(amp, **change) for amp, change in zip(nominal, changes, strict=False)]
    return replace(ccd, amplifiers=tuple(amplifiers) + tuple(nominal[len(amplifiers) :]))


def _changes(read: Mapping[str, Any], ccd: Ccd, raw_width: int, raw_height: int) -> dict[str, Any]:
    """Fields of an amplifier that a header gives, in the flipped frame."""
    changes: dict[str, Any] = {}
    for name, size in (("raw_box", (raw_width, raw_height)), ("overscan", (raw_width, raw_height)),
                       ("box", (ccd.width, ccd.height))):  # fmt: skip
        if read.get(name):
            changes[name] = _flipped(section(str(read[name]))[0], ccd.flip, *size)
    for name in ("gain_e_per_adu", "read_noise_e", "saturation_adu", "sky_adu"):
        if read.get(name) is not None:
            changes[name] = float(read[name])
    if not 0 < changes.get("gain_e_per_adu", 1.0) < math.inf:
        raise ValueError(f"a gain of {changes['gain_e_per_adu']} e-/adu")
    if read.get("readout"):
        changes["is_mirrored"] = section(str(read["readout"]))[1] != ("LR" in ccd.flip)
    return changes


def _flipped(box: Box, flip: str, width: int, height: int) -> Box:
    x0 = width - box.x0 - box.width if "LR" in flip else box.x0
    y0 = height - box.y0 - box.height if "TB" in flip else box.y0
    return Box(x0, y0, box.width, box.height)
