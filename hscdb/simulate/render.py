"""Stars and galaxies onto pixels: small stamps, as large as their light shows above the noise of the sky."""

import numba
import numpy as np
from numpy.typing import NDArray

from hscdb.simulate import psf

Floats = NDArray[np.float64]

# Exponential and de Vaucouleurs profiles as sums of Gaussians, (share, variance / half-light radius^2): Hogg & Lang
# 2013 (PASP 125 719), with the narrowest ones, which no seeing resolves, put together.
_DISK = (np.array([0.2565, 1.1795, 4.3387, 5.9982]), np.array([0.035, 0.13998, 0.46096, 1.50160]))
_SPHEROID = (np.array([2.488, 2.8363, 4.4647, 5.7244, 5.6099]), np.array([0.0116, 0.06849, 0.28721, 1.33320, 8.40215]))


def add_stars(image: NDArray[np.float32], x: Floats, y: Floats, flux: Floats, shapes: Floats, limit: float) -> None:
    """Add Moffat stars of total `flux` (n,) with `shapes` (n, 2, 2) to `image` (ny, nx), in place.

    Stamps end where the profile falls below `limit` per pixel.
    """
    det = np.linalg.det(shapes)
    amplitude = 2.0 * flux / (np.pi * np.sqrt(det))
    inverse = np.linalg.inv(shapes)
    reach = np.sqrt(np.maximum(np.cbrt(amplitude / limit) - 1.0, 0.3))
    form = np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], axis=1)
    half = np.stack([reach * np.sqrt(shapes[:, 0, 0]), reach * np.sqrt(shapes[:, 1, 1])], axis=1) + 1.0
    _moffat(image, x, y, amplitude, form, half)


def add_galaxies(
    image: NDArray[np.float32],
    x: Floats,
    y: Floats,
    flux: Floats,
    shapes: Floats,
    galaxy: Floats,
    is_spheroid: NDArray[np.bool_],
    limit: float,
) -> None:
    """Add galaxies of total `flux` (n,) to `image`, in place.

    shapes : (n, 2, 2) of the PSF;   galaxy : (n, 2, 2) covariance-like matrix of the half-light ellipse [pix^2].
    """
    share_psf, scale_psf = psf.gaussians()
    for chosen, (share, variance) in ((~is_spheroid, _DISK), (is_spheroid, _SPHEROID)):
        part = (share[:, None] / share.sum() * share_psf[None, :]).ravel()
        for k in range(len(part)):
            profile, seeing = divmod(k, len(share_psf))
            covariance = variance[profile] * galaxy[chosen] + scale_psf[seeing] * shapes[chosen]
            amplitude = part[k] * flux[chosen] / (2.0 * np.pi * np.sqrt(np.linalg.det(covariance)))
            inverse = 0.5 * np.linalg.inv(covariance)
            reach = np.sqrt(2.0 * np.log(np.maximum(amplitude / limit * len(part), 1.2)))
            diagonal = np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1)
            form = np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], axis=1)
            _gauss(image, x[chosen], y[chosen], amplitude, form, reach[:, None] * np.sqrt(diagonal) + 0.5)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _moffat(image, x, y, amplitude, form, half):
    ny, nx = image.shape
    for n in range(len(x)):
        x0, x1 = max(0, int(np.ceil(x[n] - half[n, 0]))), min(nx - 1, int(np.floor(x[n] + half[n, 0])))
        y0, y1 = max(0, int(np.ceil(y[n] - half[n, 1]))), min(ny - 1, int(np.floor(y[n] + half[n, 1])))
        a, b, c = np.float32(form[n, 0]), np.float32(2.0 * form[n, 1]), np.float32(form[n, 2])
        height, xn = np.float32(amplitude[n]), np.float32(x[n] - x0)
        for row in range(y0, y1 + 1):
            dy = np.float32(row - y[n])
            one, linear = np.float32(1.0) + c * dy * dy, b * dy
            for column in range(0, x1 - x0 + 1):
                dx = np.float32(column) - xn
                t = np.float32(1.0) / (one + dx * (linear + a * dx))
                image[row, x0 + column] += height * t * t * t


@numba.njit(cache=True, nogil=True, fastmath=True)
def _gauss(image, x, y, amplitude, form, half):
    ny, nx = image.shape
    for n in range(len(x)):
        x0, x1 = max(0, int(np.ceil(x[n] - half[n, 0]))), min(nx - 1, int(np.floor(x[n] + half[n, 0])))
        y0, y1 = max(0, int(np.ceil(y[n] - half[n, 1]))), min(ny - 1, int(np.floor(y[n] + half[n, 1])))
        a, b, c = np.float32(form[n, 0]), np.float32(2.0 * form[n, 1]), np.float32(form[n, 2])
        height, xn = np.float32(amplitude[n]), np.float32(x[n] - x0)
        for row in range(y0, y1 + 1):
            dy = np.float32(row - y[n])
            one, linear = c * dy * dy, b * dy
            for column in range(0, x1 - x0 + 1):
                dx = np.float32(column) - xn
                image[row, x0 + column] += height * np.exp(-(one + dx * (linear + a * dx)))
