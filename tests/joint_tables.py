"""A made world (joint_world.py) entered into a repository as if ingest..match had seen it, and commands run on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from joint_world import FILTER, NJY, REF_MJD, YEAR, World, magnitudes
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

from hscdb import pipeline
from hscdb.db import copy, partition
from hscdb.run import rerun, select
from hscdb.run.config import resolve
from hscdb.run.execute import Command, Outcome
from hscdb.run.repository import Repository, enter_camera
from hscdb.sky import sphere

STAGES = ("mosaic", "apply", "qa")
CONFIGS = {name: pipeline.load(name).config for name in STAGES}


@contextmanager
def repository(
    folder: Path, dsn: str, world: World, *, run: str = "joint", is_loaded: bool = True
) -> Iterator[Repository]:
    """A repository of the world's camera on an empty migrated database, with its rows in the run."""
    folder.mkdir(exist_ok=True)
    (folder / "hscdb.toml").write_text(f'camera = "{world.camera.name}"\n')
    opened = Repository.open(folder, dsn)
    enter_camera(opened.engine, opened.camera)
    if is_loaded:
        settings = resolve(CONFIGS)
        made = rerun.open_run(opened.engine, run, settings, [])
        with opened.engine.begin() as connection:
            load(connection, world, made.run_id)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def database(server_dsn: str, template: str, name: str) -> Iterator[str]:
    """DSN of a migrated database of this name, for a whole module of tests."""
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def run(
    repository: Repository, *stages: str, run: str = "joint", words: Any = (), redo: bool = False, **options: Any
) -> Outcome:
    """`hscdb run` on all the repository's frames; words: settings as on the command line."""
    if "mosaic" in stages and not any("turbulence" in word for word in words):
        words = [*words, "mosaic.solve_turbulence=false"]  # there is none in these worlds, and it takes ten seconds
    if "mosaic" in stages and not any("astrometry_order" in word for word in words):
        words = [*words, "mosaic.astrometry_order=5"]  # choosing takes three fits
    settings = resolve(CONFIGS, words=list(words))
    chosen = [pipeline.load(name) for name in stages]
    spoken = {word.partition("=")[0]: None for word in words}
    made = rerun.open_run(repository.engine, run, settings, list(stages), spoken=spoken)
    command = Command(repository, made, chosen, select.parse(None, None), is_redo=redo, options=options)
    return command.execute()


def rows(repository: Repository, statement: str, *params: Any) -> np.ndarray:
    """What a statement gives, as a record array (NULL: NaN where the column has numbers)."""
    with psycopg.connect(str(repository.dsn)) as connection:
        cursor = connection.execute(statement.encode(), params)
        names = [column.name for column in cursor.description]
        columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    arrays = [_column(column) for column in columns]
    out = np.empty(len(arrays[0]), [(n, a.dtype) for n, a in zip(names, arrays, strict=True)])
    for name, array in zip(names, arrays, strict=True):
        out[name] = array
    return out.view(np.recarray)


def _column(cells: Any) -> np.ndarray:
    kinds = {type(cell) for cell in cells}
    if kinds <= {int, float, type(None)} and float in kinds | (
        {float} if type(None) in kinds and int in kinds else set()
    ):
        return np.array([np.nan if cell is None else cell for cell in cells], float)
    if kinds == {int} or kinds == {bool}:
        return np.array(cells)
    out = np.empty(len(cells), object)
    out[:] = cells
    return out


def scalar(connection: Connection, statement: str, **params: Any) -> Any:
    """The only value of a statement's only row."""
    return connection.execute(text(statement), params).scalar_one()


def task(connection: Connection, run_id: int, stage: str, **ids: Any) -> int:
    """A done task; returns its number."""
    name = " ".join(f"{key}={entry}" for key, entry in ids.items()) or stage
    return int(
        scalar(
            connection,
            "INSERT INTO task (run_id, stage, data_id, visit, ccd, tract, filter, status, finished_at) VALUES "
            "(:r, :s, :d, :v, :c, :t, :f, 'done', now()) RETURNING task_id",
            r=run_id, s=stage, d=name, v=ids.get("visit"), c=ids.get("ccd"), t=ids.get("tract"), f=ids.get("filter"),
        )
    )  # fmt: skip


