"""Models too large for a matrix of their own are solved to the same answer by conjugate gradients."""

from dataclasses import replace

import numpy as np
import pytest
from mosaic_world import World, build

from hscdb.mosaic import astrometry, krylov, schur
from hscdb.mosaic.places import Options, State, start


def solve(world: World) -> astrometry.Astrometry:
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3, floor_mas=1.0),
        False,
    )  # fmt: skip


def elongated(world: World) -> World:
    """Centroids twice as uncertain along one axis as along the other, seeing-like, different in every visit."""
    angle = np.linspace(0.0, 3.0, world.obs.visits.size)[world.obs.visit]
    c, s, var = np.cos(angle), np.sin(angle), world.obs.covariance[:, 0]
    covariance = np.stack([var * (c**2 + s**2 / 4), 0.75 * var * c * s, var * (s**2 + c**2 / 4)], axis=1)
    return replace(world, obs=replace(world.obs, covariance=covariance))


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 2.0), (0.0, 89.9)])
def test_conjugate_gradients_end_where_cholesky_does(monkeypatch, ra: float, dec: float) -> None:
    world = elongated(build(seed=11, ra=ra, dec=dec))
    monkeypatch.setattr(astrometry, "_LEARN", (), raising=False)  # priors are learned from the matrix
    monkeypatch.setattr(astrometry, "_SETTLED_MAS", 1e-6)  # to the very end, not to what is enough
    exact = solve(world)
    made, products = [], []
    monkeypatch.setattr(krylov, "is_large", lambda *_: True)
    monkeypatch.setattr(schur, "reduce_positions", lambda *_: pytest.fail("the matrix was made"))
    old = krylov.gradient
    monkeypatch.setattr(krylov, "gradient", lambda *a, **k: products.append(len(a)) or old(*a, **k))
    monkeypatch.setattr(krylov.Iterated, "_factorize", counted(krylov.Iterated._factorize, made))
    iterated = solve(world)
    apart = np.abs(iterated.residual - exact.residual)
    assert np.quantile(apart, 0.999) < 1e-6  # mas
    assert apart.max() < 0.01  # of two detections in dispute the weights are found in a bounded number of rounds
    assert np.array_equal(iterated.is_used, exact.is_used)
    np.testing.assert_allclose(iterated.ccd_terms_err, exact.ccd_terms_err, rtol=0.15)
    # a preconditioner that forgets the visits' turns or the CCDs needs a hundred
    assert len(products) / iterated.n_iteration < 16
    assert len(made) == 1


def counted(function, calls: list[int]):
    def inner(*arguments):
        calls.append(1)
        return function(*arguments)

    return inner


def test_the_gradient_and_the_product_are_those_of_the_matrix() -> None:
    world = elongated(build(seed=12, n_star=300, n_visit=3))
    obs, options, rng = world.obs, Options(order=3), np.random.default_rng(1)
    begin = start(obs, world.geometry, world.crval, options, np.full(3, 3), False, None)
    state = State(obs, world.refs, world.geometry, world.crval, world.mjd, begin, options)
    state.linearize()
    n = obs.x.size
    weight = np.stack([rng.uniform(1, 2, n), rng.uniform(-0.3, 0.3, n), rng.uniform(1, 2, n)], axis=1)
    use = rng.random(n) * (rng.random(n) > 0.2)
    ref_weight, ref_offset = state.reference()
    h, g = schur.reduce_positions(
        state.start, obs.visit, obs.ccd, state.x, state.y, 3, 3, obs.ccds.size, state.turn, state.plate,
        world.geometry.lever, weight, use, state.offset, ref_weight, ref_offset,
    )  # fmt: skip
    scale = np.abs(g).max()
    np.testing.assert_allclose(krylov.gradient(state, weight, use, ref_weight, ref_offset), g, atol=1e-10 * scale)
    whole = np.triu(h) + np.triu(h, 1).T
    vector = rng.normal(size=g.size)
    product = krylov.gradient(state, weight, use, ref_weight, ref_offset, vector)
    np.testing.assert_allclose(product, whole @ vector, atol=1e-10 * np.abs(whole @ vector).max())
