"""The judge of the joint solution: same detections before and after, chance told from harm."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hscdb.mosaic import judge

N_STAR, N_VISIT = 60, 4


def judged(old: np.ndarray, new: np.ndarray, n_star: int = N_STAR) -> judge.Verdict:
    """Verdict on positions (n_obs, 2) [mas] of n_star reserved stars in N_VISIT visits; magnitudes stay as they are."""
    star = np.repeat(np.arange(n_star), N_VISIT)
    obs: Any = SimpleNamespace(
        stars=np.arange(n_star), star=star, is_reserved=np.ones(star.size, bool), reason=np.full(star.size, ""),
        mag_err=np.full(star.size, 0.001),
    )  # fmt: skip
    mag = np.random.default_rng(1).normal(0.0, 0.003, star.size)
    position: Any = SimpleNamespace(residual=new)
    flux: Any = SimpleNamespace(residual=mag)
    return judge.verdict(obs, judge.Before(old, mag), position, flux, np.full(star.size, 1.0))


@pytest.fixture
def old() -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 5.0, (N_STAR * N_VISIT, 2))


def test_the_same_solution_is_kept_and_its_rms_is_the_scatter(old: np.ndarray) -> None:
    verdict = judged(old, old)
    assert verdict.is_position_better
    assert verdict.is_mag_better
    assert verdict.position_excess == (0.0, 0.0)
    assert verdict.position_before == verdict.position_after == pytest.approx(5.0, rel=0.1)


def test_a_change_within_chance_is_kept_whichever_its_sign(old: np.ndarray) -> None:
    excesses = []
    for seed in range(40):
        other = old + np.random.default_rng(seed + 10).normal(0.0, 0.3, old.shape)
        verdict = judged(old, other)
        excesses.append(verdict.position_excess)
        assert verdict.is_position_better
    excess, error = np.transpose(excesses)
    # The stated error is that of the change: 40 draws tell it to 11 %.
    assert np.std(excess) == pytest.approx(np.mean(error), rel=0.35)
    assert (excess > 0).any()
    assert (excess < 0).any()


def test_a_worse_solution_is_refused_however_small_its_significance_looks_in_rms(old: np.ndarray) -> None:
    worse = old + np.random.default_rng(5).normal(0.0, 2.0, old.shape)  # variance + 16 %
    verdict = judged(old, worse)
    assert not verdict.is_position_better
    excess, error = verdict.position_excess
    assert excess == pytest.approx(0.16, abs=3 * error)
    assert judged(worse, old).is_position_better


def test_detections_that_only_the_solution_displaces_count_against_it(old: np.ndarray) -> None:
    new = 0.95 * old
    new[::40] += 300.0
    assert not judged(old, new).is_position_better


def test_a_wrong_detection_in_both_counts_for_neither(old: np.ndarray) -> None:
    wrong = np.zeros_like(old)
    wrong[::40] = 300.0
    verdict = judged(old + wrong, 0.9 * old + wrong)
    assert verdict.is_position_better
    # The other detections of its star lie far from a mean that the wrong one has drawn away: the star does not judge.
    assert verdict.n_judge == old.shape[0] - 6 * N_VISIT
    assert verdict.position_excess[0] == pytest.approx(0.9**2 - 1, abs=1e-9)
