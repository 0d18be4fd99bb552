"""Fringe, sky and defect masters of a fringing filter of the toy camera, and frames that are cleaned with them."""

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hscdb import pipeline
from hscdb.fits import product
from hscdb.image import stats
from hscdb.image.mask import BAD
from hscdb.ingest.stage import ingest_raw
from hscdb.run import rerun, select
from hscdb.run.config import resolve
from hscdb.run.execute import Command, Outcome
from hscdb.run.repository import Repository, enter_camera
from hscdb.simulate import exposure, fringe
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate

SETUP = Setup(
    camera="toy", n_visit=6, filters=("HSC-Y",), exposure_s=200.0, star_density=4.0, n_bias=3, n_dark=3, n_flat=3,
    dither_ccd=0.3, fringe=0.02, ccds=(0, 2), cosmic_per_s=15.0,
)  # fmt: skip
KINDS = ("bias", "dark", "flat", "defects", "fringe", "sky")


@pytest.fixture(scope="module")
def repository(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Masters of all kinds in run calib; isr with them in runs clean and even (sky), with bias to flat in run plain."""
    name = f"hscdb_sky_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    folder, files = tmp_path_factory.mktemp("repository"), tmp_path_factory.mktemp("simulated")
    simulate(files, SETUP)
    (folder / "hscdb.toml").write_text('camera = "toy"\n')
    found = Repository.open(folder, make_conninfo(server_dsn, dbname=name))
    enter_camera(found.engine, found.camera)
    ingest_raw(found.engine, folder, found.camera, [files / "raw", files / "calib"])
    for kind in KINDS:
        outcome = do(found, "master", "calib", options={"kind": kind})
        assert outcome.exit_status == 0, (outcome.reports, outcome.bugs)
    calib = int(rows(found, "SELECT run_id FROM run WHERE name = 'calib'")[0][0])
    for word, settings in (
        ("clean", []), ("even", ["isr.do_sky=true"]), ("plain", ["isr.do_fringe=false", "isr.do_found_defects=false"]),
    ):  # fmt: skip
        outcome = do(found, "isr", word, settings, calib_run_id=calib)
        assert outcome.exit_status == 0, (outcome.reports, outcome.bugs)
    yield found
    found.close()
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def do(repository: Repository, name: str, word: str, words: Any = (), **more: Any) -> Outcome:
    found = {each: pipeline.load(each) for each in ("master", "isr")}
    settings = resolve({each: stage.config for each, stage in found.items()}, words=list(words))
    run = rerun.open_run(repository.engine, word, settings, [name], is_clobber=True)
    return Command(repository, run, [found[name]], select.parse(None, None), **more).execute()


def rows(repository: Repository, statement: str) -> list[Any]:
    with psycopg.connect(repository.start()) as connection:
        return connection.execute(statement).fetchall()


def master(repository: Repository, kind: str, ccd: int) -> np.ndarray:
    (path,) = rows(repository, "SELECT path FROM master JOIN master_kind USING (master_kind_id)"
                               f" WHERE kind = '{kind}' AND ccd = {ccd}")[0]  # fmt: skip
    return product.read_plane(repository.path / path, "IMAGE")


def clean(repository: Repository, run: str, visit: int, ccd: int) -> Any:
    place = product.path("postISRCCD", visit=visit, ccd=ccd, filter="HSC-Y")
    return product.read_image(repository.path / "rerun" / run / place)[0]


def science(repository: Repository) -> list[exposure.Exposure]:
    return [one for one in exposure.exposures(SETUP, repository.camera) if one.kind == "science"]


@pytest.mark.parametrize("ccd", [0, 2])
def test_the_fringe_master_is_the_pattern_of_the_ccd(repository: Repository, ccd: int) -> None:
    found, true = master(repository, "fringe", ccd), fringe.pattern(SETUP, repository.camera.ccds[ccd])
    inner = np.s_[20:-20, 20:-20]
    assert np.corrcoef(found[inner].ravel(), true[inner].ravel())[0, 1] > 0.97
    strength = [fringe.strength(SETUP, repository.camera, one) for one in science(repository)]
    found_strength = np.sum(found[inner] * true[inner]) / np.sum(true[inner] ** 2)
    # sigma of the smoothing is 1 pixel: of stripes 20 pixels apart a twentieth of the height is lost
    assert 0.9 * np.mean(strength) < found_strength < 1.02 * np.mean(strength)


def test_fringes_are_gone_and_their_strength_is_told(repository: Repository) -> None:
    camera = repository.camera
    told = {(visit, ccd): (e, err, sky) for visit, ccd, e, err, sky in rows(
        repository, "SELECT visit, ccd, fringe_e, fringe_e_err, sky_level_e FROM frame_isr JOIN run USING (run_id)"
                    " WHERE name = 'clean'")}  # fmt: skip
    assert len(told) == 12
    for ccd in (0, 2):
        true = fringe.pattern(SETUP, camera.ccds[ccd])
        mean = np.mean([fringe.strength(SETUP, camera, one) for one in science(repository)])
        ratio = []
        for one in science(repository):
            left = [np.abs(_fringes(clean(repository, run, one.visit, ccd), true)) for run in ("clean", "plain")]
            e, err, sky = told[one.visit, ccd]
            assert left[1] == pytest.approx(fringe.strength(SETUP, camera, one) * sky, rel=0.1)
            assert left[0] < 0.12 * left[1]
            ratio.append(e / sky / (fringe.strength(SETUP, camera, one) / mean))
            assert 0 < err < 0.1 * e
        assert np.std(ratio) / np.mean(ratio) < 0.04  # what changes from visit to visit is followed


def _fringes(image: Any, pattern: np.ndarray) -> float:
    """Amplitude of the pattern in a frame, by pixels near the sky."""
    data = image.data - stats.median(image.data)
    good = (image.mask == 0) & (np.abs(data) < 4 * stats.mad_sigma(data))
    p = pattern[good] - pattern[good].mean()
    return float(p @ data[good] / (p @ p))


def test_bad_pixels_found_join_those_of_the_list(repository: Repository) -> None:
    for ccd in (0, 2):
        found = rows(repository, "SELECT cause, x0_pix, y0_pix, width_pix, height_pix FROM master_defect"
                                 f" JOIN master USING (master_id) WHERE ccd = {ccd}")  # fmt: skip
        listed = {(box.x0, box.y0, box.width, box.height) for box in repository.camera.defects_on(ccd, "2016-01-01")}
        assert {row[1:] for row in found if row[0] == "list"} == listed
        hot = [row[1:] for row in found if row[0] == "hot"]
        dark, flat = master(repository, "dark", ccd), master(repository, "flat", ccd)
        assert 5 < len(hot) < 200  # one pixel in 10 000 is hot, cosmic rays that hit twice are few
        for x0, y0, width, height in hot:
            assert (dark[y0 : y0 + height, x0 : x0 + width] > 0.5).all()
        bad = np.zeros(dark.shape, bool)
        for _, x0, y0, width, height in found:
            bad[y0 : y0 + height, x0 : x0 + width] = True
        assert not ((dark > 1.0) & ~bad).any()
        assert not ((np.abs(flat - np.nanmedian(flat)) > 0.4) & ~bad).any()
        visit = science(repository)[0].visit
        masks = {run: clean(repository, run, visit, ccd).mask & BAD != 0 for run in ("clean", "plain")}
        assert masks["clean"][bad].all()
        assert not masks["plain"][bad].all()
    used = rows(repository, "SELECT name, count(defects_master_id), count(fringe_master_id), count(sky_master_id)"
                            " FROM frame_isr JOIN run USING (run_id) GROUP BY name ORDER BY name")  # fmt: skip
    assert used == [("clean", 12, 12, 0), ("even", 12, 12, 12), ("plain", 0, 0, 0)]
    inputs = rows(repository, "SELECT kind, count(*) FROM master_input JOIN master USING (master_id)"
                              " JOIN master_kind USING (master_kind_id) GROUP BY kind ORDER BY kind")  # fmt: skip
    assert dict(inputs) == {"bias": 6, "dark": 6, "flat": 6, "defects": 12, "fringe": 12, "sky": 12}


def test_provenance_names_all_masters(repository: Repository) -> None:
    visit = science(repository)[0].visit
    found = rows(repository, "SELECT DISTINCT p.kind FROM run AS r"
                             f" CROSS JOIN LATERAL provenance(r.run_id, {visit}::bigint, 0) AS p"
                             " WHERE r.name = 'even' AND p.kind LIKE 'master %'")  # fmt: skip
    assert {row[0] for row in found} == {f"master {kind}" for kind in KINDS}


def test_the_map_is_a_file_too(repository: Repository) -> None:
    (path, count) = rows(repository, "SELECT path, count(*) FROM master JOIN master_defect USING (master_id)"
                                     " WHERE ccd = 0 GROUP BY path")[0]  # fmt: skip
    table = product.read_table(repository.path / path, "DEFECTS")
    assert len(table) == count
    assert set(table["cause"]) >= {"list", "hot"}


def test_the_sky_master_makes_frames_flatter_and_keeps_their_level(repository: Repository) -> None:
    found = dict(rows(repository, "SELECT name, avg(flatness_rms) FROM frame_isr JOIN run USING (run_id)"
                                  " GROUP BY name"))  # fmt: skip
    assert found["even"] < 0.9 * found["clean"]
    for ccd in (0, 2):
        pattern = master(repository, "sky", ccd)
        assert 1e-4 < pattern.std() < 0.02
        for one in science(repository)[:2]:
            levels = [clean(repository, run, one.visit, ccd).data.mean() for run in ("clean", "even")]
            assert levels[1] == pytest.approx(levels[0] / np.median(pattern), rel=0.005)


def test_the_sky_master_knows_what_ccds_are_to_each_other(repository: Repository) -> None:
    """Sky over flat of the two ccds by the truth: colors of sky and lamp. Frames are of one level after it is off."""
    camera = repository.camera
    truth = [exposure.ccd_truth(SETUP, camera.ccds[ccd]).sky_to_lamp for ccd in (0, 2)]
    assert abs(truth[0] / truth[1] - 1) > 0.01
    pattern = [np.median(master(repository, "sky", ccd)) for ccd in (0, 2)]
    assert np.mean(pattern) == pytest.approx(1.0, abs=0.005)  # raw levels have the dark in them
    assert pattern[0] / pattern[1] == pytest.approx(truth[0] / truth[1], abs=0.006)  # a gradient of its own per visit
    step = dict(rows(repository, "SELECT name, avg(ln(a.sky_level_e / b.sky_level_e)) FROM frame_isr AS a"
                                 " JOIN frame_isr AS b USING (run_id, visit) JOIN run USING (run_id)"
                                 " WHERE a.ccd = 0 AND b.ccd = 2 GROUP BY name"))  # fmt: skip
    assert abs(step["even"]) < 0.003 < 0.01 < abs(step["clean"])


def test_the_sky_is_scaled_by_all_ccds_of_the_visit(repository: Repository) -> None:
    found = rows(repository, "SELECT name, visit, ccd, sky_scale_e, n_sky_ccd FROM frame_isr JOIN run USING (run_id)")
    assert {row[3:] for row in found if row[0] != "even"} == {(None, None)}
    even = [row for row in found if row[0] == "even"]
    assert {row[4] for row in even} == {2}
    own = {row[1:3]: row[3] for row in rows(
        repository, "SELECT name, visit, ccd, sky_level_e FROM frame_isr JOIN run USING (run_id) WHERE name = 'clean'")}
    for visit in {row[1] for row in even}:
        (scale,) = {row[3] for row in even if row[1] == visit}
        mean = np.mean([own[visit, ccd] / np.median(master(repository, "sky", ccd)) for ccd in (0, 2)])
        assert scale == pytest.approx(mean, rel=0.01)


def test_the_timeline_shows_gaps_and_overlaps(repository: Repository) -> None:
    found = rows(repository, "SELECT kind, state, n_master, n_visit, last_night - first_night + 1 FROM master_timeline"
                             " WHERE run_name = 'calib' AND ccd = 0 ORDER BY kind, first_night")  # fmt: skip
    assert [row[0] for row in found] == sorted(KINDS)
    assert {row[1:4] for row in found} == {("one", 1, 6)}
    assert all(row[4] == 361 for row in found)
    with psycopg.connect(repository.start()) as connection:
        connection.execute("INSERT INTO run (name, parent_run_id, settings, settings_sha256, code_version)"
                           " SELECT 'later', run_id, '{}', '', '' FROM run WHERE name = 'calib'")  # fmt: skip
        connection.execute("""
            INSERT INTO master (run_id, task_id, master_kind_id, ccd, filter, calib_date, validity, path, n_input,
                                mean_level)
            SELECT r.run_id, m.task_id, m.master_kind_id, m.ccd, m.filter, m.calib_date + 200,
                   daterange(m.calib_date + 100, m.calib_date + 150), m.path || 'x', 1, 0
              FROM master AS m JOIN master_kind USING (master_kind_id), run AS r
             WHERE kind = 'flat' AND ccd = 0 AND r.name = 'later'""")
        connection.execute("UPDATE visit SET night = night + 190 WHERE visit IN"
                           " (SELECT max(visit) FROM visit WHERE data_type = 'science')")  # fmt: skip
        found = connection.execute(
            "SELECT state, n_master, n_visit, last_night - first_night + 1 FROM master_timeline"
            " WHERE run_name = 'later' AND ccd = 0 AND kind = 'flat' ORDER BY first_night"
        ).fetchall()
        connection.rollback()
    assert [row[:3] for row in found] == [("one", 1, 5), ("overlap", 2, 0), ("one", 1, 0), ("gap", 0, 1)]
    assert [row[3] for row in found][1:] == [50, 31, 10]
