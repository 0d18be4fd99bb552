"""Least squares with many small star blocks, which are eliminated on the way (Schur complement).

Minimise over the model parameters a and one small vector d_s per star

    sum_k |y_k + B_k a - d_s(k)|^2_(W_k)  +  sum_s |d_s - r_s|^2_(R_s)  +  sum_j lambda_j (a_j - a0_j)^2 .

For given a the best d_s = D_s^-1 (sum_k W_k (y_k + B_k a) + R_s r_s) with D_s = sum_k W_k + R_s. Inserting it leaves

    H = sum_k B_k^T W_k B_k - sum_s U_s^T U_s,   U_s = L_s^-1 sum_k W_k B_k,   D_s = L_s L_s^T,

a dense system of the size of the model: 12 visits of order 5 and 100 CCDs are 804 unknowns whatever the number of
stars. The first sum is added up observation by observation; the rows U_s of a few thousand stars at a time go to BLAS
(syrk), which is where the time goes. Same reduction as DMTN-036 (appendix) and Bernstein et al. 2017.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.linalg import blas, cho_factor, cho_solve, lapack, solve_triangular

from hscdb.errors import DataError
from hscdb.mosaic import ccdterms
from hscdb.mosaic.basis import fill

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Dense rows held at a time: 64 MB of float64, small beside the observations and large enough for syrk's full speed.
_CHUNK_BYTES = 64 * 2**20


@njit(cache=True, nogil=True)
def _positions_chunk(start, first, last, visit, ccd, x, y, order, n_visit, turn, plate, lever, w, use, d, ref_w, ref_d,
                     n_k, h, g, u, t):  # fmt: skip
    """Add the stars first .. last-1 to h, g and write their rows into u, t. See `reduce_positions` for the arrays."""
    n_c = (order + 1) * (order + 2) // 2
    b = np.empty(n_c)
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    wb = np.empty((2, 2))
    k3 = np.empty((2, n_k))
    for s in range(first, last):
        row = 2 * (s - first)
        d00, d01, d11 = ref_w[s, 0], ref_w[s, 1], ref_w[s, 2]
        r0 = ref_w[s, 0] * ref_d[s, 0] + ref_w[s, 1] * ref_d[s, 1]
        r1 = ref_w[s, 1] * ref_d[s, 0] + ref_w[s, 2] * ref_d[s, 1]
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            w00, w01, w11 = use[k] * w[k, 0], use[k] * w[k, 1], use[k] * w[k, 2]
            d00 += w00
            d01 += w01
            d11 += w11
            wy0 = w00 * d[k, 0] + w01 * d[k, 1]
            wy1 = w01 * d[k, 0] + w11 * d[k, 1]
            r0 += wy0
            r1 += wy1
            fill(order, x[k], y[k], tx, ty, b)
            # wb = W G, q = G^T W G: the visit's coefficients act through the 2 x 2 matrix G = turn
            for j in range(2):
                wb[0, j] = w00 * turn[k, 0, j] + w01 * turn[k, 1, j]
                wb[1, j] = w01 * turn[k, 0, j] + w11 * turn[k, 1, j]
            q00 = turn[k, 0, 0] * wb[0, 0] + turn[k, 1, 0] * wb[1, 0]
            q01 = turn[k, 0, 0] * wb[0, 1] + turn[k, 1, 0] * wb[1, 1]
            q11 = turn[k, 0, 1] * wb[0, 1] + turn[k, 1, 1] * wb[1, 1]
            gy0 = turn[k, 0, 0] * wy0 + turn[k, 1, 0] * wy1
            gy1 = turn[k, 0, 1] * wy0 + turn[k, 1, 1] * wy1
            o = visit[k] * 2 * n_c
            for i in range(n_c):
                bi = b[i]
                g[o + i] += bi * gy0
                g[o + n_c + i] += bi * gy1
                u[row, o + i] += wb[0, 0] * bi
                u[row + 1, o + i] += wb[1, 0] * bi
                u[row, o + n_c + i] += wb[0, 1] * bi
                u[row + 1, o + n_c + i] += wb[1, 1] * bi
                for j in range(n_c):
                    bb = bi * b[j]
                    h[o + j, o + n_c + i] += q01 * bb
                    if j <= i:
                        h[o + j, o + i] += q00 * bb
                        h[o + n_c + j, o + n_c + i] += q11 * bb
            c = n_visit * 2 * n_c + n_k * ccd[k]
            ccdterms.columns(plate[k], lever[k, 0], lever[k, 1], k3)
            for m in range(n_k):
                k0, k1 = k3[0, m], k3[1, m]
                wk0 = w00 * k0 + w01 * k1
                wk1 = w01 * k0 + w11 * k1
                g[c + m] += k0 * wy0 + k1 * wy1
                u[row, c + m] += wk0
                u[row + 1, c + m] += wk1
                for n in range(m, n_k):
                    h[c + m, c + n] += wk0 * k3[0, n] + wk1 * k3[1, n]
                e0 = turn[k, 0, 0] * wk0 + turn[k, 1, 0] * wk1
                e1 = turn[k, 0, 1] * wk0 + turn[k, 1, 1] * wk1
                for i in range(n_c):
                    h[o + i, c + m] += b[i] * e0
                    h[o + n_c + i, c + m] += b[i] * e1
        if d00 <= 0.0 or d11 <= 0.0:
            continue
        l00 = np.sqrt(d00)
        l10 = d01 / l00
        l11 = np.sqrt(max(d11 - l10 * l10, 1e-30))
        for j in range(u.shape[1]):
            a0 = u[row, j] / l00
            u[row, j] = a0
            u[row + 1, j] = (u[row + 1, j] - l10 * a0) / l11
        t[row] = r0 / l00
        t[row + 1] = (r1 - l10 * t[row]) / l11


def reduce_positions(
    start: Ints, visit: Ints, ccd: Ints, x: Floats, y: Floats, order: int, n_visit: int, n_ccd: int, turn: Floats,
    plate: Floats, lever: Floats, weight: Floats, use: Floats, offset: Floats, ref_weight: Floats, ref_offset: Floats,
    n_ccd_term: int = ccdterms.N_RIGID,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Reduced normal matrix (upper triangle) and right side of the astrometric fit.

    start      : (n_star + 1,) first observation of each star; observations are sorted by star.
    visit, ccd : (n_obs,) indices.
    x, y       : (n_obs,) arguments of the Chebyshev basis.
    turn       : (n_obs, 2, 2) d(east, north of the star) / d(xi, eta of the visit), no unit.
    plate      : (n_obs, 2, 2) d(east, north) / d(u, v) [mas/pix]; lever (n_obs, 2) place from the CCD's center [pix].
    weight     : (n_obs, 3) inverse covariance 00, 01, 11 [mas^-2]; use (n_obs,) factor on it, 0 leaves one out.
    offset     : (n_obs, 2) model minus star [mas].
    ref_weight : (n_star, 3) inverse covariance of the reference [mas^-2]; zeros where there is none.
    ref_offset : (n_star, 2) reference minus star [mas].

    Unknowns: per visit the changes of xi then eta coefficients [mas], then per ccd its n_ccd_term terms [pix].
    """
    n = n_visit * (order + 1) * (order + 2) + n_ccd_term * n_ccd

    def chunk(first: int, last: int, h: Floats, g: Floats, u: Floats, t: Floats) -> None:
        _positions_chunk(
            start, first, last, visit, ccd, x, y, order, n_visit, turn, plate, lever, weight, use, offset, ref_weight,
            ref_offset, n_ccd_term, h, g, u, t,
        )  # fmt: skip

    return reduce(chunk, n, start.size - 1, 2)


