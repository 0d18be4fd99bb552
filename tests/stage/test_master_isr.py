"""master and isr on raw frames of the toy camera whose light is known."""

import os
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy.io import fits
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from hscdb import pipeline
from hscdb.errors import InputError
from hscdb.fits import product
from hscdb.image import stats
from hscdb.image.mask import BAD, INTRP, SAT, UNMASKEDNAN
from hscdb.ingest.stage import ingest_raw
from hscdb.run import rerun, select
from hscdb.run.config import resolve
from hscdb.run.execute import Command, Outcome
from hscdb.run.repository import Repository, enter_camera
from hscdb.run.stage import Work
from hscdb.simulate import exposure, frame
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate

SETUP = Setup(camera="toy", n_visit=1, star_density=1.0, cosmic_per_s=20.0, n_bias=3, n_dark=4, n_flat=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw frames of one science visit, 3 biases, 4 darks and 3 flats."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, SETUP)
    return folder


def opened(folder: Path, dsn: str, files: Path) -> Repository:
    """A repository of the toy camera that knows these frames."""
    (folder / "hscdb.toml").write_text('camera = "toy"\n')
    found = Repository.open(folder, dsn)
    enter_camera(found.engine, found.camera)
    counts = ingest_raw(found.engine, folder, found.camera, [files / "raw", files / "calib"]).counts
    assert counts["n_stored"] == counts["n_file"] > 0
    return found


@pytest.fixture(scope="module")
def full(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Repository]:
    """All frames, masters in run calib, isr done in run out. Tests leave its rows as they are."""
    name = f"hscdb_isr_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    found = opened(tmp_path_factory.mktemp("repository"), make_conninfo(server_dsn, dbname=name), files)
    make_masters(found)
    outcome = do(found, "isr", "out", calib_run_id=calib_run(found))
    assert outcome.exit_status == 0, (outcome.reports, outcome.bugs)
    yield found
    found.close()
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def repository(fresh_dsn: str, tmp_path: Path, files: Path) -> Iterator[Repository]:
    """All frames, and nothing done; free to be changed."""
    found = opened(tmp_path, fresh_dsn, files)
    yield found
    found.close()


def do(repository: Repository, name: str, word: str, ids: Any = None, words: Any = (), **more: Any) -> Outcome:
    """One stage as from the command line."""
    found = {each: pipeline.load(each) for each in ("master", "isr")}
    settings = resolve({each: stage.config for each, stage in found.items()}, words=list(words))
    run = rerun.open_run(repository.engine, word, settings, [name], is_clobber=True)
    return Command(repository, run, [found[name]], select.parse(ids, None), **more).execute()


def rows(repository: Repository, statement: str) -> list[Any]:
    with psycopg.connect(repository.start()) as connection:
        return connection.execute(statement).fetchall()


def calib_run(repository: Repository) -> int:
    return int(rows(repository, "SELECT run_id FROM run WHERE name = 'calib'")[0][0])


def make_masters(repository: Repository, kinds: tuple[str, ...] = ("bias", "dark", "flat")) -> None:
    for kind in kinds:
        outcome = do(repository, "master", "calib", options={"kind": kind})
        assert outcome.exit_status == 0, (outcome.reports, outcome.bugs)


def failures(outcome: Outcome) -> tuple[set[str], str]:
    """Reason codes, and the first message."""
    return {code for _, code, _ in outcome.reports[0].failures}, outcome.reports[0].failures[0][2]


def test_masters_are_what_the_frames_were_made_with(full: Repository) -> None:
    camera = full.camera
    found = {(kind, ccd): product.read_plane(full.path / place, "IMAGE") for kind, ccd, place in rows(
        full, "SELECT kind, ccd, path FROM master JOIN master_kind USING (master_kind_id)")}  # fmt: skip
    assert len(found) == 12
    lamp = next(one for one in exposure.exposures(SETUP, camera) if one.kind == "flat")
    scale = []
    for ccd in range(4):
        bias, dark, flat = (found[kind, ccd] for kind in ("bias", "dark", "flat"))
        assert abs(stats.median(bias)) < 1.0  # the level went with the overscan
        assert stats.clipped_mean(dark) == pytest.approx(0.02, rel=0.25)
        assert (dark > 1.0).mean() < 0.01  # hot pixels and defects, no cosmic rays
        scale.append(np.nanmedian(flat / frame.flat_light(SETUP, camera, camera.ccds[ccd], lamp)))
    assert np.mean([np.nanmean(found["flat", ccd]) for ccd in range(4)]) == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(scale / np.mean(scale), 1, atol=1e-3)  # ccds keep their relative response
    clipped = rows(full, "SELECT split_part(data_id, ' ', 1), max(CAST(funnel ->> 'n_pixel_rejected' AS integer))"
                         " FROM task WHERE stage = 'master' GROUP BY 1 ORDER BY 1")  # fmt: skip
    # 4 sigma of 3 or 4 frames about the middle of them; the darks also lose their cosmic rays
    assert [kind for kind, _ in clipped] == ["kind=bias", "kind=dark", "kind=flat"]
    assert clipped[0][1] < 1e-3 * 3 * 512**2
    assert clipped[2][1] < 1e-3 * 3 * 512**2
    assert 1000 < clipped[1][1] < 0.1 * 4 * 512**2
    inputs = rows(full, "SELECT kind, count(*), min(weight), max(weight), min(i.mean_level) FROM master_input AS i"
                        " JOIN master USING (master_id) JOIN master_kind USING (master_kind_id)"
                        " GROUP BY kind ORDER BY kind")  # fmt: skip
    assert [row[:2] for row in inputs] == [("bias", 12), ("dark", 16), ("flat", 12)]
    assert inputs[1][2:4] == (300.0, 300.0)
    assert inputs[2][4] > 30000


def test_a_clean_frame_is_the_light_that_fell_on_it(full: Repository) -> None:
    camera = full.camera
    science = next(one for one in exposure.exposures(SETUP, camera) if one.kind == "science")
    flats = dict(rows(full, "SELECT ccd, path FROM master JOIN master_kind USING (master_kind_id) WHERE kind = 'flat'"))
    for ccd in range(4):
        place = product.path("postISRCCD", visit=science.visit, ccd=ccd, filter=science.filter)
        image, header = product.read_image(full.path / "rerun" / "out" / place)
        light = frame.sky_light(SETUP, camera, camera.ccds[ccd], science)
        frame._add_objects(SETUP, camera, camera.ccds[ccd], science, light)
        flat = product.read_plane(full.path / flats[ccd], "IMAGE")
        good = image.mask == 0
        assert good.mean() > 0.9
        residual, noise = (image.data * flat - light)[good], (np.sqrt(image.variance) * flat)[good]
        mean, sigma, n_kept = stats.clipped(residual / noise)
        assert abs(mean) < 0.05  # gain, level and dark charge are right
        assert sigma == pytest.approx(0.9866, abs=0.03)  # and so is the variance
        assert n_kept > 0.98 * good.sum()
        assert np.isfinite(image.data).all()
        assert np.isfinite(image.variance).all()
        assert header["SKYLEVEL"] == pytest.approx(np.nanmedian(light / flat), rel=0.01)
        assert (header["BUNIT"], header["EXPTIME"], header["DETSER"]) == ("electron", 30.0, ccd)
        assert header["OBJECT"]  # the raw frame's own cards are there
        assert "CRVAL1" not in header
        assert not (image.mask[image.mask & (SAT | BAD | UNMASKEDNAN) == 0] & INTRP).any()


def test_rows_tell_what_was_found_and_used(full: Repository) -> None:
    found = rows(full, "SELECT ccd, CAST(overscan_adu AS real[]), CAST(read_noise_e AS real[]),"
                       " CAST(gain_e_per_adu AS real[]), sky_level_e, sky_sigma_e, n_saturated, n_bad,"
                       " bias_master_id, dark_master_id, flat_master_id FROM frame_isr ORDER BY ccd")  # fmt: skip
    used = rows(full, "SELECT array_agg(master_id ORDER BY master_kind_id) FROM master GROUP BY ccd ORDER BY ccd")
    assert [row[0] for row in found] == [0, 1, 2, 3]
    for row, (master_ids,) in zip(found, used, strict=True):
        amps = full.camera.ccds[row[0]].amplifiers
        assert list(row[8:]) == master_ids
        np.testing.assert_allclose(row[1], 1000, atol=100)
        np.testing.assert_allclose(row[2], [a.read_noise_e for a in amps], rtol=0.1)
        np.testing.assert_allclose(row[3], [a.gain_e_per_adu for a in amps])
        assert row[5] == pytest.approx(np.sqrt(row[4]), rel=0.15)


def isr_work(repository: Repository, connection: Any, files: Any, **more: Any) -> Work:
    """Work on the science frame of ccd 2, with a task row that is not kept."""
    run_id = rows(repository, "SELECT run_id FROM run WHERE name = 'out'")[0][0]
    visit = rows(repository, "SELECT visit FROM visit WHERE data_type = 'science'")[0][0]
    statement = text("INSERT INTO task (run_id, stage, data_id) VALUES (:r, 'isr', :d) RETURNING task_id")
    task_id = connection.execute(statement, {"r": run_id, "d": uuid.uuid4().hex}).scalar_one()
    return Work(connection, run_id, task_id, {"visit": visit, "ccd": 2}, repository.camera, files, repository.path,
                calib_run_id=calib_run(repository), **more)  # fmt: skip


def test_what_detect_takes_at_once_is_not_written(full: Repository) -> None:
    stage = pipeline.load("isr")
    with full.engine.connect() as connection:
        files: Any = None  # writing anything would fail
        work = isr_work(full, connection, files, options={"followed_by": ("detect", "calibrate")})
        stage.run(work, stage.config())
        assert work.carry["postISRCCD"].shape == (512, 512)
        assert "SKYLEVEL" in [card[0] for card in work.carry["cards"]]
        with pytest.raises(AttributeError):
            stage.run(isr_work(full, connection, files), stage.config())
        connection.rollback()


def test_the_files_of_the_next_frame_are_read_ahead(full: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def advise(number: int, offset: int, length: int, how: int) -> None:
        assert (offset, length, how) == (0, 0, os.POSIX_FADV_WILLNEED)
        asked.append(os.path.realpath(f"/proc/self/fd/{number}"))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    visits = rows(full, "SELECT visit FROM frame_isr WHERE ccd = 2 ORDER BY 1")
    outcome = do(full, "isr", "ahead", calib_run_id=calib_run(full), ids=[["ccd=2..3", f"visit={visits[0][0]}"]])
    assert outcome.exit_status == 0
    names = rows(full, f"SELECT path FROM frame WHERE visit = {visits[0][0]} AND ccd = 3 AND kind = 'raw'")
    names += rows(full, "SELECT path FROM master JOIN master_kind USING (master_kind_id) WHERE ccd = 3")
    assert sorted(asked) == sorted(os.path.realpath(full.path / name) for (name,) in names)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("night + 400", r"no certified bias on 2014-12-07; the nearest ends 2014-05-01\."),
        ("night - 300", r"no certified bias on 2013-01-06; the nearest begins 2013-05-06\."),
        ("NULL", "the frame has no date"),
    ],
)
def test_a_frame_without_master_says_which_is_nearest(full: Repository, change: str, said: str) -> None:
    stage = pipeline.load("isr")
    with full.engine.connect() as connection:
        files: Any = None
        work = isr_work(full, connection, files)
        connection.execute(text(f"UPDATE visit SET night = {change} WHERE data_type = 'science'"))
        with pytest.raises(InputError, match=said) as caught:
            stage.run(work, stage.config())
        connection.rollback()
    assert caught.value.code == "no_master"
    assert f"visit={work.unit['visit']} ccd=2: " in str(caught.value)
    assert "isr.do_bias=false" in str(caught.value)


