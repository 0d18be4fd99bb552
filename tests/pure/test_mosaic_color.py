"""Colors of stars: shifts of places and magnitudes that each visit has of its own come out and are taken off."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.mosaic import astrometry, flux, gather
from hscdb.mosaic.places import Options
from tests.pure.mosaic_world import ARCSEC, World, build


def solve(world: World, prior: float) -> astrometry.Astrometry:
    settings = Options(order=3, color_prior_mas=prior)
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, settings, False
    )


def colored(world: World, mas: np.ndarray, mag: np.ndarray, known: float = 1.0, seed: int = 2) -> World:
    """The world with colors: visits shift stars by mas (n_visit, 2) along xi, eta, and by mag (n_visit,), per mag."""
    rng = np.random.default_rng(seed)
    color = rng.normal(0.0, 0.5, world.obs.stars.size)
    obs, geometry = world.obs, world.geometry
    off = color[obs.star, None] * mas[obs.visit] / (1000.0 * ARCSEC)
    moved = replace(
        geometry, u=geometry.u + off[:, 0], v=geometry.v + off[:, 1], field_x=geometry.field_x + off[:, 0],
        field_y=geometry.field_y + off[:, 1], lever=geometry.lever + off,
    )  # fmt: skip
    told = np.where(rng.random(color.size) < known, color + 0.7, np.nan)
    return replace(
        world, obs=replace(obs, mag=obs.mag + color[obs.star] * mag[obs.visit]), geometry=moved,
        refs=replace(world.refs, color=told),
    )  # fmt: skip


MAS = np.array([[6.0, -2.0], [-3.0, 4.0], [0.0, 0.0], [2.0, 8.0], [-5.0, -6.0]])
MAG = np.array([0.006, -0.004, 0.0, 0.003, -0.005])


@pytest.fixture(scope="module")
def world() -> World:
    return build(n_star=1500, seed=21)


def test_shifts_by_color_come_out_and_stars_repeat_as_without(world: World) -> None:
    made = colored(world, MAS, MAG)
    plain, without, found = solve(world, 0.0), solve(made, 0.0), solve(made, 10.0)
    told = np.array(list(found.notes["color_mas_per_mag"].values()))  # type: ignore[attr-defined]
    # the model is told where stars stand, so that what is added to it is the opposite of what the air has done
    assert np.abs(told + MAS).max() < 1.0
    rms = [np.sqrt(np.mean(one.residual[world.obs.is_reserved] ** 2)) for one in (plain, without, found)]
    assert rms[1] > 1.08 * rms[0]
    assert rms[2] < 1.02 * rms[0]
    assert "color_mas_per_mag" not in without.notes


def test_stars_without_a_color_are_left_alone_and_few_colors_ask_nothing(world: World) -> None:
    made = colored(world, MAS, MAG, known=0.5)
    told = np.array(list(solve(made, 10.0).notes["color_mas_per_mag"].values()))  # type: ignore[attr-defined]
    assert np.abs(told + MAS).max() < 2.5
    few = colored(world, MAS, MAG, known=0.005)
    assert "color_mas_per_mag" not in solve(few, 10.0).notes


def test_magnitudes_by_color_come_out(world: World) -> None:
    made = colored(world, MAS, MAG)
    found = [flux.fit(one.obs, one.refs, one.geometry, one.obs.mag, world.zero, flux.Options(color_prior_mag=prior))
             for one, prior in ((world, 0.0), (made, 0.0), (made, 0.01))]  # fmt: skip
    told = np.array(list(found[2].notes["color_mmag_per_mag"].values()))[:, 0]  # type: ignore[attr-defined]
    # what all visits have in common is the references' to know, to 0.02 mag each
    assert np.abs((told - told.mean()) + 1000 * (MAG - MAG.mean())).max() < 0.7
    assert abs(told.mean() + 1000 * MAG.mean()) < 5.0
    k = world.obs.is_reserved
    rms = [np.sqrt(np.mean(one.residual[k] ** 2)) for one in found]
    assert rms[1] > 1.05 * rms[0]
    assert rms[2] < 1.02 * rms[0]


def test_a_visit_without_any_color_term_has_none(world: World) -> None:
    made = colored(world, 0.0 * MAS, 0.0 * MAG)
    told = np.array(list(solve(made, 10.0).notes["color_mas_per_mag"].values()))  # type: ignore[attr-defined]
    assert np.abs(told).max() < 1.0


def test_colors_are_differences_of_the_bands_of_the_color_term() -> None:
    rows = np.rec.fromarrays(
        [np.array([3, 5, 9]), np.array([3631.0, 3631e2, 1e3]), np.full(3, 1.0), np.array([3631e1, 3631e2, np.nan]),
         np.full(3, 1.0)],
        names="star_id,primary_njy,primary_njy_err,secondary_njy,secondary_njy_err",
    )  # fmt: skip
    found = gather.colors(np.array([3, 4, 5, 9]), rows)
    np.testing.assert_allclose(found, [2.5, np.nan, 0.0, np.nan], atol=1e-12)
