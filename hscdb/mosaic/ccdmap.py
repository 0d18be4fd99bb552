"""What a camera's description gets wrong inside a CCD, learned from the first calibrations of all visits.

The joint fit moves and turns CCDs as rigid pieces. Where the description misses the optics inside a CCD (DECam's
with a distortion that is only radial, by 150 mas, nearly all of it quadratic) the first calibrations of the visits
know better. In the tangent plane of visit e

    first place = P_e(field) - S_c(du, dv) + noise,

P_e the visit's polynomial over the mosaic and S_c a cubic of each CCD, the same in all visits, are fitted in turn until
both rest: least squares, S_c with a prior of 0.5 arcsec per term against 20 mas of noise, detections beyond 5 medians
left out. S_c then is taken off the model like turbulence (turbulence.py), if the stars become better by it.
Gauge: what P_e and S_c share (shift, turn, scale common to all CCDs) is P_e's, being fitted first.
"""

import numpy as np

from hscdb.mosaic import basis
from hscdb.mosaic.frames import TURBULENCE_ORDER
from hscdb.mosaic.model import Bools, Floats, Geometry, Ints, Observations, Turbulence
from hscdb.mosaic.places import MAS, tangent, vectors

_DEGREE = 3  # 2 leaves 6 to 8 mas of DECam's 150, 3 leaves 3 to 4, 4 as much
_PRIOR_MAS, _NOISE_MAS = 500.0, 20.0
_N_TURN = 12
_NEEDED_MAS = 10.0  # a bend inside the CCDs below this is not worth another fit
_DEG = 3.6e6  # mas per degree

Part = tuple[Ints, Floats]


def learn(obs: Observations, geometry: Geometry, crval: Floats, order: int, half: Floats) -> tuple[Turbulence, float]:
    """The maps as a field of each frame, and how far the first calibrations bend inside CCDs [mas].

    The second is the robust rms per axis that maps explain beyond shifts and linear terms: what polynomials over the
    mosaic and maps can do alike, as where a few CCDs lie far apart, is no bend.

    crval : (n_visit, 2) tangent points [deg]; order: of the visits' polynomials; half: (n_ccd, 2) half sizes [pix].
    """
    center, east, north = tangent(crval)
    place = vectors(obs.ra, obs.dec)
    depth = np.einsum("ij,ij->i", place, center[obs.visit])
    first = np.stack([np.einsum("ij,ij->i", place, a[obs.visit]) / depth for a in (east, north)], axis=1) * MAS
    visits = [np.flatnonzero(obs.visit == e) for e in range(obs.visits.size)]
    ccds = [np.flatnonzero(obs.ccd == c) for c in range(obs.ccds.size)]
    scale = geometry.scale_pix
    over = [basis.matrix(order, geometry.field_x[k] / scale, geometry.field_y[k] / scale) for k in visits]
    inside = [basis.matrix(TURBULENCE_ORDER, *(geometry.lever[k] / half[c]).T) for c, k in enumerate(ccds)]
    parts = list(zip(visits, over, strict=True)), list(zip(ccds, inside, strict=True))
    may = obs.reason == ""
    _, straight_mas = _in_turn(first, may, *parts, 1)
    coefficients, bent_mas = _in_turn(first, may, *parts, _DEGREE)
    every = np.broadcast_to(coefficients / _DEG, (obs.visits.size, *coefficients.shape)).copy()
    field = Turbulence(half, every, np.zeros(obs.visits.size), float("nan"), 0.0)
    return field, float(np.sqrt(max(straight_mas**2 - bent_mas**2, 0.0)))


def _in_turn(first: Floats, may: Bools, visits: list[Part], ccds: list[Part], highest: int) -> tuple[Floats, float]:
    """Coefficients (n_ccd, 2, n_term) [mas] of maps up to a degree, and the robust rms per axis that is left [mas].

    first (n_obs, 2) first places [mas]; may (n_obs,); visits, ccds: the observations and basis functions of each.
    """
    degree = basis.degrees(TURBULENCE_ORDER)
    coefficients = np.zeros((len(ccds), 2, degree.size))
    maps, model = np.zeros_like(first), np.zeros_like(first)
    good = may
    for _ in range(_N_TURN):
        for k, design in visits:
            model[k] = design @ np.linalg.lstsq(design[good[k]], (first + maps)[k][good[k]], rcond=None)[0]
        wanted = model - first
        for c, (k, design) in enumerate(ccds):
            used = good[k]
            terms = degree <= min(highest, _supported(int(used.sum())))
            some = design[used][:, terms]
            normal = some.T @ some / _NOISE_MAS**2 + np.eye(int(terms.sum())) / _PRIOR_MAS**2
            coefficients[c] = 0.0
            coefficients[c][:, terms] = np.linalg.solve(normal, some.T @ wanted[k][used] / _NOISE_MAS**2).T
            maps[k] = design @ coefficients[c].T
        miss = np.hypot(*(wanted - maps).T)
        good = may & (miss < 5.0 * float(np.median(miss[may])))
    return coefficients, float(np.median(miss[may])) / 1.1774  # a Rayleigh median per axis


def is_needed(bend_mas: float) -> bool:
    """Whether the maps bend enough to be tried."""
    return bend_mas > _NEEDED_MAS


def _supported(n: int) -> int:
    """Degree that n detections support: two for each term; -1: none."""
    return max((d for d in range(_DEGREE + 1) if n >= 2 * basis.n_terms(d)), default=-1)
