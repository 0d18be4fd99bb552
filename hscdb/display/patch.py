"""A patch of a tract: the calibrated frames that touch it, brought onto its grid and averaged to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hscdb.butler import Box2I, Butler, NoResults
from hscdb.butler.image import Image, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.display import content, picture, style, symbols
from hscdb.display.visit import Looks, View, sources
from hscdb.errors import ConfigError, InputError
from hscdb.run.log import logger
from hscdb.run.select import Selection

if TYPE_CHECKING:
    from hscdb.butler.exposure import Exposure
    from hscdb.butler.skymap import PatchInfo
    from hscdb.butler.wcs import SkyWcs

_N_SIGMA = 3.0  # half axes of a source's ellipse in units of its moments
_SAME_PIX = 6.0  # detections of several frames this near (1") are drawn once
_MARK_PIX = 12.0  # arms of the cross on a star that was matched


@dataclass(frozen=True)
class Chosen:
    """A patch in one filter, with the (visit, ccd) of the frames that touch it."""

    patch: PatchInfo
    filter: str
    frames: list[tuple[int, int]]

    @property
    def word(self) -> str:
        """The patch as hscPipe writes it: "1,2"."""
        return "{},{}".format(*self.patch.getIndex())

    @property
    def names(self) -> dict[str, str]:
        """Words that tell its file's name from others."""
        return {"tract": str(self.patch.tract.getId()), "patch": self.word, "filter": self.filter}


def chosen(butler: Butler, selection: Selection, known: dict[str, Any]) -> list[Chosen]:
    """What a selection with patches means, filter by filter. known: visits and ccds that --where holds for, or None.

    ConfigError `bad_patch`, `no_frame`; NoResults `no_skymap`.
    """
    sky = butler.get("deepCoadd_skyMap")
    found = []
    for one in selection.ids:
        rest = {key: entry for key, entry in one.items() if key not in ("tract", "patch")}
        for tract, word in product(_tracts(one, sky), one.get("patch", ())):
            patch = _patch(sky, tract, word)
            rows = _ask(
                butler, "read_patch_frames", skymap=patch.tract.skymap, tract=tract, patch_x=patch.getIndex()[0],
                patch_y=patch.getIndex()[1], ids=[rest], **known,
            )  # fmt: skip
            for name in np.unique(rows["filter"].astype(str)).tolist():
                mine = rows[rows["filter"] == name]
                frames = list(zip(mine["visit"].tolist(), mine["ccd"].tolist(), strict=True))
                found.append(Chosen(patch, name, frames))
    if not found:
        raise ConfigError(
            f"display: no frame for {selection.describe()}. Patches with frames: {_filled(butler, sky)}.", "no_frame"
        )
    return found


def _ask(butler: Butler, name: str, **params: Any) -> Any:
    """Rows of a statement of sql/display about the run."""
    run_id = butler.registry.run_id("a patch")
    with transaction(butler.repository.engine) as connection:
        return query(f"display/{name}")(connection, run_id=run_id, **params)


def _tracts(one: dict[str, Any], sky: Any) -> list[int]:
    if "patch" not in one:
        raise ConfigError("display: one --id has a patch, another has none. Give each one.", code="bad_patch")
    there = sorted(each.getId() for each in sky)
    if "tract" not in one:
        if len(there) == 1:
            return there
        raise ConfigError(f"display: a patch of which tract? Add tract=N, of {there[:12]}.", code="bad_patch")
    return [tract for tract in there if any(a <= tract <= b and (tract - a) % n == 0 for a, b, n in one["tract"])]


def _patch(sky: Any, tract: int, word: str) -> PatchInfo:
    parts = word.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(
            f"display: patch={word}: not of the form COLUMN,ROW. Write e.g. patch=1,2 or patch=1,2^1,3.", "bad_patch"
        )
    try:
        found: PatchInfo = sky[tract].getPatchInfo((int(parts[0]), int(parts[1])))
    except InputError:
        n_x, n_y = sky[tract].getNumPatches()
        raise ConfigError(
            f"display: tract {tract} has no patch {word}: it has {n_x} x {n_y}, from 0,0 to {n_x - 1},{n_y - 1}.",
            code="bad_patch",
        ) from None
    return found


