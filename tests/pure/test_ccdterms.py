"""What a CCD may do to its pixels: columns, moves and areas are those of the formulas; affine CCDs come out."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.mosaic import astrometry, ccdterms, gather, prepare, unknowns
from hscdb.mosaic.places import Options
from tests.pure.mosaic_world import CCD_PIX, World, build


@pytest.mark.parametrize("order", [0, 1, 2, 3, 5])
def test_moves_are_the_columns_times_the_terms_and_areas_their_determinants(order: int) -> None:
    rng = np.random.default_rng(order)
    n = ccdterms.n_terms(order)
    terms = rng.normal(0, 0.5, n) / ccdterms.units(n)
    assert ccdterms.degrees(n).size == n
    u, v = rng.uniform(-1500, 1500, (2, 20))
    du, dv = ccdterms.displacement(terms, u, v)
    plate = rng.normal(0, 1, (2, 2))
    for k in range(u.size):
        out = np.empty((2, n))
        ccdterms.columns(plate, u[k], v[k], out)
        # terms act linearly but for the turn's square
        square = 0.5 * terms[2] ** 2 * np.array([u[k], v[k]])
        np.testing.assert_allclose(
            out @ (terms * ccdterms.units(n)), plate @ (np.array([du[k], dv[k]]) + square), rtol=0, atol=1e-6
        )
        h = 1e-2
        east, north = (np.subtract(*(ccdterms.moved(terms, u[k] + s * a, v[k] + s * b) for s in (h, -h))) / (2 * h)
                       for a, b in ((1, 0), (0, 1)))  # fmt: skip
        area = (1 + east[0]) * (1 + north[1]) - east[1] * north[0]
        assert ccdterms.area_factor(terms, u[k], v[k]) == pytest.approx(area, abs=1e-8)


def test_an_affine_map_has_a_stretch_and_two_shears() -> None:
    assert ccdterms.n_terms(1) == 6
    moved = [ccdterms.moved(row, 1000.0, 500.0) for row in np.eye(6)]
    s, c = np.sin(1.0), np.cos(1.0)
    turned = (1000 * (c - 1) - 500 * s, 1000 * s + 500 * (c - 1))
    np.testing.assert_allclose(moved, [(1, 0), (0, 1), turned, (1, 0.5), (1, -0.5), (0.5, 1)])


def stretched(world: World, seed: int = 5, size: float = 0.1) -> tuple[World, np.ndarray]:
    """The world seen by CCDs that are stretched and sheared by 1e-4 (size 0.1): 0.14 pix at their corners."""
    obs = world.obs
    terms = np.zeros((obs.ccds.size, 6))
    terms[:, 3:] = np.random.default_rng(seed).normal(0, size, (obs.ccds.size, 3))
    geometry = world.geometry
    moves = np.array([ccdterms.moved(terms[c], *lever) for c, lever in zip(obs.ccd, geometry.lever, strict=True)])
    moved = replace(
        geometry, u=geometry.u - moves[:, 0], v=geometry.v - moves[:, 1], field_x=geometry.field_x - moves[:, 0],
        field_y=geometry.field_y - moves[:, 1], lever=geometry.lever - moves,
    )  # fmt: skip
    return replace(world, geometry=moved), terms


def solve(world: World, **options: object) -> astrometry.Astrometry:
    settings = Options(order=3, **options)  # type: ignore[arg-type]
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, settings, False
    )


def test_affine_ccds_come_out_and_their_stars_repeat_as_well_as_rigid_ones() -> None:
    plain = build(n_star=2000)
    world, terms = stretched(plain)
    rigid, affine, best = solve(world), solve(world, ccd_order=1), solve(plain)
    rms = [np.sqrt(np.mean(one.residual[one.is_used] ** 2)) for one in (rigid, affine, best)]
    assert rms[0] > 1.3 * rms[2]
    assert rms[1] < 1.01 * rms[2]
    # a stretch of all CCDs alike is the visits' to take
    difference = affine.ccd_terms[:, 3:] - terms[:, 3:]
    off = difference - difference.mean(axis=0)
    assert off.std() < 0.02
    assert affine.notes["priors"]["ccd_stretch_pix_at_1000"] == pytest.approx(0.1, rel=0.3)


def test_affine_terms_that_are_not_needed_cost_nothing() -> None:
    world = build(n_star=1500, seed=3)
    rigid, affine = solve(world), solve(world, ccd_order=1)
    assert affine.notes["priors"]["ccd_stretch_pix_at_1000"] < 0.05
    np.testing.assert_allclose(affine.star, rigid.star, atol=2.0 / 2.06e8)


def test_terms_beyond_shift_and_turn_need_stars_of_their_own() -> None:
    world = build(n_star=300)
    obs = world.obs
    few = np.bincount(obs.ccd, minlength=16)
    n = np.where(obs.ccd == int(np.argmax(few)), 0, 1)
    keep = (np.cumsum(1 - n) <= 8) | (n == 1)
    active = unknowns.active(obs, keep, np.full(obs.visits.size, 3), Options(order=3, ccd_order=1))[-16 * 6 :]
    assert active.reshape(16, 6)[int(np.argmax(few))].tolist() == [True] * 3 + [False] * 3


def test_a_ccd_is_another_one_after_the_camera_was_changed() -> None:
    bounds = prepare.epochs(["2016-01-02", "2015-01-01"])
    np.testing.assert_array_equal(bounds, [57023.0, 57389.0])
    frames = np.rec.fromarrays(
        [np.array([1, 1, 2, 2, 3]), np.array([4, 5, 4, 5, 5]), np.array([57000.0, 57000, 57100, 57100, 57500]),
         np.ones(5)],
        names="visit,ccd,obs_mjd,flux_mag0_e",
    )  # fmt: skip
    n = 5
    seen = np.rec.fromarrays(
        [np.arange(n), frames["visit"], frames["ccd"], np.zeros(n, bool), np.zeros(n, bool), *np.zeros((2, n)),
         *np.full((2, n), 0.1), *np.zeros((3, n)), *np.ones((2, n))],
        names="star_id,visit,ccd,is_reserved,is_ambiguous,x_pix,y_pix,x_pix_err,y_pix_err,x_y_pix2_cov,ra,dec,"
        "flux_njy,flux_njy_err",
    )  # fmt: skip
    obs = gather.observations(seen, frames, False, bounds)
    assert obs.ccds.tolist() == [4, 5, 4, 5, 5]
    assert obs.ccd_epochs is not None
    assert obs.ccd_epochs.tolist() == [0, 0, 1, 1, 2]
    assert obs.ccd.tolist() == [0, 1, 2, 3, 4]
    assert [obs.ccd_of(e, 5) for e in range(3)] == [1, 3, 4]
    assert gather.observations(seen, frames, False).ccds.tolist() == [4, 5]


def test_ccds_that_moved_between_epochs_are_told_apart() -> None:
    """The CCDs of the first two visits stand elsewhere than those of the others."""
    world = build(n_star=2000, seed=8)
    obs, geometry = world.obs, world.geometry
    shift = np.random.default_rng(2).normal(0, 0.15, (16, 2))
    off = np.where((obs.visit < 2)[:, None], shift[obs.ccd], 0.0)
    moved = replace(geometry, field_x=geometry.field_x + off[:, 0], field_y=geometry.field_y + off[:, 1])
    epoch = (obs.visit >= 2).astype(np.int64)
    split = replace(
        obs, ccds=np.tile(obs.ccds, 2), ccd=obs.ccd + 16 * epoch, ccd_epochs=np.repeat([0, 1], 16),
        visit_epochs=(np.arange(obs.visits.size) >= 2).astype(np.int64),
    )  # fmt: skip
    one = solve(replace(world, geometry=moved))
    two = solve(replace(world, geometry=moved, obs=split, rotation=np.tile(np.eye(2), (32, 1, 1))))
    rms = [np.sqrt(np.mean(found.residual[found.is_used] ** 2)) for found in (one, two)]
    assert rms[1] < 0.75 * rms[0]
    found = two.ccd_terms[16:, :2] - two.ccd_terms[:16, :2]
    assert np.std(found - shift - (found - shift).mean(axis=0)) < 0.06
    assert CCD_PIX == 1000.0


@pytest.mark.parametrize("seed", [0, 4])
def test_rigid_ccds_that_are_sheared_come_to_rest_all_the_same(seed: int) -> None:
    """One reference more or less moves all by 10 mas there: the fit must not go on choosing."""
    world, _ = stretched(build(n_star=2000), seed, 0.3)
    found = solve(world)
    assert found.n_iteration < 20
    assert found.notes["largest_move_mas"] < 0.01
    assert found.floor_mas > 15.0  # what shears of 3e-4 do is told as noise
