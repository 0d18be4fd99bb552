"""The photometric models: constrained and simple, of magnitudes and of fluxes, absolute and relative."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.mosaic import flux
from hscdb.mosaic.model import Flux
from tests.pure.mosaic_world import SCALE_PIX, World, build


@pytest.fixture(scope="module")
def world() -> World:
    made = build(n_star=2500, seed=6)
    mag = made.star_mag + np.random.default_rng(4).normal(0.0, 0.002, made.star_mag.size)
    known = np.isfinite(made.refs.mag)
    refs = replace(made.refs, mag=np.where(known, mag, np.nan), mag_err=np.where(known, 0.002, np.nan))
    return replace(made, refs=refs)


def solve(world: World, **options: object) -> Flux:
    settings = flux.Options(ref_floor_mag=0.0, **options)  # type: ignore[arg-type]
    return flux.fit(world.obs, world.refs, world.geometry, world.obs.mag, world.zero + 0.03, settings)


def scale_error(world: World, found: Flux) -> np.ndarray:
    """Errors of the flux scale at the middle of the stars of each frame with 20 of them [mag]."""
    obs, out = world.obs, []
    power = found.coefficients
    for e in range(obs.visits.size):
        for c in range(obs.ccds.size):
            k = (obs.visit == e) & (obs.ccd == c)
            if k.sum() < 20:
                out.append(np.nan)
                continue
            u, v = np.median(world.geometry.u[k]), np.median(world.geometry.v[k])
            field = np.polynomial.chebyshev.chebval2d(u / SCALE_PIX, v / SCALE_PIX, square(power[e], found.order))
            truth = world.zero[e] + world.ccd_mag[c] + 0.02 * (u / SCALE_PIX) ** 2
            out.append(found.scale(e, c)[0] + field - truth)
    return np.array(out)[np.isfinite(out)]


def square(flat: np.ndarray, order: int) -> np.ndarray:
    out = np.zeros((order + 1, order + 1))
    k = 0
    for p in range(order + 1):
        for q in range(order + 1 - p):
            out[p, q] = flat[k]
            k += 1
    return out


@pytest.mark.parametrize("in_flux", [False, True])
def test_fields_of_the_visits_alone_give_the_truth(world: World, in_flux: bool) -> None:
    """jointcal's constrained models: a constant per CCD and a polynomial per visit."""
    found = solve(world, order=0, visit_order=4, in_flux=in_flux)
    error = scale_error(world, found)
    assert np.abs(error).max() < 0.003
    assert np.std(error) < 0.0012
    assert found.notes["model"] == ("constrainedFlux" if in_flux else "constrainedMagnitude")
    np.testing.assert_allclose(np.median(found.star[np.unique(world.obs.star)] - world.star_mag), 0.0, atol=0.0015)


@pytest.mark.parametrize("in_flux", [False, True])
def test_one_scale_per_frame_gives_the_truth_at_the_middle_of_frames(world: World, in_flux: bool) -> None:
    found = solve(world, is_simple=True, in_flux=in_flux)
    assert found.order == 0
    error = scale_error(world, found)
    assert np.abs(error).max() < 0.006  # a parabola of 20 mmag bends by 1 mmag over a CCD
    assert np.std(error) < 0.002
    assert found.n_parameter == np.unique(world.obs.visit * 16 + world.obs.ccd).size
    assert found.frame is not None
    assert found.frame_err is not None
    assert np.median(found.frame_err) == pytest.approx(0.0007, rel=0.7)


def test_a_frame_without_stars_takes_the_mean_of_its_ccd(world: World) -> None:
    gone = (world.obs.visit == 2) & (world.obs.ccd == 5)
    reason = world.obs.reason.copy()
    reason[gone] = "ambiguous"
    found = solve(replace(world, obs=replace(world.obs, reason=reason)), is_simple=True)
    assert found.frame is not None
    others = np.delete(found.frame[:, 5], 2)
    assert found.frame[2, 5] == pytest.approx(others.mean(), abs=1e-12)
    assert np.isfinite(found.scale(2, 5)).all()


