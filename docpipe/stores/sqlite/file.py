"""One SQLite file that several threads and processes use: connections, transactions, and its schema."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from docpipe.errors import SchemaError, StoreUnavailableError
from docpipe.models.closing import closed_on_failure
from docpipe.models.private_files import make_private_file, make_private_folder
from docpipe.models.status import document_status
from docpipe.stores import rows
from docpipe.stores.sqlite import ledger, page_index

_BUSY_SECONDS = 60.0
_SWITCH_SECONDS = 0.01
_MAKING = threading.Lock()
OVERWRITES = 1
"""`user_version` of a file in which everything that was ever deleted is overwritten."""


@cache
def _schema() -> str:
    return (files("docpipe.stores") / "sqlite" / "schema.sql").read_text(encoding="utf-8")


_ADDED = {
    "source_documents": {
        "docpipe_reading": "text",
        "docpipe_depth": "integer not null default 0",
        "docpipe_family": "text",
        "docpipe_page_count": "integer",
    },
    "stage_runs": {"docpipe_version": "text", "waits_since": "text", "priority": "integer"},
    "docpipe_runs": {
        "source_copied": "integer",
        "batch": "text",
        "held_at": "text",
        "unlinked": "integer",
        "trace_parent": "text",
        "traced_until": "text",
        "share": "text",
        "admitted_at": "text",
    },
    "docpipe_entities": {"merges": "text"},
    "docpipe_chunks": {"boxes": "text"},
    "docpipe_mentions": {"value": "text", "boxes": "text"},
    "docpipe_relations": {"verb": "text", "count": "integer", "boxes": "text"},
    "docpipe_facts": {"boxes": "text"},
    "docpipe_entity_decisions": {"who": "text not null default ''", "why": "text not null default ''"},
}
"""Columns of `sqlite/schema.sql` that a store made by an earlier docpipe has not."""


_LATER = """
create index if not exists source_documents_family_idx on source_documents (docpipe_family)
    where docpipe_family is not null;
create index if not exists docpipe_runs_batch_idx on docpipe_runs (batch) where batch is not null;
create index if not exists docpipe_runs_held_idx on docpipe_runs (priority, held_at)
    where held_at is not null and state = 'active';
create index if not exists stage_runs_due_idx on stage_runs (queue, priority, queued_at)
    where state in ('queued', 'running', 'retrying') and queued_at is not null;
update stage_runs set priority = (select r.priority from docpipe_runs r
        where r.document_uuid = stage_runs.document_uuid and r.run = stage_runs.run)
 where priority is null;
create index if not exists docpipe_runs_unlinked_idx on docpipe_runs (finished_at) where unlinked;
create index if not exists docpipe_runs_waiting_idx on docpipe_runs (share, priority, held_at, document_uuid)
    where state = 'active' and held_at is not null and admitted_at is null and share is not null;
create index if not exists docpipe_runs_flight_idx on docpipe_runs (share)
    where state = 'active' and (held_at is null or admitted_at is not null or share is null);
create index if not exists docpipe_runs_admitted_idx on docpipe_runs (admitted_at, share)
    where admitted_at is not null;
create index if not exists docpipe_runs_untraced_idx on docpipe_runs (finished_at)
    where traced_until is not finished_at;
update source_documents set docpipe_page_count = (select count(*) from docpipe_pages p
        where p.document_uuid = source_documents.document_uuid and p.run = docpipe_result_run)
 where docpipe_result_run is not null and docpipe_page_count is null;
update docpipe_runs set unlinked = (document_uuid, run) in (
       select d.document_uuid, d.docpipe_result_run from source_documents d
         left join docpipe_entity_linked l on l.document_uuid = d.document_uuid
        where l.run is not d.docpipe_result_run)
 where state = 'completed' and unlinked is null;
"""
"""Of columns that a store made by an earlier docpipe gets first: indexes, and what it did not say."""


def _add_columns(connection: sqlite3.Connection) -> None:
    """Give a store made by an earlier docpipe the columns it lacks; one process at a time."""
    if any(_missing_columns(connection)):
        connection.execute("begin immediate")
        for table, column, kind in _missing_columns(connection):
            connection.execute(f"alter table {table} add column {column} {kind}")
        connection.execute("commit")


def _missing_columns(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    for table, columns in _ADDED.items():
        known = {row["name"] for row in connection.execute(f"pragma table_info({table})").fetchall()}
        yield from ((table, column, kind) for column, kind in columns.items() if column not in known)


class _Own:
    """A thread's connection, closed with the thread: Python warns of one that is merely forgotten."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.pid = connection, os.getpid()
        # Not `__del__`: in a circle of garbage the connection's own end, with its warning, may come first.
        weakref.finalize(self, _close, connection, self.pid)


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():  # else it is another process's, and lives on there
        connection.close()


class SqliteFile:
    """The file and its folder are made when missing; what it holds is up to the classes built on this one."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        """One connection per process and thread: SQLite's must not cross a fork."""
        own: _Own | None = getattr(self._local, "own", None)
        if own is None or own.pid != os.getpid():
            own = self._local.own = _Own(self._open())
        return own.connection

    def _make_private(self) -> None:
        """Before SQLite makes the file: it gives its log the same rights."""
        make_private_folder(self.path.parent)
        make_private_file(self.path)
        for beside in ("-wal", "-shm"):
            if (log := self.path.with_name(self.path.name + beside)).exists():
                make_private_file(log)

    def _open(self) -> sqlite3.Connection:
        try:
            with _MAKING:  # a thread that is about to close a new file would take the locks of the next
                self._make_private()
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            with closed_on_failure(connection):
                _prepare(connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailableError(f"The store {self.path} cannot be opened: {error}.") from error
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        try:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:  # SQLite may have rolled back itself, as on a full disk
                    connection.execute("rollback")
                raise
        except sqlite3.OperationalError as error:
            raise _translated(error, self.path) from error

    def _rows(self, sql: str, *values: Any) -> list[rows.Row]:
        try:
            return [ledger.decoded(row) for row in self._connection().execute(sql, values)]
        except sqlite3.OperationalError as error:
            raise _translated(error, self.path) from error

    def close(self) -> None:
        """Close this thread's connection; those of other threads are closed as they end."""
        self._local.own = None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    connection.create_function("document_status", 2, document_status, deterministic=True)
    _keep_a_log(connection)
    connection.execute("pragma synchronous = normal")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma secure_delete = on")  # what is deleted is overwritten, not merely unlinked
    is_new = connection.execute("select count(*) from sqlite_schema").fetchone()[0] == 0
    is_indexed = is_new or _has_index(connection)
    connection.executescript(_schema())
    _add_columns(connection)
    connection.executescript(_LATER)
    if not is_indexed:
        _index(connection)
    if is_new:
        connection.execute(f"pragma user_version = {OVERWRITES}")


def _has_index(connection: sqlite3.Connection) -> bool:
    known = connection.execute("select 1 from sqlite_schema where name = 'docpipe_page_search'").fetchone()
    return known is not None


def _index(connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    page_index.index_earlier(connection)
    connection.execute("commit")


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, from a new file's first connection on. Where several want to switch to it at once
    SQLite fails at once for all but one, whatever timeout was set (sqlite.org/rescode.html#busy).
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
        time.sleep(_SWITCH_SECONDS)


def _translated(error: sqlite3.OperationalError, path: Path) -> Exception:
    if "no such" in str(error):
        return SchemaError(f"The store {path} was made by another version of docpipe: {error}.")
    is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    remedy = " Make room there." if is_full else ""
    return StoreUnavailableError(f"The store {path} cannot be used right now: {error}.{remedy}")
