"""Bends inside CCDs that the camera's description does not have are learned from the first calibrations."""

from dataclasses import replace

import mosaic_world
import numpy as np

from hscdb.errors import DataError
from hscdb.mosaic import astrometry, ccdmap, judge, turbulence
from hscdb.mosaic.places import Options

BEND_PIX = 0.5  # 100 mas


def bent(world: mosaic_world.World) -> mosaic_world.World:
    """Detections moved by a quadratic of their own in each CCD; the first calibrations know where the stars are."""
    rng = np.random.default_rng(8)
    obs, geometry = world.obs, world.geometry
    amplitude = BEND_PIX * rng.choice([-1.0, 1.0], (obs.ccds.size, 2))[obs.ccd]
    shift = amplitude * ((geometry.lever / mosaic_world.CCD_PIX) ** 2 - 1.0 / 3.0)
    moved = replace(
        geometry, u=geometry.u + shift[:, 0], v=geometry.v + shift[:, 1], field_x=geometry.field_x + shift[:, 0],
        field_y=geometry.field_y + shift[:, 1], lever=geometry.lever + shift,
    )  # fmt: skip
    return replace(world, obs=replace(obs, x=obs.x + shift[:, 0], y=obs.y + shift[:, 1]), geometry=moved)


def half(world: mosaic_world.World) -> np.ndarray:
    return np.full((world.obs.ccds.size, 2), mosaic_world.CCD_PIX)


def reserved_rms(world: mosaic_world.World, solution) -> float:
    obs = world.obs
    axes = [judge.rms(solution.residual[:, i], obs.star, obs.is_reserved, obs.stars.size)[0] for i in range(2)]
    return float(np.sqrt(np.mean(np.square(axes))))


def test_bends_are_learned_and_taken_off() -> None:
    world = bent(mosaic_world.build(n_star=2500, noise_pix=0.01, first_mas=8.0))
    obs = world.obs
    maps, bend = ccdmap.learn(obs, world.geometry, world.crval, 3, half(world))
    assert ccdmap.is_needed(bend)
    # rms of x^2 - 1/3 on [-1, 1] is 0.298
    assert abs(bend / (0.298 * BEND_PIX * 1e3 * mosaic_world.ARCSEC) - 1.0) < 0.25

    def fit(field, previous):
        return astrometry.fit(
            obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), True, None,
            field, previous,
        )  # fmt: skip

    err = np.full(obs.x.size, 2.0)
    solved = turbulence.solve(fit, obs, world.geometry, half(world), err, maps)
    assert solved.notes["ccd_maps"]["is_used"]
    assert reserved_rms(world, fit(None, None)) > 15.0
    assert reserved_rms(world, solved) < 5.0
    # every frame of a CCD has the map, and a visit's own field on top of it is small
    assert np.ptp(turbulence.at(solved.turbulence, obs, world.geometry) - turbulence.at(maps, obs, world.geometry)) < (
        0.3 * np.ptp(turbulence.at(maps, obs, world.geometry))
    )


def test_rigid_ccds_need_no_map_and_bad_ones_are_refused() -> None:
    world = mosaic_world.build(n_star=2500, noise_pix=0.01, first_mas=5.0)
    maps, bend = ccdmap.learn(world.obs, world.geometry, world.crval, 3, half(world))
    assert not ccdmap.is_needed(bend)
    wrong = replace(maps, coefficients=maps.coefficients + 2e-5 * (np.arange(maps.coefficients.shape[-1]) == 7))
    wrong.coefficients[:, ::2] *= -1.0

    def fit(field, previous):
        return astrometry.fit(
            world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), True, None,
            field, previous,
        )  # fmt: skip

    solved = turbulence.solve(fit, world.obs, world.geometry, half(world), np.full(world.obs.x.size, 2.0), wrong)
    assert not solved.notes["ccd_maps"]["is_used"]
    assert reserved_rms(world, solved) < 1.01 * reserved_rms(world, fit(None, None))


def test_few_detections_bend_nothing() -> None:
    world = bent(mosaic_world.build(n_star=60, n_visit=2))
    maps, _ = ccdmap.learn(world.obs, world.geometry, world.crval, 1, half(world))
    n = np.bincount(world.obs.ccd, minlength=world.obs.ccds.size)
    assert np.isfinite(maps.coefficients).all()
    assert not maps.coefficients[:, n < 2].any()


def test_ccds_far_apart_need_no_map_for_what_polynomials_do() -> None:
    """Six visits of two far CCDs each: order 5 and cubics are the same thing there, and nothing is bent."""
    world = mosaic_world.build(n_star=2500, n_visit=6, noise_pix=0.01, first_mas=5.0)
    far = np.isin(world.obs.ccd, (0, 5, 15))
    names = ("star", "visit", "ccd", "x", "y", "covariance", "ra", "dec", "mag", "mag_err", "is_reserved", "reason")
    obs = replace(world.obs, **{name: getattr(world.obs, name)[far] for name in names})
    fields = ("u", "v", "field_x", "field_y", "jacobian", "lever")
    geometry = replace(world.geometry, **{name: getattr(world.geometry, name)[far] for name in fields})
    _, bend = ccdmap.learn(obs, geometry, world.crval, 5, half(world))
    assert not ccdmap.is_needed(bend)


def test_maps_that_no_fit_bears_are_left_out() -> None:
    world = mosaic_world.build(n_star=1200, noise_pix=0.01, first_mas=5.0)
    maps, _ = ccdmap.learn(world.obs, world.geometry, world.crval, 3, half(world))

    def fit(field, previous):
        if field is not None:
            raise DataError("mosaic: the fit still moves.", code="no_convergence")
        return astrometry.fit(
            world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), True
        )

    solved = turbulence.solve(fit, world.obs, world.geometry, half(world), np.full(world.obs.x.size, 2.0), maps)
    assert solved.notes["ccd_maps"]["is_used"] is False
    assert solved.turbulence is None
