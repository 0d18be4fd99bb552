"""calibrate on frames of the HSC geometry: truth recovered, rows and files written, every lack told."""

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import text

from hscdb.calibrate import astrometry, stage
from hscdb.calibrate import rows as calibrate_rows
from hscdb.camera.color import find_term
from hscdb.camera.focalplane import initial_wcs, pixel_to_sky, sky_to_pixel
from hscdb.camera.load import load
from hscdb.db import copy, partition
from hscdb.errors import DataError, InputError
from hscdb.fits import product
from hscdb.fits.header import wcs_cards, wcs_from_header
from hscdb.image import flags, mask
from hscdb.image.plane import Image
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

CAMERA = load("hsc")
VISIT, CCD, MJD, ZERO = 903334, 49, 56460.5, 31.05


class Files:
    """Products in one folder."""

    def __init__(self, folder):
        self.folder = folder

    def find(self, dataset, **ids):
        return self.folder / dataset

    def exists(self, dataset, **ids):
        return self.find(dataset).exists()

    @contextmanager
    def writing(self, dataset, **ids):
        temporary = self.folder / f"new-{dataset}"
        yield temporary
        temporary.replace(self.folder / dataset)


def sky(seed=1, n_star=260):
    """Stars around the CCD: place at the visit's epoch, true pixel, magnitudes."""
    rng = np.random.default_rng(seed)
    chip = CAMERA.ccds[CCD]
    x, y = rng.uniform(-290, chip.width + 290, n_star), rng.uniform(-290, chip.height + 290, n_star)
    ra, dec = pixel_to_sky(CAMERA, chip, 320.71, -0.402, 12.2, x, y)
    mag = rng.uniform(18, 22, n_star)
    color = rng.uniform(0.2, 1.2, n_star)
    return SimpleNamespace(x=x, y=y, ra=ra, dec=dec, r=mag, i=mag - 0.35 * color, g=mag + color, rng=rng)


def world(connection, stars, *, zero=ZERO, keep=slice(None), off_deg=(25 / 3600, -20 / 3600), rotator_deg=12.5):
    """Visit and sources of detect; the header's pointing is 30" and 0.3 deg off. Returns run_id, rows, their stars."""
    run_id = connection.execute(
        text(
            "INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('w', '{}', '', '')"
            " RETURNING run_id"
        )
    ).scalar_one()
    connection.execute(text("INSERT INTO filter VALUES ('HSC-R', 'r', 620)"))
    connection.execute(text("INSERT INTO ccd VALUES (:c, '49', 'science', true, 2048, 4176, 0, 0, 0, 0)"), {"c": CCD})
    ra, dec = sphere.deproject(*off_deg, 320.71, -0.402)
    connection.execute(
        text(
            "INSERT INTO visit (visit, data_type, filter, obs_mjd, exposure_s, ra, dec, rotator_deg)"
            " VALUES (:v, 'science', 'HSC-R', :m, 30, :a, :d, :r)"
        ),
        {"v": VISIT, "m": MJD, "a": float(ra), "d": float(dec), "r": rotator_deg},
    )
    partition.ensure(connection, run_id, [VISIT])
    task = new_task(connection, run_id, "detect")
    chip = CAMERA.ccds[CCD]
    inside = np.flatnonzero((stars.x > 0) & (stars.x < chip.width - 1) & (stars.y > 0) & (stars.y < chip.height - 1))[
        keep
    ]
    # the color term of the camera for PS1: what the filter sees of a star
    term = find_term(CAMERA, "ps1_pv3", "HSC-R")
    c = (stars.r - stars.i)[inside]
    flux = 10 ** (0.4 * (zero - stars.r[inside] - term.c0 - term.c1 * c - term.c2 * c**2))
    n_false = len(inside) // 2
    n = len(inside) + n_false
    names = ["run_id", "task_id", "visit", "ccd", "source_id", "n_child", "n_pixel", "flags"]
    floats = [
        "x_pix",
        "y_pix",
        "x_pix_err",
        "y_pix_err",
        "x_y_pix2_cov",
        "psf_flux_e",
        "psf_flux_e_err",
        "aper_12_0_flux_e",
        "aper_12_0_flux_e_err",
        "extendedness",
    ]
    rows = np.zeros(n, [(name, "i8") for name in names] + [(name, "f8") for name in floats])
    rows["run_id"], rows["task_id"], rows["visit"], rows["ccd"] = run_id, task, VISIT, CCD
    rows["source_id"] = ((VISIT * 200 + CCD) << 32) + np.arange(1, n + 1)
    rng = stars.rng
    rows["x_pix"] = np.concatenate([stars.x[inside], rng.uniform(0, chip.width, n_false)]) + rng.normal(0, 0.01, n)
    rows["y_pix"] = np.concatenate([stars.y[inside], rng.uniform(0, chip.height, n_false)]) + rng.normal(0, 0.01, n)
    rows["x_pix_err"] = rows["y_pix_err"] = 0.01
    rows["psf_flux_e"] = np.concatenate([flux, 10 ** rng.uniform(4, 5, n_false)])
    rows["aper_12_0_flux_e"] = rows["psf_flux_e"] * (1 + rng.normal(0, 0.004, n))
    rows["psf_flux_e_err"] = rows["aper_12_0_flux_e_err"] = 0.004 * rows["psf_flux_e"]
    copy.write(connection, "source", rows)
    return run_id, rows, inside


