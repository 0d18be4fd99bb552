"""The joint photometric fit: visit zero points, CCD scales, focal-plane fields and all star magnitudes at once.

With m the instrumental magnitude after the pixel-area correction (m = -2.5 log10 counts - 2.5 log10 J), minimised is

    sum_k (m_k + f_e + g_c + C(u, v) + P_e(u, v) - m_s)^2 / (sigma_k^2 + floor^2)
    + sum_ref (m_s - m_ref)^2 / (sigma_ref^2 + floor_ref^2) + priors,

f_e zero point of visit e, g_c offset of CCD c, C a Chebyshev field of order `order` common to all visits (the
illumination error of the flat), P_e one of order `visit_order` per visit (clouds, seeing); m_s the star, free. The
star magnitudes are eliminated (schur.py). Signs are those of hscPipe's mosaic: all terms are added to m.

Gauge: every field and offset has a Gaussian prior around 0 (30 mmag for C and g_c, 10 mmag for P_e), the zero points
one of 0.3 mag around the first calibration's; that makes the modes regular which are singular in mosaic (per-visit
fields without references, sky gradients), at no measurable cost where the data decide. Afterwards the weighted mean of
g_c goes to f_e and C + P_e is given its zero at u = v = 0. Unknowns: n_visit (1 + terms(visit_order) - 1) + n_ccd +
terms(order) - 1: 12 visits, 100 CCDs, orders 7 and 2: 207.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hscdb.mosaic import basis, noise, robust, schur
from hscdb.mosaic.fluxmodel import Model
from hscdb.mosaic.model import Bools, Floats, Flux, Geometry, Observations, References
from hscdb.mosaic.progress import Watch

_N_SOFT = 4  # passes with Huber weights before the hard cut
_REFRESH = (1, _N_SOFT)  # passes whose matrix is not used again, as in astrometry.py
_SETTLED_MAG = 1e-6
_FIRST_FLOOR_MAG = 0.002  # only for the first pass; measured afterwards


@dataclass(frozen=True)
class Options:
    """Settings of the fit; see mosaic/stage.py for their meaning."""

    order: int = 7
    visit_order: int = 2
    solve_ccd: bool = True
    n_iteration_max: int = 20
    clip_sigma: float = 5.0
    ref_floor_mag: float = 0.01
    floor_mag: float | None = None
    field_prior_mag: float = 0.03
    visit_field_prior_mag: float = 0.01
    ccd_prior_mag: float = 0.03
    zero_prior_mag: float = 0.3
    n_star_per_term: float = 3.0
    wander_min: float = 0.05  # of the field's half size: LAST's 20 pix of 863 leave 60 mmag of a free field undecided


@dataclass(frozen=True)
class _Design:
    """The model's terms, the inverse variances of their priors, and which of them the data support."""

    model: Model
    ridge: Floats
    active: Bools


def fit(
    obs: Observations, refs: References, geometry: Geometry, mag: Floats, zero_start: Floats, options: Options
) -> Flux:
    """Solve the joint photometry of all visits; the module's text says what is minimised.

    mag        : (n_obs,) instrumental magnitude with the pixel-area correction.
    zero_start : (n_visit,) zero point of the first calibration (NaN: none; the visits' median is taken).

    Raises DataError singular_fit.
    """
    is_free = (obs.reason == "") & np.isfinite(mag) & np.isfinite(obs.mag_err)
    may = is_free & ~obs.is_reserved
    design = _design(obs, geometry, may, options, int(np.isfinite(refs.mag).sum()))
    state = _State(obs, refs, design, np.where(is_free, mag, 0.0), is_free, _filled(zero_start), options)
    variance = np.where(is_free, np.nan_to_num(obs.mag_err, nan=1.0) ** 2, 1.0)
    errors = noise.constant(_FIRST_FLOOR_MAG if options.floor_mag is None else options.floor_mag, obs.visits.size)
    soft, before = np.ones(mag.size), np.full(mag.size, -1.0)
    is_told = noise.sample(obs.x.size)
    n_iteration, watch = 0, Watch("fluxes", "mag")
    while True:
        n_iteration += 1
        watch.tell(n_iteration, state.travel)
        state.advance(is_free * soft / errors.variance(variance, obs.visit), may, n_iteration in _REFRESH)
        # outliers and errors by a star's detections among themselves, as in astrometry.fit
        good = may & (soft > 0) & (state.share > 0.02) & is_told
        if options.floor_mag is None and n_iteration <= 2 * _N_SOFT:
            errors = noise.measure(
                state.own_residual[good] ** 2, variance[good], state.share[good], obs.visit[good], obs.visits.size, 1,
                0.3,
            )  # fmt: skip
        weight = is_free / errors.variance(variance, obs.visit)
        soft = robust.settle(
            state.start, state.own_residual[:, None], weight, weight[:, None], options.clip_sigma, n_iteration < _N_SOFT
        )
        if n_iteration > 2 * _N_SOFT:
            soft *= before > 0
        state.doubt_references(options.clip_sigma, n_iteration < _N_SOFT)
        is_same = np.array_equal(before > 0, soft > 0)
        before = soft
        if (state.travel < _SETTLED_MAG and n_iteration > 2 * _N_SOFT - 2 and is_same) or (
            n_iteration >= options.n_iteration_max
        ):
            break
    chi2 = state.residual**2 / errors.variance(variance, obs.visit)
    return _solution(obs, options, state, is_free, may & (soft > 0), chi2, errors, n_iteration)


