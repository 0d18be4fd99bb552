"""How fast two tables of a million places are joined at 1 arcsec, beside a k-d tree in memory and Q3C in the same run.

    python tests/bench/bench_sky.py [--n-source 1000000] [--radius-arcsec 1] [--workers 0] [--json]

Half of the first table are places of the second, displaced by 0.2 arcsec. The k-d tree is timed with and without
fetching its places from the database. Where a PostgreSQL with the extension is installed, Q3C and our functions run on
that server too, so that their ratio is not one of two servers.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import meter
import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).parent.parent / "sql"))
from test_q3c_twin import folder_with_q3c

from hscdb.db import copy, engine, migrate
from hscdb.db.server import Server
from hscdb.sky import ipix, sphere

JOIN = "SELECT count(*) FROM probe AS a JOIN sky AS b ON {name}(a.ra, a.dec, b.ra, b.dec, {radius})"
IMAGES = (
    "SELECT count(*) FROM (SELECT *, unnest(sky_images(ra, dec, {radius})) AS image_ra FROM probe) AS a"
    " JOIN sky AS b ON sky_near(a.image_ra, a.dec, b.ra, b.dec, {radius})"
)


def places(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(probe, sky): structured arrays (ra, dec) in the order of pixel numbers."""
    rng = np.random.default_rng(1)

    def random(n: int) -> np.ndarray:
        return np.stack([rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))])

    sky = random(n)
    near = sky[:, rng.permutation(n)[: n // 2]]
    step = np.hypot(*rng.normal(0, 0.2 / 3600.0, (2, n // 2)))
    probe = np.concatenate(
        [np.stack(sphere.offset(*near, rng.uniform(0, 360, n // 2), step)), random(n - n // 2)], axis=1
    )
    tables = []
    for ra, dec in (probe, sky):
        order = np.argsort(ipix.ang2ipix(ra, dec))
        table = np.zeros(n, [("ra", "f8"), ("dec", "f8")])
        table["ra"], table["dec"] = ra[order], dec[order]
        tables.append(table)
    return tables[0], tables[1]


@contextmanager
def server(folder: Path | None, keep: str | None = None, buffers: str = "512MB") -> Iterator[str]:
    """DSN of a server, of the PostgreSQL in this bin folder; its data are removed unless `keep` names a folder."""
    before = os.environ.pop("HSCDB_PGBIN", None)
    if folder is not None:
        os.environ["HSCDB_PGBIN"] = str(folder)
    with tempfile.TemporaryDirectory(prefix="hscdb-bench-", ignore_cleanup_errors=True) as scratch:
        place = Path(keep or scratch)
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        settings = {"fsync": "off", "shared_buffers": buffers, "work_mem": "64MB", "autovacuum": "off"}
        running = Server(place, settings)
        try:
            yield running.start()
        finally:
            if keep:
                running.stop()
            else:
                running.remove()
            os.environ.pop("HSCDB_PGBIN", None)
            if before is not None:
                os.environ["HSCDB_PGBIN"] = before


def fill(dsn: str, database: str, tables: tuple[np.ndarray, np.ndarray], index: str, *, is_ours: bool) -> float:
    """Make a database with both tables; CPU seconds of the index on `sky`."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}")
    made = engine.connect(make_conninfo(dsn, dbname=database), pool=False)
    if is_ours:
        migrate.migrate(made, q3c="sql")
    with made.begin() as connection:
        raw = engine.driver(connection)
        if not is_ours:
            raw.execute("CREATE EXTENSION q3c")
        for name, table in zip(("probe", "sky"), tables, strict=True):
            raw.execute(f"CREATE TABLE {name} (ra double precision, dec double precision)")
            copy.write(connection, name, table)
        started = meter.spent_s(raw)
        raw.execute(f"CREATE INDEX ON sky ({index})")
        seconds = meter.spent_s(raw) - started
    with psycopg.connect(make_conninfo(dsn, dbname=database), autocommit=True) as raw:
        raw.execute("VACUUM ANALYZE probe, sky")
    made.dispose()
    return seconds


def clock(dsn: str, database: str, statement: str, workers: int, n_time: int = 2) -> tuple[float, int]:
    """(CPU seconds of the best of n_time, with those of parallel workers, count)."""
    best, count = np.inf, 0
    with psycopg.connect(make_conninfo(dsn, dbname=database), autocommit=True) as raw:
        raw.execute("SET jit = off")
        raw.execute(f"SET max_parallel_workers_per_gather = {workers}")
        for _ in range(n_time):
            started = meter.all_spent_s(raw)
            count = raw.execute(statement).fetchone()[0]
            best = min(best, meter.all_spent_s(raw) - started)
    return best, count


def tree(dsn: str, radius_deg: float) -> tuple[float, float, int]:
    """(CPU seconds with fetching, those of the trees alone, count) of the match in memory."""
    found = []
    with psycopg.connect(make_conninfo(dsn, dbname="ours")) as raw:
        started = meter.spent_s(raw)
        for name in ("probe", "sky"):
            with raw.cursor().copy(f"COPY {name} TO STDOUT (FORMAT binary)") as stream:
                body = b"".join(stream)[19:-2]
            rows = np.frombuffer(body, [("n", ">i2"), ("l1", ">i4"), ("ra", ">f8"), ("l2", ">i4"), ("dec", ">f8")])
            found.append(sphere.unit_vector(rows["ra"].astype(float), rows["dec"].astype(float)))
        fetching = meter.spent_s(raw) - started
    started = meter.spent_s()
    pairs = cKDTree(found[1]).query_ball_point(found[0], 2.0 * np.sin(np.radians(radius_deg) / 2.0), return_length=True)
    trees = meter.spent_s() - started
    return fetching + trees, trees, int(pairs.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-source", type=int, default=1000000)
    parser.add_argument("--radius-arcsec", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=0, help="parallel workers of the server")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    radius_deg = given.radius_arcsec / 3600.0
    tables = places(given.n_source)
    statements = {
        "sky_join": JOIN.format(name="sky_join", radius=repr(radius_deg)),
        "sky_images": IMAGES.format(radius=repr(radius_deg)),
    }
    seconds: dict[str, float] = {}
    counts: dict[str, int] = {}
    with server(None) as dsn:
        seconds["index"] = fill(dsn, "ours", tables, "sky_zone(dec), ra", is_ours=True)
        for name, statement in statements.items():
            seconds[name], counts[name] = clock(dsn, "ours", statement, given.workers)
        seconds["fetch and k-d tree"], seconds["k-d tree"], counts["k-d tree"] = tree(dsn, radius_deg)
    folder = folder_with_q3c()
    if folder is not None:
        with server(folder) as dsn:
            fill(dsn, "ours", tables, "sky_zone(dec), ra", is_ours=True)
            seconds["q3c index"] = fill(dsn, "theirs", tables, "q3c_ang2ipix(ra, dec)", is_ours=False)
            for name, statement in statements.items():
                seconds[f"{name}, Q3C's server"], counts[f"{name}, Q3C's server"] = clock(
                    dsn, "ours", statement, given.workers
                )
            statement = JOIN.format(name="q3c_join", radius=repr(radius_deg))
            seconds["q3c"], counts["q3c"] = clock(dsn, "theirs", statement, given.workers)
    report(given, seconds, counts)


def report(given: argparse.Namespace, seconds: dict[str, float], counts: dict[str, int]) -> None:
    """Print the figures, and their ratios to the peers."""
    if len(set(counts.values())) != 1:
        raise SystemExit(f"the numbers of pairs differ: {counts}")
    ratios = {"sky_images / fetch and k-d tree": seconds["sky_images"] / seconds["fetch and k-d tree"]}
    if "q3c" in seconds:
        for name in ("sky_join", "sky_images"):
            ratios[f"{name} / q3c, one server"] = seconds[f"{name}, Q3C's server"] / seconds["q3c"]
    if given.json:
        print(
            json.dumps({"n_source": given.n_source, "seconds": seconds, "ratios": ratios, "n_pair": counts["k-d tree"]})
        )
        return
    print(f"{platform.platform()}, {os.cpu_count()} cores; {given.n_source} x {given.n_source} places,", end=" ")
    print(f"{given.radius_arcsec} arcsec, {counts['k-d tree']} pairs, {given.workers} parallel workers", end=" ")
    print(f"(peak of the client {meter.peak_mb()} MB)")
    for name, each in seconds.items():
        print(f"{name:32s} {each:7.2f} CPU s")
    for name, each in ratios.items():
        print(f"{name:48s} {each:5.2f}")
    if "q3c" not in seconds:
        print("(no PostgreSQL with the q3c extension here)")


if __name__ == "__main__":
    main()
