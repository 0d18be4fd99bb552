"""The linear part of fitting a WCS: a low-order correction on top of a distortion that is kept.

With d the pixel's offset from crpix, f the distortion kept and g the correction: (xi, eta) = cd (d + f(d) + g(d)).
"""

import numpy as np
from numpy.typing import NDArray

from hscdb.sky import polynomial, sphere
from hscdb.sky.wcs import Wcs

Floats = NDArray[np.float64]


def affordable_order(x: Floats, y: Floats, size: tuple[int, int], order: int) -> int:
    """The highest order whose error at the frame's worst corner is below that of a single star.

    That error is the square root of the corner's leverage: 7, 26 and 70 stars spread evenly pay for orders 1, 2, 3;
    stars in one half of a frame pay for less. Order 0 means shift, rotation and scale only.
    """
    corner = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    here = _unit(x, y, size)
    for n in range(order, 0, -1):
        matrix = polynomial.design(here[0], here[1], n)
        if len(x) <= matrix.shape[1]:
            continue
        normal = matrix.T @ matrix
        if np.linalg.cond(normal) > 1e10:
            continue
        at = polynomial.design(corner[:, 0], corner[:, 1], n)
        if np.einsum("ij,ji->i", at, np.linalg.solve(normal, at.T)).max() <= 1.0:
            return n
    return 0


def _unit(x: Floats, y: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Pixels stretched so that the frame fills [-1, 1]."""
    half_x, half_y = size[0] / 2.0, size[1] / 2.0
    return (x + 0.5) / half_x - 1.0, (y + 0.5) / half_y - 1.0


def fit(
    x: Floats,
    y: Floats,
    ra: Floats,
    dec: Floats,
    weight: Floats,
    wcs: Wcs,
    start: Wcs,
    size: tuple[int, int],
    order: int,
) -> Wcs:
    """Fit cd (d + f + g) to the references and fold g's constant and linear part into crval and cd.

    weight : (n,) inverse errors. Moving crval turns the tangent plane, so this is done three times; what moves the
    third time is below 1e-6 pix for the largest pointing error allowed.
    """
    for _ in range(3):
        u, v = x - wcs.crpix[0], y - wcs.crpix[1]
        d = np.stack([u + polynomial.evaluate(start.a, u, v), v + polynomial.evaluate(start.b, u, v)], axis=1)
        goal = np.stack(sphere.project(ra, dec, *wcs.crval), axis=1) @ np.linalg.inv(wcs.cd).T - d
        c_x, c_y = (
            _fit_similarity(d, goal, weight) if order == 0 else _fit_polynomial(x, y, goal, weight, wcs, size, order)
        )
        wcs = _fold(wcs, start, c_x, c_y)
    return wcs


def _fit_polynomial(
    x: Floats, y: Floats, goal: Floats, weight: Floats, wcs: Wcs, size: tuple[int, int], order: int
) -> tuple[Floats, Floats]:
    """Coefficients [p, q], in pixels from crpix, of the polynomials nearest to goal (n, 2)."""
    matrix = polynomial.design(*_unit(x, y, size), order)
    solution = np.linalg.lstsq(matrix * weight[:, None], goal * weight[:, None], rcond=None)[0]
    power = np.arange(order + 1)
    scale = np.outer((size[0] / 2.0) ** power, (size[1] / 2.0) ** power)
    middle = ((size[0] - 1) / 2.0, (size[1] - 1) / 2.0)
    c_x, c_y = (
        polynomial.shift(
            polynomial.from_legendre(column, order) / scale, wcs.crpix[0] - middle[0], wcs.crpix[1] - middle[1]
        )
        for column in solution.T
    )
    return c_x, c_y


def _fit_similarity(d: Floats, goal: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Shift, rotation and scale as order-1 polynomials: for frames with very few stars."""
    zero, one = np.zeros(len(d)), np.ones(len(d))
    rows = np.vstack([np.stack([one, zero, d[:, 0], -d[:, 1]], 1), np.stack([zero, one, d[:, 1], d[:, 0]], 1)])
    twice = np.concatenate([weight, weight])
    a, b, scale, turn = np.linalg.lstsq(rows * twice[:, None], goal.T.ravel() * twice, rcond=None)[0]
    return np.array([[a, -turn], [scale, 0.0]]), np.array([[b, scale], [turn, 0.0]])


def _fold(wcs: Wcs, start: Wcs, c_x: Floats, c_y: Floats) -> Wcs:
    """cd (d + f + g) as a TAN-SIP: with g = g0 + G d + h, it is cd g0 + cd (1 + G) (d + (1 + G)^-1 (f - 0 + h)).

    For order 0 the similarity acts on d + f, not on d: (1 + G) then multiplies f as well, and the difference G f is
    below 1e-3 pix; it is gone in the next round, in which G is nearly 0.
    """
    linear = np.eye(2) + np.array([[c_x[1, 0], c_x[0, 1]], [c_y[1, 0], c_y[0, 1]]])
    cd = wcs.cd @ linear
    n = max(len(start.a), len(c_x))
    sip = np.zeros((2, n, n))
    sip[0, : len(c_x), : len(c_x)], sip[1, : len(c_y), : len(c_y)] = c_x, c_y
    sip[:, 0, 0] = sip[:, 1, 0] = sip[:, 0, 1] = 0.0
    sip[:, : len(start.a), : len(start.a)] += np.stack([start.a, start.b])
    sip = np.einsum("ij,jpq->ipq", np.linalg.inv(linear), sip)
    shift = wcs.cd @ np.array([c_x[0, 0], c_y[0, 0]])
    ra, dec = sphere.deproject(shift[0], shift[1], *wcs.crval)
    return Wcs((float(ra), float(dec)), wcs.crpix, cd, sip[0], sip[1])
