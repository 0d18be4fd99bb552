"""The loss of the server under one name, whatever the driver calls it. Imports the driver only to judge an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hscdb.errors import InputError


class ServerLostError(InputError):
    """Nobody answers at the database's address, or not any more. said: the driver's own words, one line."""

    code = "no_server"

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said or message


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


def _driver_errors() -> tuple[type[Exception], ...]:
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    return psycopg.Error, SQLAlchemyError


@contextmanager
def named() -> Iterator[None]:
    """ServerLostError for whatever in this block says that the server is gone; other errors pass as they are."""
    try:
        yield
    except _driver_errors() as error:
        if not is_lost(error):
            raise
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ServerLostError(
            f"the database server went away ({said}). Run the same command again.", said=said
        ) from error
