"""Pictures show something whatever the S/N of the detections, and say which ones they show."""

import numpy as np
import pytest

from hscdb.qa import page, plots


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


METRICS = ("zero_point_scatter", "AM1", "AD2", "AF3", "PA1", "PA2", "PF1", "internal_rms_ra", "position_floor",
           "magnitude_floor", "external_median_mag", "external_rms_dec", "residual_xi_e_1arcmin",
           "residual_xi_b_5arcmin")  # fmt: skip
PICTURES = (
    "ResPosScatter",
    "PosDPos",
    "MdM",
    "ResFlux",
    "DFlux2D",
    "visitRms",
    "ResPosArrow2D 5",
    "fcont 5",
    "jcont 5",
)


def test_every_figure_and_picture_of_the_page_is_explained():
    names = ("metric", "sample", "before", "after", "unit", "n_used")
    metrics = np.array([(name, "all", 1.0, np.nan, "mas", 7) for name in METRICS], [(n, "O") for n in names])
    text = page.html("tract 0", metrics, [(name, b"png") for name in PICTURES])
    assert "<td></td>" not in text
    assert ": </figcaption>" not in text
    assert text.count("<figcaption>") == len(PICTURES)
    places = [
        text.index(f"<td>{name}</td>") for name in ("internal_rms_ra", "external_rms_dec", "AM1", "zero_point_scatter")
    ]
    assert places == sorted(places)


def test_the_scatter_of_visits_lies_within_its_axes():
    names = ("visit", "rms_ra_mas", "rms_dec_mas", "rms_mmag")
    scatter = np.zeros(4, [("variant", "O"), ("sample", "O"), *((name, "f8") for name in names)])
    scatter["variant"], scatter["sample"] = ["before", "before", "after", "after"], "all"
    for name, top in zip(names, (3.0, 8.0, 8.0, 5.0), strict=True):
        scatter[name] = [top - 1, top, top - 2, top - 1.5]
    for axes, top in zip(plots.per_visit(scatter, "here").axes, (8.0, 5.0), strict=True):
        assert axes.get_ylim()[0] == 0.0
        assert 1.05 * top < axes.get_ylim()[1] < 1.3 * top