def test_masters_can_be_done_without(repository: Repository) -> None:
    codes, said = failures(do(repository, "isr", "out"))
    assert codes == {"no_master"}
    assert "there is none of ccd 0 on any night" in said
    assert rows(repository, "SELECT count(*) FROM frame_isr") == [(0,)]
    words = [f"isr.do_{kind}=false" for kind in ("bias", "dark", "flat")]
    assert do(repository, "isr", "out", words=words).exit_status == 0
    assert rows(repository, "SELECT count(*), count(flat_master_id) FROM frame_isr") == [(4, 0)]


def test_flats_need_bias_and_dark_unless_told_otherwise(repository: Repository) -> None:
    codes, said = failures(do(repository, "master", "calib", options={"kind": "flat"}))
    assert codes == {"no_master"}
    assert "master.do_bias=false" in said
    words = ["master.do_bias=false", "master.do_dark=false"]
    assert do(repository, "master", "calib", options={"kind": "flat"}, words=words).exit_status == 0


def test_masters_made_again_replace_the_old_and_selections_are_kept_to(repository: Repository) -> None:
    make_masters(repository, ("bias",))
    assert rows(repository, "SELECT n_input FROM master ORDER BY ccd") == [(3,)] * 4
    visits = [row[0] for row in rows(repository, "SELECT visit FROM visit WHERE data_type = 'bias' ORDER BY visit")]
    ids = [[f"visit={visits[0]}..{visits[1]}", "ccd=0"]]
    assert do(repository, "master", "calib", ids, options={"kind": "bias"}).exit_status == 0
    assert rows(repository, "SELECT n_input FROM master ORDER BY ccd") == [(2,), (3,), (3,), (3,)]
    assert rows(repository, "SELECT count(*) FROM product WHERE dataset = 'bias'") == [(4,)]


