"""calibrate's photometry: the true zero point comes back, outliers do not count, color terms are hscPipe's."""

import numpy as np
import pytest

from hscdb.calibrate import photometry
from hscdb.camera.color import find_term
from hscdb.camera.load import load
from hscdb.errors import ConfigError, DataError

CAMERA = load("hsc")


def njy(mag):
    return 3631e9 * 10 ** (-0.4 * np.asarray(mag))


def fluxes(**mags):
    return {band: (njy(mag), 0.01 * njy(mag)) for band, mag in mags.items()}


@pytest.mark.parametrize("seed", range(5))
def test_the_zero_point_comes_back_with_a_third_of_outliers(seed):
    rng = np.random.default_rng(seed)
    n = 150
    mag = rng.uniform(17, 21.5, n)
    error = rng.uniform(0.005, 0.04, n)
    counts = 10 ** (0.4 * (31.2 - mag - rng.normal(0, error)))
    counts[: n // 3] *= 10 ** rng.uniform(0.1, 0.8, n // 3)
    zero_point = photometry.solve(mag, error, counts, 0.001 * counts)
    assert abs(zero_point.mag - 31.2) < 4 * zero_point.mag_err + 0.004
    assert 0.5e-3 < zero_point.mag_err < 3e-3
    assert zero_point.is_used[: n // 3].mean() < 0.2
    assert zero_point.is_used[n // 3 :].mean() > 0.85
    np.testing.assert_allclose(zero_point.flux_mag0, 10 ** (0.4 * zero_point.mag))
    np.testing.assert_allclose(zero_point.flux_mag0_err / zero_point.flux_mag0, zero_point.mag_err / 1.0857, rtol=1e-4)


def test_the_error_of_the_zero_point_is_its_scatter():
    rng = np.random.default_rng(1)
    off, claimed = [], []
    for _ in range(200):
        error = rng.uniform(0.01, 0.05, 40)
        zero_point = photometry.solve(20 + rng.normal(0, np.hypot(error, 0.01)), error, np.full(40, 1e4), np.zeros(40))
        off.append(zero_point.mag - 30.0)
        claimed.append(zero_point.mag_err)
    assert 0.85 < np.std(off) / np.mean(claimed) < 1.25


def test_missing_and_negative_fluxes_do_not_count():
    mag = np.array([18.0, 18.0, 19.0, np.nan, 20.0, 18.5])
    counts = 10 ** (0.4 * (27.0 - mag))
    counts[4] = -5.0
    zero_point = photometry.solve(mag, np.full(6, 0.01), counts, np.full(6, np.nan))
    assert zero_point.is_used.tolist() == [True, True, True, False, False, True]
    np.testing.assert_allclose(zero_point.mag, 27.0, atol=1e-9)


def test_too_few_stars_are_told():
    with pytest.raises(DataError, match="needed 3") as caught:
        photometry.solve(np.array([18.0, np.nan, 18.0]), np.ones(3), np.ones(3), np.ones(3))
    assert caught.value.code == "too_few_stars"


def test_color_terms_are_those_of_hscpipe():
    term = find_term(CAMERA, "ps1_pv3_3pi_20170110", "HSC-R", "stack-current")
    mag, error = photometry.apply_term(fluxes(r=[19.0], i=[18.6]), term)
    np.testing.assert_allclose(mag, 19.0 - 0.000144 + 0.001369 * 0.4 - 0.008380 * 0.16, atol=1e-9)
    np.testing.assert_allclose(error, 0.010857 * np.hypot(1.001369, 0.001369), rtol=1e-3)
    assert find_term(CAMERA, "gaia_dr3", "HSC-R") is None
    assert find_term(CAMERA, "PS1_dr2", "HSC-I2").secondary_band == "z"


def test_cuts_keep_hscpipes_references():
    given = fluxes(
        g=[20.0, 20.0, 20.0, 23.5, np.nan], r=[19.5, 20.5, 19.0, 23.0, 19.0], i=[19.2, 20.0, 18.0, 22.8, 18.8]
    )
    cuts = ("g-r > 0", "r-i < 0.5", "i < 22")
    assert photometry.passes(given, cuts, 5).tolist() == [True, False, False, False, False]
    assert photometry.passes(fluxes(z=[19.0, 20.0]), cuts, 2).all()
    with pytest.raises(ConfigError, match="no cut"):
        photometry.passes(given, ("g minus r",), 5)
