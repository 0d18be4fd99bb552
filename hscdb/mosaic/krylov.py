"""Large astrometric models: the reduced equations solved by conjugate gradients, their matrix never made.

The reduced matrix H of `schur` times a vector v is one loop over the detections,

    H v = sum_k B_k^T W_k (B_k v - m_s(k)),    m_s = D_s^-1 sum_k W_k B_k v,

and the gradient is the same loop with the model's offsets in place of B_k v. What makes few passes of it enough is a
preconditioner: H of a sample of the stars for errors of the same size along both axes. Seen from one direction that is
common to all visits (each visit's plane is turned into it, stars' east and north by parallel transport), xi and eta
then have the same matrix A and nothing to do with each other,

        | A   0   X |
    M = | 0   A   Y |    A of half the size: 100 visits of order 5 and 104 CCDs 2 100 instead of 4 512.
        | X^T Y^T C |

A Cholesky of A and one of C - X^T A^-1 X - Y^T A^-1 Y, of the size of the CCDs' terms. Passes needed: 5 to 10 for 1e-3
with centroid errors whose axes differ by some 10 %.
"""

import numpy as np
from numba import njit
from scipy.linalg import LinAlgError, blas, cho_factor, cho_solve

from hscdb.errors import DataError
from hscdb.mosaic import basis, ccdterms, conjugate, turns
from hscdb.mosaic.basis import fill
from hscdb.mosaic.model import Bools, Floats
from hscdb.mosaic.places import State

_N_RICH, _N_MOST = 1000, 6000  # detections of a visit that need no prior; unknowns of a matrix of 0.3 GB
_N_SAMPLE = 10_000  # stars of the preconditioner: with 100 visits its matrix takes 2 s; twice as many save few passes
_N_STEP, _N_SLOW = 60, 20  # passes of a step at most; from which a new M is cheaper
_TOLERANCE = 1e-2  # of the gradient that a step leaves, in the norm of M^-1; the next pass begins from there


@njit(cache=True, nogil=True)
def _apply(start, visit, ccd, x, y, order, n_visit, turn, plate, lever, w, use, d, ref_w, ref_d, n_k, vector, out):
    """Gradient of the offsets d, ref_d into out, or, if vector has a length, the reduced matrix times it."""
    n_c = (order + 1) * (order + 2) // 2
    n_most = 1
    for s in range(start.size - 1):
        n_most = max(n_most, start[s + 1] - start[s])
    b, k3, r = np.empty((n_most, n_c)), np.empty((n_most, 2, n_k)), np.empty((n_most, 2))
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    is_product = vector.size > 0
    for s in range(start.size - 1):
        d00, d01, d11 = ref_w[s, 0], ref_w[s, 1], ref_w[s, 2]
        r0 = r1 = 0.0
        if not is_product:
            r0 = d00 * ref_d[s, 0] + d01 * ref_d[s, 1]
            r1 = d01 * ref_d[s, 0] + d11 * ref_d[s, 1]
        n_used = 0
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            n_used += 1
            i = k - start[s]
            fill(order, x[k], y[k], tx, ty, b[i])
            ccdterms.columns(plate[k], lever[k, 0], lever[k, 1], k3[i])
            if is_product:
                o, c = visit[k] * 2 * n_c, n_visit * 2 * n_c + n_k * ccd[k]
                xi = eta = 0.0
                for j in range(n_c):
                    xi += b[i, j] * vector[o + j]
                    eta += b[i, j] * vector[o + n_c + j]
                for axis in range(2):
                    total = turn[k, axis, 0] * xi + turn[k, axis, 1] * eta
                    for m in range(n_k):
                        total += k3[i, axis, m] * vector[c + m]
                    r[i, axis] = total
            else:
                r[i, 0], r[i, 1] = d[k, 0], d[k, 1]
            w00, w01, w11 = use[k] * w[k, 0], use[k] * w[k, 1], use[k] * w[k, 2]
            d00 += w00
            d01 += w01
            d11 += w11
            r0 += w00 * r[i, 0] + w01 * r[i, 1]
            r1 += w01 * r[i, 0] + w11 * r[i, 1]
        if n_used == 0:
            continue
        det = d00 * d11 - d01 * d01
        mean0, mean1 = (d11 * r0 - d01 * r1) / det, (d00 * r1 - d01 * r0) / det
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            i = k - start[s]
            a0, a1 = use[k] * (r[i, 0] - mean0), use[k] * (r[i, 1] - mean1)
            p0, p1 = w[k, 0] * a0 + w[k, 1] * a1, w[k, 1] * a0 + w[k, 2] * a1
            own0 = turn[k, 0, 0] * p0 + turn[k, 1, 0] * p1
            own1 = turn[k, 0, 1] * p0 + turn[k, 1, 1] * p1
            o, c = visit[k] * 2 * n_c, n_visit * 2 * n_c + n_k * ccd[k]
            for j in range(n_c):
                out[o + j] += b[i, j] * own0
                out[o + n_c + j] += b[i, j] * own1
            for m in range(n_k):
                out[c + m] += k3[i, 0, m] * p0 + k3[i, 1, m] * p1


