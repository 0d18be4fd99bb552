"""What a star's color does in a visit: a shift of its place, by refraction in air or lens, and of its magnitude.

With c_s the color of star s by its references, minus the median of all (stars without one do as if it were 0), the
model of a detection k in visit e gets + B_k t_e, B_k = c_s of a magnitude (one t_e [mag/mag]) and c_s times the turn
from the visit's plane to the star's axes of a place (two t_e, along xi and eta [mas/mag]; refraction shows as one
direction, the parallactic). Minimised over t_e and the stars x_s, visits and CCDs being given,

    sum_k w_k |y_k + B_k t_e - x_s|^2 + sum_s R_s |x_s - r_s|^2 + sum_e |t_e|^2 / prior^2,

y_k what the model is off the present star: a system of the size of the visits, the stars eliminated as in schur.py.
It is solved in turn with the rest of the fit, one step in each pass. Gauge: what all visits have in common moves the
stars of a color alike; the references hold that, else the prior.

The same system, with one coefficient for all visits, tells what an aperture loses where the seeing is worse than the
visit's: B_k = ln(seeing of the frame) minus its mean over the visit.
"""

import numpy as np
from numba import njit
from scipy.linalg import cho_factor, cho_solve

from hscdb.mosaic.model import Floats, Ints

_FEWEST = 20  # stars with a color below which nothing is asked


def centered(color: Floats | None) -> Floats | None:
    """(n_star,) colors minus their median, 0 where there is none; None with fewer than 20."""
    if color is None or np.isfinite(color).sum() < _FEWEST:
        return None
    return np.nan_to_num(color - np.nanmedian(color))


class Tint:
    """Coefficients t (n_visit, n) of the visits, improved step by step; amount (n_obs,): what they are times of."""

    def __init__(self, start: Ints, visit: Ints, n_visit: int, amount: Floats, prior: float, n: int) -> None:
        self.start, self.visit, self.amount, self.inverse_prior = start, visit, amount, prior**-2.0
        self.value = np.zeros((n_visit, n))

    def improve(
        self, columns: Floats, weight: Floats, offset: Floats, ref_weight: Floats, ref_offset: Floats
    ) -> Floats:
        """Change of what is added to the model (n_obs, m), also kept in `value`.

        columns : (n_obs, m, n) B_k; weight (n_obs,) inverse variances, 0 leaves one out; offset (n_obs, m) y_k;
        ref_weight (n_star,), ref_offset (n_star, m).
        """
        n_visit, n = self.value.shape
        h, g = np.zeros((n_visit * n, n_visit * n)), np.zeros(n_visit * n)
        _equations(self.start, self.visit, columns, weight, offset, ref_weight, ref_offset, h, g)
        h[np.diag_indices_from(h)] += self.inverse_prior
        change = cho_solve(cho_factor(h), -g - self.inverse_prior * self.value.ravel()).reshape(n_visit, n)
        self.value = self.value + change
        return np.asarray(np.einsum("kij,kj->ki", columns, change[self.visit]))

    def notes(self, visits: Ints, name: str, factor: float) -> dict[str, object]:
        """{name: {visit: coefficients}}, times a factor."""
        return {name: {str(v): [round(factor * float(t), 4) for t in row] for v, row in zip(visits, self.value,
                                                                                           strict=True)}}  # fmt: skip


@njit(cache=True, nogil=True)
def _equations(start, visit, columns, weight, offset, ref_weight, ref_offset, h, g):
    m, n = columns.shape[1], columns.shape[2]
    mean = np.empty(m)
    for s in range(start.size - 1):
        total = ref_weight[s]
        for i in range(m):
            mean[i] = ref_weight[s] * ref_offset[s, i]
        for k in range(start[s], start[s + 1]):
            total += weight[k]
            for i in range(m):
                mean[i] += weight[k] * offset[k, i]
        if total <= 0.0:
            continue
        for i in range(m):
            mean[i] /= total
        for k in range(start[s], start[s + 1]):
            if weight[k] == 0.0:
                continue
            a = visit[k] * n
            for j in range(n):
                for i in range(m):
                    g[a + j] += weight[k] * columns[k, i, j] * (offset[k, i] - mean[i])
                for jj in range(n):
                    for i in range(m):
                        h[a + j, a + jj] += weight[k] * columns[k, i, j] * columns[k, i, jj]
            for other in range(start[s], start[s + 1]):
                if weight[other] == 0.0:
                    continue
                b, w = visit[other] * n, weight[k] * weight[other] / total
                for j in range(n):
                    for jj in range(n):
                        for i in range(m):
                            h[a + j, b + jj] -= w * columns[k, i, j] * columns[other, i, jj]
