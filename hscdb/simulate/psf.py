"""The point spread function: an elliptical Moffat profile with beta = 3 that changes over the field."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_genlaguerre

Floats = NDArray[np.float64]
# FWHM = 2 alpha sqrt(2^(1/3) - 1) for beta = 3
_FWHM_PER_ALPHA = 2.0 * np.sqrt(2.0 ** (1.0 / 3.0) - 1.0)


def shapes(fwhm_pix: float, terms: Floats, p: Floats, q: Floats, yaw_deg: float) -> Floats:
    """Matrices (n, 2, 2) S of the profile 2 / (pi sqrt(det S)) (1 + d^T S^-1 d)^-3 [pix^2] of a unit flux.

    fwhm_pix : at the field center.   terms : (3, 6) of 1, p, q, p^2, p q, q^2 for the relative FWHM, e1, e2.
    p, q     : (n,) places in field radii.   yaw_deg : turn of the CCD in the focal plane.
    """
    basis = np.stack([np.ones_like(p), p, q, p * p, p * q, q * q])
    wider, e1, e2 = terms @ basis
    alpha2 = (fwhm_pix * (1.0 + wider + 0.04 * (p * p + q * q)) / _FWHM_PER_ALPHA) ** 2
    c, s = np.cos(2.0 * np.radians(yaw_deg)), np.sin(2.0 * np.radians(yaw_deg))
    e1, e2 = np.clip(c * e1 + s * e2, -0.3, 0.3), np.clip(-s * e1 + c * e2, -0.3, 0.3)
    norm = alpha2 / np.sqrt(1.0 - e1 * e1 - e2 * e2)
    return np.moveaxis(np.array([[norm * (1.0 + e1), norm * e2], [norm * e2, norm * (1.0 - e1)]]), -1, 0)


def gaussians(n_gaussian: int = 3) -> tuple[Floats, Floats]:
    """(share, scale) of Gaussians with covariance scale * S whose sum comes close to the profile.

    (1 + q)^-3 is the integral of s^2 exp(-s) exp(-s q) / 2: Gaussians of covariance S / (2 s) weighted by s exp(-s) in
    flux, taken at the nodes of a Gauss-Laguerre rule.
    """
    nodes, weights = roots_genlaguerre(n_gaussian, 1.0)
    return weights, 0.5 / nodes
