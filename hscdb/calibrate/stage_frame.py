"""What calibrate must know of a frame: sources, first WCS, reference stars; other first WCS, where that one fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hscdb.calibrate import blind, bright, references, selection
from hscdb.calibrate.rows import AB_NJY_MAG0
from hscdb.camera.focalplane import initial_wcs
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.run.log import logger
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

if TYPE_CHECKING:
    from hscdb.calibrate.astrometry import Detections
    from hscdb.calibrate.stage_config import Config
    from hscdb.run.stage import Work

find_frame = query("calibrate/find_frame")
read_sources = query("calibrate/read_sources")
read_ref_catalogs = query("calibrate/read_ref_catalogs")
read_ref_stars = query("calibrate/read_ref_stars")
read_neighbors = query("calibrate/read_neighbors")

Rows = npt.NDArray[np.void]

_N_NEIGHBOR = 4  # CCDs nearest in the focal plane whose solutions are looked at
_N_BRIGHT_MAX = 20_000


@dataclass(frozen=True)
class Frame:
    """What is known of the frame before it is calibrated. circle: ra, dec, radius_deg of the stars."""

    facts: Any
    sources: Rows
    catalogs: references.Catalogs
    stars: Rows
    start: Wcs
    size: tuple[int, int]
    circle: dict[str, float]

    @property
    def boresight(self) -> tuple[float, float]:
        """(ra, dec) of the header's pointing [deg]."""
        return float(self.facts["ra"]), float(self.facts["dec"])


def gather(work: Work, config: Config, ids: dict[str, int]) -> Frame:
    """Sources, first WCS and reference stars. InputError `no_pointing`."""
    facts = find_frame.one(work.connection, visit=ids["visit"])
    if facts is None or not np.isfinite([facts["ra"], facts["dec"]]).all():
        raise InputError(
            f"visit={ids['visit']}: no pointing is known. Ingest it again with RA and DEC in the camera's keyword map.",
            code="no_pointing",
        )
    sources = work.carry.get("sources")
    if sources is None:
        sources = read_sources(work.connection, run_id=work.run_id, visit=ids["visit"], ccd=ids["ccd"])
    ccd = work.camera.ccds[ids["ccd"]]
    catalogs = references.choose(
        read_ref_catalogs(work.connection),
        work.camera,
        str(facts["filter"]),
        config.astrometry_catalog,
        config.photometry_catalog,
        config.color_term_set,
    )
    start = initial_wcs(work.camera, ccd, float(facts["ra"]), float(facts["dec"]), float(facts["rotator_deg"]))
    none: Rows = np.zeros(0, [("ref_id", "i8")])
    frame = Frame(facts, selection.as_stored(sources), catalogs, none, start, (ccd.width, ccd.height), {})
    return around(work, config, frame, start, config.max_shift_pix + field_shift(work, config, ids["ccd"]))


def around(work: Work, config: Config, frame: Frame, start: Wcs, margin_pix: float) -> Frame:
    """The frame with another first WCS, and the reference stars around it."""
    width, height = frame.size
    ra, dec = (float(each) for each in start.pixel_to_sky((width - 1) / 2.0, (height - 1) / 2.0))
    reach = float(np.max(sphere.separation(ra, dec, *start.corners(width, height))))
    scale = float(np.sqrt(start.plane_area(*start.crpix)))
    circle = {"ra": ra, "dec": dec, "radius_deg": reach + max(config.margin_pix, margin_pix) * scale}
    stars = read_ref_stars(
        work.connection, ref_catalog_ids=frame.catalogs.ids, reserved_fraction=config.reserved_fraction,
        flux_min_njy=None, n_max=None, **circle,
    )  # fmt: skip
    stars = stars[np.lexsort((stars["ref_id"], stars["ref_catalog_id"]))]
    return replace(frame, start=start, stars=stars, circle=circle)


def field_shift(work: Work, config: Config, ccd: int) -> float:
    """How far the largest error of the rotation, about the boresight, moves the middle of a ccd [pix]."""
    return float(
        np.hypot(work.camera.ccds[ccd].u_pix, work.camera.ccds[ccd].v_pix) * np.radians(config.max_rotation_deg)
    )


def others(work: Work, config: Config, frame: Frame, ids: dict[str, int], found: Detections) -> Iterator[Frame]:
    """The frame with other first WCS: what was found for the CCDs around it, then what its stars alone say."""
    for who in ("the ccds around", "the stars"):
        guess = None
        if who == "the ccds around" and config.do_neighbors:
            guess = _of_neighbors(work, frame, ids)
        if who == "the stars" and config.blind_radius_deg > 0.0:
            guess = _of_stars(work, config, frame, found)
        if guess is None:
            continue
        start = blind.moved(frame.start, frame.boresight, guess.matrix, guess.shift)
        logger.info(
            "the first WCS is that of %s: moved by %.4f deg, turned by %.2f deg%s", who,
            float(sphere.separation(*frame.start.crval, *start.crval)),
            float(np.degrees(np.arctan2(guess.matrix[1, 0], guess.matrix[0, 0]))),
            ", mirrored" if np.linalg.det(guess.matrix) < 0 else "",
        )  # fmt: skip
        yield around(work, config, frame, start, config.max_shift_pix)


