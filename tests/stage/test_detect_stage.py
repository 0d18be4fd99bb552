"""detect on raw frames of the toy camera: rows and files say the same, and a second run replaces the first."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hscdb import pipeline
from hscdb.fits import header, product
from hscdb.image.mask import CR, DETECTED
from hscdb.image.psf import Psf
from hscdb.ingest.stage import ingest_raw
from hscdb.run import rerun, select
from hscdb.run.config import resolve
from hscdb.run.execute import Command, Outcome
from hscdb.run.repository import Repository, enter_camera
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate

# A CCD of 512 x 512 pixels needs a crowded sky for a PSF that is measured.
SETUP = Setup(camera="toy", n_visit=1, star_density=40.0, cosmic_per_s=1.0, n_bias=1, n_dark=1, n_flat=1)
WITHOUT_MASTERS = ["isr.do_bias=false", "isr.do_dark=false", "isr.do_flat=false"]


@pytest.fixture(scope="module")
def done(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, int]]:
    """A repository in which isr and detect were done on the four frames of one visit, and the visit's number."""
    raw, folder = tmp_path_factory.mktemp("simulated"), tmp_path_factory.mktemp("repository")
    simulate(raw, SETUP)
    (folder / "hscdb.toml").write_text('camera = "toy"\n')
    name = f"hscdb_detect_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    found = Repository.open(folder, make_conninfo(server_dsn, dbname=name))
    enter_camera(found.engine, found.camera)
    ingest_raw(found.engine, folder, found.camera, [raw / "raw"])
    outcome = do(found)
    assert outcome.exit_status == 0, (outcome.reports, outcome.bugs)
    yield found, rows(found, "SELECT max(visit) FROM visit WHERE data_type = 'science'")[0][0]
    found.close()
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def do(repository: Repository, *words: str, rerun_word: str = "out", is_redo: bool = False) -> Outcome:
    """isr and detect as from the command line."""
    stages = [pipeline.load(each) for each in ("isr", "detect")]
    settings = resolve({each.name: each.config for each in stages}, words=[*WITHOUT_MASTERS, *words])
    run = rerun.open_run(repository.engine, rerun_word, settings, ["isr", "detect"])
    return Command(repository, run, stages, select.parse(None, None), is_redo=is_redo).execute()


def rows(repository: Repository, statement: str) -> list[Any]:
    with psycopg.connect(repository.start()) as connection:
        return connection.execute(statement).fetchall()


def place(repository: Repository, dataset: str, visit: int, ccd: int) -> Path:
    statement = f"SELECT path FROM product WHERE dataset = '{dataset}' AND visit = {visit} AND ccd = {ccd}"
    return repository.path / rows(repository, statement)[0][0]


def test_every_frame_has_sources_and_one_row_of_quality(done: tuple[Repository, int]) -> None:
    repository, _ = done
    found = rows(repository, "SELECT ccd, n_source, n_psf_star, psf_model, seeing_arcsec, aper_correction,"
                             " (SELECT count(*) FROM source AS s WHERE s.task_id = q.task_id),"
                             " (SELECT count(*) FROM psf_star AS p WHERE p.task_id = q.task_id AND NOT is_reserved"
                             "   AND NOT is_rejected)"
                             " FROM frame_quality AS q ORDER BY ccd")  # fmt: skip
    assert [row[0] for row in found] == [0, 1, 2, 3]
    for _, n_source, n_star, model, seeing, correction, n_row, n_star_row in found:
        assert n_source == n_row > 10
        assert n_star == n_star_row
        assert model in ("pixel", "constant")
        assert 0.3 < seeing < 2.0
        assert 0.9 < correction < 1.15
    assert rows(repository, "SELECT count(*) FROM source WHERE psf_flux_e = 'NaN' OR x_pix_err = 'NaN'") == [(0,)]
    assert rows(repository, "SELECT count(*) FROM source AS c WHERE parent_id IS NOT NULL AND NOT EXISTS"
                            " (SELECT FROM source AS p WHERE p.source_id = c.parent_id AND p.visit = c.visit"
                            "  AND p.n_child > 1)") == [(0,)]  # fmt: skip


def test_calexp_holds_image_psf_background_and_first_wcs(done: tuple[Repository, int]) -> None:
    repository, visit = done
    path = place(repository, "calexp", visit, 1)
    assert path.name == f"CORR-{visit:07d}-001.fits"
    image, words = product.read_image(path)
    assert abs(np.median(image.data[image.mask == 0])) < 0.1 * np.sqrt(np.median(image.variance))
    assert (image.mask & DETECTED).any()
    assert (image.mask & CR).any()
    psf = Psf.from_table(product.read_table(path, "PSF"), product.read_header(path, "PSF"))
    assert psf.at(100.0, 200.0).sum() == pytest.approx(1.0)
    statement = f"SELECT psf_sigma_pix, background_e FROM frame_quality WHERE visit = {visit} AND ccd = 1"
    quality = rows(repository, statement)
    assert psf.sigma(255.5, 255.5)[0] == pytest.approx(quality[0][0], rel=1e-3)
    assert product.read_header(path, "BACKGROUND")["BGMEAN"] == pytest.approx(quality[0][1])
    wcs = header.wcs_from_header(words)
    ra, _ = wcs.pixel_to_sky(255.5, 255.5)
    assert abs(float(ra) - SETUP.ra) < 1.0
    assert words["EXPTIME"] == 30.0


def test_src_is_the_rows_in_hscpipes_words(done: tuple[Repository, int]) -> None:
    repository, visit = done
    table = product.read_table(place(repository, "src", visit, 2), "SRC")
    stored = rows(repository, "SELECT source_id, x_pix, psf_flux_e, flags, COALESCE(parent_id, 0) FROM source"
                              f" WHERE visit = {visit} AND ccd = 2 ORDER BY source_id")  # fmt: skip
    assert table["id"].tolist() == [row[0] for row in stored]
    np.testing.assert_allclose(table["base_SdssCentroid_x"], [row[1] for row in stored])
    fluxes = np.array([np.nan if row[2] is None else row[2] for row in stored])
    np.testing.assert_allclose(table["base_PsfFlux_instFlux"], fluxes, rtol=1e-6)
    assert (table["flags"] @ (1 << np.arange(table["flags"].shape[1]))).tolist() == [row[3] for row in stored]
    assert table["parent"].tolist() == [row[4] for row in stored]
    assert np.isnan(table["coord_ra"]).all()


def test_a_frame_done_again_has_the_same_rows_and_no_others(done: tuple[Repository, int]) -> None:
    repository, _ = done
    statement = "SELECT s.source_id, x_pix, psf_flux_e, flags FROM source AS s JOIN run USING (run_id)"
    statement += " WHERE name = 'out'"
    before = rows(repository, f"{statement} ORDER BY 1")
    assert do(repository, is_redo=True).exit_status == 0
    assert rows(repository, f"{statement} ORDER BY 1") == before


def test_another_threshold_is_a_run_of_its_own(done: tuple[Repository, int]) -> None:
    repository, _ = done
    assert do(repository, "detect.threshold_sigma=20", rerun_word="out:high").exit_status == 0
    counts = dict(rows(repository, "SELECT name, count(*) FROM source JOIN run USING (run_id) GROUP BY name"))
    assert 0 < counts["high"] < counts["out"]
