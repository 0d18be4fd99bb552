"""How far the unknowns stray from where they begin, learned from the data themselves (empirical Bayes).

Coefficients begin at the first calibrations, CCDs at the camera's description. With few stars per visit a prior that is
too loose lets the fit follow noise, one that is too tight keeps the first calibrations' errors. In a group of unknowns
of one kind (the visits' terms of one degree; the CCDs' shifts; their turns; their stretches; their bends) with a common
variance s^2 about the start

    chi2(a) = a^T H a + 2 g a + sum_i (a_i - pull_i)^2 / s_i^2

is the linearised fit, and the marginal likelihood is greatest where

    s^2 = sum_i d_i^2 / gamma,    gamma = sum_i (1 - C_ii / s^2),

d = a - pull what the solution has strayed, C its covariance, gamma the number of unknowns that the data determine.
Iterated, H and g being the same. Terms of degree 0 and 1 stay loose: pointing, turn and scale of one visit tell nothing
about another's. The sum of C_ii over a group is found from 64 random vectors z of its own (z^T C z, Hutchinson): the
whole inverse costs three times the factorization, and 80 visits of order 5 are 3360 unknowns.

Sources: MacKay 1992, Neural Computation 4, 415; Hutchinson 1989, Commun. Stat. Simul. 18, 1059. Size: a Cholesky
factorization of the reduced matrix per round, 8 rounds at most.
"""

from typing import Any

import numpy as np

from hscdb.mosaic import basis, ccdterms, schur
from hscdb.mosaic.model import Bools, Floats, Ints

_N_ROUND = 8
_SETTLED = 0.05  # relative change of the sigmas below which they rest
_FEWEST = 8  # unknowns of a group from which a variance is worth the name
_LEAST = 1e-3  # of the loose prior: nothing is held tighter
_N_PROBE = 64  # 32 over all groups at once left DECam's sigmas wrong by factors; 64 of each group's own do not
# groups of CCD unknowns, GIVEN by the user; those of coefficients are their degrees
SHIFT, TURN, STRETCH, BEND, GIVEN = -1, -2, -3, -4, -9
_LOWEST_DEGREE = 2
_CCD_KINDS = (SHIFT, TURN, STRETCH, BEND)


def groups(order: int, n_visit: int, n_ccd: int, is_ccd_learned: bool, ccd_order: int = 0) -> Ints:
    """(n,) group of each unknown in the order of the normal equations; 0, 1 and GIVEN are not learned."""
    visits = np.tile(np.tile(basis.degrees(order), 2), n_visit)
    own = ccdterms.degrees(ccdterms.n_terms(ccd_order))
    kinds = np.select([own == 0, np.arange(own.size) == 2, own == 1], [SHIFT, TURN, STRETCH], BEND)
    ccds = np.tile(kinds if is_ccd_learned else np.full(own.size, GIVEN), n_ccd)
    return np.concatenate([visits, ccds]).astype(np.int64)


def learned(
    h: Floats, g: Floats, pull: Floats, begin: Floats, loose: Floats, group: Ints, active: Bools
) -> schur.System:
    """The system with learned priors, in `ridge` (n,) its inverse variances.

    h, g   : reduced normal equations at the present place; pull (n,) prior mean minus it.
    begin  : (n,) inverse variances to begin with; loose: those where nothing is learned, and the loosest there are.

    Raises DataError `singular_fit`, see schur.System.
    """
    ridge = begin.copy()
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (begin.size, _N_PROBE))
    kinds = [k for k in np.unique(group[active]) if k >= _LOWEST_DEGREE or k in _CCD_KINDS]
    members = [np.flatnonzero((group == k) & active) for k in kinds]
    for _ in range(_N_ROUND):
        system = schur.System(h, ridge, active)
        strayed = system.step(g, pull) - pull
        change = 0.0
        for kind, k in zip(kinds, members, strict=True):
            if k.size < _FEWEST:
                continue
            probes = np.zeros_like(signs)
            probes[k] = np.sqrt(ridge[k])[:, None] * signs[k]
            gamma = max(k.size - float(np.sum(probes * system.solve(probes))) / _N_PROBE, 0.5)
            # loose priors of one group are in one ratio: its first stands for all
            old, widest = ridge[k[0]] ** -0.5, loose[k[0]] ** -0.5
            new = float(np.clip(np.sqrt(np.sum(strayed[k] ** 2) / gamma), _LEAST * widest, widest))
            change = max(change, abs(np.log(new / old)))
            ridge[group == kind] = new**-2.0
        if change < _SETTLED:
            return system
    return schur.System(h, ridge, active)


def learned_of_ccds(
    strayed: Floats, variance: Floats, ridge: Floats, loose: Floats, group: Ints, active: Bools
) -> Floats:
    """`ridge` with one step of the same rule for the CCDs' terms, by the diagonal of their covariance.

    Where the matrix is too large to be made the visits' terms need no prior; how the CCDs lie all together is known by
    theirs alone.
    """
    ridge = ridge.copy()
    for kind in _CCD_KINDS:
        k = np.flatnonzero((group == kind) & active)
        if k.size >= _FEWEST:
            gamma = max(k.size - float(np.sum(variance[k] * ridge[k])), 0.5)
            widest = loose[k[0]] ** -0.5
            new = np.clip(np.sqrt(np.sum(strayed[k] ** 2) / gamma), _LEAST * widest, widest)
            ridge[group == kind] = new**-2.0
    return ridge


def notes(ridge: Floats, group: Ints) -> dict[str, Any]:
    """One sigma of each kind: terms by degree [mas], CCD shifts [pix], turns and others [pix at 1000 pix]."""
    names = dict(zip(_CCD_KINDS, ("ccd_shift_pix", *(f"ccd_{k}_pix_at_1000" for k in ("turn", "stretch", "bend"))),
                     strict=True))  # fmt: skip
    told: dict[str, Any] = {}
    for kind in np.unique(group):
        if kind >= _LOWEST_DEGREE or kind in names:
            key = names.get(int(kind), f"degree_{kind}_mas")
            told[key] = float(np.round(ridge[group == kind][0] ** -0.5, 4))
    return told
