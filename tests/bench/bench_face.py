"""How fast tables are matched in the database, beside Q3C, STILTS, astropy and a k-d tree in the same run.

    python tests/bench/bench_face.py [--n-source 1000000] [--n-dense 10000000] [--only match growth dense]
                                     [--first] [--own]

Each line: seconds of the clock, CPU seconds of the server with its parallel workers, rows; of matches also the CPU
seconds over those of Q3C and of a k-d tree. The server is that in HSCDB_PGBIN; else an installed one that has the
extension q3c, so that both are measured on it; else, or with --own, the one that hscdb chooses. Its buffers are those
of a repository's own server. The floor is what PostgreSQL takes to join as many rows by an integer (hashed), and to
return as many from a function. With --first (root) the server goes before other work: the clock says something then.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import bench_sky
import meter
import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).parent.parent / "sql"))
from test_q3c_twin import folder_with_q3c, has_q3c

from hscdb.db import engine, migrate, tuning
from hscdb.fits import table as tables
from hscdb.sky import sphere

costs: dict[str, float] = {}  # CPU seconds of what was timed
is_first = False  # --first


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
            with meter.first(raw) if is_first else nullcontext():
                started, clock = meter.all_spent_s(raw), time.perf_counter()
                count = raw.execute(statement.encode()).fetchone()[0]
                wall = time.perf_counter() - clock
                best = min(best, (meter.all_spent_s(raw) - started, wall))
    costs[what] = best[0]
    tell(what, best[1], best[0], count)
    return int(count)


def pairs(dsn: str, statement: str) -> np.ndarray:
    """The pairs (left, right) that a statement gives, as sorted numbers left * 2^32 + right."""
    record = [("n", ">i2"), ("l1", ">i4"), ("left", ">i8"), ("l2", ">i4"), ("right", ">i8")]
    with psycopg.connect(dsn, autocommit=True) as raw:
        raw.execute("SET jit = off")
        with raw.cursor().copy(f"COPY ({statement}) TO STDOUT (FORMAT binary)".encode()) as stream:
            rows = np.frombuffer(b"".join(stream)[19:-2], record)
    return np.sort((rows["left"].astype(np.int64) << 32) + rows["right"].astype(np.int64))


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
    counts = {timed(ours, "xmatch, all", "SELECT count(*) FROM xmatch('probe', 'sky', 1.0)")}
    found = {"xmatch": pairs(ours, "SELECT left_id, right_id FROM xmatch('probe', 'sky', 1.0)")}
    for mode in ("best", "mutual"):
        timed(ours, f"xmatch, {mode}", f"SELECT count(*) FROM xmatch('probe', 'sky', 1.0, '{mode}')")
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
        joined = "FROM probe AS a JOIN sky AS b ON q3c_join(a.ra, a.dec, b.ra, b.dec, 1.0 / 3600)"
        with psycopg.connect(theirs, autocommit=True) as raw:
            print("Q3C:", raw.execute("SELECT q3c_version()").fetchall()[0][0])
            for name in ("probe", "sky"):
                raw.execute(f"ALTER TABLE {name} ADD id bigint GENERATED ALWAYS AS IDENTITY".encode())
            raw.execute("VACUUM ANALYZE probe, sky")
        counts.add(timed(theirs, "Q3C's q3c_join, the extension", f"SELECT count(*) {joined}"))
        found["Q3C"] = pairs(theirs, f"SELECT a.id, b.id {joined}")
    timed(ours, "floor: hash join by an integer", "SELECT count(*) FROM probe AS a JOIN sky AS b USING (id)")
    wall, cpu = time.perf_counter(), time.process_time()
    a, b = (sphere.unit_vector(t["ra"], t["dec"]) for t in (probe, sky))
    chord = 2.0 * np.sin(np.radians(1.0 / 3600.0) / 2.0)
    tree = cKDTree(b)
    n_found = tree.query_ball_point(a, chord, return_length=True)
    costs["k-d tree of arrays in memory"] = time.process_time() - cpu
    tell("k-d tree of arrays in memory", time.perf_counter() - wall, time.process_time() - cpu, int(n_found.sum()))
    counts.add(int(n_found.sum()))
    some = np.flatnonzero(n_found)  # the lists are asked for only where there are any: they are objects
    right = np.concatenate([np.sort(each) for each in tree.query_ball_point(a[some], chord)])
    found["k-d tree"] = np.sort((np.repeat(some + 1, n_found[some]) << 32) + right + 1)
    print("all counts agree" if len(counts) == 1 else f"COUNTS DIFFER: {counts}")
    for name, each in found.items():
        print(f"pairs of {name}: {'the same' if np.array_equal(each, found['xmatch']) else 'OTHERS'}, one by one")
    for peer in ("Q3C's q3c_join, the extension", "k-d tree of arrays in memory", "floor: hash join by an integer"):
        if peer in costs:
            print(f"CPU of xmatch over that of {peer}: {costs['xmatch, all'] / costs[peer]:.2f}")
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


def growth(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """CPU for each row of tables of a quarter, half and all of the length."""
    cost = []
    for n in (given.n_source // 4, given.n_source // 2, given.n_source):
        bench_sky.fill(dsn, "growth", bench_sky.places(n), "sky_zone(dec), ra", is_ours=True)
        ours = make_conninfo(dsn, dbname="growth")
        with psycopg.connect(ours, autocommit=True) as raw:
            for name in ("probe", "sky"):
                raw.execute(f"ALTER TABLE {name} ADD id integer GENERATED ALWAYS AS IDENTITY".encode())
            raw.execute("VACUUM ANALYZE probe, sky")
        what = f"xmatch, {n} x {n}"
        timed(ours, what, "SELECT count(*) FROM xmatch('probe', 'sky', 1.0)")
        cost.append(1e6 * costs[what] / n)
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("DROP DATABASE growth WITH (FORCE)")
    print("CPU microseconds for each row: " + ", ".join(f"{each:.2f}" for each in cost))


def dense(dsn: str, has_q3c: bool, given: argparse.Namespace) -> None:
    """Ten visits of 10 x 10 deg beyond RA 180, matched to one more visit; and a short list matched to them."""
    ours = make_conninfo(dsn, dbname="dense")
    n_star = given.n_dense // 10
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE dense")
    made = engine.connect(ours, pool=False)
    migrate.migrate(made, q3c="sql")
    made.dispose()
    star = f"SELECT n, 220 + 10 * random() AS ra, 10 * random() - 5 AS dec FROM generate_series(1, {n_star}) AS n"
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
        raw.execute(
            b"CREATE FUNCTION returned(statement text) RETURNS TABLE (left_id bigint, right_id bigint, sep float8)"
            b" LANGUAGE plpgsql ROWS 100000 SET work_mem = '1GB' SET parallel_tuple_cost = 0"
            b" AS $$ BEGIN RETURN QUERY EXECUTE statement; END $$"
        )
    print(f"dense field: {n_star} x {given.n_dense}")
    counts = {timed(ours, "xmatch, all", "SELECT count(*) FROM xmatch('one', 'ten', 1.0)")}
    floor = "SELECT a.id, b.id, b.ra FROM one AS a JOIN ten AS b ON a.id - 100000000 = mod(b.id, 100000000)"
    timed(ours, "floor: hash join by an integer, counted", f"SELECT count(*) FROM ({floor}) AS f")
    timed(ours, "floor: the same, returned by a function", f"SELECT count(*) FROM returned('{floor}')")
    if has_q3c:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("CREATE DATABASE theirs")
        theirs = make_conninfo(dsn, dbname="theirs")
        with psycopg.connect(ours) as source, psycopg.connect(theirs, autocommit=True) as raw:
            raw.execute("CREATE EXTENSION q3c")
            for name in ("one", "ten"):
                raw.execute(f"CREATE TABLE {name} (id bigint, ra float8, dec float8)".encode())
                with source.cursor().copy(f"COPY {name} TO STDOUT (FORMAT binary)".encode()) as away:
                    with raw.cursor().copy(f"COPY {name} FROM STDIN (FORMAT binary)".encode()) as back:
                        for block in away:
                            back.write(block)
            raw.execute("CREATE INDEX ON ten (q3c_ang2ipix(ra, dec))")
            raw.execute("VACUUM ANALYZE one, ten")
        counts.add(timed(theirs, "Q3C's q3c_join, the extension", "SELECT count(*) FROM one AS a JOIN ten AS b"
                         " ON q3c_join(a.ra, a.dec, b.ra, b.dec, 1.0 / 3600)"))  # fmt: skip
        print("all counts agree" if len(counts) == 1 else f"COUNTS DIFFER: {counts}")
    for peer in (
        "Q3C's q3c_join, the extension",
        "floor: hash join by an integer, counted",
        "floor: the same, returned by a function",
    ):
        if peer in costs:
            print(f"CPU of xmatch over that of {peer}: {costs['xmatch, all'] / costs[peer]:.2f}")
    timed(ours, "xmatch, list of 10 000 without index", "SELECT count(*) FROM xmatch('list', 'ten', 1.0)")
    timed(ours, "the same, arguments the other way round", "SELECT count(*) FROM xmatch('ten', 'list', 1.0)")
    timed(
        ours,
        "the list by coneSearch in a join",
        "SELECT count(*) FROM list AS a JOIN ten AS b ON coneSearch(b.ra, b.dec, a.ra, a.dec, 1.0)",
    )


PARTS: dict[str, Callable[[str, bool, argparse.Namespace], None]] = {"match": match, "growth": growth, "dense": dense}


def main() -> None:
    """Make a server, run the parts, remove it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--n-source", type=int, default=1000000)
    parser.add_argument("--n-dense", type=int, default=10000000)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--first", action="store_true", help="let the server go before all other work (root)")
    parser.add_argument("--own", action="store_true", help="on the server that hscdb chooses, whatever has q3c")
    given = parser.parse_args()
    global is_first
    is_first = given.first
    chosen = os.environ.get("HSCDB_PGBIN")
    folder = Path(chosen) if chosen else None if given.own else folder_with_q3c()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; PostgreSQL in {folder or 'the wheel'}")
    buffers = tuning.settings(Path(tempfile.gettempdir()))["shared_buffers"]
    with bench_sky.server(folder, buffers=buffers) as dsn:
        for name in given.only:
            PARTS[name](dsn, folder is not None and has_q3c(folder), given)
            with psycopg.connect(dsn, autocommit=True) as admin:  # disk is given back part by part
                for database in ("ours", "theirs", "dense", "growth"):
                    admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())


if __name__ == "__main__":
    main()
