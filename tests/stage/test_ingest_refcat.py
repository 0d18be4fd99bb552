"""Reference catalogs into the database: formats, presets, maps, missing values, repetitions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pyarrow
import pyarrow.parquet
import pytest
from astropy.table import Table

from hscdb.db.engine import connect
from hscdb.errors import ConfigError
from hscdb.fits.table import write_table
from hscdb.ingest.stage_refcat import ingest_refcat

GAIA = Table(
    {
        "source_id": np.array([4463068845631907456, 4463068845631907457, 7], dtype="i8"),
        "ra": [359.9999, 0.0001, 10.0],
        "dec": [89.5, -45.0, 2.0],
        "ra_error": [0.2, 0.0, 0.3],
        "dec_error": [0.1, 0.2, 0.3],
        "ref_epoch": [2016.0, 2016.0, 2016.0],
        "pmra": [-8.1, 0.0, np.nan],
        "pmra_error": [0.4, 0.0, np.nan],
        "pmdec": [1.5, 0.0, np.nan],
        "pmdec_error": [0.4, 0.0, np.nan],
        "parallax": [0.0, 0.0, np.nan],
        "parallax_error": [0.3, 0.0, np.nan],
        "phot_g_mean_mag": [15.0, 16.0, np.nan],
        "phot_g_mean_flux_over_error": [1000.0, 0.0, 10.0],
        "phot_variable_flag": ["NOT_AVAILABLE", "VARIABLE", "CONSTANT"],
    }
)


class Catalogs:
    """The database, and what is in it."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.engine = dsn, connect(dsn, pool=False)

    def ingest(self, name, *words, **options):
        return ingest_refcat(self.engine, name, words, **options)

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def catalogs(fresh_dsn: str) -> Iterator[Catalogs]:
    catalogs = Catalogs(fresh_dsn)
    yield catalogs
    catalogs.engine.dispose()


