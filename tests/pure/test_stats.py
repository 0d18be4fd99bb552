"""Robust statistics and smooth fields."""

import numpy as np
import pytest

from hscdb.image import field, stats


def test_clipping_finds_the_gaussian_under_outliers() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, (300, 300)).astype(np.float32)
    values[::9, ::7], values[5, 5] = 1e4, np.nan
    mean, sigma, n = stats.clipped(values)
    n_good = values.size - 1 - values[::9, ::7].size
    assert mean == pytest.approx(5, abs=5 * 2 / np.sqrt(n_good))
    assert sigma == pytest.approx(2 * 0.9866, rel=0.01)
    assert n_good * 0.995 < n <= n_good
    assert stats.mad_sigma(values) == pytest.approx(2, rel=0.03)
    assert stats.iqr_sigma(values) == pytest.approx(2, rel=0.03)
    assert stats.clip_mask(values).sum() == pytest.approx(n, rel=2e-3)


def test_statistics_of_nothing_and_of_one() -> None:
    for function in (stats.median, stats.mad_sigma, stats.iqr_sigma, stats.clipped_mean):
        assert np.isnan(function([np.nan, np.inf]))
    assert stats.clipped([])[2] == 0
    assert stats.clipped([3.0]) == (3.0, 0.0, 1)
    assert stats.clipped([3.0] * 9 + [100.0]) == (3.0, 0.0, 9) or stats.clipped([3.0] * 9 + [100.0])[0] < 13
    assert stats.clip_mask(np.ones(4)).all()
    assert not stats.clip_mask([np.nan]).any()


def test_weighted_mean() -> None:
    mean, err = stats.weighted_mean([1.0, 3.0, np.nan], [1.0, 3.0, 9.0])
    assert (mean, err) == (2.5, 0.5)
    assert np.isnan(stats.weighted_mean([1.0], [0.0])).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_line_through_outliers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-5, 10, 400)
    err = rng.uniform(0.05, 0.3, 400)
    y = 3 - 2 * x + err * rng.normal(size=400)
    y[rng.permutation(400)[:60]] += rng.uniform(5, 50, 60)
    y[7] = np.nan
    a, b, kept = stats.robust_line(x, y, err)
    assert a == pytest.approx(3, abs=0.05)
    assert b == pytest.approx(-2, abs=0.01)
    assert 320 < kept.sum() <= 340
    assert not kept[7]


def test_a_line_needs_two_points() -> None:
    assert np.isnan(stats.robust_line([1.0], [2.0])[:2]).all()
    assert stats.robust_line([1.0, 3.0], [2.0, 8.0])[:2] == pytest.approx((-1.0, 3.0))


def test_powers_are_in_the_order_of_flux_correction_files() -> None:
    p, q = field.powers(2)
    assert list(zip(p.tolist(), q.tolist(), strict=True)) == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    assert len(field.powers(7)[0]) == 36


@pytest.mark.parametrize("order", [0, 1, 3, 7])
def test_a_field_is_fitted_evaluated_and_rendered_alike(order: int) -> None:
    rng = np.random.default_rng(order)
    shape = (90, 50)
    p, q = field.powers(order)
    truth = field.Field(rng.normal(size=p.size), order, 24.0, 44.0, 30.0, 50.0)
    x, y = rng.uniform(0, 49, 500), rng.uniform(0, 89, 500)
    direct = sum(
        c * ((x - 24) / 30) ** i * ((y - 44) / 50) ** j for c, i, j in zip(truth.coefficient, p, q, strict=True)
    )
    np.testing.assert_allclose(truth.at(x, y), direct, rtol=1e-12, atol=1e-12)
    fitted = field.fit(x, y, direct, None, order, shape)
    np.testing.assert_allclose(fitted.at(x, y), direct, atol=1e-9)
    yy, xx = np.mgrid[:90, :50]
    np.testing.assert_allclose(fitted.render(shape), truth.at(xx, yy), atol=2e-5 * (1 + np.abs(direct).max()))


def test_a_field_weighs_its_points_and_ignores_nan() -> None:
    x = np.array([0.0, 10, 20, 30, 30])
    values = np.array([1.0, 2, 3, 4, 1000])
    found = field.fit(x, np.array([0.0, 5, 3, 9, 9]), values, [1, 1, 1, 1e8, 1e-4], 1, (10, 31))
    assert float(found.at(30, 9)) == pytest.approx(4, abs=1e-2)
    values[4] = np.nan
    assert np.isfinite(field.fit(x, x, values, None, 1, (31, 31)).coefficient).all()
