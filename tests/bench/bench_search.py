"""How fast single places are looked up: cones, polygons, the frames that cover a place, light curves.

    python tests/bench/bench_search.py [--n-cone 10000000] [--n-frame 1000000] [--n-detection 10000000]
                                       [--members-of 1] [--only cone frame lightcurve] [--place DIR --fill-s 300]

Each line: p50 and p99 of the clock, mean CPU milliseconds of both processes, p99 of the server's and of what it waited
for a core (on a busy machine the clock's tail is that), rows found. What does not fit on the disk is refused: a row of
`cone` takes 160 bytes with its index, a frame 1 kB, a detection 185 bytes and as much again where it is linked to its
star.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import bench_face
import bench_sky
import meter
import numpy as np
import psycopg
from bench_face import timed
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection

from hscdb.db import engine, migrate, partition, tuning


def percentiles(dsn: str, what: str, statement: str, words: list[tuple[Any, ...]]) -> None:
    """Many runs of one short statement in one session: p50 and p99 of the clock, in ms, and of the CPU.

    The first of a session reads the catalogs of the server and plans the functions; it is told apart. With --first this
    process goes before others, too: while it waits for its turn, the clock runs.
    """
    clocks, spent, server, n_row = [], [], [], 0
    with psycopg.connect(dsn, autocommit=True) as raw:
        raw.execute("SET jit = off")
        with meter.first(raw, is_both=True) if bench_face.is_first else nullcontext():
            for each in words:
                started, before, clock = meter.spent_s(raw), meter.scheduled_ms(raw), time.perf_counter()
                n_row += len(raw.execute(statement.encode(), each).fetchall())
                clocks.append(1e3 * (time.perf_counter() - clock))
                spent.append(meter.spent_s(raw) - started)
                server.append(meter.scheduled_ms(raw) - before)
    p50, p99 = np.percentile(clocks[1:], [50, 99])
    ran, waited = np.percentile(server[1:], 99, axis=0)
    print(
        f"{what:<58} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  cpu {1e3 * np.mean(spent):7.2f} ms, p99 {ran:6.2f},"
        f" waited {waited:6.2f}  {n_row} rows, the session's first {clocks[0]:.1f} ms",
        flush=True,
    )


def ready(dsn: str, database: str) -> None:
    """A database with our schema; the one that is there is kept."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            admin.execute(f"CREATE DATABASE {database}".encode())
    made = engine.connect(make_conninfo(dsn, dbname=database), pool=False)
    migrate.migrate(made, q3c="sql")
    made.dispose()


