"""Correlation functions tell a gradient from a curl, and noise from both."""

import numpy as np
import pytest

from hscdb.qa import correlation

FIELDS = [("visit", "i8"), ("n_seen", "i8"), ("ra", "f8"), ("dec", "f8"), ("position_mas_err", "f8"), ("snr", "f8"),
          ("is_reserved", "?"), ("ra_before_mas", "f8"), ("ra_after_mas", "f8"), ("dec_before_mas", "f8"),
          ("dec_after_mas", "f8")]  # fmt: skip


def rows(kind: str, seed: int = 1, n: int = 1400, n_visit: int = 6, sigma: float = 6.0) -> np.ndarray:
    """Residuals before: waves along their wave vector (gradient) or across (curl), new in each visit; after: noise."""
    rng = np.random.default_rng(seed)
    parts = []
    for visit in range(n_visit):
        one = np.zeros(n, FIELDS)
        x, y = rng.uniform(-30, 30, (2, n))
        one["visit"], one["n_seen"], one["snr"], one["position_mas_err"] = visit, 3, 500.0, 1.0
        one["ra"], one["dec"] = (359.95 + x / 60) % 360.0, y / 60
        one["is_reserved"] = np.arange(n) % 4 == 0
        for _ in range(80):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            k = 2 * np.pi / rng.uniform(8.0, 30.0)
            wave = np.cos(k * (x * np.cos(angle) + y * np.sin(angle)) + phase) * sigma * np.sqrt(4.0 / 80)
            along = (np.cos(angle), np.sin(angle)) if kind == "gradient" else (-np.sin(angle), np.cos(angle))
            one["ra_before_mas"] += wave * along[0]
            one["dec_before_mas"] += wave * along[1]
        one["ra_after_mas"], one["dec_after_mas"] = rng.normal(0, 3, (2, n))
        parts.append(one)
    return np.concatenate(parts)


def found(table: np.ndarray) -> dict:
    return {(c.variant, c.sample, c.distance_arcmin): c for c in correlation.of_residuals(table, 100.0)}


@pytest.mark.parametrize("kind", ["gradient", "curl"])
def test_a_gradient_is_e_and_a_curl_is_b(kind: str) -> None:
    for sample in ("all", "reserved"):
        one = found(rows(kind))["before", sample, 1.0]
        mine, other = (one.e_mas2, one.b_mas2) if kind == "gradient" else (one.b_mas2, one.e_mas2)
        assert mine == pytest.approx(2 * 6.0**2, rel=0.25)  # both axes, at a distance far below the waves' lengths
        assert abs(other) < 0.2 * mine


def test_noise_has_neither() -> None:
    for key, one in found(rows("curl")).items():
        if key[0] == "after":
            assert abs(one.e_mas2) < 1.0
            assert abs(one.b_mas2) < 1.0


def test_faint_ones_outliers_and_stars_seen_once_do_not_count_and_few_pairs_say_so() -> None:
    table = rows("gradient", n=60, n_visit=1)
    few = found(table)["before", "reserved", 1.0]
    assert np.isnan(few.e_mas2)
    assert few.n_pair == 0
    table = rows("gradient")
    spoiled = table.copy()
    for name, content in (("snr", 5.0), ("n_seen", 1), ("ra_before_mas", 5000.0)):
        extra = table[::20].copy()
        extra["ra_before_mas"] = 300.0
        extra[name] = content
        spoiled = np.concatenate([spoiled, extra])
    clean, dirty = (found(t)["before", "all", 1.0] for t in (table, spoiled))
    assert dirty.n_pair == clean.n_pair
    assert dirty.e_mas2 == pytest.approx(clean.e_mas2)
    assert not next(correlation.of_residuals(table[:0], 100.0)).n_pair
