"""A database of the schema before is brought to this one: rows stay, and it ends as a new one is."""

import shutil
from pathlib import Path

import psycopg
import pytest
from joint_tables import bare, load
from joint_world import build
from whole_database import everything

from hscdb.db import engine, migrate, partition
from hscdb.db.engine import folder
from hscdb.errors import SchemaError

OWN = {"schema_version", "schema_text", "column_doc"}  # what an upgrade changes itself


ADDS_COLUMNS = "0310"  # to source, those of runs that were put aside included


def previous(place: Path) -> tuple[Path, list[str]]:
    """A schema folder as it was before ADDS_COLUMNS and with other texts; the names of the files since then."""
    root = place / "schema"
    shutil.copytree(folder("schema"), root)
    newest = sorted(path for path in root.glob("[0-9]*.sql") if path.name >= ADDS_COLUMNS)
    for path in newest:
        path.unlink()
    for name, now, then in (
        ("views/hsc_star.sql", "AS isprimary", "AS is_first"),
        ("views/hsc_star.sql", "hsc_star.isprimary ", "hsc_star.is_first "),
        ("functions/flux_units.sql", "log(3631e9::float8 / $1)", "log(3630e9::float8 / $1)"),
        ("views/source_calibrated.sql", "s.flags | p.sky_flags  ", "s.flags"),
    ):
        text = (root / name).read_text()
        assert now in text
        (root / name).write_text(text.replace(now, then))
    return root, [path.name for path in newest]


def test_rows_stay_and_all_else_becomes_as_in_a_new_database(empty_dsn: str, fresh_dsn: str, tmp_path: Path) -> None:
    root, newest = previous(tmp_path)
    made = engine.connect(empty_dsn, pool=False)
    migrate.migrate(made, root)
    world = build(n_visit=2, per_ccd=10, seed=5)
    with made.begin() as connection:
        load(connection, world, bare(connection, world))
    before = everything(empty_dsn)
    with pytest.raises(SchemaError, match="older than this program"):
        migrate.check(made)
    texts = ["functions/flux_units.sql", "views/hsc_star.sql", "views/source_calibrated.sql"]
    assert migrate.migrate(made) == [*newest, *texts]
    migrate.check(made)
    made.dispose()
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")
    after, new = everything(empty_dsn), everything(fresh_dsn)
    for what in ("columns", "help", "functions", "forbidden", "plan"):
        assert after[what] == new[what], what
    tables = {name for name, content in before.items() if isinstance(content, tuple)} - OWN
    assert {"source", "source_sky", "wcs_solution", "visit", "task"} <= tables
    # magnitudes of the function that was changed
    views = {"hsc_star", "source_info", "source_calibrated", "star_summary", "lsst_source"}
    # and the columns that are added
    assert {name for name in tables if after[name] != before[name]} <= views | {"source"}
    assert after["source"][0] == before["source"][0]
    assert before["source"][0] == len(world.detections)


def test_a_run_that_was_put_aside_before_comes_back_after(empty_dsn: str, tmp_path: Path) -> None:
    root, _ = previous(tmp_path)
    made = engine.connect(empty_dsn, pool=False)
    migrate.migrate(made, root)
    with made.begin() as connection:
        partition.ensure(connection, 7, [960])
        assert partition.archive_run(connection, 7)
    migrate.migrate(made)
    with made.begin() as connection:
        partition.restore_run(connection, 7)
        driver = engine.driver(connection)
        names = driver.execute("SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
                               "to_regclass(%s) AND attnum > 0", ["source_r7_v960"]).fetchone()
    made.dispose()
    assert {"ixx_pix2_err", "iyy_pix2_err", "ixy_pix2_err"} <= set(names[0])
