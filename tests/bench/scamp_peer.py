"""SCAMP as a peer: catalogs in FITS_LDAC, its run, and places of detections by the headers it writes.

Traps that are avoided: SIP is not understood (the start is TPV); a table's header cell must be padded with blanks;
chips are told apart by their place in the file (all are written, also empty ones); one pass is not converged (three are
made, the headers of each being the start of the next); its own internal rms is cut off (places are computed anew).
"""

import resource
import subprocess
from pathlib import Path

import numpy as np

from hscdb.fits.header import wcs_from_header
from hscdb.sky import tpv
from hscdb.sky.sphere import project

_KINDS = {"f8": "D", "f4": "E", "i2": "I"}
CONFIG = {
    "AHEADER_GLOBAL": "none.ahead", "ASTREF_CATALOG": "FILE", "ASTREFCAT_NAME": "refs.cat",
    "ASTREFCENT_KEYS": "X_WORLD,Y_WORLD",
    "ASTREFERR_KEYS": "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD", "ASTREFMAG_KEY": "MAG", "ASTREFMAGERR_KEY": "MAGERR",
    "ASTREFOBSDATE_KEY": "OBSDATE", "SAVE_REFCATALOG": "N", "MATCH": "N", "CROSSID_RADIUS": "1.0",
    "SOLVE_ASTROM": "Y", "SOLVE_PHOTOM": "N", "PROJECTION_TYPE": "TPV", "DISTORT_DEGREES": "3",
    "FOCDISTORT_DEGREE": "3", "ASTRINSTRU_KEY": "FILTER", "STABILITY_TYPE": "INSTRUMENT",
    "ASTRACCURACY_TYPE": "SIGMA-PIXEL",
    "ASTR_ACCURACY": "0.005", "SN_THRESHOLDS": "3.0,10.0", "FWHM_THRESHOLDS": "0.0,1000.0", "CHECKPLOT_DEV": "NULL",
    "CHECKPLOT_TYPE": "NONE", "WRITE_XML": "N", "VERBOSE_TYPE": "QUIET", "NTHREADS": "1",
}  # fmt: skip


def _padded(content: bytes, fill: bytes = b"\0") -> bytes:
    return content + fill * (-len(content) % 2880)


def _header(cards) -> bytes:
    lines = [
        f"{name:8}= {content if isinstance(content, str) else repr(content).upper():>20}" for name, content in cards
    ]
    return _padded("".join(f"{line:80}" for line in [*lines, "END"]).encode(), b" ")