def _of_neighbors(work: Work, frame: Frame, ids: dict[str, int]) -> blind.Guess | None:
    """From the nearest CCDs of the visit that are solved."""
    rows = read_neighbors(work.connection, run_id=work.run_id, visit=ids["visit"], ccd=ids["ccd"])
    own = work.camera.ccds[ids["ccd"]]
    near = sorted(
        (row for row in rows if int(row["ccd"]) in work.camera.ccds),
        key=lambda row: np.hypot(
            work.camera.ccds[int(row["ccd"])].u_pix - own.u_pix, work.camera.ccds[int(row["ccd"])].v_pix - own.v_pix
        ),
    )
    pairs = []
    for row in near[:_N_NEIGHBOR]:
        ccd = work.camera.ccds[int(row["ccd"])]
        solved = Wcs.from_flat(
            (row["crval1_deg"], row["crval2_deg"]), (row["crpix1_pix"], row["crpix2_pix"]),
            [row[name] for name in ("cd1_1_deg", "cd1_2_deg", "cd2_1_deg", "cd2_2_deg")],
            int(row["sip_order"]), row["sip_a"], row["sip_b"],
        )  # fmt: skip
        pairs.append((initial_wcs(work.camera, ccd, *frame.boresight, float(frame.facts["rotator_deg"])), solved))
    return blind.carry_over(pairs, frame.size, frame.boresight)


def _of_stars(work: Work, config: Config, frame: Frame, found: Detections) -> blind.Guess | None:
    """From the frame's own sources, for any rotation about the boresight and either parity."""
    scale = float(np.sqrt(frame.start.plane_area(*frame.start.crpix)))
    here = np.stack(sphere.project(*frame.start.pixel_to_sky(found.x, found.y), *frame.boresight), axis=1) / scale
    radius = config.blind_radius_deg + scale * float(np.hypot(*here.T).max(initial=0.0))
    stars = read_ref_stars(
        work.connection, ref_catalog_ids=[int(frame.catalogs.astrometry["ref_catalog_id"])], ra=frame.boresight[0],
        dec=frame.boresight[1], radius_deg=radius, reserved_fraction=0.0, flux_min_njy=0.0, n_max=_N_BRIGHT_MAX,
    )  # fmt: skip
    places = references.places(stars, float(frame.facts["obs_mjd"]))
    there = np.stack(sphere.project(places.ra, places.dec, *frame.boresight), axis=1) / scale
    guess = blind.find(
        here, found.flux, there, stars["flux_njy"], frame_area=float(frame.size[0] * frame.size[1]),
        max_shift_pix=config.blind_radius_deg / scale, max_scale=config.max_scale, tolerance_pix=config.tolerance_pix,
        n_pair_min=config.n_star_min,
    )  # fmt: skip
    return None if guess is None else replace(guess, shift=guess.shift * scale)


def bright_mask(work: Work, config: Config, frame: Frame, wcs: Wcs) -> npt.NDArray[np.bool_]:
    """(ny, nx): pixels in the mask of a reference star of at most bright_mag_max, on the frame or beside it."""
    width, height = frame.size
    if not np.isfinite(config.bright_mag_max) or not config.do_bright_object:
        return np.zeros((height, width), np.bool_)
    ra, dec = (float(each) for each in wcs.pixel_to_sky((width - 1) / 2.0, (height - 1) / 2.0))
    reach = float(np.max(sphere.separation(ra, dec, *wcs.corners(width, height))))
    stars = read_ref_stars(
        work.connection, ref_catalog_ids=[int(frame.catalogs.astrometry["ref_catalog_id"])], ra=ra, dec=dec,
        radius_deg=reach + config.bright_reach_arcsec / 3600.0, reserved_fraction=0.0,
        flux_min_njy=AB_NJY_MAG0 * 10.0 ** (-0.4 * config.bright_mag_max), n_max=None,
    )  # fmt: skip
    places = references.places(stars, float(frame.facts["obs_mjd"]))
    radius = bright.radius_arcsec(-2.5 * np.log10(stars["flux_njy"] / AB_NJY_MAG0))
    near = sphere.separation(ra, dec, places.ra, places.dec) * 3600.0 <= reach * 3600.0 + radius
    x, y = wcs.sky_to_pixel(places.ra[near], places.dec[near])
    scale = float(np.sqrt(wcs.plane_area(*wcs.crpix))) * 3600.0
    return bright.plane(x, y, radius[near] / scale, (height, width))
