"""How mosaic grows: 25 and 100 visits of all 104 CCDs over one field, from tables to rows.

    python tests/bench/bench_scale.py [--visits 25 100] [--stars 310] [--order 5] [--turbulence] [--dsn DSN] [--json]

Stars of one sky (310 per CCD: 1e5 in all, 3e6 detections in 100 visits) are entered as match would leave them; a
process of its own then reads, solves and writes each set. CPU seconds are of that process and its server process
together; memory is the process's. It has one thread, for others that wait for work spin and count as CPU (6 s of 27 in
25 visits), and has solved a small field before: imports and machine code are no part of the growth. Told apart are the
rows of stars and detections, and the frames: their WCS, their rows and header files (products are not entered in their
table). Floors are the server's own COPY of the same rows, out of a table that holds the query's answer and into one
without indexes, by the same client.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import meter
import numpy as np
import psycopg
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent))
from joint_tables import load as load_tables
from joint_tables import task
from joint_world import FILTER, build, star_rows

from hscdb.camera.load import load
from hscdb.db import copy, header, migrate
from hscdb.db.engine import connect, driver
from hscdb.db.server import Server
from hscdb.mosaic import gather, models, rows, solve, stage
from hscdb.run.repository import enter_camera
from hscdb.run.stage import Work

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_STEPS = ("read", "solve", "rows", "frames")


def floors(connection, run_id, unit, work, given, found, result):
    """CPU seconds of plain COPY: of the detections out of a table, and of their residuals into one without indexes."""
    raw, frames = driver(connection), gather.tasks(given.frames)
    asked = stage.read_observations
    psycopg.ClientCursor(raw).execute(
        f"CREATE TABLE plain_seen AS {header.for_psycopg(asked.parsed)}",
        asked.bind({"run_id": run_id, **unit, "flux": "", **frames}),
    )
    raw.execute("CREATE TABLE plain_residual (LIKE star_residual)")
    begin = meter.spent_s(raw)
    with raw.cursor() as cursor, cursor.copy("COPY plain_seen TO STDOUT (FORMAT binary)") as out:
        for _ in out:
            pass
    middle = meter.spent_s(raw)
    key = {"run_id": run_id, "task_id": work.task_id}
    for part in rows.residuals(key, found.source_id, given.obs, result):
        copy.write(connection, "plain_residual", part, rows.NO_REASON)
    return middle - begin, meter.spent_s(raw) - middle


@contextmanager
def _writing(folder, count, dataset, **ids):
    count[dataset] = count.get(dataset, 0) + 1
    yield folder / f"{dataset}-{ids['visit']}-{ids['ccd']}.fits"


def warm(config):
    """Solve a small field: imports and machine code."""
    world = build("hsc", [49, 50], n_visit=2, per_ccd=40)
    seen, frames, positions = star_rows(world)
    obs = gather.observations(seen, frames, False)
    none = np.full(obs.stars.size, np.nan)
    refs = gather.references(obs.stars, positions, none, none)
    given = solve.Given(obs, refs, frames, gather.zero_points(seen, frames))
    solve.solve(world.camera, given, models.settings(config))


def solved(dsn, run_id, config):
    """Read, solve and write one set; what each cost."""
    warm(config)
    engine, count = connect(dsn, pool=False), {}
    with engine.connect() as connection, connection.begin() as transaction, tempfile.TemporaryDirectory() as folder:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        unit = {"tract": 0, "filter": FILTER}
        files = SimpleNamespace(writing=lambda dataset, **ids: _writing(Path(folder), count, dataset, **ids))
        work = Work(connection, run_id, task(connection, run_id, "mosaic", **unit), unit, load("hsc"), files, Path())
        raw, spent, clock, peak = driver(connection), [], [], []

        def mark():
            spent.append(meter.spent_s(raw))
            clock.append(time.perf_counter())
            peak.append(meter.peak_mb())

        mark()
        given, found = stage.read(work, config)
        mark()
        result = solve.solve(work.camera, given, models.settings(config))
        mark()
        stage.write_rows(work, given, found, result)
        mark()
        stage.write_frames(work, config, given, result)
        mark()
        plain = floors(connection, run_id, unit, work, given, found, result)
        transaction.rollback()
    position, scale = result.position, result.scale
    cpu, wall = (dict(zip(_STEPS, np.diff(each).round(1).tolist(), strict=True)) for each in (spent, clock))
    return {
        "detections": int(given.obs.x.size), "stars": int(given.obs.stars.size), "unknowns": position.n_parameter,
        "cpu_s": cpu, "wall_s": wall, "copy_floor_s": [round(one, 1) for one in plain],
        "read_to_floor": round(cpu["read"] / plain[0], 2), "rows_to_floor": round(cpu["rows"] / plain[1], 2),
        "read_and_rows_to_solve": round((cpu["read"] + cpu["rows"]) / cpu["solve"], 2),
        "peak_mb": dict(zip(_STEPS, peak[1:], strict=True)),
        "passes": [position.n_iteration, scale.n_iteration],
        "chi2_per_dof": [round(s.chi2 / s.dof, 4) for s in (position, scale)],
        "reserved_mas": round(result.verdict.position_after, 3), "order": position.notes["order"],
        "reserved_mmag": round(1000 * result.verdict.mag_after, 3), "files": sum(count.values()),
    }  # fmt: skip


def of_visits(world, n):
    """The world as its first n visits see it."""
    kept = sorted(world.visits)[:n]
    return replace(
        world, visits={v: world.visits[v] for v in kept}, frames=[f for f in world.frames if f[0] in kept],
        detections=world.detections[np.isin(world.detections["visit"], kept)],
    )  # fmt: skip


def measured(world, dsn, words, is_cold):
    """The figures of a world, from a process of its own; is_cold: from a second one, the first compiles."""
    with tempfile.TemporaryDirectory(prefix="hscdb-bench-") as folder:
        Path(folder).chmod(0o755)
        server = None if dsn else Server(Path(folder))
        where = dsn or server.start()
        engine = connect(where, pool=False)
        migrate.migrate(engine)
        enter_camera(engine, world.camera)
        with engine.begin() as connection:
            run_id = connection.execute(
                text("INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('scale', '{}', '', '') "
                     "RETURNING run_id")
            ).scalar_one()  # fmt: skip
            load_tables(connection, world, run_id)
        engine.dispose()
        for _ in range(1 + is_cold):  # compiling takes as long as solving 25 visits: it is no part of the growth
            child = subprocess.run(
                [sys.executable, __file__, "--child", where, str(run_id), json.dumps(words)], stdout=subprocess.PIPE,
                text=True, check=True, env=os.environ | _ONE_THREAD,
            )  # fmt: skip
        if server:
            server.remove()
        return json.loads(child.stdout.splitlines()[-1])


def main() -> None:
    """Build, enter, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--stars", type=float, default=310.0, help="per CCD")
    parser.add_argument("--order", type=int, default=5, help="0: chosen by the reserved stars")
    parser.add_argument("--turbulence", action="store_true")
    parser.add_argument("--dsn", help="an empty database; by default a server of its own is started")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.child:
        dsn, run_id, config = words.child
        print(json.dumps(solved(dsn, int(run_id), stage.Config(**json.loads(config)))))
        return
    science = sorted(c.ccd for c in load("hsc").ccds.values() if c.is_science)
    # pointings over 1.1 degrees: 30 of 100 visits see the average star
    world = build("hsc", science, n_visit=max(words.visits), per_ccd=words.stars, noise_pix=0.03, mag_noise=0.005,
                  dither=5.6, seed=3, step_days=7.0)  # fmt: skip
    config = {"astrometry_order": words.order or None, "solve_turbulence": words.turbulence}
    found = {n: measured(of_visits(world, n), words.dsn, config, n == words.visits[0]) for n in words.visits}
    first, last = found[words.visits[0]], found[words.visits[-1]]
    result = {str(n): one for n, one in found.items()} | {
        "growth_of_solve": round(last["cpu_s"]["solve"] / first["cpu_s"]["solve"], 2),
        "growth_of_detections": round(last["detections"] / first["detections"], 2),
    }
    print(json.dumps(result) if words.json else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
