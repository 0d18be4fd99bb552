"""Polynomials of two variables, as square arrays of coefficients: c[p, q] belongs to x^p y^q, zero where p + q > order.

`flatten` and `unflatten` give the order in which the database stores them: for p in 0..order, for q in 0..order-p.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb, isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def n_coefficient(order: int) -> int:
    """Number of coefficients of a polynomial of this total order."""
    return (order + 1) * (order + 2) // 2


def flatten(c: Floats) -> list[float]:
    """The coefficients p + q <= order, as stored."""
    order = c.shape[0] - 1
    return [float(c[p, q]) for p in range(order + 1) for q in range(order + 1 - p)]


def unflatten(values: ArrayLike, order: int | None = None) -> Floats:
    """Square array of stored coefficients. ValueError if their number is not that of a full polynomial."""
    flat = np.asarray(values, dtype=np.float64)
    n = (isqrt(8 * flat.size + 1) - 3) // 2 if order is None else order
    if flat.shape != (n_coefficient(n),):
        raise ValueError(f"polynomial: {flat.size} coefficients (needed {n_coefficient(n)} for order {n})")
    c = np.zeros((n + 1, n + 1))
    p, q = exponents(n)
    c[p, q] = flat
    return c


@cache
def exponents(order: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Exponents p and q of the stored coefficients, in their order."""
    pairs = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
    return np.array([p for p, _ in pairs]), np.array([q for _, q in pairs])


def evaluate(c: Floats, x: ArrayLike, y: ArrayLike) -> Floats:
    """Value at (x, y), by Horner's rule in both variables over the triangle p + q <= order only."""
    xs, ys = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    order = c.shape[0] - 1
    total = np.full(xs.shape, c[order, 0])
    for p in range(order - 1, -1, -1):
        row = np.full(xs.shape, c[p, order - p])
        for q in range(order - p - 1, -1, -1):
            row = row * ys + c[p, q]
        total = total * xs + row
    return total


def derivatives(c: Floats) -> tuple[Floats, Floats]:
    """The polynomials d/dx and d/dy, one order lower (order 0 stays)."""
    n = c.shape[0]
    if n == 1:
        return np.zeros((1, 1)), np.zeros((1, 1))
    power = np.arange(1, n)
    return c[1:, : n - 1] * power[:, None], c[: n - 1, 1:] * power[None, :]


def shift(c: Floats, dx: float, dy: float) -> Floats:
    """The same function of (x', y') with x = x' + dx, y = y' + dy."""
    n = c.shape[0]

    number, power = _binomials(n)

    def binomial(d: float) -> Floats:
        return np.asarray(number * (float(d) ** np.arange(n))[power])

    return np.asarray(binomial(dx) @ c @ binomial(dy).T)


@cache
def _binomials(n: int) -> tuple[Floats, NDArray[np.int64]]:
    """(n, n) numbers p over k at [k, p], 0 where k > p, and p - k."""
    number = np.array([[float(comb(p, k)) for p in range(n)] for k in range(n)])
    return number, np.array([[max(p - k, 0) for p in range(n)] for k in range(n)])


def compose(c: Floats, matrix: Floats) -> Floats:
    """The same function of (x', y') with (x, y) = matrix (x', y')."""
    n = c.shape[0]
    out = np.zeros((n, n))
    for p, q in zip(*exponents(n - 1), strict=True):
        if c[p, q] == 0.0:
            continue
        # (m00 x + m01 y)^p (m10 x + m11 y)^q is homogeneous of degree p + q: one row of coefficients of x^k y^(p+q-k).
        row = np.array([1.0])
        for power, (along_x, along_y) in ((p, matrix[0]), (q, matrix[1])):
            for _ in range(power):
                row = np.convolve(row, [along_y, along_x])
        k = np.arange(p + q + 1)
        out[k, p + q - k] += c[p, q] * row
    return out


def design(x: ArrayLike, y: ArrayLike, order: int) -> Floats:
    """(n, n_coefficient) matrix of products of Legendre polynomials P_p(x) P_q(y), p + q <= order.

    For coordinates that fill [-1, 1] its columns are nearly orthogonal, which keeps the condition number of a fit of
    order 9 near 10 where powers of x and y reach 1e5.
    """
    p, q = exponents(order)
    along_x = np.polynomial.legendre.legvander(np.asarray(x, dtype=np.float64), order)
    along_y = np.polynomial.legendre.legvander(np.asarray(y, dtype=np.float64), order)
    return np.asarray(along_x[:, p] * along_y[:, q])


def from_legendre(flat: ArrayLike, order: int) -> Floats:
    """Powers-of-x-and-y coefficients of a sum over the columns of `design`."""
    convert = _in_powers(order)
    return np.asarray(convert @ unflatten(flat, order) @ convert.T)


@cache
def _in_powers(order: int) -> Floats:
    """(order+1, order+1) matrix whose column k holds P_k in powers."""
    convert = np.zeros((order + 1, order + 1))
    for k in range(order + 1):
        convert[: k + 1, k] = np.polynomial.legendre.leg2poly(np.eye(order + 1)[k, : k + 1])
    return convert


@dataclass(frozen=True)
class Scaling:
    """The box that a fit stretches to [-1, 1] in both axes."""

    x: float
    y: float
    half_x: float
    half_y: float

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Scaling:
        """The bounding box of points; an axis without extent counts as one pixel wide."""
        (x0, x1), (y0, y1) = (x.min(), x.max()), (y.min(), y.max())
        return cls((x0 + x1) / 2.0, (y0 + y1) / 2.0, max((x1 - x0) / 2.0, 0.5), max((y1 - y0) / 2.0, 0.5))

    def apply(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Points in units of the box."""
        return (x - self.x) / self.half_x, (y - self.y) / self.half_y

    def expand(self, c: Floats, origin: tuple[float, float]) -> Floats:
        """A polynomial in units of the box as one in pixels from an origin (x, y)."""
        power = np.arange(len(c))
        scaled = c / np.outer(self.half_x**power, self.half_y**power)
        return shift(scaled, origin[0] - self.x, origin[1] - self.y)


@cache
def grid(width: int, height: int, order: int) -> tuple[Floats, Floats]:
    """Points (x, y), flat, that cover a frame to its edges, denser there, enough to fix a polynomial of the order.

    Their number is odd, the one in the middle is the frame's center. Frames of one size share the arrays.
    """
    # Chebyshev-Lobatto points: the fit's error is then even over the frame instead of growing at its edges.
    node = np.cos(np.linspace(np.pi, 0.0, 2 * order + 5))
    x, y = np.meshgrid((node + 1.0) * width / 2.0 - 0.5, (node + 1.0) * height / 2.0 - 0.5)
    return x.ravel(), y.ravel()
