"""FITS headers <-> what we compute with. The only place where pixels are counted from 1.

Headers are read for meaning here (`hdu.py` knows where the bytes lie): plain contents by keyword, the JSON that the
database keeps, regions as boxes, and the WCS in both directions.
"""

import gzip
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from hscdb.camera.model import Box
from hscdb.errors import InputError
from hscdb.fits import hdu as _hdu
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs, from_tpv

Contents = dict[str, Any]
Card = tuple[str, Any, str]

_COMMENTARY = ("COMMENT", "HISTORY", "")
_ARCSEC = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "": 1.0, "arcsec": 1.0 / 3600.0, "rad": 180.0 / math.pi}


@dataclass(frozen=True)
class Part:
    """One HDU of a file: its number (from 0), EXTNAME, header, and (ny, nx) if it is a two-dimensional image.

    A tile-compressed image counts as the image it holds.
    """

    number: int
    name: str
    header: fits.Header
    shape: tuple[int, int] | None


def open_bytes(path: Path) -> bytes | None:
    """The content of a gzipped file; None if the file is not gzipped. InputError `truncated_fits` if it breaks off."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return None
    try:
        with gzip.open(path, "rb") as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise InputError(f"{path}: the gzip file is broken ({error}). Fetch it anew.", "truncated_fits") from error


def parts(path: Path) -> list[Part]:
    """All HDUs of a file (plain, gzipped or tile-compressed), headers only.

    InputError `no_file`, `not_fits`, `truncated_fits`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.", code="no_file")
    content = open_bytes(path)
    scanned = _hdu.scan(path) if content is None else _hdu.scan_stream(BytesIO(content), len(content), str(path))
    found = [Part(number, one.name, one.header, _shape(one.header)) for number, one in enumerate(scanned)]
    if not found:
        raise InputError(f"{path}: not a FITS file (it is empty).", code="not_fits")
    return found


def _shape(header: fits.Header) -> tuple[int, int] | None:
    """(ny, nx) of the image an HDU holds, if it holds a two-dimensional one."""
    z = "Z" if header.get("ZIMAGE", False) else ""
    if header.get("XTENSION", "IMAGE") != ("BINTABLE" if z else "IMAGE") or header.get(f"{z}NAXIS") != 2:
        return None
    return int(header[f"{z}NAXIS2"]), int(header[f"{z}NAXIS1"])


def _cards(header: fits.Header) -> Iterator[Card]:
    """(keyword, content, comment) of every card; a card that breaks the standard gives its text as it stands."""
    for card in header.cards:
        try:
            content, comment = card.value, card.comment
        except VerifyError:
            # `card.image` would warn of what it cannot mend; the text as read is what is wanted.
            content, _, comment = card._image[9:].strip(" =").partition(" /")
            content, comment = content.strip().strip("'").strip(), comment.strip()
        if isinstance(content, fits.card.Undefined):
            content = None
        yield card.keyword, content, comment


def contents(header: fits.Header) -> Contents:
    """Keyword -> content: of a repeated keyword the first, HISTORY and COMMENT as one text, undefined as None."""
    found: Contents = {}
    for keyword, content, _ in _cards(header):
        if keyword in _COMMENTARY:
            found[keyword] = f"{found[keyword]}\n{content}" if keyword in found else str(content)
        else:
            found.setdefault(keyword, content)
    return found


def read_header(path: Path, hdu: int | str | None = 0) -> Contents:
    """Contents of one HDU (number from 0, or EXTNAME), over those of the primary header that it inherits.

    hdu = None takes the first HDU that has pixels. InputError `no_hdu`, and those of `parts`.
    """
    found = parts(path)
    for part in found:
        if hdu == part.number or hdu == part.name or (hdu is None and part.shape is not None):
            return inherited(found[0], part)
    raise InputError(f"{path}: no HDU {'with pixels' if hdu is None else hdu}.", code="no_hdu")


def inherited(primary: Part, part: Part) -> Contents:
    """Contents of an HDU over those of the primary one: what INHERIT = T says, and what cameras mean without it."""
    return contents(part.header) if part is primary else contents(primary.header) | contents(part.header)


