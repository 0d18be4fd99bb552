"""The reduced equations of positions for many right sides at once: what a loop over detections costs is shared.

Right sides are the last axis of every array, so that the innermost loops run over neighbors in memory. Detections'
offsets are of single precision: what is computed from them are errors.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.mosaic import basis, ccdterms, conjugate, krylov
from hscdb.mosaic.basis import fill
from hscdb.mosaic.model import Bools, Floats
from hscdb.mosaic.places import State

Singles = npt.NDArray[np.float32]

_N_STEP = 30  # of conjugate gradients at most
_TOLERANCE = 0.02  # of the gradient that is left, in the norm of M^-1: errors need no more


@njit(cache=True, nogil=True)
def _apply(start, visit, ccd, x, y, order, n_visit, turn, plate, lever, w, use, d, ref_w, ref_d, n_k, vector, out):
    """As krylov._apply for d (n_obs, 2, m), ref_d (n_star, 2, m); or, if vector (n, m) has rows, its product."""
    n_c, m = (order + 1) * (order + 2) // 2, out.shape[1]
    n_most = 1
    for s in range(start.size - 1):
        n_most = max(n_most, start[s + 1] - start[s])
    b, k3, r = np.empty((n_most, n_c)), np.empty((n_most, 2, n_k)), np.empty((n_most, 2, m))
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    mean, own = np.empty((2, m)), np.empty((2, m))
    is_product = vector.shape[0] > 0
    for s in range(start.size - 1):
        d00, d01, d11 = ref_w[s, 0], ref_w[s, 1], ref_w[s, 2]
        mean[:] = 0.0
        if not is_product:
            for i in range(m):
                mean[0, i] = d00 * ref_d[s, 0, i] + d01 * ref_d[s, 1, i]
                mean[1, i] = d01 * ref_d[s, 0, i] + d11 * ref_d[s, 1, i]
        n_used = 0
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            n_used += 1
            j = k - start[s]
            fill(order, x[k], y[k], tx, ty, b[j])
            ccdterms.columns(plate[k], lever[k, 0], lever[k, 1], k3[j])
            if is_product:
                _model(b[j], k3[j], turn[k], visit[k] * 2 * n_c, n_visit * 2 * n_c + n_k * ccd[k], vector, own, r[j])
            else:
                for i in range(m):
                    r[j, 0, i], r[j, 1, i] = d[k, 0, i], d[k, 1, i]
            w00, w01, w11 = use[k] * w[k, 0], use[k] * w[k, 1], use[k] * w[k, 2]
            d00 += w00
            d01 += w01
            d11 += w11
            for i in range(m):
                mean[0, i] += w00 * r[j, 0, i] + w01 * r[j, 1, i]
                mean[1, i] += w01 * r[j, 0, i] + w11 * r[j, 1, i]
        if n_used == 0:
            continue
        det = d00 * d11 - d01 * d01
        for i in range(m):
            m0, m1 = mean[0, i], mean[1, i]
            mean[0, i], mean[1, i] = (d11 * m0 - d01 * m1) / det, (d00 * m1 - d01 * m0) / det
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            j = k - start[s]
            w00, w01, w11 = use[k] * w[k, 0], use[k] * w[k, 1], use[k] * w[k, 2]
            o, c = visit[k] * 2 * n_c, n_visit * 2 * n_c + n_k * ccd[k]
            for i in range(m):
                a0, a1 = r[j, 0, i] - mean[0, i], r[j, 1, i] - mean[1, i]
                p0, p1 = w00 * a0 + w01 * a1, w01 * a0 + w11 * a1
                own[0, i] = turn[k, 0, 0] * p0 + turn[k, 1, 0] * p1
                own[1, i] = turn[k, 0, 1] * p0 + turn[k, 1, 1] * p1
                for t in range(n_k):
                    out[c + t, i] += k3[j, 0, t] * p0 + k3[j, 1, t] * p1
            for t in range(n_c):
                bt = b[j, t]
                for i in range(m):
                    out[o + t, i] += bt * own[0, i]
                    out[o + n_c + t, i] += bt * own[1, i]


@njit(cache=True, nogil=True)
def _model(b, k3, turn, o, c, vector, plane, out):
    """B v of one detection into out (2, m); plane (2, m) is room."""
    n_c, m = b.size, out.shape[1]
    plane[:] = 0.0
    for t in range(n_c):
        bt = b[t]
        for i in range(m):
            plane[0, i] += bt * vector[o + t, i]
            plane[1, i] += bt * vector[o + n_c + t, i]
    for axis in range(2):
        t0, t1 = turn[axis, 0], turn[axis, 1]
        for i in range(m):
            out[axis, i] = t0 * plane[0, i] + t1 * plane[1, i]
        for t in range(k3.shape[1]):
            one = k3[axis, t]
            for i in range(m):
                out[axis, i] += one * vector[c + t, i]


@njit(cache=True, nogil=True)
def _settle(start, visit, ccd, x, y, order, n_visit, turn, plate, lever, w, use, d, ref_w, ref_d, n_k, vector, shift):
    """Offsets d (n_obs, 2, m) become residuals after the unknowns `vector` and the stars (shift) have moved."""
    n_c, m = (order + 1) * (order + 2) // 2, vector.shape[1]
    b, k3 = np.empty(n_c), np.empty((2, n_k))
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    mean, plane, moved = np.empty((2, m)), np.empty((2, m)), np.empty((2, m))
    for s in range(start.size - 1):
        d00, d01, d11 = ref_w[s, 0], ref_w[s, 1], ref_w[s, 2]
        for i in range(m):
            mean[0, i] = d00 * ref_d[s, 0, i] + d01 * ref_d[s, 1, i]
            mean[1, i] = d01 * ref_d[s, 0, i] + d11 * ref_d[s, 1, i]
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            fill(order, x[k], y[k], tx, ty, b)
            ccdterms.columns(plate[k], lever[k, 0], lever[k, 1], k3)
            _model(b, k3, turn[k], visit[k] * 2 * n_c, n_visit * 2 * n_c + n_k * ccd[k], vector, plane, moved)
            w00, w01, w11 = use[k] * w[k, 0], use[k] * w[k, 1], use[k] * w[k, 2]
            d00 += w00
            d01 += w01
            d11 += w11
            for i in range(m):
                d[k, 0, i] += moved[0, i]
                d[k, 1, i] += moved[1, i]
                mean[0, i] += w00 * d[k, 0, i] + w01 * d[k, 1, i]
                mean[1, i] += w01 * d[k, 0, i] + w11 * d[k, 1, i]
        det = d00 * d11 - d01 * d01
        for i in range(m):
            shift[s, 0, i] = (d11 * mean[0, i] - d01 * mean[1, i]) / det if det > 0.0 else 0.0
            shift[s, 1, i] = (d00 * mean[1, i] - d01 * mean[0, i]) / det if det > 0.0 else 0.0
        for k in range(start[s], start[s + 1]):
            for i in range(m):
                d[k, 0, i] = d[k, 0, i] - shift[s, 0, i] if use[k] != 0.0 else 0.0
                d[k, 1, i] = d[k, 1, i] - shift[s, 1, i] if use[k] != 0.0 else 0.0


class Equations:
    """Least squares with the matrix, priors and preconditioner of a fit: linear answers to many sets of offsets.

    state  : linearized at the solution.    weight (n_obs, 3) [mas^-2]; ref_weight (n_star, 3).
    fitted : (n_obs,) factor on the weight of what the unknowns are fitted to; stars (n_obs,) of what stars follow:
             reserved stars follow their detections.
    ridge, active : (n,) as in schur.System.
    """

    def __init__(
        self, state: State, weight: Floats, fitted: Floats, stars: Floats, ref_weight: Floats, ridge: Floats,
        active: Bools,
    ) -> None:  # fmt: skip
        self.state, self.weight, self.fitted, self.stars, self.ref_weight = state, weight, fitted, stars, ref_weight
        self.n_k = state.ccd_terms.shape[1]
        self.near = krylov.Iterated(state, weight, fitted, ref_weight, ridge, active)

    def _places(self, use: Floats) -> tuple[object, ...]:
        s, obs = self.state, self.state.obs
        return (s.start, obs.visit, obs.ccd, s.x, s.y, s.options.order, obs.visits.size, s.turn, s.plate,
                s.geometry.lever, self.weight, use)  # fmt: skip

    def answer(self, offset: Singles, ref_offset: Singles, pull: Floats) -> tuple[Floats, Singles]:
        """Unknowns (n, m) and stars' shifts (n_star, 2, m) [mas]; offset (n_obs, 2, m) is overwritten by residuals.

        ref_offset : (n_star, 2, m) reference minus star; pull (n, m) prior mean minus the linearization's place.
        """
        none, near = np.zeros((0, 0)), self.near
        g = np.zeros(pull.shape)
        _apply(*self._places(self.fitted), offset, self.ref_weight, ref_offset, self.n_k, none, g)
        unknowns = self._solve(near.ridge[:, None] * pull - g)
        shift = np.empty(ref_offset.shape, np.float32)
        _settle(*self._places(self.stars), offset, self.ref_weight, ref_offset, self.n_k, unknowns, shift)
        return unknowns, shift

    def _solve(self, right: Floats) -> Floats:
        """(H + ridge)^-1 right (n, m) by conjugate gradients, each right side with lengths of its own."""
        near, empty = self.near, np.zeros((0, 2, 0), np.float32)
        off = ~near.active

        def product(along: Floats) -> Floats:
            h = np.zeros_like(along)
            _apply(*self._places(self.fitted), empty, self.ref_weight, empty, self.n_k, along, h)
            h += near.ridge[:, None] * along
            h[off] = 0.0
            return h

        return conjugate.solve(product, near.near, np.where(off[:, None], 0.0, right), _TOLERANCE, _N_STEP)[0]


def terms(state: State) -> int:
    """Unknowns of the visits, which come first."""
    return state.obs.visits.size * 2 * basis.n_terms(state.options.order)
