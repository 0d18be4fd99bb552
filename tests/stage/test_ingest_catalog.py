"""Catalogs made elsewhere: as frames that match and mosaic see like our own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from astropy.io import fits
from astropy.table import Table

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.db.engine import connect, transaction
from hscdb.db.queries import query
from hscdb.fits.header import wcs_cards
from hscdb.fits.table import write_table
from hscdb.image.flags import BIT
from hscdb.ingest.stage_catalog import ingest_catalog
from hscdb.run.repository import enter_camera
from hscdb.sky import sphere

MAP = ["visit=expnum", "ccd=chip", "x=x", "y=y", "ra=ra", "dec=dec", "flux=counts", "flux_err=noise", "filter:=HSC-R",
       "pixel_origin:=1", "zero_point:=27.5"]  # fmt: skip


class Catalogs:
    """A run of a repository, and what is in it."""

    def __init__(self, dsn: str, camera: str) -> None:
        self.dsn, self.engine, self.camera = dsn, connect(dsn, pool=False), load(camera)
        enter_camera(self.engine, self.camera)
        self.run_id = self.open_run("catalog")

    def open_run(self, name: str) -> int:
        with transaction(self.engine) as connection:
            query("run/insert_run")(
                connection, name=name, parent=None, settings={}, settings_sha256="", code_version="0"
            )
            return int(query("run/find_run").one(connection, name=name)["run_id"])

    def ingest(self, *words, **options):
        return ingest_catalog(self.engine, self.camera, options.pop("run_id", self.run_id), words, **options)

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def toy(fresh_dsn: str) -> Iterator[Catalogs]:
    catalogs = Catalogs(fresh_dsn, "toy")
    yield catalogs
    catalogs.engine.dispose()


def stars(visit: int, n_star: int = 40, seed: int = 1, ccds: tuple[int, ...] = (0, 1, 2, 3)) -> Table:
    """Stars of a visit of the toy camera at RA 0, rotated by 20 degrees."""
    camera, rng, parts = load("toy"), np.random.default_rng(seed), []
    for ccd in ccds:
        x, y = rng.uniform(0, 511, (2, n_star))
        ra, dec = focalplane.pixel_to_sky(camera, camera.ccds[ccd], 0.0, 40.0, 20.0, x, y)
        counts = rng.uniform(1e3, 1e5, n_star)
        parts.append(
            np.stack([np.full(n_star, visit), np.full(n_star, ccd), x + 1, y + 1, ra, dec, counts, counts**0.5])
        )
    return Table(np.concatenate(parts, axis=1).T, names=["expnum", "chip", "x", "y", "ra", "dec", "counts", "noise"])


def save(table: Table, path: Path) -> Path:
    write_table(path, table.as_array())
    return path


def test_a_table_becomes_frames_with_sources_wcs_and_scale(toy, tmp_path):
    table = stars(7)
    outcome = toy.ingest(save(table, tmp_path / "a.fits"), mapping=MAP)
    assert outcome.refusals == []
    assert (outcome.counts["n_frame"], outcome.counts["n_stored"], outcome.counts["n_row"]) == (4, 4, 160)
    assert toy.rows("SELECT visit, filter, band, data_type FROM visit") == [(7, "HSC-R", "r", "science")]
    frames = toy.rows("SELECT visit, ccd, kind, path, width_pix FROM frame ORDER BY ccd")
    assert frames[3] == (7, 3, "catalog", f"{tmp_path / 'a.fits'}#4", 512)
    tasks = toy.rows("SELECT stage, data_id, status, filter, funnel FROM task ORDER BY ccd")
    assert tasks[0] == ("calibrate", "visit=7 ccd=0", "done", "HSC-R", {"n_source": 40})
    source = toy.rows("SELECT source_id, x_pix, y_pix, aper_12_0_flux_e, aper_12_0_flux_e_err, psf_flux_e, "
                      "kron_flux_e, task_id FROM source WHERE ccd = 2 ORDER BY source_id")  # fmt: skip
    assert [row[0] for row in source] == [((7 * 200 + 2) << 32) + n for n in range(1, 41)]
    mine = table[table["chip"] == 2]
    np.testing.assert_allclose([row[1] for row in source], mine["x"] - 1)
    np.testing.assert_allclose([row[3] for row in source], mine["counts"], rtol=1e-6)
    assert source[0][5] == source[0][3]  # the only flux stands for the PSF's too
    assert source[0][6] is None
    sky = toy.rows(
        "SELECT ra, dec, flux_njy, flux_njy_err, ra_mas_err FROM source_sky WHERE ccd = 2 ORDER BY source_id"
    )
    np.testing.assert_allclose([row[1] for row in sky], mine["dec"])
    mag = -2.5 * np.log10(np.array([row[2] for row in sky]) / 3631e9)
    np.testing.assert_allclose(mag, 27.5 - 2.5 * np.log10(mine["counts"]), atol=1e-5)
    # one arcsec of seeing where nothing tells: FWHM / (2.355 S/N)
    np.testing.assert_allclose([row[4] for row in sky], 1000.0 / 2.355 / np.sqrt(mine["counts"]), rtol=2e-2)
    scale = toy.rows("SELECT stage, flux_mag0_e, poly_mag::float8[], has_jacobian FROM flux_scale WHERE ccd = 2")
    assert scale == [("catalog", pytest.approx(10**11), [0.0], False)]


def test_the_wcs_is_made_from_the_stars_on_top_of_the_geometry(toy, tmp_path):
    toy.ingest(save(stars(7, 12), tmp_path / "a.fits"), mapping=MAP)
    rows = toy.rows("SELECT ccd, crval1_deg, crval2_deg, crpix1_pix, crpix2_pix, cd1_1_deg, cd1_2_deg, cd2_1_deg, "
                    "cd2_2_deg, sip_order, sip_a::float8[], sip_b::float8[], rms_mas, radius_deg FROM wcs_solution "
                    "ORDER BY ccd")  # fmt: skip
    for ccd, crval1, crval2, crpix1, crpix2, *cd, order, sip_a, sip_b, rms, radius in rows:
        wcs = focalplane.Wcs.from_flat((crval1, crval2), (crpix1, crpix2), cd, order, sip_a, sip_b)
        x, y = np.meshgrid([0.0, 255.0, 511.0], [0.0, 255.0, 511.0])
        exact = focalplane.pixel_to_sky(toy.camera, toy.camera.ccds[ccd], 0.0, 40.0, 20.0, x, y)
        assert (sphere.separation(*wcs.pixel_to_sky(x, y), *exact) * 3.6e6).max() < 0.5
        assert rms < 0.1
        assert radius == pytest.approx(512 / np.sqrt(2) * 0.168 / 3600, rel=0.01)


def test_frames_of_very_few_stars_still_find_their_place(toy, tmp_path):
    many, one = stars(7, 30, ccds=(0, 1)), stars(7, 1, seed=5, ccds=(3,))
    table = Table(np.concatenate([many.as_array(), one.as_array()]))
    outcome = toy.ingest(save(table, tmp_path / "a.fits"), mapping=MAP)
    assert outcome.counts["n_stored"] == 3
    ((ra, dec),) = toy.rows("SELECT ra, dec FROM wcs_solution WHERE ccd = 3")
    exact = focalplane.pixel_to_sky(toy.camera, toy.camera.ccds[3], 0.0, 40.0, 20.0, 255.5, 255.5)
    assert float(sphere.separation(ra, dec, *exact)) * 3.6e6 < 5.0


def test_a_wrong_position_does_not_bend_a_frame(toy, tmp_path):
    table = stars(7, 40)
    table["ra"][5] += 0.01
    toy.ingest(save(table, tmp_path / "a.fits"), mapping=MAP)
    assert max(row[0] for row in toy.rows("SELECT rms_mas FROM wcs_solution")) < 0.5
    assert toy.rows("SELECT sum(n_star) FROM wcs_solution") == [(159,)]


def test_the_same_file_again_changes_nothing_and_another_run_gets_its_own(toy, tmp_path):
    path = save(stars(7), tmp_path / "a.fits")
    toy.ingest(path, mapping=MAP)
    again = toy.ingest(path, mapping=MAP)
    assert (again.counts["n_known"], again.counts["n_stored"], again.counts["n_row"]) == (4, 0, 0)
    other = toy.open_run("other")
    assert toy.ingest(path, mapping=MAP, run_id=other).counts["n_stored"] == 4
    assert toy.rows("SELECT run_id, count(*) FROM source GROUP BY run_id ORDER BY run_id") == [(1, 160), (other, 160)]
    assert toy.rows("SELECT count(*) FROM frame") == [(4,)]


def test_a_frame_from_a_file_of_other_content_is_refused_with_all_of_it(toy, tmp_path):
    toy.ingest(save(stars(7, ccds=(0,)), tmp_path / "a.fits"), mapping=MAP)
    outcome = toy.ingest(save(stars(7, seed=2), tmp_path / "b.fits"), mapping=MAP)
    assert [code for _, code, _ in outcome.refusals] == ["duplicate_frame"]
    assert toy.rows("SELECT count(*), count(DISTINCT ccd) FROM source") == [(40, 1)]
    assert toy.rows("SELECT count(*) FROM task") == [(1,)]


def test_rows_without_a_position_are_counted_and_told(toy, tmp_path):
    table = stars(7)
    table["x"][3] = np.nan
    table["ra"][100] = np.nan
    outcome = toy.ingest(save(table, tmp_path / "a.fits"), mapping=MAP)
    assert (outcome.counts["n_no_position"], outcome.counts["n_row"]) == (2, 158)
    assert toy.rows("SELECT reason FROM ingest_refusal") == [("nan_coordinates",)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (["ccd:=9"], "unknown_ccd"),
        (["filter:=HSC-Q"], "unknown_filter"),
        (["x=nothing"], "missing_column"),
        (["visit=counts"], "bad_column"),
        (["visit:=99999999"], "visit_too_large"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(toy, tmp_path, change, code):
    words = {word.partition("=")[0].rstrip(":"): word for word in [*MAP, *change]}
    mapping = [word for word in words.values() if code != "missing_column" or word[:2] not in ("ra", "de")]
    outcome = toy.ingest(save(stars(7), tmp_path / "a.fits"), mapping=mapping)
    assert [one for _, one, _ in outcome.refusals] == [code]
    assert toy.rows("SELECT count(*) FROM visit") == [(0,)]
    assert toy.rows("SELECT reason FROM ingest_refusal") == [(code,)]


def test_fluxes_come_from_magnitudes_or_signal_to_noise(toy, tmp_path):
    table = stars(7, 5)
    table["mag"], table["snr"] = 20.0, 50.0
    base = [word for word in MAP if not word.startswith(("flux", "zero"))]
    toy.ingest(save(table, tmp_path / "a.fits"), mapping=[*base, "mag=mag", "snr=snr", "zero_point:=25"])
    flux, err = toy.rows("SELECT aper_12_0_flux_e, aper_12_0_flux_e_err FROM source LIMIT 1")[0]
    assert flux == pytest.approx(100.0)
    assert (
        err is None
    )  # a magnitude without an error: the ratio is that of the detection, and gives the position's error
    assert toy.rows("SELECT x_pix_err FROM source LIMIT 1")[0][0] == pytest.approx(1.0 / 0.168 / 2.355 / 50.0)
    table["expnum"] = 8
    toy.ingest(save(table, tmp_path / "b.fits"), mapping=[*base, "snr=snr"])
    assert toy.rows("SELECT DISTINCT aper_12_0_flux_e, aper_12_0_flux_e_err FROM source WHERE visit = 8") == [
        (2500.0, 50.0)
    ]


def ldac(path: Path, camera, ccd: int, table: Table) -> Path:
    """A FITS_LDAC file of SExtractor, with the header of a raw frame of the toy camera and a TAN-SIP."""
    header = fits.Header({"EXP-ID": "HSCA04090000", "FRAMEID": "HSCA04090001", "DET-ID": ccd, "DATA-TYP": "OBJECT",
                          "FILTER01": "HSC-g", "EXPTIME": 30.0, "MJD-STR": 57000.0, "RA2000": "00:00:00",
                          "DEC2000": "40:00:00", "MAGZERO": 28.0})  # fmt: skip
    header.extend(fits.Header(wcs_cards(focalplane.initial_wcs(camera, camera.ccds[ccd], 0.0, 40.0, 20.0))))
    text = header.tostring()
    cards = np.array([[text[i : i + 80] for i in range(0, len(text), 80)]])
    head = fits.BinTableHDU.from_columns(
        [fits.Column("Field Header Card", f"{cards.size * 80}A", dim=f"(80, {cards.size})", array=cards)],
        name="LDAC_IMHEAD",
    )
    fits.HDUList([fits.PrimaryHDU(), head, fits.BinTableHDU(table.as_array(), name="LDAC_OBJECTS")]).writeto(path)
    return path


def test_sextractor_files_bring_their_header(toy, tmp_path):
    own = stars(1, 20, ccds=(1,))
    table = Table({"XWIN_IMAGE": own["x"], "YWIN_IMAGE": own["y"], "FLUX_AUTO": own["counts"],
                   "FLUXERR_AUTO": own["noise"],
                   "ERRX2WIN_IMAGE": np.full(20, 0.01), "ERRY2WIN_IMAGE": np.full(20, 0.04),
                   "FLAGS": np.arange(20, dtype="i2") % 5, "CLASS_STAR": np.full(20, 0.98, "f4")})  # fmt: skip
    outcome = toy.ingest(ldac(tmp_path / "a.cat", toy.camera, 1, table), preset="sextractor-ldac")
    assert outcome.refusals == []
    assert toy.rows("SELECT visit, ccd, filter, exposure_s FROM frame JOIN visit USING (visit)") == [
        (40900, 1, "HSC-G", 30.0)
    ]
    rows = toy.rows("SELECT x_pix, x_pix_err, y_pix_err, flags, extendedness, ra, dec FROM source JOIN source_sky "
                    "USING (run_id, visit, source_id) ORDER BY source_id")  # fmt: skip
    assert rows[0][:3] == pytest.approx((own["x"][0] - 1, 0.1, 0.2))
    off = sphere.separation([row[5] for row in rows], [row[6] for row in rows], own["ra"], own["dec"])
    assert off.max() * 3.6e6 < 0.5
    assert rows[4][3] == (1 << BIT["saturated"]) | (1 << BIT["saturated_center"])
    assert rows[0][4] == pytest.approx(0.02)
    assert toy.rows("SELECT flux_mag0_e FROM flux_scale")[0][0] == pytest.approx(10 ** (0.4 * 28.0))
    assert toy.rows("SELECT header->'MAGZERO'->>0 FROM frame_header") == [("28.0",)]


def test_hscpipe_source_tables_tell_their_frame_by_their_ids(toy, tmp_path):
    own = stars(904, 20, ccds=(2,))
    names = ["base_PixelFlags_flag_saturated", "base_PixelFlags_flag_edge", "calib_psf_used"]
    flags = np.zeros((20, 3), dtype=bool)
    flags[4, 0] = flags[5, 1] = flags[6, 2] = True
    rows = np.zeros(20, [("flags", "?", (3,)), ("id", "i8"), ("coord_ra", "f8"), ("coord_dec", "f8"),
                         ("base_SdssCentroid_x", "f8"), ("base_SdssCentroid_y", "f8"), ("base_SdssCentroid_xErr", "f4"),
                         ("base_PsfFlux_instFlux", "f8"), ("base_PsfFlux_instFluxErr", "f8"),
                         ("base_CircularApertureFlux_12_0_instFlux", "f8"),
                         ("base_ClassificationExtendedness_value", "f8")])  # fmt: skip
    rows["flags"], rows["id"] = flags, ((904 * 200 + 2) << 32) + np.arange(1, 21)
    rows["coord_ra"], rows["coord_dec"] = np.radians(own["ra"]), np.radians(own["dec"])
    rows["base_SdssCentroid_x"], rows["base_SdssCentroid_y"] = own["x"] - 1, own["y"] - 1
    rows["base_PsfFlux_instFlux"], rows["base_PsfFlux_instFluxErr"] = own["counts"], own["noise"]
    rows["base_CircularApertureFlux_12_0_instFlux"] = own["counts"] * 1.1
    rows["base_ClassificationExtendedness_value"] = np.arange(20) % 2
    hdu = fits.BinTableHDU(rows)
    hdu.header.update({f"TFLAG{n}": name for n, name in enumerate(names, start=1)})
    hdu.columns["coord_ra"].unit = hdu.columns["coord_dec"].unit = "rad"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "SRC-0000904-002.fits")
    outcome = toy.ingest(tmp_path, preset="lsst-src", mapping=["filter:=HSC-I"])
    assert outcome.refusals == []
    assert toy.rows("SELECT visit, ccd, filter FROM frame JOIN visit USING (visit)") == [(904, 2, "HSC-I")]
    found = toy.rows("SELECT flags, psf_flux_e, aper_12_0_flux_e, extendedness FROM source ORDER BY source_id")
    bits = [1 << BIT[name] for name in ("saturated", "edge", "psf_used")]
    assert [found[n][0] for n in (3, 4, 5, 6)] == [0, *bits]
    assert found[0][1:] == pytest.approx((own["counts"][0], own["counts"][0] * 1.1, 0.0), rel=1e-6)
