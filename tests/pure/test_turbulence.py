"""What the air does to single visits is found in the residuals, and left alone where there is none."""

from dataclasses import replace
from types import SimpleNamespace

import mosaic_world
import numpy as np
import pytest
from scipy.special import gamma, kv

from hscdb.mosaic import air, astrometry, judge, turbulence, waves
from hscdb.mosaic.frames import by_frame, evaluate
from hscdb.mosaic.places import Options

FIELD_MAS = 8.0
WAVE_PIX = 400.0


def blown(world: mosaic_world.World, seed: int = 5, is_curl: bool = False) -> mosaic_world.World:
    """The world with waves of 8 mas per axis, different in every visit, along the waves' direction or across it."""
    rng = np.random.default_rng(seed)
    obs, geometry = world.obs, world.geometry
    shift = np.zeros((obs.x.size, 2))
    for e in range(obs.visits.size):
        k = np.flatnonzero(obs.visit == e)
        for _ in range(20):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            wave = (geometry.u[k] * np.cos(angle) + geometry.v[k] * np.sin(angle)) / WAVE_PIX
            along = (-np.sin(angle), np.cos(angle)) if is_curl else (np.cos(angle), np.sin(angle))
            shift[k] += np.outer(np.cos(wave + phase), along)
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


def residuals(seed: int, turn: float, is_curl: bool):
    """Observations of one visit, a solution in whose plane the focal plane is turned [rad] and reflected, a field of
    8 mas there as the residuals have it, and what a tenth of the stars hold: these are not used."""
    world = blown(mosaic_world.build(seed=seed, n_visit=2, n_star=2500, noise_pix=0.0, first_mas=0.0), seed, is_curl)
    obs, geometry = world.obs, world.geometry
    calm = mosaic_world.build(seed=seed, n_visit=2, n_star=2500, noise_pix=0.0, first_mas=0.0)
    moved = np.stack([geometry.u - calm.geometry.u, geometry.v - calm.geometry.v], axis=1) * 1e3 * mosaic_world.ARCSEC
    c, s = np.cos(turn), np.sin(turn)
    to_plane = np.array([[-c, s], [s, c]])
    coefficients = np.zeros((2, 2, 3))
    coefficients[:, :, 2], coefficients[:, :, 1] = to_plane[:, 0], to_plane[:, 1]  # T_1(x) is the last, T_1(y) before
    n = obs.x.size
    rng = np.random.default_rng(seed)
    target = moved @ to_plane.T + rng.normal(0.0, 3.0, (n, 2))
    solution = SimpleNamespace(
        order=1, coefficients=coefficients, is_used=~obs.is_reserved, given_variance=np.full(n, 9.0),
        floors=np.zeros(2), ref_weight=np.full((obs.stars.size, 3), 1e6), turbulence=None,
    )  # fmt: skip
    return world, solution, target, moved @ to_plane.T


def missed(world, solution, target, truth, process) -> float:
    """rms per axis [mas] by which the field of a process misses the truth at reserved stars."""
    obs, geometry = world.obs, world.geometry
    half = np.full((16, 2), mosaic_world.CCD_PIX)
    mine, off = by_frame(obs), []
    for e, c, terms in air.fields(obs, geometry, half, solution, process, target):
        k = mine[e, c][obs.is_reserved[mine[e, c]]]
        off.append(evaluate(terms, half[c], geometry.lever[k, 0], geometry.lever[k, 1]) - truth[k])
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2)))


def test_a_field_without_curl_is_known_as_such_and_told_better() -> None:
    """In the plane of the sky, whichever way the camera is turned: both axes tell of each other."""
    world, solution, target, truth = residuals(6, 0.6, False)
    found = air.measured(world.obs, world.geometry, solution, target)
    assert found.curl == 0.0
    apart = replace(found, curl=0.5)  # each axis for itself
    assert missed(world, solution, target, truth, found) < 0.9 * missed(world, solution, target, truth, apart)


def test_a_field_that_is_no_gradient_is_not_taken_for_one() -> None:
    world, solution, target, _ = residuals(6, 0.6, True)
    assert air.measured(world.obs, world.geometry, solution, target).curl == 0.5


def test_the_covariance_is_that_of_a_potentials_gradient() -> None:
    """By differences of the potential's own covariance, a Matern function of index M + 1."""
    step, length, m = 2e-3, 700.0, 11.0 / 6.0

    def potential(d):
        x = np.hypot(*d) / length
        return 2.0 ** (1.0 - m) / gamma(m) * x**m * kv(m, x)

    for d in ((300.0, 500.0), (-900.0, 20.0), (2000.0, -1500.0)):
        found = waves.covariance(np.array([d]), np.zeros((1, 2)), length)
        axes = np.eye(2) * step * length
        wanted = [[-sum(s * t * potential(np.array(d) + s * a / 2 + t * b / 2) for s in (-1, 1) for t in (-1, 1))
                   for a in axes] for b in axes]  # fmt: skip
        scale = np.trace(wanted) / step**2 / np.trace(found)
        np.testing.assert_allclose(found * scale, np.array(wanted) / step**2, atol=2e-4 * scale)
        assert scale == pytest.approx(1.0 / (2.0 * (m - 1.0)), rel=1e-3)  # the potential's curvature at no distance
