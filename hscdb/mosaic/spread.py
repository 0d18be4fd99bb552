"""Errors of the astrometric solution by what noise and air do to it: made surveys, answered by the same equations.

The inverse of the normal matrix knows the noise of single detections. The air of a visit moves neighbors together,
and what is left of it after turbulence.py does, too; the inverse takes them for independent. So n_draw times

    offset_k = t_e(x_k) + n_k,    t_e a Gaussian process with the fitted A_e, L,    n_k white,

with references and the unknowns' priors off by their own errors, goes through what the observations went through: fit,
field of each frame from the residuals, fit with the fields taken off (turbulence._N_ROUND times), all linear, at the
weights of the end. How far unknowns and stars end from zero are their errors. Of few draws a scatter s_i is uncertain,
so the variance told is a mean of it and of r f_i^2, f_i the formal error, r the mean of s^2 / f^2 over unknowns of its
kind (stars: of as many detections, with or without a reference),

    (n_draw s_i^2 + N r f_i^2) / (n_draw + N),    N = 20.

Errors of CCD terms are those of the CCDs to each other, see `relative`; of predicted places see placeerrors.py.

Source: Efron 1979, Ann. Statist. 7, 1 (parametric bootstrap).
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from hscdb.mosaic import air, basis, ccdterms, linear, many, waves
from hscdb.mosaic.frames import TURBULENCE_ORDER, by_frame
from hscdb.mosaic.many import Singles
from hscdb.mosaic.model import Astrometry, Bools, Floats, Geometry, Ints, Observations
from hscdb.mosaic.placeerrors import Missed
from hscdb.mosaic.places import MAS, State

_N_DRAW = (8, 48)  # at least, at most
_ROOM = 2.4e7  # detections times draws: 0.2 GB of offsets
_N_BLOCK = 100_000  # detections whose noise is made at once: of all it would take twice that again
_N_KIND = 20.0  # draws that the mean of a kind counts as
_N_FILTER = 400  # frames whose filters are kept between rounds (70 MB)
_N_MOST = 12  # detections: stars with more are of one kind
_DEG = 3.6e6  # mas per degree


def errors(
    state: State, solution: Astrometry, rotation: Floats, active: Bools, found: air.Air | None,
    at: Geometry | None = None,
) -> Astrometry:  # fmt: skip
    """The solution with errors by draws: of stars, CCD terms and coefficients, and of places.

    state  : with the solution's field, at its place; rotation (n_ccd, 2, 2) as in astrometry.fit.
    active : (n,) unknowns that were solved; found: None if there is no more than white noise.
    at     : of placeerrors.nodes; None: errors of places are not asked for.
    """
    obs = state.obs
    state.resume(solution.coefficients, solution.ccd_terms, solution.star, solution.motion)
    state.linearize()
    given = solution.error_scale**2 * state.covariance(rotation)
    weight = np.empty_like(given)
    linear.weights(given, 1.0, solution.floors**2, obs.visit, weight)
    fitted = solution.is_used.astype(np.float64)
    stars = fitted + (obs.is_reserved & (obs.reason == ""))
    equations = many.Equations(state, weight, fitted, stars, solution.ref_weight, solution.ridge, active)
    n_draw = int(np.clip(_ROOM / obs.x.size, *_N_DRAW))
    missed = None if at is None else Missed(state, at, n_draw)
    unknowns, shift, prior = _drawn(equations, solution, given, found, n_draw, missed)
    place_err = np.empty((0, 0, 0)) if missed is None else missed.told(unknowns, prior, active)
    n, n_k = many.terms(state), state.ccd_terms.shape[1]
    kinds = np.concatenate([np.tile(basis.degrees(state.options.order), 2 * obs.visits.size),
                            np.tile([-1, -1, *range(-2, -n_k, -1)], obs.ccds.size)])  # fmt: skip
    formal = np.ones(unknowns.shape[0])
    formal[n:] = (solution.ccd_terms_err * ccdterms.units(n_k)).ravel() ** 2
    solved = active & (formal > 0)
    ccds = unknowns[n:].reshape(obs.ccds.size, n_k, -1)
    unknowns[n:] = relative(ccds, _centers(state), active[n::n_k]).reshape(unknowns[n:].shape)
    square = np.mean(unknowns**2, axis=1)
    variance = np.zeros(formal.size)
    variance[solved] = _mixed(square[solved], formal[solved], kinds[solved], unknowns.shape[1])
    told, covariance = _stars(solution, obs, stars > 0, shift)
    note = {"n_draw": unknowns.shape[1], **told}
    if found is not None:
        air_mas, arcsec = float(np.median(found.whole.amplitude)), found.whole.length * state.geometry.arcsec
        note |= {"air_mas": round(air_mas, 3), "air_noise_mas": round(found.whole.noise, 3),
                 "air_arcsec": round(arcsec, 1)}  # fmt: skip
    return replace(
        solution, star_covariance=covariance,
        coefficients_err=np.degrees(np.sqrt(variance[:n]).reshape(solution.coefficients.shape) / MAS),
        ccd_terms_err=np.sqrt(variance[n:]).reshape(-1, n_k) / ccdterms.units(n_k),
        place_err=place_err, notes=solution.notes | {"errors": note},
    )  # fmt: skip


def relative(terms: Floats, centers: Floats, solved: Bools) -> Floats:
    """CCD terms (n_ccd, n, ...) [pix at LEVER_PIX] less the shift and the turn that the solved ones have in common.

    The visits' polynomials undo those: priors alone know them. centers (n_ccd, 2) [pix].
    """
    out = terms.copy()
    if not solved.any():
        return out
    arm = (centers / ccdterms.LEVER_PIX).reshape(len(terms), 2, *(1,) * (terms.ndim - 2))
    turn = terms[solved, 2].mean(axis=0)
    out[:, 2] -= turn
    out[:, 0] += arm[:, 1] * turn
    out[:, 1] -= arm[:, 0] * turn
    out[:, :2] -= out[solved, :2].mean(axis=0)
    return out


def _centers(state: State) -> Floats:
    """(n_ccd, 2) where the CCDs' centers lie in the focal plane [pix]; 0 of those without detections."""
    obs, g = state.obs, state.geometry
    out = np.zeros((obs.ccds.size, 2))
    out[obs.ccd] = np.stack([g.u - g.lever[:, 0], g.v - g.lever[:, 1]], axis=1)
    return out


