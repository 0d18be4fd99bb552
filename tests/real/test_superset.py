"""A real Superset draws charts of the views for dashboards. Skipped without HSCDB_SUPERSET, a Python that has it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from joint_tables import database, repository, rows
from joint_world import build

PYTHON = os.environ.get("HSCDB_SUPERSET", "")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON, reason="HSCDB_SUPERSET does not name the Python of an environment with Superset"),
]


@pytest.fixture(scope="module")
def seen(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """(repository, what Superset showed to a reader)."""
    folder = tmp_path_factory.mktemp("dashboard")
    with (
        database(server_dsn, template, "hscdb_dashboard") as dsn,
        repository(folder, dsn, build(n_visit=3, per_ccd=20)) as opened,
    ):
        with psycopg.connect(dsn, autocommit=True) as owner:
            # Two of the three visits begin in one hour.
            owner.execute(
                "UPDATE visit SET obs_start = timestamptz '2026-01-01 10:10:00Z' + n * interval '20 min' FROM "
                "(SELECT visit, row_number() OVER (ORDER BY visit) AS n FROM visit) AS r WHERE r.visit = visit.visit"
            )
            owner.execute("CREATE ROLE dashboard LOGIN PASSWORD 'for one test' IN ROLE hscdb_reader")
            name, host, port = owner.info.dbname, quote(owner.info.host), owner.info.port
        try:
            uri = f"postgresql+psycopg2://dashboard:for%20one%20test@/{name}?host={host}&port={port}"
            script = Path(__file__).with_name("dashboard.py")
            clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
            done = subprocess.run(
                [PYTHON, script, folder, uri], capture_output=True, text=True, timeout=600, env=clean, check=False
            )
            assert done.returncode == 0, done.stderr[-3000:]
            yield opened, json.loads(done.stdout)
        finally:
            with psycopg.connect(dsn, autocommit=True) as owner:
                owner.execute("DROP ROLE dashboard")


def test_every_column_has_a_type_and_a_meaning_there(seen: tuple[Any, Any]) -> None:
    columns = seen[1]["columns"]
    assert [len(found) > 10 for found in columns.values()] == [True] * 4
    for view, found in columns.items():
        assert [name for name, kind, _, meaning in found if not kind or kind == "UNKNOWN" or not meaning] == [], view
        assert [name for name, kind, is_time, _ in found if is_time and "TIMESTAMP" in kind] != [], view


def test_a_chart_has_the_figures_of_the_tables(seen: tuple[Any, Any]) -> None:
    opened, shown = seen
    ours = rows(
        opened, "SELECT visit, sum(n_source) AS n, count(*) AS ccds FROM frame_info GROUP BY visit ORDER BY visit"
    )
    theirs = sorted((row["visit"], row["n_source"], row["ccd"]) for row in shown["by_visit"])
    assert theirs == list(zip(ours.visit.tolist(), ours.n.tolist(), ours.ccds.tolist(), strict=True))
    assert len(theirs) == 3


def test_time_is_an_axis(seen: tuple[Any, Any]) -> None:
    opened, shown = seen
    hour = "extract(epoch FROM date_trunc('hour', obs_start))"
    hours = rows(opened, f"SELECT {hour} AS t, count(*) AS n FROM bi_visit GROUP BY 1 ORDER BY 1")
    theirs = sorted((row["t"] / 1000, row["visit"]) for row in shown["by_hour"])
    assert theirs == [(float(t), n) for t, n in zip(hours.t, hours.n, strict=True)]
    assert len(theirs) == 2
