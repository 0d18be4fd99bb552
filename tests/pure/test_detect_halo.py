"""What noise and halos pretend: detections must stand out of the sky around them, and more so by saturated stars."""

import numpy as np
import pytest

from hscdb.detect import classify, noise
from hscdb.image import flags as bits
from hscdb.image import mask as planes
from hscdb.image.psf import gaussian

SHAPE, SIGMA, NOISE = (300, 320), 1.6, 10.0
PSF = gaussian(SIGMA, SHAPE)
HALF = 6


@pytest.fixture(scope="module")
def sky():
    """Noise under a halo of 6 e on the right half, and 200 places on either side."""
    rng = np.random.default_rng(5)
    data = rng.normal(0.0, NOISE, SHAPE).astype(np.float32)
    data[:, 160:] += 6.0
    x = np.concatenate([rng.integers(30, 130, 200), rng.integers(190, 290, 200)])
    return data, x, rng.integers(30, 270, 400)


def over_sky(data, x, y, basin, mask=None):
    mask = np.zeros(SHAPE, np.int32) if mask is None else mask
    variance = np.full(SHAPE, NOISE**2, np.float32)
    snr, per_electron = noise.local_snr(data, variance, mask, PSF, HALF, x, y)
    return snr, noise.over_local_sky(data, mask, basin, SIGMA, x, y, snr, per_electron)


def test_noise_under_a_halo_stands_out_no_more_than_elsewhere(sky):
    data, x, y = sky
    snr, above = over_sky(data, x, y, np.full(SHAPE, -1, np.int32))
    weight = PSF.at(0, 0).sum() / np.sqrt(np.sum(PSF.at(0, 0) ** 2))
    inside = x > 160
    assert snr[inside].mean() == pytest.approx(6.0 / NOISE * weight, abs=0.3)  # 3.4 sigma for nothing
    weak = inside & (snr > 0)
    assert np.mean(above[weak] - snr[weak]) == pytest.approx(-6.0 / NOISE * weight, abs=0.1)
    assert above[weak].std() == pytest.approx(1.0, abs=0.15)
    weak = ~inside & (snr > 0)
    assert abs(np.mean(above[weak] - snr[weak])) < 0.1


def test_without_free_pixels_around_and_for_bright_peaks_all_stays(sky):
    data, x, y = sky
    crowded = np.zeros(SHAPE, np.int32)
    snr, above = over_sky(data, x, y, crowded)
    np.testing.assert_array_equal(snr, above)
    few = np.where(np.random.default_rng(1).random(SHAPE) < 0.05, -1, 0).astype(np.int32)  # 70 pixels in a ring
    snr, above = over_sky(data, x, y, few)
    np.testing.assert_array_equal(snr, above)
    bright = data.copy()
    bright[y[250] - 20 : y[250] + 21, x[250] - 20 : x[250] + 21] += 300.0
    snr, above = over_sky(bright, x[250:251], y[250:251], np.full(SHAPE, -1, np.int32))
    assert snr[0] > noise.RING_SNR
    np.testing.assert_array_equal(snr, above)


def test_masked_pixels_tell_nothing_of_the_sky(sky):
    data, x, y = sky
    spoilt, mask = data.copy(), np.zeros(SHAPE, np.int32)
    spoilt[::2], mask[::2] = 1e4, planes.SAT
    free = np.full(SHAPE, -1, np.int32)
    snr, per_electron = noise.local_snr(data, np.full(SHAPE, NOISE**2, np.float32), 0 * mask, PSF, HALF, x, y)
    above = noise.over_local_sky(spoilt, mask, free, SIGMA, x, y, snr, per_electron)
    whole = noise.over_local_sky(data, 0 * mask, free, SIGMA, x, y, snr, per_electron)
    assert np.abs(above - whole).max() < 1.0


def columns(**changed):
    """A saturated star in the middle, and sources at growing distances from it, of 5.5 sigma."""
    n = 5
    table = {
        "x": np.full(n, 500.0), "y": 500.0 + np.array([0.0, 40.0, 119.0, 121.0, 300.0]),
        "psf_flux": np.array([1e6, 55.0, 55.0, 55.0, 55.0]), "psf_flux_err": np.full(n, 10.0),
        "local_background": np.zeros(n), "n_child": np.zeros(n, np.int64),
        "flags": np.array([bits.word("saturated_center"), 0, 0, 0, 0]),
    }  # fmt: skip
    return table | {name: np.asarray(values) for name, values in changed.items()}


def test_faint_sources_near_a_saturated_star_are_doubtful():
    assert classify.doubtful(columns(), PSF).tolist() == [False, True, True, False, False]
    strong = columns(psf_flux=[1e6, 65.0, 65.0, 55.0, 55.0])
    assert not classify.doubtful(strong, PSF).any()
    assert not classify.doubtful(columns(flags=np.zeros(5, np.int64)), PSF).any()  # no star is saturated


def test_sources_that_stand_on_a_halo_are_doubtful_and_those_in_a_hole_not():
    area = 4 * np.pi * SIGMA**2
    on_halo = columns(psf_flux=[1e6, 65.0, 55.0, 55.0, 55.0], local_background=np.array([0, 8.0, -8.0, 0, 0]) / area)
    assert classify.doubtful(on_halo, PSF).tolist() == [False, True, False, False, False]


def test_what_was_not_measured_near_a_saturated_star_is_doubtful():
    assert classify.doubtful(columns(psf_flux=[1e6, np.nan, 65.0, np.nan, 55.0]), PSF).tolist() == [
        False, True, False, False, False,
    ]  # fmt: skip
    # a parent is no star by itself: its children are
    assert not classify.doubtful(columns(n_child=np.array([2, 0, 0, 0, 0])), PSF).any()
