"""Errors of the places that a solution predicts: by how far the made surveys of spread.py miss at pixels of each frame.

Light that fell on a pixel came, in draw i, from a direction that the answer a_i to the draw's errors misses by

    m_i(x) = B(x) a_i + t_ei(x) - field_ei(x),

B the derivatives of a place by the unknowns, t_e the air of the visit there, field_e what was taken off for it; along
xi and eta [mas]. What no star of the survey determined (CCDs of few stars stay where the camera's description has them,
visits of few stars keep their first calibration's higher terms) is off by a draw of its prior. So the errors are those
of the WCS against the sky of the moment, references and air included; noise of the one centroid that an observer adds
is not in them.

They are told at 3 x 3 nodes of each frame. Of few draws a scatter s is uncertain; nodes p of a CCD are alike in all
visits e, and one visit's air is stronger at all nodes, so that, as in spread.py, with N = 20,

    variance_ep = (n_draw s_ep^2 + N f_e v_p) / (n_draw + N),    v_p = mean_e s_ep^2,    f_e = mean_p s_ep^2 / v_p.
"""

import numpy as np

from hscdb.camera.model import Camera
from hscdb.mosaic import basis, ccdterms, geometry
from hscdb.mosaic.frames import TURBULENCE_ORDER
from hscdb.mosaic.many import Singles
from hscdb.mosaic.model import Bools, Floats, Geometry, Ints
from hscdb.mosaic.places import State

N_NODE = 9
_N_LIKE = 20.0  # draws that what nodes have in common counts as
_STEP = 1e-4  # of the Chebyshev argument, for slopes of the basis


def nodes(where: geometry.Plane, camera: Camera, ccds: Ints) -> Geometry:
    """Places (9 n_ccd,) of the nodes, CCD by CCD: x = 0, middle, last pixel, for y = 0, middle, last."""
    sizes = np.array([[camera.ccds[int(c)].width - 1.0, camera.ccds[int(c)].height - 1.0] for c in ccds])
    part = np.array([0.0, 0.5, 1.0])
    x, y = np.multiply.outer(sizes[:, 0], np.tile(part, 3)), np.multiply.outer(sizes[:, 1], np.repeat(part, 3))
    return geometry.places(where, ccds, np.repeat(np.arange(ccds.size), N_NODE), x.ravel(), y.ravel())


class Missed:
    """What draws miss at the nodes by air and fields; `told` adds the unknowns.

    at : of `nodes`; off (n_visit, n_ccd, 9, 2, n_draw) along xi, eta [mas].
    """

    def __init__(self, state: State, at: Geometry, n_draw: int) -> None:
        self.state, self.at = state, at
        self.air = np.zeros((state.obs.visits.size, at.u.size, 2, n_draw), np.float32)
        self.field = np.zeros_like(self.air)

    def take_field(self, visit: int, ccd: int, half: Floats, terms: Singles) -> None:
        """The field of a frame, terms (2, n_terms, n_draw) over a CCD of half size (2,), anew in each round."""
        k = slice(N_NODE * ccd, N_NODE * (ccd + 1))
        inside = basis.matrix(TURBULENCE_ORDER, *(self.at.lever[k] / half).T)
        self.field[visit, k] = (inside.astype(np.float32) @ terms).swapaxes(0, 1)

    def told(self, unknowns: Floats, prior: Floats, active: Bools) -> Floats:
        """(n_visit, n_ccd, 9) one sigma per axis [mas], by unknowns (n, n_draw) that are off.

        prior : (n, n_draw) draws of the priors, for what is not `active` (n,).
        """
        obs, options = self.state.obs, self.state.options
        n_visit, n_terms, n_draw = obs.visits.size, basis.n_terms(options.order), unknowns.shape[1]
        off = np.where(active[:, None], unknowns, prior)
        n = n_visit * 2 * n_terms
        coefficients, terms = off[:n].reshape(n_visit, 2, n_terms, n_draw), off[n:].reshape(obs.ccds.size, -1, n_draw)
        if not options.solve_ccd or obs.ccds.size == 1:  # then they are what the description says
            terms = np.zeros_like(terms)
        square = np.empty((n_visit, self.at.u.size))
        for c in range(obs.ccds.size):
            k = slice(N_NODE * c, N_NODE * (c + 1))
            design, slope = self._at(c)
            miss = np.einsum("pj,eajm->epam", design, coefficients, optimize=True)
            moved = np.einsum("pij,jm->pim", _columns(self.at.lever[k], terms.shape[1]), terms[c])
            miss += np.einsum("epai,pim->epam", slope, moved, optimize=True)
            miss += self.air[:, k] - self.field[:, k]
            square[:, k] = np.mean(miss**2, axis=(2, 3))
        point = np.maximum(square.mean(axis=0), 1e-12)
        typical = point * (square / point).mean(axis=1)[:, None]
        variance = (n_draw * square + _N_LIKE * typical) / (n_draw + _N_LIKE)
        return np.asarray(np.sqrt(variance).reshape(n_visit, obs.ccds.size, N_NODE))

    def _at(self, c: int) -> tuple[Floats, Floats]:
        """Basis (9, n_terms) at the nodes of a CCD, and slopes (n_visit, 9, 2, 2) d(xi, eta)/d(u, v) [mas/pix]."""
        state, g = self.state, self.at
        k = slice(N_NODE * c, N_NODE * (c + 1))
        moved = np.stack(ccdterms.displacement(state.ccd_terms[c], *g.lever[k].T), axis=1)
        x, y = ((f + (g.jacobian[k, i] * moved).sum(axis=1)) / g.scale_pix
                for i, f in enumerate((g.field_x[k], g.field_y[k])))  # fmt: skip
        order, h = state.options.order, _STEP
        along = np.stack([basis.matrix(order, x + i * h, y + j * h) - basis.matrix(order, x - i * h, y - j * h)
                          for i, j in ((1, 0), (0, 1))], axis=2) / (2.0 * h * g.scale_pix)  # fmt: skip
        by_field = np.einsum("pjf,eaj->epaf", along, state.coefficients * 3.6e6, optimize=True)
        return basis.matrix(order, x, y), np.einsum("epaf,pfi->epai", by_field, g.jacobian[k], optimize=True)


def _columns(lever: Floats, n: int) -> Floats:
    """(9, 2, n) moves (u, v) [pix] by each term of a CCD."""
    out = np.empty((len(lever), 2, n))
    for one, (u, v) in zip(out, lever, strict=True):
        ccdterms.columns(np.eye(2), u, v, one)
    return out
