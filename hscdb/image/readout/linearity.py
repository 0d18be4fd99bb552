"""Linearity: I' = I (1 + c0 I), I in adu above the bias level (HSC's "Squared" type)."""

from numba import njit


@njit(cache=True, nogil=True)
def correct(adu: float, c0: float) -> float:
    """The linear response of one pixel [adu]; c0 in 1/adu."""
    return adu * (1.0 + c0 * adu)
