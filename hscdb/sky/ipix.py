"""The pixel number of Q3C: six faces of a cube, 2^30 x 2^30 cells each, numbered in quad-tree order.

Used to order rows on disk and for export; no result depends on two programs giving the same number, since a tangent
may differ in its last bit from one mathematics library to another. Scheme of Koposov & Bartunov 2006, ASPC 351, 735;
the numbers equal those of the extension, bit for bit, where both use the same tangent.
"""

from math import atan, atan2, cos, degrees, hypot, pi, sin, tan

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

_D = pi / 180.0
_SIDE = 1 << 30
MAX_IPIX = 6 * (1 << 60) - 1


def ang2ipix(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.int64]:
    """Pixel numbers of directions [deg], in the broadcast shape; -1 for NaN and infinities.

    RA outside [0, 360] is wrapped, Dec clipped to [-90, 90]. RA 360 keeps its own number, which differs from that of
    RA 0, as in Q3C: store RA in [0, 360).
    """
    ras, decs = np.broadcast_arrays(np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64))
    return np.asarray(_ang2ipix(ras.ravel(), decs.ravel())).reshape(ras.shape)


def ipix2ang(ipix: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(ra, dec) of pixel centres, degrees. ValueError for a number outside 0 .. 6 * 2^60 - 1."""
    numbers = np.asarray(ipix, dtype=np.int64)
    if numbers.size and (numbers.min() < 0 or numbers.max() > MAX_IPIX):
        raise ValueError(f"ipix: numbers {numbers.min()} .. {numbers.max()} (needed 0 .. {MAX_IPIX})")
    ra, dec = _ipix2ang(numbers.ravel())
    return ra.reshape(numbers.shape), dec.reshape(numbers.shape)


@njit(cache=True, nogil=True)
def _spread(i: int) -> int:
    """The 30 bits of i moved to even places."""
    i = (i | (i << 16)) & 0x0000FFFF0000FFFF
    i = (i | (i << 8)) & 0x00FF00FF00FF00FF
    i = (i | (i << 4)) & 0x0F0F0F0F0F0F0F0F
    i = (i | (i << 2)) & 0x3333333333333333
    return (i | (i << 1)) & 0x5555555555555555


@njit(cache=True, nogil=True)
def _gather(i: int) -> int:
    """The even bits of i, side by side."""
    i &= 0x5555555555555555
    i = (i | (i >> 1)) & 0x3333333333333333
    i = (i | (i >> 2)) & 0x0F0F0F0F0F0F0F0F
    i = (i | (i >> 4)) & 0x00FF00FF00FF00FF
    i = (i | (i >> 8)) & 0x0000FFFF0000FFFF
    return (i | (i >> 16)) & 0x00000000FFFFFFFF


@njit(cache=True, nogil=True)
def _ang2ipix(ra, dec):
    out = np.empty(ra.size, np.int64)
    for n in range(ra.size):
        a, d = ra[n], min(max(dec[n], -90.0), 90.0)
        if not (np.isfinite(ra[n]) and np.isfinite(dec[n])):
            out[n] = -1
            continue
        if a < 0.0:
            a = np.fmod(a, 360.0) + 360.0
        elif a > 360.0:
            a = np.fmod(a, 360.0)
        quarter = int(np.fmod((a + 45.0) / 90.0, 4.0))
        rho = _D * (a - 90.0 * quarter)
        t = tan(_D * d)
        face, x, y = quarter + 1, tan(rho), t / cos(rho)
        # The reciprocal comes first and the product second: the other order differs in the last bit.
        if y > 1.0:
            u = 1.0 / t
            face, x, y = 0, sin(_D * a) * u, -cos(_D * a) * u
        elif y < -1.0:
            u = 1.0 / t
            face, x, y = 5, -sin(_D * a) * u, -cos(_D * a) * u
        i = min(int(((x + 1.0) / 2.0) * _SIDE), _SIDE - 1)
        j = min(int(((y + 1.0) / 2.0) * _SIDE), _SIDE - 1)
        out[n] = (face << 60) + _spread(i) + 2 * _spread(j)
    return out


@njit(cache=True, nogil=True)
def _ipix2ang(ipix):
    ra, dec = np.empty(ipix.size), np.empty(ipix.size)
    for n in range(ipix.size):
        face, cell = ipix[n] >> 60, ipix[n] & 0x0FFFFFFFFFFFFFFF
        x = 2.0 * (_gather(cell) + 0.5) / _SIDE - 1.0
        y = 2.0 * (_gather(cell >> 1) + 0.5) / _SIDE - 1.0
        if face == 0:
            ra[n], dec[n] = degrees(atan2(-x, y) + pi), degrees(atan(1.0 / hypot(x, y)))
        elif face == 5:
            ra[n], dec[n] = degrees(atan2(-x, -y) + pi), -degrees(atan(1.0 / hypot(x, y)))
        else:
            rho = atan(x)
            ra[n], dec[n] = degrees(rho) + 90.0 * (face - 1), degrees(atan(y * cos(rho)))
            if ra[n] < 0.0:
                ra[n] += 360.0
    return ra, dec
