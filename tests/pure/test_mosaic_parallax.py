"""Stars are seen where the Earth's place puts them, and the frame is that of the references all the same."""

from dataclasses import replace

import mosaic_world
import numpy as np
import pytest
from astropy.coordinates import get_body_barycentric
from astropy.time import Time

from hscdb.mosaic import astrometry, prepare
from hscdb.mosaic.places import Options, tangent
from hscdb.sky import earth


@pytest.fixture(scope="module")
def world() -> mosaic_world.World:
    return mosaic_world.build(n_visit=6, noise_pix=0.01, parallax_mas=10.0, ref_fraction=0.9)


def fit(world: mosaic_world.World, refs) -> astrometry.Astrometry:
    return astrometry.fit(
        world.obs, refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), True
    )


def shift(world: mosaic_world.World, refs) -> float:
    """Largest median shift of a visit's detections by the solved frame from where they were seen in truth [mas]."""
    found, obs = fit(world, refs), world.obs
    _, east, north = tangent(np.degrees(np.stack([np.arctan2(*world.star[:, 1::-1].T), np.arcsin(world.star[:, 2])]).T))
    off = found.star - world.star
    stars = np.stack([np.einsum("ij,ij->i", off, axis) for axis in (east, north)], axis=1)[obs.star] * 206264806.2
    error = stars + found.residual + prepare.motion(obs, refs, world.mjd) - prepare.motion(obs, world.refs, world.mjd)
    known = np.isfinite(world.refs.ra)[obs.star]
    visits = [np.median(error[known & (obs.visit == e)], axis=0) for e in range(obs.visits.size)]
    return float(np.hypot(*np.array(visits).T).max())


def test_frames_stand_where_the_stars_were_seen(world):
    blind = replace(world.refs, parallax=np.zeros_like(world.refs.parallax))
    assert shift(world, blind) > 3.0  # their mean parallax is 10 mas
    assert shift(world, world.refs) < 0.4
    assert 1.4826 * np.median(np.abs(fit(world, world.refs).residual)) < 2.0


def test_first_residuals_are_without_the_parallax_too(world):
    moved = prepare.motion(world.obs, world.refs, world.mjd)
    k = int(np.flatnonzero(np.isfinite(world.refs.ra[world.obs.star]) & (world.obs.visit == 2))[0])
    star = world.obs.star[k]
    ra, dec = np.radians(world.refs.ra[star]), np.radians(world.refs.dec[star])
    x, y, z = earth.place(world.mjd[2])
    east = x * np.sin(ra) - y * np.cos(ra)
    north = (x * np.cos(ra) + y * np.sin(ra)) * np.sin(dec) - z * np.cos(dec)
    np.testing.assert_allclose(moved[k], world.refs.parallax[star] * np.array([east, north]), rtol=1e-9)


def test_the_earth_is_where_the_ephemeris_has_it():
    mjd = 51544.0 + np.array([[0.0, 1000.0], [5300.0, 9131.3]])
    body = get_body_barycentric("earth", Time(mjd, format="mjd"), "builtin")
    np.testing.assert_allclose(earth.place(mjd), np.moveaxis(body.xyz.to_value("au"), 0, -1), atol=0.012)
