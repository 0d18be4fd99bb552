"""Which unknowns the astrometric fit has: orders that stars support, terms that are solved, priors at their loosest."""

import numpy as np

from hscdb.errors import DataError
from hscdb.mosaic import basis, ccdterms
from hscdb.mosaic.model import Bools, Floats, Ints, Observations
from hscdb.mosaic.places import Options

_CCD_LOOSE_PIX = 0.5  # largest expected shift of a CCD from the camera's description
_CCD_LOOSE_BEND = 0.4  # of it, of a turn, stretch or bend, at LEVER_PIX from the centre: 0.2 mrad


def supported(obs: Observations, may: Bools, options: Options) -> Ints:
    """(n_visit,) order that each visit's usable stars support: at least n_star_per_term stars per term."""
    n = np.bincount(obs.visit[may], minlength=obs.visits.size)
    orders = np.zeros(obs.visits.size, np.int64)
    for e in range(obs.visits.size):
        order = options.order
        while order > 0 and n[e] < options.n_star_per_term * basis.n_terms(order):
            order -= 1
        orders[e] = order
    if (n == 0).any():
        empty = ", ".join(str(v) for v in obs.visits[n == 0])
        raise DataError(
            f"mosaic: no star of visit {empty} can be used (0 found, at least 1 needed). "
            f'Leave it out with --where "visit <> {obs.visits[n == 0][0]}", or match again with a larger radius.',
            code="too_few_stars",
        )
    return orders


def active(obs: Observations, may: Bools, visit_order: Ints, options: Options) -> Bools:
    """Which unknowns the data support: terms up to each visit's order; CCDs with at least 6 usable detections, of them
    terms beyond shift and turn where there are four for each pair of terms up to their degree."""
    degree = basis.degrees(options.order)
    visits = np.stack([np.tile(degree <= order, 2) for order in visit_order])
    n = np.bincount(obs.ccd[may], minlength=obs.ccds.size)
    own = ccdterms.degrees(ccdterms.n_terms(options.ccd_order))
    needed = np.array([6 if i < ccdterms.N_RIGID else 4 * basis.n_terms(d) for i, d in enumerate(own)])
    is_ccd = (n[:, None] >= needed) & options.solve_ccd & (obs.ccds.size > 1)
    return np.concatenate([visits.ravel(), is_ccd.ravel()])


def loose(obs: Observations, options: Options) -> Floats:
    """Inverse prior variances, as loose as they may be: coefficients [mas^-2], CCD terms [pix^-2]."""
    degree = basis.degrees(options.order)
    sigma = 1000.0 * options.coefficient_prior_arcsec / (1.0 + degree) ** 1.5
    visits = np.tile(np.tile(sigma**-2.0, 2), obs.visits.size)
    own = ccdterms.degrees(ccdterms.n_terms(options.ccd_order))
    ccd = (options.ccd_prior_pix or _CCD_LOOSE_PIX) * np.where(own == 0, 1.0, _CCD_LOOSE_BEND / np.maximum(own, 1))
    ccd = ccd**-2.0
    return np.concatenate([visits, np.tile(ccd, obs.ccds.size)])
