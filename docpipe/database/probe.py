"""A document that goes all the way and leaves nothing: its transaction is rolled back.

What the catalogue cannot tell (a trigger that fails, a foreign key, a rule, a missing grant) shows here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from docpipe.database.connection import naming
from docpipe.database.schema import QUEUE_TABLE, columns, one
from docpipe.database.silence import silence
from docpipe.plan import BUILT_IN, StageSpec
from docpipe.status import COMPLETED
from docpipe.stores.port import NewDocument
from docpipe.stores.rows import document_row

TABLES = ["source_documents", "neo4j_documents", QUEUE_TABLE]


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened besides the probe itself."""

    queue_rows: int
    """Rows that appeared in the old queue."""
    wrong: tuple[str, ...]
    """Statuses that are not what docpipe wrote."""


def probe(connection: psycopg.Connection, *, silent: bool = False) -> Seen:
    """Register a document, take it through every stage as the API's role would, and roll everything back.

    Args:
        silent: without the tables' triggers.

    Raises:
        ConfigurationError: the database refuses it, and why.
    """
    with connection.transaction(force_rollback=True), naming("a document that was tried"):
        for statement in silence(connection, TABLES)[0] if silent else ():
            connection.execute(statement.encode())
        before = _queue_rows(connection)
        wrong = list(_walk(connection))
        return Seen(_queue_rows(connection) - before, tuple(wrong))


def _queue_rows(connection: psycopg.Connection) -> int:
    if not columns(connection, QUEUE_TABLE):
        return 0
    return int(one(connection, f"select count(*) from public.{QUEUE_TABLE}"))  # noqa: S608 - our own name


@contextmanager
def _as_service_role(connection: psycopg.Connection) -> Iterator[None]:
    allowed = one(
        connection,
        "select 1 from pg_roles where rolname = 'service_role' and pg_has_role(oid, 'member')",
    )
    if allowed:
        connection.execute("set local role service_role")
    yield
    connection.execute("reset role")


def _walk(connection: psycopg.Connection) -> Iterator[str]:
    uid = str(uuid.uuid4())
    document = NewDocument(
        document_uuid=uid,
        project_id=None,
        name="docpipe-probe.txt",
        uri=f"file:///docpipe-probe/{uid}",
        digest=uid,
        size=1,
        metadata={},
        stages=[stage.planned for stage in BUILT_IN],
    )
    with _as_service_role(connection):
        one(connection, "select public.docpipe_register(%s)", json.dumps(document_row(document)))
        yield from _differs(connection, uid, "pending")
        for stage in BUILT_IN:
            yield from _stage(connection, uid, stage)
        yield from _differs(connection, uid, COMPLETED)


def _stage(connection: psycopg.Connection, uid: str, stage: StageSpec) -> Iterator[str]:
    one(connection, "select public.docpipe_queue(%s, 1, %s, 'probe')", uid, stage.name)
    yield from _differs(connection, uid, stage.words.queued)
    claim = "select public.docpipe_claim(%s, 1, %s, 'probe', 'probe', 'probe', 60, 5)"
    token = one(connection, claim, uid, stage.name)["token"]
    yield from _differs(connection, uid, stage.words.processing)
    output = json.dumps({"replaces": []})
    one(connection, "select public.docpipe_finish(%s, 1, %s, %s, %s)", uid, stage.name, token, output)


def _differs(connection: psycopg.Connection, uid: str, expected: str) -> Iterator[str]:
    query = (
        "select celery_status, initial_processing_status from public.source_documents"
        " where document_uuid = %s"
    )
    row = connection.execute(query, (uid,)).fetchone()
    found = [str(each) for each in row or ("no row",)]
    if set(found) != {expected}:
        yield f"{expected} became {', '.join(found)}"
