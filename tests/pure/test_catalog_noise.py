"""Errors of catalogs that tell only the scatter of the sky, against photometry of simulated noise."""

import numpy as np

from hscdb.ingest.measures import Noise


def test_the_error_of_an_aperture_is_its_scatter_over_empty_sky():
    rng, side, n = np.random.default_rng(3), 30, 3000
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    radius = np.hypot(x, y)
    aperture, ring = radius < 6.0, (radius > 10.0) & (radius < 14.0)
    sky = rng.normal(150.0, 12.0, (n, side, side))
    counts = sky[:, aperture].sum(axis=1) - aperture.sum() * np.median(sky[:, ring], axis=1)
    given = Noise(1.0, None).error(np.zeros(1), np.full(1, 12.0), {"radius_pix": 6.0, "ring_pix": [10.0, 14.0]})
    assert abs(np.std(counts) / given[0] - 1.0) < 0.04


def test_the_error_of_a_psf_fit_is_its_scatter_over_sky_and_photons():
    rng, side, n, fwhm = np.random.default_rng(4), 25, 3000, 4.0
    y, x = np.mgrid[:side, :side] - side // 2
    psf = np.exp(-0.5 * (x**2 + y**2) / (fwhm / 2.355) ** 2)
    psf /= psf.sum()
    noise = Noise(1.0, fwhm)
    for flux, sky in ((500.0, 160.0), (3.0e5, 10.0)):
        image = rng.poisson(flux * psf + sky, (n, side, side)) - sky
        weight = psf / (flux * psf + sky)
        fitted = (image * weight).sum(axis=(1, 2)) / (psf * weight).sum()
        given = noise.error(np.full(1, flux), np.full(1, np.sqrt(sky)), {})
        # the sum of two variances is a little above the best fit's where neither rules
        assert 0.97 < given[0] / np.std(fitted) < 1.12
