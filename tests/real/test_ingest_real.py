"""Catalogs of real telescopes through ingest. Needs HSCDB_TESTDATA (or ../shared/data beside the checkout)."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from hscdb.camera.load import load
from hscdb.db.engine import connect, transaction
from hscdb.db.queries import query
from hscdb.ingest.stage_catalog import ingest_catalog
from hscdb.ingest.stage_refcat import ingest_refcat
from hscdb.run.repository import enter_camera
from hscdb.sky import sphere

DATA = Path(os.environ.get("HSCDB_TESTDATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "last").is_dir(), reason="no real data (HSCDB_TESTDATA)")


class World:
    def __init__(self, dsn: str) -> None:
        self.dsn, self.engine = dsn, connect(dsn, pool=False)

    def ingest(self, camera: str, *words: Path, **options):
        enter_camera(self.engine, load(camera))
        with transaction(self.engine) as connection:
            query("run/insert_run")(
                connection, name="catalog", parent=None, settings={}, settings_sha256="", code_version="0"
            )
            run_id = int(query("run/find_run").one(connection, name="catalog")["run_id"])
        return ingest_catalog(self.engine, load(camera), run_id, words, **options)

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def world(fresh_dsn: str) -> Iterator[World]:
    world = World(fresh_dsn)
    yield world
    world.engine.dispose()


def test_epochs_of_last_become_visits_of_their_own(world):
    files = sorted((DATA / "last" / "single").glob("*.fits"))[::8]
    outcome = world.ingest("last", *files, preset="last")
    assert outcome.refusals == []
    assert outcome.counts["n_stored"] == len(files) == 10
    assert world.rows(
        "SELECT count(DISTINCT visit), min(ccd), max(ccd), min(filter) FROM frame JOIN visit USING (visit)"
    ) == [(10, 16, 16, "clear")]
    ((worst,),) = world.rows("SELECT max(rms_mas) FROM wcs_solution")
    assert worst < 1e-3  # RA and Dec of the tables are the header's TPV at X, Y
    mag = world.rows(
        "SELECT -2.5 * log(p.flux_njy / 3631e9), s.aper_6_0_flux_e, s.aper_12_0_flux_e "
        "FROM source_sky AS p JOIN source AS s USING (run_id, visit, source_id) WHERE p.flux_njy > 0"
    )
    assert 8.0 < np.median([row[0] for row in mag]) < 20.0
    assert all(row[1] == row[2] for row in mag)
    ((spread,),) = world.rows("SELECT max(obs_mjd) - min(obs_mjd) FROM visit")
    assert 8.0 < spread < 8.1
    again = world.ingest("last", *files, preset="last")
    assert (again.counts["n_known"], again.counts["n_stored"]) == (10, 0)


def test_visit_coadds_of_last_share_a_visit_and_not_with_their_epochs(world):
    world.ingest("last", *sorted((DATA / "last" / "single").glob("*20240311*_001_001_016_*")), preset="last")
    outcome = world.ingest("last", DATA / "last" / "coadd", preset="last")
    assert outcome.refusals == []
    frames = world.rows(
        "SELECT visit, count(*), max(exposure_s) FROM frame JOIN visit USING (visit) GROUP BY visit ORDER BY 2"
    )
    assert sorted(row[1] for row in frames) == [1, 1, 4]
    assert sorted(row[2] for row in frames) == [20.0, 400.0, 400.0]


def test_stars_of_decam_find_their_frames(world):
    mapping = [
        "visit=expnum",
        "ccd=ccdnum",
        "x=x",
        "y=y",
        "ra=ra",
        "dec=dec",
        "snr=snr",
        "filter:=unknown",
        "pixel_origin:=1",
    ]
    outcome = world.ingest("decam", DATA / "decam" / "decam_share_D.fits.gz", mapping=mapping)
    assert outcome.refusals == []
    assert (outcome.counts["n_frame"], outcome.counts["n_row"]) == (480, 7760)
    assert world.rows("SELECT count(*), min(visit), max(visit) FROM visit") == [(8, 512200, 514792)]
    ((median, worst),) = world.rows(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rms_mas), max(rms_mas) FROM wcs_solution"
    )
    assert median < 60.0  # a sixth of a pixel of 263 mas, though a frame has 16 stars
    assert worst < 800.0
    ((ratio,),) = world.rows("SELECT avg(aper_12_0_flux_e / aper_12_0_flux_e_err) FROM source")
    assert 20.0 < ratio < 500.0


def test_matched_catalogs_of_hsc_keep_their_magnitudes(world):
    path = DATA / "hsc" / "matchedCatalog_0_70_r.fits.gz"
    outcome = world.ingest("hsc", path, preset="lsst-matched", mapping=["ccd:=49", "filter:=HSC-R"])
    assert outcome.refusals == []
    assert outcome.counts["n_row"] == 2546
    assert [row[0] for row in world.rows("SELECT visit FROM visit ORDER BY 1")] == [903334, 903336, 903342, 903344]
    places = world.rows(
        "SELECT p.ra, p.dec, s.x_pix, s.y_pix FROM source_sky AS p JOIN source AS s USING (run_id, visit, source_id)"
    )
    assert all(320.658 < row[0] < 320.742 and -0.434 < row[1] < -0.246 for row in places)
    ra, dec, x, y = np.array(places).T
    pixel = np.hypot(x[1:] - x[0], y[1:] - y[0]) * 0.168
    np.testing.assert_allclose(
        pixel[:500], sphere.separation(ra[0], dec[0], ra[1:501], dec[1:501]) * 3600, rtol=1e-3, atol=30
    )


def test_gaia_cutouts_are_a_reference_catalog(world):
    outcome = ingest_refcat(world.engine, "gaia_dr2", [DATA / "images" / "decam_legacypipe" / "testcase3" / "gaia"])
    assert outcome.refusals == []
    assert outcome.counts["n_stored"] == 709
    ((n_star, n_motion, epoch),) = world.rows("SELECT count(*), count(pm_ra_mas_yr), max(epoch_mjd) FROM ref_star")
    assert (n_star, epoch) == (709, 57205.875)  # J2015.5
    assert 0 < n_motion < n_star  # without a solution Gaia's columns here are 0: missing
