"""What a solution says its predicted places may be wrong by is what they are wrong by, all over the frames."""

from types import SimpleNamespace

import numpy as np
import pytest
from joint_world import build, star_rows

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.mosaic import air, frames, gather, geometry, judge, orders, placeerrors, solve
from hscdb.mosaic.fluxdesign import Options as FluxOptions
from hscdb.mosaic.places import Options
from hscdb.simulate.setup import Setup
from hscdb.simulate.turbulence import displacement

CCDS = (41, 42, 49, 50, 57, 58)
PART = np.array([0.0, 0.5, 1.0])


def air_at(world, setup, visit, u, v):
    moved = displacement(setup, visit, *focalplane.focal_to_field(world.camera, u, v))
    return [one / world.camera.pixel_scale_arcsec for one in moved]


def blown(seed: int, mas: float):
    """A world whose detections the air of their visit has moved, and the air."""
    world = build("hsc", CCDS, n_visit=8, per_ccd=60, noise_pix=0.02, dither=1.5, seed=seed, step_days=7.0, pm_mas=0.0)
    setup, d = Setup(turbulence_mas=mas, seed=seed), world.detections
    for visit, ccd in world.frames:
        k, chip = (d["visit"] == visit) & (d["ccd"] == ccd), world.camera.ccds[ccd]
        u, v = focalplane.pixel_to_focal(chip, d["x"][k], d["y"][k])
        du, dv = air_at(world, setup, visit, u, v)
        d["x"][k], d["y"][k] = focalplane.focal_to_pixel(chip, u + du, v + dv)
        d["ra"][k], d["dec"][k] = world.wcs[visit, ccd].pixel_to_sky(d["x"][k], d["y"][k])
    return world, setup


def solved(world, order: int | None = 3) -> tuple[solve.Result, solve.Given]:
    seen, found, positions = star_rows(world)
    obs = gather.observations(seen, found, False)
    star = obs.stars - 1
    refs = gather.references(obs.stars, positions, world.mag[star], np.full(star.size, 0.01))
    given = solve.Given(obs, refs, found, gather.zero_points(seen, found))
    settings = solve.Settings(order, Options(), FluxOptions(order=1, visit_order=0), True)
    return solve.solve(world.camera, given, settings), given


def missed(world, setup, result, given) -> tuple[np.ndarray, np.ndarray]:
    """(n_frame, 9, 2) by how much the WCS misses [mas] at the nodes, and (n_frame, 9) what it says."""
    off, err = [], []
    position = result.position
    for one in frames.solved(result.where, given.frames, given.obs, position, result.scale, result.areas, 3):
        chip = one.ccd
        x, y = np.tile(PART, 3) * (chip.width - 1), np.repeat(PART, 3) * (chip.height - 1)
        u, v = focalplane.pixel_to_focal(chip, x, y)
        calm = u, v
        for _ in range(3):  # where the light would have fallen without air
            calm = [a - b for a, b in zip((u, v), air_at(world, setup, one.visit, *calm), strict=True)]
        truth = world.to_sky(one.visit, chip.ccd, *focalplane.focal_to_pixel(chip, *calm))
        ra, dec = one.wcs.pixel_to_sky(x, y)
        off.append(np.stack([(ra - truth[0]) * np.cos(np.radians(dec)), dec - truth[1]], axis=1) * 3.6e6)
        err.append(one.place_err)
    return np.array(off), np.array(err)


@pytest.mark.parametrize("mas", [8.0, 0.0])
def test_predicted_places_are_wrong_by_what_is_told(mas: float) -> None:
    pulls = []
    for seed in range(3 if mas else 2):
        world, setup = blown(70 + seed, mas)
        off, err = missed(world, setup, *solved(world))
        assert err.shape == (len(world.frames), 9)
        pulls.append((off / err[:, :, None]) ** 2)
    assert 0.9 < np.sqrt(np.mean(pulls)) < 1.1
    corners, middle = np.mean(np.array(pulls)[:, :, [0, 2, 6, 8]]), np.mean(np.array(pulls)[:, :, 4])
    assert 0.8 < np.sqrt(corners) < 1.2
    assert 0.8 < np.sqrt(middle) < 1.2


