"""The joint solution from beginning to end, without database or files: order, positions, fluxes, verdict."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Camera
from hscdb.errors import DataError
from hscdb.mosaic import (
    air,
    astrometry,
    basis,
    ccdmap,
    fewer,
    flux,
    frames,
    geometry,
    judge,
    placeerrors,
    prepare,
    spread,
    turbulence,
    unknowns,
)
from hscdb.mosaic.fewer import Sky
from hscdb.mosaic.model import Astrometry, Floats, Flux, Geometry, Observations, References
from hscdb.mosaic.motion import displacement
from hscdb.mosaic.orders import ORDER, chosen, lower
from hscdb.mosaic.places import Options, State

logger = logging.getLogger(__name__)

_N_JUDGE = 10  # reserved stars needed to choose
_N_FEW, _N_FOLD = 2_000, 4  # reserved detections below which orders are judged by all stars, held aside in turns
_N_LEFT = 20  # stars of a visit from which a part can be held aside
_N_AGAIN = 500_000  # detections up to which orders are tried again with the air taken off
# detections on which orders are tried: in each visit, for its 20 to 55 terms; at least, for CCDs' terms; and at most
_N_PER_VISIT, _N_LEAST, _N_TRIED = 4_000, 40_000, 100_000
_N_MOST = 4_000  # unknowns of the visits beyond which no higher order is tried
_N_BEND = 4  # fits about places of CCDs that were moved, at most
_N_VISIT = 20  # visits on which orders are tried: the matrix of 80 costs sixty times as much


@dataclass(frozen=True)
class Given:
    """What is known before: observations, references, the frames' rows, and first zero points (n_obs,) [mag]."""

    obs: Observations
    refs: References
    frames: npt.NDArray[np.void]
    zero: Floats


@dataclass(frozen=True)
class Settings:
    """order None: chosen by the reserved stars; see mosaic/stage.py for the others."""

    order: int | None
    position: Options
    flux: flux.Options
    solve_turbulence: bool


@dataclass(frozen=True)
class Result:
    """The solution, its parts as in model.py, and what frames and rows are made from.

    areas (n_visit,) pixel areas at the optical centre [deg^2]; motion (n_obs, 2) of stars since their epoch [mas];
    place_err (n_obs,) given errors per axis [mas].
    """

    where: geometry.Plane
    places: Geometry
    place_err: Floats
    position: Astrometry
    scale: Flux
    areas: Floats
    motion: Floats
    first: judge.Before
    verdict: judge.Verdict


def solve(camera: Camera, given: Given, settings: Settings) -> Result:
    """Positions, then fluxes, then the verdict. Raises DataError: see astrometry.fit and flux.fit."""
    obs, refs = given.obs, given.refs
    where = geometry.plane(camera, obs.ccds)
    per_visit = prepare.per_visit(given.frames, obs, camera)
    err = np.sqrt(0.5 * (obs.covariance[:, 0] + obs.covariance[:, 2])) * 1000.0 * camera.pixel_scale_arcsec
    places = geometry.places(where, obs.ccds, obs.ccd, obs.x, obs.y)
    sky = Sky(
        places, per_visit["crval"], per_visit["mjd"], geometry.rotations(camera, obs.ccds),
        geometry.anchors(where, given.frames, obs.visits), camera.distortion is not None, err,
        partial(geometry.displaced, where, obs.ccds, obs.ccd, places), placeerrors.nodes(where, camera, obs.ccds),
    )  # fmt: skip
    position = _position(obs, refs, sky, settings, geometry.half_sizes(camera, obs.ccds))
    areas = np.array([frames.area_at_axis(where, position, e) for e in range(obs.visits.size)])
    mag = obs.mag - 2.5 * np.log10(frames.jacobians(where, position, obs, sky.places, areas))
    scale = flux.fit(obs, refs, sky.places, mag, per_visit["zero"], settings.flux, prepare.seeing(given.frames, obs))
    mjd = per_visit["mjd"]
    moved = prepare.motion(obs, refs, mjd) + displacement(obs, refs, mjd, position.motion)
    first = judge.before(obs, obs.mag + given.zero, moved)
    verdict = judge.verdict(obs, first, position, scale, err)
    return Result(where, sky.places, err, position, scale, areas, moved, first, verdict)


