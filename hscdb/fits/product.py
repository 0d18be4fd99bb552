"""Products: where each lies under `rerun/<name>/` (hscPipe's templates) and what calexp-like files hold.

Layout of an image product: HDU 0 header only, then IMAGE, MASK (`MP_<NAME>` = bit), VARIANCE, then binary tables
(PSF, ...). Paths: hscPipe 4's places for wcs and fcr (obs_subaru policy/HscMapper.paf), v19's for the rest.
"""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from hscdb.errors import ConfigError, InputError
from hscdb.fits import hdu as _hdu
from hscdb.fits.hdu import Cards, Hdu, Table
from hscdb.image.mask import PLANES
from hscdb.image.plane import Image

__all__ = [
    "DATASETS", "Cards", "Table", "names", "overwrite_plane", "path", "read_header", "read_image", "read_plane",
    "read_table", "update_header", "write_header", "write_image", "write_plane",
]  # fmt: skip

_P = "%(pointing)05d/%(filter)s"
_V = "%(visit)07d-%(ccd)03d"
_QA = "qa/%(tract)04d/%(filter)s"
_RESULT = "jointcal-results/%(tract)04d"  # hscPipe 7
_RESULT_BY_FILTER = "jointcal-results/%(filter)s/%(tract)04d"  # v19 of the stack

DATASETS: dict[str, str] = {
    "postISRCCD": "postISRCCD/v%(visit)07d-f%(filter)s/c%(ccd)03d.fits",
    "calexp": f"{_P}/corr/CORR-{_V}.fits",
    "calexpBackground": f"{_P}/corr/BKGD-{_V}.fits",
    "src": f"{_P}/output/SRC-{_V}.fits",
    "srcMatch": f"{_P}/output/SRCMATCH-{_V}.fits",
    "srcMatchFull": f"{_P}/output/SRCMATCHFULL-{_V}.fits",
    "wcs": f"{_P}/corr/%(tract)04d/wcs-{_V}.fits",
    "fcr": f"{_P}/corr/%(tract)04d/fcr-{_V}.fits",
    "calibrated_exp": f"{_P}/corr/%(tract)04d/CALEXP-{_V}.fits",
    "calibrated_src": f"{_P}/output/%(tract)04d/CALSRC-{_V}.fits",
    "jointcal_wcs": f"{_RESULT}/jointcal_wcs-{_V}.fits",
    "jointcal_photoCalib": f"{_RESULT}/jointcal_photoCalib-{_V}.fits",
    "ResPosScatter": f"{_QA}/ResPosScatter.png",
    "MdM": f"{_QA}/MdM.png",
    "PosDPos": f"{_QA}/PosDPos.png",
    "ResFlux": f"{_QA}/ResFlux.png",
    "DFlux2D": f"{_QA}/DFlux2D.png",
    "visitRms": f"{_QA}/visitRms.png",
    "ResPosArrow2D": f"{_QA}/ResPosArrow2D_%(visit)d.png",
    "fcont": f"{_QA}/fcont_%(visit)d.png",
    "jcont": f"{_QA}/jcont_%(visit)d.png",
    "mosaicCatalog": f"{_QA}/catalog.fits",
    "ccdPositions": f"{_QA}/ccd.dat",
    "ccdScales": f"{_QA}/ccdScale.dat",
    "visitCoefficients": f"{_QA}/coeffs.dat",
    "positionResiduals": f"{_QA}/dpos.dat",
    "magnitudeResiduals": f"{_QA}/dmag.dat",
    "qaPage": f"{_QA}/index.html",
    "bias": "BIAS/%(calib_date)s/NONE/BIAS-%(calib_date)s-%(ccd)03d.fits",
    "dark": "DARK/%(calib_date)s/NONE/DARK-%(calib_date)s-%(ccd)03d.fits",
    "flat": "FLAT/%(calib_date)s/%(filter)s/FLAT-%(calib_date)s-%(filter)s-%(ccd)03d.fits",
    "fringe": "FRINGE/%(calib_date)s/%(filter)s/FRINGE-%(calib_date)s-%(filter)s-%(ccd)03d.fits",
    "defects": "DEFECTS/%(calib_date)s/NONE/DEFECTS-%(calib_date)s-%(ccd)03d.fits",
    "sky": "SKY/%(calib_date)s/%(filter)s/SKY-%(calib_date)s-%(filter)s-%(ccd)03d.fits",
}

# where else a dataset may lie; rows of product say where it does
_ELSEWHERE = {
    "jointcal_wcs_by_filter": f"{_RESULT_BY_FILTER}/jointcal_wcs-{_V}.fits",
    "jointcal_photoCalib_by_filter": f"{_RESULT_BY_FILTER}/jointcal_photoCalib-{_V}.fits",
}


