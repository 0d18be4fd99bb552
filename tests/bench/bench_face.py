"""How fast the catalog's face answers, beside Q3C, STILTS, astropy and a k-d tree in the same run.

    python tests/bench/bench_face.py [--n-source 1000000] [--n-dense 10000000] [--n-cone 10000000] [--n-frame 1000000]
                                     [--only match dense list cone frame lightcurve]

Each line: seconds of the clock, CPU seconds of the server process (its parallel workers are not seen), rows. Where the
PostgreSQL in HSCDB_PGBIN, or an installed one, has the extension q3c, all is measured on that server.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_sky
import meter
import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).parent.parent / "sql"))
from test_q3c_twin import folder_with_q3c

from hscdb.db import engine, migrate
from hscdb.fits import table as tables
from hscdb.sky import sphere

DEG = "1.0::float8 / 3600.0::float8"


def tell(what: str, wall_s: float, cpu_s: float, n_row: Any = "") -> None:
    """One line of the result."""
    print(f"{what:<58} {wall_s:9.3f} s {cpu_s:9.3f} cpu-s  {n_row}", flush=True)


def timed(dsn: str, what: str, statement: str, *, workers: int = 2, before: str = "SELECT 1") -> int:
    """Run a statement that counts; tell its time, the better of two."""
    with psycopg.connect(dsn, autocommit=True) as raw:
        raw.execute("SET jit = off")
        raw.execute(f"SET max_parallel_workers_per_gather = {workers}")
        raw.execute(before.encode())
        best, count = (np.inf, np.inf), 0
        for _ in range(2):
            started, clock = meter.spent_s(raw), time.perf_counter()
            count = raw.execute(statement.encode()).fetchone()[0]
            best = min(best, (time.perf_counter() - clock, meter.spent_s(raw) - started))
    tell(what, *best, count)
    return int(count)


def percentiles(dsn: str, what: str, statement: str, words: list[tuple[Any, ...]]) -> None:
    """Many runs of one short statement: p50 and p99 of the clock, in ms, and of the CPU."""
    clocks, spent, n_row = [], [], 0
    with psycopg.connect(dsn, autocommit=True) as raw:
        raw.execute("SET jit = off")
        for each in words:
            started, clock = meter.spent_s(raw), time.perf_counter()
            n_row += len(raw.execute(statement.encode(), each).fetchall())
            clocks.append(1e3 * (time.perf_counter() - clock))
            spent.append(meter.spent_s(raw) - started)
    p50, p99 = np.percentile(clocks, [50, 99])
    print(
        f"{what:<58} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  cpu {1e3 * np.mean(spent):7.2f} ms  {n_row} rows", flush=True
    )


def match(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """1e6 x 1e6 at 1 arcsec, all sky, half of them 0.2 arcsec apart."""
    probe, sky = bench_sky.places(given.n_source)
    bench_sky.fill(dsn, "ours", (probe, sky), "sky_zone(dec), ra", is_ours=True)
    ours = make_conninfo(dsn, dbname="ours")
    with psycopg.connect(ours, autocommit=True) as raw:
        for name in ("probe", "sky"):
            raw.execute(f"ALTER TABLE {name} ADD id integer GENERATED ALWAYS AS IDENTITY".encode())
        raw.execute("CREATE INDEX IF NOT EXISTS probe_sky ON sky (sky_zone(dec), ra)")
        raw.execute("VACUUM ANALYZE probe, sky")
    counts = {timed(ours, f"xmatch, index, {m}", f"SELECT count(*) FROM xmatch('probe', 'sky', 1.0, '{m}')")
              for m in ("all",)}  # fmt: skip
    for mode in ("best", "mutual"):
        timed(ours, f"xmatch, index, {mode}", f"SELECT count(*) FROM xmatch('probe', 'sky', 1.0, '{mode}')")
    copies = "CREATE TEMP TABLE p AS SELECT * FROM probe; CREATE TEMP TABLE s AS SELECT * FROM sky"
    counts.add(
        timed(
            ours,
            "xmatch, two temporary tables without index",
            "SELECT count(*) FROM xmatch('p', 's', 1.0)",
            before=copies,
        )
    )
    if has_q3c:
        bench_sky.fill(dsn, "theirs", (probe, sky), "q3c_ang2ipix(ra, dec)", is_ours=False)
        theirs = make_conninfo(dsn, dbname="theirs")
        counts.add(timed(theirs, "Q3C's q3c_join, the extension", "SELECT count(*) FROM probe AS a JOIN sky AS b"
                         " ON q3c_join(a.ra, a.dec, b.ra, b.dec, 1.0 / 3600)"))  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    a, b = (sphere.unit_vector(t["ra"], t["dec"]) for t in (probe, sky))
    chord = 2.0 * np.sin(np.radians(1.0 / 3600.0) / 2.0)
    found = int(cKDTree(b).query_ball_point(a, chord, return_length=True).sum())
    tell("k-d tree of arrays in memory", time.perf_counter() - wall, time.process_time() - cpu, found)
    counts.add(found)
    print("all counts agree" if len(counts) == 1 else f"COUNTS DIFFER: {counts}")
    _astropy(probe, sky)
    _stilts(probe, sky)


def _astropy(probe: Any, sky: Any) -> None:
    from astropy import units
    from astropy.coordinates import SkyCoord

    wall, cpu = time.perf_counter(), time.process_time()
    a, b = (SkyCoord(t["ra"] * units.deg, t["dec"] * units.deg) for t in (probe, sky))
    _, away, _ = a.match_to_catalog_sky(b)
    n = int((away.arcsec < 1.0).sum())
    tell("astropy match_to_catalog_sky (nearest)", time.perf_counter() - wall, time.process_time() - cpu, n)


def _stilts(probe: Any, sky: Any) -> None:
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place, f"{name}.fits") for name in ("a", "b")]
        for path, table in zip(paths, (probe, sky), strict=True):
            tables.write_table(path, table)
        words = ["stilts", "tskymatch2", f"in1={paths[0]}", f"in2={paths[1]}", "ra1=ra", "dec1=dec", "ra2=ra"]
        words += ["dec2=dec", "error=1", "find=all", "join=1and2", "omode=count"]
        wall, before = time.perf_counter(), os.times()
        try:
            told = subprocess.run(words, capture_output=True, text=True, check=True)
        except FileNotFoundError:
            print("STILTS is not installed")
            return
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        tell("STILTS tskymatch2 (files read)", time.perf_counter() - wall, cpu, told.stdout.strip())


def dense(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """Ten visits of one field of 10 x 10 deg, matched to one more visit; and a short list matched to them."""
    ours = make_conninfo(dsn, dbname="dense")
    n_star = given.n_dense // 10
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE dense")
    made = engine.connect(ours, pool=False)
    migrate.migrate(made, q3c="sql")
    made.dispose()
    star = f"SELECT n, 40 + 10 * random() AS ra, 10 * random() - 5 AS dec FROM generate_series(1, {n_star}) AS n"
    jitter = "0.2 / 3600 * sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random())"
    with psycopg.connect(ours, autocommit=True) as raw:
        raw.execute(f"CREATE TABLE star_true AS {star}".encode())
        for name, n_visit in (("one", 1), ("ten", 10)):
            raw.execute(f"CREATE TABLE {name} (id bigint, ra double precision, dec double precision)".encode())
            raw.execute(
                f"INSERT INTO {name} SELECT v * 100000000 + n, ra + {jitter}, dec + {jitter} FROM star_true,"
                f" generate_series(1, {n_visit}) AS v ORDER BY v, floor(dec * 5), ra".encode()
            )
            raw.execute(f"CREATE INDEX ON {name} (sky_zone(dec), ra)".encode())
        raw.execute("CREATE TABLE list AS SELECT * FROM one ORDER BY random() LIMIT 10000")
        raw.execute("VACUUM ANALYZE one, ten, list")
    print(f"dense field: {n_star} x {given.n_dense}")
    timed(ours, "xmatch, index, all", "SELECT count(*) FROM xmatch('one', 'ten', 1.0)")
    timed(ours, "xmatch, list of 10 000 without index", "SELECT count(*) FROM xmatch('list', 'ten', 1.0)")
    timed(ours, "the same, arguments the other way round", "SELECT count(*) FROM xmatch('ten', 'list', 1.0)")
    timed(
        ours,
        "the list by coneSearch in a join",
        "SELECT count(*) FROM list AS a JOIN ten AS b ON coneSearch(b.ra, b.dec, a.ra, a.dec, 1.0)",
    )


def cone(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """Cones of 1 arcmin in a big table of an all-sky kind, 20 columns."""
    ours = make_conninfo(dsn, dbname="cone")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE cone")
    made = engine.connect(ours, pool=False)
    migrate.migrate(made, q3c="sql")
    made.dispose()
    columns = ", ".join(f"f{k} real" for k in range(17))
    with psycopg.connect(ours, autocommit=True) as raw:
        raw.execute(
            f"CREATE UNLOGGED TABLE big (id bigint, ra double precision, dec double precision, {columns})".encode()
        )
        numbers = ", ".join("1.0" for _ in range(17))
        # In order of zones, as a stage loads them: 60 x 60 deg.
        raw.execute(
            f"INSERT INTO big SELECT n, 60 * random(), -30 + 60 * n / {given.n_cone}::float8, {numbers}"
            f" FROM generate_series(1, {given.n_cone}) AS n".encode()
        )
        raw.execute("CREATE INDEX ON big (sky_zone(dec), ra)")
        raw.execute("VACUUM ANALYZE big")
    rng = np.random.default_rng(3)
    words = [(float(a), float(d)) for a, d in rng.uniform((1, -29), (59, 29), (300, 2))]
    percentiles(
        ours,
        f"cone of 1 arcmin in {given.n_cone} rows, coneSearch",
        "SELECT * FROM big WHERE coneSearch(ra, dec, %s, %s, 60)",
        words,
    )
    percentiles(ours, "the same, q3c_radial_query in plain SQL",
                "SELECT * FROM big WHERE q3c_radial_query(ra, dec, %s, %s, 1.0 / 60)", words)  # fmt: skip
    square = "SELECT count(*) FROM big WHERE polygonSearch(ra, dec, ARRAY[20, 0, 21.5, 0, 21.5, 1.5, 20, 1.5])"
    timed(ours, "polygon of a tract (1.5 deg square)", square)


def frame(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """Which of a million frames cover a place; and the light curve of a star seen in a hundred visits."""
    ours = make_conninfo(dsn, dbname="frame")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE frame")
    made = engine.connect(ours, pool=False)
    migrate.migrate(made, q3c="sql")
    made.dispose()
    n_visit = given.n_frame // 100
    with psycopg.connect(ours, autocommit=True) as raw:
        for statement in (
            "INSERT INTO ccd SELECT c, 'c' || c, 'science', true, 2048, 4176, 0, 0, 0, 0 FROM"
            " generate_series(0, 99) AS c",
            "INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('bench', '{}', '', '')",
            "INSERT INTO task (run_id, stage, data_id, status) VALUES (1, 'calibrate', 'all', 'done')",
            f"INSERT INTO visit (visit, data_type, obs_mjd, ra, dec) SELECT v, 'science', 58000 + v * 0.001,"
            f" 360 * random(),"
            f" degrees(asin(2 * random() - 1)) FROM generate_series(1, {n_visit}) AS v",
            "INSERT INTO frame (visit, ccd, kind, path, hdu, width_pix, height_pix, n_byte, sha256) SELECT"
            " visit, c, 'raw',"
            " visit || '/' || c, 0, 2048, 4176, 1, '' FROM visit, generate_series(0, 99) AS c",
            # A focal plane of 10 x 10 CCDs, 0.095 by 0.195 deg each, about the boresight; order 0.
            "INSERT INTO wcs_solution (run_id, task_id, stage, visit, ccd, status, crval1_deg, crval2_deg,"
            " crpix1_pix, crpix2_pix,"
            " cd1_1_deg, cd1_2_deg, cd2_1_deg, cd2_2_deg, sip_order, sip_a, sip_b, corner_ra, corner_dec, ra,"
            " dec, radius_deg, n_star)"
            " SELECT 1, 1, 'calibrate', visit, c, 'solved', v.ra, v.dec, 1023.5 - 2048 * (c % 10 - 4.5),"
            " 2087.5 - 4176 * (c / 10 - 4.5),"
            " -4.6667e-5, 0, 0, 4.6667e-5, 0, '{0}', '{0}', '{}', '{}', (p.at).ra, (p.at).dec, 0.109, 0"
            " FROM visit AS v, generate_series(0, 99) AS c, LATERAL (SELECT pixel_to_sky(ROW(1, 1, 1024.5 -"
            " 2048 * (c % 10 - 4.5),"
            " 2088.5 - 4176 * (c / 10 - 4.5), v.ra, v.dec, 4.6667e-5)::coaddwcs, 1023.5, 2087.5) AS at) AS p",
            "VACUUM ANALYZE wcs_solution, frame, visit",
        ):  # fmt: skip
            raw.execute(statement.encode())
        places = raw.execute(
            "SELECT ra, dec FROM wcs_solution ORDER BY hashint8(visit * 100 + ccd) LIMIT 200"
        ).fetchall()
    percentiles(ours, f"ccd_search in {given.n_frame} frames", "SELECT * FROM ccd_search(%s, %s)", places)


def lightcurve(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """The light curve of one star among many, each seen in 100 visits."""
    ours = make_conninfo(dsn, dbname="lightcurve")
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE lightcurve")
    made = engine.connect(ours, pool=False)
    migrate.migrate(made, q3c="sql")
    n_star = given.n_cone // 100
    with made.begin() as connection:
        from hscdb.db import partition

        raw = engine.driver(connection)
        raw.execute("INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('bench', '{}', '', '')")
        raw.execute("INSERT INTO filter VALUES ('HSC-R', 'r', 620)")
        raw.execute("INSERT INTO ccd VALUES (0, 'c', 'science', true, 9, 9, 0, 0, 0, 0)")
        raw.execute(
            "INSERT INTO task (run_id, stage, data_id, tract, filter, status) VALUES (1, 'match', 'all', 0,"
            " 'HSC-R', 'done')"
        )
        raw.execute(
            "INSERT INTO visit (visit, data_type, filter, obs_mjd) SELECT v, 'science', 'HSC-R', 58000 + v"
            " FROM generate_series(1, 100) AS v"
        )
        partition.ensure(connection, 1, list(range(1, 101)))
        raw.execute(
            f"INSERT INTO star (run_id, task_id, star_id, tract, filter, ra, dec, flux_njy, n_visit,"
            f" is_ambiguous, is_reserved)"
            f" SELECT 1, 1, n, 0, 'HSC-R', 60 * random(), -30 + 60 * n / {n_star}::float8, 1000, 100, false, false"
            f" FROM generate_series(1, {n_star}) AS n".encode()
        )
        raw.execute("INSERT INTO source_sky (run_id, task_id, visit, ccd, source_id, ra, dec, flux_njy,"
            " flux_njy_err) SELECT 1, 1, v, 0,"
                    " (CAST(v AS bigint) * 200 << 32) + star_id, ra, dec, 1000, 10 FROM generate_series(1, 100) AS v,"
                    " star")  # fmt: skip
        raw.execute(
            "INSERT INTO star_member SELECT 1, 1, star_id, v, 0, (CAST(v AS bigint) * 200 << 32) + star_id, 0 FROM"
            " generate_series(1, 100) AS v(v), star"
        )
    made.dispose()
    with psycopg.connect(ours, autocommit=True) as raw:
        raw.execute("VACUUM ANALYZE star, star_member, source_sky, visit, task")
        places = raw.execute("SELECT ra, dec FROM star ORDER BY hashint8(star_id) LIMIT 200").fetchall()
    percentiles(
        ours, f"lightcurve of a star, {given.n_cone} detections", "SELECT * FROM lightcurve(%s, %s, 0.5)", places
    )


PARTS: dict[str, Callable[[str, bool, argparse.Namespace], None]] = {
    "match": match, "dense": dense, "cone": cone, "frame": frame, "lightcurve": lightcurve
}  # fmt: skip


def main() -> None:
    """Make a server, run the parts, remove it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--n-source", type=int, default=1000000)
    parser.add_argument("--n-dense", type=int, default=10000000)
    parser.add_argument("--n-cone", type=int, default=10000000)
    parser.add_argument("--n-frame", type=int, default=1000000)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    folder = folder_with_q3c()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; PostgreSQL in {folder or 'the wheel'}")
    with bench_sky.server(folder) as dsn:
        for name in given.only:
            PARTS[name](dsn, folder is not None, given)
            with psycopg.connect(dsn, autocommit=True) as admin:  # disk is given back part by part
                for database in ("ours", "theirs", "dense", "cone", "frame", "lightcurve"):
                    admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())


if __name__ == "__main__":
    main()
