"""The air's own distortion of each visit: what no low-order polynomial over the mosaic follows.

After the joint fit the residuals of a visit are correlated over an arcminute or so. In its tangent plane each component
of detection minus star is taken as a Gaussian process with

    covariance(d) = A_e^2 (1 + d / L) exp(-d / L),        noise variance of detection k = given_k + n^2.

L, n and a common A maximise the likelihood of the brightest detections of some visits (Nelder-Mead, both components
at once); A_e is A scaled by what the visit's residuals have more than noise. The prediction is made on a grid of each
CCD from the detections on it and within 2 L around (at most 300, the most exact), and a polynomial of total degree 7
over the CCD goes through it, so that a TAN-SIP WCS holds the field exactly. The joint fit is then made again with the
field taken off. Reserved stars take no part, and it is kept only if they become better.

Sources: Bernstein et al. 2017 (PASP 129, 074503), Fortino et al. 2021 (AJ 162, 106), Leget et al. 2021 (A&A 650, A81).
Size: a 300 x 300 Cholesky per frame, about 3 ms.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numba import njit
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from hscdb.errors import DataError
from hscdb.mosaic import basis, judge
from hscdb.mosaic.frames import TURBULENCE_ORDER, by_frame, evaluate
from hscdb.mosaic.model import Astrometry, Floats, Geometry, Ints, Observations, Turbulence

_N_POINT = 300  # detections that predict a CCD's field
_N_LIKELY, _N_VISIT = 200, 8  # detections of a visit, and visits, whose likelihood is maximised
_N_PER_VISIT = 30  # used detections below which a visit's field is not asked for
_N_ROUND = 2  # of field and joint fit; a third changes the reserved stars by less than 1 %
_LENGTHS_ARCSEC = (5.0, 2000.0)
_START_ARCSEC = 90.0
_N_JUDGE = 10  # reserved stars needed to judge
_DEG = 3.6e6  # mas per degree


def solve(
    fit: Callable[[Floats | None, Astrometry | None], Astrometry],
    obs: Observations,
    geometry: Geometry,
    half: Floats,
    place_err_mas: Floats,
    maps: Turbulence | None = None,
) -> Astrometry:
    """The joint fit, with the CCDs' maps and the visits' turbulence taken off if stars become better by it.

    fit           : fit(field, previous), the joint fit with (n_obs, 2) [deg] of xi, eta taken off the detections,
                    starting from a previous solution.
    half          : (n_ccd, 2) half sizes of the CCDs along u and v [pix].
    place_err_mas : (n_obs,) given error of a detection per axis, by which the reserved ones are weighted.
    maps          : of ccdmap.learn, None: not needed.
    """
    best = fit(None, None)
    if np.unique(obs.star[obs.is_reserved & (obs.reason == "")]).size < _N_JUDGE:
        return _noted(best, f"not asked for: fewer than {_N_JUDGE} reserved stars to judge it")
    if maps is not None:
        best, maps = _with_maps(fit, obs, geometry, best, maps)
    before = judge.reserved_rms(obs, best.residual, place_err_mas)
    after, why, used = before, "", None
    for _ in range(_N_ROUND):
        field = measure(obs, geometry, half, best, maps)
        if field is None:
            why = "too few detections, or nothing beyond their noise"
            break
        try:
            trial = fit(at(field, obs, geometry), best)
        except DataError as error:
            why = str(error)
            break
        trial = replace(trial, turbulence=field, notes=best.notes | trial.notes)
        rms = judge.reserved_rms(obs, trial.residual, place_err_mas)
        if not rms < after:
            why = f"reserved stars do not become better ({after:.3f} to {rms:.3f} mas)"
            break
        best, after, used = trial, rms, field
    if used is None:
        return _noted(best, f"left out: {why}")
    return _noted(
        best,
        {
            "reserved_rms_before_mas": round(before, 4), "reserved_rms_after_mas": round(after, 4),
            "length_arcsec": round(used.length_pix * geometry.arcsec, 2),
            "noise_mas": round(used.noise_mas, 3),
            "amplitude_mas": {
                str(v): round(float(a), 3) for v, a in zip(obs.visits, used.amplitude_mas, strict=True)
            },
        },
    )  # fmt: skip


def _with_maps(
    fit: Callable[[Floats | None, Astrometry | None], Astrometry], obs: Observations, geometry: Geometry,
    plain: Astrometry, maps: Turbulence,
) -> tuple[Astrometry, Turbulence | None]:  # fmt: skip
    """The fit with the CCDs' maps, or the plain one with None if all stars together do not become better.

    The maps come from the first calibrations, not from the residuals that judge them, and the fit has no unknown more:
    so all stars may judge, by the errors and the floor that the plain fit has measured.
    """
    try:
        trial = replace(fit(at(maps, obs, geometry), None), turbulence=maps)
    except DataError as error:
        return replace(plain, notes=plain.notes | {"ccd_maps": {"is_used": False, "failed": str(error)}}), None
    weight = 1.0 / (plain.given_variance + plain.floor_mas**2 + judge.FLOORS.position_mas**2)
    sides = []
    for one in (plain, trial):
        axes = [judge.rms(one.residual[:, i], obs.star, obs.reason == "", obs.stars.size, weight)[0] for i in range(2)]
        sides.append(float(np.sqrt(np.mean(np.square(axes)))))
    is_used = sides[1] < sides[0]
    chosen = trial if is_used else plain
    told = {"is_used": is_used, "rms_without_mas": round(sides[0], 4), "rms_with_mas": round(sides[1], 4)}
    return replace(chosen, notes=chosen.notes | {"ccd_maps": told}), maps if is_used else None


def _noted(solution: Astrometry, note: object) -> Astrometry:
    return replace(solution, notes=solution.notes | {"turbulence": note})


def at(field: Turbulence, obs: Observations, geometry: Geometry) -> Floats:
    """(n_obs, 2) the field at the observations [deg]."""
    out = np.zeros((obs.x.size, 2))
    for (e, c), k in by_frame(obs).items():
        out[k] = evaluate(field.coefficients[e, c], field.half[c], geometry.lever[k, 0], geometry.lever[k, 1])
    return out


def measure(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, maps: Turbulence | None = None
) -> Turbulence | None:
    """The field in the residuals of a solution, whose own field is put back first, on top of the CCDs' maps.

    None: no visit has enough stars, or none has more than noise.
    """
    target = solution.plane_residual.copy()
    if solution.turbulence is not None:
        target += at(solution.turbulence, obs, geometry) * _DEG
    if maps is not None:
        target -= at(maps, obs, geometry) * _DEG
    used = solution.is_used
    by_visit = {e: np.flatnonzero(used & (obs.visit == e)) for e in range(obs.visits.size)}
    points = {e: k for e, k in by_visit.items() if k.size >= _N_PER_VISIT}
    if not points:
        return None
    place = np.stack([geometry.u, geometry.v], axis=1)
    given = solution.given_variance
    bounds = np.array(_LENGTHS_ARCSEC) / geometry.arcsec
    amplitude2, length, noise2 = _likely(points, place, target, given, bounds, _START_ARCSEC / geometry.arcsec)
    # of the most exact detections: of all, the photons of the faint would drown it
    best = {e: k[np.argsort(given[k], kind="stable")[:_N_LIKELY]] for e, k in points.items()}
    excess = {e: max(float(np.median(target[k] ** 2) / 0.4549 - np.median(given[k]) - noise2), 0.0)
              for e, k in best.items()}  # fmt: skip
    if not any(excess.values()):
        return None
    common = float(np.median(list(excess.values())))
    coefficients = np.zeros((obs.visits.size, obs.ccds.size, 2, basis.n_terms(TURBULENCE_ORDER)))
    amplitude = np.zeros(obs.visits.size)
    grid, inverse = _grid()
    for e, c in by_frame(obs):
        if e not in points:
            continue
        # never more than twice what the visit has beyond noise: the ratio of two small numbers is no measure
        own2 = min(amplitude2 * (excess[e] / common if common > 0.0 else 1.0), 2.0 * excess[e])
        amplitude[e] = np.sqrt(own2)
        k = points[e]
        center = place[obs.ccd == c][0] - geometry.lever[obs.ccd == c][0]
        k = k[(np.abs(place[k] - center) < half[c] + 2.0 * length).all(axis=1)]
        if own2 <= 0.0 or not k.size:
            continue
        k = k[np.argsort(given[k], kind="stable")[:_N_POINT]]
        covariance = own2 * _correlation(place[k], place[k], length)
        covariance[np.diag_indices(k.size)] += given[k] + noise2
        weights = cho_solve(cho_factor(covariance, lower=True), target[k])
        predicted = own2 * _correlation(center + grid * half[c], place[k], length) @ weights
        coefficients[e, c] = (inverse @ predicted).T / _DEG
    if maps is not None:
        coefficients += maps.coefficients
    return Turbulence(half, coefficients, amplitude, length, float(np.sqrt(noise2)))


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
    points: dict[int, Ints], place: Floats, target: Floats, given: Floats, bounds: Floats, start: float
) -> tuple[float, float, float]:
    """(A^2 [mas^2], L [pix], n^2 [mas^2]) of the greatest likelihood."""
    richest = sorted(points, key=lambda e: -points[e].size)[:_N_VISIT]
    parts = [points[e][np.argsort(given[points[e]], kind="stable")[:_N_LIKELY]] for e in richest]
    every = np.concatenate(parts)
    extra = max(float(np.median(target[every] ** 2)) / 0.4549 - float(np.median(given[every])), 0.01)

    def minus_log(logs: Floats) -> float:
        amplitude2, length, noise2 = np.exp(np.clip(logs, -50.0, 50.0))
        if not bounds[0] <= length <= bounds[1]:
            return 1e300
        total = 0.0
        for k in parts:
            covariance = amplitude2 * _correlation(place[k], place[k], length)
            covariance[np.diag_indices(k.size)] += given[k] + noise2
            try:
                factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return 1e300
            total += 4.0 * np.log(np.diag(factor[0])).sum() + np.sum(target[k] * cho_solve(factor, target[k]))
        return float(total)

    from scipy.optimize import minimize  # half a second to import, and every command loads every stage

    found = minimize(
        minus_log, np.log([extra, start, 0.2 * extra]), method="Nelder-Mead",
        options={"maxfev": 80, "xatol": 0.05, "fatol": 0.5},
    )  # fmt: skip
    amplitude2, length, noise2 = np.exp(found.x)
    return float(amplitude2), float(length), float(noise2)
