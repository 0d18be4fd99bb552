"""The air of each visit as a Gaussian process: its scale and strength by the residuals, its field by their prediction.

    covariance(d) = A_e^2 [(1 - c) E(d) + c B(d)],        noise variance of k = given_k (1 - w_k / W) + n^2

E(d) of the gradient of a potential, B(d) of the same turned by a right angle (waves.py), both of scale L, for xi and
eta together: d are separations of (u, v) turned by each visit's rotator. L, n and a common A maximise the likelihood
of the most exact detections of some visits (Nelder-Mead), for c = 0, air alone, and c = 1/2, where the axes know
nothing of each other; the likelier is taken. A_e is A scaled by what the visit's residuals have more than noise. W is
the weight of k's star, from whose place residuals are taken. The prediction is made on a grid of each CCD from at most
300 detections, the most exact and the nearest: those of the least

    given_k + mean square of the difference of the process between them and the CCD's border,

what they tell of its field being off by so much. A polynomial of total degree 7 goes through it: all linear in the
residuals, one matrix of each frame.

Size: a 600 x 600 Cholesky per frame, about 5 ms.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, block_diag, cho_factor, cho_solve

from hscdb.mosaic import basis, robust, waves
from hscdb.mosaic.frames import TURBULENCE_ORDER, by_frame
from hscdb.mosaic.model import Astrometry, Floats, Geometry, Ints, Observations

Singles = npt.NDArray[np.float32]

_N_POINT = 300  # detections that predict a CCD's field
# detections of a visit, of the whole air and of what is left, and visits, whose likelihood is maximised
_N_WHOLE, _N_LIKELY, _N_VISIT = 250, 120, 8
_N_PER_VISIT = 30  # used detections below which a visit's field is not asked for
_LENGTHS_ARCSEC = (5.0, 2000.0)
_START_ARCSEC = 90.0
_FREE_MAS = 1000.0  # of the polynomials' terms, as good as free beside a few mas
_STEP = 0.7  # first steps in the logarithms of A^2, L and n^2
_APART = 0.5  # share of curl where the axes know nothing of each other
_N_LONG, _N_SHORT = 80, 30  # likelihoods that are asked for


@dataclass(frozen=True)
class Process:
    """amplitude (n_visit,) [mas], length [pix], noise [mas] beside the given, and the share of curl."""

    amplitude: Floats
    length: float
    noise: float
    curl: float


@dataclass(frozen=True)
class Air:
    """The process in the detections.

    It is larger and longer than `left`, that of the residuals: the visits' polynomials have taken the longest waves.
    n_round : how often the field by `left` was taken off (0: never); half (n_ccd, 2) as in model.Turbulence.
    """

    whole: Process
    left: Process
    n_round: int
    half: Floats


def measured(obs: Observations, geometry: Geometry, solution: Astrometry, target: Floats) -> Process | None:
    """The process in residuals.

    target : (n_obs, 2) along xi and eta [mas], with what was taken off put back. None: no visit has enough stars, or
             none has more than noise.
    """
    points = _points(obs, solution)
    if not points:
        return None
    place, given = _places(obs, geometry, solution), solution.given_variance * _share(obs, solution)
    best = _exact(points, given, _N_LIKELY)
    likely = _likelihood(best, place, target, given, geometry)
    begin, curl, before = np.array([np.nan, _START_ARCSEC / geometry.arcsec, np.nan]), 0.0, solution.turbulence
    is_known = before is not None and bool((before.amplitude_mas > 0).any())
    if before is not None and is_known:
        begin[:2] = np.median(before.amplitude_mas[before.amplitude_mas > 0]) ** 2, before.length_pix
        curl = before.curl
    found = likely(begin, curl)
    if not is_known:  # from where the other ended: what is asked for is which is likelier
        found = min(found, likely(np.array(found[1:4]), _APART, _N_SHORT), key=lambda one: one[0])
    _, amplitude2, length, noise2, curl = found
    # of the most exact detections: of all, the photons of the faint would drown it
    rest = np.array([np.median(given[k]) + noise2 for k in best.values()])
    excess = np.array([np.median(target[k] ** 2) / 0.4549 for k in best.values()]) - rest
    excess = np.maximum(_alike(excess, rest, np.array([_patches(place[k], length) for k in best.values()])), 0.0)
    if not (excess > 0.0).any():
        return None
    common = float(np.median(excess))
    amplitude = np.zeros(obs.visits.size)
    # never more than twice what the visit has beyond noise: the ratio of two small numbers is no measure
    own2 = np.minimum(amplitude2 * (excess / common if common > 0.0 else np.ones(excess.size)), 2.0 * excess)
    amplitude[list(best)] = np.sqrt(own2)
    return Process(amplitude, length, float(np.sqrt(noise2)), curl)


def _patches(place: Floats, length: float) -> float:
    """How many parts of a field at places (n, 2) have air of their own: at least 1, at most n."""
    sides = np.maximum(np.ptp(place, axis=0), length)
    return float(np.clip(sides.prod() / (2.0 * np.pi * length**2), 1.0, len(place)))


def _alike(excess: Floats, rest: Floats, n_patch: Floats) -> Floats:
    """(n_visit,) variances beyond `rest` [mas^2], drawn to their mean by as much as they
    scatter because values are few.

    The median of squares tells a variance to sqrt(2 / 0.37 n), n values in all; of the air itself 2 n_patch are there.
    Nine CCDs of HSC, air of 4 mas left beside 3.4 mas of noise: without it one visit of ten has 0.4 of its amplitude or
    less, and (found - true) / error of its places is 2.7.
    """
    mean = max(float(excess.mean()), 0.0)
    chance = (2.0 / 0.37 * (mean + rest) ** 2 / (2.0 * _N_LIKELY)) + mean**2 / n_patch
    true = max(float(np.var(excess, ddof=1)) - float(chance.mean()), 0.0) if excess.size > 1 else 0.0
    return np.asarray(mean + (excess - mean) * true / (true + chance))


def whole(obs: Observations, geometry: Geometry, solution: Astrometry, target: Floats, left: Process) -> Process:
    """As `measured`, of the air before the visits' polynomials took their part of it: `left`, what they have left.

    Their terms are free in each visit's covariance (restricted likelihood), to _FREE_MAS each.
    """
    points, given = _points(obs, solution), solution.given_variance * _share(obs, solution)
    best = _exact(points, given, _N_WHOLE)
    field = np.stack([geometry.field_x, geometry.field_y], axis=1) / geometry.scale_pix
    typical = float(np.median(left.amplitude[left.amplitude > 0]))
    begin = np.array([(2.0 * typical) ** 2, 2.0 * left.length, max(left.noise, 0.1) ** 2])
    likely = _likelihood(
        best, _places(obs, geometry, solution), target, given, geometry, field, solution.order
    )
    _, amplitude2, length, noise2, _ = likely(begin, left.curl)
    # visits differ by what is left in them, but not by more than can be told
    # stars follow the air, too, by their share of it, field taken off or not: no residual tells of the mean of visits
    share = float(np.median(_share(obs, solution)[np.concatenate(list(best.values()))]))
    amplitude = np.sqrt(amplitude2 / share) * np.minimum(left.amplitude / typical, 2.0)
    return Process(amplitude, length, float(np.sqrt(noise2)), left.curl)


def fields(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, process: Process, target: Floats
) -> Iterator[tuple[int, int, Floats]]:
    """Of each frame with a field: visit and CCD indices and coefficients (2, n_terms), in the unit of target."""
    for e, c, k, factor, to_terms in _frames(obs, geometry, half, solution, process):
        alpha = cho_solve(factor, target[k].T.ravel(), check_finite=False)
        yield e, c, (to_terms @ alpha).reshape(2, -1)


def filters(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, process: Process
) -> Iterator[tuple[int, int, Ints, Singles]]:
    """As `fields` for any target: detections k, and the matrix (2 n_terms, 2 k) from residuals to coefficients."""
    for e, c, k, factor, to_terms in _frames(obs, geometry, half, solution, process):
        yield e, c, k, cho_solve(factor, to_terms.T, check_finite=False).T.astype(np.float32)


def _frames(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, process: Process
) -> Iterator[tuple[int, int, Ints, tuple[Floats, bool], Floats]]:
    """Of each frame with a field: visit, CCD, detections k, factor of their covariance (2 k, 2 k), and the matrix
    (2 n_terms, 2 k) from its inverse times residuals to coefficients.
    """
    points, given = _points(obs, solution), solution.given_variance * _share(obs, solution)
    place = np.stack([geometry.u, geometry.v], axis=1)
    axes = rotations(solution)
    grid, inverse = _grid()
    ccds, first = np.unique(obs.ccd, return_index=True)
    centers = {int(c): place[k] - geometry.lever[k] for c, k in zip(ccds, first, strict=True)}
    for e, c in by_frame(obs):
        if e not in points or process.amplitude[e] <= 0.0:
            continue
        k, variance = points[e], process.amplitude[e] ** 2
        off = np.maximum(np.abs(place[k] - centers[c]) - half[c], 0.0) / process.length
        far = np.hypot(off[:, 0], off[:, 1])
        worth = given[k] + variance * waves.unlike(far)
        k = k[np.argsort(worth, kind="stable")[:_N_POINT]]
        at, nodes = place[k] @ axes[e].T, (centers[c] + grid * half[c]) @ axes[e].T
        covariance = variance * waves.covariance(at, at, process.length, process.curl)
        covariance[np.diag_indices(2 * k.size)] += np.tile(given[k] + process.noise**2, 2)
        across = variance * waves.covariance(nodes, at, process.length, process.curl)
        factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        yield e, c, k, factor, (inverse @ across.reshape(2, len(nodes), -1)).reshape(-1, 2 * k.size)


def rotations(solution: Astrometry) -> Floats:
    """(n_visit, 2, 2) rotation, with a reflection or not, from the focal plane's u, v to each visit's xi, eta."""
    degree = basis.degrees(solution.order)
    if solution.order == 0:
        return np.tile(np.eye(2), (len(solution.coefficients), 1, 1))
    # terms of degree 1 in the stored order: T_1(y), then T_1(x)
    along_y, along_x = np.flatnonzero(degree == 1)
    slope = solution.coefficients[:, :, [along_x, along_y]]
    left, _, right = np.linalg.svd(slope)
    return np.asarray(left @ right)


def _points(obs: Observations, solution: Astrometry) -> dict[int, Ints]:
    """{visit index: used detections} of the visits that have enough."""
    by_visit = {e: np.flatnonzero(solution.is_used & (obs.visit == e)) for e in range(obs.visits.size)}
    return {e: k for e, k in by_visit.items() if k.size >= _N_PER_VISIT}


def _exact(points: dict[int, Ints], given: Floats, n: int) -> dict[int, Ints]:
    """The n most exact detections of each visit."""
    return {e: k[np.argsort(given[k], kind="stable")[:n]] for e, k in points.items()}


def _share(obs: Observations, solution: Astrometry) -> Floats:
    """(n_obs,) part of a detection's variance that is left in its residual: its star follows it by its weight."""
    given = solution.given_variance
    weight = np.where(solution.is_used, 1.0 / (given + solution.floors[obs.visit] ** 2), 0.0)
    ref = 0.5 * (solution.ref_weight[:, 0] + solution.ref_weight[:, 2])
    taken = robust.leverage(obs.star, weight, ref, obs.stars.size)
    return np.asarray(np.maximum(1.0 - taken, 0.05))


