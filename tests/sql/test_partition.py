"""Partitions: every visit has one, none overlap, and there are far fewer than visits."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from hscdb.db import partition
from hscdb.errors import DataError

VISITS = st.lists(st.integers(0, 5000), max_size=60)


@given(st.lists(VISITS, max_size=5))
def test_blocks_hold_every_visit_and_never_overlap(calls: list[list[int]]) -> None:
    taken: list[tuple[int, int]] = []
    for visits in calls:
        new = partition.blocks(visits, taken)
        taken = sorted(taken + new)
        assert all(first < end for first, end in taken)
        assert all(left[1] <= right[0] for left, right in pairwise(taken))
        for visit in visits:
            assert sum(first <= visit < end for first, end in taken) == 1


def test_a_survey_has_few_partitions() -> None:
    """1000 HSC visits, whose numbers go in steps of two: some 5e6 sources in each of 31 blocks."""
    assert len(partition.blocks(range(10000, 12000, 2), [])) <= 33


def test_sparse_visits_share_a_block() -> None:
    assert len(partition.blocks([100, 400, 900], [])) == 1


def test_later_visits_fall_into_earlier_blocks() -> None:
    taken = partition.blocks([902798], [])
    assert partition.blocks([902800, 902802, 902798], taken) == []


def test_rows_reach_their_partition_and_queries_prune(connection: Connection) -> None:
    made = partition.ensure(connection, 7, [1000, 1002, 5000])
    assert {"source_r7", "source_sky_r7"} <= set(made)
    assert partition.ensure(connection, 7, [1000, 5000]) == []
    assert partition.ensure(connection, 8, [1000])[0].endswith("_r8")
    connection.execute(
        text(
            "INSERT INTO source_sky (run_id, task_id, visit, ccd, source_id, ra, dec)"
            " SELECT 7, 1, v, 5, i, 10, 0 FROM unnest(ARRAY[1000, 5000]) AS v, generate_series(1, 3) AS i"
        )
    )
    found = connection.execute(text("SELECT DISTINCT CAST(tableoid AS regclass) AS t FROM source_sky ORDER BY 1")).all()
    assert len(found) == 2
    plan = connection.execute(text("EXPLAIN SELECT * FROM source_sky WHERE run_id = 7 AND visit = 1002")).all()
    seen = {part for row in plan for part in re.findall(r"source_sky_r7_v\d+", row[0])}
    assert seen == {"source_sky_r7_v960"}
    partition.drop_run(connection, 7)
    assert connection.execute(text("SELECT count(*) FROM source_sky")).scalar() == 0


def test_partitions_have_the_parents_indexes(connection: Connection) -> None:
    partition.ensure(connection, 7, np.array([1000]))
    rows = connection.execute(
        text(
            "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('source_sky_r7_v960')"
            " UNION ALL SELECT count(*) FROM pg_index WHERE indrelid = to_regclass('source_sky')"
        )
    ).all()
    assert rows[0][0] == rows[1][0] > 0


def test_a_run_is_put_aside_and_brought_back_without_touching_a_row(connection: Connection) -> None:
    """As schema/README.md says: the same table of the same rows, at the same place on the disk."""
    for run_id in (7, 8):
        partition.ensure(connection, run_id, [1000])
        connection.execute(
            text(
                "INSERT INTO source_sky (run_id, task_id, visit, ccd, source_id, ra, dec)"
                " SELECT :r, 1, 1000, 5, i, 10, 0 FROM generate_series(1, 3) AS i"
            ),
            {"r": run_id},
        )

    def runs() -> list[tuple[int, str]]:
        places = "string_agg(CAST(ctid AS text) || tableoid, ' ' ORDER BY source_id)"
        found = connection.execute(text(f"SELECT run_id, {places} FROM source_sky GROUP BY run_id ORDER BY run_id"))
        return [tuple(row) for row in found]

    before = runs()
    connection.execute(text("ALTER TABLE source_sky DETACH PARTITION source_sky_r7"))
    assert [run_id for run_id, _ in runs()] == [8]
    assert connection.execute(text("SELECT count(*) FROM source_sky_r7")).scalar() == 3
    connection.execute(text("ALTER TABLE source_sky ATTACH PARTITION source_sky_r7 FOR VALUES IN (7)"))
    assert runs() == before
    partition.drop_run(connection, 8)
    assert runs() == before[:1]


def test_an_archived_run_keeps_its_rows_where_they_are_and_takes_no_new_ones(connection: Connection) -> None:
    for run_id in (7, 8):
        partition.ensure(connection, run_id, [1000, 5000])
        for table, rest in (
            ("source_sky (run_id, task_id, source_id, visit, ccd, ra, dec)", "10, 0"),
            ("star_member (run_id, task_id, source_id, visit, ccd, star_id, sep_mas)", "i, 0"),
        ):
            connection.execute(
                text(
                    f"INSERT INTO {table} SELECT :r, 1, v + i, v, 5, {rest} FROM unnest(ARRAY[1000, 5000]) AS v,"
                    " generate_series(1, 3) AS i"
                ),
                {"r": run_id},
            )

    def runs(table: str) -> list[tuple[int, str]]:
        places = "string_agg(CAST(ctid AS text) || tableoid, ' ' ORDER BY source_id)"
        found = connection.execute(text(f"SELECT run_id, {places} FROM {table} GROUP BY run_id ORDER BY run_id"))
        return [tuple(row) for row in found]

    before = {table: runs(table) for table in ("source_sky", "star_member")}
    moved = partition.archive_run(connection, 7)
    assert {"source_r7", "source_sky_r7", "star_member_r7"} <= set(moved)
    assert partition.archived(connection, 7) == sorted(moved)
    assert {table: runs(table) for table in before} == {table: rows[1:] for table, rows in before.items()}
    assert connection.execute(text("SELECT count(*) FROM archive.source_sky_r7_v960")).scalar() == 3
    assert partition.archive_run(connection, 7) == []
    with pytest.raises(DataError, match="archived"):
        partition.ensure(connection, 7, [1000])
    assert sorted(partition.restore_run(connection, 7)) == sorted(moved)
    assert {table: runs(table) for table in before} == before
    assert partition.ensure(connection, 7, [1000, 5000]) == []
    partition.archive_run(connection, 7)
    partition.drop_run(connection, 7)
    assert partition.archived(connection, 7) == []
    assert [run_id for run_id, _ in runs("star_member")] == [8]


def test_a_deleted_task_leaves_no_rows_of_stars(connection: Connection) -> None:
    partition.ensure(connection, 7, [])
    connection.execute(
        text(
            "INSERT INTO run (run_id, name, settings, settings_sha256, code_version)"
            " OVERRIDING SYSTEM VALUE VALUES (7, 'x', '{}', '', '')"
        )
    )
    connection.execute(
        text(
            "INSERT INTO task (task_id, run_id, stage, data_id) OVERRIDING SYSTEM VALUE"
            " VALUES (101, 7, 'match', 'a'), (102, 7, 'match', 'b')"
        )
    )
    connection.execute(
        text(
            "INSERT INTO star_member (run_id, task_id, star_id, visit, ccd, source_id, sep_mas)"
            " SELECT 7, t, i, 1, 1, i, 0 FROM unnest(ARRAY[101, 102]) AS t, generate_series(1, 3) AS i"
        )
    )
    connection.execute(text("DELETE FROM task WHERE task_id = 101"))
    counts = connection.execute(text("SELECT task_id, count(*) FROM star_member GROUP BY task_id")).all()
    assert [tuple(row) for row in counts] == [(102, 3)]
