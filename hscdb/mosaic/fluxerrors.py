"""Errors of the photometric solution: zero points, CCD offsets, the field, and stars, with all they have in common.

With C the covariance of the unknowns a (priors included) and B_k the terms of detection k, the star of weight W has

    variance = 1 / W + b^T C b,    b = sum_k w_k B_k / W,

what the model may be wrong by where its detections lie: all stars share the error of the zero points, which references
tell. b^T C b is the mean square of b^T a over 8 to 48 draws of a, good to 10 to 35 %; 1 / W is exact. A relative
solution has no such common error: its magnitudes are about the mean of the stars with references, and only what is told
against that counts.
"""

import numpy as np

from hscdb.mosaic import basis
from hscdb.mosaic.fluxdesign import Design
from hscdb.mosaic.model import Bools, Floats, Ints
from hscdb.mosaic.schur import System

_N_DRAW = (8, 48)  # at least, at most
_ROOM = 2.4e7  # detections times draws
_SIDE = 7  # points along a side of the focal plane on which the fields' error is told


def told(design: Design, solved: System, share: Floats, common: Floats) -> tuple[Floats, Floats]:
    """One sigma (n_group,), (n_ccd,) of zero points at the optical centre and of CCD offsets about their mean.

    share : (n_ccd,) of the detections; common (n,) what is taken off zero points in a relative solution.
    """
    n_ccd = design.model.n_ccd
    if design.group_ccd[0] >= 0:  # of thousands of frames: nothing else is shared, so that each has its own error
        return np.sqrt(solved.variance()[: design.n_group]), np.zeros(n_ccd)
    zeros, ccds = design.model.told(share)
    zeros -= common[:, None]
    zero, ccd = (np.sqrt(np.einsum("ij,ij->j", a, solved.solve(a))) for a in (zeros, ccds))
    return zero, np.where(design.active[-n_ccd:], ccd, 0.0)


def mean_star(design: Design, weight: Floats, total: Floats, star: Ints, which: Bools) -> Floats:
    """(n,) factors of the unknowns in the mean magnitude of stars `which` (n_star,), of total weight `total`."""
    part = which[star] * weight / np.maximum(total[star], 1e-300) / max(int(which.sum()), 1)
    return design.model.pull(part, np.ones(weight.size))


def of_stars(design: Design, solved: System, weight: Floats, total: Floats, star: Ints, common: Floats) -> Floats:
    """(n_star,) one sigma of stars; total (n_star,) weights with references."""
    n_draw = int(np.clip(_ROOM / weight.size, *_N_DRAW))
    draws = solved.drawn(np.random.default_rng(1), n_draw)
    square = np.zeros(total.size)
    for one in draws.T:
        off = np.bincount(star, weight * design.model.sums(one), total.size) / np.maximum(total, 1e-300)
        square += np.where(total > 0, off - common @ one, 0.0) ** 2
    return np.sqrt(1.0 / np.maximum(total, 1e-300) + square / n_draw)


def of_fields(design: Design, solved: System | None, n_visit: int) -> float:
    """rms over visits and the focal plane, |u|, |v| <= scale, of the fields' one sigma about their mean [mmag]."""
    model = design.model
    if solved is None or not (model.n_common or model.n_field):
        return 0.0
    side = np.linspace(-1.0, 1.0, _SIDE)
    u, v = (a.ravel() for a in np.meshgrid(side, side))
    common, own = basis.matrix(model.order, u, v)[:, 1:], basis.matrix(model.visit_order, u, v)[:, 1:]
    draws = solved.drawn(np.random.default_rng(2), _N_DRAW[1])
    first = design.n_group + model.n_common
    square = 0.0
    for e in range(n_visit):
        mine = draws[first + e * model.n_field : first + (e + 1) * model.n_field]
        field = common @ draws[design.n_group : first] + own @ mine
        square += float(np.mean((field - field.mean(axis=0)) ** 2)) / n_visit
    return round(1000.0 * float(np.sqrt(square)), 4)
