"""Raw files for tests: headers of the real telescope around small or real pixels."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

# What the registry needs of a raw header of Hyper Suprime-Cam (values of HSCA90402512).
HSC = {
    "EXP-ID": "HSCA90402400", "FRAMEID": "HSCA90402512", "DET-ID": 0, "OBJECT": "SSP-Wide", "PROP-ID": "o13015",
    "DATA-TYP": "OBJECT", "FILTER01": "HSC-r", "EXPTIME": 30.0, "DATE-OBS": "2013-11-02", "UT-STR": "06:15:55.908",
    "UT-END": "06:16:27.928", "MJD-STR": 56598.26106374757, "MJD-END": 56598.26143435203, "MJD": 56598.26106397435,
    "RA2000": "21:22:59.982", "DEC2000": "+00:30:00.07", "INST-PA": "0.000", "AIRMASS": 1.12, "T_CCDTV": -101.1,
}  # fmt: skip


def frame_id(visit: int, ccd: int) -> dict[str, Any]:
    """The keywords that tell visit and ccd."""
    return {"EXP-ID": f"HSCA{visit:06d}00", "FRAMEID": f"HSCA{visit:06d}{ccd:02d}", "DET-ID": ccd}


def write(path: Path, shape: tuple[int, int] = (536, 560), change: dict[str, Any] | None = None, **more: Any) -> Path:
    """A raw file of 16-bit pixels (default: the toy camera's); `change` and `more` alter its header (None: out)."""
    rng = np.random.default_rng(zlib.crc32(f"{change}{more}".encode()))
    hdu = fits.PrimaryHDU(rng.integers(900, 1100, shape).astype(np.uint16))
    for keyword, content in {**HSC, **(change or {}), **more}.items():
        if content is not None:
            hdu.header[keyword] = content
    hdu.writeto(path, overwrite=True)
    return path


def write_cards(path: Path, shape: tuple[int, int], cards: dict[str, Any]) -> Path:
    """A file of 16-bit pixels with these cards only."""
    hdu = fits.PrimaryHDU(np.full(shape, 1000, np.uint16))
    hdu.header.update(cards)
    hdu.writeto(path, overwrite=True)
    return path
