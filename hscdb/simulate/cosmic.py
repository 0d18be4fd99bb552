"""Cosmic rays: straight tracks through a thick CCD."""

import numba
import numpy as np
from numpy.typing import NDArray

_THICKNESS_PIX = 13.3  # 200 um of silicon in pixels of 15 um
_E_PER_PIX = 1200.0  # a minimum-ionizing particle frees 80 electrons per um


def add_cosmic_rays(image: NDArray[np.float32], random: np.random.Generator, n_expected: float) -> int:
    """Add the charge of a Poisson number of tracks to `image` [electron], in place, and return their number.

    Directions fall off as cos^2 from the zenith over a CCD looking up, energy loss is log-normal about the minimum.
    One in five is a short-ranged electron that stops near where it was freed: a point or a worm of few pixels.
    """
    n = int(random.poisson(n_expected))
    ny, nx = image.shape
    slope = np.tan(np.arccos(np.cbrt(random.uniform(1e-4, 1.0, n))))
    is_short = random.random(n) < 0.2
    length = np.where(is_short, random.uniform(0.0, 4.0, n), np.minimum(_THICKNESS_PIX * slope, 400.0))
    path = np.where(is_short, random.uniform(1.0, 8.0, n), _THICKNESS_PIX * np.sqrt(1.0 + slope * slope))
    charge = _E_PER_PIX * path * random.lognormal(0.0, 0.35, n)
    angle = random.uniform(0.0, 2.0 * np.pi, n)
    _tracks(image, random.uniform(0, nx, n), random.uniform(0, ny, n), np.cos(angle), np.sin(angle), length, charge)
    return n


@numba.njit(cache=True, nogil=True)
def _tracks(image, x, y, cos, sin, length, charge):
    """Charge laid down in steps of a quarter pixel, shared by the four nearest pixels (diffusion of half a pixel)."""
    ny, nx = image.shape
    for n in range(len(x)):
        n_step = max(1, int(4.0 * length[n]))
        for step in range(n_step):
            along = length[n] * (step + 0.5) / n_step
            px, py = x[n] + along * cos[n], y[n] + along * sin[n]
            column, row = int(np.floor(px)), int(np.floor(py))
            fx, fy = px - column, py - row
            for dy in range(2):
                for dx in range(2):
                    if 0 <= row + dy < ny and 0 <= column + dx < nx:
                        share = (fx if dx else 1.0 - fx) * (fy if dy else 1.0 - fy)
                        image[row + dy, column + dx] += charge[n] / n_step * share
