"""calibrate: sources + reference stars -> the first WCS and zero point of a frame; source_sky."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.calibrate import astrometry, bright, photometry, references, rows, selection, stage_frame
from hscdb.calibrate.reference import fitted
from hscdb.calibrate.stage_config import Config
from hscdb.calibrate.stage_frame import Frame
from hscdb.camera.model import MAG_1S_GUESS
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import DataError
from hscdb.fits import bit, column, product
from hscdb.fits.header import wcs_cards
from hscdb.image.flags import BIT, SKY_FLAGS, word
from hscdb.run.product import MissingProductError
from hscdb.run.stage import Funnel, Work, stage
from hscdb.sky.wcs import Wcs

read_ref_fluxes = query("calibrate/read_ref_fluxes")

Rows = npt.NDArray[np.void]


@stage(
    "calibrate",
    per="frame",
    needs=("detect",),
    reads=("source", "ref_star", "ref_flux", "visit"),
    writes=("wcs_solution", "flux_scale", "source_sky", "source_ref"),
    config=Config,
)
def run(work: Work, config: Config) -> Funnel:
    """Find the WCS of a frame by pattern matching to a reference catalog, and its zero point with color terms."""
    ids = {
        "run_id": work.run_id,
        "task_id": work.task_id,
        "visit": int(work.unit["visit"]),
        "ccd": int(work.unit["ccd"]),
    }
    used: dict[str, npt.NDArray[np.int64]] = {}
    frame, solution, funnel = _astrometry(work, config, stage_frame.gather(work, config, ids), ids, used)
    zero_point, status, matched = _photometry(work, config, frame, solution.wcs, ids, funnel, used)
    copy.write(work.connection, "wcs_solution", rows.wcs_solution(ids, solution, frame.size))
    copy.write(work.connection, "flux_scale", rows.flux_scale(ids, zero_point, status, frame.catalogs.term.c1))
    mask = stage_frame.bright_mask(work, config, frame, solution.wcs)
    flags = bright.source_flags(mask, frame.sources["x_pix"], frame.sources["y_pix"])
    n_bright = int((flags != 0).sum())
    for name, source_ids in used.items():
        flags[np.isin(frame.sources["source_id"], source_ids)] |= word(name)
    sky = rows.source_sky(ids, frame.sources, solution.wcs, zero_point.flux_mag0, flags)
    copy.write(work.connection, "source_sky", sky)
    if matched is not None:
        copy.write(work.connection, "source_ref", matched)
    _update_files(work, frame, solution, zero_point, sky, mask)
    work.carry["wcs"] = solution.wcs
    return funnel | {"n_source_sky": len(sky), "n_source_bright_object": n_bright}


def _astrometry(
    work: Work, config: Config, frame: Frame, ids: dict[str, int], used: dict[str, npt.NDArray[np.int64]]
) -> tuple[Frame, astrometry.Solution, Funnel]:
    """Fit the WCS; where the pattern is not found at the pointing, from other first WCS. With the frame it began at.

    used : gets the source_id of what was used by the name of the flag for it.
    """
    some = selection.bright(frame.sources, config.snr_min, config.n_bright_min)
    found = selection.detections(some)
    limits = astrometry.Limits(
        max_shift_pix=config.max_shift_pix,
        field_shift_pix=stage_frame.field_shift(work, config, ids["ccd"]),
        max_rotation_deg=config.max_rotation_deg,
        max_scale=config.max_scale,
        tolerance_pix=config.tolerance_pix,
        order=config.order,
        n_sigma=config.n_sigma,
        n_iteration=config.n_iteration,
        n_star_min=config.n_star_min,
        floor_mas=config.floor_mas,
    )
    n_guess = 0
    try:
        solution, stars = _solved(frame, found, limits)
    except DataError:
        if len(some) < config.n_star_min:
            raise
        for other in stage_frame.others(work, config, frame, ids, found):
            n_guess += 1
            try:
                solution, stars = _solved(other, found, limits)
            except DataError:
                continue
            frame = other
            break
        else:
            raise
    matched = rows.source_ref(
        ids,
        some["source_id"][solution.source],
        int(frame.catalogs.astrometry["ref_catalog_id"]),
        stars["ref_id"][solution.ref],
        np.hypot(solution.dx_mas, solution.dy_mas) / 1e3,
        solution.is_used,
    )
    copy.write(work.connection, "source_ref", matched)
    used["astrometry_used"] = matched["source_id"][solution.is_used]
    return frame, solution, {
        "n_source": len(frame.sources),
        "n_source_bright": len(some),
        "n_ref": len(stars),
        "n_guess": n_guess,
        "n_pair": len(matched),
        "n_pair_used": int(solution.is_used.sum()),
        "n_order": solution.order,
    }


def _solved(
    frame: Frame, found: astrometry.Detections, limits: astrometry.Limits
) -> tuple[astrometry.Solution, Rows]:
    """The WCS, and the reference stars it was fitted to."""
    stars = frame.stars[frame.stars["ref_catalog_id"] == int(frame.catalogs.astrometry["ref_catalog_id"])]
    if not len(stars):
        raise DataError(
            f"astrometry: catalog {frame.catalogs.astrometry['name']} has no star within "
            f"{frame.circle['radius_deg']:.3f} deg of RA {frame.circle['ra']:.4f}, Dec {frame.circle['dec']:.4f}, "
            "where the frame should lie by its header. Enter the part that covers it (`hscdb ingest-refcat`, the same "
            "name), or check RA and DEC of the header.",
            code="no_reference_stars",
        )
    there = references.places(stars, float(frame.facts["obs_mjd"]))
    return astrometry.solve(found, there, stars["flux_njy"], frame.start, frame.size, limits), stars


def _photometry(
    work: Work, config: Config, frame: Frame, wcs: Wcs, ids: dict[str, int], funnel: Funnel,
    used: dict[str, npt.NDArray[np.int64]],
) -> tuple[photometry.ZeroPoint, str, Rows | None]:  # fmt: skip
    """Zero point, its status, and the rows of source_ref if the catalog is not that of the astrometry.

    used : gets the source_id of what was used and kept aside by the names of the flags for that.
    """
    catalog = int(frame.catalogs.photometry["ref_catalog_id"])
    stars = frame.stars[frame.stars["ref_catalog_id"] == catalog]
    fluxes = references.fluxes(
        read_ref_fluxes(work.connection, ref_catalog_id=catalog, **frame.circle),
        stars["ref_id"],
        {*frame.catalogs.photometry["bands"], frame.catalogs.term.primary_band, frame.catalogs.term.secondary_band},
    )
    is_point = ~(frame.sources["extendedness"] >= config.extendedness_max)
    some = frame.sources[is_point & selection.usable(frame.sources, selection.PHOTOMETRY_BAD)]
    there = references.places(stars, float(frame.facts["obs_mjd"]))
    i, j, apart = selection.pair(some, there, wcs, config.photometry_radius_pix)
    mag, error = photometry.apply_term(fluxes, frame.catalogs.term)
    kept = photometry.passes(fluxes, config.reference_cuts, len(stars))[j] & np.isfinite(mag[j])
    # A field without blue stars is better off with red ones than without a zero point.
    fit = kept if kept.sum() >= config.n_photometry_min else np.isfinite(mag[j])
    chosen = fit.copy()
    chosen[chosen] = fitted(stars["is_reserved"][j][chosen], 2 * config.n_photometry_min)
    funnel |= {"n_photometry_pair": len(i), "n_photometry_cut": int(chosen.sum())}
    used["photometry_reserved"] = some["source_id"][i[fit & ~chosen]]
    try:
        zero_point = photometry.solve(
            np.where(chosen, mag[j], np.nan),
            error[j],
            some["aper_12_0_flux_e"][i].astype(np.float64),
            some["aper_12_0_flux_e_err"][i].astype(np.float64),
            n_star_min=config.n_photometry_min,
            floor_mag=config.floor_mag,
        )
    except DataError:
        if config.require_photometry:
            raise
        return _nominal(work, frame), "extrapolated", None
    funnel["n_photometry_used"] = int(zero_point.is_used.sum())
    used["photometry_used"] = some["source_id"][i[zero_point.is_used]]
    if catalog == int(frame.catalogs.astrometry["ref_catalog_id"]):
        return zero_point, "solved", None
    matched = rows.source_ref(ids, some["source_id"][i], catalog, stars["ref_id"][j], apart, zero_point.is_used)
    return zero_point, "solved", matched


def _nominal(work: Work, frame: Frame) -> photometry.ZeroPoint:
    """The zero point the camera's description promises."""
    found = work.camera.filter_of(str(frame.facts["filter"]))
    exposure_s = float(frame.facts["exposure_s"])
    mag = (found.start_mag_1s if found else MAG_1S_GUESS) + 2.5 * np.log10(exposure_s if exposure_s > 0.0 else 1.0)
    return photometry.ZeroPoint(float(mag), np.nan, np.nan, np.zeros(0, np.bool_))


