"""Documents registered in SQLite. Each piece runs inside the transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from docpipe.errors import IdempotencyError
from docpipe.models import Ref
from docpipe.models.status import PENDING, document_status
from docpipe.stores.sqlite import ledger, messages, recovery
from docpipe.stores.values import NewDocument, Registered


def register(db: sqlite3.Connection, document: NewDocument) -> Registered:
    """As `docpipe_register`."""
    if document.idempotency_key is None:
        return _register_bytes(db, document)
    keys = {"project_id": document.project_id or "", "key": document.idempotency_key}
    holder = db.execute(
        "select d.* from docpipe_idempotency_keys k join source_documents d using (document_uuid)"
        " where k.project_id = :project_id and k.key = :key",
        keys,
    ).fetchone()
    if holder is None:
        found = _register_bytes(db, document)
        row = keys | {"document_uuid": found.ref.document_uuid, "created_at": ledger.now()}
        ledger.insert(db, "docpipe_idempotency_keys", row)
        return found
    if holder["content_digest"] != document.digest:
        raise IdempotencyError.of(document.idempotency_key, holder["document_uuid"])
    return _known(holder)


def _known(row: Mapping[str, Any]) -> Registered:
    ref = Ref(row["document_uuid"], row["docpipe_run"])
    return Registered(ref, False, _status_of(row), row["celery_task_id"])


def _register_bytes(db: sqlite3.Connection, document: NewDocument) -> Registered:
    known = db.execute(
        "select * from source_documents where coalesce(project_id, '') = ? and content_digest = ?",
        (document.project_id or "", document.digest),
    ).fetchone()
    if known and known["docpipe_depth"] > document.depth:
        db.execute(
            "update source_documents set docpipe_depth = ?, docpipe_family = ? where document_uuid = ?",
            (document.depth, document.family, known["document_uuid"]),
        )
    if known and not document.reprocess:
        return _known(known)
    if known:
        ref = Ref(known["document_uuid"], known["docpipe_run"] + 1)
        recovery.supersede(db, ref.document_uuid)
    else:
        ref = Ref(document.document_uuid, 1)
        _insert(db, document)
    _insert_run(db, ref, document)
    ledger.set_status(db, ref, PENDING)
    return Registered(ref, True, PENDING, None)


def register_and_queue(db: sqlite3.Connection, document: NewDocument, task_id: str) -> Registered:
    """Registered, and queued where its first message is due."""
    found = register(db, document)
    if found.status != PENDING or not messages.queue(db, found.ref, document.stages[0].name, task_id):
        return found
    return replace(found, task_id=task_id, queued=True)


def _status_of(row: Mapping[str, Any]) -> str:
    return document_status(row["celery_status"], row["initial_processing_status"])


def _insert(db: sqlite3.Connection, document: NewDocument) -> None:
    time = ledger.now()
    row = {
        "document_uuid": document.document_uuid,
        "project_id": document.project_id,
        "original_file_path": document.uri,
        "original_file_name": document.name,
        "file_size_bytes": document.size,
        "content_digest": document.digest,
        "document_metadata": dict(document.metadata),
        "docpipe_depth": document.depth,
        "docpipe_family": document.family,
        "celery_status": PENDING,
        "initial_processing_status": PENDING,
        "created_at": time,
        "updated_at": time,
    }
    ledger.insert(db, "source_documents", row)


def _insert_run(db: sqlite3.Connection, ref: Ref, document: NewDocument) -> None:
    keys = {"document_uuid": ref.document_uuid, "run": ref.run}
    where = {"source_uri": document.uri, "source_copied": document.copied}
    run = {**where, "priority": document.priority, "batch": document.batch, "created_at": ledger.now()}
    ledger.insert(db, "docpipe_runs", keys | run | {"trace_parent": document.trace_parent})
    ledger.insert_plan(db, ref, document.stages)
    db.execute(
        "update source_documents set docpipe_run = ?, celery_task_id = null, original_file_path = ?,"
        " document_metadata = ?, docpipe_reading = ? where document_uuid = ?",
        (
            ref.run,
            document.uri,
            json.dumps(dict(document.metadata)),
            json.dumps(document.reading.as_json()),
            ref.document_uuid,
        ),
    )
