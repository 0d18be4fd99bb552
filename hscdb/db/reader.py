"""Logins for readers: people and programs that may look and nothing else.

What holds even against ill will: no right to write anything, a limit on temporary files (only a superuser can change
it), on connections, and the watch that ends what runs too long. What holds until a reader changes it for a session of
his own: the time limit, read-only transactions, memory.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql
from sqlalchemy import Engine

from hscdb.db.engine import driver
from hscdb.errors import ConfigError, InputError

ROLE = "hscdb_reader"
_LOGIN = "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {} PASSWORD {}"


@dataclass(frozen=True)
class Limits:
    """What one reader may use at a time."""

    connections: int = 8
    seconds: int = 300
    temp_mb: int = 4096
    memory_mb: int = 64


def make(engine: Engine, name: str, limits: Limits, *, may_upload: bool = False) -> str:
    """Make (or renew) a login that is a reader; returns its new password.

    may_upload : it may make temporary tables, e.g. a list to match with xmatch.
    ConfigError `bad_name` if the name belongs to another role; InputError `no_permission` if we may not make roles.
    """
    password = secrets.token_urlsafe(18)
    who = sql.Identifier(name)
    with engine.begin() as connection:
        raw = driver(connection)
        row = raw.execute(
            "SELECT rolsuper OR NOT rolcanlogin OR NOT pg_has_role(oid, %s, 'MEMBER') FROM pg_roles WHERE rolname = %s",
            [ROLE, name],
        ).fetchone()
        if row is not None and row[0]:
            raise ConfigError(f"reader {name!r}: a role of this name exists and is no reader. Take another name.",
                              code="bad_name")  # fmt: skip
        verb = sql.SQL("CREATE" if row is None else "ALTER")
        try:
            raw.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {} PASSWORD {}"
                ).format(verb, who, sql.Literal(limits.connections), sql.Literal(password))
            )
            raw.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(ROLE), who))
            _set(raw, who, limits)
            database = sql.Identifier(str(raw.info.dbname))
            # Neither a copy of a database nor a restored dump has the grants of the database itself.
            raw.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC, {}").format(database, who))
            if may_upload:
                raw.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, who))
        except errors.InsufficientPrivilege as error:
            raise InputError(
                f"reader {name!r}: {str(error).strip().partition(chr(10))[0]}. Ask the server's administrator for it.",
                code="no_permission",
            ) from None
    return password


def _set(raw: psycopg.Connection[Any], who: sql.Identifier, limits: Limits) -> None:
    settings: dict[str, str] = {
        "statement_timeout": f"{limits.seconds}s",
        "idle_in_transaction_session_timeout": "60s",
        "default_transaction_read_only": "on",
        "search_path": "public",
        "work_mem": f"{limits.memory_mb}MB",
        "temp_file_limit": f"{limits.temp_mb}MB",
        "jit": "off",
        "max_parallel_workers_per_gather": "1",
    }
    for name, text in settings.items():
        raw.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(who, sql.Identifier(name), sql.Literal(text)))


def drop(engine: Engine, name: str) -> None:
    """Remove a reader's login. ConfigError `bad_name` if there is no such reader."""
    with engine.begin() as connection:
        raw = driver(connection)
        row = raw.execute(
            "SELECT pg_has_role(oid, %s, 'MEMBER') AND NOT rolsuper FROM pg_roles WHERE rolname = %s", [ROLE, name]
        ).fetchone()
        if row is None or not row[0]:
            raise ConfigError(f"reader {name!r}: there is none of this name.", code="bad_name")
        raw.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        raw.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def watch(
    engine: Engine, seconds: float, tell: Callable[[str], None], *, rounds: int | None = None, pause_s: float = 2.0
) -> int:
    """End readers' transactions that are older than so many seconds, again and again; returns how many were ended.

    rounds : look so often, None for ever.
    """
    n_ended = 0
    while rounds is None or rounds > 0:
        with engine.begin() as connection:
            for pid, user, age, query in driver(connection).execute("SELECT * FROM end_overtime(%s)", [seconds]):
                tell(f"ended {user} (process {pid}) after {age:.0f} s: {' '.join(query.split())}")
                n_ended += 1
        rounds = None if rounds is None else rounds - 1
        if rounds != 0:
            time.sleep(pause_s)
    return n_ended
