"""The observation equations of the photometric fit, compiled: terms of a detection, their sums, the normal equations.

Unknowns in this order: [zero points of the visits][common field, degree 1 and more][fields of the visits][CCD offsets].
A detection has one zero point, all terms of the common field, those of its visit's field and one offset. They are made
anew wherever they are needed: kept for three million detections they would take two gigabytes.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from hscdb.mosaic import basis, schur
from hscdb.mosaic.basis import fill
from hscdb.mosaic.model import Floats, Ints


@dataclass(frozen=True)
class Model:
    """Which terms there are and where detections lie.

    start      : (n_star + 1,) first detection of each star; visit, ccd (n_obs,) indices.
    u, v       : (n_obs,) arguments of the fields.
    order, visit_order : of the common field and of the visits' own.
    """

    start: Ints
    visit: Ints
    ccd: Ints
    u: Floats
    v: Floats
    n_visit: int
    n_ccd: int
    order: int
    visit_order: int

    @property
    def n_common(self) -> int:
        """Terms of the common field."""
        return basis.n_terms(self.order) - 1

    @property
    def n_field(self) -> int:
        """Terms of a visit's own field."""
        return basis.n_terms(self.visit_order) - 1

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.n_visit * (1 + self.n_field) + self.n_common + self.n_ccd

    def terms(self) -> tuple[Ints, Ints, Floats, Floats, int, int, int]:
        return self.visit, self.ccd, self.u, self.v, self.n_visit, self.order, self.visit_order

    def sums(self, unknowns: Floats) -> Floats:
        """(n_obs,) all terms of each detection [mag]."""
        out = np.empty(self.u.size)
        _sums(*self.terms(), unknowns, out)
        return out

    def pull(self, weight: Floats, miss: Floats) -> Floats:
        """Right side of the normal equations: weight (n_obs,), miss (n_obs,) magnitude minus star's weighted mean."""
        out = np.zeros(self.size)
        _pull(*self.terms(), weight, miss, out)
        return out

    def gradient(
        self, weight: Floats, offset: Floats, ref_weight: Floats, ref_offset: Floats, vector: Floats | None = None
    ) -> Floats:
        """Right side as of `reduce`; with a vector (size,): the reduced matrix times it, whatever the offsets."""
        out = np.zeros(self.size)
        known = self.start, *self.terms(), weight, offset, ref_weight, ref_offset
        _apply(*known, np.zeros(0) if vector is None else vector, out)
        return out

    def told(self, share: Floats) -> tuple[Floats, Floats]:
        """Factors (size, n_visit), (size, n_ccd) of the sums of unknowns that are told: zero points at the optical
        centre, and CCD offsets about their mean, weighted by share (n_ccd,).

        What zero points, offsets and fields have in common is known by the priors alone; it drops out of these sums,
        and so it must of their errors.
        """
        n, m = self.n_visit, self.n_field
        first, last = n + self.n_common, n + self.n_common + n * m
        zeros, ccds = np.zeros((self.size, n)), np.zeros((self.size, self.n_ccd))
        none = np.zeros(1)
        zeros[n:first] = basis.matrix(self.order, none, none)[0, 1:, None]
        for e in range(n):
            zeros[e, e] = 1.0
            zeros[first + e * m : first + (e + 1) * m, e] = basis.matrix(self.visit_order, none, none)[0, 1:]
        zeros[last:] = share[:, None]
        ccds[last:] = np.eye(self.n_ccd) - share[:, None]
        return zeros, ccds

    def reduce(
        self, weight: Floats, offset: Floats, ref_weight: Floats, ref_offset: Floats
    ) -> tuple[Floats, Floats]:
        """Reduced normal matrix (upper triangle) and right side.

        weight, offset         : (n_obs,) inverse variance [mag^-2], 0 leaves one out; magnitude minus star [mag].
        ref_weight, ref_offset : (n_star,) the same of the reference magnitude; weight 0 where there is none.
        """
        n, m, own, ccd = self.n_visit, self.n_common, 1 + self.n_field, self.n_ccd
        sizes = ((m, m), (n, own, m), (n, own, own), (n, ccd, own), (ccd, m), (ccd,))
        blocks = tuple(np.zeros(size) for size in sizes)

        def chunk(first: int, last: int, h: Floats, g: Floats, u: Floats, t: Floats) -> None:
            _chunk(self.start, *self.terms(), first, last, weight, offset, ref_weight, ref_offset, blocks, g, u, t)

        h, g = schur.reduce(chunk, self.size, self.start.size - 1, 1)
        _assembled(self, blocks, h)
        return h, g


