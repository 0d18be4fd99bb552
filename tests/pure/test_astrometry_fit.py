"""calibrate's astrometry: the true WCS comes back through pointing errors, distortion, outliers and few stars."""

import numpy as np
import pytest

from hscdb.calibrate import astrometry
from hscdb.calibrate.astrometry import Detections, Limits
from hscdb.calibrate.reference import Places, propagate
from hscdb.camera.focalplane import initial_wcs, pixel_to_sky
from hscdb.camera.load import load
from hscdb.errors import DataError
from hscdb.sky import earth, sphere

CAMERA = load("hsc")


def frame(
    seed, n_star, *, ccd=0, ra=150.0, dec=2.0, wrong=(20.0, -15.0, 0.3, 0.4), noise_pix=0.02, ref_mas=5.0, outlier=0.0
):
    """A frame of a true pointing, and the first WCS of a wrong one (east, north [arcsec], turn [deg], scale [%]).

    Returns detections, places, flux of the references, start, size, true wcs of the geometry without its errors.
    """
    rng = np.random.default_rng(seed)
    chip = CAMERA.ccds[ccd]
    start = initial_wcs(CAMERA, chip, ra, dec, 30.0)
    east, north, turn, scale = wrong
    true_ra, true_dec = sphere.deproject(east / 3600, north / 3600, ra, dec)
    x, y = rng.uniform(-300, chip.width + 300, n_star), rng.uniform(-300, chip.height + 300, n_star)
    # The true sky: geometry at the true pointing, plus a scale error that the camera does not know about.
    xi, eta = sphere.project(*pixel_to_sky(CAMERA, chip, true_ra, true_dec, 30.0 + turn, x, y), true_ra, true_dec)
    star_ra, star_dec = sphere.deproject(xi * (1 + scale * 0.01), eta * (1 + scale * 0.01), true_ra, true_dec)
    flux = 10 ** rng.uniform(2, 5, n_star)
    inside = (x > 0) & (x < chip.width - 1) & (y > 0) & (y < chip.height - 1)
    n = inside.sum()
    found_x, found_y = x[inside] + rng.normal(0, noise_pix, n), y[inside] + rng.normal(0, noise_pix, n)
    bad = rng.uniform(size=n) < outlier
    found_x = found_x + np.where(bad, rng.normal(0, 1.0, n), 0.0)
    err = ref_mas / 3.6e6
    ref_ra = star_ra + rng.normal(0, err, n_star) / np.cos(np.radians(star_dec))
    ref_dec = star_dec + rng.normal(0, err, n_star)
    found = Detections(found_x, found_y, np.full(n, noise_pix), flux[inside])
    return (
        found,
        Places(ref_ra, ref_dec, np.full(n_star, ref_mas), np.arange(n_star) % 10 == 9),
        flux,
        start,
        (chip.width, chip.height),
        (x[inside], y[inside], star_ra[inside], star_dec[inside]),
    )


def error_mas(solution, truth):
    """Largest and rms error of the WCS on the true star places."""
    x, y, ra, dec = truth
    off = sphere.separation(*solution.wcs.pixel_to_sky(x, y), ra, dec) * 3.6e6
    return off.max(), np.sqrt(np.mean(off**2))


@pytest.mark.parametrize("ccd", [0, 49, 100])
@pytest.mark.parametrize("dec", [2.0, -89.2, 70.0])
def test_the_wcs_of_the_hsc_distortion_comes_back_to_a_milliarcsecond(ccd, dec):
    *given, truth = frame(ccd, 500, ccd=ccd, dec=dec, noise_pix=1e-4, ref_mas=0.02)
    solution = astrometry.solve(*given, Limits(floor_mas=0.1))
    assert solution.order == 3
    assert error_mas(solution, truth)[0] < 1.0
    assert solution.wcs.order >= 5


@pytest.mark.parametrize("seed", range(4))
def test_the_error_is_that_of_the_stars(seed):
    *given, truth = frame(seed, 250, ccd=30, ra=359.99)
    solution = astrometry.solve(*given, Limits())
    # 0.02 pix is 3.4 mas per axis, with the references' 5 mas: 6.0 per axis; ten of 150 stars' worth is in the fit.
    assert 4.5 < solution.rms_ra_mas < 7.5
    assert 4.5 < solution.rms_dec_mas < 7.5
    assert error_mas(solution, truth)[1] < 4.5


def test_a_turned_rotator_moves_the_outer_ccds_beyond_the_pointing_error():
    *given, truth = frame(1, 250, wrong=(30.0, 25.0, 1.1, 0.0))
    with pytest.raises(DataError):
        astrometry.solve(*given, Limits())
    chip = CAMERA.ccds[0]
    further = np.hypot(chip.u_pix, chip.v_pix) * np.radians(1.15)
    assert error_mas(astrometry.solve(*given, Limits(field_shift_pix=further)), truth)[1] < 4.5


