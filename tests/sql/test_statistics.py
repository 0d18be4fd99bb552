"""The planner's statistics after a command: of the run that was filled, fine where it searches, of the whole, too."""

import uuid

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text

from hscdb.db import partition, tables
from hscdb.db.engine import connect
from hscdb.errors import SchemaError
from hscdb.run.statistics import Statistics

N = 3000
_ROWS = """
INSERT INTO source (run_id, task_id, visit, ccd, source_id, n_child, x_pix, y_pix, psf_flux_e, n_pixel)
SELECT :run_id, 1, 1000, i % 5, :run_id * 100000 + i, 0, i, i, sqrt(i), 9 FROM generate_series(1, :n) AS i
"""


@pytest.fixture
def engine(fresh_dsn: str) -> Engine:
    """A database with rows of runs 7 and 8."""
    made = connect(fresh_dsn, pool=False)
    for run_id in (7, 8):
        partition.ensure(made, run_id, [1000])
        with made.begin() as connection:
            # else the server may look at them by itself, once a minute
            connection.execute(text(f"ALTER TABLE source_r{run_id}_v960 SET (autovacuum_enabled = off)"))
            connection.execute(text(_ROWS), {"run_id": run_id, "n": N})
    return made


def _known(engine: Engine) -> dict[str, float]:
    """Rows that the planner expects in the partitions of source; 0: it has not looked (PostgreSQL has -1)."""
    ask = "SELECT relname, greatest(reltuples, 0) FROM pg_class WHERE relkind = 'r' AND relname ~ '^source_r[78]_v'"
    with engine.connect() as connection:
        rows = connection.execute(text(ask))
        return {name.partition("_v")[0]: float(n) for name, n in rows}


def _bins(engine: Engine, table: str) -> dict[str, int]:
    """Bounds of the histogram of each column that has one."""
    bounds = "cardinality(CAST(CAST(histogram_bounds AS text) AS text[]))"
    ask = f"SELECT attname, {bounds} FROM pg_stats WHERE tablename = :t AND histogram_bounds IS NOT NULL"
    with engine.connect() as connection:
        return {name: n for name, n in connection.execute(text(ask), {"t": table})}


def test_only_the_partitions_of_the_run_are_read(engine: Engine) -> None:
    tables.analyze(engine, ["source", "task"], 7)
    with engine.connect() as connection:
        version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    assert _known(engine) == {"source_r7": N, "source_r8": 0 if version >= 180000 else N}


def test_the_whole_is_known_and_finer_where_the_planner_searches(engine: Engine) -> None:
    tables.analyze(engine, ["source"], 7)
    for table in ("source", "source_r7_v960"):
        bins = _bins(engine, table)
        assert bins["source_id"] == 101
        assert bins["psf_flux_e"] == 11
    with engine.connect() as connection:
        ask = "SELECT n_distinct FROM pg_stats WHERE tablename = 'source' AND attname = 'run_id'"
        assert connection.execute(text(ask)).scalar_one() == 2


def test_without_a_run_everything_is_read(engine: Engine) -> None:
    tables.analyze(engine, ["source"])
    assert _known(engine) == {"source_r7": N, "source_r8": N}


def test_a_table_that_is_not_there_is_told(engine: Engine) -> None:
    with pytest.raises(SchemaError, match="no_such_table"):
        tables.analyze(engine, ["no_such_table"], 7)


def _begun(engine: Engine, n_unit: int, jobs: int) -> Statistics:
    """Of `source`, filled by run 7."""
    found = Statistics(engine, ["source"], 7, jobs)
    found.begin(n_unit)
    return found


def _add(engine: Engine) -> None:
    """As many rows again."""
    with engine.begin() as connection:
        connection.execute(text(_ROWS.replace("100000 + i", "100000 + 50000 + i")), {"run_id": 7, "n": N})


def test_a_worker_without_work_lets_them_be_refreshed_and_the_end_does_not_again(engine: Engine) -> None:
    found = _begun(engine, 10, 2)
    found.idle()
    found.idle()
    found.thread.join()
    assert _known(engine)["source_r7"] == N
    _add(engine)
    found.end()
    assert _known(engine)["source_r7"] == N


def test_what_is_taken_over_after_an_early_refresh_is_looked_at_too(engine: Engine) -> None:
    found = _begun(engine, 10, 2)
    found.idle()
    found.begin(10)
    assert found.thread is None
    _add(engine)
    found.end()
    assert _known(engine)["source_r7"] == 2 * N


@pytest.mark.parametrize(("n_unit", "jobs"), [(9, 2), (1000, 200)])
def test_where_many_units_are_still_worked_on_they_are_refreshed_at_the_end(
    engine: Engine, n_unit: int, jobs: int
) -> None:
    found = _begun(engine, n_unit, jobs)
    found.idle()
    assert found.thread is None
    found.end()
    assert _known(engine)["source_r7"] == N


@pytest.mark.parametrize("trouble", ["no server", "a lock that is not had in time"])
def test_what_an_early_refresh_could_not_do_the_end_does(
    engine: Engine, fresh_dsn: str, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    found = _begun(engine, 10, 2)
    hasty = make_conninfo(fresh_dsn, options="-c lock_timeout=1ms")
    dsn = "host=/nowhere" if trouble == "no server" else hasty
    with monkeypatch.context() as patched, engine.begin() as other:
        other.execute(text("LOCK TABLE source_r7_v960 IN SHARE UPDATE EXCLUSIVE MODE"))
        patched.setattr(found, "engine", connect(dsn, pool=False))
        found.idle()
        found.thread.join()
        assert not found.is_fresh
    found.end()
    assert _known(engine)["source_r7"] == N


def test_the_end_waits_for_the_disk_also_where_statistics_are_not_ours_to_refresh(
    engine: Engine, fresh_dsn: str
) -> None:
    """PostgreSQL passes over the tables of others, and a commit that has changed nothing waits for nothing."""
    name = f"guest_{uuid.uuid4().hex[:8]}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'plain' IN ROLE hscdb_pipeline"))
    patient = "-c synchronous_commit=on"  # which the tests' server is not
    guest = connect(make_conninfo(fresh_dsn, user=name, password="plain", options=patient), pool=False)
    hasty = connect(fresh_dsn, pool=False, is_patient=False)
    ask = text("SELECT pg_current_wal_flush_lsn() >= CAST(:lsn AS pg_lsn)")
    found = Statistics(guest, ["source"], 7, 1)
    is_lagging = False
    for _ in range(20):
        _add(hasty)
        with hasty.connect() as connection:
            lsn = connection.execute(text("SELECT pg_current_wal_insert_lsn()")).scalar_one()
            is_lagging |= not connection.execute(ask, {"lsn": lsn}).scalar_one()
            found.end()
            assert connection.execute(ask, {"lsn": lsn}).scalar_one()
            connection.execute(text("DELETE FROM source WHERE source_id > 750000"))
            connection.commit()
    assert is_lagging  # else this has shown nothing
    assert _known(engine)["source_r7"] == 0
    guest.dispose()
    with engine.begin() as connection:
        connection.execute(text(f"DROP ROLE {name}"))
