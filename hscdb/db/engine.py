"""DSN -> SQLAlchemy engine with the project's connection settings, and transactions on it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool, QueuePool

from hscdb.db.lost import ServerLostError
from hscdb.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent
# jit: sky joins have absurd cost estimates and compiling them costs 100 times the query.
# search_path: only our names, whatever the role's default is.
_OPTIONS = "-c jit=off -c search_path=public -c timezone=UTC -c datestyle=ISO -c extra_float_digits=1"
_IMPATIENT = " -c synchronous_commit=off"
# What a server says that will answer soon: after a crash, of itself or of one of its processes.
_SOON = ("is starting up", "in recovery mode", "not yet accepting connections")
_RECOVERY_S = 60.0


def folder(name: str) -> Path:
    """Where `sql` or `schema` lies: inside an installed package, else beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def connect(dsn: str, *, pool: bool = True, application_name: str = "hscdb", is_patient: bool = True) -> Engine:
    """Engine for a libpq connection string or postgresql:// URL; an empty string means libpq's environment.

    pool       : keep up to five connections open; False opens one per use (for forking parents).
    is_patient : a commit waits until it is on the disk. False, for those whose work can be done again: a crash of the
                 machine or the server may undo what was committed in its last 0.6 s (3 wal_writer_delay), in order:
                 what somebody patient commits afterwards keeps all that was committed before.
    Options in the DSN itself (options=-c ...) win over ours. ConfigError `bad_dsn` if it cannot be parsed;
    ServerLostError `no_server`, at the first use, if nobody answers.
    """
    try:
        given: dict[str, Any] = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            f"dsn: not a libpq connection string ({str(error).strip()}). "
            f"Write e.g. 'host=localhost dbname=hscdb user=me' or a postgresql:// URL.",
            code="bad_dsn",
        ) from None
    own = given.pop("options", None) or os.environ.get("PGOPTIONS", "")
    given["options"] = f"{_OPTIONS}{'' if is_patient else _IMPATIENT} {own}".strip()
    given.setdefault("application_name", application_name)
    given.setdefault("connect_timeout", "30")

    def creator() -> Any:
        end = time.monotonic() + _RECOVERY_S
        while True:
            try:
                return psycopg.connect(**given)
            except psycopg.OperationalError as error:
                if time.monotonic() < end and any(words in str(error) for words in _SOON):
                    time.sleep(0.2)
                    continue
                raise ServerLostError(
                    f"database {given.get('dbname', '')!r} at {given.get('host', 'the default socket')}: "
                    f"{str(error).strip()}. Start the server (hscdb db start REPO) or mend the DSN."
                ) from error

    if not pool:
        return create_engine("postgresql+psycopg://", creator=creator, poolclass=NullPool)
    return create_engine("postgresql+psycopg://", creator=creator, poolclass=QueuePool, pool_pre_ping=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back if an exception leaves the block."""
    with engine.begin() as connection:
        yield connection


def wait_for_disk(engine: Engine) -> None:
    """Return when all that was committed before is on the disk, that of the impatient, too.

    By a commit of its own, which waits only if it has written something: a message to nobody.
    """
    with transaction(engine) as connection:
        driver(connection).execute("SELECT pg_logical_emit_message(true, 'hscdb', '')")


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection under a SQLAlchemy one, in the same transaction."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"a psycopg connection is needed, not {type(raw).__name__}")
    return raw