def test_outliers_are_left_out():
    *given, truth = frame(7, 300, outlier=0.25)
    solution = astrometry.solve(*given, Limits())
    assert error_mas(solution, truth)[1] < 6.0
    assert solution.rms_mas < 12.0
    assert not solution.is_used.all()


@pytest.mark.parametrize(("n_star", "order"), [(420, 3), (110, 2), (22, 1)])
def test_the_order_falls_with_the_number_of_stars(n_star, order):
    *given, truth = frame(2, n_star, ccd=50)
    solution = astrometry.solve(*given, Limits())
    assert solution.order == order
    assert error_mas(solution, truth)[0] < 25.0


def test_stars_in_one_corner_do_not_bend_the_rest():
    found, *given, truth = frame(3, 900, ccd=50)
    here = (found.x < 900) & (found.y < 1500)
    cut = Detections(found.x[here], found.y[here], found.pix_err[here], found.flux[here])
    solution = astrometry.solve(cut, *given, Limits())
    assert solution.order < 2
    assert error_mas(solution, truth)[0] < 60.0


def test_every_pair_is_one_to_one_and_true():
    *given, _ = frame(4, 300)
    solution = astrometry.solve(*given, Limits())
    assert len(set(solution.ref)) == len(solution.ref) == len(set(solution.source))
    np.testing.assert_allclose(given[2][solution.ref], given[0].flux[solution.source])


@pytest.mark.parametrize(
    ("keep_source", "keep_ref", "code"),
    [(500, 0, "no_reference_stars"), (3, 500, "too_few_stars"), (500, 2, "too_few_stars")],
)
def test_too_little_is_told(keep_source, keep_ref, code):
    found, places, flux, *rest, _ = frame(5, 200)
    found = Detections(*(each[:keep_source] for each in (found.x, found.y, found.pix_err, found.flux)))
    places = Places(*(each[:keep_ref] for each in (places.ra, places.dec, places.mas_err, places.is_reserved)))
    with pytest.raises(DataError) as caught:
        astrometry.solve(found, places, flux[:keep_ref], *rest, Limits())
    assert caught.value.code == code


def test_strangers_do_not_match():
    found, places, flux, *rest, _ = frame(6, 200)
    ra, dec = sphere.offset(places.ra, places.dec, 40.0, 300 / 3600)
    with pytest.raises(DataError) as caught:
        astrometry.solve(found, Places(ra, dec, places.mas_err, places.is_reserved), flux, *rest, Limits())
    assert caught.value.code == "no_match"


def test_proper_motion_moves_stars_also_at_the_pole():
    ra, dec = np.array([10.0, 200.0, 45.0]), np.array([60.0, 89.99999, -30.0])
    none = np.full(3, np.nan)
    years = 10.0
    moved = propagate(
        ra,
        dec,
        60000.0 + years * 365.25,
        epoch_mjd=np.full(3, 60000.0),
        pm_ra_mas_yr=np.array([100.0, 0.0, np.nan]),
        pm_dec_mas_yr=np.array([0.0, 7200.0, np.nan]),
        parallax_mas=none,
        mas_err=np.ones(3),
        pm_mas_yr_err=np.array([0.2, 0.0, 0.0]),
    )
    np.testing.assert_allclose((moved.ra[0] - 10.0) * np.cos(np.radians(60.0)) * 3.6e6, 1000.0, rtol=1e-4)
    # 72 arcsec northward from 0.036 arcsec below the pole: over it and down the other side.
    assert abs(moved.ra[1] - 20.0) < 1e-6
    np.testing.assert_allclose((90.0 - moved.dec[1]) * 3600, 72.0 - 0.036, rtol=1e-5)
    np.testing.assert_allclose([moved.ra[2], moved.dec[2]], [45.0, -30.0], atol=1e-13)
    np.testing.assert_allclose(moved.mas_err, [np.hypot(1.0, 2.0), 1.0, 1.0])


def test_parallax_has_the_size_and_season_of_the_earths_orbit():
    none = np.full(1, np.nan)

    def at(mjd):
        return propagate(
            np.array([90.0]),
            np.array([0.0]),
            mjd,
            epoch_mjd=np.array([mjd]),
            pm_ra_mas_yr=none,
            pm_dec_mas_yr=none,
            parallax_mas=np.array([100.0]),
            mas_err=np.ones(1),
            pm_mas_yr_err=none,
        )

    # 2020-03-20: the Sun stands at RA 0, the Earth at RA 180: the star at RA 90 is seen nearer to the Sun.
    assert abs((at(58928.2).ra[0] - 90.0) * 3.6e6 + 100.0) < 2.0
    assert abs((at(58928.2 + 182.6).ra[0] - 90.0) * 3.6e6 - 100.0) < 2.5
    assert 0.982 < np.linalg.norm(earth.place(59000.0)) < 1.018
