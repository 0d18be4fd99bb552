"""What the machine does to a command, under one name whoever says it: the server is gone, the disk is full.

Imports the driver only to judge an error.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hscdb.errors import DiskError, InputError

_ROOM = "Make room, then run the same command again; what is done stays done."
_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f), then run the same command again.",
    errno.EROFS: "Mount it for writing, then run the same command again.",
    errno.EACCES: "Get the right to write there, then run the same command again.",
    errno.EPERM: "Get the right to write there, then run the same command again.",
    errno.EIO: "See what the system says of the disk (dmesg), then run the same command again.",
}


class ServerLostError(InputError):
    """Nobody answers at the database's address, or not any more."""

    code = "no_server"


def is_lost(error: BaseException) -> bool:
    """Whether an exception, or one it comes from, says that the connection to the server is gone."""
    import psycopg
    from sqlalchemy.exc import DBAPIError

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DBAPIError) and seen.connection_invalidated:
            return True
        if isinstance(seen, psycopg.OperationalError) and (seen.sqlstate is None or seen.sqlstate[:2] in ("57", "08")):
            return not isinstance(seen, psycopg.errors.QueryCanceled)
        seen = seen.__cause__ or seen.__context__
    return False


def disk_error(error: BaseException, place: Path | None = None) -> DiskError | None:
    """What is wrong with a disk, if an exception, or one it comes from, says so: of a file, or the server of its own.

    place : where we write, for the case that the exception does not tell (that of a full disk never does).
    """
    import psycopg

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.errors.DiskFull):
            said = str(seen).strip().partition("\n")[0]
            return DiskError(f"the database server's disk is full, or its limit reached ({said}). {_ROOM}")
        if isinstance(seen, OSError) and seen.errno in _ADVICE:
            where = seen.filename or place or "the output"
            free = f" ({shutil.disk_usage(place).free / 1e6:.0f} MB are free)" if place else ""
            return DiskError(f"{where}: {os.strerror(seen.errno).lower()}{free}. {_ADVICE[seen.errno]}")
        seen = seen.__cause__ or seen.__context__
    return None


def _judged() -> tuple[type[Exception], ...]:
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    return OSError, psycopg.Error, SQLAlchemyError


def told(error: BaseException) -> str:
    """The loss of the server in words."""
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return (
        f"the database server went away ({said}). Nothing is lost: run the same command again; the embedded server is "
        "started anew."
    )


@contextmanager
def named() -> Iterator[None]:
    """ServerLostError for whatever in this block says that the server is gone, DiskError for what says that a disk
    is full; other errors pass as they are."""
    try:
        yield
    except _judged() as error:
        trouble = disk_error(error)
        if trouble is not None:
            raise trouble from error
        if not is_lost(error):
            raise
        raise ServerLostError(told(error)) from error
