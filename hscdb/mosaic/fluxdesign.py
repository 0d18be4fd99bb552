"""Which unknowns the photometric fit has: its two models, what the data support, the priors; and their zero."""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic import basis, robust
from hscdb.mosaic.fluxmodel import Model
from hscdb.mosaic.model import Bools, Floats, Geometry, Ints, Observations, References


@dataclass(frozen=True)
class Options:
    """Settings of the fit; see mosaic/stage.py for their meaning.

    is_simple   : one zero point per frame, without fields; in_flux: fluxes, not magnitudes, are brought together.
    is_relative : references say nothing of single stars, only one number in the end.
    """

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
    is_simple: bool = False
    in_flux: bool = False
    is_relative: bool = False
    color_prior_mag: float = 0.0
    growth_prior_mag: float = 0.0
    wander_min: float = 0.05  # of the field's half size: LAST's 20 pix of 863 leave 60 mmag of a free field undecided


@dataclass(frozen=True)
class Design:
    """The model's terms, the inverse variances of their priors, and which of them the data support.

    group       : (n_obs,) index of the zero point of each detection: its visit, or its frame.
    group_visit, group_ccd : (n_group,) indices of the visit, and of the CCD (-1: of all CCDs), of each zero point.
    """

    model: Model
    ridge: Floats
    active: Bools
    group: Ints
    group_visit: Ints
    group_ccd: Ints

    @property
    def n_group(self) -> int:
        """Number of zero points."""
        return self.group_visit.size


def design(obs: Observations, geometry: Geometry, may: Bools, options: Options, n_ref: int) -> Design:
    """Terms, priors and which unknowns the data support (a visit's field up to n_star_per_term stars per term)."""
    n_visit, n_ccd = obs.visits.size, obs.ccds.size
    scale = geometry.flux_scale_pix
    if options.is_simple:
        frames, group = np.unique(obs.visit * n_ccd + obs.ccd, return_inverse=True)
        group_visit, group_ccd = frames // n_ccd, frames % n_ccd
        order = visit_order = 0
    else:
        group, group_visit, group_ccd = obs.visit, np.arange(n_visit), np.full(n_visit, -1)
        order, visit_order = options.order, options.visit_order
    n_group = group_visit.size
    model = Model(
        obs.start, group.astype(np.int64), obs.ccd, geometry.u / scale, geometry.v / scale, n_group, n_ccd, order,
        visit_order,
    )  # fmt: skip
    n_common, visit_terms = model.n_common, model.n_field
    n_group_stars = np.bincount(group[may], minlength=n_group)
    n_ccd_stars = np.bincount(obs.ccd[may], minlength=n_ccd)
    is_ccd = (n_ccd_stars >= 3) & options.solve_ccd & (n_ccd > 1) & (not options.is_simple)
    place = np.stack([geometry.u, geometry.v], axis=1) / geometry.scale_pix
    # where stars stay at their pixels nothing but references tells the common field from their magnitudes
    is_told = n_ref > n_common or robust.wander(obs.star, may, place, obs.stars.size) > options.wander_min
    n_needed = options.n_star_per_term * (n_common + n_group)
    is_common = np.full(n_common, is_told and may.sum() >= n_needed)
    degree, own_degree = basis.degrees(order)[1:], basis.degrees(visit_order)[1:]
    # terms up to the degree that a visit's stars support
    needed = options.n_star_per_term * np.array([basis.n_terms(int(d)) for d in own_degree])
    is_field = n_group_stars[:, None] >= needed
    # a visit's field that holds the illumination error, too, is as smooth and as large as that
    own = options.field_prior_mag / np.sqrt(own_degree) if order == 0 else options.visit_field_prior_mag
    ridge = np.concatenate(
        [
            np.full(n_group, options.zero_prior_mag**-2.0),
            # the illumination error is smooth: let the prior fall with the degree
            (options.field_prior_mag / np.sqrt(degree)) ** -2.0,
            np.tile(np.broadcast_to(own, (visit_terms,)) ** -2.0, n_group),
            np.full(n_ccd, options.ccd_prior_mag**-2.0),
        ]
    )
    active = np.concatenate([n_group_stars > 0, is_common, is_field.ravel(), is_ccd])
    return Design(model, ridge, active, group.astype(np.int64), group_visit.astype(np.int64), group_ccd)