def load(connection: Connection, world: World, run_id: int, *, tract: int = 0, is_first: bool = True) -> int:
    """Enter everything up to match; returns the match task. is_first: visits, frames and skymap are entered too."""
    frames = world.frames
    if is_first:
        _registry(connection, world, tract)
    skymap = task(connection, run_id, "skymap")
    _bulk(connection, "frame_tract", run_id=run_id, task_id=skymap, skymap="world", tract=tract,
          visit=[f[0] for f in frames], ccd=[f[1] for f in frames], is_corner_inside=True)  # fmt: skip
    partition.ensure(connection, run_id, sorted(world.visits))
    tasks = {}
    for visit, ccd in frames:
        calibrate = task(connection, run_id, "calibrate", visit=visit, ccd=ccd)
        detect = calibrate if world.is_catalog else task(connection, run_id, "detect", visit=visit, ccd=ccd)
        tasks[visit, ccd] = (calibrate, detect)
    source_id = _sources(connection, world, run_id, tasks)
    _first_calibrations(connection, world, run_id, tasks)
    match = task(connection, run_id, "match", tract=tract, filter=FILTER)
    stars = _stars(connection, world, run_id, match, source_id, tract)
    if is_first:
        _references(connection, world)
    if world.has_ref.any():
        _links(connection, world, run_id, match, stars)
    for table in ("source", "source_sky", "star", "star_member", "star_ref", "task"):
        connection.execute(text(f"ANALYZE {table}"))
    return match


def _bulk(connection: Connection, table: str, **columns: Any) -> None:
    n = max(len(c) for c in columns.values() if isinstance(c, list | np.ndarray))
    arrays = {}
    for name, column in columns.items():
        if (
            isinstance(column, str)
            or column is None
            or (isinstance(column, list) and column and isinstance(column[0], list))
        ):
            cells = np.empty(n, object)
            cells[:] = column if isinstance(column, list) else [column] * n
            arrays[name] = cells
        else:
            arrays[name] = np.broadcast_to(np.asarray(column), (n,))
    out = np.empty(n, [(name, a.dtype) for name, a in arrays.items()])
    for name, a in arrays.items():
        out[name] = a
    copy.write(connection, table, out)


def _registry(connection: Connection, world: World, tract: int) -> None:
    connection.execute(text("INSERT INTO skymap VALUES ('world', 'discrete', 1, 0.168, 4000, 100, 0.01)"))
    connection.execute(
        text("INSERT INTO tract VALUES ('world', :t, 0, 0, 1, 0, 0, 0.168, 1, 1, 4000, 4000, '{}', '{}')"), {"t": tract}
    )
    connection.execute(text("INSERT INTO filter VALUES (:f, 'r', 620) ON CONFLICT DO NOTHING"), {"f": FILTER})
    for one in world.visits.values():
        connection.execute(
            text("INSERT INTO visit (visit, data_type, filter, obs_mjd, exposure_s, ra, dec, rotator_deg, pointing) "
                 "VALUES (:v, 'science', :f, :m, 30, :a, :d, :r, 77)"),
            {"v": one.visit, "f": FILTER, "m": one.mjd, "a": one.ra, "d": one.dec, "r": one.rotator},
        )  # fmt: skip
    for visit, ccd in world.frames:
        chip = world.camera.ccds[ccd]
        connection.execute(
            text("INSERT INTO frame VALUES (:v, :c, NULL, :k, :p, 0, :w, :h, 0, '')"),
            {"v": visit, "c": ccd, "k": "catalog" if world.is_catalog else "raw", "p": f"{visit}-{ccd}",
             "w": chip.width, "h": chip.height},
        )  # fmt: skip


def source_ids(world: World) -> np.ndarray:
    """(n,) source_id of the detections: running numbers per frame, 0 of frames that are not there."""
    d = world.detections
    key = d["visit"] * 1000 + d["ccd"]
    order = np.argsort(key, kind="stable")
    _, first, count = np.unique(key[order], return_index=True, return_counts=True)
    number = np.empty(len(d), np.int64)
    number[order] = np.arange(len(d)) - np.repeat(first, count) + 1
    number[~np.isin(key, [visit * 1000 + ccd for visit, ccd in world.frames])] = 0
    return ((d["visit"] * 200 + d["ccd"]) << 32) | number


