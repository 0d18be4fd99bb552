"""The joint astrometric fit: visit polynomials, CCD places and all star positions at once.

Observation k (visit e, CCD c, star s) lies at field place F = D(u, v) (camera distortion D, [pix]) and

    (xi, eta) = sum_j a_ej T_j(F / S)            plane of visit e
    u = u_c + du_c + cos.. (x, y)                CCD c shifted by (du, dv) and turned by dphi about its centre, or
                                                 mapped by a polynomial of degree `ccd_order` (ccdterms.py).

Minimised is, with every star's place free,

    sum_k |place_k - star_s(k) - pm_s (t_k - t_s) - parallax_s(t_k)|^2 / (C_k + floor^2)
    + sum_ref |star - ref|^2 / (C_ref + floor_ref^2)  + weak priors on coefficients and CCD terms,

in the local (east, north) frame of each star [mas], by Gauss-Newton with stars eliminated (schur.py). Unknowns:
2 n_terms per visit, 3 per CCD (6 of order 1). Gauge: without references the frame of the first calibrations' mean is
kept by the priors on the coefficients (at most 0.5 arcsec at degree 0, falling with degree); motions common to CCDs,
which the visits' polynomials can undo, and the soft ones are held by the CCD priors (at most 0.5 pix, 0.2 mrad). How
tight the priors are is learned from the data (prior.py). Size: 12 visits of order 5 and 100 CCDs give 804 unknowns.

Sources: Bernstein et al. 2017 (PASP 129, 074503), DMTN-036; hscPipe's mosaic for the parameterisation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hscdb.errors import DataError
from hscdb.mosaic import basis, ccdterms, krylov, linear, noise, prior, robust, schur, unknowns
from hscdb.mosaic.model import Anchors, Astrometry, Bools, Floats, Geometry, Ints, Observations, References
from hscdb.mosaic.places import MAS, Options, State, inverse, quadratic, start
from hscdb.mosaic.progress import Watch

_N_SOFT = 4  # passes with Huber weights before the hard cut; the coefficients have settled to < 1 mas by then
_REFRESH = (1, 2, _N_SOFT)  # passes whose matrix is not used again: errors, then outliers are told after them
_LEARN = (3, 5)  # passes with a new matrix, and errors that were measured, in which the priors are learned
_MOVING_MAS = 1.0  # a fit that still moves by more at the end has not converged
_SETTLED_MAS = 0.01  # largest move of a detection at which the fit counts as converged
_LEFT = 0.1  # of the detections that must agree with a solution: else it is none


def fit(
    obs: Observations,
    refs: References,
    geometry: Geometry,
    crval: Floats,
    epoch_mjd: Floats,
    rotation: Floats,
    options: Options,
    has_distortion: bool,
    anchors: Anchors | None = None,
    field: Floats | None = None,
    previous: Astrometry | None = None,
) -> Astrometry:
    """Solve the joint astrometry of all visits; the module's text says what is minimised.

    crval     : (n_visit, 2) tangent point of each visit [deg]; epoch_mjd (n_visit,).
    rotation  : (n_ccd, 2, 2) matrix from CCD axes to u, v; anchors: points by the first calibrations, for the start.
    field     : (n_obs, 2) taken off the model's xi, eta [deg] (turbulence.py); previous: a solution to start from.

    Raises DataError: too_few_stars (a visit without a usable star), singular_fit, no_convergence.
    """
    is_free = obs.reason == ""
    may = is_free & ~obs.is_reserved
    visit_order = unknowns.supported(obs, may, options)
    begin = start(obs, geometry, crval, options, visit_order, has_distortion, anchors)
    state = State(obs, refs, geometry, crval, epoch_mjd, begin, options, field)
    active = unknowns.active(obs, may, visit_order, options)
    ridge, first = unknowns.loose(obs, options), state.coefficients.copy()
    is_learned = options.ccd_prior_pix is None
    group = prior.groups(options.order, obs.visits.size, obs.ccds.size, is_learned, options.ccd_order)
    if previous is not None:
        state.resume(previous.coefficients, previous.ccd_terms, previous.star, previous.motion)
        ridge = previous.ridge if previous.ridge.size == ridge.size else ridge
    errors, soft, n_done = noise.begin(obs, options.floor_mas, previous, _N_SOFT)
    before, ref_soft = np.full(obs.x.size, -1.0), np.ones(obs.stars.size)
    weight, is_told = np.empty((obs.x.size, 3)), noise.sample(obs.x.size)
    n_iteration, system, travel = n_done, None, np.inf
    watch = Watch("positions", "mas")
    state.linearize()
    while True:
        n_iteration += 1
        asked = group if n_iteration in _LEARN else None
        now = _pass(state, is_free, soft, ref_soft, errors, rotation, ridge, first, active, system, weight, asked)
        ridge = now.system.ridge
        watch.tell(n_iteration, now.travel)
        # the matrix changes little once the weights do; the gradient is always the present one, and so is the end
        is_stale = n_iteration in _REFRESH or now.travel > max(0.5 * travel, _SETTLED_MAS)
        if isinstance(now.system, krylov.Iterated):  # its products are of the present weights
            is_stale = now.system.is_slow
        system, travel = None if is_stale else now.system, now.travel
        # Outliers and errors are told by a star's detections among themselves: a star follows a reference with small
        # errors, and if that is wrong all detections would look bad.
        good = may & (soft > 0) & (now.own_share > 0.02) & is_told
        if options.floor_mas is None and n_iteration <= 2 * _N_SOFT:
            axis_variance = 0.5 * (now.variance[:, 0] + now.variance[:, 2])
            square = (now.own_residual[good] ** 2).sum(axis=1)
            errors = noise.measure(
                square, axis_variance[good], now.own_share[good], obs.visit[good], obs.visits.size, 2, 200.0,
                n_iteration > _N_SOFT,
            )  # fmt: skip
        linear.weights(now.variance, errors.scale**2, errors.floor**2, obs.visit, weight)
        scalar = 0.5 * (weight[:, 0] + weight[:, 2]) * is_free
        is_soft = n_iteration < _N_SOFT
        soft = robust.settle(state.start, now.own_residual, scalar, weight, options.clip_sigma, is_soft)
        soft = robust.resting(n_iteration, _N_SOFT, before, soft)
        # a reference off its star (moving without a known motion, a galaxy, a wrong match) must not pull the frame
        ref_chi2 = quadratic(now.ref_miss, now.ref_miss_weight)
        ref_now = robust.factor(ref_chi2, 2, options.clip_sigma, is_soft)
        ref_soft = robust.resting(n_iteration, _N_SOFT, ref_soft, ref_now)
        is_same = np.array_equal(before > 0, soft > 0)
        before = soft
        if (now.travel < _SETTLED_MAS and n_iteration > 2 * _N_SOFT - 2 and is_same) or (
            n_iteration - n_done >= options.n_iteration_max
        ):
            break
    left = np.count_nonzero(may & (soft > 0)) / np.count_nonzero(may)
    if now.travel > _MOVING_MAS or left < _LEFT:
        raise DataError(
            f"mosaic: after {n_iteration} passes the astrometric fit moves by {now.travel:.2f} mas ({_MOVING_MAS:.0f} "
            f"allowed) and {left:.0%} of the detections agree with it ({_LEFT:.0%} needed). Lower "
            "mosaic.astrometry_order, or leave out the visit with the largest residuals.",
            code="no_convergence",
        )
    told = quadratic(now.residual, weight), errors, active, n_iteration - n_done, group
    return _solution(state, obs, visit_order, crval, now, may & (soft > 0), *told)


@dataclass(frozen=True)
class _Pass:
    """What one Gauss-Newton pass leaves: arrays as in model.Astrometry, own_residual (n_obs, 2), own_share (n_obs,):
    residual about the mean of the star's detections alone, and 1 - leverage in it.

    ref_miss, ref_miss_weight : (n_star, 2) reference minus mean of the detections [mas], (n_star, 3) its inverse
    covariance; 0 where there is none.
    """

    residual: Floats
    variance: Floats
    own_residual: Floats
    own_share: Floats
    star_covariance: Floats
    ref_weight: Floats
    ref_residual: Floats
    ref_miss: Floats
    ref_miss_weight: Floats
    system: schur.System | krylov.Iterated
    travel: float


def _pass(
    state: State,
    is_free: Bools,
    soft: Floats,
    ref_soft: Floats,
    errors: noise.Noise,
    rotation: Floats,
    ridge: Floats,
    first: Floats,
    active: Bools,
    system: schur.System | krylov.Iterated | None,
    weight: Floats,
    group: Ints | None = None,
) -> _Pass:
    """Solve, move coefficients and CCDs, linearise, move stars. Reserved stars follow their own detections only.

    state  : linearised; its offsets go along with the stars, whose steps are too short to ask for more.
    system : of an earlier pass, to be solved for the present gradient; None: a new one is made.
    weight : (n_obs, 3) is overwritten.
    group  : kinds of unknowns whose priors are learned with a new matrix; None: they stay `ridge`.
    """
    obs = state.obs
    variance = state.covariance(rotation)
    linear.weights(variance, errors.scale**2, errors.floor**2, obs.visit, weight)
    ref_weight, ref_offset = state.reference()
    ref_weight[np.unique(obs.star[obs.is_reserved])] = 0.0
    ref_whole, ref_weight = ref_weight, ref_weight * ref_soft[:, None]
    use = soft * (is_free & ~obs.is_reserved)
    pull = np.concatenate([np.radians(first - state.coefficients).ravel() * MAS, -_as_pix(state.ccd_terms).ravel()])
    step, system = _step(state, weight, use, ref_weight, ref_offset, ridge, pull, active, system, group)
    before = state.offset.copy()
    _apply(state, step, obs.visits.size)
    state.linearize()
    travel = float(linear.fastest(state.offset, before, is_free & ~obs.is_reserved))
    use = soft * is_free
    state.improve(weight, use, ref_weight, ref_offset)
    shift, star_covariance = state.means(weight, use, ref_weight, ref_offset)
    own, own_covariance = state.means(weight, use, np.zeros_like(ref_weight), ref_offset)
    miss, miss_weight = _ref_miss(own, own_covariance, ref_whole, ref_offset)
    star_covariance[np.isnan(own_covariance)] = np.nan  # a reference alone is no measurement
    state.move_stars(shift)
    scalar = 0.5 * (weight[:, 0] + weight[:, 2]) * use
    share = 1.0 - robust.leverage(obs.star, scalar, np.zeros(obs.stars.size), obs.stars.size) - state.taken()
    own_residual = state.offset - own[obs.star]
    state.offset -= shift[obs.star]
    left = state.offset.copy(), variance, own_residual, share, star_covariance, ref_weight, ref_offset - shift
    return _Pass(*left, miss, miss_weight, system, travel)


def _step(
    state: State, weight: Floats, use: Floats, ref_weight: Floats, ref_offset: Floats, ridge: Floats, pull: Floats,
    active: Bools, system: schur.System | krylov.Iterated | None, group: Ints | None,
) -> tuple[Floats, schur.System | krylov.Iterated]:  # fmt: skip
    """Change of the unknowns, by Cholesky or, where that would cost too much, by conjugate gradients."""
    obs = state.obs
    if system is None and not krylov.is_large(
        obs.x.size, obs.stars.size, obs.visits.size, ridge.size
    ):
        h, g = schur.reduce_positions(
            state.start, obs.visit, obs.ccd, state.x, state.y, state.options.order, obs.visits.size, obs.ccds.size,
            state.turn, state.plate, state.geometry.lever, weight, use, state.offset, ref_weight, ref_offset,
            state.ccd_terms.shape[1],
        )  # fmt: skip
        if group is None:
            system = schur.System(h, ridge, active)
        else:
            system = prior.learned(h, g, pull, ridge, unknowns.loose(obs, state.options), group, active)
        return system.step(g, pull), system
    g = krylov.gradient(state, weight, use, ref_weight, ref_offset)
    if system is None:
        system = krylov.Iterated(state, weight, use, ref_weight, ridge, active)
    if isinstance(system, krylov.Iterated):
        step = system.step(g, pull, state, weight, use, ref_weight)
        if group is not None:
            loose = unknowns.loose(obs, state.options)
            system.hold_ccds(prior.learned_of_ccds(step - pull, system.variance(), ridge, loose, group, active))
        return step, system
    return system.step(g, pull), system


def _ref_miss(own: Floats, own_covariance: Floats, ref_weight: Floats, ref_offset: Floats) -> tuple[Floats, Floats]:
    """Reference minus mean of the detections and the inverse of both their covariances together."""
    both = (ref_weight[:, 0] > 0) & np.isfinite(own_covariance[:, 0])
    miss, miss_weight = np.zeros_like(ref_offset), np.zeros_like(ref_weight)
    miss[both] = (ref_offset - own)[both]
    miss_weight[both] = inverse(inverse(ref_weight[both]) + own_covariance[both])
    return miss, miss_weight


def _as_pix(ccd_terms: Floats) -> Floats:
    return ccd_terms * ccdterms.units(ccd_terms.shape[1])


def _apply(state: State, step: Floats, n_visit: int) -> None:
    n = n_visit * 2 * basis.n_terms(state.options.order)
    state.coefficients = state.coefficients + np.degrees(step[:n] / MAS).reshape(state.coefficients.shape)
    n_k = state.ccd_terms.shape[1]
    state.ccd_terms = state.ccd_terms + step[n:].reshape(-1, n_k) / ccdterms.units(n_k)


def _solution(
    state: State,
    obs: Observations,
    visit_order: Ints,
    crval: Floats,
    now: _Pass,
    used: Bools,
    chi2: Floats,
    errors: noise.Noise,
    active: Bools,
    n_iteration: int,
    group: Ints,
) -> Astrometry:
    reason = obs.reason.copy()
    reason[reason == ""] = np.where(obs.is_reserved, "reserved", np.where(used, "", "outlier"))[reason == ""]
    seen = np.zeros(obs.stars.size, bool)
    seen[obs.star[used]] = True
    is_ref = (now.ref_weight[:, 0] > 0) & seen & state.has_true_ref
    n, n_k = obs.visits.size * 2 * basis.n_terms(state.options.order), state.ccd_terms.shape[1]
    k = (obs.reason == "") & ~obs.is_reserved & (now.own_share > 0.02)
    axis_variance = 0.5 * (now.variance[:, 0] + now.variance[:, 2])
    notes: dict[str, Any] = {
        "gauge": "references" if state.has_true_ref else "mean of the first calibrations",
        "largest_move_mas": round(now.travel, 5),
        "reduced_visits": {str(obs.visits[e]): int(o) for e, o in enumerate(visit_order) if o < state.options.order},
        "ccds_held": [int(c) for i, c in enumerate(obs.ccds) if not active[n + n_k * i]],
        "bad_visits": noise.bad_visits(
            (now.own_residual[k] ** 2).sum(axis=1), axis_variance[k], now.own_share[k], obs.visit[k], obs.visits,
            errors, 2,
        ),
        "priors": prior.notes(now.system.ridge, group),
        **errors.notes(obs.visits, 1.0, "mas"),
        **({} if state.tint is None else state.tint.notes(obs.visits, "color_mas_per_mag", 1.0)),
    }
    return Astrometry(
        crval=crval, coefficients=state.coefficients, order=state.options.order, visit_order=visit_order,
        ccd_terms=state.ccd_terms,
        ccd_terms_err=np.sqrt(now.system.variance()[n:].reshape(-1, n_k)) / ccdterms.units(n_k),
        star=state.star, star_covariance=now.star_covariance, residual=now.residual,
        plane_residual=linear.turned_back(state.turn, now.residual),
        given_variance=0.5 * errors.scale**2 * (now.variance[:, 0] + now.variance[:, 2]), is_used=used, reason=reason,
        floor_mas=errors.typical, ridge=now.system.ridge,
        chi2=float(chi2[used].sum() + quadratic(now.ref_residual, now.ref_weight)[is_ref].sum()),
        dof=int(2 * used.sum() + 2 * is_ref.sum() - active.sum() - 2 * seen.sum()),
        motion=None if state.motions is None else state.motions.told(state.pm, np.isfinite(now.star_covariance[:, 0])),
        n_parameter=int(active.sum()), n_iteration=n_iteration, n_ref=int(is_ref.sum()), notes=notes,
        error_scale=errors.scale, floors=errors.floor, ref_weight=now.ref_weight,
    )  # fmt: skip
