"""The rows of the old queue, as docpipe sees them."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from docpipe.cli.takeover import queue_links
from docpipe.cli.takeover.queue import stranded
from docpipe.cli.takeover.queue.stranded import row_name
from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, literal, one, quoted, status_word
from docpipe.cli.takeover.status_words import QUEUE, Work
from docpipe.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Open:
    """An open row of the queue, or an open document without one."""

    row: str
    status: str
    work: Work
    document_uuid: str | None


def require_queue(connection: psycopg.Connection) -> None:
    """Raises `ConfigurationError` when there is no queue."""
    if not columns(connection, QUEUE_TABLE):
        raise ConfigurationError(f"There is no table {QUEUE_TABLE} here: nothing to import, nothing to seal.")


def require_docpipe(connection: psycopg.Connection) -> None:
    """Raises `ConfigurationError` before `docpipe db apply`."""
    if not columns(connection, "docpipe_queue_imports"):
        raise ConfigurationError("docpipe's tables are not here yet. Run: docpipe db apply")


def unreadable(connection: psycopg.Connection) -> str:
    """Why docpipe cannot read what the queue's rows ask for; empty if it can."""
    found = columns(connection, QUEUE_TABLE)
    if not found:
        return f"There is no table {QUEUE_TABLE} here: nothing to import, nothing to seal."
    lacking = [] if "status" in found else ["status"]
    if key(connection) is None:
        lacking.append("id")
    if not queue_links.columns_that_name(connection):
        lacking.append("source_document_uuid or source_document_id, which name a document")
    if not lacking:
        return ""
    return (
        f"{QUEUE_TABLE} cannot be read: it has no column {', no '.join(lacking)}. Hand over the open"
        " documents instead of the rows (docpipe queue import --stranded), then rename the table."
    )


def key(connection: psycopg.Connection) -> str | None:
    """The column that identifies the queue's rows: `id`, or its primary key by another name."""
    if "id" in columns(connection, QUEUE_TABLE):
        return "id"
    query = (
        "select a.attname from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid"
        " and c.conkey = array[a.attnum] where c.contype = 'p' and c.conrelid = to_regclass('public.' || %s)"
    )
    found: str | None = one(connection, query, QUEUE_TABLE)
    return found


def _require_readable(connection: psycopg.Connection) -> None:
    if reason := unreadable(connection):
        raise ConfigurationError(reason)
    require_docpipe(connection)


def open_rows(connection: psycopg.Connection, limit: int = 1_000_000) -> list[Open]:
    """Rows that are not done, oldest first. Raises `ConfigurationError`."""
    _require_readable(connection)
    words = ", ".join(literal(word) for word, work in QUEUE.items() if work is not Work.DONE)
    row = quoted(key(connection) or "id")
    query = (
        f"select q.{row}::text, q.status::text, q.docpipe_document from {queue_links.rows(connection)} q"  # noqa: S608
        f" where {status_word('q.status')} in ({words}) order by q.{row} limit %s"
    )
    found = connection.execute(query.encode(), (limit,)).fetchall()
    return [Open(row, status, QUEUE[status.strip().lower()], uid) for row, status, uid in found]


def stranded_documents(connection: psycopg.Connection, limit: int = 1_000_000) -> list[Open]:
    """Open documents that no open row names, as if they had one."""
    require_docpipe(connection)
    return [
        Open(row_name(uid), status, Work.STRANDED, uid) for uid, status in stranded.found(connection, limit)
    ]


def unknown_statuses(connection: psycopg.Connection) -> dict[str, int]:
    """Words of the queue that no table knows, with how many rows have each; `(none)` for no word at all."""
    _require_readable(connection)
    query = f"select {status_word('status')}, count(*) from public.{QUEUE_TABLE} group by 1 order by 1"  # noqa: S608
    return {word or "(none)": rows for word, rows in connection.execute(query.encode()) if word not in QUEUE}
