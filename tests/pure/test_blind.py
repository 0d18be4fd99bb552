"""blind: a frame is found half a degree off, at any rotation, mirrored or not; strangers are refused."""

import numpy as np
import pytest

from hscdb.calibrate import blind
from hscdb.camera.focalplane import initial_wcs
from hscdb.camera.load import load
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

WIDTH, HEIGHT, REACH = 2048.0, 4176.0, 10714.0  # half a degree of HSC


def field(seed, n_star, *, spurious=0.5, missing=0.1, noise=0.3):
    """Sources, fluxes, references, fluxes, true matrix and shift: a random turn, parity, place and scale."""
    rng = np.random.default_rng(seed)
    radius = REACH + 2700.0
    n_ref = round(n_star * np.pi * radius**2 / (WIDTH * HEIGHT))
    r, t = radius * np.sqrt(rng.uniform(size=n_ref)), rng.uniform(0, 2 * np.pi, n_ref)
    ref, flux = np.stack([r * np.cos(t), r * np.sin(t)], axis=1), 100 * 10 ** rng.exponential(0.6, n_ref)
    turn, away, where = rng.uniform(0, 2 * np.pi), REACH * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    matrix = rng.uniform(0.992, 1.008) * np.array([[c, -s], [s, c]]) @ np.diag([1.0, rng.choice([-1.0, 1.0])])
    shift = away * np.array([np.cos(where), np.sin(where)])
    source = (ref - shift) @ np.linalg.inv(matrix).T
    seen = (np.abs(source) < (WIDTH / 2, HEIGHT / 2)).all(axis=1) & (rng.uniform(size=n_ref) > missing)
    n = int(seen.sum())
    n_false = round(n * spurious / (1 - spurious))
    false = rng.uniform((-WIDTH / 2, -HEIGHT / 2), (WIDTH / 2, HEIGHT / 2), (n_false, 2))
    places = np.vstack([source[seen] + rng.normal(0, noise, (n, 2)), false])
    fluxes = np.concatenate([flux[seen] * 10 ** rng.normal(0, 0.08, n), 100 * 10 ** rng.exponential(0.6, n_false)])
    return places, fluxes, ref, flux, matrix, shift


def find(source, source_flux, ref, ref_flux):
    return blind.find(source, source_flux, ref, ref_flux, frame_area=WIDTH * HEIGHT, max_shift_pix=REACH)


@pytest.mark.parametrize("n_star", [12, 40, 150, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_a_frame_is_found_with_half_of_its_sources_spurious(n_star, seed):
    *given, matrix, shift = field(100 * n_star + seed, n_star)
    found = find(*given)
    assert found is not None
    source = given[0]
    assert np.abs(source @ found.matrix.T + found.shift - (source @ matrix.T + shift)).max() < 4.0
    assert np.sign(np.linalg.det(found.matrix)) == np.sign(np.linalg.det(matrix))
    assert found.log_chance < -5.0


@pytest.mark.parametrize("n_star", [6, 15, 60, 300])
def test_strangers_are_refused(n_star):
    for seed in range(3):
        source, flux, *_ = field(seed, n_star)
        _, _, ref, ref_flux, *_ = field(1000 + seed, n_star)
        assert find(source, flux, ref, ref_flux) is None


def test_too_few_stars_are_no_pattern():
    few = np.array([[0.0, 0.0], [500.0, 900.0]])
    assert find(few, np.ones(2), few + 3.0, np.ones(2)) is None
    assert find(np.zeros((0, 2)), np.zeros(0), few, np.ones(2)) is None


def test_the_order_of_rows_does_not_matter():
    source, flux, ref, ref_flux, *_ = field(5, 40)
    rng = np.random.default_rng(0)
    a, b = rng.permutation(len(source)), rng.permutation(len(ref))
    first, second = find(source, flux, ref, ref_flux), find(source[a], flux[a], ref[b], ref_flux[b])
    np.testing.assert_allclose(first.matrix, second.matrix, atol=1e-9)
    np.testing.assert_allclose(first.shift, second.shift, atol=1e-6)


@pytest.mark.parametrize("dec", [0.0, 75.0, -89.7])
@pytest.mark.parametrize("parity", [1.0, -1.0])
def test_a_moved_wcs_lies_where_the_guess_says(dec, parity):
    camera = load("hsc")
    boresight = (150.0, dec)
    start = initial_wcs(camera, camera.ccds[4], *boresight, 30.0)
    c, s = np.cos(1.9), np.sin(1.9)
    matrix, shift = np.array([[c, -s], [s, c]]) @ np.diag([1.0, parity]), np.array([0.2, -0.3])
    new = blind.moved(start, boresight, matrix, shift)
    x, y = np.array([0.0, 2047.0, 0.0, 2047.0, 700.0]), np.array([0.0, 0.0, 4175.0, 4175.0, 3000.0])
    plane = matrix @ np.stack(sphere.project(*start.pixel_to_sky(x, y), *boresight)) + shift[:, None]
    away = sphere.separation(*sphere.deproject(plane[0], plane[1], *boresight), *new.pixel_to_sky(x, y)) * 3600
    assert away.max() < 1.0  # arcsec: the plane of the old tangent point is not quite that of the new one


@pytest.mark.parametrize("parity", [1.0, -1.0])
def test_neighbors_tell_what_was_found_for_them(parity):
    camera, boresight = load("hsc"), (150.0, 40.0)
    c, s = np.cos(-2.5), np.sin(-2.5)
    matrix, shift = 1.003 * np.array([[c, -s], [s, c]]) @ np.diag([1.0, parity]), np.array([-0.3, 0.25])
    pairs = []
    for number in (57, 58, 50):
        old = initial_wcs(camera, camera.ccds[number], *boresight, 12.0)
        pairs.append((old, blind.moved(old, boresight, matrix, shift)))
    for some in (pairs, pairs[:1]):
        found = blind.carry_over(some, (2048, 4176), boresight)
        np.testing.assert_allclose(found.matrix, matrix, atol=1e-4)
        np.testing.assert_allclose(found.shift, shift, atol=1e-4)
    wrong = pairs[0][1]
    far = Wcs((wrong.crval[0] + 0.1, wrong.crval[1]), wrong.crpix, wrong.cd, wrong.a, wrong.b)
    assert blind.carry_over([*pairs[1:], (pairs[0][0], far)], (2048, 4176), boresight) is None
    assert blind.carry_over([], (2048, 4176), boresight) is None
