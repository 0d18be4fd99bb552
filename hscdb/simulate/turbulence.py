"""Displacement of the stars by the atmosphere in one exposure: a random field with a von Karman-like spectrum."""

import numpy as np
from numpy.typing import NDArray

from hscdb.simulate.setup import Setup, stream

N_MODE = 300


def displacement(
    setup: Setup, visit: int, x_arcsec: NDArray[np.float64], y_arcsec: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(dX, dY) [arcsec] at field angles (n,), rms `turbulence_mas` per axis.

    The gradient of a wave front, hence curl-free: the sum of plane waves displacing along their wave vectors k, drawn
    from the von Karman spectrum (k^2 + 1 / l^2)^(-11/6), whose correlation has fallen to a half at the scale l; the
    same kernel, isotropic, is fitted to HSC by Leget et al. 2021 (A&A 650, A81).
    """
    random = stream(setup, "turbulence", visit)
    scale = 60.0 * setup.turbulence_scale_arcmin
    kl = np.geomspace(0.02, 200.0, 800)
    total = np.cumsum(kl**2 * (kl**2 + 1.0) ** (-11.0 / 6.0))  # per d ln k, in two dimensions
    k = np.interp(random.random(N_MODE) * total[-1], total, kl) / scale
    angle, phase = random.uniform(0.0, 2.0 * np.pi, (2, N_MODE))
    kx, ky = k * np.cos(angle), k * np.sin(angle)
    # Per axis the variance of a sum of N waves a cos(angle) cos(...) is N a^2 / 4.
    amplitude = setup.turbulence_mas / 1000.0 * 2.0 / np.sqrt(N_MODE)
    wave = amplitude * np.cos(np.outer(x_arcsec, kx) + np.outer(y_arcsec, ky) + phase)
    return wave @ np.cos(angle), wave @ np.sin(angle)
