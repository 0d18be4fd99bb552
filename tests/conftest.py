"""The test server: HSCDB_TEST_DSN, else an embedded one shared by all workers; a migrated template; a clone per worker.

Tests that take `connection` run in a transaction that is rolled back.
"""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine

from hscdb.db import engine as engines
from hscdb.db import migrate
from hscdb.db.server import Server

os.environ.setdefault("PYTHONWARNINGS", "error")  # what tests start as a process is as strict as the tests
SMALL = {"shared_buffers": "64MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class _Shared:
    """A folder with a server that several worker processes use; the last one out removes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(folder, SMALL)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone among the workers."""
        with self.folder.with_name(f"hscdb-pytest-{os.geteuid()}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def users(self) -> set[int]:
        """The living processes that use the server."""
        path = self.folder / "users"
        return {pid for pid in map(int, path.read_text().split()) if _alive(pid)} if path.exists() else set()

    def enter(self) -> str:
        """Register this process; the DSN of the running server."""
        with self.locked():
            self.folder.mkdir(mode=0o755, exist_ok=True)
            (self.folder / "users").write_text(" ".join(map(str, self.users() | {os.getpid()})))
            return self.server.start()

    def leave(self) -> None:
        """Take this process off the list, and the server away if it was the last or if all have died."""
        with self.locked():
            left = self.users() - {os.getpid()}
            if left:
                (self.folder / "users").write_text(" ".join(map(str, left)))
            else:
                self.server.remove()
                shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """DSN of a server on which databases may be made."""
    given = os.environ.get("HSCDB_TEST_DSN")
    if given:
        yield given
        return
    # The workers of one run share the name of the run; a folder below /tmp can be reached by an unprivileged server.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    root = Path(tempfile.gettempdir())
    for old in root.glob("hscdb-pytest-*/users"):  # what a killed test run has left
        if old.parent.stat().st_uid == os.geteuid() and not _Shared(old.parent).users():
            _Shared(old.parent).leave()
    shared = _Shared(root / f"hscdb-pytest-{run[:16]}")
    yield shared.enter()
    shared.leave()


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


@pytest.fixture(scope="module")
def module_dsn(server_dsn: str, template: str) -> Iterator[str]:
    """DSN of a migrated database for the tests of one file, which may commit."""
    name = f"hscdb_module_{uuid.uuid4().hex[:12]}"
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