def save(table: Table, path: Path) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({name: np.asarray(table[name]) for name in table.colnames}), path)
    elif path.suffix == ".fits":
        write_table(path, table.as_array())
    else:
        table.write(path, format={".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".vot": "votable"}[path.suffix])
    return path


@pytest.mark.parametrize("ending", ["fits", "ecsv", "csv", "parquet", "vot"])
def test_gaia_comes_the_same_from_every_format(catalogs, tmp_path, ending):
    outcome = catalogs.ingest("gaia_dr3", save(GAIA, tmp_path / f"gaia.{ending}"))
    assert (outcome.counts["n_row"], outcome.counts["n_stored"], outcome.refusals) == (3, 3, [])
    stars = catalogs.rows(
        "SELECT ref_id, ra, dec, ra_mas_err, pm_ra_mas_yr, parallax_mas, epoch_mjd, is_variable FROM ref_star "
        "ORDER BY ref_id DESC"
    )
    assert [star[0] for star in stars] == [4463068845631907457, 4463068845631907456, 7]
    assert stars[1][1:3] == (359.9999, 89.5)
    assert stars[1][3:6] == pytest.approx((0.2, -8.1, 0.0))  # a parallax of 0 with an error is one
    assert stars[0][3:6] == (None, None, None)  # errors of 0: nothing was measured
    assert stars[2][4:6] == (None, None)
    assert stars[1][6] == 57388.5  # 2016.0
    assert [star[7] for star in stars] == [True, False, False]
    fluxes = catalogs.rows("SELECT ref_id, band, flux_njy, flux_njy_err FROM ref_flux ORDER BY flux_njy DESC")
    assert [flux[:2] for flux in fluxes] == [(4463068845631907456, "G"), (4463068845631907457, "G")]
    assert -2.5 * np.log10(fluxes[0][2] / 3631e9) == pytest.approx(15.1136)  # Vega to AB
    assert fluxes[0][3] == pytest.approx(fluxes[0][2] / 1000.0)
    assert fluxes[1][3] is None
    assert catalogs.rows("SELECT name, preset, n_star, bands FROM ref_catalog") == [("gaia_dr3", "gaia", 3, ["G"])]


def test_repetitions_change_nothing(catalogs, tmp_path):
    path = save(GAIA, tmp_path / "gaia.fits")
    catalogs.ingest("gaia", path)
    before = catalogs.rows("SELECT * FROM ref_star ORDER BY ref_id")
    assert catalogs.ingest("gaia", path).counts["n_known"] == 3
    more = Table(GAIA)
    more["source_id"][2] = 8
    more["ra"] = more["ra"] + 1e-3
    outcome = catalogs.ingest("gaia", save(more, tmp_path / "more.fits"), save(GAIA, tmp_path / "copy.csv"))
    assert (outcome.counts["n_stored"], outcome.counts["n_known"]) == (1, 5)
    assert catalogs.rows("SELECT * FROM ref_star WHERE ref_id <> 8 ORDER BY ref_id") == before
    assert catalogs.rows("SELECT n_star FROM ref_catalog") == [(4,)]
    assert catalogs.rows("SELECT sum(n_stored) FROM ref_file") == [(4,)]


def test_the_same_star_twice_in_a_file_is_stored_once(catalogs, tmp_path):
    twice = Table(GAIA[[0, 1, 0]])
    outcome = catalogs.ingest("gaia", save(twice, tmp_path / "a.fits"))
    assert outcome.counts["n_stored"] == 2
    assert catalogs.rows("SELECT count(*) FROM ref_flux") == [(2,)]


def test_rows_without_a_position_are_counted_and_told(catalogs, tmp_path):
    broken = Table(GAIA)
    broken["ra"][1] = np.nan
    broken["dec"][2] = 95.0
    outcome = catalogs.ingest("gaia", save(broken, tmp_path / "a.fits"))
    assert (outcome.counts["n_stored"], outcome.counts["n_no_position"]) == (1, 2)
    ((reason, message),) = catalogs.rows("SELECT reason, message FROM ingest_refusal")
    assert reason == "nan_coordinates"
    assert "2 of 3" in message


def test_pan_starrs_is_known_by_its_columns(catalogs, tmp_path):
    mast = Table({"objID": ["126041536", "126041537"], "raMean": [10.0, 11.0], "decMean": [1.0, 2.0],
                  "raMeanErr": [0.005, 0.0], "decMeanErr": [0.004, 0.0], "epochMean": [55700.0, 55701.0],
                  "gMeanPSFMag": [18.0, -999.0], "gMeanPSFMagErr": [0.01, -999.0],
                  "rMeanPSFMag": [17.5, 17.0]})  # fmt: skip
    outcome = catalogs.ingest("ps1_pv3", save(mast, tmp_path / "ps1.csv"))
    assert outcome.refusals == []
    assert catalogs.rows("SELECT preset, bands FROM ref_catalog") == [("ps1", ["g", "r"])]
    assert catalogs.rows("SELECT ra_mas_err, epoch_mjd FROM ref_star ORDER BY ref_id") == [
        (5.0, 55700.0),
        (None, 55701.0),
    ]
    rows = catalogs.rows(
        "SELECT band, -2.5 * log(flux_njy / 3631e9), flux_njy_err / flux_njy FROM ref_flux ORDER BY 1, 2"
    )
    assert [row[0] for row in rows] == ["g", "r", "r"]
    assert [row[1] for row in rows] == pytest.approx([18.0, 17.0, 17.5])
    assert rows[0][2] == pytest.approx(0.01 * np.log(10) / 2.5)


def test_any_other_table_is_read_by_a_map(catalogs, tmp_path):
    own = Table(
        {"RAh": [10.0, 12.0], "Dec": [np.radians(1.0), np.radians(2.0)], "mr": [18.0, 19.0], "fz": [100.0, 200.0]}
    )
    own["Dec"].unit = "rad"
    path = save(own, tmp_path / "own.ecsv")
    words = ["ra=RAh*15", "dec=Dec", "mag.r=mr", "mag_err.r:=0.02", "flux.z=fz", "epoch:=2010.5"]
    outcome = catalogs.ingest("own", path, mapping=words)
    assert outcome.counts["n_stored"] == 2
    rows = catalogs.rows("SELECT ra, dec, epoch_mjd FROM ref_star ORDER BY ra")
    np.testing.assert_allclose(rows, [(150.0, 1.0, 55379.625), (180.0, 2.0, 55379.625)])
    assert (
        catalogs.ingest("own", save(own[:1], tmp_path / "b.ecsv"), mapping=words).counts["n_known"] == 1
    )  # same place
    assert catalogs.rows("SELECT flux_njy FROM ref_flux WHERE band = 'z' ORDER BY 1") == [(100.0,), (200.0,)]


@pytest.mark.parametrize("word", ["ra", "ra=", "colour=X", "flux.=X", "magg.r=X"])
def test_a_map_that_makes_no_sense_is_a_usage_error(catalogs, tmp_path, word):
    with pytest.raises(ConfigError) as error:
        catalogs.ingest("x", save(GAIA, tmp_path / "a.fits"), mapping=[word])
    assert error.value.code == "bad_map"


def test_files_that_are_no_catalog_are_refused_one_by_one(catalogs, tmp_path):
    good = save(GAIA, tmp_path / "c.fits")
    (tmp_path / "a.fits").write_bytes(good.read_bytes()[:4000])
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    (tmp_path / "d.vot").write_text("<VOTABLE><broken")
    (tmp_path / "e.fits").write_text("hello")
    outcome = catalogs.ingest("gaia", tmp_path)
    codes = {Path(path).name: code for path, code, _ in outcome.refusals}
    assert codes == {
        "a.fits": "truncated_fits",
        "b.csv": "unknown_columns",
        "d.vot": "not_table",
        "e.fits": "not_table",
    }
    assert outcome.counts["n_stored"] == 3
    assert len(catalogs.rows("SELECT * FROM ingest_refusal")) == 4
    missing = catalogs.ingest("gaia", tmp_path / "b.csv", mapping=["ra=RA", "dec=y"])
    assert [code for _, code, _ in missing.refusals] == ["missing_column"]
