"""Errors of the photometric solution: zero points, CCD offsets, the field, and stars, with all they have in common.

With C the covariance of the unknowns a (priors included) and B_k the terms of detection k, the star of weight W has

    variance = 1 / W + b^T C b,    b = sum_k w_k B_k / W,

what the model may be wrong by where its detections lie: all stars share the error of the zero points, which references
tell. b^T C b is the mean square of b^T a over 8 to 48 draws of a, good to 10 to 35 %; 1 / W is exact. A relative
solution has no such common error: its magnitudes are about the mean of the stars with references, and only what is told
against that counts.
"""

import numpy as np

from hscdb.mosaic import fluxdraws
from hscdb.mosaic.fluxdesign import Design
from hscdb.mosaic.model import Bools, Floats, Ints
from hscdb.mosaic.schur import System

_N_DRAW = (8, 48)  # at least, at most
_ROOM = 2.4e7  # detections times draws


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


def of_stars(design: Design, solved: System, weight: Floats, total: Floats, common: Floats) -> Floats:
    """(n_star,) one sigma of stars; total (n_star,) weights with references."""
    n_draw = int(np.clip(_ROOM / weight.size, *_N_DRAW))
    draws = solved.drawn(np.random.default_rng(1), n_draw)
    square = fluxdraws.of_stars(design.model, draws, weight, total, common @ draws)
    return np.sqrt(1.0 / np.maximum(total, 1e-300) + square)


def of_fields(design: Design, solved: System | None, is_used: Bools) -> float:
    """rms over the used detections (n_obs,) of the fields' one sigma about each visit's mean [mmag]."""
    model, n = design.model, design.n_group
    if solved is None or not is_used.any() or not (model.n_common or model.n_field):
        return 0.0
    draws = solved.drawn(np.random.default_rng(2), int(np.clip(_ROOM / is_used.size, *_N_DRAW)))
    draws[:n] = draws[n + model.n_common + n * model.n_field :] = 0.0
    return round(1000.0 * float(np.sqrt(fluxdraws.of_visits(model, draws, is_used).mean())), 4)