def gradient(
    state: State, weight: Floats, use: Floats, ref_weight: Floats, ref_offset: Floats, vector: Floats | None = None
) -> Floats:
    """Right side of the reduced equations; with a vector: the reduced matrix times it.

    weight (n_obs, 3) [mas^-2] times use (n_obs,); unknowns as in schur.reduce_positions.
    """
    obs = state.obs
    out = np.zeros(obs.visits.size * 2 * basis.n_terms(state.options.order) + state.ccd_terms.size)
    _apply(
        state.start, obs.visit, obs.ccd, state.x, state.y, state.options.order, obs.visits.size, state.turn,
        state.plate, state.geometry.lever, weight, use, state.offset, ref_weight, ref_offset,
        state.ccd_terms.shape[1], np.zeros(0) if vector is None else vector, out,
    )  # fmt: skip
    return out


@njit(cache=True, nogil=True)
def _sample(start, chosen, visit, ccd, x, y, order, n_visit, n_ccd, plate, lever, w, use, ref_w, common, n_k, a, cx,
            cy, c, rows):  # fmt: skip
    """Add the chosen stars to the blocks a (n_visit, n_c, n_c), cx, cy, c and write their rows for both axes."""
    n_c = (order + 1) * (order + 2) // 2
    b, k3, q = np.empty(n_c), np.empty((2, n_k)), np.empty((2, n_k))
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    first_x = n_visit * n_c
    first_y = first_x + n_k * n_ccd
    for row in range(chosen.size):
        s = chosen[row]
        cos, sin = common[s, 0], common[s, 1]
        total = 0.5 * (ref_w[s, 0] + ref_w[s, 2])
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            one = 0.5 * use[k] * (w[k, 0] + w[k, 2])
            total += one
            fill(order, x[k], y[k], tx, ty, b)
            ccdterms.columns(plate[k], lever[k, 0], lever[k, 1], k3)
            e, f = visit[k], n_k * ccd[k]
            for m in range(n_k):
                q[0, m], q[1, m] = cos * k3[0, m] + sin * k3[1, m], cos * k3[1, m] - sin * k3[0, m]
            for m in range(n_k):
                rows[row, first_x + f + m] += one * q[0, m]
                rows[row, first_y + f + m] += one * q[1, m]
                for n in range(n_k):
                    c[f + m, f + n] += one * (q[0, m] * q[0, n] + q[1, m] * q[1, n])
            for i in range(n_c):
                bi = one * b[i]
                rows[row, e * n_c + i] += bi
                for m in range(n_k):
                    cx[e * n_c + i, f + m] += bi * q[0, m]
                    cy[e * n_c + i, f + m] += bi * q[1, m]
                for j in range(n_c):
                    a[e, i, j] += bi * b[j]
        if total > 0.0:
            root = np.sqrt(total)
            for j in range(rows.shape[1]):
                rows[row, j] /= root


