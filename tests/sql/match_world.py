"""A small registry for the match stage: frames and sources at given places, and what the matching made."""

from types import SimpleNamespace

import numpy as np
from sqlalchemy import text

from hscdb.db import copy, partition
from hscdb.match import stage
from hscdb.sky import sphere

OBSERVATION = [
    ("visit", "i8"),
    ("ccd", "i4"),
    ("ra", "f8"),
    ("dec", "f8"),
    ("flux", "f8"),
    ("err", "f8"),
    ("flags", "i8"),
    ("extendedness", "f8"),
    ("x", "f8"),
    ("y", "f8"),
]


def observations(visit, ra, dec, *, ccd=0, flux=1000.0, err=10.0, flags=0, extendedness=0.0, x=None, y=None):
    """Sources as a structured array; x and y are spread so that the thinning does not act unless they are given."""
    n = len(np.atleast_1d(np.broadcast_arrays(visit, ra, dec)[0]))
    rows = np.zeros(n, OBSERVATION)
    for name, given in (
        ("visit", visit),
        ("ccd", ccd),
        ("ra", sphere.normalize_ra(ra)),
        ("dec", dec),
        ("flux", flux),
        ("err", err),
        ("flags", flags),
        ("extendedness", extendedness),
    ):
        rows[name] = given
    rows["x"] = 512.0 * np.arange(n) if x is None else x
    rows["y"] = 0.0 if y is None else y
    return rows


def fill(connection, rows, *, filter="HSC-R", mjd=None, tract=0, detect=True):
    """Enter the sources as done frames of a tract; returns run_id and the source_id of each row."""
    run_id = scalar(
        connection,
        "INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('world', '{}', '', '') "
        "RETURNING run_id",
    )
    connection.execute(text("INSERT INTO filter VALUES (:f, 'r', 620) ON CONFLICT DO NOTHING"), {"f": filter})
    connection.execute(
        text("INSERT INTO ccd SELECT c, 'ccd' || c, 'science', true, 2048, 4176, 0, 0, 0, 0 FROM unnest(:c) AS c"),
        {"c": sorted({int(ccd) for ccd in rows["ccd"]})},
    )
    skymap_task = insert_task(connection, run_id, "skymap", "skymap")
    connection.execute(text("INSERT INTO skymap VALUES ('world', 'discrete', 1, 0.168, 4000, 100, 0.01)"))
    connection.execute(
        text("INSERT INTO tract VALUES ('world', :t, 0, 0, 1, 0, 0, 0.168, 1, 1, 4000, 4000, '{}', '{}')"), {"t": tract}
    )
    visits = sorted({int(visit) for visit in rows["visit"]})
    for visit in visits:
        when = None if mjd is None else mjd[visit]
        connection.execute(
            text("INSERT INTO visit (visit, data_type, filter, obs_mjd) VALUES (:v, 'science', :f, :m)"),
            {"v": visit, "f": filter, "m": when},
        )
    partition.ensure(connection, run_id, visits)
    tasks = {}
    for visit, ccd in sorted({(int(r["visit"]), int(r["ccd"])) for r in rows}):
        name = f"visit={visit} ccd={ccd}"
        connection.execute(
            text("INSERT INTO frame VALUES (:v, :c, NULL, 'raw', :p, 0, 2048, 4176, 0, '')"),
            {"v": visit, "c": ccd, "p": name},
        )
        calibrate = insert_task(connection, run_id, "calibrate", name, visit, ccd)
        tasks[visit, ccd] = (
            calibrate,
            insert_task(connection, run_id, "detect", name, visit, ccd) if detect else calibrate,
        )
        connection.execute(
            text("INSERT INTO frame_tract VALUES (:r, :k, 'world', :t, :v, :c, true)"),
            {"r": run_id, "k": skymap_task, "t": tract, "v": visit, "c": ccd},
        )
    return SimpleNamespace(run_id=run_id, tract=tract, filter=filter, source_id=enter(connection, run_id, rows, tasks))


