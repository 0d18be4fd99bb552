"""The test server: HSCDB_TEST_DSN, else an embedded one shared by all workers; a migrated template; a clone per worker.

Tests that take `connection` run in a transaction that is rolled back.
"""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine

from hscdb.db import engine as engines
from hscdb.db import migrate
from hscdb.db.server import Server

SMALL = {"shared_buffers": "64MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class _Counter:
    """How many workers use the shared server; the last one out removes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, step: int) -> int:
        path = self.folder / "users"
        count = (int(path.read_text()) if path.exists() else 0) + step
        path.write_text(str(count))
        return count


def _locked(folder: Path):
    handle = (folder / "lock").open("w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


@pytest.fixture(scope="session")
def server_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DSN of a server on which databases may be made."""
    given = os.environ.get("HSCDB_TEST_DSN")
    if given:
        yield given
        return
    # The workers of one run share the name of the run; a folder below /tmp can be reached by an unprivileged server.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    folder = Path(tempfile.gettempdir(), f"hscdb-test-{run[:16]}")
    folder.mkdir(mode=0o755, exist_ok=True)
    counter = _Counter(folder)
    server = Server(folder, SMALL)
    with _locked(folder):
        counter.change(+1)
        dsn = server.start()
    yield dsn
    with _locked(folder):
        if counter.change(-1) == 0:
            server.remove()
            shutil.rmtree(folder, ignore_errors=True)


def _execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True, dbname="postgres") as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="session")
def template(server_dsn: str, worker_id: str) -> Iterator[str]:
    """Name of a migrated database that nobody is connected to."""
    name = f"hscdb_template_{os.getpid()}_{worker_id}"
    _execute(server_dsn, f"CREATE DATABASE {name}")
    engine = engines.connect(make_conninfo(server_dsn, dbname=name), pool=False)
    migrate.migrate(engine)
    engine.dispose()
    yield name
    _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def engine(server_dsn: str, template: str) -> Iterator[Engine]:
    """Engine on this worker's own database: a clone of the template. What is committed stays for the session."""
    name = template.replace("template", "clone")
    _execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
    engine = engines.connect(make_conninfo(server_dsn, dbname=name), pool=False)
    yield engine
    engine.dispose()
    _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_dsn(server_dsn: str, template: str) -> Iterator[str]:
    """DSN of a migrated database for this test alone, which may commit."""
    name = f"hscdb_fresh_{uuid.uuid4().hex[:12]}"
    _execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield make_conninfo(server_dsn, dbname=name)
    _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """DSN of an empty database for this test alone."""
    name = f"hscdb_empty_{uuid.uuid4().hex[:12]}"
    _execute(server_dsn, f"CREATE DATABASE {name}")
    yield make_conninfo(server_dsn, dbname=name)
    _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back after the test."""
    with engine.connect() as connection:
        connection.begin()
        yield connection
        connection.rollback()
