"""The air's own distortion of each visit: what no low-order polynomial over the mosaic follows.

After the joint fit the residuals of a visit are correlated over an arcminute or so. In its tangent plane detection
minus star is taken as a Gaussian process, the gradient of a potential (air.py). The polynomial of total degree 7 over a
CCD through its prediction is the frame's field, so that a TAN-SIP WCS holds it exactly. The joint fit is then made
again with the fields taken off. Reserved stars take no part, and it is kept only if they become better.

Sources: Bernstein et al. 2017 (PASP 129, 074503), Fortino et al. 2021 (AJ 162, 106), Leget et al. 2021 (A&A 650, A81).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hscdb.errors import DataError
from hscdb.mosaic import air, basis, judge
from hscdb.mosaic.frames import TURBULENCE_ORDER, by_frame, evaluate
from hscdb.mosaic.model import Astrometry, Floats, Geometry, Observations, Turbulence

_N_ROUND = 2  # of field and joint fit; a third changes the reserved stars by less than 1 %
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
    after, why, used, n_round = before, "", None, 0
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
        best, after, used, n_round = trial, rms, field, n_round + 1
    if used is None:
        return _noted(best, f"left out: {why}")
    return _noted(
        best,
        {
            "reserved_rms_before_mas": round(before, 4), "reserved_rms_after_mas": round(after, 4),
            "n_round": n_round, "length_arcsec": round(used.length_pix * geometry.arcsec, 2),
            "noise_mas": round(used.noise_mas, 3), "share_of_curl": used.curl,
            "amplitude_mas": {
                str(v): round(float(a), 3) for v, a in zip(obs.visits, used.amplitude_mas, strict=True)
            },
        },
    )  # fmt: skip


def is_used(solution: Astrometry) -> bool:
    """Whether visits' own fields are taken off, not the CCDs' maps alone."""
    return solution.turbulence is not None and bool((solution.turbulence.amplitude_mas > 0).any())


def has_maps(solution: Astrometry) -> bool:
    """Whether the CCDs' maps are taken off."""
    told: Any = solution.notes.get("ccd_maps", {"is_used": False})
    return bool(told["is_used"])


def still_there(obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry) -> air.Air | None:
    """The air in the detections, and how often its field was taken off; None: nothing but noise."""
    field, n_round = solution.turbulence, 0
    if field is not None and is_used(solution):
        told: Any = solution.notes["turbulence"]
        n_round, left = told["n_round"], air.Process(field.amplitude_mas, field.length_pix, field.noise_mas, field.curl)
        target = _target(obs, geometry, solution, None)
    else:
        target = _target(obs, geometry, solution, field)
        found = air.measured(obs, geometry, solution, target)
        if found is None:
            return None
        left = found
    return air.Air(air.whole(obs, geometry, solution, target, left), left, n_round, half)


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

    None: as of `air`.
    """
    target = _target(obs, geometry, solution, maps)
    found = air.measured(obs, geometry, solution, target)
    return None if found is None else _field(obs, geometry, half, solution, maps, found, target)


def again(
    fit: Callable[[Floats | None, Astrometry | None], Astrometry], obs: Observations, geometry: Geometry, half: Floats,
    near: Astrometry, maps: Turbulence | None,
) -> Astrometry:  # fmt: skip
    """A solution `near` to all stars again without those that obs holds aside: with the process it has found, the field
    by its residuals of the others, and one fit.
    """
    field, begin = near.turbulence, replace(near, is_used=near.is_used[:0])
    if field is None or not is_used(near):
        return fit(None if maps is None else at(maps, obs, geometry), begin)
    process = air.Process(field.amplitude_mas, field.length_pix, field.noise_mas, field.curl)
    others, target = replace(near, is_used=near.is_used & ~obs.is_reserved), _target(obs, geometry, near, maps)
    return fit(at(_field(obs, geometry, half, others, maps, process, target), obs, geometry), begin)


def _field(
    obs: Observations, geometry: Geometry, half: Floats, solution: Astrometry, maps: Turbulence | None,
    found: air.Process, target: Floats,
) -> Turbulence:  # fmt: skip
    """The field of a process by residuals (n_obs, 2) [mas], on top of the CCDs' maps."""
    coefficients = np.zeros((obs.visits.size, obs.ccds.size, 2, basis.n_terms(TURBULENCE_ORDER)))
    for e, c, terms in air.fields(obs, geometry, half, solution, found, target):
        coefficients[e, c] = terms / _DEG
    if maps is not None:
        coefficients += maps.coefficients
    return Turbulence(half, coefficients, found.amplitude, found.length, found.noise, found.curl)


def _target(obs: Observations, geometry: Geometry, solution: Astrometry, maps: Turbulence | None) -> Floats:
    """(n_obs, 2) residuals along xi and eta [mas] with the solution's field put back, without the CCDs' maps."""
    target = solution.plane_residual.copy()
    if solution.turbulence is not None:
        target += at(solution.turbulence, obs, geometry) * _DEG
    if maps is not None:
        target -= at(maps, obs, geometry) * _DEG
    return target
