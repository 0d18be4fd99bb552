"""Errors of a solution know of the air, which moves neighbors together: by draws through the same equations."""

import mosaic_world
import numpy as np
import pytest
from test_turbulence import blown

from hscdb.mosaic import air, ccdterms, many, schur, solve, spread, waves
from hscdb.mosaic.places import Options, State, start


def solved(world: mosaic_world.World, is_calm: bool):
    """The solution with formal errors, and the same with errors by draws."""
    half = np.full((world.obs.ccds.size, 2), mosaic_world.CCD_PIX)
    err = np.full(world.obs.x.size, 1e3 * mosaic_world.ARCSEC * np.sqrt(world.obs.covariance[0, 0]))
    sky = solve.Sky(world.geometry, world.crval, world.mjd, world.rotation, None, True, err)  # type: ignore[arg-type]
    settings = solve.Settings(3, Options(), None, is_calm)  # type: ignore[arg-type]
    formal = solve._fit(world.obs, world.refs, sky, Options(order=3), None, None)
    return formal, solve._position(world.obs, world.refs, sky, settings, half)


def pulls(world: mosaic_world.World, solution) -> tuple[float, float]:
    """rms of (found - true) / error of stars without references, and of the CCDs' shifts to each other."""
    east = np.stack([-world.star[:, 1], world.star[:, 0], np.zeros(len(world.star))], axis=1)
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    off = (solution.star - world.star) * 180 / np.pi * 3.6e6
    off = np.stack([(off * a).sum(axis=1) for a in (east, np.cross(world.star, east))], axis=1)
    bare = ~np.isfinite(world.refs.ra) & np.isfinite(solution.star_covariance[:, 0])
    side = (np.arange(4) - 1.5) * 2.2 * mosaic_world.CCD_PIX
    centers = np.array([[u, v] for u in side for v in side])
    terms = (solution.ccd_terms - world.ccd_terms) * [1.0, 1.0, ccdterms.LEVER_PIX]
    terms = spread.relative(terms, centers, np.ones(16, bool))
    stars = off[bare] / np.sqrt(solution.star_covariance[bare][:, [0, 2]])
    return tuple(float(np.sqrt(np.mean(a**2))) for a in (stars, terms[:, :2] / solution.ccd_terms_err[:, :2]))


def test_errors_under_moving_air_are_honest() -> None:
    factors, after = [], []
    for seed in range(3):
        world = blown(mosaic_world.build(seed=40 + seed, n_star=1500, noise_pix=0.015), 60 + seed)
        _, told = solved(world, True)
        assert told.turbulence is not None
        factors.append(told.notes["errors"]["star_error_factor"])
        after.append(pulls(world, told))
    assert min(factors) > 1.15  # by which formal errors are too small
    stars, ccds = np.sqrt(np.mean(np.square(after), axis=0))
    assert 0.9 < stars < 1.1
    assert 0.75 < ccds < 1.35  # 16 CCDs of three skies, whose errors hang together
    assert told.coefficients_err.shape == told.coefficients.shape
    assert (told.coefficients_err > 0).all()


def test_errors_in_still_air_are_honest_too() -> None:
    world = mosaic_world.build(seed=44, n_star=1500)
    formal, told = solved(world, True)
    assert told.turbulence is None or told.turbulence.amplitude_mas.max() < 1.0
    stars, _ = pulls(world, told)
    assert 0.95 < stars < 1.05
    assert stars < pulls(world, formal)[0]  # which knows nothing of the visits' terms
    assert told.notes["errors"]["n_draw"] >= 8


def equations(world: mosaic_world.World):
    obs, options = world.obs, Options(order=3)
    begin = start(obs, world.geometry, world.crval, options, np.full(obs.visits.size, 3), False, None)
    state = State(obs, world.refs, world.geometry, world.crval, world.mjd, begin, options)
    state.linearize()
    rng = np.random.default_rng(1)
    weight = np.tile([1.0, 0.2, 1.5], (obs.x.size, 1))
    use = (rng.random(obs.x.size) > 0.2).astype(float)
    ref_weight, _ = state.reference()
    ridge = np.full(begin.size + 48, 0.1)
    active = np.ones(ridge.size, bool)
    active[[5, 15]] = False  # both axes, as where a visit has few stars
    return state, weight, use, ref_weight, ridge, active