def _sources(connection: Connection, world: World, run_id: int, tasks: Any) -> np.ndarray:
    d, ids = world.detections, source_ids(world)
    keep = ids % 2**32 > 0  # of frames that are there
    d, ids = d[keep], ids[keep]
    seen, mine = np.unique(d["visit"] * 1000 + d["ccd"], return_inverse=True)
    both = np.array([tasks[divmod(int(f), 1000)] for f in seen], np.int64).reshape(-1, 2)[mine]
    key = {"run_id": run_id, "visit": d["visit"], "ccd": d["ccd"], "source_id": ids}
    err = np.where(np.isnan(d["err"]), np.nan, d["err"])
    fluxes = {"aper_12_0_flux_e": d["flux"], "aper_12_0_flux_e_err": d["flux_err"], "psf_flux_e": 0.97 * d["flux"],
              "psf_flux_e_err": 0.9 * d["flux_err"]}  # fmt: skip
    if world.is_catalog and world.extra.get("no_counts"):
        fluxes = {name: np.full(len(d), np.nan) for name in fluxes}
    _bulk(connection, "source", **key, task_id=both[:, 1], x_pix=d["x"], y_pix=d["y"], x_pix_err=err, y_pix_err=err,
          x_y_pix2_cov=0.2 * err**2, n_child=0, n_pixel=20, flags=0, extendedness=0.0, **fluxes)  # fmt: skip
    njy = NJY / d["first_mag0"]
    _bulk(connection, "source_sky", **key, task_id=both[:, 0], ra=d["ra"], dec=d["dec"], flux_njy=d["flux"] * njy,
          flux_njy_err=d["flux_err"] * njy)  # fmt: skip
    return source_ids(world)


def _first_calibrations(connection: Connection, world: World, run_id: int, tasks: Any) -> None:
    name = "catalog" if world.is_catalog else "calibrate"
    for visit, ccd in world.frames:
        wcs, chip = world.wcs[visit, ccd], world.camera.ccds[ccd]
        corners = [np.asarray(c).tolist() for c in wcs.corners(chip.width, chip.height)]
        _bulk(
            connection, "wcs_solution", run_id=run_id, task_id=[tasks[visit, ccd][0]], stage=name, visit=visit, ccd=ccd,
            tract=None, status="solved", crval1_deg=wcs.crval[0], crval2_deg=wcs.crval[1], crpix1_pix=wcs.crpix[0],
            crpix2_pix=wcs.crpix[1], cd1_1_deg=wcs.cd[0, 0], cd1_2_deg=wcs.cd[0, 1], cd2_1_deg=wcs.cd[1, 0],
            cd2_2_deg=wcs.cd[1, 1], sip_order=wcs.order, sip_a=[wcs.sip_a()], sip_b=[wcs.sip_b()],
            corner_ra=[corners[0]], corner_dec=[corners[1]], ra=wcs.crval[0], dec=wcs.crval[1], radius_deg=0.2,
            n_star=9,
        )  # fmt: skip
        if np.isfinite(world.mag0[visit, ccd]):
            _bulk(
                connection, "flux_scale", run_id=run_id, task_id=[tasks[visit, ccd][0]], stage=name, visit=visit,
                ccd=ccd, tract=None, status="solved", flux_mag0_e=world.mag0[visit, ccd],
                flux_mag0_e_err=0.01 * world.mag0[visit, ccd], poly_order=0, poly_mag=[[0.0]], x0_pix=0.0, y0_pix=0.0,
                has_jacobian=False, n_star=9,
            )  # fmt: skip


def star_ids(world: World) -> np.ndarray:
    """The stars that match would make: seen in two visits or more, or once and with a reference."""
    n = np.bincount(world.detections["star"], minlength=world.mag.size)
    return np.flatnonzero((n >= 2) | ((n == 1) & world.has_ref))


def _stars(connection: Connection, world: World, run_id: int, match: int, source_id: Any, tract: int) -> np.ndarray:
    d, stars = world.detections, star_ids(world)
    n = np.bincount(d["star"], minlength=world.mag.size)
    ambiguous = np.isin(stars, world.extra.get("ambiguous", []))
    _bulk(connection, "star", run_id=run_id, task_id=match, star_id=stars + 1, tract=tract, filter=FILTER,
          ra=world.star_ra[stars], dec=world.star_dec[stars], n_visit=n[stars], is_ambiguous=ambiguous,
          is_reserved=world.is_reserved[stars])  # fmt: skip
    k = np.flatnonzero(np.isin(d["star"], stars) & (source_id % 2**32 > 0))
    _bulk(connection, "star_member", run_id=run_id, task_id=match, star_id=d["star"][k] + 1, visit=d["visit"][k],
          ccd=d["ccd"][k], source_id=source_id[k], sep_mas=0.0)  # fmt: skip
    return stars


