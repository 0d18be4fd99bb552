"""Proper motions of stars that no catalog knows."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.mosaic import astrometry, motion
from hscdb.mosaic.places import Options
from tests.pure.mosaic_world import World, build


def solve(world: World, prior: float) -> astrometry.Astrometry:
    settings = Options(order=3, motion_prior_mas_yr=prior)
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, settings, False
    )


def rms(world: World, found: astrometry.Astrometry) -> float:
    k = found.is_used
    return float(np.sqrt(np.mean(found.residual[k] ** 2)))


@pytest.fixture(scope="module")
def world() -> World:
    """Six visits over five years; stars move by 6 mas a year, of 30 % it is known."""
    return build(seed=3, n_star=1500, n_visit=6, pm_mas_yr=6.0, step_days=365.25)


def test_motions_come_out_within_their_errors(world: World) -> None:
    still, moving = solve(world, 0.0), solve(world, 6.0)
    assert still.motion is None
    assert moving.motion is not None
    free = np.isnan(world.refs.ra)
    # those with a known motion have none to be solved
    assert np.isnan(moving.motion[~free]).all()
    assert rms(world, moving) < 0.7 * rms(world, still)
    assert moving.chi2 / moving.dof < 1.0
    assert moving.floor_mas < 1.0
    n = np.bincount(world.obs.star, minlength=world.obs.stars.size)
    k = free & (n >= 4) & np.isfinite(moving.motion[:, 0])
    assert k.sum() > 200
    pull = (moving.motion[k, :2] - world.pm[k]) / moving.motion[k, 2:]
    assert np.sqrt(np.mean(pull**2)) == pytest.approx(1.0, abs=0.12)
    assert np.median(moving.motion[k, 2:]) < 2.5


def test_the_place_of_a_star_at_a_time_is_its_own_and_its_motion(world: World) -> None:
    found = solve(world, 6.0)
    moved = motion.displacement(world.obs, world.refs, world.mjd, found.motion)
    years = (world.mjd[world.obs.visit] - 57000.0) / 365.25
    free = np.isnan(world.refs.ra)[world.obs.star]
    assert np.abs(moved[~free]).max() == 0.0
    # relative to the mean of the star's detections, about which it is described
    truth = world.pm[world.obs.star] * years[:, None]
    n = np.maximum(np.bincount(world.obs.star, minlength=world.obs.stars.size), 1)
    mean = np.stack([np.bincount(world.obs.star, axis, n.size) / n for axis in truth.T], axis=1)
    off = moved - (truth - mean[world.obs.star])
    often = (n >= 5)[world.obs.star] & free
    assert np.std(off[often]) < 0.5 * np.std(truth[often])


def test_stars_that_stand_still_are_told_to() -> None:
    world = build(seed=4, n_star=1200, n_visit=6, step_days=365.25)
    still, moving = solve(world, 0.0), solve(world, 5.0)
    assert moving.motion is not None
    k = np.isfinite(moving.motion[:, 0])
    pull = moving.motion[k, :2] / np.sqrt(5.0**2 - moving.motion[k, 2:] ** 2)
    assert np.sqrt(np.mean(moving.motion[k, :2] ** 2)) < 2.5
    assert np.sqrt(np.mean(pull**2)) < 0.7
    assert moving.floor_mas < still.floor_mas + 1.0
    np.testing.assert_allclose(moving.coefficients, still.coefficients, atol=4.0 / 3.6e6)


def test_visits_of_one_season_have_no_motions(world: World) -> None:
    assert solve(replace(world, mjd=57000.0 + 0.05 * (world.mjd - 57000.0)), 6.0).motion is None
    assert motion.wanted(5.0, np.array([57000.0, 57200.0]))
    assert not motion.wanted(0.0, np.array([57000.0, 58000.0]))
