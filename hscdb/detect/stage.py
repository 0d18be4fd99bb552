"""detect: clean image -> background, PSF, cosmic rays, sources; calexp, src and rows."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.camera.focalplane import initial_wcs
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.detect import catalog, frame
from hscdb.detect.stage_config import Config
from hscdb.errors import ConfigError, InputError
from hscdb.fits import product, raw
from hscdb.fits.exposure import Exposure
from hscdb.fits.header import read_header, wcs_cards
from hscdb.fits.psfex import read_psfex
from hscdb.image import mask as planes
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    import numpy.typing as npt

    from hscdb.image.plane import Image
    from hscdb.image.psf import Psf

find_pointing = query("detect/find_pointing")
find_raw = query("detect/find_raw")

_LAST = "calibrate"  # puts WCS, zero point and flags into calexp and src
# cards that describe the file itself, which the new file writes anew
_STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT", "EXTNAME", "EXTTYPE", "INHERIT",
              "BZERO", "BSCALE", "COMMENT", "HISTORY", "CHECKSUM", "DATASUM", "HDB_")  # fmt: skip


@stage(
    "detect",
    per="frame",
    config=Config,
    reads=("frame_isr", "visit"),
    writes=("source", "frame_quality", "psf_star"),
    needs=("isr",),
)
def run(work: Work, config: Config) -> Funnel:
    """Find and measure the sources of a frame: background, PSF, cosmic rays, footprints, deblending, fluxes, flags."""
    visit, ccd = int(work.unit["visit"]), int(work.unit["ccd"])
    image, cards = _input(work, visit, ccd)
    given = _others(work, config, visit, ccd, image)
    limits = frame.Limits(**{field.name: getattr(config, field.name) for field in dataclasses.fields(frame.Limits)})
    measured = frame.characterize(image, limits, seed=visit * 200 + ccd, is_own=True, given=given)
    ids = (work.run_id, work.task_id, visit, ccd)
    rows = catalog.sources(measured, *ids)
    copy.write(work.connection, "source", rows, nulls={"parent_id": 0})
    copy.write(
        work.connection, "frame_quality", catalog.quality(measured, *ids, work.camera.pixel_scale_arcsec)
    )
    copy.write(work.connection, "psf_star", catalog.psf_stars(measured, *ids))
    _write(work, measured, rows, cards)
    work.carry["calexp"] = (measured.image, measured.psf)
    work.carry["sources"] = rows
    return measured.funnel


def _input(work: Work, visit: int, ccd: int) -> tuple[Image, list[tuple[Any, ...]]]:
    """The clean image and its header cards, from isr's hands or from its file. InputError `no_postISRCCD`."""
    image = work.carry.pop("postISRCCD", None)
    if image is not None:
        return image, list(work.carry.get("cards", ()))
    image, header = product.read_image(work.files.find("postISRCCD", visit=visit, ccd=ccd))
    return image, [(key, content) for key, content in header.items() if key and not key.startswith(_STRUCTURE)]


def _others(work: Work, config: Config, visit: int, ccd: int, image: Image) -> Psf | None:
    """What another pipeline knows of the frame: puts its inverse variance into the image, returns its PSF (or None).

    ConfigError `bad_setting` for a rule without =>; InputError of the readers where there is no such file.
    """
    if not (config.psf_path or config.weight_path):
        return None
    facts = find_raw.one(work.connection, visit=visit, ccd=ccd)
    if facts is None:
        raise InputError(f"visit={visit} ccd={ccd}: no raw frame is known.", code="no_frame")
    path, hdu = work.repository / str(facts["path"]).partition("#")[0], int(facts["hdu"])
    camera_ccd = work.camera.ccds[ccd]
    if config.weight_path:
        own = raw.ccd_in(work.camera, camera_ccd, read_header(path, hdu))
        weight = raw.read_raw(_companion(path, config.weight_path), hdu, own).astype(np.float32)
        gain = float(np.median([amplifier.gain_e_per_adu for amplifier in own.amplifiers]))
        is_seen = np.isfinite(weight) & (weight > 0)
        image.variance[...] = np.where(is_seen, np.float32(gain**2) / np.where(is_seen, weight, 1.0), np.nan)
        image.mask[~is_seen] |= planes.BAD
    if not config.psf_path:
        return None
    return read_psfex(_companion(path, config.psf_path), image.shape, camera_ccd.name)


def _companion(path: Path, rule: str) -> Path:
    """The file that belongs to `path`, links followed, by a rule 'pattern => replacement' (regular expression)."""
    pattern, arrow, replacement = (part.strip() for part in rule.partition("=>"))
    if not arrow:
        raise ConfigError(f"detect: '{rule}' is no rule. Give 'pattern => replacement'.", code="bad_setting")
    found, n = re.subn(pattern, replacement, str(path.resolve()))
    if n == 0:
        raise ConfigError(f"detect: '{pattern}' is not in {path.resolve()}. Mend '{rule}'.", code="bad_setting")
    return Path(found)


def _write(
    work: Work, measured: frame.Measured, rows: npt.NDArray[np.void], cards: list[tuple[Any, ...]]
) -> None:
    """Write calexp and src, or leave that to the stage that completes them, if it follows."""
    ids = {"visit": int(work.unit["visit"]), "ccd": int(work.unit["ccd"])}
    image_cards: list[tuple[Any, ...]] = []
    pointing = find_pointing.one(work.connection, visit=ids["visit"])
    if pointing is not None and np.isfinite(pointing["ra"]) and np.isfinite(pointing["dec"]):
        ccd = work.camera.ccds[ids["ccd"]]
        first = initial_wcs(
            work.camera, ccd, float(pointing["ra"]), float(pointing["dec"]), float(pointing["rotator_deg"])
        )
        image_cards += wcs_cards(first)
    psf_rows, psf_words = measured.psf.to_table()
    background = measured.background
    words = {"BGMEAN": background.level, "BGSIGMA": background.sigma}
    tables = [
        product.Table("PSF", psf_rows, cards=psf_words),
        product.Table("BACKGROUND", background.to_table(), None, words),
        product.Table("APCORR", np.concatenate([one.rows(name) for name, one in measured.corrections.items()])),
    ]
    cards = [*cards, ("HDB_RUN", work.run_id, "run of hscdb"), ("HDB_TASK", work.task_id, "task of hscdb")]
    src = product.Table("SRC", *catalog.src(rows))
    exposure = Exposure(work.task_id, measured.image, cards, image_cards, tables, src, _LAST)
    if _LAST in work.options.get("followed_by", ()):
        work.files.promise("calexp", **ids)
        work.files.promise("src", **ids)
        work.carry["unwritten"] = exposure
    else:
        exposure.write(work.files, **ids)
