"""What a CCD may do to the places of its pixels: shift and turn, an affine map, a polynomial of higher degree.

At (lu, lv) [pix] from the CCD's centre, along the axes of the focal plane, a = lu / LEVER_PIX, b = lv / LEVER_PIX, a
place moves by the sum of its CCD's terms times

    0, 1, 2         (1, 0)  (0, 1)  (-b, a)         shift and turn: `ccd_order` 0, a rigid CCD
    3, 4, 5         (a, b)  (a, -b)  (b, a)         stretch and two shears: with them order 1, an affine map
    6 ...           (a^p b^q, 0)  (0, a^p b^q)      of each degree p + q = 2 .. order, p falling

So every term is in pix at LEVER_PIX from the centre, but for the turn, which is told in rad and taken exactly: 1 mrad
moves corners of HSC by 2 pix, and its square, 0.4 mas, would be seen.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

LEVER_PIX = 1000.0  # the turn is fitted in pix at this distance, so that its column is like those of the shifts
N_RIGID = 3


def n_terms(order: int) -> int:
    """Number of terms of a CCD."""
    return N_RIGID if order == 0 else (order + 1) * (order + 2)


def degrees(n: int) -> npt.NDArray[np.int64]:
    """(n,) degree of each of n terms: 0 of shifts, 1 of turn, stretch and shears."""
    out = [0, 0, 1, 1, 1, 1]
    degree = 2
    while len(out) < n:
        out += [degree] * 2 * (degree + 1)
        degree += 1
    return np.array(out[:n], np.int64)


def units(n: int) -> Floats:
    """(n,) pix per unit of each term as it is told: 1, but LEVER_PIX of the turn."""
    out = np.ones(n)
    out[2] = LEVER_PIX
    return out


@njit(cache=True, nogil=True)
def columns(plate, lever_u, lever_v, out):
    """Derivatives (2, n) of a place by its CCD's terms [mas per pix]; plate (2, 2) d(place)/d(u, v) [mas/pix]."""
    n = out.shape[1]
    a, b = lever_u / LEVER_PIX, lever_v / LEVER_PIX
    for i in range(2):
        pu, pv = plate[i, 0], plate[i, 1]
        out[i, 0], out[i, 1], out[i, 2] = pu, pv, a * pv - b * pu
        if n > 3:
            out[i, 3], out[i, 4], out[i, 5] = a * pu + b * pv, a * pu - b * pv, b * pu + a * pv
        m, degree = 6, 2
        while m < n:
            for q in range(degree + 1):
                t = a ** (degree - q) * b**q
                out[i, m], out[i, m + 1] = t * pu, t * pv
                m += 2
            degree += 1


@njit(cache=True, nogil=True)
def moved(terms, lever_u, lever_v):
    """How far (u, v) [pix] a place moves by the terms (n,) of its CCD, the turn in rad."""
    a, b = lever_u / LEVER_PIX, lever_v / LEVER_PIX
    s, c = np.sin(terms[2]), np.cos(terms[2]) - 1.0
    du, dv = terms[0] + c * lever_u - s * lever_v, terms[1] + s * lever_u + c * lever_v
    if terms.size > 3:
        du += (terms[3] + terms[4]) * a + terms[5] * b
        dv += (terms[3] - terms[4]) * b + terms[5] * a
    m, degree = 6, 2
    while m < terms.size:
        for q in range(degree + 1):
            t = a ** (degree - q) * b**q
            du += terms[m] * t
            dv += terms[m + 1] * t
            m += 2
        degree += 1
    return du, dv


@njit(cache=True, nogil=True)
def area_factor(terms, lever_u, lever_v):
    """Area by which one pixel's is multiplied, no unit: 1 for a shift or a turn."""
    if terms.size <= 3:
        return 1.0
    a, b = lever_u / LEVER_PIX, lever_v / LEVER_PIX
    s, c = np.sin(terms[2]) * LEVER_PIX, (np.cos(terms[2]) - 1.0) * LEVER_PIX
    uu, uv = terms[3] + terms[4] + c, terms[5] - s
    vu, vv = terms[5] + s, terms[3] - terms[4] + c
    m, degree = 6, 2
    while m < terms.size:
        for q in range(degree + 1):
            p = degree - q
            along_a = p * a ** (p - 1) * b**q if p > 0 else 0.0
            along_b = q * a**p * b ** (q - 1) if q > 0 else 0.0
            uu += terms[m] * along_a
            uv += terms[m] * along_b
            vu += terms[m + 1] * along_a
            vv += terms[m + 1] * along_b
            m += 2
        degree += 1
    return (1.0 + uu / LEVER_PIX) * (1.0 + vv / LEVER_PIX) - uv * vu / LEVER_PIX**2


@njit(cache=True, nogil=True)
def _displace(terms, lever_u, lever_v, out):
    for k in range(lever_u.size):
        out[0, k], out[1, k] = moved(terms, lever_u[k], lever_v[k])


def displacement(terms: Floats, lever_u: Floats, lever_v: Floats) -> tuple[Floats, Floats]:
    """Moves (du, dv) [pix] of places (lever_u, lever_v), arrays of any shape, of one CCD with terms (n,)."""
    u, v = (np.ascontiguousarray(a, np.float64).ravel() for a in (lever_u, lever_v))
    out = np.empty((2, u.size))
    _displace(np.ascontiguousarray(terms, np.float64), u, v, out)
    return out[0].reshape(np.shape(lever_u)), out[1].reshape(np.shape(lever_u))
