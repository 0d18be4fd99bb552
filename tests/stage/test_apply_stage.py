"""apply on made worlds: images, catalogs and rows say what the solution says; no frame is passed over in silence."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from joint_tables import database, repository, rows, run, source_ids
from joint_world import NJY, Wcs, build

from hscdb.fits import product
from hscdb.fits.header import wcs_cards
from hscdb.image.plane import Image
from hscdb.run.product import TaskFiles
from hscdb.sky import sphere
from hscdb.sky.polynomial import unflatten

TRACT = 0
SRC = [("id", "i8"), ("coord_ra", "f8"), ("coord_dec", "f8"), ("base_SdssCentroid_x", "f8"),
       ("base_SdssCentroid_y", "f8"), ("base_PsfFlux_instFlux", "f8"), ("base_PsfFlux_instFluxErr", "f8"),
       ("base_CircularApertureFlux_12_0_instFlux", "f8"), ("base_CircularApertureFlux_12_0_instFluxErr", "f8"),
       ("base_ClassificationExtendedness_value", "f4"), ("flags", "?", (3,))]  # fmt: skip


def pixels(world, visit, ccd):
    """An image whose pixels are all different, with a mask and NaN where nothing was seen."""
    chip = world.camera.ccds[ccd]
    rng = np.random.default_rng(visit * 200 + ccd)
    data = rng.normal(100.0, 10.0, (chip.height, chip.width)).astype(np.float32)
    data[3, 5] = np.nan
    mask = (rng.random(data.shape) < 0.01).astype(np.int32) * 4
    return Image(data, (50.0 + rng.random(data.shape)).astype(np.float32), mask)


def src(world, visit, ccd):
    """The rows of SRC of a frame."""
    here = (world.detections["visit"] == visit) & (world.detections["ccd"] == ccd)
    d = world.detections[here]
    out = np.zeros(len(d), SRC)
    out["id"], out["base_SdssCentroid_x"], out["base_SdssCentroid_y"] = source_ids(world)[here], d["x"], d["y"]
    for name, factor in (("base_CircularApertureFlux_12_0", 1.0), ("base_PsfFlux", 0.97)):
        out[f"{name}_instFlux"], out[f"{name}_instFluxErr"] = factor * d["flux"], d["flux_err"]
    out["base_PsfFlux_instFlux"][0] = -5.0
    out["flags"][1] = [True, False, True]
    return out


def write_files(opened, world, run_id):
    """calexp and src of every frame, as products of its detect task."""
    with opened.engine.begin() as connection:
        for one in rows(opened, "SELECT task_id, visit, ccd FROM task WHERE stage = 'detect'"):
            ids = {"visit": int(one.visit), "ccd": int(one.ccd)}
            files = TaskFiles(connection, opened.path, run_id, "joint", int(one.task_id))
            first = wcs_cards(world.wcs[one.visit, one.ccd])
            with files.writing("calexp", **ids) as path:
                psf = product.Table("PSF", np.zeros(2, [("a", "f4")]), cards=[("PSFMODEL", "pixel")])
                cards = [("FLUXMAG0", 1.0), ("OBJECT", "FIELD"), ("EXPTIME", 30.0)]
                product.write_image(path, pixels(world, one.visit, one.ccd), cards, [psf], first)
            with files.writing("src", **ids) as path:
                table = product.Table("SRC", src(world, one.visit, one.ccd), cards=[("TFLAG1", "flag_a")])
                product.write_header(path, [], [table])
            files.store()


_SOLUTIONS = """
SELECT f.*, poly_mag::float8[] AS poly, crval1_deg, crval2_deg, crpix1_pix, crpix2_pix, cd1_1_deg, cd1_2_deg, cd2_1_deg,
       cd2_2_deg, sip_order, sip_a::float8[] AS a, sip_b::float8[] AS b
  FROM flux_scale f JOIN wcs_solution w USING (task_id, visit, ccd)
 WHERE f.stage = 'mosaic'
