"""Stories of bad input on the command line: what is wrong is said, kept as a reason, and costs nothing else."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import rawfile
from astropy.table import Table
from toy import SETUP, Runner, World, untidy

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.fits.table import write_table
from hscdb.simulate.write import simulate

ONE = dataclasses.replace(SETUP, ccds=(0,), n_visit=1)  # one ccd is enough to go wrong
EXTRA = dataclasses.replace(ONE, n_bias=0, n_dark=0, n_flat=0)
# Visits that cannot be done, each for a reason of its own.
ILL = {
    903100: dataclasses.replace(EXTRA, first_visit=903100, star_density=0.2, galaxy_density=0.0),
    903200: dataclasses.replace(EXTRA, first_visit=903200, dec=40.0),
    903300: dataclasses.replace(EXTRA, first_visit=903300, start_mjd=SETUP.start_mjd + 700),
    903400: dataclasses.replace(EXTRA, first_visit=903400),
}


@pytest.fixture(scope="module")
def empty(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A repository of the toy camera with nothing in it."""
    world = World(tmp_path_factory.mktemp("bad"), runner, ONE)
    try:
        world.done("init", "--camera", "toy")
        yield world
    finally:
        world.server.remove()


@pytest.fixture(scope="module")
def ill(empty: World) -> World:
    """With masters, a good visit and four that are ill."""
    for visit, setup in ILL.items():
        simulate(empty.sky / str(visit), setup)
    empty.done("ingest", empty.sky / "raw", empty.sky / "calib", *(empty.sky / str(visit) / "raw" for visit in ILL))
    for kind in ("bias", "dark", "flat"):
        empty.done("master", kind, "--id")
    return empty


def reasons(world: World, run: str) -> dict[tuple[str, int], tuple[str, str]]:
    """{(stage, visit): (reason, message)} of what has failed."""
    found = world.rows(
        "SELECT stage, visit, reason, message FROM task JOIN run USING (run_id) WHERE name = %s AND status = 'failed'",
        run,
    )
    return {(stage, visit): (reason, message) for stage, visit, reason, message in found}


@pytest.fixture
def incoming(empty: World, tmp_path: Path) -> Path:
    """A good file, and one for each way a file can be bad."""
    rawfile.write(tmp_path / "good.fits", change=rawfile.frame_id(40900, 0))
    (tmp_path / "short.fits").write_bytes(
        rawfile.write(tmp_path / "short.fits", change=rawfile.frame_id(40902, 0)).read_bytes()[:100_000]
    )
    (tmp_path / "text.fits").write_text("hello")
    rawfile.write(tmp_path / "small.fits", (500, 560), change=rawfile.frame_id(40904, 0))
    rawfile.write(tmp_path / "mute.fits", change=rawfile.frame_id(40906, 0) | {"FILTER01": None})
    rawfile.write(tmp_path / "strange.fits", change=rawfile.frame_id(40908, 0) | {"FILTER01": "HSC-Q"})
    rawfile.write(tmp_path / "twice.fits", change=rawfile.frame_id(40900, 0), EXTRA=1)
    return tmp_path


def test_bad_raw_files_are_refused_one_by_one_and_listed(empty: World, incoming: Path) -> None:
    wanted = {
        "short.fits": ("truncated_fits", "Fetch it anew"),
        "text.fits": ("not_fits", "FITS"),
        "small.fits": ("wrong_size", "560 x 536"),
        "mute.fits": ("missing_keyword", "FILTER01"),
        "strange.fits": ("unknown_filter", "HSC-Q"),
        "twice.fits": ("duplicate_frame", "visit=40900 ccd=0"),
    }
    before = empty.rows("SELECT count(*) FROM frame")[0][0]
    told = empty("ingest", incoming)
    assert told.status == 1
    assert "n_file=7  n_frame=1  n_stored=1  n_known=0  n_refused=6" in told.out
    listed = empty("status", "--failures").out
    rows = empty.rows("SELECT path, reason, message FROM ingest_refusal")
    found = {Path(path).name: (reason, message) for path, reason, message in rows}
    assert {name: reason for name, (reason, _) in found.items()} == {name: code for name, (code, _) in wanted.items()}
    for name, (reason, word) in wanted.items():
        assert f"{name}  {reason}\n" in told.out
        assert f"{name}  {reason}\n" in listed
        assert name in found[name][1]
        assert word in found[name][1], found[name]
    assert "6" in empty.done("query", "SELECT count(*) FROM ingest_refusal").out
    assert empty.rows("SELECT count(*) FROM frame") == [(before + 1,)]
    assert empty.rows("SELECT visit FROM visit WHERE visit BETWEEN 40900 AND 40910") == [(40900,)]