def fields(design: Design, value: Floats, n_visit: int) -> Floats:
    """(n_visit, n_terms) coefficients of the common field plus each visit's own, of the larger of both orders."""
    model, n_group = design.model, design.n_group
    order = max(model.order, model.visit_order)
    out = np.zeros((n_visit, basis.n_terms(order)))
    first = n_group + model.n_common
    common = basis.square(model.order, np.concatenate([[0.0], value[n_group:first]]))
    for e in range(n_visit):
        whole = np.zeros((order + 1, order + 1))
        whole[: common.shape[0], : common.shape[0]] += common
        if model.n_field:
            mine = value[first + e * model.n_field : first + (e + 1) * model.n_field]
            own = basis.square(model.visit_order, np.concatenate([[0.0], mine]))
            whole[: own.shape[0], : own.shape[0]] += own
        out[e] = basis.flat(whole)
    return out


def reduced(design: Design, obs: Observations) -> dict[str, int]:
    """{visit: degree} of visits whose own field is of a lower degree than asked for."""
    model = design.model
    if not model.n_field:
        return {}
    first = design.n_group + model.n_common
    active = design.active[first : first + design.n_group * model.n_field].reshape(design.n_group, model.n_field)
    highest = (active * basis.degrees(model.visit_order)[1:]).max(axis=1)
    return {str(v): int(d) for v, d in zip(obs.visits, highest, strict=True) if d < model.visit_order}


def common_zero(
    refs: References, star: Floats, star_err: Floats, obs: Observations, options: Options
) -> tuple[float, float, int]:
    """What is added to all magnitudes of a relative solution, its error, and the number of references [mag].

    The mean of reference minus star, beyond clip_sigma of their errors left out; nothing in an absolute solution.
    """
    variance = refs.mag_err**2 + options.ref_floor_mag**2 + star_err**2
    off = refs.mag - star
    has = np.isfinite(variance) & np.isfinite(off)
    has[np.unique(obs.star[obs.is_reserved])] = False
    if not (options.is_relative and has.any()):
        return 0.0, 0.0, 0
    off, weight = off[has], 1.0 / variance[has]
    mean, kept = float(np.median(off)), np.ones(off.size, bool)
    for _ in range(10):
        spread = max(1.0, 1.4826 * float(np.median(np.abs(off - mean) * np.sqrt(weight))))  # errors may be too small
        kept = np.abs(off - mean) * np.sqrt(weight) <= options.clip_sigma * spread
        mean = float(np.average(off[kept], weights=weight[kept]))
    return mean, float(1.0 / np.sqrt(weight[kept].sum())), int(kept.sum())


def by_frame(
    design: Design, zero: Floats, zero_err: Floats, obs: Observations, used: Bools
) -> tuple[Floats, Floats, Floats, Floats]:
    """Zero points of visits and their errors (n_visit,), and the frames' offsets from them (n_visit, n_ccd).

    A visit's is the mean of its frames' by detections; a frame without any takes the mean offset of its CCD.
    """
    n_visit, n_ccd = obs.visits.size, obs.ccds.size
    e, c = design.group_visit, design.group_ccd
    known = np.isfinite(zero)
    n = np.bincount(design.group[used], minlength=design.n_group) * known
    total = np.maximum(np.bincount(e, n, n_visit), 1e-300)
    visit = np.bincount(e, n * np.where(known, zero, 0.0), n_visit) / total
    visit_err = np.sqrt(np.bincount(e, n * np.where(known, zero_err, 0.0) ** 2, n_visit) / total)
    has = np.bincount(e, n, n_visit) > 0
    frame, frame_err = np.full((n_visit, n_ccd), np.nan), np.full((n_visit, n_ccd), np.nan)
    frame[e, c], frame_err[e, c] = zero - visit[e], zero_err
    there = np.isfinite(frame)
    mean = np.where(there, frame, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    frame = np.where(there, frame, mean)
    frame_err = np.where(there, frame_err, visit_err[:, None])
    return np.where(has, visit, np.nan), np.where(has, visit_err, np.nan), frame, frame_err