"""
_PATH = "SELECT path FROM product JOIN run USING (run_id) WHERE dataset = %s AND visit = %s AND ccd = %s AND name = %s"


class Applied:
    """A world, its repository, and its solution by frame."""

    def __init__(self, world, opened):
        self.world, self.repository = world, opened
        found = rows(opened, _SOLUTIONS)
        self.scales = {(r.visit, r.ccd): r for r in found}

    def wcs(self, key):
        r = self.scales[key]
        cd = [r.cd1_1_deg, r.cd1_2_deg, r.cd2_1_deg, r.cd2_2_deg]
        return Wcs.from_flat((r.crval1_deg, r.crval2_deg), (r.crpix1_pix, r.crpix2_pix), cd, r.sip_order, r.a, r.b)

    def factor(self, key, x, y):
        """F = 10^(-0.4 eval) J."""
        r = self.scales[key]
        p = np.polynomial.polynomial.polyval2d(x + r.x0_pix, y + r.y0_pix, unflatten(r.poly, r.poly_order))
        return 10 ** (-0.4 * p) * self.wcs(key).pixel_area(x, y) / r.jacobian_area_deg2

    def path(self, dataset, key, run_name="joint"):
        found = rows(self.repository, _PATH, dataset, int(key[0]), int(key[1]), run_name)
        return self.repository.path / found.path[0]


@pytest.fixture(scope="module")
def applied(server_dsn, template, tmp_path_factory):
    # a field of some percent over four small CCDs: F differs from 1 everywhere
    world = build(n_visit=3, per_ccd=60, field_mag=0.3)
    with (
        database(server_dsn, template, "hscdb_apply") as dsn,
        repository(tmp_path_factory.mktemp("apply"), dsn, world) as opened,
    ):
        write_files(opened, world, 1)
        outcome = run(opened, "mosaic", "apply")
        assert outcome.exit_status == 0, outcome
        yield Applied(world, opened)


def test_images_are_multiplied_and_their_variance_by_the_square(applied):
    key = applied.world.frames[2]
    old, (new, header) = pixels(applied.world, *key), product.read_image(applied.path("calibrated_exp", key))
    y, x = np.mgrid[: old.shape[0], : old.shape[1]]
    factor = applied.factor(key, x, y)
    assert np.ptp(factor) > 0.02
    seen = np.isfinite(old.data)
    np.testing.assert_allclose(new.data[seen] / old.data[seen], factor[seen], rtol=1e-6)
    np.testing.assert_allclose(new.variance / old.variance, factor**2, rtol=1e-6)
    assert np.array_equal(np.isnan(new.data), ~seen)
    assert np.array_equal(new.mask, old.mask)
    assert header["FLUXMAG0"] == pytest.approx(applied.scales[key].flux_mag0_e, rel=1e-12)
    assert (header["MOSAIC"], header["EXTRAPOL"], header["TRACT"], header["OBJECT"]) == (True, False, TRACT, "FIELD")


def test_the_image_header_holds_the_joint_wcs_and_the_tables_are_kept(applied):
    key = applied.world.frames[5]
    path = applied.path("calibrated_exp", key)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["IMAGE", "MASK", "VARIANCE", "PSF"]
        theirs = WCS(hdus["IMAGE"].header)
        assert hdus["PSF"].header["PSFMODEL"] == "pixel"
    x, y = np.meshgrid([0.0, 200.0, 511.0], [0.0, 300.0, 511.0])
    ra, dec = applied.wcs(key).pixel_to_sky(x, y)
    px, py = theirs.all_world2pix(ra, dec, 0)
    assert np.abs(px - x).max() < 1e-6
    assert np.abs(py - y).max() < 1e-6


def test_flux_of_the_image_is_flux_of_the_catalog(applied):
    """Multiplying the image and measuring is multiplying the measurement: -2.5 log10(counts F / FLUXMAG0) = mag."""
    key = applied.world.frames[0]
    table = product.read_table(applied.path("calibrated_src", key), 1)
    old = src(applied.world, *key)
    factor = applied.factor(key, old["base_SdssCentroid_x"], old["base_SdssCentroid_y"])
    name = "base_CircularApertureFlux_12_0"
    for column in (f"{name}_instFlux", f"{name}_instFluxErr", "base_PsfFlux_instFlux", "base_PsfFlux_instFluxErr"):
        np.testing.assert_allclose(table[column], old[column] * factor, rtol=1e-9)
    np.testing.assert_allclose(table["mosaic_corr"], factor, rtol=1e-9)
    mag0 = fits.getheader(applied.path("calibrated_src", key))["FLUXMAG0"]
    solved = rows(
        applied.repository, "SELECT source_id, mag FROM star_residual WHERE visit = %s AND ccd = %s", *map(int, key)
    )
    at = {s: m for s, m in zip(solved.source_id, solved.mag, strict=True)}
    mine = np.array([at.get(i, np.nan) for i in table["id"]])
    mag = -2.5 * np.log10(table[f"{name}_instFlux"] / mag0)
    assert np.isfinite(mine).sum() > 40
    assert np.nanmax(np.abs(mag - mine)) < 1e-5  # the fit's flux went through a float4
    places = applied.wcs(key).pixel_to_sky(old["base_SdssCentroid_x"], old["base_SdssCentroid_y"])
    sky = sphere.separation(np.degrees(table["coord_ra"]), np.degrees(table["coord_dec"]), *places)
    assert sky.max() * 3.6e6 / 168 < 1e-6
    assert table["flags"][1].tolist() == [True, False, True]
    assert fits.getheader(applied.path("calibrated_src", key), 1)["TFLAG1"] == "flag_a"


def test_rows_hold_places_and_fluxes_of_every_source(applied):
    found = rows(applied.repository, "SELECT * FROM calibrated_source ORDER BY source_id")
    d = applied.world.detections
    ids = source_ids(applied.world)
    assert np.array_equal(found.source_id, np.sort(ids))
    d = d[np.argsort(ids)]
    for key in applied.world.frames:
        k = (d["visit"] == key[0]) & (d["ccd"] == key[1])
        mine, one = found[k], d[k]
        back = applied.wcs(key).sky_to_pixel(mine.ra, mine.dec)
        assert np.abs(np.array(back) - [one["x"], one["y"]]).max() < 1e-6
        factor = applied.factor(key, one["x"], one["y"])
        # float4 columns: 6e-8, three times over
        np.testing.assert_allclose(mine.flux_factor, factor, rtol=2e-7)
        njy = factor * NJY / applied.scales[key].flux_mag0_e
        np.testing.assert_allclose(mine.aper_flux_njy, one["flux"] * njy, rtol=4e-7)
        np.testing.assert_allclose(mine.psf_flux_njy, 0.97 * one["flux"] * njy, rtol=4e-7)
        np.testing.assert_allclose(mine.aper_flux_njy_err, one["flux_err"] * njy, rtol=4e-7)
        # 0.01 pix of 0.168 arcsec; the covariance turns with the camera, the sum of squares does not
        both = np.hypot(mine.ra_mas_err, mine.dec_mas_err)
        np.testing.assert_allclose(both, np.sqrt(2) * 1.68, rtol=0.03)
    assert not found.is_extrapolated.any()


def test_magnitudes_replace_fluxes_when_asked(applied):
    outcome = run(applied.repository, "apply", run="joint:magnitudes", words=["apply.do_apply_calib=true"])
    assert outcome.exit_status == 0, outcome
    key = applied.world.frames[0]
    flux = product.read_table(applied.path("calibrated_src", key), 1)
    mags = product.read_table(applied.path("calibrated_src", key, "magnitudes"), 1)
    assert not [name for name in mags.dtype.names if name.endswith(("_instFlux", "_instFluxErr"))]
    mag0 = applied.scales[key].flux_mag0_e
    for name in ("base_PsfFlux", "base_CircularApertureFlux_12_0"):
        counts, error = flux[f"{name}_instFlux"], flux[f"{name}_instFluxErr"]
        positive = counts > 0
        np.testing.assert_allclose(mags[f"{name}_mag"][positive], -2.5 * np.log10(counts[positive] / mag0), atol=1e-9)
        np.testing.assert_allclose(mags[f"{name}_magErr"][positive], 1.0857362 * (error / counts)[positive], rtol=1e-6)
        assert np.isnan(mags[f"{name}_mag"][~positive]).all()
    assert (~(flux["base_PsfFlux_instFlux"] > 0)).sum() == 1


def test_one_kind_of_product_can_be_made_alone(applied):
    for kind, dataset in (("images", "calibrated_exp"), ("catalogs", "calibrated_src")):
        assert run(applied.repository, "apply", run=f"joint:{kind}", kind=kind).exit_status == 0
        made = rows(
            applied.repository, "SELECT DISTINCT dataset FROM product JOIN run USING (run_id) WHERE name = %s", kind
        )
        assert made.dataset.tolist() == [dataset]


def test_images_then_catalogs_then_both_make_no_source_twice(applied):
    for kind in ("images", "catalogs", None):
        words = {"kind": kind} if kind else {}
        assert run(applied.repository, "apply", run="joint:one_by_one", **words).exit_status == 0
    counted = rows(
        applied.repository,
        "SELECT count(*) AS n, count(DISTINCT (source_id, tract)) AS n_source FROM calibrated_source"
        " JOIN run USING (run_id) WHERE name = %s", "one_by_one",
    )  # fmt: skip
    assert counted.n[0] == counted.n_source[0] > 0


def test_an_image_that_is_gone_is_told_and_the_others_are_made(applied):
    key = applied.world.frames[1]
    path = applied.path("calexp", key)
    path.rename(path.with_suffix(".away"))
    try:
        outcome = run(applied.repository, "apply", run="joint:gone")
        assert outcome.exit_status == 1
        ((name, code, message),) = outcome.reports[0].failures
        assert name == f"tract=0 visit={key[0]} ccd={key[1]}"
        assert code == "no_calexp"
        assert "detect" in message
        assert outcome.reports[0].n_done == len(applied.world.frames) - 1
    finally:
        path.with_suffix(".away").rename(path)


@pytest.fixture
def solve(fresh_dsn, tmp_path):
    """A world of catalogs in; apply's outcome and the repository out."""
    opened = []

    def solve(world, *words):
        world.is_catalog = True
        context = repository(tmp_path / "repository", fresh_dsn, world)
        opened.append(context)
        one = context.__enter__()
        outcome = run(one, "mosaic", words=words)
        assert not outcome.reports[0].failures
        return one, run(one, "apply").reports[0]

    yield solve
    for context in opened:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("no_counts", [False, True])
