"""What the air does to single visits is found in the residuals, and left alone where there is none."""

from dataclasses import replace

import mosaic_world
import numpy as np

from hscdb.mosaic import astrometry, judge, turbulence
from hscdb.mosaic.places import Options

FIELD_MAS = 8.0
WAVE_PIX = 400.0


def blown(world: mosaic_world.World, seed: int = 5) -> mosaic_world.World:
    """The world with waves of 8 mas per axis, different in every visit."""
    rng = np.random.default_rng(seed)
    obs, geometry = world.obs, world.geometry
    shift = np.zeros((obs.x.size, 2))
    for e in range(obs.visits.size):
        k = np.flatnonzero(obs.visit == e)
        for _ in range(20):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            wave = (geometry.u[k] * np.cos(angle) + geometry.v[k] * np.sin(angle)) / WAVE_PIX
            shift[k] += np.outer(np.cos(wave + phase), rng.normal(size=2))
    shift *= FIELD_MAS / 1e3 / mosaic_world.ARCSEC / shift.std()
    moved = replace(
        geometry, u=geometry.u + shift[:, 0], v=geometry.v + shift[:, 1], field_x=geometry.field_x + shift[:, 0],
        field_y=geometry.field_y + shift[:, 1], lever=geometry.lever + shift,
    )  # fmt: skip
    return replace(world, obs=replace(obs, x=obs.x + shift[:, 0], y=obs.y + shift[:, 1]), geometry=moved)


def solved(world: mosaic_world.World):
    err = np.full(world.obs.x.size, 1e3 * mosaic_world.ARCSEC * np.sqrt(world.obs.covariance[0, 0]))
    half = np.full((world.obs.ccds.size, 2), mosaic_world.CCD_PIX)

    def fit(field, previous):
        return astrometry.fit(
            world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), True, None,
            field, previous,
        )  # fmt: skip

    return fit(None, None), turbulence.solve(fit, world.obs, world.geometry, half, err)


def reserved_rms(world: mosaic_world.World, solution) -> float:
    axes = [judge.rms(solution.residual[:, i], world.obs.star, world.obs.is_reserved, world.obs.stars.size)[0]
            for i in range(2)]  # fmt: skip
    return float(np.sqrt(np.mean(np.square(axes))))


def test_turbulence_is_taken_off_and_reserved_stars_show_it() -> None:
    world = blown(mosaic_world.build(n_star=2500, noise_pix=0.01))
    plain, calm = solved(world)
    before, after = reserved_rms(world, plain), reserved_rms(world, calm)
    assert before > 0.8 * FIELD_MAS  # the visits' polynomials take the longest waves
    assert after < 0.45 * before
    assert calm.turbulence is not None
    assert 0.6 * FIELD_MAS < np.median(calm.turbulence.amplitude_mas) < 1.8 * FIELD_MAS
    # The field that a frame's WCS gets is the one taken off: the residuals of the plain model differ by it.
    field = turbulence.at(calm.turbulence, world.obs, world.geometry) * 3.6e6
    assert np.corrcoef(field[:, 0], plain.plane_residual[:, 0])[0, 1] > 0.9
    assert calm.floor_mas < 0.5 * plain.floor_mas


def test_still_air_is_left_alone() -> None:
    world = mosaic_world.build(n_star=1500, noise_pix=0.02)
    plain, calm = solved(world)
    assert reserved_rms(world, calm) < 1.005 * reserved_rms(world, plain)
    largest = 0.0 if calm.turbulence is None else float(np.abs(
        turbulence.at(calm.turbulence, world.obs, world.geometry)).max()) * 3.6e6  # fmt: skip
    assert largest < 1.0


def test_without_reserved_stars_nothing_is_taken_off() -> None:
    world = blown(mosaic_world.build(n_star=800))
    _, calm = solved(replace(world, obs=replace(world.obs, is_reserved=np.zeros(world.obs.x.size, bool))))
    assert calm.turbulence is None
    assert "reserved" in calm.notes["turbulence"]
