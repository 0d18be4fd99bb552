"""The joint photometric fit: visit zero points, CCD scales, focal-plane fields and all star magnitudes at once.

With m the instrumental magnitude after the pixel-area correction (m = -2.5 log10 counts - 2.5 log10 J), minimised is

    sum_k (m_k + f_e + g_c + C(u, v) + P_e(u, v) - m_s)^2 / (sigma_k^2 + floor^2)
    + sum_ref (m_s - m_ref)^2 / (sigma_ref^2 + floor_ref^2) + priors,

f_e zero point of visit e, g_c offset of CCD c, C a Chebyshev field of order `order` common to all visits (the
illumination error of the flat), P_e one of order `visit_order` per visit (clouds, seeing); m_s the star, free. The
star magnitudes are eliminated (schur.py). Signs are those of hscPipe's mosaic: all terms are added to m. The simple
model (fluxdesign.py) has one f_ec of each frame and nothing else; `in_flux` brings fluxes together, not magnitudes.

Gauge: every field and offset has a Gaussian prior around 0 (30 mmag for C and g_c, 10 mmag for P_e), the zero points
one of 0.3 mag around the first calibration's; that makes the modes regular which are singular in mosaic (per-visit
fields without references, sky gradients), at no measurable cost where the data decide. Afterwards the weighted mean of
g_c goes to f_e and C + P_e is given its zero at u = v = 0. Unknowns: n_visit (1 + terms(visit_order) - 1) + n_ccd +
terms(order) - 1: 12 visits, 100 CCDs, orders 7 and 2: 207.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.mosaic import basis, conjugate, fluxdesign, fluxerrors, noise, robust, schur, tint
from hscdb.mosaic.fluxdesign import Design, Options
from hscdb.mosaic.model import Bools, Floats, Flux, Geometry, Observations, References
from hscdb.mosaic.progress import Watch

_N_SOFT = 4  # passes with Huber weights before the hard cut
_TOLERANCE, _N_STEP, _N_SLOW = 1e-2, 60, 10  # of the gradient left by a pass; its steps; from which a matrix is cheaper
_SETTLED_MAG = 1e-6
_FIRST_FLOOR_MAG = 0.002  # only for the first pass; measured afterwards
_POGSON = 2.5 / np.log(10.0)
_MOST_RATIO = 10.0  # of a detection's flux to its star's, in what is taken of it for its error


def fit(
    obs: Observations, refs: References, geometry: Geometry, mag: Floats, zero_start: Floats, options: Options,
    seeing: Floats | None = None,
) -> Flux:  # fmt: skip
    """Solve the joint photometry of all visits; the module's text says what is minimised.

    mag        : (n_obs,) instrumental magnitude with the pixel-area correction.
    zero_start : (n_visit,) zero point of the first calibration (NaN: none; the visits' median is taken).
    seeing     : (n_visit, n_ccd) ln of each frame's seeing minus its visit's mean, 0 where it is not known.

    Raises DataError singular_fit.
    """
    is_free = (obs.reason == "") & np.isfinite(mag) & np.isfinite(obs.mag_err)
    may = is_free & ~obs.is_reserved
    n_ref = 0 if options.is_relative else int(np.isfinite(refs.mag).sum())
    design = fluxdesign.design(obs, geometry, may, options, n_ref)
    state = _State(obs, refs, design, np.where(is_free, mag, 0.0), is_free, _filled(zero_start), options, seeing)
    given = np.where(is_free, np.nan_to_num(obs.mag_err, nan=1.0) ** 2, 1.0)
    errors = noise.constant(_FIRST_FLOOR_MAG if options.floor_mag is None else options.floor_mag, obs.visits.size)
    soft, before = np.ones(mag.size), np.full(mag.size, -1.0)
    is_told = noise.sample(obs.x.size)
    n_iteration, watch = 0, Watch("fluxes", "mag")
    while True:
        n_iteration += 1
        watch.tell(n_iteration, state.travel)
        state.advance(is_free * soft / errors.variance(given * state.ratio2, obs.visit), may, n_iteration == _N_SOFT)
        variance = given * state.ratio2
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
        soft = robust.resting(n_iteration, _N_SOFT, before, soft)
        state.doubt_references(options.clip_sigma, n_iteration < _N_SOFT)
        is_same = np.array_equal(before > 0, soft > 0)
        before = soft
        if (state.travel < _SETTLED_MAG and n_iteration > 2 * _N_SOFT - 2 and is_same) or (
            n_iteration >= options.n_iteration_max
        ):
            break
    chi2 = state.residual**2 / errors.variance(variance, obs.visit)
    return _solution(obs, refs, options, state, is_free, may & (soft > 0), chi2, errors, n_iteration)


class _State:
    """The moving parts of the fit: unknowns `value` and star magnitudes `star`."""

    def __init__(self, obs: Observations, refs: References, design: Design, mag: Floats, is_free: Bools,
                 zero_start: Floats, options: Options, seeing: Floats | None) -> None:  # fmt: skip
        self.obs, self.design, self.mag = obs, design, mag
        self.value = np.zeros(design.ridge.size)
        self.value[: design.n_group] = zero_start[design.group_visit]
        self.in_flux = options.in_flux
        self.prior = self.value.copy()
        self.has_ref = np.isfinite(refs.mag) & np.isfinite(refs.mag_err) & (not options.is_relative)
        self.ref_mag = np.nan_to_num(refs.mag)
        variance = np.nan_to_num(refs.mag_err, nan=1.0) ** 2 + options.ref_floor_mag**2
        self.ref_weight = np.where(self.has_ref, 1.0 / variance, 0.0)
        self.ref_weight[np.unique(obs.star[obs.is_reserved])] = 0.0
        self.ref_whole = self.ref_weight.copy()
        self.star = _first_stars(obs, mag + self.value[design.group], is_free, np.where(self.has_ref, refs.mag, np.nan))
        none: Floats = np.zeros(0)
        self.residual = self.own_residual = self.share = self.own_mean = self.ref_residual = none
        self.start = design.model.start
        self.moved = mag + design.model.sums(self.value)
        self.system: schur.System | None = None
        self.solved: schur.System | None = None
        self.weight = self.total = self.own_total = none
        self.travel = np.inf
        self.ratio2 = self._ratio2()
        color, self.seeing, n = tint.centered(refs.color), seeing, obs.visits.size
        self.tint = self.growth = None
        if options.color_prior_mag > 0.0 and color is not None:
            self.tint = tint.Tint(self.start, obs.visit, n, color[obs.star], options.color_prior_mag, 1)
        if options.growth_prior_mag > 0.0 and seeing is not None:
            amount, all_visits = seeing[obs.visit, obs.ccd], np.zeros_like(obs.visit)
            self.growth = tint.Tint(self.start, all_visits, 1, amount, options.growth_prior_mag, 1)

    def _miss(self, off: Floats) -> Floats:
        """What is brought to nothing, of magnitudes minus their star's: themselves, or fluxes in units of the star's.

        1.0857 (1 - F_k / F_s) is the same where it is small, but has the noise of a flux: even and without bias. Its
        slope is taken as that of magnitudes: with F_k / F_s on it noise would draw all scales down.
        """
        return _POGSON * (1.0 - 10.0 ** (-0.4 * off)) if self.in_flux else off

    def _ratio2(self) -> Floats:
        """(n_obs,) or one: (F_k / F_s)^2, by which errors in magnitudes become errors of fluxes."""
        if not self.in_flux:
            return np.ones(1)
        ratio = 10.0 ** (-0.4 * (self.moved - self.star[self.obs.star]))
        return np.asarray(np.clip(ratio, 1.0 / _MOST_RATIO, _MOST_RATIO) ** 2)

    def advance(self, weight: Floats, may: Bools, is_last_of_matrix: bool) -> None:
        """One weighted solve of all unknowns and stars; weight (n_obs,) [mag^-2].

        With the matrix of an earlier pass, if one was kept, they are found by conjugate gradients.
        """
        obs, model, n = self.obs, self.design.model, self.obs.stars.size
        offset = self._miss(self.moved - self.star[obs.star])
        ref_offset = np.where(self.has_ref, self._miss(self.ref_mag - self.star), 0.0)
        fitted = weight * may
        pull = self.prior - self.value
        if self.system is None:
            h, g = model.reduce(fitted, offset, self.ref_weight, ref_offset)
            self.system = self.solved = schur.System(h, self.design.ridge, self.design.active)
            step = self.system.step(g, pull)
        else:
            g = model.gradient(fitted, offset, self.ref_weight, ref_offset)
            step = self._iterated(self.system, g, pull, fitted)
        self.travel = float(np.abs(step).max())
        if is_last_of_matrix:
            self.system = None
        self.value = self.value + step
        self.moved = self.mag + model.sums(self.value)
        offset = self._miss(self.moved - self.star[obs.star])
        for one in (self.tint, self.growth):
            if one is not None:
                columns = one.amount[:, None, None]
                more = one.improve(columns, fitted, offset[:, None], self.ref_weight, ref_offset[:, None])[:, 0]
                self.mag, self.moved = self.mag + more, self.moved + more
                offset = self._miss(self.moved - self.star[obs.star])
        self.weight, self.own_total = weight, np.asarray(np.bincount(obs.star, weight, n), np.float64)
        self.total = self.own_total + self.ref_weight
        own = np.bincount(obs.star, weight * offset, n)
        shift = np.where(self.total > 0, (own + self.ref_weight * ref_offset) / np.maximum(self.total, 1e-300), 0.0)
        self.own_mean = self.star + own / np.maximum(self.own_total, 1e-300)
        self.star = self.star + shift
        self.residual = self._miss(self.moved - self.star[obs.star])
        self.ref_residual = np.where(self.has_ref, self._miss(self.ref_mag - self.star), 0.0)
        self.own_residual = self._miss(self.moved - self.own_mean[obs.star])
        self.ratio2 = self._ratio2()
        self.share = 1.0 - robust.leverage(obs.star, weight, np.zeros(n), n)

    def _iterated(self, system: schur.System, g: Floats, pull: Floats, fitted: Floats) -> Floats:
        """(n,) change of the unknowns by the matrix of the present weights; system: of earlier ones, much like it."""
        model, ridge, active = self.design.model, self.design.ridge, self.design.active

        def product(along: Floats) -> Floats:
            h = model.gradient(fitted, self.mag, self.ref_weight, self.ref_mag, along[:, 0]) + ridge * along[:, 0]
            return np.where(active, h, 0.0)[:, None]

        right = np.where(active, ridge * pull - g, 0.0)[:, None]
        answer, n_step = conjugate.solve(product, system.solve, right, _TOLERANCE, _N_STEP)
        if n_step > _N_SLOW:
            self.system = None
        return answer[:, 0]

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


def _first_stars(obs: Observations, mag: Floats, is_free: Bools, ref: Floats) -> Floats:
    """(n_star,) starting magnitudes: mean of the usable detections, else the reference, else 0."""
    n = np.bincount(obs.star[is_free], minlength=obs.stars.size)
    total = np.bincount(obs.star[is_free], mag[is_free], obs.stars.size)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan_to_num(ref))


def _solution(
    obs: Observations, refs: References, options: Options, state: _State, is_free: Bools, used: Bools, chi2: Floats,
    errors: noise.Noise, n_iteration: int,
) -> Flux:  # fmt: skip
    """Move the CCDs' mean into the zero points and give the fields their zero at the optical centre."""
    design, value = state.design, state.value
    n_visit, n_ccd, n_group = obs.visits.size, obs.ccds.size, design.n_group
    fields = fluxdesign.fields(design, value, n_visit)
    order = max(design.model.order, design.model.visit_order)
    at_centre = fields @ basis.matrix(order, np.zeros(1), np.zeros(1))[0]
    fields[:, 0] -= at_centre
    n_field = design.model.n_field
    first = n_group + design.model.n_common
    last = first + n_group * n_field
    is_ccd = design.active[last:]
    n_used = np.bincount(obs.ccd[used], minlength=n_ccd) * is_ccd
    mean = float((value[last:] * n_used).sum() / max(n_used.sum(), 1))
    seen = np.zeros(obs.stars.size, bool)
    seen[obs.star[used]] = True
    is_ref = (state.ref_weight > 0) & seen
    has_star = state.own_total > 0  # a reference alone is no measurement
    own_err = np.where(seen, 1.0 / np.sqrt(np.maximum(state.total, 1e-300)), np.nan)
    common, common_err, n_tied = fluxdesign.common_zero(refs, state.star, own_err, obs, options)
    notes: dict[str, Any] = {
        "gauge": "references" if is_ref.any() or n_tied else "mean of the first calibrations' zero points",
        "visits_without_field": [
            int(v) for e, v in enumerate(obs.visits) if n_field and not design.active[first + e * n_field]
        ],
        "reduced_fields": fluxdesign.reduced(design, obs),
        "has_common_field": bool(design.active[n_group:first].any()),
        "ccds_held": [int(c) for i, c in enumerate(obs.ccds) if not is_ccd[i] and not options.is_simple],
        "model": ("simple" if options.is_simple else "constrained") + ("Flux" if options.in_flux else "Magnitude"),
        "is_relative": options.is_relative, "field_err_mmag": fluxerrors.of_fields(design, state.solved, used),
        **errors.notes(obs.visits, 1000.0, "mmag"),
        **({} if state.tint is None else state.tint.notes(obs.visits, "color_mmag_per_mag", 1000.0)),
        **({} if state.growth is None else {"growth_mag_per_ln_seeing": round(float(state.growth.value[0, 0]), 5)}),
    }
    share, tied = n_used / max(n_used.sum(), 1), seen & np.isfinite(refs.mag)
    zero_err, ccd_err, star_err = _errors(obs, state, share, tied, n_tied)
    zero = np.where(design.active[:n_group], value[:n_group] + common, np.nan)
    zero_err = np.where(design.active[:n_group], np.hypot(zero_err, common_err), np.nan)
    frame = frame_err = None
    if options.is_simple:
        zero, zero_err, frame, frame_err = fluxdesign.by_frame(design, zero, zero_err, obs, used)
    ref_chi2 = state.ref_weight * state.ref_residual**2
    return Flux(
        # a visit without a usable flux has no zero point
        zero=zero + at_centre + mean, zero_err=zero_err,
        # a CCD that was not solved keeps offset 0 about the mean of the others
        ccd=np.where(is_ccd, value[last:] - mean, 0.0), ccd_err=ccd_err, frame=frame, frame_err=frame_err,
        growth=None if state.growth is None or state.seeing is None else state.growth.value[0, 0] * state.seeing,
        coefficients=fields, order=order, star=np.where(has_star, state.star + common, np.nan),
        star_err=np.where(has_star, np.hypot(star_err, common_err), np.nan),
        residual=np.where(is_free, state.moved - state.star[obs.star], np.nan), is_used=used,
        reason=_reasons(obs, is_free, used), floor_mag=errors.typical,
        chi2=float(chi2[used].sum() + ref_chi2[is_ref].sum()),
        dof=int(used.sum() + is_ref.sum() - design.active.sum() - seen.sum()),
        n_parameter=int(design.active.sum()), n_iteration=n_iteration, n_ref=n_tied or int(is_ref.sum()), notes=notes,
    )  # fmt: skip


def _reasons(obs: Observations, is_free: Bools, used: Bools) -> npt.NDArray[np.object_]:
    reason = obs.reason.copy()
    reason[(reason == "") & ~is_free] = "no_flux"
    reason[(reason == "") & obs.is_reserved] = "reserved"
    reason[(reason == "") & ~used] = "outlier"
    return reason


def _errors(obs: Observations, state: _State, share: Floats, tied: Bools, n_tied: int) -> tuple[Floats, Floats, Floats]:
    """One sigma of zero points (n_group,), CCD offsets (n_ccd,) and stars (n_star,) [mag], see fluxerrors.py.

    share : (n_ccd,) of the detections; tied: stars whose references tell a relative solution's zero, n_tied of them.
    """
    design, solved, total = state.design, state.solved, state.total
    if solved is None:
        return np.zeros(design.n_group), np.zeros(design.model.n_ccd), 1.0 / np.sqrt(np.maximum(total, 1e-300))
    common = np.zeros(design.ridge.size)
    if n_tied:
        common = fluxerrors.mean_star(design, state.weight, total, obs.star, tied)
    zero, ccd = fluxerrors.told(design, solved, share, common)
    return zero, ccd, fluxerrors.of_stars(design, solved, state.weight, total, common)