def new_task(connection, run_id, name):
    return connection.execute(
        text(
            "INSERT INTO task (run_id, stage, data_id, visit, ccd, status)"
            " VALUES (:r, :s, 'f', :v, :c, 'done') RETURNING task_id"
        ),
        {"r": run_id, "s": name, "v": VISIT, "c": CCD},
    ).scalar_one()


def refcats(connection, stars, names=("gaia_dr3", "ps1_pv3")):
    """Gaia at 2016 with proper motions, PS1 with magnitudes only."""
    n = len(stars.ra)
    motion = stars.rng.normal(0, 30, (2, n))
    years = (57388.5 - MJD) / 365.25
    for name in names:
        is_gaia = name.startswith("gaia")
        bands = {"G": stars.g - 0.3} if is_gaia else {"g": stars.g, "r": stars.r, "i": stars.i}
        catalog = connection.execute(
            text("INSERT INTO ref_catalog (name, preset, bands) VALUES (:n, :p, :b) RETURNING ref_catalog_id"),
            {"n": name, "p": name[:4] if is_gaia else "ps1", "b": list(bands)},
        ).scalar_one()
        rows = np.zeros(
            n,
            [("ref_catalog_id", "i8"), ("ref_id", "i8")]
            + [
                (c, "f8")
                for c in ("ra", "dec", "ra_mas_err", "dec_mas_err", "epoch_mjd", "pm_ra_mas_yr", "pm_dec_mas_yr")
            ],
        )
        rows["ref_catalog_id"], rows["ref_id"] = catalog, np.arange(1, n + 1) * 7
        rows["ra"], rows["dec"] = stars.ra, stars.dec
        rows["ra_mas_err"] = rows["dec_mas_err"] = 1.0 if is_gaia else 30.0
        rows["epoch_mjd"], rows["pm_ra_mas_yr"], rows["pm_dec_mas_yr"] = np.nan, np.nan, np.nan
        if is_gaia:
            rows["ra"] += motion[0] * years / 3.6e6 / np.cos(np.radians(stars.dec))
            rows["dec"] += motion[1] * years / 3.6e6
            rows["epoch_mjd"], rows["pm_ra_mas_yr"], rows["pm_dec_mas_yr"] = 57388.5, *motion
        copy.write(connection, "ref_star", rows)
        for band, mag in bands.items():
            flux = np.zeros(
                n,
                [("ref_catalog_id", "i8"), ("ref_id", "i8"), ("band", "O"), ("flux_njy", "f8"), ("flux_njy_err", "f8")],
            )
            flux["ref_catalog_id"], flux["ref_id"], flux["band"] = catalog, rows["ref_id"], band
            flux["flux_njy"] = 3631e9 * 10 ** (-0.4 * (mag + stars.rng.normal(0, 0.005, n)))
            flux["flux_njy_err"] = 0.005 * flux["flux_njy"]
            copy.write(connection, "ref_flux", flux)