def test_fluxes_of_faint_stars_are_without_the_bias_of_magnitudes() -> None:
    """Half the CCDs have six times the noise: in magnitudes their faint stars come out 30 mmag too faint."""
    world = build(n_star=3000, seed=9, mag_noise=1e-4, field_mag=0.0)
    obs, rng = world.obs, np.random.default_rng(1)
    # one sigma of the flux in units of the star's own: 5 % and 30 %
    sigma = np.where(obs.ccd % 2 == 0, 0.05, 0.30)
    ratio = 1.0 + sigma * rng.normal(size=sigma.size)
    good = ratio > 0.05  # S/N 3 and more: nearly all
    mag = np.where(good, obs.mag - 2.5 * np.log10(np.where(good, ratio, 1.0)), np.nan)
    err = 2.5 / np.log(10) * sigma / np.where(good, ratio, 1.0)
    noisy = replace(world, obs=replace(obs, mag=mag, mag_err=err))
    told = {}
    for in_flux in (False, True):
        found = flux.fit(
            noisy.obs, noisy.refs, noisy.geometry, noisy.obs.mag, noisy.zero,
            flux.Options(order=0, visit_order=0, in_flux=in_flux, floor_mag=0.0, ccd_prior_mag=0.3),
        )  # fmt: skip
        error = found.ccd - world.ccd_mag
        told[in_flux] = error[1::2].mean() - error[::2].mean()
    assert abs(told[True]) < 0.012
    assert abs(told[False]) > 3 * abs(told[True])


def test_a_relative_solution_asks_the_references_for_one_number(world: World) -> None:
    rng = np.random.default_rng(3)
    bad = np.where(rng.random(world.refs.mag.size) < 0.2, rng.normal(0.0, 0.5, world.refs.mag.size), 0.0)
    refs = replace(world.refs, mag=world.refs.mag + 0.2 + bad)
    shifted = replace(world, refs=refs)
    found, plain = solve(shifted, is_relative=True), solve(world, is_relative=True)
    assert found.notes["is_relative"] is True
    assert found.n_ref > 100
    # all magnitudes are shifted alike, and by what the good references say
    off = (found.star - plain.star)[np.isfinite(found.star)]
    assert np.ptp(off) < 1e-9
    assert off.mean() == pytest.approx(0.2, abs=0.006)
    np.testing.assert_allclose(found.zero - plain.zero, off.mean(), atol=1e-9)
    np.testing.assert_allclose(found.coefficients, plain.coefficients, atol=1e-9)


def test_without_references_a_relative_solution_keeps_the_first_zero_points(world: World) -> None:
    refs = replace(world.refs, mag=np.full(world.refs.mag.size, np.nan))
    found = solve(replace(world, refs=refs), is_relative=True)
    assert found.n_ref == 0
    assert "first calibrations" in str(found.notes["gauge"])
    assert np.mean(found.zero - world.zero) == pytest.approx(0.03, abs=0.015)  # the CCDs' mean is known to their prior


def test_a_visit_of_few_stars_keeps_the_field_that_they_support(world: World) -> None:
    few = (world.obs.visit == 1) & (np.cumsum(world.obs.visit == 1) > 40)  # 3 for each of 10 terms: degree 3
    reason = world.obs.reason.copy()
    reason[few & ~world.obs.is_reserved] = "ambiguous"
    found = solve(replace(world, obs=replace(world.obs, reason=reason)), order=0, visit_order=7)
    assert found.notes["reduced_fields"] == {"1": 3}
    assert found.notes["visits_without_field"] == []
    terms = square(found.coefficients[1], 7)
    p, q = np.indices(terms.shape)
    assert np.all(terms[p + q > 3] == 0.0)
    assert np.all(terms[(p + q <= 3) & (p + q > 0)] != 0.0)
    assert np.abs(square(found.coefficients[0], 7)[p + q == 7]).min() > 0.0
