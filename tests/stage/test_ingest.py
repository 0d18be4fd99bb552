"""Raw frames into the registry: what is stored, what is refused, and that nothing is lost."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psycopg
import pytest
import rawfile
from astropy.io import fits
from sqlalchemy import Engine

from hscdb.camera.load import load
from hscdb.camera.model import Camera
from hscdb.db.engine import connect, transaction
from hscdb.errors import ConfigError
from hscdb.ingest import stage
from hscdb.ingest.stage import ingest_raw
from hscdb.run.repository import enter_camera


class Registry:
    """A repository's folder and database, as ingest sees them."""

    def __init__(self, folder: Path, engine: Engine, dsn: str) -> None:
        self.folder, self.engine, self.dsn = folder, engine, dsn

    def use(self, camera: Camera) -> "Registry":
        self.camera = camera
        enter_camera(self.engine, camera)
        return self

    def ingest(self, *words: Path, **options):
        return ingest_raw(self.engine, self.folder, self.camera, words, **options)

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()

    def counts(self) -> tuple[int, int, int]:
        return self.rows(
            "SELECT (SELECT count(*) FROM visit), (SELECT count(*) FROM frame), count(*) FROM frame_header"
        )[0]


@pytest.fixture
def registry(tmp_path: Path, fresh_dsn: str) -> Iterator[Registry]:
    engine = connect(fresh_dsn, pool=False)
    folder = tmp_path / "repo"
    folder.mkdir()
    yield Registry(folder, engine, fresh_dsn).use(load("toy"))
    engine.dispose()


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming files"
    folder.mkdir()
    return folder


def test_frames_are_stored_with_their_visit_header_and_place(registry, incoming):
    for ccd in (0, 1, 2):
        rawfile.write(incoming / f"{ccd}.fits", change=rawfile.frame_id(40900, ccd))
    outcome = registry.ingest(incoming)
    assert outcome.counts == {"n_file": 3, "n_frame": 3, "n_stored": 3, "n_known": 0, "n_refused": 0}
    assert registry.counts() == (1, 3, 3)
    columns = "visit, exp_id, data_type, filter, band, field, pointing, night::text, exposure_s, rotator_deg"
    assert registry.rows(f"SELECT {columns} FROM visit") == [
        (40900, "HSCA04090000", "science", "HSC-R", "r", "SSP_WIDE", 671, "2013-11-02", 30.0, 0.0)
    ]
    frames = registry.rows("SELECT ccd, frame_id, kind, path, hdu, width_pix, height_pix FROM frame ORDER BY ccd")
    place = "SSP_WIDE/2013-11-02/00671/HSC-R/TOY-0040900-001.fits"
    assert frames[1] == (1, "HSCA04090001", "raw", place, 0, 560, 536)
    link = registry.folder / place
    assert link.is_symlink()
    assert link.resolve() == (incoming / "1.fits").resolve()
    assert registry.rows("SELECT header->'T_CCDTV'->>0 FROM frame_header WHERE ccd = 1") == [("-101.1",)]
    assert registry.rows("SELECT obs_start AT TIME ZONE 'UTC' - timestamp '2013-11-02 06:15:55.908' FROM visit")[0][
        0
    ].total_seconds() == pytest.approx(0.0, abs=1e-3)


def test_the_same_files_again_are_known_and_change_nothing(registry, incoming):
    for ccd in range(4):
        rawfile.write(incoming / f"{ccd}.fits", change=rawfile.frame_id(40900, ccd))
    registry.ingest(incoming)
    before = registry.rows("SELECT * FROM frame ORDER BY ccd")
    again = registry.ingest(incoming / "*.fits", incoming, jobs=1)
    assert (again.counts["n_file"], again.counts["n_known"], again.counts["n_stored"]) == (4, 4, 0)
    assert registry.rows("SELECT * FROM frame ORDER BY ccd") == before


def test_a_link_whose_target_has_moved_is_mended(registry, incoming):
    path = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 1))
    registry.ingest(path)
    path.rename(incoming / "b.fits")
    (stored,) = registry.rows("SELECT path FROM frame")[0]
    assert not (registry.folder / stored).exists()
    registry.ingest(incoming)
    assert (registry.folder / stored).exists()


@pytest.mark.parametrize("mode", ["link", "copy", "move", "skip"])
def test_ways_into_the_repository(registry, incoming, mode):
    path = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 3))
    content = path.read_bytes()
    registry.ingest(path, mode=mode)
    (stored,) = registry.rows("SELECT path FROM frame")[0]
    there = registry.folder / stored
    assert there.read_bytes() == content
    assert path.exists() is (mode != "move")
    assert there.is_symlink() is (mode == "link")
    assert Path(stored).is_absolute() is (mode == "skip")
    leftovers = [one for one in registry.folder.rglob("*") if one.name.startswith(".")]
    assert leftovers == []


def test_an_unknown_mode_or_no_files_are_usage_errors(registry, incoming):
    with pytest.raises(ConfigError):
        registry.ingest(incoming, mode="steal")
    with pytest.raises(ConfigError) as error:
        registry.ingest(incoming)
    assert error.value.code == "no_files"


