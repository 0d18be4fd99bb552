"""Reference stars at the time of an exposure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.sky import earth, sphere

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MAS_PER_DEG = 3.6e6
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class Places:
    """Where reference stars are at one time.

    ra, dec     : (n,) degrees, ICRS.
    mas_err     : (n,) one sigma per axis [mas], proper motion's own error times the years included.
    is_reserved : (n,) kept aside from every fit, to judge it.
    """

    ra: Floats
    dec: Floats
    mas_err: Floats
    is_reserved: Bools


def fitted(is_reserved: Bools, n_min: int) -> Bools:
    """Who takes part in a fit: all but the reserved, or everybody where fewer than n_min would be left."""
    free = ~is_reserved
    return free if free.sum() >= n_min else np.ones(len(free), dtype=np.bool_)


def propagate(
    ra: Floats,
    dec: Floats,
    mjd: float,
    *,
    epoch_mjd: Floats,
    pm_ra_mas_yr: Floats,
    pm_dec_mas_yr: Floats,
    parallax_mas: Floats,
    mas_err: Floats,
    pm_mas_yr_err: Floats,
    is_reserved: Bools | None = None,
) -> Places:
    """Places at the epoch `mjd` as seen from the Earth.

    Straight motion in three dimensions (exact at the poles; perspective acceleration, below 0.1 mas in 20 years for all
    but a few stars, is left out), then the parallax. NaN in motion, parallax or epoch means there is none.
    pm_ra_mas_yr includes the factor cos(dec).
    """
    years = np.nan_to_num((mjd - epoch_mjd) / _DAYS_PER_YEAR)
    east, north = _axes(ra, dec)
    motion = np.nan_to_num(pm_ra_mas_yr)[:, None] * east + np.nan_to_num(pm_dec_mas_yr)[:, None] * north
    step = motion * years[:, None] - np.nan_to_num(parallax_mas)[:, None] * earth.place(mjd)
    moved = sphere.unit_vector(ra, dec) + np.radians(step / _MAS_PER_DEG)
    new_ra, new_dec = sphere.from_vector(moved)
    reserved = np.zeros(len(new_ra), dtype=np.bool_) if is_reserved is None else is_reserved
    return Places(new_ra, new_dec, np.hypot(mas_err, np.nan_to_num(pm_mas_yr_err) * years), reserved)


def _axes(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
    """Unit vectors (n, 3) to the east and to the north."""
    alpha, delta = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(alpha)
    east = np.stack([-np.sin(alpha), np.cos(alpha), zero], axis=-1)
    north = np.stack([-np.sin(delta) * np.cos(alpha), -np.sin(delta) * np.sin(alpha), np.cos(delta)], axis=-1)
    return east, north