def calibrate(connection, run_id, folder, carry=None, camera=CAMERA, **settings):
    """Run the stage; returns funnel and task_id."""
    task = new_task(connection, run_id, "calibrate")
    work = SimpleNamespace(
        connection=connection,
        run_id=run_id,
        task_id=task,
        unit={"visit": VISIT, "ccd": CCD},
        camera=camera,
        files=Files(folder),
        carry=carry or {},
    )
    return stage.run(work, stage.Config(**settings)), task


def forget(connection):
    """Delete what calibrate has stored."""
    for table in ("source_sky", "wcs_solution", "flux_scale", "source_ref"):
        connection.execute(text(f"DELETE FROM {table}"))
    connection.execute(text("DELETE FROM task WHERE stage = 'calibrate'"))


def only(connection, table):
    """The only row; arrays of wcs_solution as lists."""
    arrays = ", CAST(sip_a AS float8[]) AS a, CAST(sip_b AS float8[]) AS b" if table == "wcs_solution" else ""
    (row,) = connection.execute(text(f"SELECT *{arrays} FROM {table}")).all()
    return row


def test_wcs_and_zero_point_of_a_frame_come_back(connection, tmp_path):
    stars = sky()
    run_id, _, inside = world(connection, stars)
    refcats(connection, stars)
    funnel, task = calibrate(connection, run_id, tmp_path)
    found = only(connection, "wcs_solution")
    wcs = Wcs.from_flat(
        (found.crval1_deg, found.crval2_deg),
        (found.crpix1_pix, found.crpix2_pix),
        [found.cd1_1_deg, found.cd1_2_deg, found.cd2_1_deg, found.cd2_2_deg],
        found.sip_order,
        found.a,
        found.b,
    )
    off = sphere.separation(*wcs.pixel_to_sky(stars.x[inside], stars.y[inside]), stars.ra[inside], stars.dec[inside])
    assert np.sqrt(np.mean(off**2)) * 3.6e6 < 1.0
    assert (found.task_id, found.stage, found.status, found.tract) == (task, "calibrate", "solved", None)
    assert 1.0 < found.rms_mas < 4.0
    scale = only(connection, "flux_scale")
    assert abs(2.5 * np.log10(scale.flux_mag0_e) - ZERO) < 0.005
    assert scale.status == "solved"
    pairs = connection.execute(
        text(
            "SELECT p.is_used, star_lot(r.ra, r.dec) < 100 AS is_reserved FROM source_ref AS p"
            " JOIN ref_star AS r USING (ref_catalog_id, ref_id) JOIN ref_catalog AS c USING (ref_catalog_id)"
            " WHERE p.task_id = :task AND c.preset = 'gaia'"
        ),
        {"task": task},
    ).all()
    assert not any(pair.is_used for pair in pairs if pair.is_reserved)
    free = [pair.is_used for pair in pairs if not pair.is_reserved]
    assert 0.05 * len(pairs) < len(pairs) - len(free) < 0.15 * len(pairs)
    assert funnel["n_pair_used"] == found.n_star > 0.9 * len(free) > 0.7 * len(inside)
    assert json.loads(json.dumps(funnel)) == funnel


def test_every_source_gets_a_place_and_a_flux(connection, tmp_path):
    stars = sky()
    run_id, rows, inside = world(connection, stars)
    refcats(connection, stars)
    calibrate(connection, run_id, tmp_path)
    found = connection.execute(text("SELECT * FROM source_sky ORDER BY source_id")).all()
    assert [row.source_id for row in found] == rows["source_id"].tolist()
    first = found[: len(inside)]
    off = sphere.separation([r.ra for r in first], [r.dec for r in first], stars.ra[inside], stars.dec[inside]) * 3.6e6
    assert np.median(off) < 3.5
    # 0.01 pix of 0.168 arcsec
    np.testing.assert_allclose([r.ra_mas_err for r in found], 1.68, rtol=0.05)
    np.testing.assert_allclose([r.dec_mas_err for r in found], 1.68, rtol=0.05)
    mag = -2.5 * np.log10(np.array([r.flux_njy for r in first]) / 3631e9)
    assert abs(np.median(mag - stars.r[inside])) < 0.006
    np.testing.assert_allclose([r.flux_njy_err / r.flux_njy for r in found], 0.004, rtol=0.05)