def _position(obs: Observations, refs: References, sky: Sky, settings: Settings, half: Floats) -> Astrometry:
    """The joint fit of positions, with what is taken off the model if reserved stars become better by it."""
    order, told, near = _order(obs, refs, sky, settings)

    def calm(order: int, near: Astrometry | None) -> Astrometry:
        def fit(field: Floats | None, previous: Astrometry | None) -> Astrometry:
            if field is None and previous is None and near is not None and near.order == order and _is_whole(near, obs):
                return near
            start = near if previous is None else previous
            start = start if start is None else _of_order(start, order)
            return _fit(obs, refs, sky, replace(settings.position, order=order), field, start)

        maps, bend = ccdmap.learn(obs, sky.places, sky.crval, order, half)
        return turbulence.solve(fit, obs, sky.places, half, sky.place_err, maps if ccdmap.is_needed(bend) else None)

    def without(held: npt.NDArray[np.bool_], one: Astrometry) -> Astrometry:
        fewer, maps = replace(obs, is_reserved=obs.is_reserved | held), None
        if turbulence.has_maps(one):
            maps, _ = ccdmap.learn(obs, sky.places, sky.crval, one.order, half)
        options = replace(settings.position, order=one.order)

        def fit(field: Floats | None, previous: Astrometry | None) -> Astrometry:
            return _fit(fewer, refs, sky, options, field, previous)

        return turbulence.again(fit, fewer, sky.places, half, one, maps)

    if not settings.solve_turbulence:
        options = replace(settings.position, order=order)
        solution = near if near is not None and _is_whole(near, obs) else _fit(obs, refs, sky, options, None, near)
        drawn = _with_errors(obs, refs, sky, settings.position, solution, None)
        return replace(solution, place_err=drawn.place_err, notes=solution.notes | {"order": told})
    solution = calm(order, near)
    is_few = bool(folds := _folds(obs)) and told["chosen_by"] == "reserved stars"
    is_many = np.count_nonzero(obs.is_reserved & (obs.reason == "")) >= _N_FEW and turbulence.is_used(solution)
    if settings.order is None and (is_few or is_many) and obs.x.size <= _N_AGAIN:
        solution, again = lower(obs, sky, solution, calm, without, folds, _lowest(refs, sky))
        told = told | {"reserved_rms_without_air_mas": again}
    found = turbulence.still_there(obs, sky.places, half, solution)
    solution = _with_errors(obs, refs, sky, settings.position, solution, found)
    return replace(solution, notes=solution.notes | {"order": told})


def _lowest(refs: References, sky: Sky) -> int:
    """The lowest order that reserved stars may choose. They tell how well visits agree, not what bending all share:
    without a known distortion and without references that is in the first calibrations alone, and lower orders would
    put it into the stars (LAST, order 1: 17 mas on average).
    """
    return 1 if sky.has_distortion or bool(np.isfinite(refs.ra).any()) else ORDER


def _with_errors(
    obs: Observations, refs: References, sky: Sky, position: Options, solution: Astrometry, found: air.Air | None
) -> Astrometry:
    """The solution with errors by draws of noise and of the air that was found."""
    field = solution.turbulence
    options = replace(position, order=solution.order)
    state = State(
        obs, refs, sky.places, sky.crval, sky.mjd, solution.coefficients, options,
        None if field is None else turbulence.at(field, obs, sky.places),
    )  # fmt: skip
    active = unknowns.active(obs, (obs.reason == "") & ~obs.is_reserved, solution.visit_order, options)
    return spread.errors(state, solution, sky.rotation, active, found, sky.nodes)


def _fit(
    obs: Observations, refs: References, sky: Sky, options: Options, field: Floats | None, previous: Astrometry | None
) -> Astrometry:
    """The joint fit, and again as long as CCDs lie so far off that the distortion there has another slope."""
    known = sky.crval, sky.mjd, sky.rotation, options, sky.has_distortion, sky.anchors, field
    solution = astrometry.fit(obs, refs, sky.places, *known, previous)
    about = np.zeros_like(solution.ccd_terms)
    for _ in range(_N_BEND):
        places = None if sky.again is None else sky.again(about, solution.ccd_terms)
        if places is None:
            break
        about, solution = solution.ccd_terms, astrometry.fit(obs, refs, places, *known, solution)
    return solution


