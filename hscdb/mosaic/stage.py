"""mosaic: tie all visits of a tract and filter together, positions and fluxes, by the stars they share."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from hscdb.camera.color import color_term
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import header, plain, product
from hscdb.mosaic import frames, gather, models, prepare, products, progress, rows, solve
from hscdb.mosaic.stage_config import Config
from hscdb.run.stage import Funnel, Work, stage

logger = logging.getLogger(__name__)

read_frames = query("mosaic/read_frames")
read_observations = query("mosaic/read_observations")
read_ref_catalogs = query("mosaic/read_ref_catalogs")
read_ref_positions = query("mosaic/read_ref_positions")
read_ref_fluxes = query("mosaic/read_ref_fluxes")

_N_SOLVED = 3  # detections a frame must have in the fit to count as solved, else it is extrapolated


@stage(
    "mosaic",
    per="tract",
    config=Config,
    reads=("star", "star_member", "star_ref", "source", "source_sky", "wcs_solution", "flux_scale"),
    writes=(
        "mosaic_solution", "mosaic_visit", "mosaic_ccd", "star_solution", "star_residual", "wcs_solution", "flux_scale",
    ),
    needs=("match",),
)  # fmt: skip
def run(work: Work, config: Config) -> Funnel:
    """Solve WCS and flux scale of all visits of a tract and filter together (hscPipe: mosaic.py)."""
    chosen = models.settings(config)
    given, found = read(work, config)
    told = progress.Steps(given.obs.x.size)
    told.begin(given.obs.stars.size, given.obs.visits.size)
    result = solve.solve(work.camera, given, chosen)
    _warn(found.left_out, result)
    told.write(len(given.frames))
    n_solved = write(work, config, given, found, result)
    obs = given.obs
    return {
        "n_visit": found.n_visit, "n_visit_solved": int(obs.visits.size), "n_frame": len(given.frames),
        "n_frame_solved": n_solved, "n_star": int(obs.stars.size), "n_observation": int(obs.x.size),
        "n_astrometry_used": int(result.position.is_used.sum()), "n_photometry_used": int(result.scale.is_used.sum()),
        "n_ref": result.position.n_ref, "n_ref_mag": result.scale.n_ref, "n_reserved": int(obs.is_reserved.sum()),
    }  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What rows need beside the solution: source_id (n_obs,), how many visits, {visit: reason} of those left out."""

    source_id: Any
    n_visit: int
    left_out: dict[str, str]


def read(work: Work, config: Config) -> tuple[solve.Given, Found]:
    """Everything that the solution is made from. Raises InputError `no_frames`, DataError `no_overlap`."""
    unit = _unit(work)
    who = f"mosaic tract={unit['tract']} filter={unit['filter']}"
    all_frames = read_frames(work.connection, **unit)
    chosen = work.options.get("frames")
    all_frames = all_frames[prepare.among(all_frames, chosen)]
    if not len(all_frames):
        raise InputError(
            f"{who}: no calibrated frame (at least 1 needed). Run `hscdb run REPO isr..match` for its visits first.",
            code="no_frames",
        )
    tasks = gather.tasks(all_frames)
    seen = gather.by_star(copy.read(work.connection, read_observations, **unit, flux=config.flux, **tasks))
    positions, mags = _references(work, config, unit)
    seen, used_frames, left_out = prepare.connected(
        who, config.n_shared_min, config.use_ambiguous, seen, all_frames, positions
    )
    obs = gather.observations(seen, used_frames, config.use_ambiguous, prepare.epochs(config.ccd_epochs))
    refs = gather.references(obs.stars, positions, *prepare.by_star(obs, mags))
    given = solve.Given(obs, refs, used_frames, gather.zero_points(seen, used_frames))
    return given, Found(seen["source_id"].copy(), int(np.unique(all_frames["visit"]).size), left_out)


def write(work: Work, config: Config, given: solve.Given, found: Found, result: solve.Result) -> int:
    """Rows and files of a solution; returns the number of frames that were solved themselves."""
    write_rows(work, given, found, result)
    return write_frames(work, config, given, result)


def write_rows(work: Work, given: solve.Given, found: Found, result: solve.Result) -> None:
    """Rows of the solution, its visits, CCDs, stars and detections."""
    key, unit, obs = _key(work), _unit(work), given.obs
    position, scale = result.position, result.scale
    for table, array in (
        (
            "mosaic_solution",
            rows.summary(
                key, unit["tract"], unit["filter"], obs, position, scale, result.verdict, found.left_out
            ),
        ),
        ("mosaic_visit", rows.visits(key, result.where, obs, position, scale)),
        ("mosaic_ccd", rows.ccds(key, obs, position, scale)),
        ("star_solution", rows.stars(key, obs, given.refs, position, scale)),
    ):
        copy.write(work.connection, table, array)
    for part in rows.residuals(key, found.source_id, obs, result):
        copy.write(work.connection, "star_residual", part, rows.NO_REASON)