def _references(connection: Connection, world: World) -> None:
    """Gaia (places, motions) and PS1 (magnitudes, poor places)."""
    k = np.flatnonzero(world.has_ref)
    if not k.size:
        return
    rng = np.random.default_rng(77)
    for name, preset, mas in (("gaia_dr3", "gaia", world.ref_mas), ("ps1_pv3", "ps1", 30.0)):
        catalog = scalar(
            connection,
            "INSERT INTO ref_catalog (name, preset) VALUES (:n, :p) RETURNING ref_catalog_id",
            n=name,
            p=preset,
        )
        off = rng.normal(0, mas / 3.6e6, (2, k.size))
        shift = world.extra.get("ref_shift_mas", {})
        off += np.array([shift.get(int(s), (0.0, 0.0)) for s in k]).T / 3.6e6
        ra, dec = sphere.deproject(*off, world.star_ra[k], world.star_dec[k])
        motion = {}
        if preset == "gaia":
            motion = {"pm_ra_mas_yr": world.pm[k, 0], "pm_dec_mas_yr": world.pm[k, 1], "pm_ra_mas_yr_err": 0.05,
                      "pm_dec_mas_yr_err": 0.05, "epoch_mjd": REF_MJD}  # fmt: skip
        _bulk(connection, "ref_star", ref_catalog_id=catalog, ref_id=k + 5, ra=ra, dec=dec, ra_mas_err=mas,
              dec_mas_err=mas, **motion)  # fmt: skip
        if preset == "ps1":
            for band, mag in magnitudes(world, name).items():
                noisy = mag[k] + rng.normal(0, world.ref_mag_err, k.size)
                flux = NJY * 10 ** (-0.4 * noisy)
                _bulk(connection, "ref_flux", ref_catalog_id=catalog, ref_id=k + 5, band=band, flux_njy=flux,
                      flux_njy_err=world.ref_mag_err * flux)  # fmt: skip


def _links(connection: Connection, world: World, run_id: int, match: int, stars: Any) -> None:
    """star_ref: references moved to the mean epoch of the detections."""
    mjd = np.mean([one.mjd for one in world.visits.values()])
    k = stars[world.has_ref[stars]]
    for catalog, preset, name in connection.execute(
        text("SELECT ref_catalog_id, preset, name FROM ref_catalog ORDER BY 1")
    ).all():
        found = {
            row.ref_id: (row.ra, row.dec)
            for row in connection.execute(
                text("SELECT ref_id, ra, dec FROM ref_star WHERE ref_catalog_id = :c"), {"c": catalog}
            )
        }
        ra, dec = np.array([found[int(s) + 5] for s in k]).T
        if preset == "gaia":
            ra, dec = sphere.deproject(*(world.pm[k] * (mjd - REF_MJD) / YEAR / 3.6e6).T, ra, dec)
        assert name
        _bulk(connection, "star_ref", run_id=run_id, task_id=match, star_id=k + 1, ref_catalog_id=catalog, ref_id=k + 5,
              sep_mas=0.0, epoch_mjd=mjd, ra=ra, dec=dec)  # fmt: skip


def bare(connection: Connection, world: World, *, name: str = "joint", parent: int | None = None) -> int:
    """A run, and (with the first one) the camera's CCDs, in a transaction without a repository; returns run_id."""
    run_id = scalar(
        connection,
        "INSERT INTO run (name, parent_run_id, settings, settings_sha256, code_version) VALUES (:n, :p, '{}', '', '') "
        "RETURNING run_id",
        n=name, p=parent,
    )  # fmt: skip
    if parent is None:
        for ccd in world.ccds:
            connection.execute(
                text("INSERT INTO ccd VALUES (:c, :n, 'science', true, 512, 512, 0, 0, 0, 0)"),
                {"c": ccd, "n": f"ccd{ccd}"},
            )
    return int(run_id)


def bulk(connection: Connection, table: str, **columns: Any) -> None:
    """Rows of a table: arrays, lists of arrays (as cells) or one content for all."""
    _bulk(connection, table, **columns)