class _State:
    """The moving parts of the fit: unknowns `value` and star magnitudes `star`."""

    def __init__(self, obs: Observations, refs: References, design: "_Design", mag: Floats, is_free: Bools,
                 zero_start: Floats, options: Options) -> None:  # fmt: skip
        self.obs, self.design, self.mag = obs, design, mag
        self.value = np.zeros(design.ridge.size)
        self.value[: zero_start.size] = zero_start
        self.prior = self.value.copy()
        self.has_ref = np.isfinite(refs.mag) & np.isfinite(refs.mag_err)
        self.ref_mag = np.nan_to_num(refs.mag)
        variance = np.nan_to_num(refs.mag_err, nan=1.0) ** 2 + options.ref_floor_mag**2
        self.ref_weight = np.where(self.has_ref, 1.0 / variance, 0.0)
        self.ref_weight[np.unique(obs.star[obs.is_reserved])] = 0.0
        self.ref_whole = self.ref_weight.copy()
        self.star = _first_stars(obs, mag + self.value[obs.visit], is_free, np.where(self.has_ref, refs.mag, np.nan))
        none: Floats = np.zeros(0)
        self.residual = self.own_residual = self.share = self.own_mean = none
        self.start = design.model.start
        self.moved = mag + design.model.sums(self.value)
        self.system: schur.System | None = None
        self.solved: schur.System | None = None
        self.total = self.own_total = none
        self.travel = np.inf

    def advance(self, weight: Floats, may: Bools, is_last_of_matrix: bool) -> None:
        """One weighted solve of all unknowns and stars; weight (n_obs,) [mag^-2].

        The matrix is that of an earlier pass, if one was kept; the gradient is always the present one.
        """
        obs, model, n = self.obs, self.design.model, self.obs.stars.size
        offset = self.moved - self.star[obs.star]
        ref_offset = np.where(self.has_ref, self.ref_mag - self.star, 0.0)
        fitted = weight * may
        if self.system is None:
            h, g = model.reduce(fitted, offset, self.ref_weight, ref_offset)
            self.system = schur.System(h, self.design.ridge, self.design.active)
        else:
            total = np.bincount(obs.star, fitted, n) + self.ref_weight
            mean = np.bincount(obs.star, fitted * offset, n) + self.ref_weight * ref_offset
            g = model.pull(fitted, offset - (mean / np.maximum(total, 1e-300))[obs.star])
        self.solved, travel = self.system, self.travel
        step = self.system.step(g, self.prior - self.value)
        self.travel = float(np.abs(step).max())
        if is_last_of_matrix or self.travel > max(0.5 * travel, _SETTLED_MAG):
            self.system = None
        self.value = self.value + step
        self.moved = self.mag + model.sums(self.value)
        offset = self.moved - self.star[obs.star]
        self.own_total = np.asarray(np.bincount(obs.star, weight, n), np.float64)
        self.total = self.own_total + self.ref_weight
        own = np.bincount(obs.star, weight * offset, n)
        shift = np.where(self.total > 0, (own + self.ref_weight * ref_offset) / np.maximum(self.total, 1e-300), 0.0)
        self.own_mean = self.star + own / np.maximum(self.own_total, 1e-300)
        self.star = self.star + shift
        self.residual = offset - shift[obs.star]
        self.own_residual = self.moved - self.own_mean[obs.star]
        self.share = 1.0 - robust.leverage(obs.star, weight, np.zeros(n), n)

    def doubt_references(self, clip_sigma: float, is_soft: bool) -> None:
        """Weigh down references off their stars (variables, colors outside the color term's range).

        They are held against the star's detections alone, for a star follows a reference with small errors.
        """
        own = self.total - self.ref_weight
        has = (own > 0) & (self.ref_whole > 0)
        miss = np.where(has, self.ref_mag - self.own_mean, 0.0)
        variance = 1.0 / np.maximum(self.ref_whole, 1e-300) + 1.0 / np.maximum(own, 1e-300)
        self.ref_weight = self.ref_whole * robust.factor(miss**2 / variance, 1, clip_sigma, is_soft)


