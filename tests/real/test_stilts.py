"""STILTS over JDBC and psql over TCP, by what `hscdb connect --tcp` prints. Skipped where a program is missing."""

import csv
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest
from astropy.io import fits
from astropy.table import Table

from hscdb.cli import main
from hscdb.db.server import Server

JAR = Path("/usr/share/java/postgresql.jar")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed (Debian: stilts)"),
    pytest.mark.skipif(not JAR.is_file(), reason="no JDBC driver (Debian: libpostgresql-jdbc-java)"),
]
N_STAR, RADIUS_ARCSEC = 3000, 1.0


@dataclass(frozen=True)
class Served:
    """A repository with a reference catalog that serves TCP: what connect printed, and the stars put in."""

    folder: Path
    said: str
    dsn: str
    ra: np.ndarray
    dec: np.ndarray

    def stilts(self, table: str, task: str, *words: str) -> fits.FITS_rec:
        """Run the printed command line with another task, and another table in the place of frame_info."""
        found = re.search(r"STILTS +(.*\n.*)", self.said)
        assert found is not None
        program, *given = shlex.split(found[1])
        source = next(word for word in given if word.startswith("in=")).removeprefix("in=")
        java = given[: given.index("tpipe")]
        out = self.folder / "out.fits"
        source = source.replace("#TABLE frame_info", f"#{table}")
        key = "in1" if task == "tskymatch2" else "in"
        done = subprocess.run(
            [program, *java, task, f"{key}={source}", *words, f"out={out}"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return fits.getdata(out, 1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, rng = tmp_path_factory.mktemp("served with blanks"), np.random.default_rng(4)
    ra = np.concatenate([rng.uniform(-0.3, 0.3, N_STAR) % 360.0, rng.uniform(0, 360, 200)])
    dec = np.concatenate([rng.uniform(-0.3, 0.3, N_STAR), np.full(200, 89.9999)])
    np.savetxt(folder / "s.csv", np.stack([ra, dec], 1), fmt="%.12f", delimiter=",", header="ra,dec", comments="")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HSCDB_DSN", raising=False)
        try:
            assert main(["init", str(folder), "--camera", "toy"]) == 0
            words = ["mine", str(folder / "s.csv"), "--map", "ra=ra", "dec=dec", "--epoch", "2016"]
            assert main(["ingest-refcat", str(folder), *words]) == 0
            with pytest.MonkeyPatch.context() as printed:
                lines: list[str] = []
                printed.setattr("builtins.print", lambda *text, **_: lines.append(" ".join(map(str, text))))
                assert main(["connect", str(folder), "--tcp", str(port)]) == 0
            said = "\n".join(lines)
            dsn = re.search(r"TCP DSN +(.*)", said)
            assert dsn is not None
            yield Served(folder, said, dsn[1], ra, dec)
        finally:
            Server(folder).remove()


def test_the_printed_command_reads_a_table(served: Served) -> None:
    table = served.stilts("TABLE ref_star", "tpipe")
    assert len(table) == len(served.ra)
    order, ours = np.lexsort([table["dec"], table["ra"]]), np.lexsort([served.dec, served.ra])
    np.testing.assert_allclose(table["ra"][order], served.ra[ours], atol=1e-11)
    np.testing.assert_allclose(table["dec"][order], served.dec[ours], atol=1e-11)


def test_a_query_with_our_sky_functions_reaches_stilts(served: Served) -> None:
    query = "SELECT ra, dec FROM ref_star WHERE q3c_radial_query(ra, dec, 0.0, 0.0, 0.1)"
    table = served.stilts(query, "tpipe")
    apart = np.hypot((served.ra + 180) % 360 - 180, served.dec)
    assert len(table) == (apart < 0.1).sum() > 100
    assert {"ra", "dec"} <= set(table.names)


def test_a_cross_match_by_stilts_finds_the_pairs_of_sql(served: Served) -> None:
    rng = np.random.default_rng(5)
    there = np.flatnonzero(np.arange(len(served.ra)) % 3 == 0)
    dec = np.clip(served.dec[there] + rng.normal(0, 0.5 / 3600, len(there)), -90, 90)
    Table({"star": there, "ra": served.ra[there], "dec": dec}).write(served.folder / "mine.fits", overwrite=True)
    matched = served.stilts(
        "TABLE ref_star", "tskymatch2", f"in2={served.folder / 'mine.fits'}", "ra1=ra", "dec1=dec", "ra2=ra",
        "dec2=dec", f"error={RADIUS_ARCSEC}", "find=all", "join=1and2",
    )  # fmt: skip
    with psycopg.connect(served.dsn) as connection:
        connection.execute("CREATE TEMP TABLE mine (star int, ra float8, dec float8)")
        with connection.cursor().copy("COPY mine FROM STDIN") as copy:
            for star, a, d in zip(there.tolist(), served.ra[there].tolist(), dec.tolist(), strict=True):
                copy.write_row((star, a, d))
        ((n_pair,),) = connection.execute(
            "SELECT count(*) FROM mine JOIN ref_star AS r ON q3c_join(mine.ra, mine.dec, r.ra, r.dec, %s::float8)",
            [RADIUS_ARCSEC / 3600],
        ).fetchall()
    assert len(matched) == n_pair > 0.9 * len(there)


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_connects_by_the_printed_words(served: Served) -> None:
    told = subprocess.run(
        ["psql", served.dsn, "-XAtc", "SELECT count(*) FROM ref_star"], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.strip() == str(len(served.ra)), told.stderr


@pytest.mark.parametrize(("ending", "kind"), [("vot", "votable"), ("fits", "fits")])
def test_units_ucds_and_meanings_of_a_saved_table_reach_stilts(served: Served, ending: str, kind: str) -> None:
    saved, meta = served.folder / f"saved.{ending}", served.folder / "meta.csv"
    assert main(["query", str(served.folder), "SELECT ra, dec, ref_id FROM ref_star", "-o", str(saved)]) == 0
    done = subprocess.run(
        ["stilts", "tpipe", f"ifmt={kind}", f"in={saved}", "cmd=meta name class units description ucd", "ofmt=csv",
         f"out={meta}"], capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = {row["Name"]: row for row in csv.DictReader(meta.read_text().splitlines())}
    with psycopg.connect(served.dsn) as connection:
        docs = connection.execute(
            "SELECT column_name, unit, ucd, meaning FROM column_doc WHERE table_name = 'ref_star'"
        ).fetchall()
    ours = {name: (unit, ucd, meaning) for name, unit, ucd, meaning in docs}
    assert (told["ra"]["Units"], told["dec"]["Units"]) == ("deg", "deg")
    for name in ("ra", "dec", "ref_id"):
        _, ucd, meaning = ours[name]
        assert (told[name]["Description"], told[name]["UCD"]) == (meaning, ucd)