def test_zipped_and_compressed_files_are_read(registry, incoming):
    plain = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 0))
    (incoming / "b.fits.gz").write_bytes(gzip.compress(plain.read_bytes().replace(b"HSCA04090000", b"HSCA04090200")))
    plain.unlink()
    header = fits.Header(rawfile.HSC | rawfile.frame_id(40904, 1))
    pixels = fits.CompImageHDU(np.ones((536, 560), np.uint16), header=header, compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), pixels]).writeto(incoming / "c.fits.fz")
    outcome = registry.ingest(incoming)
    assert outcome.refusals == []
    assert registry.rows("SELECT visit, hdu, width_pix, right(path, 3) FROM frame ORDER BY visit") == [
        (40902, 0, 560, ".gz"),
        (40904, 1, 560, ".fz"),
    ]


BAD = {
    "truncated_fits": lambda path: path.write_bytes(rawfile.write(path).read_bytes()[:100_000]),
    "not_fits": lambda path: path.write_text("hello"),
    "wrong_size": lambda path: rawfile.write(path, (500, 560)),
    "missing_keyword": lambda path: rawfile.write(path, change={"FILTER01": None}),
    "bad_keyword": lambda path: rawfile.write(path, change={"RA2000": "north"}),
    "unknown_filter": lambda path: rawfile.write(path, change={"FILTER01": "HSC-Q"}),
    "unknown_ccd": lambda path: rawfile.write(path, change={"DET-ID": 50}),
    "other_camera": lambda path: rawfile.write(path, change={"EXP-ID": "OTHER"}),
    "duplicate_frame": lambda path: rawfile.write(path, change=rawfile.frame_id(40900, 0), EXTRA=1),
    "visit_mismatch": lambda path: rawfile.write(path, change=rawfile.frame_id(40900, 1), FILTER01="HSC-G"),
    "no_image": lambda path: fits.HDUList([fits.PrimaryHDU()]).writeto(path, overwrite=True),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_file_leaves_one_reason_and_nothing_else(registry, incoming, reason):
    rawfile.write(incoming / "good.fits", change=rawfile.frame_id(40900, 0))
    registry.ingest(incoming)
    before, files = registry.counts(), sorted(registry.folder.rglob("*"))
    BAD[reason](incoming / "bad.fits")
    for _ in range(2):
        outcome = registry.ingest(incoming)
        assert [(Path(path).name, code) for path, code, _ in outcome.refusals] == [("bad.fits", reason)]
    assert (outcome.counts["n_known"], outcome.counts["n_refused"]) == (1, 1)
    assert registry.counts() == before
    assert sorted(registry.folder.rglob("*")) == files
    ((kept, message),) = registry.rows("SELECT reason, message FROM ingest_refusal")
    assert kept == reason
    assert "bad.fits" in message
    rawfile.write(incoming / "bad.fits", change=rawfile.frame_id(40900, 2))
    assert registry.ingest(incoming).counts["n_stored"] == 1
    assert registry.rows("SELECT count(*) FROM ingest_refusal") == [(0,)]


def test_a_file_that_is_not_there_is_refused(registry, incoming):
    outcome = registry.ingest(incoming / "nothing.fits")
    assert [code for _, code, _ in outcome.refusals] == ["no_file"]


def test_a_failure_between_file_and_rows_leaves_neither(registry, incoming, monkeypatch):
    path = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 0))

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "insert_frame", fail)
    for mode in ("link", "copy", "move"):
        with pytest.raises(KeyboardInterrupt):
            registry.ingest(path, mode=mode)
        assert registry.counts() == (0, 0, 0)
        assert [one for one in registry.folder.rglob("*") if not one.is_dir()] == []
        assert path.exists()


def test_a_path_that_belongs_to_another_frame_is_refused(registry, incoming):
    path = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 0))
    registry.ingest(path, mode="skip")
    rawfile.write(path, change=rawfile.frame_id(40902, 0))
    outcome = registry.ingest(path, mode="skip")
    assert [code for _, code, _ in outcome.refusals] == ["duplicate_frame"]
    assert registry.rows("SELECT visit FROM visit") == [(40900,)]


def test_the_stage_itself_stores_all_or_nothing(registry, incoming):
    good = rawfile.write(incoming / "a.fits", change=rawfile.frame_id(40900, 0))
    with transaction(registry.engine) as connection, ExitStack() as undo:
        raw = stage.read_file(good, registry.camera)
        assert stage.store(connection, registry.folder, registry.camera, raw, "link", undo)["n_stored"] == 1
    assert registry.counts() == (1, 1, 1)