def _places(obs: Observations, geometry: Geometry, solution: Astrometry) -> Floats:
    """(n_obs, 2) places in the focal plane along each visit's xi and eta [pix]."""
    place = np.stack([geometry.u, geometry.v], axis=1)
    return np.einsum("kij,kj->ki", rotations(solution)[obs.visit], place)


def _grid() -> tuple[Floats, Floats]:
    """(n, 2) places in units of the half sizes, and the (n_terms, n) matrix from figures there to coefficients."""
    nodes = np.cos(np.pi * (np.arange(12) + 0.5) / 12.0)
    x, y = (a.ravel() for a in np.meshgrid(nodes, nodes))
    return np.stack([x, y], axis=1), np.asarray(np.linalg.pinv(basis.matrix(TURBULENCE_ORDER, x, y)), np.float64)


def _likelihood(
    points: dict[int, Ints], place: Floats, target: Floats, given: Floats, geometry: Geometry,
    field: Floats | None = None, order: int = 0,
) -> Callable[..., tuple[float, float, float, float, float]]:
    """find(begin, curl, n): (-2 ln of the greatest likelihood, A^2 [mas^2], L [pix], n^2 [mas^2], curl).

    points : detections of visits. begin : A^2, L, n^2, NaN: by the residuals; n: likelihoods that are asked for.
    field  : (n_obs, 2) arguments of polynomials of that order, whose terms are free; None: none is.
    """
    parts = [points[e] for e in sorted(points, key=lambda e: -points[e].size)[:_N_VISIT]]
    every = np.concatenate(parts)
    extra = max(float(np.median(target[every] ** 2)) / 0.4549 - float(np.median(given[every])), 0.01)
    free: list[Floats | float] = [0.0] * len(parts)
    if field is not None:
        designs = [basis.matrix(order, field[k, 0], field[k, 1]) for k in parts]
        free = [block_diag(*[_FREE_MAS**2 * d @ d.T] * 2) for d in designs]
    seen = [target[k].T.ravel() for k in parts]
    bounds = np.array(_LENGTHS_ARCSEC) / geometry.arcsec

    def minus_log(logs: Floats, curl: float) -> float:
        amplitude2, length, noise2 = np.exp(np.clip(logs, -50.0, 50.0))
        if not bounds[0] <= length <= bounds[1]:
            return 1e300
        total = 0.0
        for k, part, one in zip(parts, free, seen, strict=True):
            covariance = amplitude2 * waves.covariance(place[k], place[k], length, curl) + part
            covariance[np.diag_indices(2 * k.size)] += np.tile(given[k] + noise2, 2)
            try:
                factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return 1e300
            total += 2.0 * np.log(np.diag(factor[0])).sum() + one @ cho_solve(factor, one, check_finite=False)
        return float(total)

    def find(begin: Floats, curl: float, n: int = _N_LONG) -> tuple[float, float, float, float, float]:
        from scipy.optimize import minimize  # half a second to import, and every command loads every stage

        begin = np.where(np.isfinite(begin), begin, [extra, bounds.mean(), 0.2 * extra])
        logs = np.log(begin)
        # steps of its own are 5 % of a logarithm: none of 1 mas^2
        simplex = logs + np.concatenate([np.zeros((1, 3)), np.diag([_STEP, _STEP, -_STEP])])
        options = {"maxfev": n, "xatol": 0.05, "fatol": 0.5, "initial_simplex": simplex}
        best = minimize(minus_log, logs, (curl,), method="Nelder-Mead", options=options)
        amplitude2, length, noise2 = np.exp(best.x)
        return float(best.fun), float(amplitude2), float(length), float(noise2), curl

    return find