def _stars(solution: Astrometry, obs: Observations, used: Bools, shift: Singles) -> tuple[dict[str, float], Floats]:
    """The stars' covariances (n_star, 3) [mas^2] times what draws have found, and by how much errors grow."""
    c = solution.star_covariance
    det = c[:, 0] * c[:, 2] - c[:, 1] ** 2
    east, north = shift[:, 0].astype(np.float64), shift[:, 1].astype(np.float64)
    chi2 = (c[:, 2, None] * east**2 - 2 * c[:, 1, None] * east * north + c[:, 0, None] * north**2) / det[:, None]
    n = np.minimum(np.bincount(obs.star[used], minlength=obs.stars.size), _N_MOST)
    k = np.flatnonzero(np.isfinite(det) & (det > 0) & (n > 0))
    kind = 2 * n + (solution.ref_weight[:, 0] > 0)
    factor = np.ones(n.size)
    factor[k] = _mixed(0.5 * chi2[k].mean(axis=1), np.ones(k.size), kind[k], 2 * shift.shape[2])
    told = {"star_error_factor": round(float(np.sqrt(np.median(factor[k]))), 3)} if k.size else {}
    return told, c * factor[:, None]


def _mixed(square: Floats, formal: Floats, kind: Ints, n_draw: int) -> Floats:
    """(n,) variances by squares seen in n_draw draws, formal ones, and what those of a kind have in common."""
    _, which = np.unique(kind, return_inverse=True)
    ratio = np.bincount(which, square / formal) / np.bincount(which)
    return np.asarray((n_draw * square + _N_KIND * ratio[which] * formal) / (n_draw + _N_KIND))


