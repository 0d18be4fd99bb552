"""Fields as they come: crowded, nearly empty, short, long, in good and bad seeing, spoilt in parts: all give rows."""

import numpy as np
import pytest
import starfield
from scipy.spatial import cKDTree

from hscdb.detect import frame
from hscdb.image import mask
from hscdb.image.moments import stamp_moments

SHAPE = (640, 640)
PIXEL_DEG2 = (0.168 / 3600) ** 2


def found_part(field, measured, snr_min, fwhm, where=None):
    """Part of the true sources above S/N snr_min (where) that have a detection within half the seeing."""
    chosen = field.flux > snr_min * starfield.noise_flux(fwhm, field.sky)
    chosen &= True if where is None else where
    places = np.stack([measured.columns["x"], measured.columns["y"]], axis=1)
    apart, _ = cKDTree(places).query(np.stack([field.x, field.y], axis=1)[chosen])
    return (apart < 0.5 * fwhm).mean()


@pytest.mark.parametrize(("per_deg2", "part"), [(6e4, 0.95), (5e5, 0.88)])
def test_crowded_fields_are_taken_apart(per_deg2, part):
    n = int(per_deg2 * SHAPE[0] * SHAPE[1] * PIXEL_DEG2)
    field = starfield.crowd(SHAPE, n, 20, seed=3, snr_min=5)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert measured.psf.model in ("pixel", "constant")
    assert found_part(field, measured, 20, 3.9) > part
    distance, _ = cKDTree(np.stack([field.x, field.y], 1)).query(
        np.stack([measured.columns["x"], measured.columns["y"]], 1)
    )
    assert (distance > 5).mean() < 0.03


@pytest.mark.parametrize(("arcsec", "sky"), [(0.4, 3000.0), (1.5, 3000.0), (0.7, 30.0), (0.7, 20000.0)])
def test_seeing_and_exposures_of_all_kinds_are_measured(arcsec, sky):
    fwhm = arcsec / 0.168
    field = starfield.grid(SHAPE, 64, (15, 400), fwhm=fwhm, sky=sky, seed=4)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert found_part(field, measured, 15, fwhm) > 0.97
    one = np.array([25.0])
    true = starfield.make((51, 51), one, one, [1.0], [True], fwhm=fwhm, is_varying=False).model
    ixx, iyy = stamp_moments(true[None], fwhm / 2.3548)[0, 2:4]
    assert measured.psf.sigma(320, 320)[0] == pytest.approx((ixx * iyy) ** 0.25, rel=0.04)
    assert np.isfinite(measured.columns["psf_flux"]).mean() > 0.95


def test_a_storm_of_cosmic_rays_leaves_rows_too():
    field = starfield.grid(SHAPE, 64, (30, 400), seed=5)
    rng = np.random.default_rng(5)
    hit = rng.integers(0, SHAPE[0], (2, 25_000))  # 6 % of the pixels: none is further than a footprint from one
    field.image.data[hit[0], hit[1]] += rng.uniform(1000.0, 20_000.0, 25_000).astype(np.float32)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert abs(measured.background.level - 3100) < 200
    assert found_part(field, measured, 100, 3.9) > 0.5


def test_twelve_stars_are_enough_for_a_psf_and_none_are_no_error():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(30, 610, (2, 12))
    field = starfield.make(SHAPE, x, y, np.full(12, 5e4), np.ones(12, bool), seed=2)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert measured.psf.model in ("constant", "pixel")
    assert measured.psf.order <= 1
    assert found_part(field, measured, 10, 3.9) == 1.0
    empty = frame.characterize(starfield.make(SHAPE, [], [], [], [], seed=2).image, frame.Limits(), 1)
    assert empty.psf.model == "gaussian"


@pytest.mark.parametrize(("bit", "value"), [(mask.BAD, 0.0), (mask.NO_DATA, np.nan)])
def test_a_dead_amplifier_or_a_dark_half_leaves_the_rest(bit, value):
    field = starfield.grid(SHAPE, 40, (20, 300), seed=6)
    width = 160 if bit == mask.BAD else 320
    field.image.data[:, :width] = value
    field.image.mask[:, :width] |= bit
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert found_part(field, measured, 20, 3.9, field.x > width + 8) > 0.97
    assert not (measured.columns["x"] < width - 3).any()
    near = measured.columns["x"] > width + 15
    x, y = measured.columns["x"][near], measured.columns["y"][near]
    apart, k = cKDTree(np.stack([field.x, field.y], 1)).query(np.stack([x, y], 1))
    ratio = measured.columns["psf_flux"][near][apart < 1] / field.flux[k[apart < 1]]
    assert 1.4826 * np.median(np.abs(ratio - np.median(ratio))) < 0.04
