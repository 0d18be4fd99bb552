"""How fast match groups detections, beside a k-d tree matcher in memory in the same run.

    python tests/bench/bench_match.py [--visits 12] [--frames 100] [--stars 300] [--dsn DSN] [--json]

The k-d tree matcher is the usual script: visit after visit is matched to the growing list of stars. It reads its
detections from the database by COPY and writes its groups back, as any program that uses the database must.
"""

import argparse
import json
import platform
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import meter
import numpy as np
from scipy.spatial import cKDTree
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent / "sql"))
from match_world import fill, insert_task, match, observations

from hscdb.db import migrate
from hscdb.db.engine import connect, driver
from hscdb.db.server import Server
from hscdb.sky import sphere


def sky(n_visit, n_frame, n_star, seed=1):
    """Detections of n_star stars in each of n_frame frames of each visit, 85 % of them seen."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n_frame)))
    n = n_frame * n_star
    frame = np.repeat(np.arange(n_frame), n_star)
    xi, eta = (frame % side + rng.uniform(size=n)) * 0.1, (frame // side + rng.uniform(size=n)) * 0.2
    flux = 10 ** rng.uniform(3, 5, n)
    rows = []
    for visit in range(1, n_visit + 1):
        seen = rng.uniform(size=n) < 0.85
        at = sphere.deproject(
            xi[seen] - 0.05 * side + rng.normal(0, 0.03 / 3600, seen.sum()),
            eta[seen] - 0.1 * side + rng.normal(0, 0.03 / 3600, seen.sum()),
            359.9,
            2.0,
        )
        # 15 % of strangers: cosmic rays, asteroids, noise
        n_false = int(0.15 * n)
        extra = sphere.deproject(
            rng.uniform(-0.05, 0.05, n_false) * side, rng.uniform(-0.1, 0.1, n_false) * side, 359.9, 2.0
        )
        rows.append(
            observations(
                visit,
                np.concatenate([at[0], extra[0]]),
                np.concatenate([at[1], extra[1]]),
                ccd=np.concatenate([frame[seen], rng.integers(0, n_frame, n_false)]),
                flux=np.concatenate([flux[seen], 10 ** rng.uniform(3, 4, n_false)]),
                err=50.0,
                x=rng.uniform(0, 2048, seen.sum() + n_false),
                y=rng.uniform(0, 4176, seen.sum() + n_false),
            )
        )
    return np.concatenate(rows)


def tree_match(raw, radius_arcsec=1.0):
    """Read, match visit by visit against the growing list of stars, write; the number of groups, and CPU seconds."""
    start = meter.spent_s(raw)
    with raw.cursor().copy(
        "COPY (SELECT source_id, visit, ra, dec FROM source_sky ORDER BY visit, source_id) TO STDOUT"
    ) as stream:
        table = np.loadtxt((bytes(line) for line in stream), dtype="i8,i8,f8,f8")
    place = sphere.unit_vector(table["f2"], table["f3"])
    star = np.full(len(table), -1)
    centers = np.zeros((0, 3))
    for visit in np.unique(table["f1"]):
        here = np.flatnonzero(table["f1"] == visit)
        if len(centers):
            distance, nearest = cKDTree(centers).query(
                place[here], distance_upper_bound=np.radians(radius_arcsec / 3600)
            )
            found = np.isfinite(distance)
            star[here[found]] = nearest[found]
        new = here[star[here] < 0]
        star[new] = np.arange(len(centers), len(centers) + len(new))
        centers = np.concatenate([centers, place[new]])
    raw.execute("CREATE TEMP TABLE tree_member (star_id bigint, source_id bigint)")
    with raw.cursor().copy("COPY tree_member FROM STDIN") as stream:
        for pair in zip(star.tolist(), table["f0"].tolist(), strict=True):
            stream.write_row(pair)
    return int((np.bincount(star) > 1).sum()), meter.spent_s(raw) - start


@contextmanager
def database(dsn):
    """An engine on a fresh schema: of the DSN given, or of a server of our own."""
    with tempfile.TemporaryDirectory(prefix="hscdb-bench-") as folder:
        Path(folder).chmod(0o755)
        server = None if dsn else Server(Path(folder))
        engine = connect(dsn or server.start(), pool=False)
        migrate.migrate(engine)
        yield engine
        engine.dispose()
        if server:
            server.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--stars", type=int, default=300)
    parser.add_argument("--dsn", help="an empty database; by default a server of its own is started")
    parser.add_argument("--json", action="store_true", help="one JSON line only")
    arguments = parser.parse_args()
    rows = sky(arguments.visits, arguments.frames, arguments.stars)
    with database(arguments.dsn) as engine, engine.connect() as connection, connection.begin() as transaction:
        world = fill(connection, rows)
        for table in ("source", "source_sky", "frame_tract", "task"):
            connection.execute(text(f"ANALYZE {table}"))
        insert_task(connection, world.run_id, "match", "warm")
        took, funnel = [], {}
        for _ in range(2):
            start = meter.spent_s(driver(connection))
            funnel, _ = match(connection, world)
            took.append(meter.spent_s(driver(connection)) - start)
        n_tree, tree_s = tree_match(driver(connection))
        transaction.rollback()
    figures = {
        "bench": "match",
        "n_observation": len(rows),
        "n_visit": arguments.visits,
        "match_cpu_s": round(min(took), 2),
        "n_star": funnel["n_star"],
        "tree_cpu_s": round(tree_s, 2),
        "n_star_tree": n_tree,
        "peak_mb": meter.peak_mb(),
        "ratio": round(min(took) / tree_s, 2),
        "observations_per_s": round(len(rows) / min(took)),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
