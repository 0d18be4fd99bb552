"""Partitions of the big measurement tables: LIST by run, below it RANGE by blocks of visits.

A block holds some 1e6 to 1e7 rows: an HSC visit has about 3e5 sources, so 32 visits. One partition per visit would
make planning take seconds (1000 partitions: 0.8 s measured), one per run could not be loaded and indexed in pieces.
What is asked for by tract (the rows of stars) has one partition per run.

A run is put aside by detaching its partitions: they go to the namespace `archive`, and no row is read or written.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine

from hscdb.db.engine import driver
from hscdb.errors import DataError

VISITS_PER_BLOCK = 32
_GRID = 64  # visit numbers; HSC counts in steps of two
_SPAN_MAX = 1024  # numbers in one block when visits are sparse: those that come between later fall in too
_LOCK = 0x68736365
ARCHIVE = "archive"  # namespace of the partitions of runs that are put aside
_WHOLE = {"star_member", "star_residual", "calibrated_source"}  # one partition per run
TABLES = {"source", "source_sky", *_WHOLE}

_PARENTS = """
SELECT relname
  FROM pg_class
 WHERE relkind = 'p' AND NOT relispartition AND relnamespace = CAST(current_schema() AS regnamespace)
   AND pg_get_partkeydef(oid) = 'LIST (run_id)'
 ORDER BY relname
"""
_CHILDREN = """
SELECT pg_get_expr(child.relpartbound, child.oid)
  FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
 WHERE inhparent = to_regclass(%s)
"""


def blocks(visits: Iterable[int], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges [first, end) that hold all visits outside the ranges already `taken` and overlap none.

    At most VISITS_PER_BLOCK visits per range; edges lie on multiples of 64 where a neighbor leaves room, so that
    visits that come later fall into ranges made before.
    """
    taken = sorted(taken)
    new: list[tuple[int, int]] = []
    starts = np.array([first for first, _ in taken], dtype=np.int64)
    open_end, count = None, 0
    for visit in sorted({int(visit) for visit in visits}):
        at = int(np.searchsorted(starts, visit, side="right")) - 1
        if at >= 0 and visit < taken[at][1]:
            continue
        low = taken[at][1] if at >= 0 else 0
        high = taken[at + 1][0] if at + 1 < len(taken) else 2**62
        first, end = max(low, visit // _GRID * _GRID), min(high, (visit // _GRID + 1) * _GRID)
        if new and visit < new[-1][1]:
            count += 1
        elif new and count < VISITS_PER_BLOCK and open_end == high and end - new[-1][0] <= _SPAN_MAX:
            new[-1] = (new[-1][0], end)
            count += 1
        else:
            new.append((max(first, new[-1][1]) if new else first, end))
            count = 1
        open_end = high
    return new


def ensure(target: Engine | Connection, run_id: int, visits: Iterable[int]) -> list[str]:
    """Make the partitions that rows of these visits of a run need, in every table partitioned by run.

    Returns the names of the partitions made. With an engine this is a transaction of its own; call it before the
    workers start. New tables are attached, which does not disturb readers and writers of the others.
    DataError `archived` if the run is put aside.
    """
    if isinstance(target, Engine):
        with target.begin() as connection:
            return ensure(connection, run_id, visits)
    raw = driver(target)
    wanted = sorted({int(visit) for visit in visits})
    raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    made: list[str] = []
    if archived(target, run_id):
        raise DataError(
            f"run {run_id}: its rows are archived. `hscdb db archive REPO RUN --restore` brings them back.",
            code="archived",
        )
    for (parent,) in raw.execute(_PARENTS).fetchall():
        branch = f"{parent}_r{int(run_id)}"
        if not _bounds(raw, branch):
            row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", [branch]).fetchone()
            if not (row and row[0]):
                by_block = "" if parent in _WHOLE else "PARTITION BY RANGE (visit)"
                _make(raw, parent, branch, by_block, f"IN ({int(run_id)})")
                made.append(branch)
        if parent in _WHOLE:
            continue
        for first, end in blocks(wanted, _bounds(raw, branch)):
            name = f"{branch}_v{first}"
            _make(raw, branch, name, "", f"FROM ({first}) TO ({end})")
            made.append(name)
    return made


def _bounds(raw: psycopg.Connection[Any], branch: str) -> list[tuple[int, int]]:
    """The visit ranges of the partitions of a run's branch."""
    texts = [row[0] for row in raw.execute(_CHILDREN, [branch])]
    return [(int(first), int(end)) for first, end in (re.findall(r"\d+", text) for text in texts)]


def _make(raw: psycopg.Connection[Any], parent: str, name: str, partition_by: str, bound: str) -> None:
    create = "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL) " + partition_by
    attach = "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES " + bound
    for statement in (create, attach):
        raw.execute(sql.SQL(statement).format(name=sql.Identifier(name), parent=sql.Identifier(parent)))


def drop_run(target: Connection, run_id: int) -> None:
    """Drop all partitions of a run, archived ones too: far faster than deleting its rows."""
    raw = driver(target)
    for (parent,) in raw.execute(_PARENTS).fetchall():
        for place in ((), (ARCHIVE,)):
            branch = sql.Identifier(*place, f"{parent}_r{int(run_id)}")
            raw.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(branch))


def archived(target: Connection, run_id: int) -> list[str]:
    """The archived partitions of a run, by table; empty if it is not archived."""
    raw = driver(target)
    names = [f"{parent}_r{int(run_id)}" for (parent,) in raw.execute(_PARENTS).fetchall()]
    ask = "SELECT n FROM unnest(%s::text[]) AS n WHERE to_regclass(%s || '.' || n) IS NOT NULL ORDER BY n"
    return [row[0] for row in raw.execute(ask, [names, ARCHIVE])]


def archive_run(target: Connection, run_id: int) -> list[str]:
    """Detach all partitions of a run and put them into the namespace `archive`; their names.

    No row is touched: the time does not depend on their number. What remains are the run, its tasks and its solutions.
    """
    raw = driver(target)
    raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    raw.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(ARCHIVE)))
    moved = []
    for (parent,) in raw.execute(_PARENTS).fetchall():
        branch = f"{parent}_r{int(run_id)}"
        tree = _tree(raw, branch)
        if tree:
            raw.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(*map(sql.Identifier, (parent, branch))))
            for name in tree:
                raw.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(*map(sql.Identifier, (name, ARCHIVE))))
            moved.append(branch)
    return moved


def restore_run(target: Connection, run_id: int) -> list[str]:
    """Attach the archived partitions of a run again; their names. The server reads the rows once: do they fit?"""
    raw = driver(target)
    raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    row = raw.execute("SELECT current_schema()").fetchone()
    home = sql.Identifier(str(row[0]) if row else "public")
    names = archived(target, run_id)
    for branch in names:
        for name in _tree(raw, f"{ARCHIVE}.{branch}"):
            moved = sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(ARCHIVE, name), home)
            raw.execute(moved)
        parent = sql.Identifier(branch.rpartition("_r")[0])
        attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})")
        raw.execute(attach.format(parent, sql.Identifier(branch), sql.Literal(int(run_id))))
    return names


def _tree(raw: psycopg.Connection[Any], branch: str) -> list[str]:
    """Names of a table and its partitions; none if there is no such table."""
    ask = (
        "SELECT c.relname FROM pg_partition_tree(to_regclass(%s)) AS t JOIN pg_class AS c ON c.oid = t.relid"
        " UNION SELECT c.relname FROM pg_class AS c WHERE c.oid = to_regclass(%s) ORDER BY 1"
    )
    return [row[0] for row in raw.execute(ask, [branch, branch])]