def reduce(
    chunk: Callable[[int, int, Floats, Floats, Floats, Floats], None], n: int, n_star: int, n_row: int
) -> tuple[Floats, Floats]:
    """Run `chunk` over all stars and subtract the eliminated part; returns (h upper, g)."""
    # column-major, so that BLAS works in place and scipy copies nothing
    h = np.zeros((n, n), order="F")
    g = np.zeros(n)
    step = int(max(64, _CHUNK_BYTES // (8 * max(n, 1) * n_row)))
    for first in range(0, n_star, step):
        last = min(first + step, n_star)
        u = np.zeros((n_row * (last - first), n))
        t = np.zeros(n_row * (last - first))
        chunk(first, last, h, g, u, t)
        h = blas.dsyrk(-1.0, u.T, beta=1.0, c=h, trans=0, lower=0, overwrite_c=1)
        g -= u.T @ t
    return h, g


class System:
    """The reduced normal equations with priors, factorized: (H + ridge) a = ridge pull - g on the active unknowns.

    h      : (n, n) upper triangle of the reduced matrix; ridge (n,) inverse prior variances.
    active : (n,) unknowns that the data support; the others stay where they are.

    Raises DataError `singular_fit` when the matrix is not positive definite although every unknown has a prior.
    """

    def __init__(self, h: Floats, ridge: Floats, active: npt.NDArray[np.bool_]) -> None:
        self.ridge, self.size = ridge, ridge.size
        self.index = index = np.flatnonzero(active)
        # column-major as LAPACK wants it, which looks at the upper triangle only: no copy but this one
        part = (h if h.flags.c_contiguous else h.T)[np.ix_(index, index)]
        part = part if h.flags.c_contiguous else part.T
        part[np.diag_indices_from(part)] += ridge[index]
        # unit diagonal before Cholesky: raw coefficients differ by many powers of ten in information
        self.scale = 1.0 / np.sqrt(np.maximum(np.diag(part), 1e-300))
        part *= self.scale[:, None]
        part *= self.scale[None, :]
        try:
            self.factor = cho_factor(np.asfortranarray(part), lower=False, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError as error:
            raise DataError(
                f"mosaic: the normal equations of {index.size} unknowns are singular ({error}). "
                "Lower mosaic.astrometry_order or mosaic.flux_order, or leave out visits with few stars.",
                code="singular_fit",
            ) from None

    def step(self, g: Floats, pull: Floats) -> Floats:
        """(n,) change of the unknowns: g (n,) gradient at the present place, pull (n,) prior mean minus it."""
        return self.solve(self.ridge * pull - g)

    def solve(self, b: Floats) -> Floats:
        """The covariance times b, (n,) or (n, m); 0 where nothing is solved."""
        a = np.zeros(b.shape)
        scale = self.scale.reshape(-1, *(1,) * (b.ndim - 1))
        a[self.index] = cho_solve(self.factor, b[self.index] * scale, check_finite=False) * scale
        return a

    def drawn(self, rng: np.random.Generator, n_draw: int) -> Floats:
        """(n, n_draw) draws of Gaussian errors of this covariance, 0 where nothing is solved."""
        out = np.zeros((self.size, n_draw))
        z = rng.standard_normal((self.index.size, n_draw))
        out[self.index] = solve_triangular(self.factor[0], z, check_finite=False) * self.scale[:, None]
        return out

    def variance(self) -> Floats:
        """(n,) diagonal of the covariance, 0 where nothing is solved. As costly as three factorizations."""
        out = np.zeros(self.size)
        if self.index.size:
            inverse, _ = lapack.dpotri(self.factor[0], lower=0)
            out[self.index] = np.diag(inverse) * self.scale**2
        return out


def solve(h: Floats, g: Floats, ridge: Floats, pull: Floats, active: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Change of the unknowns and its covariance's diagonal: minimise a^T H a / 2 + g a + ridge (a - pull)^2 / 2."""
    system = System(h, ridge, active)
    return system.step(g, pull), system.variance()