def _drawn(
    equations: many.Equations, solution: Astrometry, given: Floats, found: air.Air | None, n_draw: int,
    missed: Missed | None,
) -> tuple[Floats, Singles, Floats]:  # fmt: skip
    """Unknowns (n, n_draw) and stars' shifts (n_star, 2, n_draw) that draws of noise and air end with [mas, pix], and
    draws (n, n_draw) of the priors.
    """
    state, obs = equations.state, equations.state.obs
    rng = np.random.default_rng(1)
    extra = solution.floors**2
    if found is not None:  # what the floors hold beyond the air, half of which a field that was taken off has left
        rest = extra - found.left.amplitude**2 * (0.5 if found.n_round else 1.0)
        extra = np.maximum(rest, found.whole.noise**2)
    offset = _noise(rng, given, extra[obs.visit], n_draw)
    if found is not None:
        _add_air(rng, offset, state, found.whole, air.rotations(solution), missed)
    ref_offset = np.zeros((obs.stars.size, 2, n_draw), np.float32)
    has = np.flatnonzero(solution.ref_weight[:, 0] > 0)
    w = solution.ref_weight[has]
    inverse = np.stack([w[:, 2], -w[:, 1], w[:, 0]], axis=1) / (w[:, 0] * w[:, 2] - w[:, 1] ** 2)[:, None]
    ref_offset[has] = _noise(rng, inverse, np.zeros(has.size), n_draw)
    near = equations.near
    spread = np.where(near.ridge > 0, 1.0 / np.sqrt(np.maximum(near.ridge, 1e-300)), 0.0)
    prior = spread[:, None] * rng.standard_normal((near.ridge.size, n_draw))
    pull = np.where(near.active[:, None], prior, 0.0)
    left = offset.copy() if found is not None and found.n_round else offset
    unknowns, shift = equations.answer(left, ref_offset, pull)
    if found is None or not found.n_round:
        return unknowns, shift, prior
    frames, field = by_frame(obs), np.zeros_like(offset)
    known = obs, state.geometry, found.half, solution, found.left
    kept = list(air.filters(*known)) if len(frames) <= _N_FILTER else None
    for _ in range(found.n_round):
        fresh = air.filters(*known) if kept is None else kept
        left += field
        _take_field(fresh, frames, state, found.half, left, field, missed)
        left = offset - field
        unknowns, shift = equations.answer(left, ref_offset, pull)
    return unknowns, shift, prior


def _noise(rng: np.random.Generator, given: Floats, extra: Floats, n_draw: int) -> Singles:
    """(n, 2, n_draw) Gaussian errors of covariances given (n, 3) plus extra (n,) along both axes."""
    out = rng.standard_normal((len(given), 2, n_draw), np.float32)
    for begin in range(0, len(given), _N_BLOCK):
        k = slice(begin, begin + _N_BLOCK)
        a = np.sqrt(given[k, 0] + extra[k])
        b = given[k, 1] / a
        c = np.sqrt(np.maximum(given[k, 2] + extra[k] - b * b, 0.0))
        one, other = out[k, 0], out[k, 1]
        out[k, 1] = b[:, None].astype(np.float32) * one + c[:, None].astype(np.float32) * other
        out[k, 0] *= a[:, None].astype(np.float32)
    return out


def _add_air(
    rng: np.random.Generator, offset: Singles, state: State, process: air.Process, axes: Floats,
    missed: Missed | None = None,
) -> None:  # fmt: skip
    """Add draws of the process to offsets (n_obs, 2, n_draw); axes (n_visit, 2, 2) as of air.rotations."""
    obs, n_draw = state.obs, offset.shape[2]
    place, nodes = np.stack([state.geometry.u, state.geometry.v], axis=1), np.empty((0, 2))
    if missed is not None:
        nodes = np.stack([missed.at.u, missed.at.v], axis=1)
    for e in np.flatnonzero(process.amplitude > 0):
        k = np.flatnonzero(obs.visit == e)
        where = np.concatenate([place[k], nodes]) @ axes[e].T
        moved = np.float32(process.amplitude[e]) * waves.drawn(rng, where, process.length, process.curl, n_draw)
        offset[k] += _turned(state.turn[k], moved[: k.size])
        if missed is not None:
            missed.air[e] = moved[k.size :]


def _turned(turn: Floats, offset: Singles) -> Singles:
    """Matrices (n, 2, 2) times vectors (n, 2, n_draw)."""
    t = turn.astype(np.float32)[..., None]
    return np.stack([t[:, i, 0] * offset[:, 0] + t[:, i, 1] * offset[:, 1] for i in range(2)], axis=1)


def _take_field(
    filters: Iterable[tuple[int, int, Ints, Singles]], frames: dict[tuple[int, int], Ints], state: State, half: Floats,
    left: Singles, field: Singles, missed: Missed | None = None,
) -> None:  # fmt: skip
    """The fields that residuals `left` tell into `field`, both (n_obs, 2, n_draw) along the stars' axes."""
    geometry, n_draw = state.geometry, left.shape[2]
    field[:] = 0.0
    for e, c, k, to_terms in filters:
        k_frame = frames[e, c]
        inside = basis.matrix(TURBULENCE_ORDER, *(geometry.lever[k_frame] / half[c]).T)
        back = np.asarray(np.linalg.inv(state.turn[k]), np.float64)
        # terms first: it is the smaller product
        found = to_terms @ _turned(back, left[k]).swapaxes(0, 1).reshape(2 * k.size, n_draw)
        terms = found.reshape(2, -1, n_draw)
        along = inside.astype(np.float32) @ terms
        field[k_frame] = _turned(state.turn[k_frame], along.swapaxes(0, 1))
        if missed is not None:
            missed.take_field(e, c, half[c], terms)