def test_pairs_with_both_catalogs_are_true_and_stored(connection, tmp_path):
    stars = sky()
    run_id, rows, inside = world(connection, stars)
    refcats(connection, stars)
    calibrate(connection, run_id, tmp_path)
    found = connection.execute(
        text("SELECT c.name, r.* FROM source_ref AS r JOIN ref_catalog AS c USING (ref_catalog_id)")
    ).all()
    assert {row.name for row in found} == {"gaia_dr3", "ps1_pv3"}
    told = dict(connection.execute(text("SELECT source_id, sky_flags FROM source_sky")).all())
    for name, catalog in (("astrometry_used", "gaia_dr3"), ("photometry_used", "ps1_pv3")):
        used = {row.source_id for row in found if row.name == catalog and row.is_used}
        assert {source_id for source_id, word in told.items() if word & flags.word(name)} == used
        assert len(used) > 20
    reserved = {source_id for source_id, word in told.items() if word & flags.word("photometry_reserved")}
    assert 0 < len(reserved) < 0.3 * len(used)
    assert not reserved & used
    star = dict(zip(rows["source_id"].tolist(), inside.tolist(), strict=False))
    assert np.mean([row.ref_id == (star.get(row.source_id, -2) + 1) * 7 for row in found]) > 0.98
    assert max(row.sep_arcsec for row in found if row.is_used and row.name == "gaia_dr3") < 0.05


def test_sources_may_come_by_hand_and_give_the_same(connection, tmp_path):
    stars = sky()
    run_id, rows, _ = world(connection, stars)
    refcats(connection, stars)
    first, _ = calibrate(connection, run_id, tmp_path)
    one = connection.execute(text("SELECT crval1_deg, sip_a, flux_mag0_e FROM wcs_solution, flux_scale")).all()
    forget(connection)
    carry = {"sources": rows}
    second, _ = calibrate(connection, run_id, tmp_path, carry)
    assert first == second
    assert one == connection.execute(text("SELECT crval1_deg, sip_a, flux_mag0_e FROM wcs_solution, flux_scale")).all()
    assert isinstance(carry["wcs"], Wcs)


def test_calexp_and_src_learn_the_calibration(connection, tmp_path):
    stars = sky()
    run_id, rows, _ = world(connection, stars)
    refcats(connection, stars)
    chip = CAMERA.ccds[CCD]
    empty = np.zeros((chip.height, chip.width), np.float32)
    product.write_image(
        tmp_path / "calexp",
        Image(empty, empty, empty.astype(np.int32)),
        {"EXPTIME": 30.0},
        image_cards=wcs_cards(initial_wcs(CAMERA, chip, 320.71, -0.402, 12.5)),
    )
    fields = [("flags", "?", (len(flags.FLAGS),)), ("id", "i8"), ("coord_ra", "f8"), ("coord_dec", "f8")]
    table = np.zeros(len(rows), fields)
    table["id"], table["coord_ra"], table["coord_dec"] = rows["source_id"], np.nan, np.nan
    product.write_header(tmp_path / "src", {}, [product.Table("SRC", table, {"coord_ra": "rad"})])
    calibrate(connection, run_id, tmp_path)
    header = product.read_header(tmp_path / "calexp", "IMAGE")
    found = only(connection, "wcs_solution")
    wcs = wcs_from_header(header)
    np.testing.assert_allclose(wcs.crval, (found.crval1_deg, found.crval2_deg), rtol=1e-14)
    np.testing.assert_allclose(wcs.sip_a(), found.a, rtol=1e-13)
    primary = product.read_header(tmp_path / "calexp")
    scale = only(connection, "flux_scale")
    assert primary["FLUXMAG0"] == pytest.approx(scale.flux_mag0_e, rel=1e-14)
    assert primary["MAGZERO"] == pytest.approx(ZERO - 2.5 * np.log10(30.0), abs=0.005)
    sources = product.read_table(tmp_path / "src", "SRC")
    places = connection.execute(text("SELECT ra, dec FROM source_sky ORDER BY source_id")).all()
    np.testing.assert_allclose(np.degrees(sources["coord_ra"]), [p.ra for p in places], rtol=1e-14)
    np.testing.assert_allclose(np.degrees(sources["coord_dec"]), [p.dec for p in places], rtol=1e-12)