@njit(cache=True, nogil=True)
def _sums(visit, ccd, u, v, n_visit, order, visit_order, unknowns, out):
    common, own = np.empty((order + 1) * (order + 2) // 2), np.empty((visit_order + 1) * (visit_order + 2) // 2)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    n_common, n_own = common.size - 1, own.size - 1
    for k in range(u.size):
        fill(order, u[k], v[k], tu, tv, common)
        fill(visit_order, u[k], v[k], tu, tv, own)
        total = unknowns[visit[k]] + unknowns[n_visit * (1 + n_own) + n_common + ccd[k]]
        for i in range(n_common):
            total += common[1 + i] * unknowns[n_visit + i]
        first = n_visit + n_common + visit[k] * n_own
        for i in range(n_own):
            total += own[1 + i] * unknowns[first + i]
        out[k] = total


@njit(cache=True, nogil=True)
def _pull(visit, ccd, u, v, n_visit, order, visit_order, weight, miss, out):
    common, own = np.empty((order + 1) * (order + 2) // 2), np.empty((visit_order + 1) * (visit_order + 2) // 2)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    for k in range(u.size):
        if weight[k] != 0.0:
            fill(order, u[k], v[k], tu, tv, common)
            fill(visit_order, u[k], v[k], tu, tv, own)
            _scatter(visit[k], ccd[k], n_visit, common, own, weight[k] * miss[k], out)


@njit(cache=True, nogil=True)
def _apply(start, visit, ccd, u, v, n_visit, order, visit_order, w, d, ref_w, ref_d, vector, out):
    """Gradient of the offsets d, ref_d into out, or, if vector has a length, the reduced matrix times it."""
    n_most = 1
    for s in range(start.size - 1):
        n_most = max(n_most, start[s + 1] - start[s])
    common = np.empty((n_most, (order + 1) * (order + 2) // 2))
    own, r = np.empty((n_most, (visit_order + 1) * (visit_order + 2) // 2)), np.empty(n_most)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    n_common, n_own, is_product = common.shape[1] - 1, own.shape[1] - 1, vector.size > 0
    for s in range(start.size - 1):
        total, mean = ref_w[s], 0.0 if is_product else ref_w[s] * ref_d[s]
        for k in range(start[s], start[s + 1]):
            if w[k] == 0.0:
                continue
            j = k - start[s]
            fill(order, u[k], v[k], tu, tv, common[j])
            fill(visit_order, u[k], v[k], tu, tv, own[j])
            if is_product:
                one = vector[visit[k]] + vector[n_visit * (1 + n_own) + n_common + ccd[k]]
                for i in range(n_common):
                    one += common[j, 1 + i] * vector[n_visit + i]
                first = n_visit + n_common + visit[k] * n_own
                for i in range(n_own):
                    one += own[j, 1 + i] * vector[first + i]
                r[j] = one
            else:
                r[j] = d[k]
            total += w[k]
            mean += w[k] * r[j]
        if total <= 0.0:
            continue
        mean /= total
        for k in range(start[s], start[s + 1]):
            if w[k] != 0.0:
                j = k - start[s]
                _scatter(visit[k], ccd[k], n_visit, common[j], own[j], w[k] * (r[j] - mean), out)


@njit(cache=True, nogil=True)
def _scatter(visit, ccd, n_visit, common, own, one, out):
    """Add `one` times the terms of a detection to its unknowns."""
    n_common, n_own = common.size - 1, own.size - 1
    out[visit] += one
    for i in range(n_common):
        out[n_visit + i] += one * common[1 + i]
    first = n_visit + n_common + visit * n_own
    for i in range(n_own):
        out[first + i] += one * own[1 + i]
    out[n_visit * (1 + n_own) + n_common + ccd] += one


@njit(cache=True, nogil=True)
def _chunk(start, visit, ccd, u, v, n_visit, order, visit_order, first, last, w, d, ref_w, ref_d, blocks, g, rows, t):
    """Add the stars first .. last-1 to the blocks (see `_assembled`) and g, and write their rows into rows, t."""
    cc, vc, vv, vd, dc, dd = blocks
    n_common, n_own = cc.shape[0], vv.shape[1]
    common, own = np.empty(n_common + 1), np.empty(n_own)
    most = max(order, visit_order) + 1
    tu, tv = np.empty(most), np.empty(most)
    for s in range(first, last):
        row = s - first
        total = ref_w[s]
        r = ref_w[s] * ref_d[s]
        for k in range(start[s], start[s + 1]):
            if w[k] == 0.0:
                continue
            total += w[k]
            r += w[k] * d[k]
            fill(order, u[k], v[k], tu, tv, common)
            fill(visit_order, u[k], v[k], tu, tv, own)
            _scatter(visit[k], ccd[k], n_visit, common, own, w[k] * d[k], g)
            _scatter(visit[k], ccd[k], n_visit, common, own, w[k], rows[row])
            e, c = visit[k], ccd[k]
            for j in range(n_common):
                a = w[k] * common[1 + j]
                dc[c, j] += a
                for i in range(j, n_common):
                    cc[j, i] += a * common[1 + i]
            for j in range(n_own):
                a = w[k] * own[j]
                vd[e, c, j] += a
                for i in range(n_common):
                    vc[e, j, i] += a * common[1 + i]
                for i in range(n_own):
                    vv[e, j, i] += a * own[i]
            dd[c] += w[k]
        if total <= 0.0:
            continue
        root = np.sqrt(total)
        for j in range(rows.shape[1]):
            rows[row, j] /= root
        t[row] = r / root


def _assembled(model: Model, blocks: tuple[Floats, ...], h: Floats) -> None:
    """Add the blocks to the upper triangle of the matrix h.

    cc (common, common), its upper triangle; vc (visit, own, common), vv (visit, own, own), vd (visit, ccd, own), dc
    (ccd, common), dd (ccd,): own is a visit's zero point and the terms of its field.
    """
    cc, vc, vv, vd, dc, dd = blocks
    n, m = model.n_visit, model.n_common
    common = np.arange(n, n + m)
    ccds = model.size - model.n_ccd + np.arange(model.n_ccd)
    h[np.ix_(common, common)] += cc
    h[np.ix_(common, ccds)] += dc.T
    h[ccds, ccds] += dd
    for e in range(n):
        own = np.concatenate([[e], n + m + e * model.n_field + np.arange(model.n_field)])
        h[np.ix_(own, own)] += vv[e]
        h[np.ix_(own, ccds)] += vd[e].T
        h[e, common] += vc[e, 0]
        h[np.ix_(common, own[1:])] += vc[e, 1:].T
