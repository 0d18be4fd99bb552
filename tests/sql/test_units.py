"""The units a selection holds: against a brute-force reading of the grammar, and for tracts and masters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.run import select, tasks
from hscdb.run.stage import Stage

VISITS = [
    # visit, data_type, filter, field, pointing, night, exposure_s
    (100, "science", "HSC-R", "A", 7, "2015-01-01", 30.0),
    (102, "science", "HSC-R", "B", 7, "2015-01-01", 150.0),
    (104, "science", "HSC-I", "A", 8, "2015-01-02", 30.0),
    (105, "science", "HSC-I", "B", 8, "2015-01-02", 30.5),
    (110, "flat", "HSC-R", "FLAT", 7, "2015-01-01", 5.0),
    (111, "flat", "HSC-R", "FLAT", 8, "2015-01-02", 5.0),
    (112, "bias", None, "BIAS", 7, "2015-01-01", 0.0),
]
CCDS = (0, 1, 3, 9)


def run_sql(connection: Connection, statement: str, rows: list[dict[str, Any]] | None = None) -> None:
    """Execute a statement of the test."""
    connection.execute(text(statement), rows) if rows else connection.execute(text(statement))


@pytest.fixture
def world(connection: Connection) -> Connection:
    """Seven visits of four ccds."""
    run_sql(connection, "INSERT INTO filter (filter, band) VALUES ('HSC-R', 'r'), ('HSC-I', 'i')")
    run_sql(
        connection,
        "INSERT INTO ccd (ccd, name, kind, is_science, width_pix, height_pix, u_pix, v_pix, yaw_deg, n_quarter)"
        " SELECT n, 'c' || n, 'science', true, 1, 1, 0, 0, 0, 0 FROM unnest(ARRAY[0, 1, 3, 9]) AS n",
    )
    names = ("visit", "data_type", "filter", "field", "pointing", "night", "exposure_s")
    run_sql(
        connection,
        "INSERT INTO visit (visit, data_type, filter, field, pointing, night, exposure_s) VALUES"
        " (:visit, :data_type, :filter, :field, :pointing, CAST(:night AS date), :exposure_s)",
        [dict(zip(names, row, strict=True)) for row in VISITS],
    )
    run_sql(
        connection,
        "INSERT INTO frame (visit, ccd, kind, path, hdu, width_pix, height_pix, n_byte, sha256)"
        " SELECT visit, ccd, 'raw', visit || '-' || ccd, 0, 1, 1, 1, '-' FROM visit, unnest(ARRAY[0, 1, 3, 9]) AS ccd",
    )
    return connection


def brute(words: list[list[str]]) -> set[tuple[int, int]]:
    """Frames by the grammar, value for value."""
    found = set()
    for one in words:
        for visit, _, filter_, field, pointing, night, exposure in VISITS:
            for ccd in CCDS:
                about = {"visit": visit, "ccd": ccd, "filter": filter_, "field": field, "pointing": pointing,
                         "dateObs": night, "expTime": exposure}  # fmt: skip
                if all(holds(about[word.partition("=")[0]], word.partition("=")[2]) for word in one):
                    found.add((visit, ccd))
    return found


def holds(entry: Any, values: str) -> bool:
    """Whether an entry is one of `a^b..c:d`."""
    for part in values.split("^"):
        first, dots, rest = part.partition("..")
        if dots:
            last, _, step = rest.partition(":")
            if entry in range(int(first), int(last) + 1, int(step or 1)):
                return True
        elif entry is not None and entry == (float(part) if isinstance(entry, float) else type(entry)(part)):
            return True
    return False


@pytest.mark.parametrize(
    "words",
    [
        [[]],
        [["visit=100..105"]],
        [["visit=100..105:2"]],
        [["visit=101..105:2"]],
        [["visit=100^105..110"]],
        [["visit=100", "ccd=0..1"], ["visit=102", "ccd=9"]],
        [["ccd=0..2^9"]],
        [["filter=HSC-I^HSC-R", "field=A"]],
        [["filter=HSC-Z"]],
        [["pointing=8", "ccd=3"]],
        [["dateObs=2015-01-02"]],
        [["expTime=30"]],
        [["expTime=30^30.5", "visit=0..99999999999"]],
        [["visit=100"], ["visit=100"]],
        [["visit=1..3"], ["field=B"]],
    ],
)
def test_a_selection_holds_what_the_grammar_says(world: Connection, words: list[list[str]]) -> None:
    ids = json.dumps(list(select.parse(words).ids))
    rows = world.execute(
        text("SELECT DISTINCT visit, ccd FROM selected_frame(CAST(:ids AS jsonb), NULL, NULL)"), {"ids": ids}
    )
    assert {(row[0], row[1]) for row in rows} == brute(words)


def asked(words: list[list[str]] | None = None) -> dict[str, Any]:
    """A selection as the statements take it."""
    return {"ids": list(select.parse(words).ids), "where_visits": None, "where_ccds": None}


def test_frame_units_are_science_frames_in_order(world: Connection) -> None:
    found = tasks._frame_units(world, asked([["ccd=3"]]))
    assert [unit.data_id for unit in found] == [f"visit={visit} ccd=3" for visit in (100, 102, 104, 105)]
    assert found[0].ids == {"visit": 100, "ccd": 3}
    assert found[0].filter == "HSC-R"


def test_masters_are_made_per_ccd_and_flats_per_filter(world: Connection) -> None:
    bias = tasks._master_units(world, asked(), "bias")
    assert [unit.data_id for unit in bias] == [f"kind=bias ccd={ccd}" for ccd in CCDS]
    flat = tasks._master_units(world, asked([["dateObs=2015-01-01", "ccd=9"]]), "flat")
    assert [unit.data_id for unit in flat] == ["kind=flat ccd=9 filter=HSC-R"]
    assert flat[0].frames.tolist() == [(110, 9)]
    assert flat[0].selection == "visit=110 ccd=9"
    assert tasks._master_units(world, asked(), "flat")[0].frames is None


@dataclass(frozen=True)
class Config:
    """None."""


MATCH = Stage("match", "tract", (), (), Config, lambda work, config: {}, ("calibrate", "skymap"))


@pytest.fixture
def calibrated(world: Connection) -> tuple[Connection, int]:
    """The science frames calibrated in a parent run, and all but ccd 9 of visit 105 linked to tract 4 in its child."""
    run_sql(world, "INSERT INTO run (name, settings, settings_sha256, code_version) VALUES ('parent', '{}', '', '')")
    run_sql(
        world,
        "INSERT INTO run (name, parent_run_id, settings, settings_sha256, code_version)"
        " SELECT 'child', run_id, '{}', '', '' FROM run WHERE name = 'parent'",
    )
    run_sql(
        world,
        "INSERT INTO task (run_id, stage, data_id, visit, ccd, status, finished_at)"
        " SELECT (SELECT run_id FROM run WHERE name = 'parent'), 'calibrate', 'visit=' || visit || ' ccd=' || ccd,"
        " visit, ccd, 'done', timestamptz '2020-01-01' + visit * interval '1 s'"
        " FROM frame JOIN visit AS v USING (visit)"
        " WHERE v.data_type = 'science'",
    )
    run_sql(
        world,
        "INSERT INTO task (run_id, stage, data_id, status)"
        " SELECT run_id, 'skymap', 'repository', 'done' FROM run WHERE name = 'child'",
    )
    run_sql(
        world,
        "INSERT INTO skymap (skymap, kind, version, pixel_scale_arcsec, patch_inner_pix, patch_border_pix,"
        " tract_overlap_deg) VALUES ('m', 'discrete', 1, 0.168, 4000, 100, 0)",
    )
    run_sql(
        world,
        "INSERT INTO tract (skymap, tract, ra, dec, radius_deg, crpix1_pix, crpix2_pix, pixel_scale_arcsec, n_patch_x,"
        " n_patch_y, width_pix, height_pix, corner_ra, corner_dec)"
        " VALUES ('m', 4, 0, 0, 1, 0, 0, 0.168, 1, 1, 1, 1, '{}', '{}')",
    )
    run_sql(
        world,
        "INSERT INTO frame_tract (run_id, task_id, skymap, tract, visit, ccd, is_corner_inside)"
        " SELECT s.run_id, s.task_id, 'm', 4, c.visit, c.ccd, true FROM task AS s, task AS c"
        " WHERE s.stage = 'skymap' AND c.stage = 'calibrate' AND (c.visit, c.ccd) <> (105, 9)",
    )
    return world, int(world.execute(text("SELECT run_id FROM run WHERE name = 'child'")).scalar_one())


def test_tract_units_are_tracts_and_filters_with_calibrated_frames(calibrated: tuple[Connection, int]) -> None:
    connection, run_id = calibrated
    found = tasks._tract_units(connection, run_id, MATCH, asked())
    assert [unit.data_id for unit in found] == ["tract=4 filter=HSC-I", "tract=4 filter=HSC-R"]
    assert all(unit.frames is None and unit.selection is None for unit in found)
    assert found[0].newest is not None
    assert found[0].newest.second == 45  # visit 105
    assert tasks._tract_units(connection, run_id, MATCH, asked([["tract=3"]])) == []


def test_a_tract_restricted_to_some_frames_says_which(calibrated: tuple[Connection, int]) -> None:
    connection, run_id = calibrated
    words = [["visit=104", "tract=4"], ["visit=105", "ccd=0"]]
    (unit,) = tasks._tract_units(connection, run_id, MATCH, asked(words))
    assert unit.data_id == "tract=4 filter=HSC-I"
    assert np.array_equal(unit.frames["visit"], [104, 104, 104, 104, 105])
    assert unit.selection == "visit=104 ccd=0..1^3^9; visit=105 ccd=0"


def test_done_tasks_are_opened_when_their_input_is_newer_or_the_selection_another(
    calibrated: tuple[Connection, int],
) -> None:
    connection, run_id = calibrated
    units = tasks._tract_units(connection, run_id, MATCH, asked())

    def opened(found: list[tasks.Unit], is_redo: bool = False) -> list[tuple[str, str]]:
        tasks.enter_in(connection, run_id, "match", found)
        rows = tasks.mark_todo(
            connection, run_id=run_id, stage="match", data_ids=[unit.data_id for unit in found],
            newest=[unit.newest for unit in found], selections=[unit.selection for unit in found], is_redo=is_redo,
        )  # fmt: skip
        run_sql(connection, "UPDATE task SET status = 'done', started_at = '2020-01-01 00:02' WHERE stage = 'match'")
        return sorted((str(row["data_id"]), str(row["was"])) for row in rows)

    both = ["tract=4 filter=HSC-I", "tract=4 filter=HSC-R"]
    assert opened(units) == [(each, "todo") for each in both]
    assert opened(units) == []
    assert opened(units, is_redo=True) == [(each, "done") for each in both]
    some = tasks._tract_units(connection, run_id, MATCH, asked([["visit=104"]]))
    assert opened(some) == [("tract=4 filter=HSC-I", "done")]
    assert opened(some) == []
    run_sql(connection, "UPDATE task SET finished_at = '2020-01-01 00:03' WHERE stage = 'calibrate' AND visit = 102")
    assert opened(tasks._tract_units(connection, run_id, MATCH, asked())) == [(each, "done") for each in both]
