"""Where and how bright the stars are at a time."""

import numpy as np
from astropy import units
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from numpy.typing import NDArray

from hscdb.sky import sphere

REF_EPOCH = 2016.0  # Julian year, as Gaia DR3
_REF_MJD = 51544.5 + (REF_EPOCH - 2000.0) * 365.25
_MAS = np.radians(1.0 / 3.6e6)


def apparent(objects: NDArray[np.void], mjd_tai: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(ra, dec) [deg] at a time: p + t mu - parallax * r_earth, with the Earth from the barycentre in au.

    Aberration and light deflection are left out: over the field they are a shift and a scale, which the pointing and
    scale errors of a visit stand for.
    """
    ra, dec = np.radians(objects["ra"]), np.radians(objects["dec"])
    p = sphere.unit_vector(objects["ra"], objects["dec"])
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    years = (mjd_tai - _REF_MJD) / 365.25
    earth = get_body_barycentric("earth", Time(mjd_tai, format="mjd", scale="tai")).xyz.to_value(units.au)
    moved = years * (objects["pmra_mas_yr"][:, None] * east + objects["pmdec_mas_yr"][:, None] * north)
    return sphere.from_vector(p + _MAS * (moved - objects["parallax_mas"][:, None] * earth))


def variation(objects: NDArray[np.void], mjd_tai: float) -> NDArray[np.float64]:
    """What the variable stars are fainter than their mean [mag]: sines of their period."""
    angle = 2.0 * np.pi * (mjd_tai / objects["period_d"] + objects["phase"])
    return np.asarray(objects["amplitude_mag"] * np.sin(angle))