class Iterated:
    """The reduced equations with priors, to be solved by steps; as schur.System for models too large for that.

    Raises DataError `singular_fit` when M is not positive definite although every unknown has a prior.
    """

    def __init__(self, state: State, weight: Floats, use: Floats, ref_weight: Floats, ridge: Floats, active: Bools):
        self.ridge, self.active, self.is_slow = ridge, active, False
        obs, n_c = state.obs, basis.n_terms(state.options.order)
        n_visit, n_ccd, n_k = obs.visits.size, obs.ccds.size, state.ccd_terms.shape[1]
        self.shape = (n_visit, 2, n_c)
        common = turns.of_stars(state)
        self.cos_sin = turns.of_visits(state, use, common)
        step = max(1, obs.stars.size // _N_SAMPLE)
        chosen = np.arange(step // 2, obs.stars.size, step)
        a, c = np.zeros((n_visit, n_c, n_c)), np.zeros((n_k * n_ccd, n_k * n_ccd))
        cx, cy = np.zeros((2, n_visit * n_c, n_k * n_ccd))
        n = n_visit * n_c + 2 * n_k * n_ccd
        g = np.zeros((n, n), order="F")
        for i in range(0, chosen.size, 2000):
            part = chosen[i : i + 2000]
            rows = np.zeros((part.size, n))
            _sample(
                state.start, part, obs.visit, obs.ccd, state.x, state.y, state.options.order, n_visit, n_ccd,
                state.plate, state.geometry.lever, weight, use, ref_weight, common, n_k, a, cx, cy, c, rows,
            )  # fmt: skip
            g = blas.dsyrk(1.0, rows.T, beta=1.0, c=g, trans=0, lower=0, overwrite_c=1)
        self._factorize(a, cx, cy, c, g, float(step))

    def _factorize(self, a: Floats, cx: Floats, cy: Floats, c: Floats, g: Floats, times: float) -> None:
        """Both Choleskys, of the unknowns that are active; `times`: stars that each of the sample stands for."""
        n_visit, _, n_c = self.shape
        n, m = n_visit * n_c, len(c)
        self.n_ccd_terms = m
        visits = -g[:n, :n]
        for e in range(n_visit):
            own = slice(e * n_c, (e + 1) * n_c)
            visits[own, own] += np.triu(a[e])
        self.visits = np.flatnonzero(self.active[: 2 * n].reshape(self.shape)[:, 0])
        self.ccds = np.flatnonzero(self.active[2 * n :])
        ridge = self.ridge[: 2 * n].reshape(self.shape)[:, 0].ravel()[self.visits]
        part = np.triu(visits[np.ix_(self.visits, self.visits)]) * times
        part[np.diag_indices_from(part)] += ridge
        self.factor, self.scale = _cholesky(part + np.triu(part, 1).T)
        along = [slice(n, n + m), slice(n + m, n + 2 * m)]
        self.cross = [(full - g[:n, k])[np.ix_(self.visits, self.ccds)] * times
                      for full, k in zip((cx, cy), along, strict=True)]  # fmt: skip
        block = c - sum(np.triu(g[k, k]) + np.triu(g[k, k], 1).T for k in along)
        block = block[np.ix_(self.ccds, self.ccds)] * times + np.diag(self.ridge[2 * n :][self.ccds])
        for cross in self.cross:
            block = block - cross.T @ self._solve_visits(cross)
        self.block = 0.5 * (block + block.T)
        self.ccd_factor, self.ccd_scale = _cholesky(self.block)

    def hold_ccds(self, ridge: Floats) -> None:
        """Other priors (n,) of the CCDs' terms from now on."""
        n = self.ridge.size - self.n_ccd_terms
        self.block[np.diag_indices_from(self.block)] += (ridge - self.ridge)[n:][self.ccds]
        self.ccd_factor, self.ccd_scale = _cholesky(self.block)
        self.ridge = ridge

    def _solve_visits(self, right: Floats) -> Floats:
        return np.asarray(cho_solve(self.factor, right * self.scale[:, None]) * self.scale[:, None])

    def near(self, r: Floats) -> Floats:
        """M^-1 r of r (n, m)."""
        n_visit, _, n_c = self.shape
        n, m = n_visit * n_c, r.shape[1]
        own = r[: 2 * n].reshape(n_visit, 2, n_c, m)
        cos, sin = (a[:, None, None] for a in self.cos_sin)
        east, north = cos * own[:, 0] - sin * own[:, 1], sin * own[:, 0] + cos * own[:, 1]
        both = [self._solve_visits(a.reshape(n, m)[self.visits]) for a in (east, north)]
        ccds = r[2 * n :][self.ccds] - sum(x.T @ a for x, a in zip(self.cross, both, strict=True))
        if self.ccds.size:
            ccds = cho_solve(self.ccd_factor, ccds * self.ccd_scale[:, None]) * self.ccd_scale[:, None]
        turned, out = np.zeros((2, n, m)), np.zeros(r.shape)
        for axis, (x, a) in enumerate(zip(self.cross, both, strict=True)):
            turned[axis, self.visits] = a - self._solve_visits(x @ ccds)
        east, north = turned.reshape(2, n_visit, n_c, m)
        out[: 2 * n] = np.stack([cos * east + sin * north, cos * north - sin * east], axis=1).reshape(-1, m)
        out[2 * n + self.ccds] = ccds
        return out

    def step(
        self, g: Floats, pull: Floats, state: State, weight: Floats, use: Floats, ref_weight: Floats
    ) -> Floats:
        """(n,) change of the unknowns, as schur.System.step, for the matrix of the present weights."""
        def product(along: Floats) -> Floats:
            h = gradient(state, weight, use, ref_weight, np.zeros((0, 2)), along[:, 0]) + self.ridge * along[:, 0]
            return np.where(self.active, h, 0.0)[:, None]

        right = np.where(self.active, self.ridge * pull - g, 0.0)[:, None]
        answer, n_step = conjugate.solve(product, self.near, right, _TOLERANCE, _N_STEP)
        self.is_slow = n_step > _N_SLOW
        return answer[:, 0]

    def variance(self) -> Floats:
        """(n,) diagonal of the covariance: of the CCDs' terms by M; 0 of the visits'."""
        out = np.zeros(self.ridge.size)
        if self.ccds.size:
            inverse = cho_solve(self.ccd_factor, np.eye(self.ccds.size))
            out[2 * self.shape[0] * self.shape[2] + self.ccds] = np.diag(inverse) * self.ccd_scale**2
        return out


def _cholesky(matrix: Floats) -> tuple[tuple[Floats, bool], Floats]:
    """Factor of the matrix scaled to a unit diagonal, and the scale."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    try:
        return cho_factor(matrix * scale[:, None] * scale, lower=False, overwrite_a=True), scale
    except LinAlgError as error:
        raise DataError(
            f"mosaic: the normal equations of {scale.size} unknowns are singular ({error}). "
            "Lower mosaic.astrometry_order, or leave out visits with few stars.",
            code="singular_fit",
        ) from None


def is_large(n_obs: int, n_star: int, n_visit: int, n: int) -> bool:
    """Whether five reduced matrices of n unknowns cost more than 35 loops over the detections and one M.

    Where visits have few detections the matrix is made all the same: priors are learned from it (prior.py).
    """
    is_dear = 2.5e-10 * n_star * float(n) ** 2 > 0.5 + 6e-6 * n_obs
    return is_dear and (n_obs > _N_RICH * n_visit or n > _N_MOST)