def header_json(header: fits.Header) -> dict[str, list[Any]]:
    """{keyword: [content, comment]}; a repeated keyword has a list of such pairs. What JSON does not know is text."""
    found: dict[str, list[Any]] = {}
    repeated: set[str] = set()
    for keyword, content, comment in _cards(header):
        if keyword == "" and not str(content).strip():
            continue
        pair = [_plain(content), comment]
        if keyword in repeated:
            found[keyword].append(pair)
        elif keyword in found or keyword in _COMMENTARY:
            found[keyword] = [found[keyword], pair] if keyword in found else [pair]
            repeated.add(keyword)
        else:
            found[keyword] = pair
    return found


def _plain(content: Any) -> Any:
    """JSON has no NaN, and PostgreSQL no NUL: NaN and infinities become null, NUL is left out."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if content is None or isinstance(content, bool | int):
        return content
    return str(content).replace("\x00", "")


def section(text: str) -> tuple[Box, bool, bool]:
    """A region `[x1:x2,y1:y2]` (or with blanks) of a header: its box, and whether x and y are written backwards.

    ValueError if the text is no region.
    """
    numbers = [int(number) for number in re.findall(r"-?\d+", text)]
    if len(numbers) != 4:
        raise ValueError(f"'{text}' is no region [x1:x2,y1:y2]")
    x1, x2, y1, y2 = numbers
    box = Box(min(x1, x2) - 1, min(y1, y2) - 1, abs(x2 - x1) + 1, abs(y2 - y1) + 1)
    return box, x1 > x2, y1 > y2


def wcs_cards(wcs: Wcs, width: int | None = None, height: int | None = None) -> list[Card]:
    """Cards of a TAN (order below 2) or TAN-SIP WCS; with the size of the frame also AP and BP for readers that invert
    by them (ours never do)."""
    sip = "-SIP" if wcs.order >= 2 else ""
    cards: list[Card] = [
        ("WCSAXES", 2, "number of axes of the WCS"),
        ("CTYPE1", f"RA---TAN{sip}", "tangent plane" + (" with SIP distortion" if sip else "")),
        ("CTYPE2", f"DEC--TAN{sip}", "tangent plane" + (" with SIP distortion" if sip else "")),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRVAL1", wcs.crval[0], "[deg] right ascension of the tangent point"),
        ("CRVAL2", wcs.crval[1], "[deg] declination of the tangent point"),
        ("CRPIX1", wcs.crpix[0] + 1.0, "[pix] its column, from 1"),
        ("CRPIX2", wcs.crpix[1] + 1.0, "[pix] its row, from 1"),
        ("CD1_1", float(wcs.cd[0, 0]), "[deg/pix]"),
        ("CD1_2", float(wcs.cd[0, 1]), "[deg/pix]"),
        ("CD2_1", float(wcs.cd[1, 0]), "[deg/pix]"),
        ("CD2_2", float(wcs.cd[1, 1]), "[deg/pix]"),
        ("RADESYS", "ICRS", "reference system"),
        ("EQUINOX", 2000.0, "equinox"),
    ]
    if sip:
        cards += _sip_cards("A", wcs.a) + _sip_cards("B", wcs.b)
        if width is not None and height is not None:
            ap, bp = wcs.inverse_sip(width, height)
            cards += _sip_cards("AP", ap) + _sip_cards("BP", bp)
    return cards


def _sip_cards(name: str, matrix: np.ndarray[Any, Any]) -> list[Card]:
    order = len(matrix) - 1
    pairs = [(p, q) for p in range(order + 1) for q in range(order + 1 - p) if matrix[p, q] != 0.0]
    return [(f"{name}_ORDER", order, "order of the polynomial")] + [
        (f"{name}_{p}_{q}", float(matrix[p, q]), "SIP coefficient") for p, q in pairs
    ]


def wcs_from_header(header: Mapping[str, Any]) -> Wcs:
    """The WCS of a header's contents: TAN, TAN-SIP or TPV (also SCAMP's TAN with PV terms), by CD, PC or CROTA2.

    Where a header has AP and BP they are not looked at. InputError `no_wcs` if there is none, `bad_wcs` if it is of
    another kind or incomplete.
    """
    types = [str(header.get(f"CTYPE{axis}", "")).strip() for axis in (1, 2)]
    if not any(types):
        raise InputError("wcs: the header has no CTYPE1. Give a catalog with ra and dec, or solve it first.", "no_wcs")
    kind = types[0][5:].lstrip("-")
    celestial = [text[:4].strip("-") for text in types]
    if kind not in ("TAN", "TAN-SIP", "TPV") or sorted(celestial) != ["DEC", "RA"] or types[1][5:].lstrip("-") != kind:
        raise InputError(f"wcs: CTYPE {types[0]}, {types[1]} is not TAN, TAN-SIP or TPV. Convert it first.", "bad_wcs")
    try:
        unit = [_ARCSEC[str(header.get(f"CUNIT{axis}", "deg")).strip().lower()] for axis in (1, 2)]
        crval = [float(header[f"CRVAL{axis}"]) * unit[axis - 1] for axis in (1, 2)]
        crpix = float(header["CRPIX1"]) - 1.0, float(header["CRPIX2"]) - 1.0
        cd = _cd(header) * np.array(unit)[:, None]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"wcs: {error} is missing or not understood. Mend the header.", "bad_wcs") from error
    if celestial[0] == "DEC":
        crval, cd = crval[::-1], cd[::-1]
    if abs(float(header.get("LONPOLE", 180.0)) - 180.0) > 1e-9:
        raise InputError(f"wcs: LONPOLE {header['LONPOLE']} is not 180. Convert it first.", "bad_wcs")
    center = crval[0] % 360.0, crval[1]
    pv = [_pv(header, axis) for axis in ((1, 2) if celestial[0] == "RA" else (2, 1))]
    if any(pv):
        size = [header.get(f"NAXIS{axis}") for axis in (1, 2)]
        return from_tpv(center, crpix, cd, pv[0], pv[1], *size)
    if kind == "TAN-SIP":
        return Wcs(center, crpix, cd, *_sip(header))
    return Wcs(center, crpix, cd)


def wcs_words(header: Mapping[str, Any], shape: tuple[int, int]) -> dict[str, float]:
    """What a frame (ny, nx) tells by its WCS: WCS-RA and WCS-DEC [deg] of its middle, and WCS-PA, the position angle
    [deg, east of north] of +y there. Nothing if it has no WCS that we can read.
    """
    try:
        wcs = wcs_from_header(header)
    except InputError:
        return {}
    x, y = (shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0
    ra, dec = (float(angle) for angle in wcs.pixel_to_sky(x, y))
    xi, eta = sphere.project(*wcs.pixel_to_sky(x, y + 1.0), ra, dec)
    return {"WCS-RA": ra, "WCS-DEC": dec, "WCS-PA": math.degrees(math.atan2(float(xi), float(eta)))}


def _cd(header: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The CD matrix, or what stands for it."""
    pairs = [(i, j) for i in (1, 2) for j in (1, 2)]
    if any(f"CD{i}_{j}" in header for i, j in pairs):
        return np.array([float(header.get(f"CD{i}_{j}", 0.0)) for i, j in pairs]).reshape(2, 2)
    step = np.array([float(header["CDELT1"]), float(header["CDELT2"])])
    if any(f"PC{i}_{j}" in header for i, j in pairs):
        turn = np.array([float(header.get(f"PC{i}_{j}", float(i == j))) for i, j in pairs]).reshape(2, 2)
        return np.asarray(step[:, None] * turn)
    # AIPS convention: CROTA2 turns the pixel axes after scaling (Calabretta & Greisen 2002, section 6.1).
    angle = math.radians(float(header.get("CROTA2", 0.0)))
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[step[0] * c, -step[1] * s], [step[0] * s, step[1] * c]])


def _pv(header: Mapping[str, Any], axis: int) -> dict[int, float]:
    """PV terms of an axis that are a distortion; TAN's own PV1_1 .. PV1_4 do not occur in what telescopes write."""
    return {k: float(header[f"PV{axis}_{k}"]) for k in range(40) if header.get(f"PV{axis}_{k}") is not None}


def _sip(header: Mapping[str, Any]) -> list[np.ndarray[Any, Any]]:
    order = max(int(header.get("A_ORDER", 0)), int(header.get("B_ORDER", 0)))
    matrices = []
    for name in ("A", "B"):
        matrix = np.zeros((order + 1, order + 1))
        for p in range(order + 1):
            for q in range(order + 1 - p):
                matrix[p, q] = float(header.get(f"{name}_{p}_{q}", 0.0))
        matrices.append(matrix)
    return matrices
