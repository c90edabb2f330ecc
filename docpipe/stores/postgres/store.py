"""The canonical store without an API in between: the same SQL functions, straight over psycopg.

Nothing here outlives its transaction, no prepared statement and no setting, so the address may be that of a
pooler in transaction mode (Supavisor or PgBouncer, on a Supabase project port 6543).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from docpipe.errors import DocpipeError, StoreUnavailableError
from docpipe.stores import rows
from docpipe.stores.functions.calls import Call, Query, named_by
from docpipe.stores.functions.errors import error_of
from docpipe.stores.functions.store import STATEMENT_SECONDS, FunctionStore, repeated
from docpipe.stores.postgres.address import address

_CONNECTIONS = 4
"""At most, in one process: an attempt, its heartbeats, and what else the process asks."""
_IDLE_SECONDS = 60.0
_CONNECT_SECONDS = 5
_PATIENCE_SECONDS = 10.0
"""For a connection to become free."""

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresStore(FunctionStore):
    """A `Store` in a Supabase project's database, or any other Postgres that has docpipe's schema.

    Args:
        dsn: the address of a user that may do what `service_role` may, `postgresql://…`.
        api: the same project's API, through which others reach this store; it then names the store.

    Raises:
        ConfigurationError: the address cannot be read.
    """

    def __init__(self, dsn: str, api: str | None = None) -> None:
        parts = address(dsn)
        # no prepared statements: behind a pooler the next transaction may meet another session
        mine = {"autocommit": True, "prepare_threshold": None, "connect_timeout": _CONNECT_SECONDS}
        self._given = parts | mine
        place = f"{parts.get('host', '')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"
        self.fingerprint = named_by(api) if api else f"postgres:{place}"
        self._pool: ConnectionPool[Connection] | None = None
        self._hurried = False
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def pool(self) -> ConnectionPool[Connection]:
        """The connections, one set per process: they must not cross a fork."""
        with self._lock:
            if self._pool is None or self._pid != os.getpid():
                # the pool keeps trying and does not tell why it cannot: so the first try is ours
                self._hurried = _is_hurried(self._given)
                self._pool, self._pid = _opened(self._given), os.getpid()
            return self._pool

    def close(self) -> None:
        if self._pool is not None and self._pid == os.getpid():
            self._pool.close()
        self._pool = None

    def _call(self, call: Call) -> Any:
        with self._connected() as connection, self._unhurried(connection):
            return _answer(connection.execute(*_statement(call)))

    def _call_in_order(self, calls: Sequence[Call]) -> Any:
        """All but the last in one round trip."""
        *first, last = calls
        if first:
            repeated(self._piped, first)
        return repeated(self._call, last)

    def _piped(self, calls: Sequence[Call]) -> None:
        with self._connected() as connection, connection.pipeline() as pipeline:
            for call in calls:
                with self._unhurried(connection):
                    connection.execute(*_statement(call))
                pipeline.sync()  # ends the transaction of this call, and its locks

    def _fetch(self, query: Query, start: int, limit: int) -> tuple[list[rows.Row], bool]:
        with self._connected() as connection, self._unhurried(connection):
            found = connection.execute(*_selection(query, start, limit)).fetchall()
        return [row for (row,) in found], len(found) == limit

    @contextmanager
    def _unhurried(self, connection: Connection) -> Iterator[None]:
        """What a function sets for itself comes too late here: the time of its statement runs already."""
        if not self._hurried:
            yield
            return
        with connection.pipeline(), connection.transaction():
            connection.execute(f"set local statement_timeout = '{STATEMENT_SECONDS}s'".encode())
            yield

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection, with what it raises as docpipe's errors."""
        try:
            with self.pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise StoreUnavailableError(
                f"Postgres does not answer: {error}. Check SUPABASE_DB_URL."
            ) from error
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
                self._discard_dead()  # the other connections may have died with this one
            raise _translated(error) from error

    def _discard_dead(self) -> None:
        pool = self._pool
        if pool is not None and not pool.closed:
            pool.check()


def _is_hurried(given: dict[str, Any]) -> bool:
    """Whether the user is given less time for a statement than the functions may take."""
    with psycopg.connect(**given) as connection:
        asked = "select setting::integer from pg_settings where name = 'statement_timeout'"
        found = connection.execute(asked).fetchone()
    return found is not None and 0 < found[0] < STATEMENT_SECONDS * 1000


def _opened(given: dict[str, Any]) -> ConnectionPool[Connection]:
    return ConnectionPool(
        kwargs=given,
        min_size=0,
        max_size=_CONNECTIONS,
        max_idle=_IDLE_SECONDS,
        timeout=_PATIENCE_SECONDS,
        reconnect_timeout=_PATIENCE_SECONDS,
        num_workers=1,
        open=True,
        name="docpipe",
    )


def _translated(error: psycopg.Error) -> DocpipeError:
    details = error.diag.message_detail or ""
    if error.sqlstate is None:
        return StoreUnavailableError(_away(str(error)))
    return error_of(error.sqlstate, error.diag.message_primary or "", details, "Postgres")


def _away(reason: str) -> str:
    told = " ".join(reason.split()).rstrip(".")
    return f"Postgres does not answer: {told}. Check SUPABASE_DB_URL."


def _statement(call: Call) -> tuple[sql.Composed, dict[str, Any]]:
    given = [
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in call.arguments
    ]
    function = sql.Identifier("public", f"docpipe_{call.function}")
    return sql.SQL("select {}({})").format(function, sql.SQL(", ").join(given)), dict(call.arguments)


def _answer(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    found = cursor.fetchone()
    return found and found[0]


def _selection(query: Query, start: int, limit: int) -> tuple[sql.Composed, list[Any]]:
    """Each row as JSON, as the API gives it."""
    matched = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in query.match]
    statement = sql.SQL(
        "select to_jsonb(found) from (select {} from {} where {} {} offset %s limit %s) found"
    )
    return statement.format(
        sql.SQL(cast("Any", query.columns)),  # names written in this package, never a caller's
        sql.Identifier("public", query.table),
        sql.SQL(" and ").join(matched) if matched else sql.SQL("true"),
        sql.SQL("order by {}").format(sql.Identifier(query.order)) if query.order else sql.SQL(""),
    ), [*query.match.values(), start, limit]
