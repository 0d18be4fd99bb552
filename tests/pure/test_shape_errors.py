"""Errors of shapes: for a Gaussian those of its least-squares fit, and pulls of stars and galaxies are 1 wide."""

import numpy as np
import pytest
from shape_stamps import ERROR, FLUX_ERROR, SIDE, drawn, told, width

from hscdb.detect.flux import kron


def test_errors_of_a_gaussian_on_the_sky_are_those_of_its_least_squares_fit():
    height, noise = 1000.0, 2.0
    j, i = np.indices((SIDE, SIDE)) - SIDE // 2
    dx, dy = i - 0.2, j + 0.3
    truth = np.array([6.0, 4.0, 1.0])

    def gaussian(shape):
        xx, yy, xy = shape
        return np.exp(-0.5 * (yy * dx**2 + xx * dy**2 - 2 * xy * dx * dy) / (xx * yy - xy**2))

    rows, flags = told(height * gaussian(truth)[None], np.full((1, SIDE, SIDE), noise**2))
    moved = [height * (gaussian(truth + 1e-4 * way) - gaussian(truth - 1e-4 * way)) / 2e-4 for way in np.eye(3)]
    fit = np.array([slope.ravel() for slope in (gaussian(truth), *moved)])
    covariance = np.linalg.inv(fit @ fit.T) * noise**2
    assert flags[0] == 0
    # 0.5 %: at this S/N of 2000 hardly anything of the fourth moments is the prior's
    assert rows[0, ERROR] == pytest.approx(np.sqrt(np.diag(covariance)[1:]), rel=5e-3)
    # flux = 2 pi height sqrt(det)
    xx, yy, xy = truth
    root = np.sqrt(xx * yy - xy**2)
    slope = 2 * np.pi * np.array([root, *(height / (2 * root) * np.array([yy, xx, -2 * xy]))])
    assert rows[0, FLUX_ERROR[0]] == pytest.approx(np.sqrt(slope @ covariance @ slope), rel=5e-3)


@pytest.mark.parametrize(("kind", "snr"), [
    ("star", 7), ("star", 15), ("star", 60), ("star", 400), ("exponential", 20), ("exponential", 100),
    ("broad", 100), ("de Vaucouleurs", 100), ("de Vaucouleurs", 400),
])  # fmt: skip
def test_pulls_of_shapes_and_of_the_fluxes_that_hang_on_them_are_one_wide(kind, snr):
    pulls, flags = drawn(kind, snr, 900)
    assert (flags != 0).mean() < 0.02
    assert width(pulls) == pytest.approx(np.ones(5), abs=0.12)  # a width of 900 is known to 4 %


def test_photons_of_the_source_itself_count():
    pulls, _ = drawn("star", 300, 900, sky=20.0)
    assert width(pulls) == pytest.approx(np.ones(5), abs=0.12)


def test_a_flux_whose_aperture_is_larger_than_the_image_has_the_error_of_a_given_radius():
    n, result = 15, np.empty(3)
    j, i = np.indices((n, n)) - n // 2
    light = (5.0 + 1000.0 * np.exp(-0.5 * (i**2 + j**2) / 25.0)).astype(np.float32)
    assert kron(light, np.full((n, n), 9.0, np.float32), n // 2 + 0.0, n // 2 + 0.0, 25.0, 25.0, 0.0, 2.0, result)
    assert result[0] == pytest.approx(light.sum(), rel=1e-5)
    assert result[1] == pytest.approx(3.0 * n, rel=1e-5)


def test_a_shape_that_is_none_has_no_error_and_its_flux_that_of_a_given_one():
    stamp = np.zeros((1, SIDE, SIDE))
    stamp[0, SIDE // 2, SIDE // 2] = 100.0
    rows, flags = told(stamp, np.full((1, SIDE, SIDE), 9.0))
    assert flags[0] != 0
    assert np.isnan(rows[0, ERROR]).all()
    # 2 sqrt(sum w^2 V), w = exp(-rho^2 / 2)
    assert rows[0, FLUX_ERROR[0]] == pytest.approx(2 * 3 * np.sqrt(np.pi * np.sqrt(3.6 * 3.4)), rel=0.01)