def test_sources_around_a_very_bright_star_are_flagged_alike_in_rows_and_files(connection, tmp_path):
    stars = sky()
    chip = CAMERA.ccds[CCD]
    # one on the frame, one beside it
    middle = np.hypot(stars.x - 1000, stars.y - 2000).argmin()
    beside = np.flatnonzero((stars.x < -20) & (stars.x > -60) & (stars.y > 0) & (stars.y < chip.height))[0]
    for mag in (stars.g, stars.r, stars.i):
        mag[[middle, beside]] = 14.3
    run_id, rows, _ = world(connection, stars)
    refcats(connection, stars)
    empty = np.zeros((chip.height, chip.width), np.float32)
    product.write_image(tmp_path / "calexp", Image(empty, empty, empty.astype(np.int32)))
    table = np.zeros(len(rows), [("flags", "?", (len(flags.FLAGS),)), ("coord_ra", "f8"), ("coord_dec", "f8")])
    table["flags"][:, flags.BIT["cr"]] = True
    product.write_header(tmp_path / "src", {}, [product.Table("SRC", table)])
    funnel, _ = calibrate(connection, run_id, tmp_path)
    word = np.array(connection.execute(text("SELECT sky_flags FROM source_sky ORDER BY source_id")).scalars().all())
    # G = 14.0: 200 * 10^-1.75 + 12 * 10^0.1 arcsec
    reach = (200 * 10**-1.75 + 12 * 10**0.1) / 0.168
    apart = np.min([np.hypot(rows["x_pix"] - stars.x[k], rows["y_pix"] - stars.y[k]) for k in (middle, beside)], axis=0)
    inside, outside = apart < reach - 2, apart > reach + 6
    assert inside.sum() >= 3
    in_mask = word & flags.word(*flags.BRIGHT_FLAGS)
    assert (in_mask[inside] == flags.word(*flags.BRIGHT_FLAGS)).all()
    assert (in_mask[outside] == 0).all()
    assert funnel["n_source_bright_object"] == (in_mask != 0).sum()
    packed = product.read_table(tmp_path / "src", "SRC")["flags"]
    told = (word[:, None] >> np.arange(len(flags.FLAGS))) & 1 == 1
    told[:, flags.BIT["cr"]] = True
    np.testing.assert_array_equal(packed, told)
    plane = product.read_image(tmp_path / "calexp")[0].mask
    assert set(np.unique(plane)) == {0, int(mask.word("BRIGHT_OBJECT"))}
    assert (plane != 0).sum() == pytest.approx(np.pi * reach**2 * 1.35, rel=0.25)
    j, i = (np.rint(rows[name][inside]).astype(int) for name in ("y_pix", "x_pix"))
    assert (plane[j, i] != 0).all()
    forget(connection)
    calibrate(connection, run_id, tmp_path, {"sources": rows}, do_bright_object=False)
    assert not product.read_image(tmp_path / "calexp")[0].mask.any()
    assert not product.read_table(tmp_path / "src", "SRC")["flags"][:, flags.BIT["bright_object"]].any()


def test_one_catalog_serves_for_both(connection, tmp_path):
    stars = sky()
    run_id, *_ = world(connection, stars)
    refcats(connection, stars, ("ps1_pv3",))
    calibrate(connection, run_id, tmp_path)
    assert abs(2.5 * np.log10(only(connection, "flux_scale").flux_mag0_e) - ZERO) < 0.005
    assert 1.0 < only(connection, "wcs_solution").rms_mas < 30.0


