"""The joint fits give back the truth of a made sky."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.errors import DataError
from hscdb.mosaic import astrometry, basis, flux, fluxmodel, judge, robust, schur
from hscdb.mosaic.places import MAS, Options
from tests.pure.mosaic_world import World, build


def solve(world: World, **options: object) -> astrometry.Astrometry:
    settings = Options(order=3, **options)  # type: ignore[arg-type]
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, settings, False
    )


def star_error_mas(world: World, solution: astrometry.Astrometry) -> np.ndarray:
    return (solution.star - world.star) * MAS


@pytest.fixture(scope="module")
def world() -> World:
    return build()


@pytest.fixture(scope="module")
def solution(world: World) -> astrometry.Astrometry:
    return solve(world)


def test_residuals_are_those_of_the_noise(world: World, solution: astrometry.Astrometry) -> None:
    assert solution.chi2 / solution.dof == pytest.approx(1.0, abs=0.05)
    # 0.02 pix of 0.2 arcsec, no error floor needed
    assert solution.floor_mas < 0.7
    reserved = world.obs.is_reserved
    rms, n = judge.rms(solution.residual[:, 0], world.obs.star, reserved, world.obs.stars.size)
    assert n > 300
    assert rms == pytest.approx(4.0, rel=0.12)


def test_stars_come_out_at_their_places(world: World, solution: astrometry.Astrometry) -> None:
    error = star_error_mas(world, solution)
    assert np.abs(error.mean(axis=0)).max() < 0.4
    assert np.median(np.linalg.norm(error, axis=1)) < 4.5


def test_ccd_terms_come_out_within_their_errors(world: World, solution: astrometry.Astrometry) -> None:
    difference = solution.ccd_terms - world.ccd_terms
    # a common shift, turn or stretch is the visits' to take: compare without the linear trend over the CCDs
    assert difference[:, :2].std() < 0.12
    pull = (difference[:, 2] - difference[:, 2].mean()) / solution.ccd_terms_err[:, 2]
    assert np.sqrt(np.mean(pull**2)) < 1.5


def test_the_answer_does_not_depend_on_the_order_of_visits(world: World, solution: astrometry.Astrometry) -> None:
    n = world.obs.visits.size
    swapped = replace(
        world, obs=replace(world.obs, visit=n - 1 - world.obs.visit), crval=world.crval[::-1], mjd=world.mjd[::-1]
    )
    again = solve(swapped)
    assert np.abs(again.residual - solution.residual).max() < 2e-3  # mas


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.999, -45.0), (77.0, 89.5), (200.0, -89.8)])
def test_the_seam_and_the_poles_are_places_like_any_other(ra: float, dec: float) -> None:
    solution = solve(build(ra=ra, dec=dec, n_visit=3, n_star=700))
    assert solution.chi2 / solution.dof == pytest.approx(1.0, abs=0.12)


def test_outliers_are_named_and_do_no_harm() -> None:
    clean, dirty = build(seed=3), build(seed=3, outliers=0.03)
    error = [np.median(np.linalg.norm(star_error_mas(w, solve(w)), axis=1)) for w in (clean, dirty)]
    assert error[1] < 1.1 * error[0]
    solution = solve(dirty)
    n_bad = (solution.reason == "outlier").sum()
    assert 0.01 * dirty.obs.x.size < n_bad < 0.04 * dirty.obs.x.size


def test_the_floor_finds_noise_that_the_errors_do_not_know() -> None:
    world = build(noise_pix=0.03)
    told = replace(world, obs=replace(world.obs, covariance=world.obs.covariance * (0.01 / 0.03) ** 2))
    solution = solve(told)
    # sqrt(0.03^2 - 0.01^2) pix of 200 mas
    assert solution.floor_mas == pytest.approx(5.66, rel=0.15)
    assert solution.chi2 / solution.dof == pytest.approx(1.0, abs=0.06)


def test_without_references_the_frame_is_the_mean_of_the_first_calibrations() -> None:
    world = build(ref_fraction=0.0, first_mas=5.0)
    solution = solve(world)
    assert solution.notes["gauge"] == "mean of the first calibrations"
    assert np.abs(star_error_mas(world, solution).mean(axis=0)).max() < 1.0
    assert solution.chi2 / solution.dof == pytest.approx(1.0, abs=0.06)


def test_a_reference_that_is_wrong_does_not_pull_the_frame() -> None:
    world = build(seed=5)
    ra = world.refs.ra.copy()
    known = np.flatnonzero(np.isfinite(ra))[::10]
    ra[known] += 0.5 / 3600
    solution = solve(replace(world, refs=replace(world.refs, ra=ra)))
    assert np.abs(star_error_mas(world, solution).mean(axis=0)).max() < 0.6


def test_proper_motions_of_references_are_followed() -> None:
    world = build(seed=6, ref_fraction=1.0)
    mjd = 57000.0 + 365.25 * np.arange(5.0)
    pm = np.random.default_rng(8).normal(0, 15.0, (world.obs.stars.size, 2))
    # move every detection by its star's motion: the first calibration sees it, the pixels too
    moved = pm[world.obs.star] * ((mjd - 57000.0) / 365.25)[world.obs.visit][:, None]
    pix = moved / (1000.0 * 0.2)
    geometry = replace(world.geometry, u=world.geometry.u + pix[:, 0], field_x=world.geometry.field_x + pix[:, 0],
                       field_y=world.geometry.field_y + pix[:, 1])  # fmt: skip
    refs = replace(world.refs, pm=pm)
    still = solve(replace(world, geometry=geometry, mjd=mjd))
    followed = solve(replace(world, geometry=geometry, mjd=mjd, refs=refs))
    assert followed.floor_mas < 1.5
    assert still.floor_mas > 15.0
    assert np.median(np.linalg.norm(star_error_mas(world, followed), axis=1)) < 3.0


def test_a_visit_without_stars_is_named() -> None:
    world = build(n_star=400)
    reason = world.obs.reason.copy()
    reason[world.obs.visit == 2] = "ambiguous"
    with pytest.raises(DataError, match="visit 2") as caught:
        solve(replace(world, obs=replace(world.obs, reason=reason)))
    assert caught.value.code == "too_few_stars"


def test_magnitudes_come_out(world: World) -> None:
    options = flux.Options(ref_floor_mag=0.0)
    solution = flux.fit(world.obs, world.refs, world.geometry, world.obs.mag, np.full(5, 27.0), options)
    assert solution.chi2 / solution.dof == pytest.approx(1.0, abs=0.06)
    assert np.abs(solution.zero - world.zero).max() < 0.004
    assert np.std(solution.ccd - world.ccd_mag) < 0.0012
    # P vanishes at the optical centre and the CCDs' weighted mean is zero
    at_center = solution.coefficients @ basis.matrix(solution.order, np.zeros(1), np.zeros(1))[0]
    assert np.abs(at_center).max() < 1e-15
    off_axis = solution.coefficients @ basis.matrix(solution.order, np.array([0.6]), np.zeros(1))[0]
    assert off_axis.mean() == pytest.approx(0.02 * 0.36, abs=0.003)


def test_relative_magnitudes_need_no_references() -> None:
    world = build(ref_fraction=0.0)
    solution = flux.fit(world.obs, world.refs, world.geometry, world.obs.mag, world.zero + 0.05, flux.Options())
    assert np.ptp(solution.zero - world.zero) < 0.006
    assert np.mean(solution.zero - world.zero) == pytest.approx(0.05, abs=0.01)


def test_a_cloudy_visit_gets_its_own_zero_point_and_no_other_is_bent() -> None:
    world = build(seed=9)
    cloudy = world.obs.mag + np.where(world.obs.visit == 1, 0.7 + 0.05 * world.geometry.u / 5000.0, 0.0)
    solution = flux.fit(world.obs, world.refs, world.geometry, cloudy, np.full(5, np.nan), flux.Options())
    assert solution.zero[1] - world.zero[1] == pytest.approx(-0.7, abs=0.006)
    assert np.abs(np.delete(solution.zero - world.zero, 1)).max() < 0.006


def test_elimination_equals_the_full_system() -> None:
    """A twin: the whole least-squares problem of the fluxes with stars as unknowns, by numpy."""
    rng = np.random.default_rng(2)
    n_star, n, n_visit, n_ccd, order, own = 12, 90, 3, 2, 3, 1
    star = np.sort(np.concatenate([np.arange(n_star), rng.integers(0, n_star, n - n_star)]))
    visit, ccd, (u, v) = rng.integers(0, n_visit, n), rng.integers(0, n_ccd, n), rng.uniform(-1, 1, (2, n))
    weight, offset = rng.uniform(0.5, 2, n) * (rng.random(n) > 0.1), rng.normal(size=n)
    ref_weight, ref_offset = rng.uniform(0, 1, n_star), rng.normal(size=n_star)
    start = np.searchsorted(star, np.arange(n_star + 1)).astype(np.int64)
    model = fluxmodel.Model(start, visit, ccd, u, v, n_visit, n_ccd, order, own)
    terms = np.zeros((n, model.size))
    terms[np.arange(n), visit] = 1.0
    terms[:, n_visit : n_visit + 9] = basis.matrix(order, u, v)[:, 1:]
    for k in range(n):
        terms[k, n_visit + 9 + 2 * visit[k] : n_visit + 11 + 2 * visit[k]] = basis.matrix(own, u[k], v[k])[0, 1:]
        terms[k, n_visit * 3 + 9 + ccd[k]] = 1.0
    design = np.zeros((n + n_star + model.size, model.size + n_star))
    right = np.zeros(len(design))
    design[:n, : model.size] = terms * np.sqrt(weight)[:, None]
    design[np.arange(n), model.size + star] = -np.sqrt(weight)
    right[:n] = -offset * np.sqrt(weight)
    design[n : n + n_star, model.size :] = np.diag(np.sqrt(ref_weight))
    right[n : n + n_star] = ref_offset * np.sqrt(ref_weight)
    design[n + n_star :, : model.size] = np.diag(np.full(model.size, np.sqrt(0.1)))
    wanted = np.linalg.lstsq(design, right, rcond=None)[0][: model.size]

    h, g = model.reduce(weight, offset, ref_weight, ref_offset)
    ridge, every = np.full(model.size, 0.1), np.ones(model.size, bool)
    got, variance = schur.solve(h, g, ridge, np.zeros(model.size), every)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variance, np.diag(np.linalg.inv(design.T @ design))[: model.size], rtol=1e-9)
    np.testing.assert_allclose(model.sums(wanted), terms @ wanted, atol=1e-12)
    total = np.bincount(star, weight, n_star) + ref_weight
    mean = (np.bincount(star, weight * offset, n_star) + ref_weight * ref_offset) / total
    np.testing.assert_allclose(model.pull(weight, offset - mean[star]), g, atol=1e-12)


def test_visits_that_share_nothing_are_apart() -> None:
    star, visit = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 2, 3])
    none = np.zeros(3, bool)
    assert robust.connected(star, visit, none, 4).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    both = np.array([True, False, True])
    assert robust.connected(star, visit, both, 4).tolist() == [0, 0, 0, 0]


def test_turning_a_polynomial_keeps_its_values() -> None:
    rng = np.random.default_rng(4)
    coefficients = rng.normal(size=basis.n_terms(7))
    power = basis.powers(7, coefficients, 900.0)
    x, y = rng.uniform(-900, 900, (2, 50))
    angle = 1.234
    u, v = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    wanted = basis.matrix(7, u / 900.0, v / 900.0) @ coefficients
    turned = basis.turned(power, angle)
    np.testing.assert_allclose(np.polynomial.polynomial.polyval2d(x, y, turned), wanted, rtol=1e-9, atol=1e-9)
    gx, gy = basis.gradient(7, coefficients, u / 900.0, v / 900.0)
    step = 1e-5
    numeric = (
        basis.matrix(7, u / 900.0 + step, v / 900.0) - basis.matrix(7, u / 900.0 - step, v / 900.0)
    ) @ coefficients
    np.testing.assert_allclose(gx, numeric / (2 * step), rtol=1e-5, atol=1e-6)
    assert np.isfinite(gy).all()


def test_a_solution_that_hardly_a_detection_agrees_with_is_refused(world: World, monkeypatch) -> None:
    settle = robust.settle

    def harsh(*given: object) -> np.ndarray:
        kept = settle(*given)  # type: ignore[arg-type]
        return kept if given[-1] else kept * (np.arange(kept.size) % 11 == 0)  # once the cut is hard

    monkeypatch.setattr(robust, "settle", harsh)
    with pytest.raises(DataError) as told:
        solve(world)
    assert told.value.code == "no_convergence"
    assert "8% of the detections agree with it (10% needed)" in str(told.value)
