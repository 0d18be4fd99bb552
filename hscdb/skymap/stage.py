"""skymap: divide the sky into tracts and patches, and link the calibrated frames to them.

`discrete` (the default) makes one tract around all frames of the run, or those of --id; `rings` finds the tracts of a
fixed map of the whole sky on which they lie. A discrete map belongs to its run and is made anew when frames have come.
"""

import json
import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import ConfigError, DataError
from hscdb.run.stage import Funnel, Work, stage
from hscdb.sky.hull import bounding_circle
from hscdb.sky.rings import Rings
from hscdb.sky.tract import PATCH, Layout, Tract
from hscdb.skymap.stage_config import Config

logger = logging.getLogger(__name__)

read_frames = query("skymap/read_frames")
find_run = query("skymap/find_run")
find_skymap = query("skymap/find_skymap")
insert_skymap = query("skymap/insert_skymap")
delete_skymap = query("skymap/delete_skymap")
insert_tract = query("skymap/insert_tract")

_LINK = np.dtype(
    [("run_id", "i8"), ("task_id", "i8"), ("skymap", "O"), ("tract", "i4"), ("visit", "i8"), ("ccd", "i4")]
)


@stage(
    "skymap",
    per="repository",
    config=Config,
    reads=("wcs_solution",),
    writes=("frame_tract", "frame_patch"),
    needs=("calibrate",),
)
def run(work: Work, config: Config) -> Funnel:
    """Define tracts around the calibrated frames and link the frames to tracts and patches."""
    kind = str(work.options.get("kind") or "discrete")
    if kind not in ("discrete", "rings"):
        raise ConfigError(f"skymap: no kind '{kind}'. Write `hscdb skymap discrete` or `rings`.", code="bad_kind")
    ids = json.loads(str(work.options["ids"])) if "ids" in work.options else None
    frames = read_frames(work.connection, run_id=work.run_id, ids=ids)
    chosen = frames["is_selected"]
    logger.info("Extracting bounding boxes of %d images", int(chosen.sum()))
    if not chosen.any():
        raise DataError(
            "skymap: No data found from which to compute convex hull. Run calibrate first"
            + (", or give another --id." if len(frames) else "."),
            code="no_frames",
        )
    ra, dec = (np.array([list(corner) for corner in frames[name]]) for name in ("corner_ra", "corner_dec"))
    scale = work.camera.pixel_scale_arcsec if config.pixel_scale_arcsec is None else config.pixel_scale_arcsec
    if kind == "discrete":
        layout = Layout(scale, config.patch_inner_pix, config.patch_border_pix, config.tract_overlap_deg)
        name = f"discrete_{find_run.one(work.connection, run_id=work.run_id)['name']}"
        tracts = [_discrete(ra[chosen], dec[chosen], layout, config.border_deg)]
        delete_skymap(work.connection, skymap=name)
        insert_skymap(
            work.connection, skymap=name, kind=kind, version=1, n_ring=None, ra_start_deg=None, **asdict(layout)
        )
    else:
        layout = Layout(scale, config.patch_inner_pix, config.patch_border_pix, config.rings_overlap_deg)
        rings = Rings(config.n_ring, config.ra_start_deg, config.rings_version, layout)
        name = config.rings_name
        _enter_rings(work, name, rings)
        tracts = [rings.tract(number) for number in rings.near(ra, dec)]
    return {"n_frame": len(frames), **_link(work, name, tracts, frames, ra, dec)}


def _discrete(ra: NDArray[np.float64], dec: NDArray[np.float64], layout: Layout, border_deg: float) -> Tract:
    """The tract around all corners."""
    logger.info("Computing spherical convex hull")
    center_ra, center_dec, radius_deg = bounding_circle(ra, dec)
    return Tract.around(0, center_ra, center_dec, radius_deg + border_deg, layout)


def _enter_rings(work: Work, name: str, rings: Rings) -> None:
    """Store the rings map, or see that the stored one of its name is the same. ConfigError `other_skymap` if not."""
    wanted: dict[str, Any] = {
        "kind": "rings",
        "version": rings.version,
        "n_ring": rings.n_ring,
        "ra_start_deg": rings.ra_start_deg,
        **asdict(rings.layout),
    }
    insert_skymap(work.connection, skymap=name, **wanted)
    stored = find_skymap.one(work.connection, skymap=name)
    other = [f"{key} {stored[key]} (now {entry})" for key, entry in wanted.items() if stored[key] != entry]
    if other:
        raise ConfigError(
            f"skymap {name}: was made with {', '.join(other)}. Give the new one a name: skymap.rings_name=...",
            code="other_skymap",
        )


