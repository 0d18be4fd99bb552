"""Pictures show something whatever the S/N of the detections, and say which ones they show."""

import numpy as np
import pytest

from hscdb.qa import plots


def rows(snr: np.ndarray) -> np.ndarray:
    names = ("snr", "ra_before_mas", "dec_before_mas", "ra_after_mas", "dec_after_mas")
    out = np.zeros(snr.size, [(name, "f8") for name in names])
    out["snr"] = snr
    for name in names[1:]:
        out[name] = np.random.default_rng(1).normal(0.0, 5.0, snr.size)
    return out


def test_bright_detections_are_shown_where_there_are_enough():
    snr = np.concatenate([np.full(150, 200.0), np.full(1000, 20.0)])
    assert plots.lowered(rows(snr), 100.0) == 100.0


@pytest.mark.parametrize("n_bright", [0, 99])
def test_the_brightest_quarter_is_shown_where_few_are_bright(n_bright):
    snr = np.concatenate([np.full(n_bright, 200.0), np.linspace(10.0, 80.0, 1000)])
    limit = plots.lowered(rows(snr), 100.0)
    shown = plots.bright(rows(snr), limit)
    assert 0.2 < len(shown) / snr.size < 0.3
    figure = plots.position_scatter(rows(snr), "here", limit)
    assert f"{len(shown)} detections with S/N > {limit:g}" in figure.get_suptitle()


def test_the_limit_is_never_raised_and_nothing_is_still_nothing():
    assert plots.lowered(rows(np.full(50, 500.0)), 100.0) == 100.0
    assert plots.lowered(rows(np.zeros(0)), 100.0) == 100.0
    assert plots.lowered(rows(np.full(5, np.nan)), 100.0) == 100.0