def _filled(zero_start: Floats) -> Floats:
    """Zero points with the median of the known ones (or 0) where there is none."""
    known = zero_start[np.isfinite(zero_start)]
    return np.where(np.isfinite(zero_start), zero_start, np.median(known) if known.size else 0.0)


def _design(obs: Observations, geometry: Geometry, may: Bools, options: Options, n_ref: int) -> _Design:
    """Columns, priors and which unknowns the data support (a visit's field needs n_star_per_term stars per term)."""
    n_visit, n_ccd = obs.visits.size, obs.ccds.size
    scale = geometry.flux_scale_pix
    model = Model(
        obs.start, obs.visit, obs.ccd, geometry.u / scale, geometry.v / scale, n_visit, n_ccd, options.order,
        options.visit_order,
    )  # fmt: skip
    n_common, visit_terms = model.n_common, model.n_field
    n_visit_stars = np.bincount(obs.visit[may], minlength=n_visit)
    n_ccd_stars = np.bincount(obs.ccd[may], minlength=n_ccd)
    is_field = n_visit_stars >= options.n_star_per_term * (visit_terms + 1)
    is_ccd = (n_ccd_stars >= 3) & options.solve_ccd & (n_ccd > 1)
    place = np.stack([geometry.u, geometry.v], axis=1) / geometry.scale_pix
    # where stars stay at their pixels nothing but references tells the common field from their magnitudes
    is_told = n_ref > n_common or robust.wander(obs.star, may, place, obs.stars.size) > options.wander_min
    n_needed = options.n_star_per_term * (n_common + n_visit)
    is_common = np.full(n_common, is_told and may.sum() >= n_needed)
    degree = basis.degrees(options.order)[1:]
    ridge = np.concatenate(
        [
            np.full(n_visit, options.zero_prior_mag**-2.0),
            # the illumination error is smooth: let the prior fall with the degree
            (options.field_prior_mag / np.sqrt(degree)) ** -2.0,
            np.full(n_visit * visit_terms, options.visit_field_prior_mag**-2.0),
            np.full(n_ccd, options.ccd_prior_mag**-2.0),
        ]
    )
    active = np.concatenate([n_visit_stars > 0, is_common, np.repeat(is_field, visit_terms), is_ccd])
    return _Design(model, ridge, active)


def _first_stars(obs: Observations, mag: Floats, is_free: Bools, ref: Floats) -> Floats:
    """(n_star,) starting magnitudes: mean of the usable detections, else the reference, else 0."""
    n = np.bincount(obs.star[is_free], minlength=obs.stars.size)
    total = np.bincount(obs.star[is_free], mag[is_free], obs.stars.size)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan_to_num(ref))


