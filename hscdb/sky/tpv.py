"""The TPV distortion of SCAMP: PV1_k and PV2_k multiply powers of the plane coordinates, and of their radius.

The order of the terms is that of the FITS registry's TPV convention. For PV2 the coordinates change places.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Number of the first term of each degree, and of the radial terms r, r^3, r^5, r^7.
_FIRST = (0, 1, 4, 7, 12, 17, 24, 31)
_RADIAL = {3: 1, 11: 3, 23: 5, 39: 7}
N_TERM = 40


def degree(pv: Mapping[int, float]) -> int:
    """Highest total degree of the terms that are not zero (at least 1)."""
    present = [k for k, c in pv.items() if c != 0.0 and k not in _RADIAL]
    radial = [_RADIAL[k] for k in radial_terms(pv)]
    return max([1, *(sum(first <= k for first in _FIRST) - 1 for k in present), *radial])


def radial_terms(pv: Mapping[int, float]) -> list[int]:
    """Numbers of the radial terms that are not zero."""
    return [k for k in _RADIAL if pv.get(k, 0.0) != 0.0]


def polynomial_of(pv: Mapping[int, float], axis: int, order: int) -> Floats:
    """Coefficients [p, q] of xi'^p eta'^q for axis 1 (PV1) or 2 (PV2), without the radial terms.

    A missing PVi_1 is 1, any other missing term 0. ValueError for a term that TPV does not have.
    """
    if any(not 0 <= k < N_TERM for k in pv):
        raise ValueError(f"tpv: terms {sorted(pv)} (0 .. {N_TERM - 1} exist)")
    c = np.zeros((order + 1, order + 1))
    for n in range(order + 1):
        for k in range(n + 1):
            number = _FIRST[n] + k
            p, q = (n - k, k) if axis == 1 else (k, n - k)
            c[p, q] = pv.get(number, 1.0 if number == 1 else 0.0)
    return c


def radial(pv: Mapping[int, float], xi: Floats, eta: Floats) -> Floats:
    """Sum of the radial terms at plane coordinates [deg]."""
    r = np.hypot(xi, eta)
    return np.asarray(sum((pv[k] * r ** _RADIAL[k] for k in radial_terms(pv)), np.zeros_like(r)))
