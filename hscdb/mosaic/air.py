"""The air of each visit as a Gaussian process: its scale and strength by the residuals, its field by their prediction.

    covariance(d) = A_e^2 (1 + d / L) exp(-d / L),        noise variance of detection k = given_k + n^2

for each component. L, n and a common A maximise the likelihood of the brightest detections of some visits (Nelder-Mead,
both components at once); A_e is A scaled by what the visit's residuals have more than noise. The prediction is made on
a grid of each CCD from the detections on it and within 2 L around (at most 300, the most exact), and a polynomial of
total degree 7 goes through it: all linear in the residuals, one matrix of each frame.

Size: a 300 x 300 Cholesky per frame, about 3 ms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from hscdb.mosaic import basis
from hscdb.mosaic.frames import TURBULENCE_ORDER, by_frame
from hscdb.mosaic.model import Astrometry, Floats, Geometry, Ints, Observations

_N_POINT = 300  # detections that predict a CCD's field
_N_LIKELY, _N_VISIT = 200, 8  # detections of a visit, and visits, whose likelihood is maximised
_N_PER_VISIT = 30  # used detections below which a visit's field is not asked for
_LENGTHS_ARCSEC = (5.0, 2000.0)
_START_ARCSEC = 90.0
_FREE_MAS = 1000.0  # of the polynomials' terms, as good as free beside a few mas


@dataclass(frozen=True)
class Air:
    """The process in the detections: amplitude (n_visit,) [mas], length [pix], noise [mas] beside the given.

    It is larger and longer than `left`, the same three of the residuals: the visits' polynomials have taken the longest
    waves.  n_round : how often the field by `left` was taken off (0: never); half (n_ccd, 2) as in model.Turbulence.
    """

    amplitude: Floats
    length: float
    noise: float
    left: tuple[Floats, float, float]
    n_round: int
    half: Floats


def measured(
    obs: Observations, geometry: Geometry, solution: Astrometry, target: Floats
) -> tuple[Floats, float, float] | None:
    """Amplitudes (n_visit,) [mas], length [pix] and noise [mas] of the process in residuals.

    target : (n_obs, 2) along xi and eta [mas], with what was taken off put back. None: no visit has enough stars, or
             none has more than noise.
    """
    points = _points(obs, solution)
    if not points:
        return None
    place, given = _place(geometry), solution.given_variance
    bounds = np.array(_LENGTHS_ARCSEC) / geometry.arcsec
    begin = np.array([np.nan, _START_ARCSEC / geometry.arcsec, np.nan])
    amplitude2, length, noise2 = _likely(points, place, target, given, bounds, begin)
    # of the most exact detections: of all, the photons of the faint would drown it
    best = {e: k[np.argsort(given[k], kind="stable")[:_N_LIKELY]] for e, k in points.items()}
    excess = {e: max(float(np.median(target[k] ** 2) / 0.4549 - np.median(given[k]) - noise2), 0.0)
              for e, k in best.items()}  # fmt: skip
    if not any(excess.values()):
        return None
    common = float(np.median(list(excess.values())))
    amplitude = np.zeros(obs.visits.size)
    for e in points:
        # never more than twice what the visit has beyond noise: the ratio of two small numbers is no measure
        own2 = min(amplitude2 * (excess[e] / common if common > 0.0 else 1.0), 2.0 * excess[e])
        amplitude[e] = np.sqrt(own2)
    return amplitude, length, float(np.sqrt(noise2))


def whole(
    obs: Observations, geometry: Geometry, solution: Astrometry, target: Floats, left: tuple[Floats, float, float]
) -> tuple[Floats, float, float]:
    """As `measured`, of the air before the visits' polynomials took their part of it: `left`, what they have left.

    Their terms are free in each visit's covariance (restricted likelihood), to _FREE_MAS each.
    """
    points, place = _points(obs, solution), _place(geometry)
    field = np.stack([geometry.field_x, geometry.field_y], axis=1) / geometry.scale_pix
    bounds = np.array(_LENGTHS_ARCSEC) / geometry.arcsec
    typical = float(np.median(left[0][left[0] > 0]))
    begin = np.array([(2.0 * typical) ** 2, 2.0 * left[1], max(left[2], 0.1) ** 2])
    amplitude2, length, noise2 = _likely(points, place, target, solution.given_variance, bounds, begin, field,
                                         solution.order)  # fmt: skip
    # visits differ by what is left in them, but not by more than can be told
    return np.sqrt(amplitude2) * np.minimum(left[0] / typical, 2.0), length, float(np.sqrt(noise2))


def filters(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, amplitude: Floats, length: float,
    noise: float,
) -> Iterator[tuple[int, int, Ints, Floats]]:  # fmt: skip
    """Of each frame with a field: visit and CCD indices, detections k, and the matrix (n_terms, k) from residuals to
    coefficients in the same unit; amplitude, length, noise as of `measured`.
    """
    points, place, given = _points(obs, solution), _place(geometry), solution.given_variance
    grid, inverse = _grid()
    ccds, first = np.unique(obs.ccd, return_index=True)
    centers = {int(c): place[k] - geometry.lever[k] for c, k in zip(ccds, first, strict=True)}
    for e, c in by_frame(obs):
        if e not in points or amplitude[e] <= 0.0:
            continue
        k = points[e]
        k = k[(np.abs(place[k] - centers[c]) < half[c] + 2.0 * length).all(axis=1)]
        if not k.size:
            continue
        k = k[np.argsort(given[k], kind="stable")[:_N_POINT]]
        covariance = amplitude[e] ** 2 * _correlation(place[k], place[k], length)
        covariance[np.diag_indices(k.size)] += given[k] + noise**2
        across = amplitude[e] ** 2 * _correlation(place[k], centers[c] + grid * half[c], length)
        factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        yield e, c, k, inverse @ cho_solve(factor, across, check_finite=False).T


def _points(obs: Observations, solution: Astrometry) -> dict[int, Ints]:
    """{visit index: used detections} of the visits that have enough."""
    by_visit = {e: np.flatnonzero(solution.is_used & (obs.visit == e)) for e in range(obs.visits.size)}
    return {e: k for e, k in by_visit.items() if k.size >= _N_PER_VISIT}


def _place(geometry: Geometry) -> Floats:
    return np.stack([geometry.u, geometry.v], axis=1)


def _grid() -> tuple[Floats, Floats]:
    """(n, 2) places in units of the half sizes, and the (n_terms, n) matrix from figures there to coefficients."""
    nodes = np.cos(np.pi * (np.arange(12) + 0.5) / 12.0)
    x, y = (a.ravel() for a in np.meshgrid(nodes, nodes))
    return np.stack([x, y], axis=1), np.asarray(np.linalg.pinv(basis.matrix(TURBULENCE_ORDER, x, y)), np.float64)


@njit(cache=True, nogil=True)
def _correlate(a, b, length, out):
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            d = np.sqrt((a[i, 0] - b[j, 0]) ** 2 + (a[i, 1] - b[j, 1]) ** 2) / length
            out[i, j] = (1.0 + d) * np.exp(-d)


def _correlation(a: Floats, b: Floats, length: float) -> Floats:
    """(n, m) correlation of the process between places (n, 2) and (m, 2)."""
    out = np.empty((len(a), len(b)))
    _correlate(np.ascontiguousarray(a), np.ascontiguousarray(b), length, out)
    return out


def _likely(
    points: dict[int, Ints], place: Floats, target: Floats, given: Floats, bounds: Floats, begin: Floats,
    field: Floats | None = None, order: int = 0,
) -> tuple[float, float, float]:  # fmt: skip
    """(A^2 [mas^2], L [pix], n^2 [mas^2]) of the greatest likelihood; begin: of them, NaN: by the residuals.

    field : (n_obs, 2) arguments of polynomials of that order, whose terms are free; None: none is.
    """
    richest = sorted(points, key=lambda e: -points[e].size)[:_N_VISIT]
    parts = [points[e][np.argsort(given[points[e]], kind="stable")[:_N_LIKELY]] for e in richest]
    every = np.concatenate(parts)
    extra = max(float(np.median(target[every] ** 2)) / 0.4549 - float(np.median(given[every])), 0.01)
    free = [np.zeros((k.size, k.size)) for k in parts]
    if field is not None:
        for part, k in zip(free, parts, strict=True):
            terms = basis.matrix(order, field[k, 0], field[k, 1])
            part += _FREE_MAS**2 * terms @ terms.T

    def minus_log(logs: Floats) -> float:
        amplitude2, length, noise2 = np.exp(np.clip(logs, -50.0, 50.0))
        if not bounds[0] <= length <= bounds[1]:
            return 1e300
        total = 0.0
        for k, part in zip(parts, free, strict=True):
            covariance = amplitude2 * _correlation(place[k], place[k], length) + part
            covariance[np.diag_indices(k.size)] += given[k] + noise2
            try:
                factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return 1e300
            total += 4.0 * np.log(np.diag(factor[0])).sum() + np.sum(target[k] * cho_solve(factor, target[k]))
        return float(total)

    from scipy.optimize import minimize  # half a second to import, and every command loads every stage

    begin = np.where(np.isfinite(begin), begin, [extra, bounds.mean(), 0.2 * extra])
    found = minimize(
        minus_log, np.log(begin), method="Nelder-Mead", options={"maxfev": 80, "xatol": 0.05, "fatol": 0.5}
    )
    amplitude2, length, noise2 = np.exp(found.x)
    return float(amplitude2), float(length), float(noise2)
