"""Directions on the sphere, separations, and the tangent plane.

All angles are degrees; right ascensions come back in [0, 360). Arrays broadcast; scalars give 0-d arrays or floats.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def normalize_ra(ra: ArrayLike) -> Floats:
    """Right ascension moved into [0, 360).

    The remainder of a tiny negative number is 360.0 in floating point (-1e-14 % 360), which is 0 on the sky: it
    becomes 0, so that no stored right ascension is ever 360.
    """
    wrapped = np.mod(np.asarray(ra, dtype=np.float64), 360.0)
    return np.where(wrapped >= 360.0, 0.0, wrapped)


def unit_vector(ra: ArrayLike, dec: ArrayLike) -> Floats:
    """Unit vectors, shape (..., 3)."""
    alpha, delta = np.broadcast_arrays(np.radians(ra), np.radians(dec))
    cos_delta = np.cos(delta)
    return np.stack([cos_delta * np.cos(alpha), cos_delta * np.sin(alpha), np.sin(delta)], axis=-1)


def from_vector(vector: ArrayLike) -> tuple[Floats, Floats]:
    """(ra, dec) of vectors (..., 3) of any length; the zero vector gives (0, 0)."""
    v = np.asarray(vector, dtype=np.float64)
    ra = np.degrees(np.arctan2(v[..., 1], v[..., 0]))
    dec = np.degrees(np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])))
    return normalize_ra(ra), dec


def separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Floats:
    """Angle between two directions, degrees.

    Vincenty's form of the great-circle distance: exact to a few ulp from micro-arcseconds to the antipode.
    """
    d1, d2 = np.radians(dec1), np.radians(dec2)
    dra = np.radians(np.subtract(ra2, ra1))
    # cos d1 sin d2 - sin d1 cos d2 cos dra, written so that close pairs lose no digits to cancellation.
    cross = np.sin(d2 - d1) + 2.0 * np.sin(d1) * np.cos(d2) * np.sin(dra / 2.0) ** 2
    along = np.sin(d1) * np.sin(d2) + np.cos(d1) * np.cos(d2) * np.cos(dra)
    return np.asarray(np.degrees(np.arctan2(np.hypot(np.cos(d2) * np.sin(dra), cross), along)))


def position_angle(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Floats:
    """Bearing of the second direction seen from the first, north through east, degrees in [0, 360)."""
    d1, d2 = np.radians(dec1), np.radians(dec2)
    dra = np.radians(np.subtract(ra2, ra1))
    north = np.sin(d2 - d1) + 2.0 * np.sin(d1) * np.cos(d2) * np.sin(dra / 2.0) ** 2
    return normalize_ra(np.degrees(np.arctan2(np.cos(d2) * np.sin(dra), north)))


def offset(ra: ArrayLike, dec: ArrayLike, bearing_deg: ArrayLike, distance_deg: ArrayLike) -> tuple[Floats, Floats]:
    """The direction a distance away along a great circle of a bearing (north through east)."""
    delta, theta, r = np.radians(dec), np.radians(bearing_deg), np.radians(distance_deg)
    east = np.sin(theta) * np.sin(r)
    out = np.cos(delta) * np.cos(r) - np.sin(delta) * np.sin(r) * np.cos(theta)
    up = np.sin(delta) * np.cos(r) + np.cos(delta) * np.sin(r) * np.cos(theta)
    return normalize_ra(np.add(ra, np.degrees(np.arctan2(east, out)))), np.degrees(np.arctan2(up, np.hypot(east, out)))


def project(ra: ArrayLike, dec: ArrayLike, ra0: ArrayLike, dec0: ArrayLike) -> tuple[Floats, Floats]:
    """Gnomonic (TAN) plane coordinates about (ra0, dec0): xi to the east, eta to the north, degrees.

    Directions 90 degrees or more away have no place in the plane and give NaN. At dec0 = +-90, north is the direction
    of the limit along the meridian ra0, which FITS calls LONPOLE = 180.
    """
    delta, delta0 = np.radians(dec), np.radians(dec0)
    dra = np.radians(np.subtract(ra, ra0))
    cos_delta = np.cos(delta)
    half = 2.0 * np.sin(dra / 2.0) ** 2
    cos_theta = np.cos(delta - delta0) - np.cos(delta0) * cos_delta * half
    with np.errstate(divide="ignore", invalid="ignore"):
        toward = np.where(cos_theta > 0.0, 180.0 / (np.pi * cos_theta), np.nan)
    return cos_delta * np.sin(dra) * toward, (np.sin(delta - delta0) + np.sin(delta0) * cos_delta * half) * toward


def deproject(xi: ArrayLike, eta: ArrayLike, ra0: ArrayLike, dec0: ArrayLike) -> tuple[Floats, Floats]:
    """(ra, dec) of gnomonic plane coordinates [deg] about (ra0, dec0): the inverse of `project`."""
    x, y, delta0 = np.radians(xi), np.radians(eta), np.radians(dec0)
    out = np.cos(delta0) - y * np.sin(delta0)
    dec = np.degrees(np.arctan2(np.sin(delta0) + y * np.cos(delta0), np.hypot(x, out)))
    return normalize_ra(np.add(ra0, np.degrees(np.arctan2(x, out)))), dec


def mean_position(ra: ArrayLike, dec: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Direction of the (weighted) mean unit vector: a mean that knows neither the wrap at RA 0 nor the poles."""
    vector = unit_vector(ra, dec).reshape(-1, 3)
    w: Any = None if weight is None else np.broadcast_to(weight, vector.shape[:1])
    mean_ra, mean_dec = from_vector(np.average(vector, axis=0, weights=w))
    return float(mean_ra), float(mean_dec)
