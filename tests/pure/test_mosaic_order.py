"""The order of the visits' polynomials is what reserved stars ask for; errors of the flux scale are honest."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from joint_world import build as build_camera
from joint_world import star_rows
from mosaic_world import build

from hscdb.errors import DataError
from hscdb.mosaic import flux, gather, solve
from hscdb.mosaic.places import Options


@pytest.mark.parametrize(
    ("scatter", "order", "asked"),
    [
        ({5: 4.0, 3: 4.5, 7: 3.99}, 5, {3, 5, 7}),  # a quarter of a percent is no gain
        ({5: 4.0, 3: 4.5, 7: 3.9, 9: 3.5}, 9, {3, 5, 7, 9}),
        ({5: 4.0, 3: 4.01, 2: 5.0}, 3, {2, 3, 5}),  # as good with less
        ({5: 4.0, 3: 4.01, 2: 4.02, 1: 4.0}, 3, {2, 3, 5}),  # no slide in steps that are each small
        ({5: 4.0, 3: 3.0, 2: 2.0, 1: 1.0}, 1, {1, 2, 3, 5}),
    ],
)
def test_an_order_is_raised_for_a_gain_and_lowered_for_nothing_lost(scatter, order, asked) -> None:
    seen = set()

    def ask(which: int) -> float:
        seen.add(which)
        return scatter[which]

    assert solve.chosen(ask) == order
    assert seen == asked


def test_no_order_is_chosen_below_the_lowest_allowed() -> None:
    seen = set()

    def ask(which: int) -> float:
        seen.add(which)
        return float(which)

    assert solve.chosen(ask, 5) == 5
    assert seen == {5, 7}


@pytest.mark.parametrize(
    ("has_distortion", "ref_ra", "lowest"), [(False, np.nan, 5), (True, np.nan, 1), (False, 3.0, 1)]
)
def test_a_shape_of_the_sky_that_only_first_calibrations_know_is_kept(has_distortion, ref_ra, lowest) -> None:
    refs = SimpleNamespace(ra=np.array([np.nan, ref_ra]))
    assert solve._lowest(refs, SimpleNamespace(has_distortion=has_distortion)) == lowest


def solved(order, **world):
    made = build_camera("toy", seed=31, n_visit=6, per_ccd=120, noise_pix=0.02, **world)
    seen, frames, positions = star_rows(made)
    obs = gather.observations(seen, frames, False)
    none = np.full(obs.stars.size, np.nan)
    given = solve.Given(
        obs, gather.references(obs.stars, positions, none, none), frames, gather.zero_points(seen, frames)
    )
    return solve.solve(made.camera, given, solve.Settings(order, Options(), flux.Options(order=3), False)).position


def test_the_order_follows_the_sky_and_is_told() -> None:
    cubic, flat = solved(None, warp_pix=2.0), solved(None, warp_pix=0.0)
    told = cubic.notes["order"]
    assert (cubic.order, told["chosen_by"]) == (3, "reserved stars")
    assert set(told["reserved_rms_mas"]) == {"2", "3", "5"}
    assert told["reserved_rms_mas"]["2"] > 1.1 * told["reserved_rms_mas"]["3"]
    assert flat.order < 3


def test_an_order_that_is_set_is_kept() -> None:
    fixed = solved(5, warp_pix=0.0)
    assert (fixed.order, fixed.notes["order"]) == (5, {"chosen_by": "setting"})


def test_an_order_without_a_solution_is_not_chosen(monkeypatch) -> None:
    fit = solve._fit

    def failing(obs, refs, sky, options, *more):
        if options.order < 5:
            raise DataError("still moves", code="no_convergence")
        return fit(obs, refs, sky, options, *more)

    monkeypatch.setattr(solve, "_fit", failing)
    found = solved(None, warp_pix=0.0)
    assert found.order >= 5
    assert "3" not in found.notes["order"]["reserved_rms_mas"]


def test_errors_of_zero_points_and_ccd_offsets_are_those_of_what_is_told() -> None:
    """Not of the unknowns, whose common part only the priors know: their errors are ten times as large."""
    zeros, ccds = [], []
    for seed in range(8):
        world = build(seed=50 + seed, n_star=900, field_mag=0.0)
        found = flux.fit(
            world.obs, world.refs, world.geometry, world.obs.mag, np.full(5, 27.0),
            flux.Options(order=2, visit_order=1, ref_floor_mag=0.0, floor_mag=0.0),
        )  # fmt: skip
        n = np.bincount(world.obs.ccd[found.is_used], minlength=16)
        mean = float((n * world.ccd_mag).sum() / n.sum())
        zeros.append((found.zero - world.zero - mean) / found.zero_err)
        ccds.append((found.ccd - world.ccd_mag + mean) / found.ccd_err)
    assert np.sqrt(np.mean(np.square(ccds))) == pytest.approx(1.0, abs=0.2)
    assert 0.5 < np.sqrt(np.mean(np.square(zeros))) < 1.6  # eight surveys, whose visits share the references' error


def test_few_reserved_stars_get_help_from_all_others_each_held_aside_once() -> None:
    world = build(seed=70, n_star=600)
    folds = solve._folds(world.obs)
    held = np.sum(folds, axis=0)
    np.testing.assert_array_equal(held, ~world.obs.is_reserved)
    assert all(np.unique(fold[world.obs.star == s]).size == 1 for fold in folds for s in range(40))
    many = replace(world.obs, is_reserved=world.obs.star % 2 == 0)
    assert solve._folds(many) == [] or np.count_nonzero(many.is_reserved) < solve._N_FEW


def test_an_order_is_chosen_on_some_of_many_visits(monkeypatch) -> None:
    monkeypatch.setattr(solve, "_N_VISIT", 3)
    sizes = []
    fit = solve._fit

    def counting(obs, *more):
        sizes.append(obs.visits.size)
        assert np.bincount(obs.visit).min() > 0
        assert np.bincount(obs.star).min() > 0
        return fit(obs, *more)

    monkeypatch.setattr(solve, "_fit", counting)
    found = solved(None, warp_pix=2.0)
    assert found.order == 3
    assert set(sizes[:-1]) == {3}
    assert sizes[-1] == 6
