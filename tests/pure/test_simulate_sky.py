"""The simulated sky and its way to the pixels: populations, motions, geometry, profiles, reference catalogs."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.camera import focalplane, load
from hscdb.errors import ConfigError
from hscdb.simulate import electronics, epoch, exposure, frame, population, psf, refcat, render, truth
from hscdb.simulate.optics import Optics
from hscdb.simulate.setup import Setup
from hscdb.simulate.turbulence import displacement
from hscdb.sky import sphere

TOY = Setup(camera="toy")
PERFECT = Setup(
    camera="toy", pointing_err_arcsec=0.0, rotation_err_deg=0.0, scale_err=0.0, distortion_arcsec=0.0,
    turbulence_mas=0.0, ccd_shift_pix=0.0, ccd_rotation_rad=0.0, transparency_mag=0.0,
)  # fmt: skip


@pytest.mark.parametrize(("ra", "dec"), [(0.02, 0.0), (359.99, -45.0), (120.0, 89.95), (10.0, -90.0), (200.0, 30.0)])
def test_a_cone_holds_all_that_lies_in_it(ra: float, dec: float) -> None:
    setup = Setup(galaxy_density=0.0, star_density=20.0, double_fraction=0.0)
    inner = population.cone_objects(setup, ra, dec, 0.08)
    outer = population.cone_objects(setup, ra, dec, 0.5)
    near = outer[sphere.separation(ra, dec, outer["ra"], outer["dec"]) < 0.08]
    assert sorted(near["star_id"]) == sorted(inner["star_id"])
    assert len(np.unique(outer["star_id"])) == len(outer)
    # uniform: as many per area in the small cone as in the large one
    expected = len(outer) * 0.08**2 / 0.5**2
    assert len(inner) == pytest.approx(expected, abs=5.0 * np.sqrt(expected))
    assert ((outer["ra"] >= 0.0) & (outer["ra"] < 360.0)).all()


def test_counts_and_colors_are_those_of_the_sky() -> None:
    found = population.cone_objects(Setup(star_density=1.0), 150.0, 2.0, 0.6)
    area = np.pi * 0.6**2
    stars, galaxies = found[~found["is_galaxy"]], found[found["is_galaxy"]]
    assert 1500 < (stars["mag_gaia_g"] < 20.7).sum() / area < 3500  # Gaia at high latitude
    assert 12 < (galaxies["mag_r"] < 25).sum() / area / 3600 < 35  # per square arcmin
    dwarf = stars["mag_r"] - stars["mag_i"] > 1.0
    assert np.median((stars["mag_g"] - stars["mag_r"])[dwarf]) == pytest.approx(1.21, abs=0.03)
    assert 0.1 < dwarf.mean() < 0.6
    assert found["is_variable"].sum() / len(stars) == pytest.approx(0.02, abs=0.008)
    pairs = found[found["companion_of"] >= 0]
    first = {one["star_id"]: one for one in found}
    for one in pairs[:50]:
        if one["companion_of"] in first:
            main = first[one["companion_of"]]
            assert 0.29 < 3600 * sphere.separation(main["ra"], main["dec"], one["ra"], one["dec"]) < 3.01
            assert one["mag_r"] >= main["mag_r"]


def test_stars_move_by_proper_motion_and_parallax() -> None:
    star = np.zeros(1, population.OBJECT)
    star["ra"], star["dec"], star["pmra_mas_yr"], star["pmdec_mas_yr"] = 0.00001, 60.0, -500.0, 300.0
    ra, dec = epoch.apparent(star, 57388.5 + 3652.5)
    xi, eta = sphere.project(ra, dec, star["ra"], star["dec"])
    assert 3.6e6 * np.array([xi[0], eta[0]]) == pytest.approx([-5000.0, 3000.0], abs=0.2)
    assert ra[0] > 359.99
    # A parallax of 1 arcsec at the ecliptic pole is a circle of 1 arcsec (0.983 to 1.017 au).
    star = np.zeros(1, population.OBJECT)
    star["ra"], star["dec"], star["parallax_mas"] = 270.0, 66.56, 1000.0
    away = [
        3600 * sphere.separation(*epoch.apparent(star, 57388.5 + day), 270.0, 66.56)[0] for day in range(0, 365, 30)
    ]
    assert min(away) > 0.97
    assert max(away) < 1.03


def test_without_errors_pixels_are_those_of_the_camera() -> None:
    for name, numbers in (("toy", (0, 3)), ("hsc", (50, 0, 100))):
        setup = replace(PERFECT, camera=name, rotation_deg=30.0)
        camera = load.load(name)
        one = exposure.exposures(setup, camera)[0]
        for number in numbers:
            ccd = camera.ccds[number]
            x, y = np.meshgrid(np.linspace(0, ccd.width, 5), np.linspace(0, ccd.height, 5))
            sky = focalplane.pixel_to_sky(camera, ccd, one.ra, one.dec, one.pa_deg, x.ravel(), y.ravel())
            back = Optics(setup, camera).sky_to_pixel(one, ccd, *sky)
            assert np.abs(back[0] - x.ravel()).max() < 1e-6
            assert np.abs(back[1] - y.ravel()).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("pointing_err_arcsec", 0.5, 60.0), ("rotation_err_deg", 0.001, 5.0), ("distortion_arcsec", 1e-3, 2.0),
     ("turbulence_mas", 0.005, 0.2), ("ccd_shift_pix", 0.05, 5.0), ("scale_err", 1e-4, 0.5)],
)  # fmt: skip
def test_each_error_moves_the_stars(name: str, low: float, high: float) -> None:
    camera = load.load("toy")
    setup = replace(PERFECT, **{name: getattr(Setup(), name)})
    ccd = camera.ccds[3]
    x, y = (axis.ravel() for axis in np.mgrid[0:512:64.0, 0:512:64.0])
    one = exposure.exposures(setup, camera)[0]
    sky = focalplane.pixel_to_sky(camera, ccd, one.ra, one.dec, one.pa_deg, x, y)
    moved = np.hypot(*(new - old for new, old in zip(Optics(setup, camera).sky_to_pixel(one, ccd, *sky), (x, y))))
    assert low < moved.max() < high


def test_turbulence_has_its_rms_and_no_curl() -> None:
    setup = Setup(turbulence_mas=5.0, turbulence_scale_arcmin=8.0)
    axis = np.arange(-2700.0, 2700.0, 60.0)
    x, y = (one.ravel() for one in np.meshgrid(axis, axis))
    fields = [displacement(setup, visit, x, y) for visit in range(6)]
    assert 1000 * np.sqrt(np.mean(np.square(fields))) == pytest.approx(5.0, rel=0.1)
    # Neighbours 1 arcmin apart move together, those 8 arcmin apart by half, those a degree apart not at all.
    d = np.array(fields).reshape(6, 2, len(axis), -1)
    variance = (d**2).mean()
    for step, low, high in ((1, 0.85, 1.0), (8, 0.3, 0.65), (60, -0.2, 0.2)):
        assert low < (d[..., step:] * d[..., :-step]).mean() / variance < high
    h = 1.0
    left, right = (displacement(setup, 1, x + side, y)[1] for side in (-h, h))
    below, above = (displacement(setup, 1, x, y + side)[0] for side in (-h, h))
    curl, size = (right - left) - (above - below), np.abs(right - left).mean()
    assert np.abs(curl).max() < 1e-3 * size


def test_pixel_areas_follow_the_known_table_of_hsc() -> None:
    r = np.array([0.0, 3000.0, 9000.0, 15000.0, 17500.0])
    area = Optics(Setup(), load.load("hsc")).pixel_area(r, np.zeros(5))
    rho = np.radians(np.array([0.0, 503.41, 1498.56, 2456.11, 2835.35]) / 3600.0)
    known = np.array([0.9996, 0.9958, 0.9647, 0.8968, 0.8523]) / 0.9996 * (1.0 + rho**2) ** -1.5
    assert area == pytest.approx(known, abs=3e-4)


def test_profiles_hold_their_flux_and_half_light() -> None:
    image = np.zeros((401, 401), np.float32)
    center, flux = np.array([200.3]), np.array([1e6])
    shapes = psf.shapes(4.0, np.zeros((3, 6)), np.zeros(1), np.zeros(1), 0.0)
    render.add_stars(image, center, center, flux, shapes, 0.01)
    assert image.sum() == pytest.approx(1e6, rel=2e-3)
    peaked = np.zeros((401, 401), np.float32)
    render.add_stars(peaked, np.array([200.0]), np.array([200.0]), flux, shapes, 0.01)
    assert peaked[200, 202] == pytest.approx(0.5 * peaked[200, 200], rel=1e-3)  # FWHM 4 pix
    radius = np.hypot(*(np.indices(image.shape) - 200.3))
    for is_spheroid in (False, True):
        galaxy = np.zeros((401, 401), np.float32)
        half_light = 12.0
        render.add_galaxies(
            galaxy, center, center, flux, shapes, half_light**2 * np.eye(2)[None], np.array([is_spheroid]), 0.003
        )
        assert galaxy.sum() == pytest.approx(1e6, rel=0.01)
        order = np.argsort(radius.ravel())
        grown = np.cumsum(galaxy.ravel()[order]) / galaxy.sum()
        assert radius.ravel()[order][np.searchsorted(grown, 0.5)] == pytest.approx(half_light, rel=0.08)


def test_gaussians_stand_for_the_profile() -> None:
    share, scale = psf.gaussians()
    q = np.array([0.0, 0.5, 1.0, 3.0])
    profile = 2.0 / np.pi * (1.0 + q) ** -3
    mixture = sum(a / (2.0 * np.pi * s) * np.exp(-q / (2.0 * s)) for a, s in zip(share, scale))
    assert mixture == pytest.approx(profile, rel=0.15)
    assert share.sum() == pytest.approx(1.0)


def test_magnitudes_go_through_the_color_terms() -> None:
    camera = load.load("hsc")
    star = np.zeros(1, population.OBJECT)
    for band, mag in zip("grizy", (21.0, 20.2, 19.8, 19.6, 19.5)):
        star[f"mag_{band}"] = mag
    chosen = exposure.find_filter(camera, "HSC-I")
    (term,) = (one for one in camera.color_terms if (one.color_term_set, one.filter) == (camera.color_term_set, "HSC-I")
               and one.refcat_glob == "ps1*")  # fmt: skip
    expected = 19.8 + term.c0 + term.c1 * 0.2 + term.c2 * 0.04
    assert truth.filter_mag(camera, chosen, star)[0] == pytest.approx(expected, abs=1e-9)
    assert term.c1 < -0.1


def test_catalog_errors_are_as_large_as_they_say() -> None:
    setup = Setup(star_density=10.0, galaxy_density=0.2, ra=0.0, dec=0.0)
    objects = np.sort(population.cone_objects(setup, 0.0, 0.0, 0.4), order="star_id")
    objects = objects[np.isin(objects["companion_of"], objects["star_id"]) | (objects["companion_of"] < 0)]
    by_id = {one: i for i, one in enumerate(objects["star_id"])}
    gaia = refcat.gaia(setup, objects)
    star = objects[[by_id[one - 2_000_000_000_000_000_000] for one in gaia["source_id"]]]
    assert not star["is_galaxy"].any()
    xi, eta = sphere.project(gaia["ra"], gaia["dec"], star["ra"], star["dec"])
    for pull in (
        3.6e6 * xi / gaia["ra_error"],
        3.6e6 * eta / gaia["dec_error"],
        (gaia["parallax"] - star["parallax_mas"]) / gaia["parallax_error"],
        (gaia["pmra"] - star["pmra_mas_yr"]) / gaia["pmra_error"],
    ):
        pull = pull[np.isfinite(pull)]
        assert len(pull) > 5000
        assert np.std(pull) == pytest.approx(1.0, abs=0.05)
        assert abs(np.mean(pull)) < 0.05
    faint = gaia["phot_g_mean_mag"] > 20
    assert 0.01 < np.isnan(gaia["pmra"][faint]).mean() < 0.5
    assert not np.isnan(gaia["pmra"][gaia["phot_g_mean_mag"] < 19]).any()
    assert np.median(gaia["ra_error"][np.abs(gaia["phot_g_mean_mag"] - 20) < 0.1]) == pytest.approx(0.42, rel=0.15)
    ps1 = refcat.ps1(setup, objects)
    same = objects[[by_id[one - 100_000_000_000_000_000] for one in ps1["objID"]]]
    years = (ps1["Epoch"] - 57388.5) / 365.25
    xi, _ = sphere.project(ps1["RAJ2000"], ps1["DEJ2000"], same["ra"], same["dec"])
    pull = (3600.0 * xi - years * same["pmra_mas_yr"] / 1000.0) / ps1["e_RAJ2000"]
    assert np.std(pull) == pytest.approx(1.0, abs=0.05)
    assert np.abs(years * same["pmra_mas_yr"]).max() > 50.0
    pull = ((ps1["rmag"] - same["mag_r"]) / ps1["e_rmag"])[~same["is_galaxy"] & np.isfinite(ps1["rmag"])]
    assert np.std(pull) == pytest.approx(1.0, abs=0.05)
    assert np.nanmin(ps1["e_rmag"]) == pytest.approx(0.006, abs=0.001)


def test_the_truth_table_holds_every_source_of_the_frames() -> None:
    setup = replace(TOY, n_visit=2, star_density=10.0, n_bias=0, n_dark=0, n_flat=0)
    camera = load.load("toy")
    planned = exposure.exposures(setup, camera)
    objects = frame.objects_of(setup, planned, [1, 2])
    for one in planned:
        for ccd in (1, 2):
            _, sources = frame.make(setup, one, ccd)
            assert len(sources) > 10
            assert np.isin(sources["star_id"], objects["star_id"]).all()


def test_visits_are_dithered_and_even_and_in_order() -> None:
    camera = load.load("hsc")
    planned = exposure.exposures(Setup(n_visit=6, filters=("HSC-G", "HSC-I2"), span_d=100.0), camera)
    science = [one for one in planned if one.kind == "science"]
    assert [one.filter for one in science] == ["HSC-G"] * 6 + ["HSC-I2"] * 6
    assert [one.kind for one in planned[12:]] == ["bias"] * 5 + ["dark"] * 3 + ["flat"] * 10
    assert all(one.visit % 2 == 0 for one in planned)
    assert len({one.visit for one in planned}) == len(planned)
    apart = [3600 * sphere.separation(320.75, 0.5, one.ra, one.dec) for one in science[:6]]
    assert apart[0] == pytest.approx(0.0, abs=1e-6)
    assert max(apart) == pytest.approx(0.45 * 2048 * 0.168, rel=0.01)
    assert science[5].start_mjd - science[0].start_mjd == pytest.approx(100.0, abs=0.1)
    assert all(one.start_mjd < science[0].start_mjd for one in planned[12:])


def test_a_camera_of_stacked_amplifiers_is_refused() -> None:
    camera = load.load("toy")
    ccd = camera.ccds[0]
    low, high = ccd.amplifiers
    odd = replace(ccd, amplifiers=(low, replace(high, box=replace(high.box, y0=3))))
    broken = replace(camera, ccds={0: odd})
    one = exposure.Exposure(2, "bias", "HSC-R", 56598.0, 0.0, 0.0, 0.0)
    with pytest.raises(ConfigError, match="amplifiers of one size"):
        electronics.read_out(TOY, broken, odd, one, np.zeros((512, 512), np.float32), 0.0)
