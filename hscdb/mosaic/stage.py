"""mosaic: tie all visits of a tract and filter together, positions and fluxes, by the stars they share."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hscdb.camera.color import color_term
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import header, product
from hscdb.mosaic import astrometry, ccdmap, flux, frames, gather, geometry, judge, prepare, products, rows, turbulence
from hscdb.mosaic.model import Astrometry, Floats, Flux, Geometry, Observations
from hscdb.mosaic.places import Options
from hscdb.run.config import setting
from hscdb.run.stage import Funnel, Work, stage

logger = logging.getLogger(__name__)

read_frames = query("mosaic/read_frames")
read_observations = query("mosaic/read_observations")
read_ref_catalogs = query("mosaic/read_ref_catalogs")
read_ref_positions = query("mosaic/read_ref_positions")
read_ref_fluxes = query("mosaic/read_ref_fluxes")

_FLUXES = ("", "psf", "gauss", "kron", "aper_3_0", "aper_4_5", "aper_6_0", "aper_9_0", "aper_12_0", "aper_17_0",
           "aper_25_0", "aper_35_0", "aper_50_0", "aper_70_0")  # fmt: skip
_N_SOLVED = 3  # detections a frame must have in the fit to count as solved, else it is extrapolated


@dataclass(frozen=True)
class Config:
    """Settings of mosaic."""

    astrometry_order: int = setting(5, "total degree of each visit's astrometric polynomial", was="fittingOrder")
    flux_order: int = setting(7, "total degree of the flux field common to all visits", was="fluxFitOrder")
    flux_visit_order: int = setting(2, "total degree of each visit's own flux field", was="commonFluxCorr")
    flux: str = setting(
        "", "flux that is tied together: psf, gauss, kron, aper_3_0 ...; empty: that of the first calibration",
        choices=_FLUXES,
    )  # fmt: skip
    solve_ccd: bool = setting(True, "solve shift and turn of each CCD", was="solveCcd, allowRotation")
    solve_turbulence: bool = setting(
        True, "take turbulence, and bends inside the CCDs, off the model if stars become better by it"
    )
    solve_flux_ccd: bool = setting(True, "solve one flux offset per CCD", was="fluxFitSolveCcd")
    use_references: bool = setting(True, "tie positions and magnitudes to reference stars", was="fluxFitAbsolute")
    use_ambiguous: bool = setting(False, "fit stars with another detection within the match radius too")
    n_shared_min: int = setting(2, "stars a visit must share with the others", was="minNumMatch")
    clip_sigma: float = setting(5.0, "residuals beyond this are outliers", unit="sigma")
    n_iteration_max: int = setting(20, "largest number of passes of each fit")
    position_floor_mas: float | None = setting(
        None, "error floor of a centroid per axis; None: measured from the residuals", unit="mas"
    )
    magnitude_floor_mag: float | None = setting(
        None, "error floor of a magnitude; None: measured from the residuals", unit="mag"
    )
    ref_position_floor_mas: float = setting(1.0, "added to the references' position errors", unit="mas", was="catRMS")
    ref_magnitude_floor_mag: float = setting(0.01, "added to the references' magnitude errors", unit="mag")
    ccd_prior_pix: float | None = setting(
        None, "expected shift of a CCD from the camera description; None: learned from the data", unit="pix"
    )
    field_prior_mag: float = setting(0.03, "expected size of the common flux field and the CCD offsets", unit="mag")
    color_term_set: str = setting("", "generation of the color terms; empty: the camera's default", was="doColorTerms")


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
    prepare.check(config.astrometry_order, config.flux_order, config.flux_visit_order)
    unit = {"run_id": work.run_id, "tract": work.unit["tract"], "filter": work.unit["filter"]}
    who = f"mosaic tract={unit['tract']} filter={unit['filter']}"
    all_frames = read_frames(work.connection, **unit)
    chosen = work.options.get("frames")
    all_frames = all_frames[prepare.among(all_frames, chosen)]
    if not len(all_frames):
        raise InputError(
            f"{who}: no calibrated frame (at least 1 needed). Run `hscdb run REPO isr..match` for its visits first.",
            code="no_frames",
        )
    seen = read_observations(work.connection, **unit, flux=config.flux)
    seen = seen[prepare.among(seen, chosen)]
    positions, mags = _references(work, config, unit, seen)
    seen, used_frames, left_out = prepare.connected(
        who, config.n_shared_min, config.use_ambiguous, seen, all_frames, positions
    )
    obs = gather.observations(seen, used_frames, config.use_ambiguous)
    refs = gather.references(obs.stars, positions, *prepare.by_star(obs, mags))
    key = {"run_id": work.run_id, "task_id": work.task_id}
    where = geometry.plane(work.camera, obs.ccds)
    places = geometry.places(where, obs.ccds, obs.ccd, obs.x, obs.y)
    per_visit = prepare.per_visit(used_frames, obs, work.camera)
    rotation = geometry.rotations(work.camera, obs.ccds, obs.ccd)
    place_err = np.sqrt(0.5 * (obs.covariance[:, 0] + obs.covariance[:, 2])) * 1000.0 * work.camera.pixel_scale_arcsec
    anchors = geometry.anchors(where, used_frames, obs.visits)

    def fit(field: Floats | None, previous: Astrometry | None) -> Astrometry:
        return astrometry.fit(
            obs, refs, places, per_visit["crval"], per_visit["mjd"], rotation, _options(config),
            work.camera.distortion is not None, anchors, field, previous,
        )  # fmt: skip

    half = geometry.half_sizes(work.camera, obs.ccds)
    position = _position(config, fit, obs, places, per_visit["crval"], half, place_err)
    areas = np.array([frames.area_at_axis(where, position, e) for e in range(obs.visits.size)])
    jacobian = frames.jacobians(where, position, obs, areas)
    scale = flux.fit(obs, refs, places, obs.mag - 2.5 * np.log10(jacobian), per_visit["zero"], _flux_options(config))
    first = judge.before(
        obs, obs.mag + gather.zero_points(seen, used_frames), prepare.motion(obs, refs, per_visit["mjd"])
    )
    verdict = judge.verdict(obs, first, position, scale, place_err)
    for table, array in (
        ("mosaic_solution", rows.summary(key, unit["tract"], unit["filter"], obs, position, scale, verdict, left_out)),
        ("mosaic_visit", rows.visits(key, where, obs, position, scale)),
        ("mosaic_ccd", rows.ccds(key, obs, position, scale)),
        ("star_solution", rows.stars(key, obs, refs, position, scale)),
        (
            "star_residual",
            rows.residuals(key, seen["source_id"], obs, places, position, scale, first, place_err),
        ),
    ):
        copy.write(work.connection, table, array)
    _warn(left_out, verdict)
    n_solved = _write_frames(work, key, where, used_frames, obs, position, scale, areas, verdict)
    return {
        "n_visit": int(np.unique(all_frames["visit"]).size), "n_visit_solved": int(obs.visits.size),
        "n_frame": len(used_frames), "n_frame_solved": n_solved, "n_star": int(obs.stars.size),
        "n_observation": len(seen), "n_astrometry_used": int(position.is_used.sum()),
        "n_photometry_used": int(scale.is_used.sum()), "n_ref": position.n_ref, "n_ref_mag": scale.n_ref,
        "n_reserved": int(obs.is_reserved.sum()),
    }  # fmt: skip


def _position(
    config: Config, fit: Callable[[Floats | None, Astrometry | None], Astrometry], obs: Observations, places: Geometry,
    crval: Floats, half: Floats, place_err: Floats,
) -> Astrometry:  # fmt: skip
    """The joint fit of positions, with what is taken off the model if reserved stars become better by it."""
    if not config.solve_turbulence:
        return fit(None, None)
    maps, bend = ccdmap.learn(obs, places, crval, config.astrometry_order, half)
    return turbulence.solve(fit, obs, places, half, place_err, maps if ccdmap.is_needed(bend) else None)


def _warn(left_out: dict[str, str], verdict: judge.Verdict) -> None:
    """Tell what the counts alone do not: who took no part, and that nothing came of it."""
    for visit, why in left_out.items():
        logger.warning("visit %s is left out: it %s", visit, why)
    for what, is_better, after, before, unit in (
        ("positions", verdict.is_position_better, verdict.position_after, verdict.position_before, "mas"),
        ("fluxes", verdict.is_mag_better, 1000 * verdict.mag_after, 1000 * verdict.mag_before, "mmag"),
    ):
        if not is_better:
            logger.warning(
                "the joint solution of %s is not accepted (%s stars scatter by %.2f, before by %.2f %s): "
                "apply keeps the first calibrations", what, verdict.judged_by, after, before, unit,
            )  # fmt: skip


def _options(config: Config) -> Options:
    return Options(
        order=config.astrometry_order, solve_ccd=config.solve_ccd, n_iteration_max=config.n_iteration_max,
        clip_sigma=config.clip_sigma, ref_floor_mas=config.ref_position_floor_mas, floor_mas=config.position_floor_mas,
        ccd_prior_pix=config.ccd_prior_pix,
    )  # fmt: skip


def _flux_options(config: Config) -> flux.Options:
    return flux.Options(
        order=config.flux_order, visit_order=config.flux_visit_order, solve_ccd=config.solve_flux_ccd,
        n_iteration_max=config.n_iteration_max, clip_sigma=config.clip_sigma,
        ref_floor_mag=config.ref_magnitude_floor_mag, floor_mag=config.magnitude_floor_mag,
        field_prior_mag=config.field_prior_mag, ccd_prior_mag=config.field_prior_mag,
    )  # fmt: skip


def _references(
    work: Work, config: Config, unit: dict[str, Any], seen: Any
) -> tuple[Any, dict[int, tuple[float, float]]]:
    """Rows of reference positions (or None) and {star_id: (mag, mag_err)} in the unit's filter."""
    if not config.use_references:
        return None, {}
    catalogs = read_ref_catalogs(work.connection, **unit)
    if not len(catalogs):
        return None, {}
    best = read_ref_positions(work.connection, **unit, ref_catalog_id=int(catalogs[0]["ref_catalog_id"]))
    for catalog in catalogs:
        term = color_term(work.camera, str(catalog["name"]), unit["filter"], config.color_term_set)
        fluxes = read_ref_fluxes(
            work.connection, **unit, ref_catalog_id=int(catalog["ref_catalog_id"]),
            primary_band=term.primary_band, secondary_band=term.secondary_band,
        )  # fmt: skip
        if len(fluxes):
            stars = np.unique(fluxes["star_id"])
            mag, err = gather.reference_magnitudes(stars, fluxes, term.c0, term.c1, term.c2)
            return best, {int(s): (m, e) for s, m, e in zip(stars, mag, err, strict=True) if np.isfinite(m)}
    return best, {}


