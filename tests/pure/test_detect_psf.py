"""PSF, background and moments: what is put in is found again."""

import numpy as np
import pytest
import starfield

from hscdb.detect import frame
from hscdb.errors import DataError
from hscdb.image import background, mask, moments, resample
from hscdb.image.background import Background
from hscdb.image.psf import Psf, constant, gaussian


def gauss_stamp(half, x, y, ixx, iyy, ixy):
    j, i = np.indices((2 * half + 1, 2 * half + 1)) - half
    dx, dy = i - x, j - y
    det = ixx * iyy - ixy**2
    return np.exp(-0.5 * (iyy * dx**2 + ixx * dy**2 - 2 * ixy * dx * dy) / det)


@pytest.mark.parametrize("shape", [(3.0, 3.0, 0.0), (4.0, 2.5, 0.6), (2.0, 5.0, -1.0)])
def test_adaptive_moments_of_a_gaussian_are_its_own(shape):
    found = moments.stamp_moments(gauss_stamp(20, 0.3, -0.4, *shape)[None])[0]
    assert found[:2] == pytest.approx([20.3, 19.6], abs=1e-3)
    assert found[2:] == pytest.approx(shape, abs=2e-3 * max(shape))


@pytest.mark.parametrize(("x", "y", "ixx", "iyy", "ixy"), [
    (20.3, 18.8, 3.0, 4.5, 1.1), (2.0, 37.6, 9.0, 2.0, -2.5), (30.5, 11.0, 0.5, 0.4, 0.0)])  # fmt: skip
def test_weighted_sums_are_those_of_the_gaussian_at_every_pixel(x, y, ixx, iyy, ixy):
    image = np.random.default_rng(3).normal(0, 1, (40, 36)).astype(np.float32)
    j, i = np.indices(image.shape)
    dx, dy = i - x, j - y
    rho2 = (iyy * dx**2 + ixx * dy**2 - 2 * ixy * dx * dy) / (ixx * iyy - ixy**2)
    w = np.where(rho2 < moments.RHO2_MAX, np.exp(-0.5 * rho2), 0.0) * image
    sums = np.empty(6)
    moments.weighted_sums(image, x, y, ixx, iyy, ixy, 50, sums)
    wanted = [np.sum(w * term) for term in (1.0, dx, dy, dx**2, dy**2, dx * dy)]
    assert sums == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_adaptive_moments_follow_a_broadened_start():
    wide = moments.stamp_moments(gauss_stamp(25, 0, 0, 9.0, 9.0, 0.0)[None], sigma=1.0)[0]
    assert wide[2:4] == pytest.approx([9.0, 9.0], rel=3e-3)


@pytest.mark.parametrize(("fx", "fy"), [(0.5, 0.0), (-0.31, 0.44), (0.0, 0.0)])
def test_a_shifted_stamp_is_the_star_at_another_place(fx, fy):
    moved = resample.shift(gauss_stamp(12, 0.0, 0.0, 1.6, 1.6, 0.0), fx, fy)
    wanted = gauss_stamp(12, fx, fy, 1.6, 1.6, 0.0)
    assert np.abs(moved - wanted).max() < 2e-3
    assert moved.sum() == pytest.approx(wanted.sum(), rel=1e-3)


def test_a_psf_survives_its_table():
    rng = np.random.default_rng(3)
    coefficient = np.stack([gauss_stamp(6, 0, 0, 3, 3, 0)] + [1e-3 * rng.normal(size=(13, 13)) for _ in range(5)])
    psf = Psf(coefficient, 2, "pixel", (300, 200))
    again = Psf.from_table(*psf.to_table())
    assert again.model == "pixel"
    assert again.shape == (300, 200)
    assert again.at(33.0, 250.0) == pytest.approx(psf.at(33.0, 250.0), abs=1e-7)
    assert psf.at(33.0, 250.0).sum() == pytest.approx(1.0)
    assert np.abs(psf.at(0.0, 0.0) - psf.at(199.0, 299.0)).max() > 1e-5


def test_a_constant_and_a_gaussian_psf_know_their_size():
    psf = gaussian(1.8, (100, 100))
    assert psf.model == "gaussian"
    assert psf.sigma(10, 90) == pytest.approx(1.8, rel=2e-3)
    assert constant(psf.at(0, 0), (100, 100)).sigma(50, 50) == pytest.approx(1.8, rel=2e-3)


def test_a_psf_on_the_frames_pixels_has_its_centroid_at_the_place():
    stamp, x0, y0 = gaussian(1.7, (100, 100)).image(40.3, 51.6)
    j, i = np.indices(stamp.shape)
    assert (stamp * (i + x0)).sum() == pytest.approx(40.3, abs=1e-3)
    assert (stamp * (j + y0)).sum() == pytest.approx(51.6, abs=1e-3)