def in_blocks(
    raw: psycopg.Connection[Any], what: str, given: argparse.Namespace, n: int, statement: str, n_block: int = 10
) -> bool:
    """Run a statement for the numbers {first} to {last} of each block of 1 to n that was not done yet.

    False if there was no time for all (--fill-s, of the whole run): the next one with the same --place goes on.
    """
    raw.execute("CREATE TABLE IF NOT EXISTS bench_block (what text, first bigint, PRIMARY KEY (what, first))")
    done = {row[0] for row in raw.execute("SELECT first FROM bench_block WHERE what = %s", [what])}
    size, last_s = max(n // n_block, 1), 0.0
    for first in range(1, n + 1, size):
        if first in done:
            continue
        began = time.perf_counter()
        if began - given.start + last_s > given.fill_s:
            print(
                f"{what}: {len(done)} of {n_block} blocks are filled; run this again with the same --place", flush=True
            )
            return False
        with raw.transaction():
            raw.execute(statement.format(first=first, last=min(first + size - 1, n)).encode())
            raw.execute("INSERT INTO bench_block VALUES (%s, %s)", [what, first])
        last_s = time.perf_counter() - began
        done.add(first)
    return True


def cone(dsn: str, given: argparse.Namespace) -> None:
    """Cones of 1 arcmin in a big table of an all-sky kind, 20 columns; half of it lies beyond RA 180."""
    ours = make_conninfo(dsn, dbname="cone")
    ready(dsn, "cone")
    columns = ", ".join(f"f{k} real" for k in range(17))
    numbers = ", ".join("1.0" for _ in range(17))
    with psycopg.connect(ours, autocommit=True) as raw:
        raw.execute(
            f"CREATE UNLOGGED TABLE IF NOT EXISTS big"
            f" (id bigint, ra double precision, dec double precision, {columns})".encode()
        )
        # In order of zones, as a stage loads them: 60 x 60 deg.
        is_full = in_blocks(
            raw, "big", given, given.n_cone,
            f"INSERT INTO big SELECT n, sky_ra(330 + 60 * random()), -30 + 60.0::float8 * n / {given.n_cone}, {numbers}"
            f" FROM generate_series({{first}}, {{last}}) AS n",
        )  # fmt: skip
        if not is_full:
            return
        raw.execute("SET maintenance_work_mem = '1GB'")
        raw.execute("CREATE INDEX IF NOT EXISTS big_sky ON big (sky_zone(dec), ra)")
        # CREATE INDEX sets reltuples, so only the visible pages tell whether the table was vacuumed; if not, the server
        # would begin to do it by itself while the cones are measured.
        if raw.execute("SELECT relallvisible = 0 FROM pg_class WHERE relname = 'big'").fetchone() == (True,):
            raw.execute("VACUUM ANALYZE big")
            raw.execute("CHECKPOINT")
    rng = np.random.default_rng(3)
    words = [(float(a) % 360.0, float(d)) for a, d in rng.uniform((331, -29), (389, 29), (300, 2))]
    for what in ("first time", "warm"):
        percentiles(
            ours,
            f"cone of 1 arcmin in {given.n_cone} rows, coneSearch, {what}",
            "SELECT * FROM big WHERE coneSearch(ra, dec, %s, %s, 60)",
            words,
        )
    percentiles(ours, "the same, q3c_radial_query in plain SQL",
                "SELECT * FROM big WHERE q3c_radial_query(ra, dec, %s, %s, 1.0 / 60)", words)  # fmt: skip
    square = "SELECT count(*) FROM big WHERE polygonSearch(ra, dec, ARRAY[20, 0, 21.5, 0, 21.5, 1.5, 20, 1.5])"
    timed(ours, "polygon of a tract (1.5 deg square)", square)


def frame(dsn: str, given: argparse.Namespace) -> None:
    """Which of a million frames cover a place."""
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
    for what in ("first time", "warm"):
        percentiles(ours, f"ccd_search in {given.n_frame} frames, {what}", "SELECT * FROM ccd_search(%s, %s)", places)


def lightcurve(dsn: str, given: argparse.Namespace) -> None:
    """The light curve of one star, each seen in 100 visits, and cones, in the tables of the pipeline."""
    ours = make_conninfo(dsn, dbname="lightcurve")
    ready(dsn, "lightcurve")
    n_star = given.n_detection // 100
    made = engine.connect(ours, pool=False)
    with made.begin() as connection:
        if not engine.driver(connection).execute("SELECT FROM star LIMIT 1").fetchall():
            _world(connection, n_star)
    made.dispose()
    source = "(CAST(v AS bigint) * 200 << 32) + star_id"
    with psycopg.connect(ours, autocommit=True) as raw:
        is_full = in_blocks(
            raw, "source_sky", given, 100,
            "INSERT INTO source_sky (run_id, task_id, visit, ccd, source_id, ra, dec, flux_njy, flux_njy_err)"
            f" SELECT 1, 1, v, 0, {source}, ra, dec, 1000, 10 FROM star, LATERAL (SELECT {{first}} AS v) AS o"
            " ORDER BY star_id",
            100,
        ) and in_blocks(
            raw, "star_member", given, 100,
            f"INSERT INTO star_member SELECT 1, 1, star_id, v, 0, {source}, 0"
            f" FROM star, LATERAL (SELECT {{first}} AS v) AS o WHERE star_id % {given.members_of} = 0 ORDER BY star_id",
            100,
        )  # fmt: skip
        if not is_full:
            return
        if raw.execute("SELECT reltuples < 0 FROM pg_class WHERE relname = 'star_member'").fetchone() == (True,):
            raw.execute("ANALYZE star, star_member, source_sky, visit, task")
        sizes = ", ".join(
            f"{name} {raw.execute(_SIZE, [name]).fetchone()[0] / 1e9:.1f} GB" for name in ("source_sky", "star_member")
        )
        places = raw.execute(
            f"SELECT ra, dec FROM star WHERE star_id % {given.members_of} = 0 ORDER BY hashint8(star_id) LIMIT 300"
        ).fetchall()
    print(f"{given.n_detection} rows of source_sky, members of one star in {given.members_of}: {sizes}")
    for what in ("first time", "warm"):
        percentiles(
            ours, f"lightcurve of a star of 100 detections, {what}", "SELECT * FROM lightcurve(%s, %s, 0.5)", places
        )
    for what in ("first time", "warm"):
        percentiles(
            ours, f"cone of 1 arcmin in source_sky, {what}",
            "SELECT * FROM source_sky WHERE coneSearch(ra, dec, %s, %s, 60)", places,
        )  # fmt: skip
    square = "SELECT count(*) FROM source_sky WHERE polygonSearch(ra, dec, ARRAY[20, 0, 21.5, 0, 21.5, 1.5, 20, 1.5])"
    timed(ours, "polygon of a tract (1.5 deg square) in source_sky", square)


_SIZE = "SELECT CAST(sum(pg_total_relation_size(relid)) AS float8) FROM pg_partition_tree(to_regclass(%s))"


def _world(connection: Connection, n_star: int) -> None:
    """One run, its visits, its stars of 60 x 60 deg, and its partitions, which need no log."""
    raw = engine.driver(connection)
    raw.execute("INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('bench', '{}', '', '')")
    raw.execute("INSERT INTO filter VALUES ('HSC-R', 'r', 620)")
    raw.execute("INSERT INTO ccd VALUES (0, 'c', 'science', true, 9, 9, 0, 0, 0, 0)")
    raw.execute(
        "INSERT INTO task (run_id, stage, data_id, tract, filter, status)"
        " VALUES (1, 'match', 'all', 0, 'HSC-R', 'done')"
    )
    raw.execute(
        "INSERT INTO visit (visit, data_type, filter, obs_mjd) SELECT v, 'science', 'HSC-R', 58000 + v"
        " FROM generate_series(1, 100) AS v"
    )
    raw.execute(
        f"INSERT INTO star (run_id, task_id, star_id, tract, filter, ra, dec, flux_njy, n_visit, is_ambiguous,"
        f" is_reserved) SELECT 1, 1, n, 0, 'HSC-R', 60 * random(), -30 + 60.0::float8 * n / {n_star}, 1000, 100,"
        " false, false"
        f" FROM generate_series(1, {n_star}) AS n".encode()
    )
    partition.ensure(connection, 1, list(range(1, 101)))
    leaves = "SELECT relid::regclass FROM pg_partition_tree(to_regclass(%s)) WHERE isleaf"
    for table in ("source_sky", "star_member"):
        for (leaf,) in raw.execute(leaves, [table]).fetchall():
            raw.execute(f"ALTER TABLE {leaf} SET UNLOGGED".encode())


PARTS: dict[str, Callable[[str, argparse.Namespace], None]] = {"cone": cone, "frame": frame, "lightcurve": lightcurve}


def main() -> None:
    """Make a server, run the parts, remove it."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--n-cone", type=int, default=10000000)
    parser.add_argument("--n-frame", type=int, default=1000000)
    parser.add_argument("--n-detection", type=int, default=10000000)
    parser.add_argument("--members-of", type=int, default=1, help="one star in so many has its detections linked")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--place", help="keep server and tables in this folder, and use those that are there")
    parser.add_argument("--fill-s", type=float, default=1e9, help="stop filling tables after so many seconds")
    parser.add_argument("--first", action="store_true", help="let the server go before all other work (root)")
    given = parser.parse_args()
    bench_face.is_first, given.start = given.first, time.perf_counter()
    room = {
        "cone": 160 * given.n_cone,
        "frame": 1000 * given.n_frame,
        "lightcurve": (185 + 185 // given.members_of) * given.n_detection,
    }
    free = shutil.disk_usage(tempfile.gettempdir()).free
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    # as a repository's own server has it
    buffers = tuning.settings(Path(tempfile.gettempdir()))["shared_buffers"]
    with bench_sky.server(None, given.place, buffers) as dsn:
        for name in given.only:
            if room[name] > 0.6 * free and not given.place:
                print(f"{name}: needs {room[name] / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
                continue
            PARTS[name](dsn, given)
            if not given.place:
                with psycopg.connect(dsn, autocommit=True) as admin:  # disk is given back part by part
                    admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


if __name__ == "__main__":
    main()
