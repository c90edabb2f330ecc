"""Is the old queue left for good? Looks at everything that would bring it back, and can try a document."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

import psycopg

from docpipe.cli.takeover import migrate
from docpipe.cli.takeover.connection import connected
from docpipe.cli.takeover.queue import stranded
from docpipe.cli.takeover.queue.importing import sealed_at
from docpipe.cli.takeover.queue.rows import open_rows, unknown_statuses, unreadable
from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, one
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.tables.obstacles import find
from docpipe.cli.takeover.tables.probe import probe
from docpipe.delivery.monitoring.doctor import Finding
from docpipe.errors import DocpipeError
from docpipe.pipeline.pipeline import Pipeline

_LIVE_SECONDS = 300.0


def verify(
    dsn: str, pipeline: Pipeline, *, live: bool = False, said: triggers.Said | None = None
) -> Iterator[Finding]:
    """Each thing that was looked at, and what to do where it is wrong.

    Args:
        said: what a person says of triggers that docpipe cannot judge.
        live: also submit a small document, wait until it is complete, and take it away again.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    with connected(dsn) as connection:
        seen = _rows(connection)
        yield from _schema(dsn, connection)
        yield from _triggers(connection, said)
        yield from _queue(connection)
        yield from pipeline.examine()
        if live:
            yield _live(connection, pipeline)
        yield _receiving(connection, seen)


def _schema(dsn: str, connection: psycopg.Connection) -> Iterator[Finding]:
    lacking = migrate.check(dsn)
    for line in lacking:
        yield Finding("schema", False, f"the database lacks {line}. Run: docpipe db apply")
    for obstacle in find(connection):
        yield Finding("schema", False, str(obstacle))
    if not lacking:
        yield Finding("schema", True, "the database has everything docpipe needs")


def _triggers(connection: psycopg.Connection, said: triggers.Said | None) -> Iterator[Finding]:
    found = triggers.find(connection, said)
    for each in found:
        if each.unclear:
            yield Finding("triggers", False, _unclear(each))
    working = [each for each in found if each.enabled and (each.works or each.known)]
    for each in working:
        what = ", ".join(each.kinds)
        message = f"{each.name} on {each.table} {what}. Run: docpipe db triggers --disable"
        yield Finding("triggers", False, message)
    if working:
        return
    try:
        told = triggers.complaint(probe(connection), found)
    except DocpipeError as error:
        told = str(error)
    yield Finding(
        "triggers", not told, told or "a document that was tried moved nothing but docpipe's own rows"
    )


def _unclear(each: triggers.Trigger) -> str:
    name = quote(f"{each.table}.{each.name}=")
    return (
        f"{each.name} on {each.table} {triggers.Kind.BUILT}, and docpipe cannot tell what that is. Read"
        f" {each.function}(), and say it: --trigger {name}KIND, one of {', '.join(triggers.SAYABLE)}."
    )


def _queue(connection: psycopg.Connection) -> Iterator[Finding]:
    if not columns(connection, QUEUE_TABLE):
        yield Finding("old queue", True, f"there is no {QUEUE_TABLE}")
        return
    if reason := unreadable(connection):
        yield Finding("old queue", False, reason)
    else:
        yield from _rows_left(connection)
    if lost := len(stranded.found(connection)):
        told = f"{lost} documents are open, and no row names them. Run: docpipe queue import --stranded"
        yield Finding("old queue", False, f"{told}, or set their celery_status to cancelled.")
    sealed = sealed_at(connection)
    told = f"{QUEUE_TABLE} takes new rows. Run: docpipe queue seal"
    yield Finding(
        "old queue", sealed is not None, told if sealed is None else f"sealed {sealed:%Y-%m-%d %H:%M} UTC"
    )


def _rows_left(connection: psycopg.Connection) -> Iterator[Finding]:
    waiting = len(open_rows(connection))
    told = f"{waiting} rows of {QUEUE_TABLE} are open. Run: docpipe queue import"
    yield Finding("old queue", not waiting, told if waiting else "no row is open")
    if unknown := unknown_statuses(connection):
        yield Finding("old queue", False, f"these statuses are unknown: {', '.join(unknown)}.")


@dataclass(frozen=True, slots=True)
class _Rows:
    """The queue at a moment, by this machine's clock."""

    at: datetime
    count: int


def _rows(connection: psycopg.Connection) -> _Rows:
    at = datetime.now(UTC)
    if not columns(connection, QUEUE_TABLE):
        return _Rows(at, 0)
    since = sealed_at(connection) if columns(connection, "docpipe_undo") else None
    return _Rows(since or at, int(one(connection, f"select count(*) from public.{QUEUE_TABLE}")))  # noqa: S608


def _receiving(connection: psycopg.Connection, before: _Rows) -> Finding:
    """Rows that came in: since the seal by their time stamp, since the beginning of this look by number."""
    found = columns(connection, QUEUE_TABLE)
    if not found:
        return Finding("old queue", True, "nothing comes in")
    now = int(one(connection, f"select count(*) from public.{QUEUE_TABLE}"))  # noqa: S608
    new = max(0, now - before.count)
    if "created_at" in found and found["created_at"].category == "D":
        query = f"select count(*) from public.{QUEUE_TABLE} where created_at > %s"  # noqa: S608
        new = max(new, int(one(connection, query, before.at)))
    told = f"{new} rows came in since {before.at:%Y-%m-%d %H:%M:%S} UTC: find out who writes them."
    return Finding("old queue", not new, told if new else "nothing comes in")


def _live(connection: psycopg.Connection, pipeline: Pipeline) -> Finding:
    try:
        with _tried(connection, pipeline) as status:
            return Finding("live document", True, f"went all the way: {status}")
    except DocpipeError as error:
        return Finding("live document", False, str(error))


@contextmanager
def _tried(connection: psycopg.Connection, pipeline: Pipeline) -> Iterator[str]:
    """Its final status; the document is taken away afterwards, whatever happened."""
    text = f"Ann Example signed contract {uuid.uuid4()} in Berlin on 2026-01-02."
    submission = pipeline.submit(text.encode(), name="docpipe-verify.txt")
    try:
        yield submission.wait(_LIVE_SECONDS).status
    finally:
        pipeline.cancel(submission.document_uuid)
        with connection.transaction():
            for table, column in (
                ("neo4j_documents", '"sourceDocumentUuid"'),
                ("source_documents", "document_uuid"),
            ):
                statement = f"delete from public.{table} where {column} = %s"  # noqa: S608 - our own names
                connection.execute(statement.encode(), (submission.document_uuid,))
