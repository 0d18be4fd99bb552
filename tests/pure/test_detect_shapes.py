"""Shapes of faint sources: nearly all have one, it is right on average, and where none can be had the flag says so."""

import numpy as np
import pytest
import starfield

from hscdb.detect import frame
from hscdb.image import flags, moments

PSF = np.array([3.2, 3.0, 0.2])


def gaussian(half, xx, yy, xy, x=0.0, y=0.0):
    j, i = np.indices((2 * half + 1, 2 * half + 1)) - half
    dx, dy = i - x, j - y
    return np.exp(-0.5 * (yy * dx**2 + xx * dy**2 - 2 * xy * dx * dy) / (xx * yy - xy**2))


def seen(stamp, *, shift_max=2.0):
    """Whether the moments about the middle converge, and which they are."""
    found = np.full(5, np.nan)
    half = stamp.shape[0] // 2
    return moments.adapt(stamp.astype(np.float32), float(half), float(half), PSF, half, shift_max, found), found


@pytest.fixture(scope="module")
def faint():
    """600 Gaussians as wide as the PSF of S/N 8 in noise: whether they converged, and their moments."""
    rng = np.random.default_rng(5)
    star = gaussian(25, *PSF)
    star *= 8.0 / np.sqrt(np.sum(star**2))
    told = [seen(star + rng.normal(0.0, 1.0, star.shape)) for _ in range(600)]
    return np.array([good for good, _ in told]), np.array([found for _, found in told])


def test_moments_of_faint_sources_converge(faint):
    good, _ = faint
    assert good.mean() > 0.97


def test_moments_of_faint_sources_are_right_on_average(faint):
    good, found = faint
    assert np.median(found[good, 2:4], axis=0) == pytest.approx(PSF[:2], rel=0.10)
    assert np.median(found[good, 4]) == pytest.approx(PSF[2], abs=0.15)


def test_a_broad_source_may_lie_further_from_its_fitted_place():
    good, found = seen(gaussian(40, 30.0, 22.0, 5.0, x=2.9))
    assert good
    assert found[2:] == pytest.approx([30.0, 22.0, 5.0], rel=0.01)
    assert not seen(gaussian(40, *PSF, x=2.9))[0]


def test_moments_about_a_fixed_place_stay_there():
    good, found = seen(gaussian(25, *PSF, x=0.8, y=-0.3), shift_max=0.0)
    assert good
    assert found[:2].tolist() == [25.0, 25.0]


@pytest.mark.parametrize("kind", ["pixel", "hole", "nothing"])
def test_what_has_no_shape_gets_that_of_the_weight(kind):
    stamp = np.zeros((41, 41), np.float32)
    if kind != "nothing":
        stamp[20, 20] = 100.0 if kind == "pixel" else -100.0
    assert not seen(stamp)[0]
    found = np.full(5, np.nan)
    assert not moments.under(stamp, 20.0, 20.0, PSF, 20, found)
    assert found.tolist() == [20.0, 20.0, *PSF]


def test_one_turn_under_the_weight_tells_the_moments_of_a_gaussian():
    found = np.empty(5)
    assert moments.under(gaussian(25, 6.0, 4.0, 1.0).astype(np.float32), 25.0, 25.0, PSF, 25, found)
    assert found[2:] == pytest.approx([6.0, 4.0, 1.0], rel=0.02)


def test_every_faint_source_has_a_shape_a_gaussian_flux_and_an_extendedness():
    rng = np.random.default_rng(2)
    y, x = (a.ravel() + rng.uniform(-3, 3, 400) for a in np.mgrid[15:600:29.5, 15:600:29.5])
    unit = starfield.noise_flux(3.9, 3000.0)
    is_bright = np.arange(400) % 8 == 0
    flux = unit * np.where(is_bright, 200.0, rng.uniform(8.0, 14.0, 400))
    is_star = is_bright | (np.arange(400) % 2 == 1)
    field = starfield.make((600, 600), x, y, flux, is_star, seed=2)
    columns = frame.characterize(field.image, frame.Limits(), 1).columns
    weak = (columns["psf_flux"] < 12 * columns["psf_flux_err"]) & (columns["n_child"] == 0)
    assert weak.sum() > 200
    for name in ("ixx", "iyy", "ixy", "gauss_flux", "gauss_flux_err", "extendedness", "blendedness"):
        assert np.isfinite(columns[name][weak]).all(), name
    told = (columns["flags"][weak] & flags.word("shape_bad")) != 0
    assert told.mean() < 0.03
    assert not (columns["flags"][weak] & flags.word("gauss_flux_bad", "extendedness_bad")).any()
