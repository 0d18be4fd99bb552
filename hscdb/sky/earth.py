"""Where the Earth is: what a parallax moves stars by."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_MJD_2000 = 51544.5


def place(mjd: ArrayLike) -> Floats:
    """Place of the Earth, (..., 3) au, equatorial axes, from the Sun's center, at times of any shape.

    Low-precision solar coordinates of the Astronomical Almanac (section C): 0.01 degrees; with the Sun's own motion
    about the barycenter left out (0.008 au) a parallax of 100 mas is right to 1 mas.
    """
    days = np.asarray(mjd, np.float64) - _MJD_2000
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    obliquity = np.radians(23.439 - 4.0e-7 * days)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2.0 * anomaly)
    along = [np.cos(longitude), np.cos(obliquity) * np.sin(longitude), np.sin(obliquity) * np.sin(longitude)]
    return np.asarray(-distance[..., None] * np.stack(along, axis=-1), np.float64)