def test_catalogs_made_elsewhere_get_rows_and_a_catalog(solve, no_counts):
    world = build(n_visit=3, per_ccd=40, field_mag=0.2)
    world.extra["no_counts"] = no_counts
    opened, report = solve(world)
    assert not report.failures
    one = Applied(world, opened)
    datasets = rows(opened, "SELECT dataset, count(*) AS n FROM product GROUP BY 1 ORDER BY 1")
    assert dict(datasets.tolist()) == {"calibrated_src": 12, "fcr": 12, "wcs": 12}
    found = rows(opened, "SELECT * FROM calibrated_source ORDER BY source_id")
    d = world.detections[np.argsort(source_ids(world))]
    assert len(found) == len(d)
    factor, zero = np.empty(len(d)), np.empty(len(d))
    for key in world.frames:
        k = (d["visit"] == key[0]) & (d["ccd"] == key[1])
        factor[k], zero[k] = one.factor(key, d["x"][k], d["y"][k]), one.scales[key].flux_mag0_e
        table = product.read_table(one.path("calibrated_src", key), 1)
        np.testing.assert_allclose(table["base_CircularApertureFlux_12_0_instFlux"], (d["flux"] * factor)[k], rtol=5e-7)
        np.testing.assert_allclose(table["mosaic_corr"], factor[k], rtol=1e-9)
    np.testing.assert_allclose(found.aper_flux_njy, d["flux"] * factor * NJY / zero, rtol=5e-7)
    assert {flux is None for flux in found.psf_flux_njy} == {no_counts}
    # and these are the stars' magnitudes
    error = -2.5 * np.log10(found.aper_flux_njy / NJY) - world.mag[d["star"]]
    assert np.std(error) < 0.006