def test_a_ccd_without_stars_is_as_uncertain_as_the_camera_description() -> None:
    world, setup = blown(74, 8.0)
    world.detections = world.detections[world.detections["ccd"] != 41]
    result, given = solved(world)
    _, err = missed(world, setup, result, given)
    without = np.array([ccd == 41 for _, ccd in world.frames])
    assert 20.0 < np.median(err[without]) < 150.0  # 0.3 pix of 168 mas were put in
    assert np.median(err[~without]) < 8.0


def test_nodes_are_the_first_middle_and_last_pixels() -> None:
    camera, ccds = load("hsc"), np.array([49, 102])
    where = geometry.plane(camera, ccds)
    at = placeerrors.nodes(where, camera, ccds)
    for i, ccd in enumerate(ccds):
        chip = camera.ccds[int(ccd)]
        u, v = focalplane.pixel_to_focal(chip, np.array([0.0, 2047.0, 1023.5]), np.array([0.0, 0.0, 4175.0]))
        np.testing.assert_allclose(at.u[9 * i + np.array([0, 2, 7])], u)
        np.testing.assert_allclose(at.v[9 * i + np.array([0, 2, 7])], v)


def test_visits_that_differ_by_chance_have_one_air_and_others_their_own() -> None:
    rng, n, truth = np.random.default_rng(3), 120, 6.0
    rest, patches = np.full(10, 12.0), np.full(10, 30.0)

    def seen(strength):  # medians of squares about 18 of which 12 are noise
        return np.array([np.median(rng.normal(0, np.sqrt(s + 12.0), 2 * n) ** 2) / 0.4549 - 12.0 for s in strength])

    alike = [air._alike(seen(np.full(10, truth)), rest, patches) for _ in range(30)]
    assert np.mean(alike) == pytest.approx(truth, rel=0.1)
    assert np.median([np.ptp(one) for one in alike]) < 0.5 * truth
    different = np.array([2.0, 40.0] * 5)
    found = np.mean([air._alike(seen(different), rest, patches) for _ in range(30)], axis=0)
    np.testing.assert_allclose(found, different, rtol=0.35, atol=2.0)


@pytest.mark.parametrize(
    ("scatter", "order"),
    [
        ({7: 4.0, 5: 4.0, 3: 3.97, 2: 6.0}, 3),  # by chance
        ({7: 4.0, 5: 3.8, 3: 4.3, 2: 4.3}, 5),
        ({7: 4.0, 5: 5.0, 3: 4.0, 2: 4.0}, 7),
    ],
)
def test_a_lower_order_is_taken_where_only_chance_speaks_against_it(scatter, order) -> None:
    rng, n_star = np.random.default_rng(1), 300
    star = np.repeat(np.arange(n_star), 4)
    unit = rng.normal(size=(star.size, 2))
    obs = gather.Observations(
        np.arange(n_star), np.arange(4), np.arange(1), star, np.tile(np.arange(4), n_star),
        *[np.zeros(star.size, np.int64)], *[np.zeros(star.size)] * 2, np.zeros((star.size, 3)),
        *[np.zeros(star.size)] * 4, star % 10 == 0, np.full(star.size, "", object),
    )  # fmt: skip
    asked = []

    def one(which: int):
        return orders.Astrometry(**dict.fromkeys(REQUIRED, 0) | {"order": which, "residual": unit * scatter[which]})

    def without(held, solution):
        asked.append(solution.order)
        part = np.full(unit.shape, np.nan)
        part[held] = (unit * scatter[solution.order])[held] + rng.normal(0, 1.0, unit.shape)[held]
        return SimpleNamespace(residual=part)

    folds = [(star % 4 == i) & (star % 10 != 0) for i in range(4)]
    sky = SimpleNamespace(place_err=np.full(star.size, 3.0))
    best, told = orders.lower(obs, sky, one(7), lambda which, _: one(which), without, folds, 2)
    assert best.order == order
    assert list(told) == [str(o) for o in (7, 5, 3, 2) if o >= min(asked)]
    assert asked.count(7) == 4  # each fold once
    assert told["7"] == pytest.approx(4.12, abs=0.25)
    change, error = judge.change(obs, unit * 4.0, unit * 4.4, sky.place_err)
    assert (change, error) == pytest.approx((0.21, 0.0), abs=0.05)


REQUIRED = ("crval", "coefficients", "order", "visit_order", "ccd_terms", "ccd_terms_err", "star", "star_covariance",
            "residual", "plane_residual", "given_variance", "is_used", "reason", "floor_mas", "ridge", "chi2", "dof",
            "n_parameter", "n_iteration", "n_ref")  # fmt: skip