def _solution(
    obs: Observations, options: Options, state: _State, is_free: Bools, used: Bools, chi2: Floats,
    errors: noise.Noise, n_iteration: int,
) -> Flux:  # fmt: skip
    """Move the CCDs' mean into the zero points and give the fields their zero at the optical centre."""
    design, value = state.design, state.value
    n_visit, n_ccd = obs.visits.size, obs.ccds.size
    order = max(options.order, options.visit_order)
    fields = _fields(design, value, n_visit, order, options)
    at_centre = fields @ basis.matrix(order, np.zeros(1), np.zeros(1))[0]
    fields[:, 0] -= at_centre
    n_field = design.model.n_field
    first = n_visit + design.model.n_common
    last = first + n_visit * n_field
    is_ccd = design.active[last:]
    n_used = np.bincount(obs.ccd[used], minlength=n_ccd) * is_ccd
    mean = float((value[last:] * n_used).sum() / max(n_used.sum(), 1))
    seen = np.zeros(obs.stars.size, bool)
    seen[obs.star[used]] = True
    is_ref = (state.ref_weight > 0) & seen
    reason = obs.reason.copy()
    reason[(reason == "") & ~is_free] = "no_flux"
    reason[(reason == "") & obs.is_reserved] = "reserved"
    reason[(reason == "") & ~used] = "outlier"
    notes: dict[str, Any] = {
        "gauge": "references" if is_ref.any() else "mean of the first calibrations' zero points",
        "visits_without_field": [
            int(v) for e, v in enumerate(obs.visits) if n_field and not design.active[first + e * n_field]
        ],
        "has_common_field": bool(design.active[n_visit:first].any()),
        "ccds_held": [int(c) for i, c in enumerate(obs.ccds) if not is_ccd[i]],
        **errors.notes(obs.visits, 1000.0, "mmag"),
    }
    zero_err, ccd_err = _errors(design, state, n_used / max(n_used.sum(), 1))
    has_star = state.own_total > 0  # a reference alone is no measurement
    ref_chi2 = state.ref_weight * (state.ref_mag - state.star) ** 2
    return Flux(
        # a visit without a usable flux has no zero point
        zero=np.where(design.active[:n_visit], value[:n_visit] + at_centre + mean, np.nan),
        zero_err=np.where(design.active[:n_visit], zero_err, np.nan),
        # a CCD that was not solved keeps offset 0 about the mean of the others
        ccd=np.where(is_ccd, value[last:] - mean, 0.0), ccd_err=ccd_err,
        coefficients=fields, order=order, star=np.where(has_star, state.star, np.nan),
        star_err=np.where(has_star, 1.0 / np.sqrt(np.maximum(state.total, 1e-300)), np.nan),
        residual=np.where(is_free, state.residual, np.nan), is_used=used, reason=reason, floor_mag=errors.typical,
        chi2=float(chi2[used].sum() + ref_chi2[is_ref].sum()),
        dof=int(used.sum() + is_ref.sum() - design.active.sum() - seen.sum()),
        n_parameter=int(design.active.sum()), n_iteration=n_iteration, n_ref=int(is_ref.sum()), notes=notes,
    )  # fmt: skip


def _errors(design: _Design, state: _State, share: Floats) -> tuple[Floats, Floats]:
    """One sigma (n_visit,), (n_ccd,) of zero points at the optical centre and of CCD offsets about their mean."""
    if state.solved is None:
        return np.zeros(design.model.n_visit), np.zeros(design.model.n_ccd)
    zero, ccd = (np.sqrt(np.einsum("ij,ij->j", a, state.solved.solve(a))) for a in design.model.told(share))
    return zero, np.where(design.active[-design.model.n_ccd :], ccd, 0.0)


def _fields(design: _Design, value: Floats, n_visit: int, order: int, options: Options) -> Floats:
    """(n_visit, n_terms(order)) coefficients of the common field plus each visit's own."""
    n_field = design.model.n_field
    first = n_visit + design.model.n_common
    common = basis.square(options.order, np.concatenate([[0.0], value[n_visit:first]]))
    out = np.zeros((n_visit, basis.n_terms(order)))
    for e in range(n_visit):
        own = basis.square(
            options.visit_order,
            np.concatenate([[0.0], value[first + e * n_field : first + (e + 1) * n_field]]),
        )
        whole = np.zeros((order + 1, order + 1))
        whole[: common.shape[0], : common.shape[0]] += common
        whole[: own.shape[0], : own.shape[0]] += own
        out[e] = basis.flat(whole)
    return out