def test_rows_without_a_place_are_told_and_the_others_stored(runner: Runner, fresh_dsn: str, tmp_path: Path) -> None:
    def tell(*words: object) -> str:
        first, *rest = map(str, words)
        return str(runner.ask(words=[first, str(tmp_path / "repository"), *rest, "--dsn", fresh_dsn])["out"])

    def rows(statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(fresh_dsn) as connection:
            return connection.execute(statement.encode()).fetchall()

    tell("init", "--camera", "toy")
    n = 200
    table = Table({"source_id": np.arange(n), "ra": np.linspace(10.0, 10.1, n), "dec": np.full(n, 2.0),
                   "phot_g_mean_mag": np.full(n, 18.0)})  # fmt: skip
    table["ra"][7] = np.nan
    write_table(tmp_path / "gaia.fits", table.as_array())
    told = tell("ingest-refcat", "holey", tmp_path / "gaia.fits", "--preset", "gaia")
    assert f"n_row={n}  n_stored={n - 1}  n_known=0  n_no_position=1" in told
    path = catalog(tmp_path / "stars.csv", {11: (0.0, 0.0)}, n_nan=3)
    n_source = len(path.read_text().splitlines()) - 1
    assert "n_stored=4  n_known=0  n_no_position=3" in tell("ingest-catalog", path, "--map", *MAP)
    assert rows("SELECT count(*) FROM ref_star") == [(n - 1,)]
    assert rows("SELECT count(*) FROM source_sky") == [(n_source - 3,)]
    (gaia, stars) = rows("SELECT reason, message FROM ingest_refusal ORDER BY path")
    assert gaia[0] == stars[0] == "nan_coordinates"
    assert f"1 of {n}" in str(gaia[1])
    assert f"3 of {n_source}" in str(stars[1])


def test_each_ill_frame_fails_for_its_own_reason_and_the_others_are_done(ill: World) -> None:
    told = ill("run", "isr..calibrate", "--rerun", "bare", "--id", "visit=902800")
    assert told.status == 1
    assert reasons(ill, "bare")["calibrate", 902800][0] == "no_reference_catalog"
    assert "hscdb ingest-refcat REPO NAME FILES" in told.out
    for name, preset in (("gaia_dr3", "gaia"), ("ps1_dr1", "ps1")):
        ill.done("ingest-refcat", name, ill.sky / f"refcat_{preset}.fits", "--preset", preset)
    raw = next((ill.sky / "903400" / "raw").iterdir())
    whole = raw.read_bytes()
    raw.write_bytes(whole[:200_000])  # after it was ingested
    told = ill("run", "isr..calibrate", "--rerun", "ill", "--id", "visit=902800..903500")
    assert told.status == 1
    found = reasons(ill, "ill")
    assert {key: reason for key, (reason, _) in found.items()} == {
        ("calibrate", 903100): "too_few_stars",
        ("calibrate", 903200): "no_reference_stars",
        ("isr", 903300): "no_master", ("detect", 903300): "no_input", ("calibrate", 903300): "no_input",
        ("isr", 903400): "truncated_fits", ("detect", 903400): "no_input", ("calibrate", 903400): "no_input",
    }  # fmt: skip
    for (stage, visit), words in {
        ("calibrate", 903100): ("needed 5", "calibrate.snr_min"),
        ("calibrate", 903200): ("catalog gaia_dr3 has no star within", "hscdb ingest-refcat"),
        ("isr", 903300): ("no certified bias on 2015-10-03", "the nearest ends", "hscdb master REPO bias"),
        ("isr", 903400): ("TOY-0903400-000.fits: truncated", "Fetch it anew"),
    }.items():
        reason, message = found[stage, visit]
        for word in words:
            assert word in message, (stage, visit, message)
        assert f"{stage} visit={visit} ccd=0  {reason}\n" in told.out
    assert {status for (_, data_id), status in ill.tasks("ill").items() if "902800" in data_id} == {"done"}
    assert untidy(ill, "ill") == set()
    # what has failed has left no rows of its own, and once mended it is done by the same command
    for table, stage in (("source_sky", "calibrate"), ("frame_isr", "isr")):
        rows = ill.rows(f"SELECT DISTINCT t.visit FROM {table} AS a JOIN task AS t USING (task_id) JOIN run AS r "
                        "ON r.run_id = t.run_id WHERE r.name = 'ill'")  # fmt: skip
        assert {visit for (visit,) in rows} & {visit for each, visit in found if each == stage} == set()
    raw.write_bytes(whole)
    told = ill("run", "isr..calibrate", "--rerun", "ill", "--id", "visit=903400")
    assert told.status == 0, told
    assert {status for (_, data_id), status in ill.tasks("ill").items() if "903400" in data_id} == {"done"}


MAP = [*(f"{name}={name}" for name in ("visit", "ccd", "x", "y", "ra", "dec", "flux", "flux_err")), "filter:=HSC-R",
       "zero_point:=27"]  # fmt: skip


def catalog(path: Path, pointings: dict[int, tuple[float, float]], n_nan: int = 0) -> Path:
    """Source lists of the toy camera around (150, 2) deg plus (ra, dec) per visit, the same stars at the same place."""
    camera, rng, parts = load("toy"), np.random.default_rng(1), []
    for visit, (east, north) in pointings.items():
        own = np.random.default_rng(round(1000 * abs(east) + abs(north)))
        ra, dec = (center + own.uniform(-0.035, 0.035, 400) for center in (150.0 + east, 2.0 + north))
        flux = 10 ** own.uniform(3.5, 5.5, 400)
        off = rng.uniform(-0.002, 0.002, 2)
        for ccd in camera.ccds:
            wcs = focalplane.initial_wcs(camera, camera.ccds[ccd], 150.0 + east + off[0], 2.0 + north + off[1], 0.0)
            x, y = wcs.sky_to_pixel(ra, dec)
            k = (x > 5) & (x < 506) & (y > 5) & (y < 506)
            noise = np.sqrt(flux[k] + 500.0)
            pix = 1.7 * noise / flux[k]
            place = [each + rng.normal(0.0, pix) for each in (x[k], y[k])]
            sky = [each[k] + rng.normal(0.0, pix) * 0.168 / 3600 for each in (ra, dec)]
            own_rows = [np.full(k.sum(), visit), np.full(k.sum(), ccd), *place, *sky, rng.normal(flux[k], noise), noise]
            parts.append(np.stack(own_rows, axis=1))
    rows = np.concatenate(parts)
    rows[:n_nan, 4] = np.nan
    names = [word.partition("=")[0] for word in MAP[:8]]
    np.savetxt(path, rows, delimiter=",", header=",".join(names), comments="", fmt=["%d", "%d", *["%.9f"] * 6])
    return path


def test_a_visit_that_overlaps_nothing_is_left_out_by_name(empty: World, tmp_path: Path) -> None:
    path = catalog(tmp_path / "three.csv", {21: (0.0, 0.0), 22: (0.0, 0.0), 23: (0.3, 0.3)})
    empty.done("ingest-catalog", path, "--rerun", "lists", "--map", *MAP)
    empty.done("skymap", "discrete", "--rerun", "lists")
    told = empty("run", "match..apply", "--rerun", "lists", "--id", "tract=0")
    assert told.status == 1
    assert "visit 23 is left out: it shares 0 usable stars" in told.err
    assert empty.funnel("lists", "mosaic")["n_visit_solved"] == 2
    found = reasons(empty, "lists")
    assert {(stage, visit, reason) for (stage, visit), (reason, _) in found.items()} == {("apply", 23, "no_solution")}
    assert "shares 0 usable stars" in found["apply", 23][1]
    assert {status for (_, data_id), status in empty.tasks("lists").items() if "visit=22" in data_id} == {"done"}


def test_visits_that_all_lie_apart_are_an_error(empty: World, tmp_path: Path) -> None:
    path = catalog(tmp_path / "two.csv", {31: (0.0, 0.6), 32: (0.6, 0.0)})
    empty.done("ingest-catalog", path, "--rerun", "apart", "--map", *MAP)
    empty.done("skymap", "discrete", "--rerun", "apart")
    told = empty("run", "match..mosaic", "--rerun", "apart", "--id")
    assert told.status == 1
    ((reason, message), _) = sorted(reasons(empty, "apart").values(), key=lambda each: each[0] == "no_input")
    assert reason == "no_overlap"
    assert "none of them in 2 visits or in a reference catalog" in message
    assert empty.rows("SELECT count(*) FROM star JOIN run USING (run_id) WHERE name = 'apart'") == [(0,)]


def test_what_cannot_be_meant_is_refused_before_a_run_is_made(empty: World) -> None:
    runs = empty.rows("SELECT name FROM run")
    for words, said in (
        (["detect", "--rerun", "x", "--config", "treshold_sigma=6"], "did you mean 'threshold_sigma'?"),
        (["detect", "--rerun", "x", "--config", "isr.doflat=no"], "did you mean 'do_flat'?"),
        (["detect", "--rerun", "x", "--config", "threshold_sigma=high"], "is not of type"),
        (["detect", "--rerun", "x", "--id", "vist=1"], "did you mean 'visit'?"),
        (["run", "isr..mosiac", "--rerun", "x"], "did you mean 'mosaic'?"),
        (["isr", "--rerun", "x", "--where", "seeing < 1"], "hscdb db describe frame_info"),
        (["isr", "--rerun", "in:x"], "no run 'in'"),
        (["ingest-refcat", "cat", "/nowhere/*.fits"], "no file"),
    ):
        told = empty(*words)
        assert told.status == 2, (words, told)
        assert re.match(r"hscdb( [\w-]+)?: ", told.err)
        assert said in told.err, (words, told.err)
        assert "Traceback" not in told.err
    assert empty.rows("SELECT name FROM run") == runs


def test_an_empty_selection_is_no_success(empty: World) -> None:
    told = empty("isr", "--rerun", "nothing", "--id", "visit=4711", "ccd=0..3")
    assert told.status == 1
    assert "No data found for --id visit=4711 ccd=0^1^2^3" in told.err
    assert '"--show data"' in told.err
    told = empty("match", "--rerun", "nothing", "--id", "tract=0")
    assert told.status == 1
    assert "has no calibrated frame in such a tract" in told.err


def test_a_schema_of_the_future_is_not_touched(empty: World) -> None:
    with psycopg.connect(empty.server.start(), autocommit=True) as connection:
        connection.execute("INSERT INTO schema_version (version, name, sha256) VALUES (9990, '9990_future.sql', '-')")
        try:
            for words in (["status"], ["ingest", empty.sky / "raw"], ["isr", "--rerun", "x", "--id"]):
                told = empty(*words)
                assert told.status == 3, told
                assert "newer than this program" in told.err
        finally:
            connection.execute("DELETE FROM schema_version WHERE version = 9990")
    assert empty("status").status in (0, 1)
