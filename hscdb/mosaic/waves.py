"""The process of which a visit's air is one draw: displacements along the gradient of a potential, and some across it.

The air refracts: stars move by the gradient of the wave front's delay. A potential of Matern's covariance, spectrum
(1 + q^2 L^2)^(-M - 2) in the plane, has a gradient of covariance

    E(d) = g(x) 1 + h(x) n n^T,    x = |d| / L, n = d / |d|,
    g = c x^M K_M(x),   h = x g'(x) = -c x^(M + 1) K_(M - 1)(x),   c = 2^(1 - M) / Gamma(M),   M = 5/6

between two axes of two places d apart: variance 1 per axis, free of curl, and for waves shorter than L the spectrum
q^(-11/3) of Kolmogorov's air. Turned by a right angle at every place it is free of divergence instead:
B(d) = (g + h) 1 - h n n^T. Here

    covariance(d) = (1 - c) E(d) + c B(d),

c the share of curl: 0 for air alone, 1/2 where the axes know nothing of each other. As waves: wave vectors q of density
q^2 (1 + q^2 L^2)^(-M - 2) in the plane, moving along q, or across it.

g and h are looked up in a table of 20 000 steps in sqrt(x), to 1e-8: Bessel functions cost a hundred times as much.

Sources: Fortino et al. 2021, AJ 162, 106 and Leget et al. 2021, A&A 650, A81: fields free of curl, von Karman's slope.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.mosaic.model import Floats

Singles = npt.NDArray[np.float32]

_SLOPE = 5.0 / 6.0  # M
_N_WAVE = 128
_N_STEP, _FARTHEST = 20_000, 30.0  # exp(-30) is nothing


@cache
def _table() -> Floats:
    """(_N_STEP + 1, 2) g and h at equal steps of sqrt(x) from 0 to sqrt(_FARTHEST)."""
    from scipy.special import gamma, kv  # slow to import, and every command loads every stage

    x = np.linspace(0.0, np.sqrt(_FARTHEST), _N_STEP + 1)[1:] ** 2
    size = 2.0 ** (1.0 - _SLOPE) / gamma(_SLOPE)
    g, h = size * x**_SLOPE * kv(_SLOPE, x), -size * x ** (1.0 + _SLOPE) * kv(1.0 - _SLOPE, x)
    return np.concatenate([[[1.0, 0.0]], np.stack([g, h], axis=1)])


@njit(cache=True, nogil=True)
def _covary(a, b, length, curl, table, farthest, out):
    n, m, last = a.shape[0], b.shape[0], table.shape[0] - 1
    step = last / np.sqrt(farthest)
    for i in range(n):
        for j in range(m):
            x, y = (a[i, 0] - b[j, 0]) / length, (a[i, 1] - b[j, 1]) / length
            d2 = x * x + y * y
            at = np.sqrt(np.sqrt(d2)) * step
            node = int(at)
            if node >= last:
                g, h = 0.0, 0.0
            else:
                part = at - node
                g = table[node, 0] + part * (table[node + 1, 0] - table[node, 0])
                h = table[node, 1] + part * (table[node + 1, 1] - table[node, 1])
            both, along = g + curl * h, (1.0 - 2.0 * curl) * h / max(d2, 1e-300)
            out[i, j] = both + along * x * x
            out[n + i, m + j] = both + along * y * y
            out[i, m + j] = out[n + i, j] = along * x * y


def covariance(a: Floats, b: Floats, length: float, curl: float = 0.0) -> Floats:
    """(2 n, 2 m) covariance, in units of A^2, between places (n, 2) and (m, 2): first the first axis of all."""
    out = np.empty((2 * len(a), 2 * len(b)))
    _covary(np.ascontiguousarray(a), np.ascontiguousarray(b), length, curl, _table(), _FARTHEST, out)
    return out


def unlike(x: Floats) -> Floats:
    """Mean square of the difference between places a distance x / L apart, in units of A^2."""
    node = np.minimum(np.sqrt(x / _FARTHEST) * _N_STEP, _N_STEP).astype(np.int64)
    g, h = _table()[node].T
    return np.asarray(2.0 - 2.0 * g - h)


def drawn(rng: np.random.Generator, place: Floats, length: float, curl: float, n_draw: int) -> Singles:
    """(n, 2, n_draw) draws at places (n, 2), of variance 1 per axis.

    The wave vectors are on a low-discrepancy sequence, new in each call; amplitudes of sines and cosines are new in
    each draw (Rahimi & Recht 2007, NIPS 20).
    """
    from scipy.special import betaincinv

    # the plane's most even sequence (Roberts), shifted at random
    u, turn = ((rng.random() + np.arange(_N_WAVE) * step) % 1.0 for step in (0.7548776662, 0.5698402910))
    part = np.minimum(betaincinv(2.0, _SLOPE, u), 1.0 - 1e-9)  # t / (1 + t) of t = (q L)^2
    wave, angle = np.sqrt(part / (1.0 - part)) / length, 2.0 * np.pi * turn
    cos, sin = np.cos(angle), np.sin(angle)
    phase = (place @ np.stack([wave * cos, wave * sin])).astype(np.float32)
    shapes = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    out = np.zeros((len(place), 2, n_draw), np.float32)
    for share, along in ((1.0 - curl, (cos, sin)), (curl, (-sin, cos))):
        if share <= 0.0:
            continue
        strength = rng.standard_normal((2 * _N_WAVE, n_draw), np.float32) * np.float32(np.sqrt(2.0 * share / _N_WAVE))
        for axis, one in enumerate(along):
            out[:, axis] += shapes @ (np.tile(one, 2)[:, None].astype(np.float32) * strength)
    return out