def test_a_field_without_blue_references_gets_a_zero_point_all_the_same(connection, tmp_path):
    stars = sky()
    stars.g = stars.r - 0.5
    run_id, *_ = world(connection, stars)
    refcats(connection, stars)
    funnel, _ = calibrate(connection, run_id, tmp_path)
    assert funnel["n_photometry_used"] > 20


@pytest.mark.parametrize(
    ("catalogs", "keep", "settings", "code"),
    [
        ((), slice(None), {}, "no_reference_catalog"),
        (("gaia_dr3",), slice(None), {}, "no_reference_flux"),
        (("ps1_pv3",), slice(0, 1), {}, "too_few_stars"),
        (("ps1_pv3",), slice(None), {"astrometry_catalog": "gaia_dr2"}, "no_reference_catalog"),
        (("ps1_pv3",), slice(None), {"n_photometry_min": 1000}, "too_few_stars"),
        (("ps1_pv3",), slice(None), {"max_shift_pix": 5.0, "max_rotation_deg": 0.01, "blind_radius_deg": 0.0},
         "no_match"),
    ],
)
def test_what_is_lacking_is_told(connection, tmp_path, catalogs, keep, settings, code):
    stars = sky()
    run_id, *_ = world(connection, stars, keep=keep)
    refcats(connection, stars, catalogs)
    with pytest.raises((DataError, InputError)) as caught:
        calibrate(connection, run_id, tmp_path, **settings)
    assert caught.value.code == code


def test_no_reference_star_near_the_frame_is_told(connection, tmp_path):
    stars = sky()
    run_id, *_ = world(connection, stars)
    elsewhere = SimpleNamespace(**(vars(stars) | {"dec": stars.dec + 3.0}))
    refcats(connection, elsewhere)
    with pytest.raises(DataError) as caught:
        calibrate(connection, run_id, tmp_path)
    assert caught.value.code == "no_reference_stars"
    assert re.search(r"catalog \w+ has no star within 0\.\d+ deg of RA \d+\.\d+, Dec -?\d+\.\d+", str(caught.value))


def test_without_zero_point_the_nominal_one_may_serve(connection, tmp_path):
    stars = sky()
    run_id, *_ = world(connection, stars)
    refcats(connection, stars)
    calibrate(connection, run_id, tmp_path, n_photometry_min=1000, require_photometry=False)
    scale = only(connection, "flux_scale")
    assert scale.status == "extrapolated"
    nominal = CAMERA.filter_of("HSC-R").mag_1s
    assert 2.5 * np.log10(scale.flux_mag0_e) == pytest.approx(nominal + 2.5 * np.log10(30.0))


def test_flagged_sources_do_not_calibrate(connection, tmp_path):
    stars = sky()
    run_id, rows, _ = world(connection, stars)
    refcats(connection, stars)
    rows = rows.copy()
    rows["flags"] = flags.word("saturated")
    with pytest.raises(DataError) as caught:
        calibrate(connection, run_id, tmp_path, {"sources": rows})
    assert caught.value.code == "too_few_stars"


def test_a_frame_without_pointing_is_told(connection, tmp_path):
    stars = sky()
    run_id, *_ = world(connection, stars)
    refcats(connection, stars)
    connection.execute(text("UPDATE visit SET ra = NULL"))
    with pytest.raises(InputError) as caught:
        calibrate(connection, run_id, tmp_path)
    assert caught.value.code == "no_pointing"
    assert replace(stage.Config(), order=2).order == 2


def far_sky(seed=3, n_star=9000):
    """Stars over the whole search area, so that the wrong places are as full as the right one."""
    stars = sky(seed)
    rng = np.random.default_rng(seed)
    radius, angle = 1.1 * np.sqrt(rng.uniform(size=n_star)), rng.uniform(0, 2 * np.pi, n_star)
    ra, dec = sphere.deproject(radius * np.cos(angle), radius * np.sin(angle), 320.71, -0.402)
    chip = CAMERA.ccds[CCD]
    x, y = sky_to_pixel(CAMERA, chip, 320.71, -0.402, 12.2, ra, dec)
    out = ~((x > -300) & (x < chip.width + 300) & (y > -300) & (y < chip.height + 300))
    mag, color = rng.uniform(18, 22, out.sum()), rng.uniform(0.2, 1.2, out.sum())
    more = {"x": x[out], "y": y[out], "ra": ra[out], "dec": dec[out], "r": mag, "i": mag - 0.35 * color}
    more["g"] = mag + color
    return SimpleNamespace(**{key: np.concatenate([getattr(stars, key), column]) for key, column in more.items()},
                           rng=stars.rng)  # fmt: skip