def _write_frames(
    work: Work, key: dict[str, int], where: geometry.Plane, used: Any, obs: Observations, position: Astrometry,
    scale: Flux, areas: Floats, verdict: judge.Verdict,
) -> int:  # fmt: skip
    """wcs_solution and flux_scale rows and wcs-, fcr- files of every frame; returns how many were solved themselves."""
    solved = frames.solved(where, used, obs, position, scale, areas, _N_SOLVED)
    copy.write(
        work.connection, "wcs_solution", products.wcs_rows(key, work.unit["tract"], solved, verdict.is_position_better)
    )
    scaled = [one for one in solved if np.isfinite(one.mag0_e)]
    copy.write(
        work.connection, "flux_scale", products.flux_rows(key, work.unit["tract"], scaled, verdict.is_mag_better)
    )
    for one in solved:
        ids = {"visit": one.visit, "ccd": one.ccd.ccd, "tract": work.unit["tract"], "filter": work.unit["filter"],
               "pointing": one.pointing}  # fmt: skip
        with work.files.writing("wcs", **ids) as path:
            product.write_header(path, header.wcs_cards(one.wcs, one.ccd.width, one.ccd.height))
        if np.isfinite(one.mag0_e):
            with work.files.writing("fcr", **ids) as path:
                product.write_header(path, products.fcr_cards(one))
    return sum(one.status == "solved" for one in solved)
