"""Weights that outliers cannot bend: measured error floors, Huber first, then a hard cut."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MEDIAN_CHI2 = {1: 0.4549, 2: 1.3863}  # medians of the chi-square distributions of 1 and 2 degrees of freedom
_N_ROUND = 30  # two far detections of six, their given errors a third smaller, are left by a quarter each round
_HUBER = {1: 1.345, 2: 1.8}  # 95 % efficiency on Gaussian residuals of 1 and 2 dimensions


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


def settle(
    star: Ints, n_star: int, residual: Floats, weight: Floats, chi2_of: Callable[[Floats], Floats], clip_sigma: float,
    is_soft: bool,
) -> Floats:  # fmt: skip
    """(n_obs,) factors on the weights, each star's own mean being found anew under them.

    residual : (n_obs, dimension) about any place of the star; weight (n_obs,) inverse variance, 0 for what may not
    count; chi2_of(residual) -> (n_obs,). Two bad detections of six drag a plain mean so far that all six look bad;
    the mean under Huber's weights, found in a few rounds, stays with the four.
    """
    dimension = residual.shape[1]
    soft = np.ones(star.size)
    for _ in range(_N_ROUND):
        w = weight * soft
        total = np.maximum(np.bincount(star, w, n_star), 1e-300)
        mean = np.stack([np.bincount(star, w * axis, n_star) for axis in residual.T], axis=1) / total[:, None]
        chi2 = chi2_of(residual - mean[star]) / np.maximum(1.0 - w / total[star], 0.05)
        soft = factor(chi2, dimension, clip_sigma, True)
    return soft if is_soft else factor(chi2, dimension, clip_sigma, False)


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