def _order(
    obs: Observations, refs: References, sky: Sky, settings: Settings
) -> tuple[int, dict[str, Any], Astrometry | None]:
    """Order of the visits' polynomials, what to tell of it, and its fit, to all observations or to some."""
    if settings.order is not None:
        return settings.order, {"chosen_by": "setting"}, None
    if np.unique(obs.star[obs.is_reserved & (obs.reason == "")]).size < _N_JUDGE:
        return ORDER, {"chosen_by": f"default: fewer than {_N_JUDGE} reserved stars"}, None
    step = -(-obs.x.size // min(_N_TRIED, max(_N_PER_VISIT * obs.visits.size, _N_LEAST)))
    n_visit, n_obs = obs.visits.size, obs.x.size
    if step > 1:
        obs, refs, sky = fewer.thinned(obs, refs, sky, np.arange(obs.stars.size) % step == 0)
    if n_visit > _N_VISIT:
        obs, refs, sky = fewer.of_visits(obs, refs, sky, np.arange(n_visit) % -(-n_visit // _N_VISIT) == 0)
    fits: dict[int, Astrometry] = {}
    scatters: dict[int, float] = {}
    folds = _folds(obs)

    def scatter(order: int) -> float:
        # priors are learned from the matrix: no higher order where it is large for the few stars of many visits
        is_dear = order > ORDER and 2 * basis.n_terms(order) * n_visit > _N_MOST and n_obs <= 1000 * n_visit
        if is_dear:
            return float("inf")
        if order not in scatters:
            options, near = replace(settings.position, order=order), fits.get(ORDER)
            previous = None if near is None else _of_order(near, order)
            try:
                fits[order] = _fit(obs, refs, sky, options, None, previous)
                scatters[order] = judged(order)
            except DataError as error:  # an order that has no solution is not chosen
                logger.info("order %d is left out: %s", order, error)
                scatters[order] = float("inf")
        return scatters[order]

    def judged(order: int) -> float:
        """Scatter of the reserved stars; where they are few, of all, each held aside once."""
        fit, one = fits[order], obs
        residual = fit.residual
        if folds:
            one, residual = replace(obs, is_reserved=np.ones(obs.x.size, bool)), residual.copy()
        for held in folds:
            fewer = replace(obs, is_reserved=obs.is_reserved | held)
            begin = replace(fit, is_used=fit.is_used[:0])
            part = _fit(fewer, refs, sky, replace(settings.position, order=order), None, begin)
            residual[held] = part.residual[held]
        return judge.reserved_rms(one, residual, sky.place_err)

    if np.isnan(scatter(ORDER)):
        return ORDER, {"chosen_by": "default: no reserved star is seen twice"}, None
    best = chosen(scatter, _lowest(refs, sky))
    tried = {str(o): round(scatters[o], 4) for o in sorted(scatters) if np.isfinite(scatters[o])}
    told = {"chosen_by": "reserved stars", "n_fold": len(folds), "reserved_rms_mas": tried}
    return best, told, fits.get(best) if obs.visits.size == n_visit else None


def _folds(obs: Observations) -> list[npt.NDArray[np.bool_]]:
    """Which observations (n_obs,) are held aside together, those of each star once.

    None where reserved stars are many, or where a visit has too few of the others to do without a part of them.
    """
    usable = obs.reason == ""
    n_visit = np.bincount(obs.visit[usable & ~obs.is_reserved], minlength=obs.visits.size)
    if np.count_nonzero(obs.is_reserved & usable) >= _N_FEW or n_visit.min() < _N_LEFT:
        return []
    fold = np.random.default_rng(0).integers(0, _N_FOLD, obs.stars.size)[obs.star]
    return [(fold == i) & ~obs.is_reserved for i in range(_N_FOLD)]


def _is_whole(fit: Astrometry, obs: Observations) -> bool:
    """Whether a fit is to all of these observations."""
    return fit.is_used.size == obs.x.size


def _of_order(solution: Astrometry, order: int) -> Astrometry:
    """The solution as a start for another order: terms that are new are zero."""
    if order == solution.order:
        return solution
    size = max(order, solution.order) + 1
    coefficients = np.zeros((*solution.coefficients.shape[:2], basis.n_terms(order)))
    for e, axis in np.ndindex(*coefficients.shape[:2]):
        square = np.zeros((size, size))
        square[: solution.order + 1, : solution.order + 1] = basis.square(
            solution.order, solution.coefficients[e, axis]
        )
        coefficients[e, axis] = basis.flat(square[: order + 1, : order + 1])
    return replace(solution, coefficients=coefficients, order=order)
