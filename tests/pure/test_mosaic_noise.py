"""The errors of detections, measured from residuals about their stars."""

import numpy as np
import pytest

from hscdb.mosaic import noise, robust


def residuals(seed: int, scale: float, floors: list[float], n: int = 1500, dimension: int = 2):
    """Residuals of n detections in each visit: faint and bright ones, 2 % outliers."""
    rng = np.random.default_rng(seed)
    visit = np.repeat(np.arange(len(floors)), n)
    given = 10.0 ** rng.uniform(0.3, 2.0, visit.size)
    true = np.sqrt((scale * given) ** 2 + np.array(floors)[visit] ** 2)
    share = np.full(visit.size, 0.9)
    r = rng.normal(0.0, true[:, None] * np.sqrt(share)[:, None], (visit.size, dimension))
    r[rng.random(visit.size) < 0.02] += 1000.0
    return (r**2).sum(axis=1), given**2, share, visit


@pytest.mark.parametrize("scale", [1.0, 1.6])
def test_factor_and_floors_of_visits_come_out(scale):
    floors = [12.0, 25.0, 40.0]
    square, given, share, visit = residuals(1, scale, floors)
    found = noise.measure(square, given, share, visit, 3, 2, 200.0)
    assert found.scale == pytest.approx(scale, rel=0.06)
    np.testing.assert_allclose(found.floor, floors, rtol=0.15)
    assert found.typical == pytest.approx(25.0, rel=0.15)
    pull = square / share / found.variance(given, visit)
    assert np.median(pull) == pytest.approx(1.386, rel=0.05)


def test_errors_that_hold_are_left_alone():
    square, given, share, visit = residuals(2, 1.0, [0.0, 0.0], dimension=1)
    found = noise.measure(square, given, share, visit, 2, 1, 200.0)
    assert found.scale == pytest.approx(1.0, rel=0.06)
    assert (found.floor < 3.0).all()


def test_a_visit_with_few_stars_takes_the_floor_of_all():
    square, given, share, visit = residuals(3, 1.0, [20.0, 20.0])
    few = np.append(np.flatnonzero(visit == 0), np.flatnonzero(visit == 1)[:30])
    found = noise.measure(square[few], given[few], share[few], visit[few], 3, 2, 200.0)
    assert found.floor[0] == pytest.approx(20.0, rel=0.15)
    assert found.floor[1] == found.floor[2]


def test_of_a_handful_nothing_is_said():
    few = np.full(10, 4.0)
    found = noise.measure(few, few, np.ones(10), np.zeros(10, np.int64), 1, 2, 200.0)
    assert (found.scale, found.floor.tolist()) == (1.0, [0.0])


def test_covariances_get_the_floor_on_both_axes():
    found = noise.Noise(2.0, np.array([3.0]))
    np.testing.assert_allclose(found.variance(np.array([[1.0, 0.5, 2.0]]), np.zeros(1, np.int64)), [[13.0, 2.0, 17.0]])


def test_detections_at_the_same_pixels_tell_nothing_of_a_common_field():
    star, used = np.repeat(np.arange(50), 4), np.ones(200, bool)
    place = np.random.default_rng(5).uniform(-1.0, 1.0, (50, 2))[star]
    assert robust.wander(star, used, place, 50) < 1e-12
    moved = place + 0.2 * np.random.default_rng(6).normal(size=place.shape)
    assert robust.wander(star, used, moved, 50) == pytest.approx(0.2 * np.sqrt(0.75), rel=0.1)
    assert robust.wander(star[:1], used[:1], place[:1], 1) == 0.0