def test_many_right_sides_have_the_answers_of_each(monkeypatch) -> None:
    monkeypatch.setattr(many, "_TOLERANCE", 1e-6)
    world = mosaic_world.build(seed=45, n_star=300, n_visit=3)
    state, weight, use, ref_weight, ridge, active = equations(world)
    rng, n = np.random.default_rng(2), world.obs.x.size
    offset = rng.normal(size=(n, 2, 3)).astype(np.float32)
    ref_offset = rng.normal(size=(world.obs.stars.size, 2, 3)).astype(np.float32)
    pull = rng.normal(size=(ridge.size, 3))
    left = offset.copy()
    found, shift = many.Equations(state, weight, use, use, ref_weight, ridge, active).answer(left, ref_offset, pull)
    for i in range(3):
        h, g = schur.reduce_positions(
            state.start, world.obs.visit, world.obs.ccd, state.x, state.y, 3, 3, 16, state.turn, state.plate,
            world.geometry.lever, weight, use, offset[:, :, i].astype(float), ref_weight,
            ref_offset[:, :, i].astype(float), 3,
        )  # fmt: skip
        one = schur.System(h, ridge, active).step(g, pull[:, i])
        np.testing.assert_allclose(found[:, i], one, atol=1e-4 * np.abs(one).max())
    # residuals: nothing is left of the stars' own means
    star, w = world.obs.star, use[:, None, None] * np.array([[1.0, 0.2], [0.2, 1.5]])
    pulled = np.einsum("kij,kjm->kim", w, left)
    total = np.stack([np.bincount(star, a, world.obs.stars.size) for a in pulled[:, :, 0].T], axis=1)
    ref = np.einsum("sij,sj->si", ref_weight[:, [0, 1, 1, 2]].reshape(-1, 2, 2), (ref_offset - shift)[:, :, 0])
    assert np.abs(total + ref).max() < 1e-3 * np.abs(total).max()


def test_what_all_ccds_share_is_no_error_of_theirs() -> None:
    rng = np.random.default_rng(3)
    terms, centers = rng.normal(size=(9, 3)), rng.uniform(-5000, 5000, (9, 2))
    moved = terms.copy()
    moved[:, 2] += 0.3  # pix at 1000 pix
    moved[:, 0] += 0.7 - 0.3 * centers[:, 1] / 1000
    moved[:, 1] += -0.2 + 0.3 * centers[:, 0] / 1000
    every = np.ones(9, bool)
    left = spread.relative(moved, centers, every)
    np.testing.assert_allclose(left, spread.relative(terms, centers, every), atol=1e-12)


@pytest.mark.parametrize("curl", [0.0, 0.3])
def test_drawn_air_has_the_covariance_that_was_asked_for(curl: float) -> None:
    world = mosaic_world.build(seed=46, n_star=400, n_visit=2)
    state, *_ = equations(world)
    drawn = np.zeros((world.obs.x.size, 2, 1000), np.float32)
    angle = np.radians(30.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    state.turn = np.tile(turn, (world.obs.x.size, 1, 1))  # stars' axes stand aslant on the visit's
    process = air.Process(np.array([5.0, 0.0]), 800.0, 0.0, curl)
    spread._add_air(np.random.default_rng(4), drawn, state, process, np.tile(np.eye(2), (2, 1, 1)))
    k = np.flatnonzero(world.obs.visit == 0)[:100]
    assert not drawn[world.obs.visit == 1].any()
    seen = np.einsum("aim,bjm->iajb", *[np.einsum("ji,kjm->kim", turn, drawn[k])] * 2) / 1000
    place = np.stack([world.geometry.u, world.geometry.v], axis=1)[k]
    wanted = 25.0 * waves.covariance(place, place, 800.0, curl).reshape(2, 100, 2, 100)
    for i in range(2):
        for j in range(2):
            assert np.abs(seen[i, :, j] - wanted[i, :, j]).mean() < 0.06 * 25.0
    assert np.diag(seen.reshape(200, 200)).mean() == pytest.approx(25.0, rel=0.05)
    assert np.corrcoef(seen[0, :, 1].ravel(), wanted[0, :, 1].ravel())[0, 1] > (0.8 if curl == 0.0 else 0.5)