def test_a_frame_that_is_extrapolated_is_marked(solve):
    world = build(n_visit=3, per_ccd=60, shift_pix=0.05, turn=2e-5)
    d = world.detections
    # stars of CCD 2 seen there alone and without a reference: sources, but nothing to solve it with
    here = np.flatnonzero(d["ccd"] == 2)
    d["star"][here] = world.mag.size + np.arange(here.size)
    for name in ("star_ra", "star_dec", "mag", "color", "is_reserved"):
        old = getattr(world, name)
        setattr(world, name, np.concatenate([old, np.zeros(here.size, old.dtype)]))
    world.has_ref = np.concatenate([world.has_ref, np.zeros(here.size, bool)])
    opened, report = solve(world)
    assert not report.failures
    found = rows(opened, "SELECT ccd, bool_and(is_extrapolated) AS every, bool_or(is_extrapolated) AS any "
                 "FROM calibrated_source GROUP BY ccd ORDER BY ccd")  # fmt: skip
    assert found.tolist() == [(0, False, False), (1, False, False), (2, True, True), (3, False, False)]
    header = fits.getheader(Applied(world, opened).path("calibrated_src", (1000, 2)))
    assert (header["MOSAIC"], header["EXTRAPOL"]) == (True, True)
    n_extrapolated = rows(opened, "SELECT sum((funnel->>'n_extrapolated')::int) AS n FROM task WHERE stage = 'apply'")
    assert n_extrapolated.n[0] == 3