def _template(dataset: str) -> str:
    if dataset in _ELSEWHERE:
        return _ELSEWHERE[dataset]
    if dataset not in DATASETS:
        raise ConfigError(f"dataset {dataset}: not known (one of {', '.join(DATASETS)}).", code="bad_dataset")
    return DATASETS[dataset]


def names(dataset: str) -> frozenset[str]:
    """The ids that `path` needs for a dataset, e.g. {pointing, filter, visit, ccd}. ConfigError `bad_dataset`."""
    return frozenset(re.findall(r"%\((\w+)\)", _template(dataset)))


def path(dataset: str, **ids: Any) -> str:
    """Path of a product, relative to `rerun/<name>/`.

    ids : visit, ccd, tract, pointing (int), filter (None: "NONE"), calib_date (date or ISO text); more do no harm.
    ConfigError `bad_dataset` or `missing_id`.
    """
    template = _template(dataset)
    missing = sorted(names(dataset) - set(ids))
    if missing:
        raise ConfigError(f"dataset {dataset}: its path needs {', '.join(missing)} too.", code="missing_id")
    words = {name: content.isoformat() if isinstance(content, date) else content for name, content in ids.items()}
    words["filter"] = "NONE" if words.get("filter") is None else words["filter"]
    words["pointing"] = 0 if words.get("pointing") is None else words["pointing"]
    return template % words


def write_image(
    path: Path, image: Image, cards: Cards = (), tables: Sequence[Table] = (), image_cards: Cards = ()
) -> None:
    """Write IMAGE, MASK and VARIANCE and further tables; `cards` go to HDU 0, `image_cards` (the WCS) to IMAGE.

    Pixels are swapped and written a cache-full at a time: no copy of a plane is made.
    """
    shape = image.shape
    planes = [(f"MP_{name}", bit, meaning) for name, bit, meaning in PLANES]
    with path.open("wb") as file:
        file.write(_hdu.header_bytes(_hdu.image_header((), "f4", None, cards, primary=True)))
        for name, pixels, dtype, own in (
            ("IMAGE", image.data, "f4", image_cards),
            ("MASK", image.mask, "i4", planes),
            ("VARIANCE", image.variance, "f4", ()),
        ):
            file.write(_hdu.header_bytes(_hdu.image_header(shape, f"={dtype}", name, own)))
            _hdu.write_pixels(file, pixels.astype(dtype, copy=False))
        for table in tables:
            _hdu.write_table(file, table)


def write_plane(path: Path, pixels: npt.NDArray[np.float32], cards: Cards = ()) -> None:
    """Write one plane, IMAGE, and nothing else (masters): (ny, nx) float32; cards go to HDU 0."""
    with path.open("wb") as file:
        file.write(_hdu.header_bytes(_hdu.image_header((), "f4", None, cards, primary=True)))
        file.write(_hdu.header_bytes(_hdu.image_header(pixels.shape, "=f4", "IMAGE", ())))
        _hdu.write_pixels(file, pixels.astype(np.float32, copy=False))


def write_header(path: Path, cards: Cards = (), tables: Sequence[Table] = ()) -> None:
    """Write a file of one header without pixels (wcs-, fcr-), and tables if any."""
    with path.open("wb") as file:
        file.write(_hdu.header_bytes(_hdu.image_header((), "f4", None, cards, primary=True)))
        for table in tables:
            _hdu.write_table(file, table)


def _find(path: Path, which: int | str) -> Hdu:
    """The HDU of this number (from 0) or EXTNAME. InputError `no_hdu`."""
    for number, found in enumerate(_hdu.scan(path)):
        if number == which or found.name == which:
            return found
    raise InputError(f"{path}: no HDU {which}.", code="no_hdu")


def _contents(header: fits.Header) -> dict[str, Any]:
    """Keyword -> content; undefined cards become None, COMMENT and HISTORY one text."""
    found: dict[str, Any] = {}
    for card in header.cards:
        keyword = card.keyword
        if keyword in ("COMMENT", "HISTORY", ""):
            found[keyword] = (found[keyword] + "\n" if keyword in found else "") + str(card.value)
        elif keyword not in found:
            found[keyword] = None if isinstance(card.value, fits.card.Undefined) else card.value
    return found


def read_header(path: Path, hdu: int | str = 0) -> dict[str, Any]:
    """Keyword -> content of one HDU (number from 0, or EXTNAME). InputError `no_file`, `not_fits`, `no_hdu`, ..."""
    return _contents(_find(path, hdu).header)


def _remap(mask: npt.NDArray[np.int32], header: fits.Header) -> npt.NDArray[np.int32]:
    """Move mask bits from the file's MP_ keys to ours; planes we do not know are dropped."""
    ours = {name: bit for name, bit, _ in PLANES}
    theirs = {key[3:]: int(header[key]) for key in header if key.startswith("MP_")}
    if all(ours.get(name) == bit for name, bit in theirs.items()):
        return mask
    moved = np.zeros_like(mask)
    for name, bit in theirs.items():
        if name in ours:
            moved |= ((mask >> np.int32(bit)) & np.int32(1)) << np.int32(ours[name])
    return moved