def _filled(butler: Butler, sky: Any) -> str:
    """The patches that have frames, as many as fit a message."""
    name = next(iter(sky)).skymap
    rows = _ask(butler, "read_filled_patches", skymap=name)
    said = [f"tract={row['tract']} patch={row['patch_x']},{row['patch_y']} ({row['n_frame']})" for row in rows[:12]]
    return "; ".join(said) + ("; ..." if len(rows) > 12 else "") if said else "none"


def of_patch(butler: Butler, one: Chosen, dataset: str | None, looks: Looks, how: style.Style) -> View:
    """The mean of the frames on a patch with its border [nJy per pixel], north up, east left. NoResults without any.

    dataset : None takes CALEXP of each frame that has one and calexp of the others.
    """
    from hscdb.display.gather import Grid

    tract, box = one.patch.tract, one.patch.getOuterBBox()
    wcs = tract.getWcs()
    grid = Grid(wcs.ours, box.x0, box.y0, box.width, box.height)
    drawn: list[symbols.Shape] = []
    places: list[npt.NDArray[np.float64]] = []
    used: dict[str, int] = {}
    for name, ids, exposure in _exposures(butler, one, dataset):
        its, calib = exposure.getWcs(), exposure.getPhotoCalib()
        if its is None or calib is None:
            logger.warning("display: %s visit=%d ccd=%d has no WCS or zero point and is left out", name, *ids.values())
            continue
        masked = exposure.getMaskedImage()
        mask = masked.mask.array
        if grid.add(masked.image.array, mask, its.ours, calib.getCalibrationMean()):
            used[name] = used.get(name, 0) + 1
            if looks.snr_min is not None:
                drawn += _ellipses(sources(butler, name, ids, looks.snr_min), its, wcs, box, places)
    if not used:
        raise NoResults(
            f"display: none of the {len(one.frames)} frames on patch {one.word} of tract {tract.getId()} in "
            f"{one.filter} has a calibrated image. Run calibrate, or apply.",
            code="no_frame",
        )
    if looks.snr_min is not None:
        drawn += _stars(butler, one, wcs, box)
    made = ", ".join(f"{n} {'CALEXP' if name == 'calibrated_exp' else name}" for name, n in sorted(used.items()))
    title = f"tract {tract.getId()} patch {one.word} {one.filter}: mean of {made} (a picture, no coadd)"
    return _view(grid, wcs, box, title, drawn, looks, how)


def _view(
    grid: Any, wcs: SkyWcs, box: Box2I, title: str, drawn: list[symbols.Shape], looks: Looks, how: style.Style
) -> View:
    pixels, xy0 = grid.mean(), (box.x0, box.y0)
    mask = grid.words if looks.is_masked else None
    seen = picture.of_image(
        pixels, mask, how, title=title, xy0=xy0, n_bin=looks.n_bin, scale=looks.scale, stretch=looks.stretch
    )
    seen.axes = ("x [pix of the tract], east to the left", "y [pix of the tract], north up")
    seen.shapes.extend(symbols.moved(each, *xy0) for each in drawn)
    image = Image(pixels, xy0=xy0)
    shown = content.of(image if mask is None else MaskedImage(image, Mask(mask, xy0=xy0)), title, wcs)
    return View(shown, drawn, seen)


def _exposures(butler: Butler, one: Chosen, dataset: str | None) -> Iterator[tuple[str, dict[str, int], Exposure]]:
    """(dataset, dataId, Exposure) of the frames that have one."""
    n_absent = 0
    for visit, ccd in one.frames:
        ids = {"visit": visit, "ccd": ccd}
        for name in [dataset] if dataset else ["calibrated_exp", "calexp"]:
            more = {"tract": one.patch.tract.getId()} if name == "calibrated_exp" else {}
            try:
                found = butler.get(name, ids | more)
            except NoResults:
                continue
            yield name, ids | more, found
            break
        else:
            n_absent += 1
    if n_absent:
        logger.info("display: %d of %d frames have no %s", n_absent, len(one.frames), dataset or "calexp")


