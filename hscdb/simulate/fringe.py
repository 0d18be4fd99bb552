"""Fringes: narrow lines of the night sky interfere in the thin silicon; stars, whose light has no lines, have none."""

import numpy as np
from numpy.typing import NDArray

from hscdb.camera.model import Camera, Ccd
from hscdb.simulate.exposure import Exposure
from hscdb.simulate.setup import Setup, stream

_STEP = 8  # pixels between the points at which the thickness is drawn
_N_WAVE = 10


def pattern(setup: Setup, ccd: Ccd) -> NDArray[np.float32]:
    """The fringes of a CCD, (height, width), mean about 0 and amplitude 1; the same in all exposures.

    Cosine of a thickness that varies over some hundred pixels by several wavelengths: stripes 20 to 100 pixels apart.
    """
    random = stream(setup, "fringe", ccd.ccd)
    x, y = np.arange(0, ccd.width + _STEP, _STEP), np.arange(0, ccd.height + _STEP, _STEP)
    phase = np.zeros((len(y), len(x)))
    for _ in range(_N_WAVE):
        length, angle, start = random.uniform(250.0, 900.0), *random.uniform(0.0, 2.0 * np.pi, 2)
        k = 2.0 * np.pi / length
        phase += length / 250.0 * np.cos(k * (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]) + start)
    from scipy.ndimage import zoom  # a tenth of a second to import, and rarely wanted

    fine = zoom(phase, _STEP, order=1, grid_mode=True, mode="nearest")[: ccd.height, : ccd.width]
    return np.cos(fine).astype(np.float32)


def strength(setup: Setup, camera: Camera, exposure: Exposure) -> float:
    """Amplitude of the fringes of an exposure relative to the sky: 0 in filters that do not fringe.

    The lines' part of the sky changes by a fifth from visit to visit.
    """
    if exposure.filter not in camera.settings.get("fringe", {}).get("filters", ()):
        return 0.0
    return setup.fringe * float(np.exp(stream(setup, "fringe", exposure.visit, 1).normal(0.0, 0.2)))