def enter(connection, run_id, rows, tasks):
    """Store the rows in source and source_sky; returns their source_ids."""
    number = np.zeros(len(rows), np.int64)
    for visit, ccd in tasks:
        here = (rows["visit"] == visit) & (rows["ccd"] == ccd)
        number[here] = np.arange(1, here.sum() + 1)
    source_id = ((rows["visit"] * 200 + rows["ccd"]) << 32) | number
    calibrate, detect = np.array([tasks[int(r["visit"]), int(r["ccd"])] for r in rows], np.int64).reshape(-1, 2).T
    sky = np.rec.fromarrays(
        [
            np.full(len(rows), run_id),
            calibrate,
            rows["visit"],
            rows["ccd"],
            source_id,
            rows["ra"],
            rows["dec"],
            rows["flux"],
            rows["err"],
        ],
        names="run_id,task_id,visit,ccd,source_id,ra,dec,flux_njy,flux_njy_err",
    )
    zero = np.zeros(len(rows), np.int64)
    source = np.rec.fromarrays(
        [
            np.full(len(rows), run_id),
            detect,
            rows["visit"],
            rows["ccd"],
            source_id,
            rows["x"],
            rows["y"],
            zero,
            zero,
            rows["flags"],
            rows["extendedness"],
        ],
        names="run_id,task_id,visit,ccd,source_id,x_pix,y_pix,n_child,n_pixel,flags,extendedness",
    )
    copy.write(connection, "source", source)
    copy.write(connection, "source_sky", sky)
    # as the worker does after each stage that fills them
    connection.execute(text("ANALYZE source"))
    connection.execute(text("ANALYZE source_sky"))
    return source_id


def insert_task(connection, run_id, name, data_id, visit=None, ccd=None, tract=None, filter=None):
    """A done task; returns its number."""
    return scalar(
        connection,
        "INSERT INTO task (run_id, stage, data_id, visit, ccd, tract, filter, status) "
        "VALUES (:r, :s, :d, :v, :c, :t, :f, 'done') RETURNING task_id",
        r=run_id,
        s=name,
        d=data_id,
        v=visit,
        c=ccd,
        t=tract,
        f=filter,
    )


def insert_refs(connection, name, ra, dec, *, epoch=None, pm_ra=None, pm_dec=None, preset="gaia"):
    """A reference catalog; ref_id counts from 1. Returns ref_catalog_id."""
    catalog = scalar(
        connection, "INSERT INTO ref_catalog (name, preset) VALUES (:n, :p) RETURNING ref_catalog_id", n=name, p=preset
    )
    n = len(ra)

    def column(given):
        return np.full(n, np.nan) if given is None else np.broadcast_to(np.asarray(given, float), n)

    rows = np.rec.fromarrays(
        [
            np.full(n, catalog),
            np.arange(1, n + 1),
            sphere.normalize_ra(ra),
            np.asarray(dec, float),
            column(epoch),
            column(pm_ra),
            column(pm_dec),
        ],
        names="ref_catalog_id,ref_id,ra,dec,epoch_mjd,pm_ra_mas_yr,pm_dec_mas_yr",
    )
    copy.write(connection, "ref_star", rows)
    return catalog


def scalar(connection, statement, **params):
    """The only value of a statement's only row."""
    return connection.execute(text(statement), params).scalar_one()


def match(connection, world, frames=None, **settings):
    """Run the match stage, of chosen frames (visit, ccd) or all; returns funnel and task_id."""
    task_id = insert_task(
        connection,
        world.run_id,
        "match",
        f"match {settings} {np.random.default_rng().integers(1 << 60)}",
        tract=world.tract,
        filter=world.filter,
    )
    work = SimpleNamespace(
        connection=connection, run_id=world.run_id, task_id=task_id, options={"frames": frames},
        unit={"tract": world.tract, "filter": world.filter},
    )  # fmt: skip
    return stage.run(work, stage.Config(**settings)), task_id


def groups(connection, task_id):
    """{star_id: sorted source_ids}."""
    found: dict[int, list[int]] = {}
    for star_id, source_id in connection.execute(
        text("SELECT star_id, source_id FROM star_member WHERE task_id = :t ORDER BY 1, 2"), {"t": task_id}
    ):
        found.setdefault(star_id, []).append(source_id)
    return found


def stars(connection, task_id):
    """Rows of star by star_id."""
    return connection.execute(text("SELECT * FROM star WHERE task_id = :t ORDER BY star_id"), {"t": task_id}).all()
