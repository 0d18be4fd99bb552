"""What many draws of the photometric unknowns do to stars and fields: one loop over the detections for all of them.

Draws (size, n_draw) are of the unknowns of fluxmodel.Model, the draw last, so that the innermost loops run over
neighbors in memory: 32 draws cost three times as much as one.
"""

import numpy as np
from numba import njit

from hscdb.mosaic.basis import fill
from hscdb.mosaic.fluxmodel import Model
from hscdb.mosaic.model import Bools, Floats


def of_stars(model: Model, draws: Floats, weight: Floats, total: Floats, common: Floats) -> Floats:
    """(n_star,) mean square over the draws of what they shift each star's weighted mean by [mag^2].

    weight (n_obs,); total (n_star,) of the stars, references included; common (n_draw,) is taken off.
    """
    out = np.zeros(total.size)
    _of_stars(model.start, *model.terms(), np.ascontiguousarray(draws), weight, total, common, out)
    return out


def of_visits(model: Model, draws: Floats, used: Bools) -> Floats:
    """(n_draw,) mean square of the draws' terms at the used detections about their visit's mean [mag^2]."""
    shape = model.n_visit, draws.shape[1]
    count, first, second = np.zeros(model.n_visit), np.zeros(shape), np.zeros(shape)
    _of_visits(*model.terms(), np.ascontiguousarray(draws), used, count, first, second)
    about = second - first**2 / np.maximum(count, 1)[:, None]
    return np.asarray(about.sum(axis=0) / max(count.sum(), 1))


@njit(cache=True, nogil=True)
def _of_stars(start, visit, ccd, u, v, n_visit, order, visit_order, draws, weight, total, common, out):
    shared, own = np.empty((order + 1) * (order + 2) // 2), np.empty((visit_order + 1) * (visit_order + 2) // 2)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    one, mean = np.empty(draws.shape[1]), np.empty(draws.shape[1])
    for s in range(start.size - 1):
        if total[s] <= 0.0:
            continue
        mean[:] = 0.0
        for k in range(start[s], start[s + 1]):
            if weight[k] != 0.0:
                fill(order, u[k], v[k], tu, tv, shared)
                fill(visit_order, u[k], v[k], tu, tv, own)
                _terms(visit[k], ccd[k], n_visit, shared, own, draws, one)
                for m in range(mean.size):
                    mean[m] += weight[k] * one[m]
        for m in range(mean.size):
            out[s] += (mean[m] / total[s] - common[m]) ** 2 / mean.size


@njit(cache=True, nogil=True)
def _of_visits(visit, ccd, u, v, n_visit, order, visit_order, draws, used, count, first, second):
    """Numbers of the used detections (n_visit,), sums and sums of squares (n_visit, n_draw) over them."""
    shared, own = np.empty((order + 1) * (order + 2) // 2), np.empty((visit_order + 1) * (visit_order + 2) // 2)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    one = np.empty(draws.shape[1])
    for k in range(u.size):
        if used[k]:
            fill(order, u[k], v[k], tu, tv, shared)
            fill(visit_order, u[k], v[k], tu, tv, own)
            _terms(visit[k], ccd[k], n_visit, shared, own, draws, one)
            count[visit[k]] += 1.0
            for m in range(one.size):
                first[visit[k], m] += one[m]
                second[visit[k], m] += one[m] * one[m]


@njit(cache=True, nogil=True)
def _terms(visit, ccd, n_visit, common, own, draws, out):
    """All terms of a detection for each draw into out (n_draw,)."""
    n_common, n_own = common.size - 1, own.size - 1
    first, last = n_visit + n_common + visit * n_own, n_visit * (1 + n_own) + n_common + ccd
    for m in range(out.size):
        out[m] = draws[visit, m] + draws[last, m]
    for i in range(n_common):
        term = common[1 + i]
        for m in range(out.size):
            out[m] += term * draws[n_visit + i, m]
    for i in range(n_own):
        term = own[1 + i]
        for m in range(out.size):
            out[m] += term * draws[first + i, m]