def _table(name: str, columns: dict[str, np.ndarray]) -> bytes:
    rows = np.empty(
        len(next(iter(columns.values()))), [(n, ">" + c.dtype.str[1:], c.shape[1:]) for n, c in columns.items()]
    )
    for key, column in columns.items():
        rows[key] = column
    cards = [("XTENSION", "'BINTABLE'"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", rows.dtype.itemsize),
             ("NAXIS2", len(rows)), ("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(columns)),
             ("EXTNAME", f"'{name}'")]  # fmt: skip
    for i, (key, column) in enumerate(columns.items(), start=1):
        text = column.dtype.kind == "S"
        form = f"{column.dtype.itemsize}A" if text else _KINDS[column.dtype.str[1:]]
        cards += [(f"TTYPE{i}", f"'{key:8}'"), (f"TFORM{i}", f"'{form:8}'")]
        if text:
            cards.append((f"TDIM{i}", f"'(80, {column.dtype.itemsize // 80})'"))
    return _header(cards) + _padded(rows.tobytes())


def _image_head(cards) -> np.ndarray:
    lines = [
        f"{name:8}= {content if isinstance(content, str) else repr(content).upper():>20}" for name, content in cards
    ]
    return np.array(["".join(f"{line:80}" for line in [*lines, "END"])], "S")


_PRIMARY = _header([("SIMPLE", "T"), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", "T")])


def tpv_cards(wcs, width: int, height: int, crval):
    """TAN with PV terms of degree 5 about a tangent point common to the chips, for a TAN-SIP Wcs of one chip.

    With a tangent point of its own in each chip SCAMP's polynomials of exposures do nothing.
    """
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, width, 12), np.linspace(0, height, 20)))
    xi, eta = project(*wcs.pixel_to_sky(x, y), *crval)
    linear = np.linalg.lstsq(np.stack([np.ones_like(x), x, y], axis=1), np.stack([xi, eta], axis=1), rcond=None)[0]
    cd = linear[1:].T
    crpix = -np.linalg.solve(cd, linear[0])
    plane = cd @ np.stack([x - crpix[0], y - crpix[1]])
    order, pairs = 5, [(n - k, k) for n in range(6) for k in range(n + 1)]
    numbers = [tpv._FIRST[n] + k for n in range(order + 1) for k in range(n + 1)]
    cards = [("CTYPE1", "'RA---TPV'"), ("CTYPE2", "'DEC--TPV'"), ("CUNIT1", "'deg     '"), ("CUNIT2", "'deg     '"),
             ("CRVAL1", float(crval[0])), ("CRVAL2", float(crval[1])), ("CRPIX1", float(crpix[0] + 1)),
             ("CRPIX2", float(crpix[1] + 1)), ("CD1_1", float(cd[0, 0])), ("CD1_2", float(cd[0, 1])),
             ("CD2_1", float(cd[1, 0])), ("CD2_2", float(cd[1, 1]))]  # fmt: skip
    scale = np.abs(plane).max()
    for axis, goal in ((1, xi), (2, eta)):
        a, b = plane / scale if axis == 1 else plane[::-1] / scale
        design = np.stack([a**p * b**q for p, q in pairs], axis=1)
        terms = np.linalg.lstsq(design, goal, rcond=None)[0]
        cards += [
            (f"PV{axis}_{k}", float(c / scale ** (p + q))) for k, c, (p, q) in zip(numbers, terms, pairs, strict=True)
        ]
    return cards


def write_exposure(path: Path, chips, crval, year: float) -> None:
    """One catalog: chips are (wcs, width, height, rows x, y, err, flux, flux_err or None) in the order of the CCDs."""
    content = _PRIMARY
    for number, (wcs, width, height, rows) in enumerate(chips):
        cards = [("SIMPLE", "T"), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", height),
                 ("EXTNAME", f"'chip{number}'"), ("FILTER", "'r       '"), ("EXPTIME", 30.0), ("AIRMASS", 1.0),
                 ("OBJECT", "'field   '"), ("MJD-OBS", (year - 2000.0) * 365.25 + 51544.5),
                 *tpv_cards(wcs, width, height, crval)]  # fmt: skip
        if rows is None or not len(rows):  # a place holder that is rejected for its S/N
            columns = [np.array([c]) for c in (10.0, 10.0, 1.0, 1.0, 10.0)]
        else:
            columns = [rows["x"] + 1.0, rows["y"] + 1.0, rows["err"], rows["flux"], rows["flux_err"]]
        x, y, err, flux, flux_err = columns
        objects = {
            "XWIN_IMAGE": x, "YWIN_IMAGE": y, "ERRAWIN_IMAGE": err.astype("f4"), "ERRBWIN_IMAGE": err.astype("f4"),
            "ERRTHETAWIN_IMAGE": np.zeros(x.size, "f4"), "FLUX_AUTO": flux.astype("f8"),
            "FLUXERR_AUTO": flux_err.astype("f8"), "FLAGS": np.zeros(x.size, "i2"),
            "FLUX_RADIUS": np.full(x.size, 2.0, "f4"),
            "ELONGATION": np.ones(x.size, "f4"),
        }  # fmt: skip
        content += _table("LDAC_IMHEAD", {"Field Header Card": _image_head(cards)}) + _table("LDAC_OBJECTS", objects)
    path.write_bytes(content)


def write_references(path: Path, ra, dec, err_mas, mag, year: float) -> None:
    """Reference catalog at one epoch."""
    cards = [("SIMPLE", "T"), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 1), ("NAXIS2", 1)]
    err = np.broadcast_to(
        np.asarray(err_mas, float) / 3.6e6 / np.sqrt(2.0), ra.shape
    )  # it adds both axes in quadrature
    objects = {
        "X_WORLD": ra, "Y_WORLD": dec, "ERRA_WORLD": err.astype("f8"), "ERRB_WORLD": err.astype("f8"),
        "ERRTHETA_WORLD": np.zeros(ra.size, "f4"), "MAG": mag.astype("f4"), "MAGERR": np.full(ra.size, 0.02, "f4"),
        "OBSDATE": np.full(ra.size, year), "FLAGS": np.zeros(ra.size, "i2"),
    }  # fmt: skip
    path.write_bytes(
        _PRIMARY + _table("LDAC_IMHEAD", {"Field Header Card": _image_head(cards)}) + _table("LDAC_OBJECTS", objects)
    )


def run(folder: Path, names: list[str], n_pass: int = 3, **settings: str) -> dict[str, float]:
    """SCAMP on the catalogs of a folder; CPU and wall seconds of each pass, peak memory [MB]."""
    config = CONFIG | settings
    (folder / "scamp.conf").write_text("".join(f"{k} {v}\n" for k, v in config.items()))
    (folder / "catalogs.list").write_text("\n".join(names) + "\n")
    cpu, peak = [], 0
    for _ in range(n_pass):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["scamp", "@catalogs.list", "-c", "scamp.conf"], cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        peak = max(peak, after.ru_maxrss // 1024)
        for name in names:
            head = (folder / name).with_suffix(".head")
            head.with_suffix(".ahead").write_bytes(head.read_bytes())
    return {"cpu_s": cpu, "peak_mb": peak}


def solutions(folder: Path, name: str):
    """The Wcs of each chip of a catalog, by the header that SCAMP has written."""
    found, card = [], {}
    for line in (folder / name).with_suffix(".head").read_text(encoding="latin-1").splitlines():
        key = line[:8].strip()
        if key == "END":
            found.append(wcs_from_header(card))
            card = {}
        elif line[8:10] == "= ":
            text = line[10:].split(" /")[0].strip()
            card[key] = _content(text)
    return found


def _content(text: str):
    if text.startswith("'"):
        return text.strip("'").strip()
    if text in ("T", "F"):
        return text == "T"
    return int(text) if text.lstrip("+-").isdigit() else float(text)
