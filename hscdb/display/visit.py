"""A visit, or one of its CCDs, from a butler to what can be shown: image, mask, sources, name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.butler import Butler, NoResults
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.display import content, focalplane, picture, style, symbols
from hscdb.run.log import logger
from hscdb.sky.wcs import Wcs

_N_SIGMA = 3.0  # half axes of a source's ellipse in units of its moments: about where it ends
_SIDE = 1600  # [pix] of a focal plane that is binned to fit a screen
_MARK_PIX = 4.0  # radius of a source on a focal plane
_POINT, _EXTENDED = style.YELLOW, style.CYAN


@dataclass(frozen=True)
class Looks:
    """How it is shown: n_bin None as fits a screen; snr_min None without sources; is_masked without mask if False."""

    n_bin: int | None = None
    scale: str = "zscale"
    stretch: str = "asinh"
    snr_min: float | None = None
    is_masked: bool = True
    is_labeled: bool = True


@dataclass(frozen=True)
class View:
    """What to show on a display (content with shapes in its pixels), and the same as a picture."""

    content: content.Content
    shapes: list[symbols.Shape]
    picture: picture.Picture


def of_ccd(butler: Butler, dataset: str, ids: dict[str, Any], looks: Looks, how: style.Style) -> View:
    """One CCD as it is: y up. NoResults if it is not there."""
    one = content.of(butler.get(dataset, ids))
    mask = one.mask if looks.is_masked else None
    title = f"{_name(butler, dataset, ids['visit'])} ccd {ids['ccd']}"
    drawn = picture.of_image(
        one.pixels, mask, how, title=title, n_bin=looks.n_bin, scale=looks.scale, stretch=looks.stretch
    )
    shapes: list[symbols.Shape] = []
    if looks.snr_min is not None:
        found = sources(butler, dataset, ids, looks.snr_min)
        s2 = _N_SIGMA**2
        for x, y, xx, xy, yy, is_extended in zip(*found, strict=True):
            color = _EXTENDED if is_extended else _POINT
            shapes += symbols.shapes(f"@:{xx * s2},{xy * s2},{yy * s2}", x, y, 0.0, color)
    drawn.shapes.extend(shapes)
    return View(content.Content(one.pixels, mask, title, (0, 0), one.wcs), shapes, drawn)


def of_visit(butler: Butler, dataset: str, frames: Sequence[dict[str, Any]], looks: Looks, how: style.Style) -> View:
    """The CCDs of one visit on the sky, north up, east left. Those that are not there are left out and told.

    NoResults if none is there.
    """
    visit = int(frames[0]["visit"])
    camera = butler.repository.camera
    with transaction(butler.repository.engine) as connection:
        row = query("display/find_pointing").one(connection, visit=visit)
    rotator = float(row["rotator_deg"])
    sky = focalplane.Sky(camera, rotator if np.isfinite(rotator) else 0.0)
    n_bin = looks.n_bin or _fitting(sky, [camera.ccds[int(each["ccd"])] for each in frames])
    one = focalplane.mosaic(_pieces(butler, dataset, frames, n_bin, looks.is_masked), sky, n_bin)
    title = f"{_name(butler, dataset, visit)}, {len(one.labels)} CCDs"
    drawn = picture.of_mosaic(
        one, how, title=title, scale=looks.scale, stretch=looks.stretch, is_labeled=looks.is_labeled
    )
    marks: list[symbols.Ellipse] = []
    if looks.snr_min is not None:
        shown = {ccd for ccd, _, _ in one.labels}
        for each in frames:
            if each["ccd"] in shown:
                marks += _marks(butler, dataset, each, looks.snr_min, sky, one)
        drawn.shapes.extend(_on_axes(each, one) for each in marks)
    step = one.step_arcsec / 3600
    wcs: dict[str, Any] = {}
    if np.isfinite(row["ra"]) and np.isfinite(row["dec"]):
        from hscdb.fits.header import wcs_cards

        crpix = (-one.west / one.step_arcsec, -one.north / one.step_arcsec)
        plane = Wcs((float(row["ra"]), float(row["dec"])), crpix, np.diag([-step, step]))
        wcs = {card[0]: card[1] for card in wcs_cards(plane)}
    return View(content.Content(one.pixels, one.mask, title, (0, 0), wcs), [*marks], drawn)


def _name(butler: Butler, dataset: str, visit: int) -> str:
    with transaction(butler.repository.engine) as connection:
        row = query("display/find_pointing").one(connection, visit=visit)
    run = butler.registry.run
    of = "" if run is None or dataset == "raw" else f" of run {run['name']}"
    facts = " ".join(str(each) for each in (row["field"], row["filter"]) if each)
    return f"{dataset}{of}: visit {visit} {facts}".rstrip()


def _fitting(sky: focalplane.Sky, ccds: Sequence[Any]) -> int:
    """The bin that makes these CCDs fit a screen."""
    places = np.array(
        [sky.of_pixels(ccd, [0, ccd.width, 0, ccd.width], [0, 0, ccd.height, ccd.height]) for ccd in ccds]
    )
    side = np.ptp(places, axis=(0, 2)).max() / sky.camera.pixel_scale_arcsec
    return max(int(np.ceil(side / _SIDE)), 1)


def _pieces(
    butler: Butler, dataset: str, frames: Sequence[dict[str, Any]], n_bin: int, is_masked: bool
) -> Iterator[focalplane.Piece]:
    first, n_shown = None, 0
    for ids in frames:
        ccd = butler.repository.camera.ccds[int(ids["ccd"])]
        try:
            exposure = butler.get(dataset, ids)
        except NoResults as error:
            first = first or error
            continue
        pixels = exposure.getMaskedImage().getImage().getArray()
        if dataset == "raw":
            yield focalplane.piece(ccd, focalplane.trimmed(pixels, ccd), None, n_bin)
        else:
            mask = exposure.getMaskedImage().getMask().getArray() if is_masked else None
            yield focalplane.piece(ccd, pixels, mask, n_bin)
        n_shown += 1
    if first is not None and not n_shown:
        raise first
    if n_shown < len(frames):
        logger.info("display: %d of %d CCDs have no %s", len(frames) - n_shown, len(frames), dataset)


def sources(butler: Butler, dataset: str, ids: dict[str, Any], snr_min: float) -> tuple[npt.NDArray[Any], ...]:
    """x, y, moments xx, xy, yy [pix] and whether extended, of sources with a PSF flux of at least snr_min sigma."""
    table = butler.get("calibrated_src" if dataset == "calibrated_exp" else "src", ids)
    with np.errstate(invalid="ignore", divide="ignore"):
        is_bright = table.getPsfFlux() / table.getPsfFluxErr() >= snr_min
    is_bright &= table.get("deblend_nChild") == 0  # what was taken apart is shown by its parts
    names = ("base_SdssCentroid_x", "base_SdssCentroid_y", "base_SdssShape_xx", "base_SdssShape_xy",
             "base_SdssShape_yy")  # fmt: skip
    columns = [table.get(name)[is_bright] for name in names]
    return (*columns, table.get("base_ClassificationExtendedness_value")[is_bright] > 0.5)


def _marks(
    butler: Butler, dataset: str, ids: dict[str, Any], snr_min: float, sky: focalplane.Sky, one: focalplane.Mosaic
) -> list[symbols.Ellipse]:
    x, y, _, _, _, is_extended = sources(butler, dataset, ids, snr_min)
    west, north = sky.of_pixels(sky.camera.ccds[int(ids["ccd"])], x, y)
    columns, rows = (west - one.west) / one.step_arcsec, (north - one.north) / one.step_arcsec
    return [
        symbols.Ellipse(float(column), float(row), _MARK_PIX, _MARK_PIX, 0.0, _EXTENDED if extended else _POINT)
        for column, row, extended in zip(columns, rows, is_extended, strict=True)
        if np.isfinite(column) and np.isfinite(row)
    ]


def _on_axes(mark: symbols.Ellipse, one: focalplane.Mosaic) -> symbols.Ellipse:
    """A circle in the mosaic's pixels as one on the picture's axes [arcmin]."""
    x, y = -(one.west + mark.x * one.step_arcsec) / 60, (one.north + mark.y * one.step_arcsec) / 60
    radius = mark.a * one.step_arcsec / 60
    return symbols.Ellipse(x, y, radius, radius, 0.0, mark.color)