def test_frames_of_a_visit_that_was_left_out_say_why(solve):
    world = build(ref_fraction=0.0, n_visit=4, first_mas=20.0)
    d = world.detections
    far = d["visit"] == 1004
    d["star"][far] += world.mag.size
    world.mag = np.tile(world.mag, 2)
    for name in ("star_ra", "star_dec", "color", "is_reserved", "has_ref"):
        setattr(world, name, np.tile(getattr(world, name), 2))
    _, report = solve(world)
    assert report.n_done == 12
    assert {(name, code) for name, code, _ in report.failures} == {
        (f"tract=0 visit=1004 ccd={ccd}", "no_solution") for ccd in range(4)
    }
    assert all("shares 0 usable stars" in message for _, _, message in report.failures)


def test_frames_without_any_flux_say_so(solve):
    world = build(n_visit=3, per_ccd=40)
    d = world.detections
    d["flux"][d["visit"] == 1002] = np.nan
    for ccd in world.ccds:
        world.mag0[1002, ccd] = np.nan
    _, report = solve(world)
    assert {(name, code) for name, code, _ in report.failures} == {
        (f"tract=0 visit=1002 ccd={ccd}", "no_flux_scale") for ccd in range(4)
    }
    assert report.n_done == 8


def test_a_rejected_solution_leaves_the_first_calibration(solve):
    world = build(n_visit=4, dither=1.0, first_mas=0.5, first_mag=1e-4, noise_pix=0.003, field_mag=0.0, warp_pix=0.1,
                  shift_pix=1.0, ccd_mag=0.1)  # fmt: skip
    words = ["mosaic.astrometry_order=1", "mosaic.solve_ccd=false", "mosaic.flux_order=0", "mosaic.flux_visit_order=0",
             "mosaic.solve_flux_ccd=false"]  # fmt: skip
    opened, report = solve(world, *words)
    assert not report.failures
    found = rows(
        opened, "SELECT source_id, ra, dec, flux_factor, aper_flux_njy FROM calibrated_source ORDER BY source_id"
    )
    d = world.detections[np.argsort(source_ids(world))]
    assert sphere.separation(found.ra, found.dec, d["ra"], d["dec"]).max() * 3.6e6 < 0.01
    assert (found.flux_factor == 1.0).all()
    np.testing.assert_allclose(found.aper_flux_njy, d["flux"] * NJY / d["first_mag0"], rtol=5e-7)
    header = fits.getheader(Applied(world, opened).path("calibrated_src", (1000, 2)))
    assert header["MOSAIC"] is False