def mirrored():
    """The camera as somebody would have it who does not know that its images are mirrored."""
    section = CAMERA.settings["orientation"]
    return replace(CAMERA, settings=CAMERA.settings | {"orientation": section | {"parity": -section["parity"]}})


@pytest.mark.parametrize(
    ("off_deg", "rotator_deg", "camera"),
    [((0.3, -0.35), 12.2, CAMERA), ((0.0, 0.0), 200.0, CAMERA), ((-0.25, 0.3), 77.0, mirrored())],
)
def test_a_frame_is_found_blindly(connection, tmp_path, off_deg, rotator_deg, camera):
    stars = far_sky()
    run_id, _, inside = world(connection, stars, off_deg=off_deg, rotator_deg=rotator_deg)
    refcats(connection, stars)
    with pytest.raises(DataError) as caught, connection.begin_nested():
        calibrate(connection, run_id, tmp_path, camera=camera, blind_radius_deg=0.0, do_neighbors=False)
    assert caught.value.code == "no_match"
    funnel, _ = calibrate(connection, run_id, tmp_path, camera=camera)
    assert funnel["n_guess"] == 1
    row = only(connection, "wcs_solution")
    cd = [row.cd1_1_deg, row.cd1_2_deg, row.cd2_1_deg, row.cd2_2_deg]
    places = (row.crval1_deg, row.crval2_deg), (row.crpix1_pix, row.crpix2_pix)
    wcs = Wcs.from_flat(*places, cd, row.sip_order, row.a, row.b)
    found = wcs.pixel_to_sky(stars.x[inside], stars.y[inside])
    assert np.median(sphere.separation(*found, stars.ra[inside], stars.dec[inside])) * 3.6e6 < 5.0
    assert only(connection, "flux_scale").status == "solved"


def test_a_sparse_frame_is_found_where_its_neighbor_was(connection, tmp_path):
    stars = far_sky()
    run_id, *_ = world(connection, stars, off_deg=(0.3, -0.35), rotator_deg=200.0, keep=slice(0, 8))
    refcats(connection, stars)
    neighbor = 57
    connection.execute(text("INSERT INTO ccd VALUES (57, '57', 'science', true, 2048, 4176, 0, 0, 0, 0)"))
    solved = initial_wcs(CAMERA, CAMERA.ccds[neighbor], 320.71, -0.402, 12.2)
    task = connection.execute(
        text("INSERT INTO task (run_id, stage, data_id, visit, ccd, status)"
             " VALUES (:r, 'calibrate', 'n', :v, 57, 'done') RETURNING task_id"), {"r": run_id, "v": VISIT}
    ).scalar_one()  # fmt: skip
    none = np.zeros(0)
    solution = astrometry.Solution(
        solved, none, none, none.astype(bool), none, none, 3, 1.0, 1.0, -9.0
    )
    ids = {"run_id": run_id, "task_id": task, "visit": VISIT, "ccd": neighbor}
    copy.write(connection, "wcs_solution", calibrate_rows.wcs_solution(ids, solution, (2048, 4176)))
    funnel, task = calibrate(connection, run_id, tmp_path, blind_radius_deg=0.0)
    assert funnel["n_guess"] == 1
    row = connection.execute(text("SELECT * FROM wcs_solution WHERE task_id = :t"), {"t": task}).one()
    truth = initial_wcs(CAMERA, CAMERA.ccds[CCD], 320.71, -0.402, 12.2)
    x, y = (CAMERA.ccds[CCD].width - 1) / 2, (CAMERA.ccds[CCD].height - 1) / 2
    assert sphere.separation(row.ra, row.dec, *truth.pixel_to_sky(x, y)) * 3600 < 0.1