def read_plane(path: Path, name: str) -> npt.NDArray[Any]:
    """One plane, (ny, nx): IMAGE and VARIANCE float32, MASK int32 with our bits. InputError `no_hdu`."""
    found = _find(path, name)
    pixels = _hdu.read_pixels(path, found)
    if name == "MASK":
        return _remap(pixels.astype(np.int32, copy=False), found.header)
    return pixels.astype(np.float32, copy=False)


def read_image(path: Path) -> tuple[Image, dict[str, Any]]:
    """The trio and its header: HDU 0's contents, overridden by IMAGE's (INHERIT = T).

    A missing MASK or VARIANCE reads as zeros. InputError `no_hdu` without IMAGE.
    """
    header: dict[str, Any] = {}
    planes: dict[str, npt.NDArray[Any]] = {}
    for number, found in enumerate(_hdu.scan(path)):
        if number == 0 or found.name == "IMAGE":
            header |= _contents(found.header)
        if found.name in ("IMAGE", "MASK", "VARIANCE"):
            planes[found.name] = _hdu.read_pixels(path, found)
            if found.name == "MASK":
                planes["MASK"] = _remap(planes["MASK"].astype(np.int32, copy=False), found.header)
        if len(planes) == 3:
            break
    if "IMAGE" not in planes:
        raise InputError(f"{path}: no HDU IMAGE.", code="no_hdu")
    data = planes["IMAGE"].astype(np.float32, copy=False)
    variance = planes.get("VARIANCE", np.zeros(0)).astype(np.float32, copy=False)
    mask = planes.get("MASK", np.zeros(0, np.int32))
    return Image(
        data,
        variance if variance.size else np.zeros(data.shape, np.float32),
        mask if mask.size else np.zeros(data.shape, np.int32),
    ), header


def read_table(path: Path, name: int | str) -> npt.NDArray[Any]:
    """Rows of a binary table (number of the HDU or EXTNAME) as a native structured array. InputError `no_hdu`."""
    found = _find(path, name)
    with path.open("rb") as file:
        file.seek(found.header_start)
        raw = file.read(found.end - found.header_start)
    table = fits.BinTableHDU.fromstring(raw)
    columns = {column: np.asarray(table.data[column]) for column in table.columns.names}
    fields = [(column, pixels.dtype.newbyteorder("="), pixels.shape[1:]) for column, pixels in columns.items()]
    rows = np.empty(len(table.data), dtype=fields)
    for column, pixels in columns.items():
        rows[column] = pixels
    return rows


def update_header(path: Path, cards: Mapping[int | str, Cards], to: Path | None = None) -> None:
    """Set cards in the headers of some HDUs (by number or EXTNAME); pixels and tables are copied byte for byte.

    The new file is written beside and renamed over `path`, or to `to` if given (then `path` stays as it is), so a
    reader sees the old file or the new one. InputError `no_hdu` if an HDU is not there.
    """
    found = list(_hdu.scan(path))
    missing = [which for which in cards if not any(which in (number, one.name) for number, one in enumerate(found))]
    if missing:
        raise InputError(f"{path}: no HDU {', '.join(map(str, missing))}.", code="no_hdu")
    target = to if to is not None else path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with path.open("rb") as old, target.open("wb") as new:
            for number, one in enumerate(found):
                for which in cards:
                    if which in (number, one.name):
                        _hdu.set_cards(one.header, cards[which])
                new.write(_hdu.header_bytes(one.header))
                _copy(old, new, one.data_start, one.end)
        if to is None:
            target.replace(path)
    finally:
        if to is None:
            target.unlink(missing_ok=True)


def overwrite_plane(path: Path, name: str, pixels: npt.NDArray[Any]) -> None:
    """Put new pixels, (ny, nx), in the place of a plane's, in a file nobody reads yet. InputError `no_hdu`.

    ValueError if the shape differs from the plane's.
    """
    found = _find(path, name)
    if pixels.shape != (found.header["NAXIS2"], found.header["NAXIS1"]):
        raise ValueError(f"{path}: plane {name} has another shape than {pixels.shape}")
    dtype = "i4" if name == "MASK" else "f4"
    with path.open("r+b") as file:
        file.seek(found.data_start)
        _hdu.write_pixels(file, pixels.astype(dtype, copy=False))


def _copy(old: Any, new: Any, start: int, end: int) -> None:
    """Copy bytes start..end of one file to the end of the other, inside the kernel where it can."""
    new.flush()
    size = os.fstat(old.fileno()).st_size
    end = min(end, size)
    while start < end:
        try:
            n_copied = os.copy_file_range(old.fileno(), new.fileno(), end - start, start)
        except OSError:
            n_copied = os.sendfile(new.fileno(), old.fileno(), start, end - start)
        if n_copied == 0:
            break
        start += n_copied
