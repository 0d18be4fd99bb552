"""Which master holds: against a slow look through a list; neighbors never overlap."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.db.queries import query

FIRST = date(2014, 3, 1)
KINDS = {"bias": None, "dark": None, "flat": ("HSC-G", "HSC-R")}


@pytest.fixture
def certify(connection: Connection) -> Any:
    """A function that certifies a master as the stage does; runs old <- new <- newest, and run other."""
    for ccd in range(3):
        statement = """
            INSERT INTO ccd (ccd, name, kind, is_science, width_pix, height_pix, u_pix, v_pix, yaw_deg, n_quarter)
            VALUES (:c, :n, 'science', true, 9, 9, 0, 0, 0, 0) ON CONFLICT DO NOTHING"""
        connection.execute(text(statement), {"c": ccd, "n": f"test {ccd}"})
    for name in ("HSC-G", "HSC-R"):
        connection.execute(
            text("INSERT INTO filter (filter, band) VALUES (:f, 'x') ON CONFLICT DO NOTHING"), {"f": name}
        )
    runs: dict[str, int] = {}
    for name, parent in (("old", None), ("new", "old"), ("newest", "new"), ("other", None)):
        runs[name] = connection.execute(
            text("INSERT INTO run (name, parent_run_id, settings, settings_sha256, code_version)"
                 " VALUES (:n, :p, '{}', '', '') RETURNING run_id"), {"n": f"test/{name}", "p": runs.get(parent or "")}
        ).scalar_one()  # fmt: skip
    tasks: dict[tuple[Any, ...], int] = {}

    def do(run: str, kind: str, ccd: int, filter: str | None, day: int, validity_days: int) -> int:
        key = (run, kind, ccd, filter, day)
        if key not in tasks:
            tasks[key] = connection.execute(
                text("INSERT INTO task (run_id, stage, data_id) VALUES (:r, 'master', :d) RETURNING task_id"),
                {"r": runs[run], "d": str(key)},
            ).scalar_one()
        words = {"run_id": runs[run], "kind": kind, "ccd": ccd, "filter": filter}
        words["calib_date"] = FIRST + timedelta(days=day)
        query("master/delete_master")(connection, **words)
        query("master/mark_neighbors")(connection, **words)
        row = query("master/insert_master").one(
            connection, **words, task_id=tasks[key], validity_days=validity_days, path=f"{key}.fits", n_input=3,
            mean_level=0.0, mean_level_err=None,
        )  # fmt: skip
        return int(row["master_id"])

    do.runs = runs
    return do


def masters(connection: Connection) -> list[Any]:
    return list(connection.execute(text(
        "SELECT master_id, run_id, kind, ccd, filter, calib_date, lower(validity) AS first, upper(validity) AS upper,"
        "       path"
        "  FROM master JOIN master_kind USING (master_kind_id) ORDER BY master_id")).all())  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_master_found_is_that_of_a_slow_search(connection: Connection, certify: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        kind = str(rng.choice(list(KINDS)))
        filter_ = str(rng.choice(KINDS[kind])) if KINDS[kind] else None
        run = str(rng.choice(["old", "new", "newest", "other"]))
        certify(run, kind, int(rng.integers(0, 2)), filter_, int(rng.integers(0, 120)), int(rng.integers(0, 30)))
    known = masters(connection)
    depth = {certify.runs[name]: place for place, name in enumerate(("newest", "new", "old"))}
    find = query("master/find_master")
    n_valid = 0
    for _ in range(150):
        kind = str(rng.choice(list(KINDS)))
        filter_ = str(rng.choice(["HSC-G", "HSC-R", "HSC-I"]))
        ccd, night = int(rng.integers(0, 3)), FIRST + timedelta(days=int(rng.integers(-40, 180)))
        found = find.one(
            connection, calib_run_id=certify.runs["newest"], kind=kind, ccd=ccd, filter=filter_, night=night
        )
        fit = [m for m in known if m.kind == kind and m.ccd == ccd and m.run_id in depth
               and (kind != "flat" or m.filter == filter_)]  # fmt: skip
        valid = [m for m in fit if m.first <= night < m.upper]
        if not fit:
            assert found is None
        elif valid:
            best = min(valid, key=lambda m: depth[m.run_id])
            assert (found["is_valid"], found["master_id"], found["gap_days"]) == (True, best.master_id, 0)
            n_valid += 1
        else:
            gap = min(max((m.first - night).days, (night - m.upper).days + 1) for m in fit)
            assert (found["is_valid"], found["gap_days"]) == (False, gap)
            assert found["first_night"] > night or found["last_night"] < night
    assert n_valid > 20


@pytest.mark.parametrize("seed", range(3))
def test_neighbors_share_the_days_between_them_in_any_order(connection: Connection, certify: Any, seed: int) -> None:
    days = [0, 10, 11, 40, 41, 100, 300]
    for day in np.random.default_rng(seed).permutation(days):
        certify("old", "bias", 0, None, int(day), 30)
    found = masters(connection)
    found.sort(key=lambda m: m.calib_date)
    assert [(m.calib_date - FIRST).days for m in found] == days
    for m, after in pairwise(found):
        middle = m.calib_date + timedelta(days=(after.calib_date - m.calib_date).days // 2 + 1)
        assert m.upper == min(m.calib_date + timedelta(days=31), middle)
        assert after.first == max(after.calib_date - timedelta(days=30), middle)
    assert all(m.first <= m.calib_date < m.upper for m in found)


def test_a_master_made_again_takes_the_place_of_the_old(connection: Connection, certify: Any) -> None:
    first = certify("old", "flat", 1, "HSC-R", 5, 30)
    certify("old", "flat", 1, "HSC-G", 5, 30)
    certify("new", "flat", 1, "HSC-R", 5, 30)
    again = certify("old", "flat", 1, "HSC-R", 5, 10)
    found = masters(connection)
    assert len(found) == 3
    assert first not in [m.master_id for m in found]
    (made,) = (m for m in found if m.master_id == again)
    assert (made.upper - made.first).days == 21
    assert made.path == "rerun/test/old/('old', 'flat', 1, 'HSC-R', 5).fits"


def test_a_frame_without_a_night_has_no_master(connection: Connection, certify: Any) -> None:
    certify("old", "bias", 0, None, 5, 30)
    find = query("master/find_master")
    found = find.one(connection, calib_run_id=certify.runs["old"], kind="bias", ccd=0, filter=None, night=None)
    assert not found["is_valid"]


def test_the_view_of_choices_tells_what_isr_would_be_given(connection: Connection, certify: Any) -> None:
    rng = np.random.default_rng(41)
    for _ in range(60):
        kind = str(rng.choice(list(KINDS)))
        filter = None if KINDS[kind] is None else str(rng.choice(KINDS[kind] or ()))
        certify(str(rng.choice(["old", "new", "newest"])), kind, int(rng.integers(0, 2)), filter,
                int(rng.integers(0, 60)), int(rng.integers(5, 20)))  # fmt: skip
    for visit in range(40):
        night = FIRST + timedelta(days=int(rng.integers(-10, 80)))
        words = {"v": visit, "f": str(rng.choice(["HSC-G", "HSC-R"])), "n": night}
        made = "INSERT INTO visit (visit, data_type, filter, night) VALUES (:v, 'science', :f, :n)"
        connection.execute(text(made), words)
        connection.execute(
            text("INSERT INTO frame (visit, ccd, kind, path, hdu, width_pix, height_pix, n_byte, sha256)"
                 " SELECT :v, c, 'raw', 'p' || :v || '-' || c, 0, 9, 9, 9, '' FROM generate_series(0, 2) AS c"), words
        )  # fmt: skip
    rows = connection.execute(text("SELECT * FROM master_choice")).all()
    assert len(rows) == 3 * 40 * 3 * 3
    find = query("master/find_master")
    reasons = set()
    for row in rows[::3]:
        wanted = find.one(
            connection, calib_run_id=row.run_id, kind=row.kind, ccd=row.ccd, filter=row.filter, night=row.night
        )
        assert row.master_id == (None if wanted is None else int(wanted["master_id"]))
        if wanted is not None:
            assert (row.is_valid, row.gap_days) == (bool(wanted["is_valid"]), int(wanted["gap_days"]))
            assert row.master_run_name == wanted["run_name"]
            assert row.why.startswith("holds on the night") == row.is_valid
        assert (row.n_candidate == 0) == (wanted is None)
        reasons.add(row.why.split(";")[0].split(",")[0])
    assert len(reasons) >= 3
