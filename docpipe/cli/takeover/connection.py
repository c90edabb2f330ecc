"""A connection to the database itself, and Postgres's errors as docpipe's.

It may go through a pooler in transaction mode: nothing outlives its transaction, no prepared statement, no
setting and no lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from docpipe.errors import ConfigurationError, DocpipeError, PermissionDeniedError, StoreUnavailableError
from docpipe.stores.postgres.address import address

_LOCK = 0x646F6370  # "docp": one migration at a time
_TURN_SECONDS = 60
_TABLE_SECONDS = 10
"""Who waits for a table holds up everybody who comes after him."""


@contextmanager
def connected(dsn: str, what: str = "docpipe's schema") -> Iterator[psycopg.Connection]:
    """A connection in autocommit mode.

    Args:
        dsn: `SUPABASE_DB_URL`; the REST API cannot create tables.
        what: is being done, for the message of an error.

    Raises:
        StoreUnavailableError: the database cannot be reached, or a table is locked.
        PermissionDeniedError: this user may not do it.
        ConfigurationError: it does not fit the database.
    """
    given = address(dsn) | {"autocommit": True, "connect_timeout": 10, "prepare_threshold": None}
    try:
        with psycopg.connect(**given) as connection:
            yield connection
    except psycopg.OperationalError as error:
        if error.sqlstate:
            raise translated(error, what) from error
        told = " ".join(str(error).split()).rstrip(".")
        message = f"The database cannot be reached: {told}. Check SUPABASE_DB_URL."
        raise StoreUnavailableError(message) from error
    except psycopg.Error as error:
        raise translated(error, what) from error


@contextmanager
def changing(
    connection: psycopg.Connection, *, seconds: int = _TABLE_SECONDS, rolled_back: bool = False
) -> Iterator[None]:
    """One transaction that waits `seconds` for a lock at most; no time-out of the user's own cuts it off."""
    with connection.transaction(force_rollback=rolled_back):
        connection.execute("set local statement_timeout = 0")
        connection.execute(f"set local lock_timeout = '{seconds}s'".encode())
        yield


@contextmanager
def migrating(connection: psycopg.Connection, *, rolled_back: bool = False) -> Iterator[None]:
    """`changing`, one migration after the other."""
    with changing(connection, seconds=_TURN_SECONDS, rolled_back=rolled_back):
        try:
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        except psycopg.errors.LockNotAvailable as error:
            raise StoreUnavailableError(
                "Another `docpipe db apply` or `docpipe db rollback` runs for over a minute. Wait for it."
            ) from error
        connection.execute(f"set local lock_timeout = '{_TABLE_SECONDS}s'".encode())
        yield


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Errors of Postgres inside the block name `what`. Raises as `connected`."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, what) from error


def translated(error: psycopg.Error, what: str) -> DocpipeError:
    """docpipe's error for one of Postgres's."""
    message = error.diag.message_primary or str(error)
    detail = f" {error.diag.message_detail}" if error.diag.message_detail else ""
    if detail.startswith(" Failing row"):  # all of it: text, and perhaps confidential
        detail = ""
    if where := _foreign_function(error):
        return ConfigurationError(
            f"{what} does not fit this database ({error.sqlstate}): {message}.{detail}"
            f" It happened in {where}. Fix that function, or disable the trigger that calls it."
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return PermissionDeniedError(f"{what} cannot be applied: {message}.")
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return StoreUnavailableError(f"{what}: a table is locked by another session. Try again.")
    if error.sqlstate is None or error.sqlstate.startswith(("08", "57")):
        return StoreUnavailableError(f"{what}: the database went away: {message.strip()}. Try again.")
    return ConfigurationError(f"{what} does not fit this database ({error.sqlstate}): {message}.{detail}")


def _foreign_function(error: psycopg.Error) -> str:
    """The function of somebody else's that raised, such as a trigger's; empty if none did."""
    called = re.findall(r"function ([^\s()]++\([^()]*+\)) line", error.diag.context or "")
    return next((name for name in called[:1] if "docpipe_" not in name), "")
