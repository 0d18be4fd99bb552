"""Weights that outliers cannot bend: measured error floors, Huber first, then a hard cut."""

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MEDIAN_CHI2 = {1: 0.4549, 2: 1.3863}  # medians of the chi-square distributions of 1 and 2 degrees of freedom
_N_ROUND = 30  # two far detections of six, their given errors a third smaller, are left by a quarter each round
_SAME = 1e-6  # largest change of a factor in a round after which the next would change nothing
_HUBER = {1: 1.345, 2: 1.8}  # 95 % efficiency on Gaussian residuals of 1 and 2 dimensions


def members(group: Ints, n: int) -> list[Ints]:
    """Indices of the members of each of n groups, group (n_obs,) being their numbers: one sort, not n comparisons."""
    # of small integers it is a radix sort
    order = np.argsort(group.astype(np.min_scalar_type(n)), kind="stable")
    return np.split(order, np.cumsum(np.bincount(group, minlength=n))[:-1])


def leverage(star: Ints, weight: Floats, ref_weight: Floats, n_star: int) -> Floats:
    """(n_obs,) part of an observation's variance that its own star position takes up: w_k / (sum w + w_ref).

    A star seen twice has residuals sqrt(2) too small; 1 - leverage is the share that is left.
    """
    total = np.bincount(star, weight, n_star) + ref_weight
    return np.where(weight > 0, weight / np.maximum(total[star], 1e-300), 0.0)


def floor(square: Floats, variance: Floats, share: Floats, dimension: int, largest: float) -> float:
    """Error floor f (one sigma per axis) that gives square / ((variance + f^2) share) the median of Gaussian errors.

    square   : (n,) squared residuals, summed over the axes; share (n,) 1 - leverage.
    variance : (n,) per axis, without floor.
    largest  : upper bound; returned when even that does not explain the residuals. 0 when none is needed.
    """
    if square.size < 20:
        return 0.0
    target = MEDIAN_CHI2[dimension]

    def excess(f: float) -> float:
        return float(np.median(square / ((variance + f * f) * np.maximum(share, 0.05)))) - target

    if excess(0.0) <= 0:
        return 0.0
    if excess(largest) >= 0:
        return largest
    from scipy.optimize import brentq  # half a second to import, and every command loads every stage

    return float(brentq(excess, 0.0, largest, xtol=largest * 1e-5))


def factor(chi2: Floats, dimension: int, clip_sigma: float, is_soft: bool) -> Floats:
    """(n,) factor on the weights: Huber's while the fit is still moving (is_soft), then 1 or 0 at clip_sigma."""
    r = np.sqrt(chi2)
    if is_soft:
        return np.minimum(1.0, _HUBER[dimension] / np.maximum(r, 1e-12))
    # the same tail probability as clip_sigma in one dimension
    limit = clip_sigma if dimension == 1 else np.sqrt(clip_sigma**2 + 2.0)
    return (r <= limit).astype(np.float64)


def resting(n_pass: int, n_soft: int, before: Floats, now: Floats) -> Floats:
    """(n,) factors such that a fit comes to its end: what is out after 2 n_soft passes stays out, and after 3 n_soft
    the set is what it is.

    Where the model does not hold (rigid CCDs sheared by 3e-4) one reference of 0.2 mas, cut or not, moves detections by
    10 mas, and others are cut for it: sets that are chosen anew each time never rest, those that shrink do so too late.
    """
    if n_pass > 3 * n_soft:
        return before
    return now * (before > 0) if n_pass > 2 * n_soft else now


def settle(
    start: Ints, residual: Floats, weight: Floats, inverse: Floats, clip_sigma: float, is_soft: bool
) -> Floats:
    """(n_obs,) factors on the weights, each star's own mean being found anew under them.

    start    : (n_star + 1,) first observation of each star.
    residual : (n_obs, dimension) about any place of the star; weight (n_obs,) inverse variance, 0 for what may not
               count; inverse (n_obs, 1) or (n_obs, 3) inverse (co)variances by which residuals are judged.

    Two bad detections of six drag a plain mean so far that all six look bad; the mean under Huber's weights, found in
    a few rounds, stays with the four.
    """
    dimension = residual.shape[1]
    chi2 = np.empty(residual.shape[0])
    _settle(start, residual, weight, inverse, _HUBER[dimension], chi2)
    return factor(chi2, dimension, clip_sigma, is_soft)


@njit(cache=True, nogil=True)
def _settle(start, residual, weight, inverse, huber, chi2):
    dimension = residual.shape[1]
    n_most = 1
    for s in range(start.size - 1):
        n_most = max(n_most, start[s + 1] - start[s])
    soft = np.empty(n_most)
    mean = np.empty(dimension)
    for s in range(start.size - 1):
        first, last = start[s], start[s + 1]
        soft[: last - first] = 1.0
        for _ in range(_N_ROUND):
            total = 0.0
            mean[:] = 0.0
            for k in range(first, last):
                w = weight[k] * soft[k - first]
                total += w
                for i in range(dimension):
                    mean[i] += w * residual[k, i]
            total = max(total, 1e-300)
            change = 0.0
            for k in range(first, last):
                a = residual[k, 0] - mean[0] / total
                square = a * a * inverse[k, 0]
                if dimension == 2:
                    b = residual[k, 1] - mean[1] / total
                    square += 2.0 * a * b * inverse[k, 1] + b * b * inverse[k, 2]
                chi2[k] = square / max(1.0 - weight[k] * soft[k - first] / total, 0.05)
                new = min(1.0, huber / max(np.sqrt(chi2[k]), 1e-12))
                change = max(change, abs(new - soft[k - first]))
                soft[k - first] = new
            if change < _SAME:
                break


def wander(star: Ints, used: Bools, place: Floats, n_star: int) -> float:
    """How far detections lie from the mean place (n, 2) of their stars in the focal plane: rms per axis, same unit.

    A field common to all visits is told apart from the stars' own magnitudes by this alone.
    """
    n = np.bincount(star[used], minlength=n_star)
    k = np.flatnonzero(used & (n[star] >= 2))
    if not k.size:
        return 0.0
    mean = np.stack([np.bincount(star[k], axis[k], n_star) for axis in place.T], axis=1) / np.maximum(n, 1)[:, None]
    return float(np.sqrt(np.mean((place[k] - mean[star[k]]) ** 2)))


def connected(star: Ints, visit: Ints, has_ref: Bools, n_visit: int) -> Ints:
    """(n_visit,) group of each visit: visits that share stars, or that have reference stars, are in one group.

    Group 0 is the one with the references, if there are any, else the largest.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n_star = has_ref.size
    # bipartite graph of visits, stars and one node for the reference frame
    rows = np.concatenate([visit, np.full(int(has_ref.sum()), n_visit + n_star)])
    columns = np.concatenate([n_visit + star, n_visit + np.flatnonzero(has_ref)])
    graph = coo_matrix((np.ones(rows.size), (rows, columns)), shape=(n_visit + n_star + 1,) * 2)
    _, label = connected_components(graph, directed=False)
    visit_label = label[:n_visit]
    if has_ref.any() and (visit_label == label[-1]).any():
        first = label[-1]
    else:
        first = np.bincount(visit_label).argmax()
    groups = [first] + [g for g in np.unique(visit_label) if g != first]
    return np.array([groups.index(g) for g in visit_label], np.int64)