TOML = """
name = "nickel"
description = "One CCD on a small telescope"
pixel_scale_arcsec = 0.37
[raw]
width = 72
height = 64
[raw.keywords]
overscan = "BIASSEC"
gain_e_per_adu = "EGAIN"
[[amplifier]]
amp = 0
box = { x0 = 0, y0 = 0, width = 64, height = 64 }
raw_box = { x0 = 0, y0 = 0, width = 64, height = 64 }
overscan = { x0 = 64, y0 = 0, width = 8, height = 64 }
gain_e_per_adu = 1.0
read_noise_e = 5.0
[[ccd]]
ccd = 3
width_pix = 64
height_pix = 64
[[filter]]
filter = "Bessel R"
band = "r"
aliases = ["R"]
[header]
visit = { keyword = "OBSNUM", type = "int" }
ccd = { value = 3 }
filter = { keyword = "FILTNAM" }
exposure_s = { keyword = "ITIME", scale = 0.001 }
ra = { keyword = "RA", unit = "hour" }
dec = { keyword = "DEC", unit = "deg" }
[header.time]
start = [{ date = "DATE-BEG", clock = "TIME-BEG" }]
[[header.frame_type]]
type = "flat"
match = { OBJECT = '(?i)\\bflat\\b' }
[[header.frame_type]]
type = "bias"
match = { ITIME = '^0(\\.0)?$' }
[[header.frame_type]]
type = "science"
match = { OBSTYPE = "OBJECT" }
"""


def nickel(path: Path, **change) -> None:
    cards = {
        "OBSNUM": 1001, "OBSTYPE": "OBJECT", "OBJECT": "M67", "FILTNAM": "R", "ITIME": 30000, "RA": "08 51 18.0",
        "DEC": "-11 48 00", "DATE-BEG": "2024-02-29", "TIME-BEG": "10:00:00.5", "BIASSEC": "[65:72,1:64]", "EGAIN": 1.7,
    }  # fmt: skip
    rawfile.write_cards(path, (64, 72), cards | change)


def test_a_camera_of_one_ccd_takes_one_file_and_no_program(registry, incoming, tmp_path):
    (tmp_path / "nickel.toml").write_text(TOML)
    registry.use(load(tmp_path / "nickel.toml"))
    nickel(incoming / "1.fits")
    nickel(incoming / "2.fits", OBSNUM=1002, OBJECT="dome flat", RA="none")
    nickel(incoming / "3.fits", OBSNUM=1003, OBJECT="zero", ITIME=0)
    nickel(incoming / "4.fits", OBSNUM=1004, RA=132.825, DEC=-11.8)
    assert registry.ingest(incoming).refusals == []
    rows = registry.rows("SELECT data_type, filter, exposure_s, ra, dec FROM visit ORDER BY visit")
    assert [row[0] for row in rows] == ["science", "flat", "bias", "science"]
    assert rows[0][1:3] == ("Bessel R", 30.0)
    assert rows[0][3:] == pytest.approx((132.825, -11.8))
    assert rows[3][3:] == pytest.approx((132.825, -11.8))
    assert registry.rows("SELECT path FROM frame ORDER BY visit")[0] == (
        "M67/2024-02-29/04442/Bessel R/NICKEL-0001001-003.fits",
    )


def test_a_file_of_many_ccds_becomes_as_many_frames(registry, incoming, tmp_path):
    registry.use(load("decam"))
    primary = fits.PrimaryHDU()
    primary.header.update(
        INSTRUME="DECam", EXPNUM=229388, OBSTYPE="object", FILTER="z DECam SDSS c0004 9260.0 1520.0", EXPTIME=200.0,
        TELRA="02:51:16.790", TELDEC="-00:00:05.699", AIRMASS=1.57, OBJECT="DES supernova",
    )  # fmt: skip
    primary.header["MJD-OBS"] = 56536.25203419
    hdus = [primary]
    for number, place in ((25, "S1"), (26, "S2"), (63, "FN1")):
        tiles = fits.CompImageHDU(np.zeros((4146, 2160), np.uint16), name=place, compression_type="RICE_1")
        tiles.header.update(CCDNUM=number, DETPOS=place)
        hdus.append(tiles)
    fits.HDUList(hdus).writeto(incoming / "DECam_00229388.fits.fz")
    outcome = registry.ingest(incoming)
    assert outcome.refusals == []
    assert (outcome.counts["n_frame"], outcome.counts["n_stored"]) == (2, 2)
    frames = registry.rows("SELECT visit, ccd, hdu, path, width_pix FROM frame ORDER BY ccd")
    place = "DES_SUPERNOVA/2013-09-01/00609/z/DECAM-0229388.fits.fz"
    assert frames == [(229388, 25, 1, f"{place}#1", 2160), (229388, 26, 2, f"{place}#2", 2160)]
    assert (registry.folder / place).exists()
    assert registry.ingest(incoming).counts["n_known"] == 2


def test_folders_are_searched_below_and_hidden_files_left_alone(registry, incoming, monkeypatch):
    below = incoming / "night" / "one"
    below.mkdir(parents=True)
    rawfile.write(below / "a.fits", change=rawfile.frame_id(40900, 0))
    rawfile.write(below / ".b.fits", change=rawfile.frame_id(40900, 1))
    (below / "notes.txt").write_text("seeing 0.6")
    monkeypatch.chdir(incoming)
    assert registry.ingest(Path("night")).counts["n_file"] == 1
