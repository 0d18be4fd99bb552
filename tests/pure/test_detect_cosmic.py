"""Cosmic rays against the truth, in seeing from 0.4 to 1.2 arcsec."""

import numpy as np
import pytest
import starfield
from scipy import ndimage

from hscdb.detect import cosmic_ray
from hscdb.image import mask

SHAPE = (768, 768)


def found_in(field, fwhm):
    stamp = starfield.make((61, 61), [30.0], [30.0], [1.0], [True], fwhm=fwhm, is_varying=False).model[15:46, 15:46]
    data = (field.image.data - np.median(field.image.data)).astype(np.float32)
    plane = field.image.mask.copy()
    n = cosmic_ray.remove(data, field.image.variance, plane, stamp / stamp.sum())
    return data, (plane & mask.CR) != 0, n


@pytest.mark.parametrize("arcsec", [0.4, 0.7, 1.2])
def test_cosmic_rays_are_found_and_stars_are_left_alone(arcsec):
    fwhm = arcsec / 0.168
    field = starfield.crowd(SHAPE, 450, 0, seed=7, n_cosmic=90, fwhm=fwhm, snr_min=8)
    data, hit, _ = found_in(field, fwhm)
    noise = np.sqrt(field.sky + 25 + field.model)
    strong = field.cosmic > 5 * noise
    assert (hit & strong).sum() >= 0.95 * strong.sum()
    label, n = ndimage.label(hit, np.ones((3, 3)))
    real = ndimage.maximum(field.cosmic, label, np.arange(1, n + 1)) > 100
    assert real.mean() >= 0.95
    # what was filled is sky (or star) again: the trail is gone to the noise
    left = (data - field.model)[hit] / noise[hit]
    assert abs(np.median(left)) < 0.7


@pytest.mark.parametrize("arcsec", [0.4, 0.55, 0.8, 1.2])
def test_the_cores_of_stars_are_no_cosmic_rays(arcsec):
    fwhm = arcsec / 0.168
    field = starfield.crowd(SHAPE, 2000, 0, seed=8, fwhm=fwhm, snr_min=10)
    _, hit, _ = found_in(field, fwhm)
    cores = [(round(y), round(x)) for x, y in zip(field.x, field.y, strict=True)]
    struck = [hit[max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2].any() for j, i in cores]
    assert sum(struck) <= 0.001 * len(struck)


def test_a_single_hot_pixel_is_a_cosmic_ray_and_a_weak_one_is_not():
    field = starfield.make((100, 100), [], [], [], [], seed=1)
    field.image.data[50, 60] += 2000.0
    field.image.variance[50, 60] += 2000.0
    field.image.data[20, 30] += 150.0
    _, hit, n = found_in(field, 3.9)
    assert n == 1
    assert np.argwhere(hit).tolist() == [[50, 60]]


def test_the_faint_rim_of_a_track_goes_with_it():
    field = starfield.make((100, 100), [], [], [], [], seed=1)
    charge = np.zeros((100, 100))
    charge[30:50, 40], charge[30:50, 41] = 3400.0, 550.0  # 60 and 10 sigma of the sky
    field.image.data[:] += charge.astype(np.float32)
    field.image.variance[:] += charge.astype(np.float32)
    data, hit, n = found_in(field, 3.9)
    assert n == 1
    assert hit[31:49, 40:42].mean() > 0.95
    assert abs(data[31:49, 39:43].mean()) < 40  # the noise of the mean is 7


def test_single_pixels_of_ten_sigma_are_cosmic_rays():
    field = starfield.make((100, 100), [], [], [], [], seed=1, sky=700.0)
    places = [(20 + 10 * k, 35 + 5 * k) for k in range(6)]
    for j, i in places:
        field.image.data[j, i] += 330.0  # 12 sigma, below hscPipe's least charge of 450 e
    assert sum(found_in(field, 3.9)[1][j, i] for j, i in places) >= 5


def test_spoilt_pixels_are_not_called_cosmic_rays():
    field = starfield.make((100, 100), [], [], [], [], seed=1)
    field.image.data[50, 60] += 5000.0
    field.image.mask[50, 60] = mask.SAT
    assert found_in(field, 3.9)[2] == 0
