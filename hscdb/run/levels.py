"""Levels of lit frames over the focal plane, from thin samples of their raw files: of flats, of the sky of a visit."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db.queries import query
from hscdb.fits import header as headers
from hscdb.fits import raw
from hscdb.image import stats
from hscdb.image.readout import thin
from hscdb.run import masters

if TYPE_CHECKING:
    import numpy.typing as npt

    from hscdb.run.stage import Work

read_mosaic = query("master/read_mosaic")

_LEVELS: dict[tuple[Any, ...], float] = {}  # of raw files, by this process: each is opened once for all its ccds
_N_SIGMA = 3.0  # ccds further from the others do not count: clouds' edges, silent amplifiers, a star that fills the ccd


def mosaic(work: Work, visits: list[int], night: date) -> tuple[Any, npt.NDArray[np.float64]]:
    """The raw frames of all science ccds of some visits (records of read_mosaic), and their levels [electron].

    NaN where no pixel is usable. See image/readout/thin.py.
    """
    rows = read_mosaic(work.connection, visits=visits)
    return rows, np.array([_level(work, row, str(night)) for row in rows])


def _level(work: Work, row: Any, night: str) -> float:
    path, hdu = work.repository / str(row["path"]).partition("#")[0], int(row["hdu"])
    key = (path, hdu, int(row["ccd"]), path.stat().st_mtime_ns if path.is_file() else 0)
    if key not in _LEVELS:
        ccd = work.camera.ccds[int(row["ccd"])]
        own = raw.ccd_in(work.camera, ccd, headers.read_header(path, hdu))
        boxes = work.camera.defects_on(ccd.ccd, night)
        _LEVELS[key] = thin.level_e(raw.read_raw(path, hdu, own), own, work.camera, boxes)
    return _LEVELS[key]


def flattened(
    work: Work, ccd: npt.NDArray[np.integer[Any]], level: npt.NDArray[np.float64], filter: str | None, night: date
) -> npt.NDArray[np.float64]:
    """Levels (n,) of raw frames over the mean response of the master flat of their ccd; NaN without one."""
    mean = _means(work, "flat", ccd, filter, night)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mean > 0.0, level / mean, np.nan)


def _means(
    work: Work, kind: str, ccd: npt.NDArray[np.integer[Any]], filter: str | None, night: date
) -> npt.NDArray[np.float64]:
    known: dict[int, float] = {}
    for one in np.unique(ccd).tolist():
        found = masters.look(work, kind, one, filter, night)
        known[one] = np.nan if found is None else float(found["mean_level"])
    return np.array([known[int(one)] for one in ccd])


def sky_scale(work: Work, visit: int, filter: str, night: date) -> tuple[float, int]:
    """Sky of a visit [electron] in units of the master sky of the mosaic, and the number of ccds that tell it.

    S of L_c = S F_c P_c over the ccds c with raw level L and mean levels F of master flat and P of master sky: the mean
    of L_c / (F_c P_c) within 3 sigma (of the interquartile range) of their median. NaN, 0 without any.
    """
    rows, level = mosaic(work, [visit], night)
    ccd = rows["ccd"]
    ratio = flattened(work, ccd, level, filter, night) / _means(work, "sky", ccd, filter, night)
    ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
    if not len(ratio):
        return float("nan"), 0
    middle = float(np.median(ratio))
    kept = ratio[np.abs(ratio - middle) <= _N_SIGMA * stats.iqr_sigma(ratio) + 1e-9 * middle]
    return float(np.mean(kept)) if len(kept) else middle, len(kept)