def test_neighbors_share_the_time_between_them(repository: Repository) -> None:
    with psycopg.connect(repository.start()) as connection:
        connection.execute("UPDATE visit SET night = night + 41 WHERE visit IN"
                           " (SELECT max(visit) FROM visit WHERE data_type = 'bias')")  # fmt: skip
    make_masters(repository, ("bias",))
    found = rows(repository, "SELECT calib_date, lower(validity), upper(validity), n_input FROM master"
                             " WHERE ccd = 1 ORDER BY calib_date")  # fmt: skip
    (first, low, middle, n_first), (second, again, high, n_second) = found
    assert (n_first, n_second) == (2, 1)
    assert (second - first).days == 41
    assert (first - low).days == 180
    assert middle == again == date.fromordinal(first.toordinal() + 21)
    assert (high - second).days == 181


def test_too_few_frames_are_an_error(repository: Repository) -> None:
    outcome = do(repository, "master", "calib", options={"kind": "bias"}, words=["master.n_frame_min=4"])
    codes, said = failures(outcome)
    assert codes == {"too_few_frames"}
    assert "3 raw frames, 4 needed" in said


def test_a_damaged_frame_fails_alone(repository: Repository) -> None:
    (path,) = rows(repository, "SELECT f.path FROM frame AS f JOIN visit USING (visit)"
                               " WHERE data_type = 'science' AND ccd = 1")[0]  # fmt: skip
    target = repository.path / path
    content = target.read_bytes()
    target.unlink()  # it may be a link to the simulated file
    target.write_bytes(content[: len(content) // 2])
    words = [f"isr.do_{kind}=false" for kind in ("bias", "dark", "flat")]
    codes, _ = failures(do(repository, "isr", "out", words=words))
    assert codes == {"truncated_fits"}
    assert rows(repository, "SELECT array_agg(ccd ORDER BY ccd) FROM frame_isr") == [([0, 2, 3],)]


def test_a_refused_frame_leaves_a_reason_and_the_figures_of_its_checks(repository: Repository) -> None:
    words = [f"isr.do_{kind}=false" for kind in ("bias", "dark", "flat")]
    codes, said = failures(do(repository, "isr", "out", words=[*words, "isr.vet_background_max_adu=20"]))
    assert codes == {"high_background"}
    assert "adu (at most 20)" in said
    found = rows(repository, "SELECT check_name, is_good, figure, figure_limit, status, reason FROM frame_vet"
                             " JOIN task USING (task_id) WHERE frame_vet.ccd = 1 ORDER BY check_name")  # fmt: skip
    assert {row[0]: row[1] for row in found} == {
        "size": True, "empty": True, "background": False, "high_pixels": True, "fixed_value": True, "histogram": True,
        "acf": True,
    }  # fmt: skip
    figures = {row[0]: row[2:4] for row in found}
    assert figures["background"][0] > figures["background"][1] == 20.0
    assert figures["size"] == (560 * 536, 560 * 536)
    assert {row[4:] for row in found} == {("failed", "high_background")}
    assert rows(repository, "SELECT count(*) FROM frame_isr") == [(0,)]
    assert do(repository, "isr", "out", words=words).exit_status == 0  # the limit is mended: the old rows are gone
    assert rows(repository, "SELECT count(*), count(DISTINCT ccd), bool_and(is_good) FROM frame_vet") == [(28, 4, True)]
    codes, said = failures(do(repository, "isr", "dark", words=[*words, "isr.vet_background_min_adu=1000"]))
    assert codes == {"low_background"}
    assert "adu (at least 1000)" in said
    codes = do(repository, "isr", "bare", words=[*words, "isr.do_vet=false"])
    assert codes.exit_status == 0
    assert rows(repository, "SELECT count(*) FROM frame_vet") == [(56,)]


def test_an_amplifier_that_fell_silent_is_found(repository: Repository) -> None:
    (path,) = rows(repository, "SELECT f.path FROM frame AS f JOIN visit USING (visit)"
                               " WHERE data_type = 'science' AND ccd = 3")[0]  # fmt: skip
    target, ccd = repository.path / path, repository.camera.ccds[3]
    content = target.read_bytes()
    target.unlink()  # it may be a link to the simulated file
    target.write_bytes(content)
    amp = ccd.amplifiers[1]
    with fits.open(target, mode="update") as opened:
        pixels = opened[0].data[:, ::-1]  # flipped on read
        scan = pixels[amp.overscan.slices]
        pixels[amp.raw_box.slices] = np.resize(scan.ravel(), amp.raw_box.width * amp.raw_box.height).reshape(512, 256)
    words = [f"isr.do_{kind}=false" for kind in ("bias", "dark", "flat")]
    assert do(repository, "isr", "out", words=words).exit_status == 0
    found = rows(repository, "SELECT i.ccd, n_bad, CAST(funnel ->> 'n_amplifier_bad' AS integer) FROM frame_isr AS i"
                             " JOIN task USING (task_id) ORDER BY 1")  # fmt: skip
    assert [row[2] for row in found] == [0, 0, 0, 1]
    assert found[3][1] >= 512 * 256 > max(row[1] for row in found[:3])