def _ellipses(
    found: tuple[npt.NDArray[Any], ...], its: SkyWcs, wcs: SkyWcs, box: Box2I, places: list[npt.NDArray[np.float64]]
) -> list[symbols.Shape]:
    """Ellipses of a frame's sources in pixels of the box; `places` keeps those that were drawn, which are left out."""
    from scipy.spatial import KDTree

    x, y, xx, xy, yy, is_extended = found
    at = np.stack(wcs.ours.sky_to_pixel(*its.ours.pixel_to_sky(x, y)), axis=1) - (box.x0, box.y0)
    is_in = np.all((at > -0.5) & (at < (box.width - 0.5, box.height - 0.5)), axis=1)  # NaN is in no box
    if places and is_in.any():
        near, _ = KDTree(np.concatenate(places)).query(np.where(is_in[:, None], at, 0.0))
        is_in &= near > _SAME_PIX
    if not is_in.any():
        return []
    places.append(at[is_in])
    # moments turn with the map from the frame's pixels to the patch's, which is the same all over a CCD to a per cent
    middle = np.array([np.mean(x[is_in]), np.mean(y[is_in])])
    ends = middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    there = np.stack(wcs.ours.sky_to_pixel(*its.ours.pixel_to_sky(*ends.T)), axis=1)
    turn = (there[1:] - there[0]).T
    moments = np.moveaxis(np.array([[xx, xy], [xy, yy]]), 2, 0)[is_in]
    turned = _N_SIGMA**2 * turn @ moments @ turn.T
    colors = np.where(is_extended[is_in], style.CYAN, style.YELLOW)
    drawn: list[symbols.Shape] = []
    for (column, row), m, color in zip(at[is_in].tolist(), turned, colors.tolist(), strict=True):
        drawn += symbols.shapes(f"@:{m[0, 0]},{m[0, 1]},{m[1, 1]}", column, row, 0.0, color)
    return drawn


def _stars(butler: Butler, one: Chosen, wcs: SkyWcs, box: Box2I) -> list[symbols.Shape]:
    """Crosses on the stars that the joint solution knows, in pixels of the box."""
    x0, y0, x1, y1 = box.x0 - 0.5, box.y0 - 0.5, box.x0 + box.width - 0.5, box.y0 + box.height - 0.5
    ra, dec = wcs.ours.pixel_to_sky(*_edge(x0, y0, x1, y1))
    middle = float(wcs.ours.pixel_to_sky((x0 + x1) / 2, (y0 + y1) / 2)[0])
    along = (ra - middle + 180.0) % 360.0 - 180.0
    rows = _ask(
        butler, "read_patch_stars", tract=one.patch.tract.getId(), filter=one.filter,
        ra0=(middle + along.min()) % 360.0, ra1=(middle + along.max()) % 360.0, dec0=dec.min(), dec1=dec.max(),
    )  # fmt: skip
    x, y = wcs.ours.sky_to_pixel(rows["ra"], rows["dec"])
    is_in = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    drawn: list[symbols.Shape] = []
    for column, row in zip((x - box.x0)[is_in].tolist(), (y - box.y0)[is_in].tolist(), strict=True):
        drawn += symbols.shapes("+", column, row, _MARK_PIX, style.GREEN)
    return drawn


def _edge(x0: float, y0: float, x1: float, y1: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points along the edge of a box."""
    x, y = np.linspace(x0, x1, 9), np.linspace(y0, y1, 9)
    left, right, bottom, top = (np.full(9, each) for each in (x0, x1, y0, y1))
    return np.concatenate([x, x, left, right]), np.concatenate([bottom, top, y, y])