def test_a_smooth_sky_with_holes_is_recovered():
    rng = np.random.default_rng(5)
    y, x = np.indices((700, 500)) / 500.0
    sky = 3000 * (1 + 0.05 * x - 0.04 * y**2 + 0.03 * x * y)
    data = (sky + rng.normal(0, 55, sky.shape)).astype(np.float32)
    plane = np.zeros(sky.shape, np.int32)
    plane[100:180, 200:330] = mask.BAD
    data[100:180, 200:330] = 60000.0
    data[:, 60] = np.nan
    data[rng.integers(0, 700, 3000), rng.integers(0, 500, 3000)] += 2000.0
    found = background.estimate(data, plane, int(mask.BAD))
    assert np.abs(found.render() - sky).max() < 8.0  # 55 / sqrt(bin of 16384) = 0.4, times the ends of the polynomial
    assert found.sigma == pytest.approx(55, rel=0.06)  # the slope within a bin and a percent of hits widen it
    again = Background.from_table(found.to_table(), found.shape)
    assert again.at(40, 300) == pytest.approx(found.render()[300, 40], rel=1e-6)


def test_the_background_of_a_tiny_frame_is_no_wilder_than_its_bins():
    rng = np.random.default_rng(6)
    found = background.estimate(rng.normal(100, 5, (90, 100)).astype(np.float32), np.zeros((90, 100), np.int32), 1)
    assert np.abs(found.render() - 100).max() < 1.5


def test_a_background_without_pixels_is_an_error():
    with pytest.raises(DataError) as caught:
        background.estimate(np.zeros((64, 64), np.float32), np.ones((64, 64), np.int32), 1)
    assert caught.value.code == "no_pixels"


def test_the_order_of_the_psf_is_followed_over_the_frame():
    field = starfield.grid((640, 640), 40, (60, 400), seed=1)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert (measured.psf.model, measured.psf.order) == ("pixel", 2)
    places = [(40.0, 40.0), (600.0, 40.0), (320.0, 320.0), (600.0, 600.0)]
    for x, y in places:
        form = starfield.psf_form(np.array([x]), np.array([y]), (640, 640), 3.9, True)
        true = np.zeros((61, 61))
        starfield._add(true, np.array([30.0]), np.array([30.0]), np.array([1.0]), form, np.array([30]))
        wanted = moments.stamp_moments(true[None])[0, 2:]
        assert measured.psf.moments(x, y)[0] == pytest.approx(wanted, abs=0.05)  # of 4; the change is 0.8


def test_a_frame_of_few_stars_has_a_constant_psf_and_one_of_none_a_gaussian():
    few = starfield.make((300, 300), [60, 200, 90, 230.0], [70, 80, 220, 210.0], [9e4] * 4, [True] * 4, seed=2)
    assert frame.characterize(few.image, frame.Limits(), 1).psf.model == "constant"
    none = starfield.make((300, 300), [], [], [], [], seed=2)
    measured = frame.characterize(none.image, frame.Limits(), 1)
    assert measured.psf.model == "gaussian"
    assert len(measured.columns["x"]) == measured.funnel["n_source"] <= 1  # 9e4 pixels: one 5-sigma peak at most


def test_reserved_stars_are_a_fifth_and_the_same_every_time():
    field = starfield.grid((640, 640), 40, (60, 400), seed=1)
    first, second = (frame.characterize(field.image, frame.Limits(), 7).stars for _ in range(2))
    assert 0.1 < first.is_reserved.mean() < 0.3
    assert (first.is_reserved == second.is_reserved).all()
    ratio = (first.star_sigma / first.psf_sigma)[first.is_reserved & ~first.is_rejected]
    assert abs(np.mean(ratio) - 1) < 0.01


def test_the_noise_of_the_psf_is_what_it_says():
    made, told, snr = [], [], []
    for seed in range(24):
        field = starfield.grid((320, 320), 57, (60, 120), seed=seed, is_varying=False)
        found = frame.characterize(field.image, frame.Limits(psf_order=0, psf_reserved=0.0), 1)
        made.append(found.psf.at(160, 160))
        told.append(found.psf.relative_variance(160, 160)[0])
        used = ~found.stars.is_rejected
        snr.append(np.sum(1 / (found.stars.snr[used] ** -2 + 1 / found.stars.flux[used])))
    assert np.median(told) == pytest.approx(1 / np.median(snr), rel=0.25)  # all its stars' light together
    mean = np.mean(made, axis=0)
    slope = np.gradient(mean, axis=1)
    place = [np.sum((mean - each) * slope) / np.sum(slope**2) for each in made]
    of_a_star = np.sqrt(np.sum(mean**2) / np.sum(slope**2))  # error of the place of a star of S/N 1
    # the stars are moved to where they are seen: what they have in common of their errors is not the PSF's (0.53)
    assert 0.4 < np.std(place) / (of_a_star * np.sqrt(np.median(told))) < 1.0
    assert gaussian(1.7, (320, 320)).relative_variance(10.0, 20.0) == [0.0]