def _key(work: Work) -> dict[str, int]:
    return {"run_id": work.run_id, "task_id": work.task_id}


def _unit(work: Work) -> dict[str, Any]:
    return {"run_id": work.run_id, "tract": work.unit["tract"], "filter": work.unit["filter"]}


def _warn(left_out: dict[str, str], result: solve.Result) -> None:
    """Tell what the counts alone do not: who took no part, who is bad, and that nothing came of it."""
    verdict = result.verdict
    for visit, why in left_out.items():
        logger.warning("visit %s is left out: it %s", visit, why)
    bad: Any = result.position.notes["bad_visits"]
    for visit, rms in bad.items():
        logger.warning("visit %s is bad: its stars scatter by %.0f mas, more than errors explain", visit, rms)
    for what, is_better, after, before, unit, (excess, error) in (
        ("positions", verdict.is_position_better, verdict.position_after, verdict.position_before, "mas",
         verdict.position_excess),
        ("fluxes", verdict.is_mag_better, 1000 * verdict.mag_after, 1000 * verdict.mag_before, "mmag",
         verdict.mag_excess),
    ):  # fmt: skip
        if not is_better:
            logger.warning(
                "the joint solution of %s is not accepted (%s stars scatter by %.2f, before by %.2f %s, "
                "variance %+.1f +- %.1f %%): apply keeps the first calibrations",
                what, verdict.judged_by, after, before, unit, 100 * excess, 100 * error,
            )  # fmt: skip


def _references(
    work: Work, config: Config, unit: dict[str, Any]
) -> tuple[Any, dict[int, tuple[float, float, float]]]:
    """Rows of reference positions (or None) and {star_id: (mag, mag_err, color)} in the unit's filter."""
    if not config.use_references:
        return None, {}
    catalogs = read_ref_catalogs(work.connection, **unit)
    if not len(catalogs):
        return None, {}
    best = copy.read(work.connection, read_ref_positions, **unit, ref_catalog_id=int(catalogs[0]["ref_catalog_id"]))
    for catalog in catalogs:
        term = color_term(work.camera, str(catalog["name"]), unit["filter"], config.color_term_set)
        fluxes = copy.read(
            work.connection, read_ref_fluxes, **unit, ref_catalog_id=int(catalog["ref_catalog_id"]),
            primary_band=term.primary_band, secondary_band=term.secondary_band,
        )  # fmt: skip
        if len(fluxes):
            stars = np.unique(fluxes["star_id"])
            mag, err = gather.reference_magnitudes(stars, fluxes, term.c0, term.c1, term.c2)
            color = gather.colors(stars, fluxes)
            every = zip(stars, mag, err, color, strict=True)
            return best, {int(s): (m, e, c) for s, m, e, c in every if np.isfinite(m)}
    return best, {}


def write_frames(work: Work, config: Config, given: solve.Given, result: solve.Result) -> int:
    """wcs_solution and flux_scale rows and files of every frame; returns how many were solved themselves.

    Files are wcs- and fcr-, and of model jointcal jointcal_wcs- and jointcal_photoCalib-, too.
    """
    solved = frames.solved(
        result.where, given.frames, given.obs, result.position, result.scale, result.areas, _N_SOLVED
    )
    key, tract, verdict = _key(work), work.unit["tract"], result.verdict
    is_absolute = config.flux_absolute and result.scale.n_ref > 0
    copy.write(work.connection, "wcs_solution", products.wcs_rows(key, tract, solved, verdict.is_position_better))
    scaled = [one for one in solved if np.isfinite(one.mag0_e)]
    copy.write(work.connection, "flux_scale", products.flux_rows(key, tract, scaled, verdict.is_mag_better))
    for one in solved:
        ids = {"visit": one.visit, "ccd": one.ccd.ccd, "tract": tract, "filter": work.unit["filter"],
               "pointing": one.pointing}  # fmt: skip
        wcs_cards = header.wcs_cards(one.wcs, one.ccd.width, one.ccd.height)
        for dataset, cards in products.files(one, wcs_cards, config.model == "jointcal", is_absolute):
            by_filter = dataset.startswith("jointcal") and config.jointcal_folder == "filter"
            place = {"path": product.path(f"{dataset}_by_filter", **ids)} if by_filter else {}
            with work.files.writing(dataset, **place, **ids) as path:
                plain.write(path, cards)
    return sum(one.status == "solved" for one in solved)
