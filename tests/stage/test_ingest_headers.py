"""The headers of two real raw frames of Hyper Suprime-Cam, put on frames of its size and ingested by the command."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from astropy.io import fits

from hscdb.cli import main

HEADERS = Path(__file__).parent.parent / "pure" / "data"
SHARED = Path(__file__).parents[3] / "shared" / "reference" / "headers"

# What the two frames are, by hand from their headers: times from MJD-STR and MJD-END (UTC), TAI - UTC of the night.
KNOWN: dict[str, dict[str, Any]] = {
    "HSCA90402512": {
        "visit": 904024, "ccd": 50, "exp_id": "HSCA90402400", "frame_id": "HSCA90402512", "data_type": "science",
        "filter": "HSC-I", "band": "i", "field": "STRIPE82L", "proposal": "o13015", "pointing": 671,
        "night": "2013-11-02", "start": datetime(2013, 11, 2, 6, 15, 55, 908000, UTC), "exposure_s": 30.0,
        "mjd": (56598.26106374757 + 56598.26143435203) / 2 + 35 / 86400, "rotator_deg": 0.0,
        "ra": 15 * (21 + 22 / 60 + 59.982 / 3600), "dec": 0.5 + 0.07 / 3600, "ccd_temp_k": 273.15 - 101.158,
        "airmass": 1.121626027604189, "path": "STRIPE82L/2013-11-02/00671/HSC-I/HSC-0904024-050.fits",
    },
    "HSCA04090107": {
        "visit": 40900, "ccd": 37, "exp_id": "HSCA04090000", "frame_id": "HSCA04090107", "data_type": "science",
        "filter": "HSC-R", "band": "r", "field": "SSP_WIDE", "proposal": "o15426", "pointing": 1378,
        "night": "2015-10-10", "start": datetime(2015, 10, 10, 8, 20, 6, 598000, UTC), "exposure_s": 150.0,
        "mjd": (57305.34729859 + 57305.3490561787) / 2 + 36 / 86400, "rotator_deg": 0.0,
        "ra": 15 * (1 + 24 / 60 + 37.737 / 3600), "dec": 1 + 15 / 60 + 35.13 / 3600, "ccd_temp_k": 273.15 - 99.775,
        "airmass": 1.257282805496569, "path": "SSP_WIDE/2015-10-10/01378/HSC-R/HSC-0040900-037.fits",
    },
}  # fmt: skip


def write(path: Path, name: str) -> None:
    """A file of 2144 x 4241 unsigned 16-bit pixels with all cards of a text dump that are not its structure."""
    hdu = fits.PrimaryHDU(np.full((4241, 2144), 1000, np.uint16))
    for line in (HEADERS / f"{name}.txt").read_text().splitlines():
        if re.match(r"^[A-Z0-9_-]+ *= ", line) and not re.match(r"SIMPLE|BITPIX|NAXIS|EXTEND|BSCALE|BZERO|BLANK", line):
            card = fits.Card.fromstring(f"{line[:8]:8}= {line.split('=', 1)[1].strip()}")
            hdu.header.append((card.keyword, card.value), end=True)
    hdu.writeto(path)


@pytest.fixture
def rows(fresh_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> dict[int, dict[str, Any]]:
    """{visit: columns of visit and frame} after `init` and `ingest` of both."""
    monkeypatch.setenv("HSCDB_DSN", fresh_dsn)
    (tmp_path / "raw").mkdir()
    for name in KNOWN:
        write(tmp_path / "raw" / f"{name}.fits", name)
    assert main(["init", str(tmp_path / "repository"), "--camera", "hsc"]) == 0
    status = main(["ingest", str(tmp_path / "repository"), str(tmp_path / "raw")])
    assert status == 0, capsys.readouterr()
    with psycopg.connect(fresh_dsn, row_factory=psycopg.rows.dict_row) as connection:
        found = connection.execute(
            "SELECT visit, ccd, exp_id, frame_id, data_type, filter, band, field, proposal, pointing, "
            "night::text AS night, obs_start AS start, exposure_s, obs_mjd AS mjd, rotator_deg, ra, dec, ccd_temp_k, "
            "airmass, path, width_pix, height_pix, header FROM visit JOIN frame USING (visit) "
            "JOIN frame_header USING (visit, ccd)"
        ).fetchall()
    return {row["visit"]: row for row in found}


def test_two_real_headers_ingest_to_what_they_are(rows: dict[int, dict[str, Any]]) -> None:
    assert len(rows) == 2
    for name, known in KNOWN.items():
        row = rows[known["visit"]]
        for column, wanted in known.items():
            if column == "start":
                assert abs(row[column] - wanted) < timedelta(milliseconds=1)
            elif column == "mjd":
                assert abs(row[column] - wanted) * 86400 < 0.02, name  # clocks of the two keywords differ by as much
            elif isinstance(wanted, float):
                assert row[column] == pytest.approx(wanted, abs=1e-4 if column == "ccd_temp_k" else 1e-9), column
            else:
                assert row[column] == wanted, column
        assert (row["width_pix"], row["height_pix"]) == (2144, 4241)
        assert row["header"]["DET-ID"][0] == known["ccd"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the text dumps beside the checkout")
def test_the_headers_kept_here_are_those_of_the_reference() -> None:
    for name in KNOWN:
        assert (HEADERS / f"{name}.txt").read_text() == (SHARED / f"{name}.txt").read_text()
