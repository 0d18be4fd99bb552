"""Polynomials over the focal plane: total-degree Chebyshev bases and their way back to powers.

Terms are always in the order `for p in 0..order: for q in 0..order-p` of T_p(x) T_q(y), the order in which the
database stores them.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit
from numpy.polynomial import chebyshev as cheb

Floats = npt.NDArray[np.float64]


def n_terms(order: int) -> int:
    """Number of terms of total degree <= order."""
    return (order + 1) * (order + 2) // 2


def degrees(order: int) -> npt.NDArray[np.int64]:
    """(n_terms,) total degree p + q of each term."""
    return np.array([p + q for p in range(order + 1) for q in range(order + 1 - p)], np.int64)


@njit(cache=True, nogil=True)
def fill(order, x, y, tx, ty, out):
    """Write T_p(x) T_q(y) of one point into out (n_terms,); tx, ty (order + 1,) are room for one axis each."""
    tx[0] = 1.0
    ty[0] = 1.0
    if order > 0:
        tx[1] = x
        ty[1] = y
    for n in range(2, order + 1):
        tx[n] = 2.0 * x * tx[n - 1] - tx[n - 2]
        ty[n] = 2.0 * y * ty[n - 1] - ty[n - 2]
    k = 0
    for p in range(order + 1):
        for q in range(order + 1 - p):
            out[k] = tx[p] * ty[q]
            k += 1


@njit(cache=True, nogil=True)
def _matrix(order, x, y, out):
    tx, ty = np.empty(order + 1), np.empty(order + 1)
    for i in range(x.size):
        fill(order, x[i], y[i], tx, ty, out[i])


def matrix(order: int, x: Floats, y: Floats) -> Floats:
    """(n, n_terms) basis at n points of the square [-1, 1]^2 (it also extrapolates)."""
    out = np.empty((x.size, n_terms(order)))
    _matrix(order, np.ascontiguousarray(x, np.float64).ravel(), np.ascontiguousarray(y, np.float64).ravel(), out)
    return out


def square(order: int, coefficients: Floats) -> Floats:
    """(order+1, order+1) array with the coefficient of T_p(x) T_q(y) at [p, q]."""
    out = np.zeros((order + 1, order + 1))
    k = 0
    for p in range(order + 1):
        for q in range(order + 1 - p):
            out[p, q] = coefficients[k]
            k += 1
    return out


def gradient(order: int, coefficients: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Derivatives with respect to x and y of sum c_k T_p(x) T_q(y) at n points."""
    c = square(order, coefficients)
    if order == 0:
        return np.zeros_like(x), np.zeros_like(x)
    along_x: Floats = np.asarray(cheb.chebval2d(x, y, cheb.chebder(c, axis=0)), np.float64)
    along_y: Floats = np.asarray(cheb.chebval2d(x, y, cheb.chebder(c, axis=1)), np.float64)
    return along_x, along_y


@cache
def _in_powers(order: int) -> Floats:
    """(order+1, order+1) matrix whose column n holds T_n in powers."""
    convert = np.zeros((order + 1, order + 1))
    for n in range(order + 1):
        convert[: n + 1, n] = cheb.cheb2poly(np.eye(n + 1)[n])
    return convert


def powers(order: int, coefficients: Floats, scale: float) -> Floats:
    """(order+1, order+1) coefficients of u^p v^q of the polynomial whose Chebyshev arguments are u/scale, v/scale."""
    c, convert, exponent = square(order, coefficients), _in_powers(order), np.arange(order + 1)
    return (convert @ c @ convert.T) / scale ** (exponent[:, None] + exponent[None, :])


def turned(power: Floats, angle_rad: float) -> Floats:
    """Coefficients in (x, y) of a polynomial in (u, v), where u = c x - s y, v = s x + c y (c, s of the angle).

    Total degree is kept; the constant stays exactly.
    """
    order = power.shape[0] - 1
    return np.asarray((_turning(order, float(angle_rad)) @ power.ravel()).reshape(power.shape))


@cache
def _turning(order: int, angle_rad: float) -> Floats:
    """Matrix of `turned`, of raveled coefficients: CCDs lie at few angles."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    u_powers = _binomials(order, c, -s)
    v_powers = _binomials(order, s, c)
    out = np.zeros((order + 1, order + 1, order + 1, order + 1))
    for p in range(order + 1):
        for q in range(order + 1 - p):
            # homogeneous of degree p + q: convolve the coefficients of y^j in u^p and v^q
            product = np.convolve(u_powers[p], v_powers[q])
            n = p + q
            for j in range(n + 1):
                out[n - j, j, p, q] = product[j]
    return out.reshape((order + 1) ** 2, -1)


def _binomials(order: int, a: float, b: float) -> list[Floats]:
    """Coefficients of y^j x^(n-j) in (a x + b y)^n for n = 0..order."""
    rows = [np.ones(1)]
    for _ in range(order):
        rows.append(np.convolve(rows[-1], np.array([a, b])))
    return rows


def flat(power: Floats) -> Floats:
    """The coefficients of an (order+1, order+1) array in the stored order."""
    order = power.shape[0] - 1
    return np.array([power[p, q] for p in range(order + 1) for q in range(order + 1 - p)])
