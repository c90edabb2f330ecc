"""What webhooks are to be told, in SQLite: `docpipe_tell`, inside the transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
import uuid
from typing import Any

from docpipe.models import Ref
from docpipe.stores import ledger_rules as rules

_DATA = """
select d.document_uuid, r.run, d.original_file_name as name, d.project_id, r.batch, s.stage, s.error_code
  from source_documents d
  join docpipe_runs r on r.document_uuid = d.document_uuid and r.run = ?
  left join stage_runs s on s.document_uuid = d.document_uuid and s.run = r.run and s.state = 'failed'
 where d.document_uuid = ?
"""
_WANTED = """
select id from docpipe_webhooks
 where coalesce(project_id = ?, project_id is null)
   and exists (select 1 from json_each(events) where value = ?)
"""
_AT_WORK = """
select 1 from docpipe_runs r join source_documents d using (document_uuid)
 where r.batch = ? and r.state = 'active' and d.project_id is ?
"""
_COUNTS = """
select document_status(celery_status, initial_processing_status) as status, count(*) as documents
  from source_documents
 where project_id is ? and document_uuid in (select document_uuid from docpipe_runs where batch = ?)
 group by 1
"""
_INSERT = """
insert into docpipe_webhook_events (id, webhook_id, document_uuid, subject, type, data, at, due_at)
values (:id, :webhook_id, :document_uuid, :subject, :type, :data, :at, :at)
"""


def tell(db: sqlite3.Connection, ref: Ref, status: str, at: str) -> None:
    """Write what is to be told of a document's end, and of its batch's where no other is at work."""
    event = rules.event(status)
    if event is None or db.execute("select 1 from docpipe_webhooks limit 1").fetchone() is None:
        return
    data = dict(db.execute(_DATA, (ref.run, ref.document_uuid)).fetchone()) | {"status": status}
    row = {"document_uuid": ref.document_uuid, "subject": ref.document_uuid, "type": event, "at": at}
    _write(db, row, data)
    if data["batch"] is not None:
        _tell_batch(db, data["batch"], data["project_id"], at)


def _tell_batch(db: sqlite3.Connection, batch: str, project_id: str | None, at: str) -> None:
    if db.execute(_AT_WORK, (batch, project_id)).fetchone() is not None:
        return
    counts = {row["status"]: row["documents"] for row in db.execute(_COUNTS, (project_id, batch))}
    row = {"document_uuid": None, "subject": batch, "type": rules.BATCH_COMPLETED, "at": at}
    _write(db, row, {"batch": batch, "project_id": project_id, "documents": counts})


def _write(db: sqlite3.Connection, row: dict[str, Any], data: dict[str, Any]) -> None:
    for webhook in db.execute(_WANTED, (data["project_id"], row["type"])).fetchall():
        own = {"id": f"msg_{uuid.uuid4()}", "webhook_id": webhook["id"], "data": json.dumps(data)}
        db.execute(_INSERT, row | own)