def _update_files(
    work: Work, frame: Frame, solution: astrometry.Solution, zero_point: photometry.ZeroPoint, sky: Rows,
    mask: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Put WCS and zero point into calexp and src, BRIGHT_OBJECT (ny, nx) into calexp, places and flags into src."""
    ids = {"visit": int(work.unit["visit"]), "ccd": int(work.unit["ccd"])}
    cards = rows.cards(solution, zero_point, float(frame.facts["exposure_s"]))
    exposure: Any = work.carry.get("unwritten")
    calexp, src = (None if exposure else _written(work, name, ids) for name in ("calexp", "src"))
    if exposure or calexp:
        with work.files.writing("calexp", **ids) as target:
            if calexp is None:
                exposure.write_calexp(target, cards, wcs_cards(solution.wcs), {"BRIGHT_OBJECT": mask})
            else:
                product.update_header(calexp, {0: cards, "IMAGE": wcs_cards(solution.wcs)}, target)
                bit.set_plane(target, "BRIGHT_OBJECT", mask)
    if exposure or src:
        with work.files.writing("src", **ids) as target:
            places = {"coord_ra": np.radians(sky["ra"]), "coord_dec": np.radians(sky["dec"])}
            flags = {BIT[name]: (sky["sky_flags"] >> BIT[name]) & 1 == 1 for name in SKY_FLAGS}
            if src is None:
                exposure.write_src(target, cards, places, flags)
            else:
                product.update_header(src, {0: cards}, target)
                column.overwrite(target, "SRC", places)
                for number, values in flags.items():
                    bit.set_flags(target, "SRC", number, values)


def _written(work: Work, dataset: str, ids: dict[str, int]) -> Path | None:
    """Where detect's product lies; None if there is none. MissingProductError if detect left it to this stage, and the
    process ended in between: then detect is done again."""
    try:
        found = work.files.find(dataset, **ids)
    except MissingProductError as error:
        if error.is_swept:
            raise
        return None
    return found if found.exists() else None
