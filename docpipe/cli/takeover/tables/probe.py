"""Documents that go all the way and leave nothing: their transaction is rolled back.

What the catalogue does not show (a trigger that fails, a foreign key, a rule, a missing grant) shows here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from docpipe.cli.takeover.connection import naming
from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, one
from docpipe.cli.takeover.tables.silence import silence
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.formats import READERS
from docpipe.models.status import COMPLETED, celery_status
from docpipe.stores.rows import document_row
from docpipe.stores.values import NewDocument

_TEXT = {"text": "Ann met Bob.", "file_type": max(READERS, key=len)}
"""What the first stage found: the MIME type that takes the most room."""
_ERROR = {"code": "probe", "error_class": "Probe", "message": "It did not go well. " * 50}

TABLES = ["source_documents", "neo4j_documents", QUEUE_TABLE]


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened besides the probe itself."""

    queue_rows: int
    """Rows that appeared in the old queue."""
    wrong: tuple[str, ...]
    """Statuses that are not what docpipe wrote."""


def probe(connection: psycopg.Connection, *, silent: bool = False) -> Seen:
    """Register documents, take them to their ends as the API's role would, and roll everything back.

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
    """One document that is completed, and one with the same name and place that fails."""
    with _as_service_role(connection):
        done, failed = _registered(connection), _registered(connection)
        yield from _differs(connection, done, "pending")
        for stage in BUILT_IN:
            token = yield from _claimed(connection, done, stage)
            output: dict[str, object] = {"replaces": [], **(_TEXT if stage is BUILT_IN[0] else {})}
            _end(connection, "finish", done, stage, token, output)
        yield from _differs(connection, done, COMPLETED)
        token = yield from _claimed(connection, failed, BUILT_IN[0])
        _end(connection, "fail", failed, BUILT_IN[0], token, _ERROR)
        yield from _differs(connection, failed, BUILT_IN[0].words.error)
        connection.execute("set constraints all immediate")  # what waits for the commit runs now


def _end(
    connection: psycopg.Connection,
    how: str,
    uid: str,
    stage: StageSpec,
    token: int,
    told: Mapping[str, object],
) -> None:
    query = f"select public.docpipe_{how}(%s, 1, %s, %s, %s)"
    one(connection, query, uid, stage.name, token, json.dumps(told))


def _registered(connection: psycopg.Connection) -> str:
    uid = str(uuid.uuid4())
    document = NewDocument(
        document_uuid=uid,
        project_id=None,
        name="docpipe-probe.txt",
        uri="file:///docpipe-probe",
        digest=uid,
        size=1,
        metadata={},
        stages=[stage.planned for stage in BUILT_IN],
    )
    one(connection, "select public.docpipe_register(%s)", json.dumps(document_row(document)))
    return uid


def _claimed(connection: psycopg.Connection, uid: str, stage: StageSpec) -> Generator[str, None, int]:
    one(connection, "select public.docpipe_queue(%s, 1, %s, 'probe')", uid, stage.name)
    yield from _differs(connection, uid, stage.words.queued)
    claim = "select public.docpipe_claim(%s, 1, %s, 'probe', 'probe', 'probe', 60, 5)"
    token: int = one(connection, claim, uid, stage.name)["token"]
    yield from _differs(connection, uid, stage.words.processing)
    return token


def _differs(connection: psycopg.Connection, uid: str, expected: str) -> Iterator[str]:
    query = (
        "select celery_status, initial_processing_status from public.source_documents"
        " where document_uuid = %s"
    )
    row = connection.execute(query, (uid,)).fetchone()
    found = [str(each) for each in row or ("no row",)]
    if found != [celery_status(expected), expected]:
        yield f"{expected} became {', '.join(found)}"