def _link(
    work: Work,
    name: str,
    tracts: list[Tract],
    frames: NDArray[Any],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
) -> Funnel:
    """Store the tracts that hold a corner, and the links of frames to them. ra, dec : (n_frame, 4) corners."""
    counts = {"n_tract": 0, "n_patch": 0, "n_frame_tract": 0, "n_frame_patch": 0}
    for tract in tracts:
        is_inside = np.any(tract.contains(ra, dec), axis=1)
        if not is_inside.any():
            continue
        _tell(tract)
        if _enter_tract(work, name, tract):
            copy.write(work.connection, "patch", _patch_rows(name, tract))
        # As in hscPipe, a visit with a corner in the tract takes part in its joint solution with all its frames.
        (member,) = np.nonzero(np.isin(frames["visit"], frames["visit"][is_inside]))
        links = np.zeros(len(member), [*_LINK.descr, ("is_corner_inside", "?")])
        _fill(links, work, name, tract, frames[member])
        links["is_corner_inside"] = is_inside[member]
        frame, patch = tract.touching(ra, dec)
        touches = np.zeros(len(frame), [*_LINK.descr, ("patch_x", "i4"), ("patch_y", "i4")])
        _fill(touches, work, name, tract, frames[frame])
        touches["patch_x"], touches["patch_y"] = patch % tract.n_patch_x, patch // tract.n_patch_x
        counts["n_tract"] += 1
        counts["n_patch"] += tract.n_patch_x * tract.n_patch_y
        counts["n_frame_tract"] += copy.write(work.connection, "frame_tract", links)
        counts["n_frame_patch"] += copy.write(work.connection, "frame_patch", touches)
    return counts


def _tell(tract: Tract) -> None:
    """hscPipe's line on a tract."""
    corners = ", ".join(f"({ra:.3f}, {dec:.3f})" for ra, dec in zip(*tract.corners(), strict=True))
    logger.info(
        "tract %d has corners %s (RA, Dec deg) and %d x %d patches",
        tract.tract,
        corners,
        tract.n_patch_x,
        tract.n_patch_y,
    )


def _enter_tract(work: Work, name: str, tract: Tract) -> bool:
    """Store a tract; False if it was there (another run of a rings map made it)."""
    corner_ra, corner_dec = tract.corners()
    return bool(
        insert_tract(
            work.connection,
            skymap=name,
            tract=tract.tract,
            ra=tract.ra,
            dec=tract.dec,
            radius_deg=tract.radius_deg,
            crpix1_pix=tract.crpix[0],
            crpix2_pix=tract.crpix[1],
            pixel_scale_arcsec=tract.layout.pixel_scale_arcsec,
            n_patch_x=tract.n_patch_x,
            n_patch_y=tract.n_patch_y,
            width_pix=tract.width,
            height_pix=tract.height,
            corner_ra=corner_ra,
            corner_dec=corner_dec,
        )
    )


def _patch_rows(name: str, tract: Tract) -> NDArray[np.void]:
    """The patches of a tract as rows of `patch`, with the sky corners of their outer boxes."""
    patch = tract.patches()
    x0, x1, y0, y1 = (patch[f"outer_{end}_pix"] for end in ("x0", "x1", "y0", "y1"))
    ra, dec = tract.wcs.pixel_to_sky(
        np.stack([x0 - 0.5, x1 + 0.5, x1 + 0.5, x0 - 0.5], axis=1),
        np.stack([y0 - 0.5, y0 - 0.5, y1 + 0.5, y1 + 0.5], axis=1),
    )
    rows = np.zeros(
        len(patch), [("skymap", "O"), ("tract", "i4"), *PATCH.descr, ("corner_ra", "O"), ("corner_dec", "O")]
    )
    rows["skymap"], rows["tract"] = name, tract.tract
    for field in PATCH.names or ():
        rows[field] = patch[field]
    rows["corner_ra"], rows["corner_dec"] = _lists(ra), _lists(dec)
    return rows


def _lists(table: NDArray[np.float64]) -> NDArray[np.object_]:
    """The rows of a table as a column of lists."""
    column = np.empty(len(table), object)
    column[:] = [row.tolist() for row in table]
    return column


def _fill(links: NDArray[np.void], work: Work, name: str, tract: Tract, frames: NDArray[Any]) -> None:
    """Fill the fields that links to tracts and to patches have in common."""
    links["run_id"], links["task_id"], links["skymap"], links["tract"] = work.run_id, work.task_id, name, tract.tract
    links["visit"], links["ccd"] = frames["visit"], frames["ccd"]
