"""What has lost its message or its worker, in SQLite: `docpipe_lost` of `sql/*_docpipe_recovery.sql`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from docpipe.models import RangeRef, Ref
from docpipe.models.status import PENDING
from docpipe.stores import ledger_rules as rules
from docpipe.stores.ledger_terms import Row
from docpipe.stores.message_rows import stalled_of
from docpipe.stores.sqlite import ledger
from docpipe.stores.values import Look, Stalled

_STAGE = """
select r.priority, r.created_at as run_created_at, s.document_uuid, s.run, s.stage, null as first_page,
       s.state, s.attempt, s.token, s.claim_id, s.task_id, s.lease_expires_at,
       coalesce(s.queued_at, r.created_at) as queued_at,
       exists (select 1 from docpipe_page_ranges g
                where g.document_uuid = s.document_uuid and g.run = s.run and g.stage = s.stage
                  and g.state in ('queued', 'running', 'retrying')) as in_ranges
"""
_RANGE = """
select r.priority, r.created_at as run_created_at, g.document_uuid, g.run, g.stage, g.first_page,
       g.state, g.attempt, g.token, g.claim_id, g.task_id, g.lease_expires_at, g.queued_at, 0 as in_ranges
"""
# `cross join` keeps the order of the tables: what is asked of the first is asked of an index.
_SILENT = f"""
{_STAGE} from stage_runs s cross join docpipe_runs r using (document_uuid, run)
 where r.state = 'active' and r.held_at is null
   and s.state in ('queued', 'running', 'retrying') and s.state = 'running' and s.lease_expires_at <= :now
   and coalesce(s.queued_at, r.created_at) <= s.lease_expires_at
 union all
{_RANGE} from docpipe_page_ranges g cross join docpipe_runs r using (document_uuid, run)
 where r.state = 'active' and r.held_at is null
   and g.state in ('queued', 'running', 'retrying') and g.state = 'running' and g.lease_expires_at <= :now
   and g.queued_at <= g.lease_expires_at
"""
_NEVER_SENT = f"""
{_STAGE} from source_documents d
  cross join docpipe_runs r on r.document_uuid = d.document_uuid and r.run = d.docpipe_run
  cross join stage_runs s on s.document_uuid = r.document_uuid and s.run = r.run
 where d.celery_status = :pending and r.state = 'active' and r.held_at is null and s.queued_at is null
   and s.position = (select min(o.position) from stage_runs o
                      where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete')
"""  # noqa: S608
_SENT = f"""
{_STAGE} from stage_runs s cross join docpipe_runs r using (document_uuid, run)
 where s.queue = :queue and s.priority in (select value from json_each(:priorities))
   and s.queued_at < :before and s.state in ('queued', 'running', 'retrying')
   and (s.state <> 'running' or s.lease_expires_at < s.queued_at) and r.state = 'active' and r.held_at is null
 union all
{_RANGE} from docpipe_page_ranges g
  cross join stage_runs s on s.document_uuid = g.document_uuid and s.run = g.run and s.stage = g.stage
  cross join docpipe_runs r on r.document_uuid = g.document_uuid and r.run = g.run
 where s.queue = :queue and g.queued_at < :before and g.state in ('queued', 'running', 'retrying')
   and (g.state <> 'running' or g.lease_expires_at < g.queued_at) and r.state = 'active' and r.held_at is null
"""  # noqa: S608
_MESSAGE = """
select s.*, d.celery_task_id, a.ended_at from source_documents d
  join stage_runs s on s.document_uuid = d.document_uuid and s.run = d.docpipe_run
  left join docpipe_attempts a on a.token = s.token
 where d.document_uuid = ? and s.run = ? and s.queue = ? and s.queued_at is not null
   and s.state in ('queued', 'retrying')
"""


def lost(db: sqlite3.Connection, looks: Sequence[Look], grace_seconds: float) -> list[Stalled]:
    """In the order in which they are to be resumed."""
    now, asked = ledger.moment(), {"now": ledger.now(), "pending": PENDING}
    unseen = [*db.execute(_SILENT, asked), *db.execute(_NEVER_SENT, asked)]
    found = [row for row in unseen if rules.is_lost(_row(row), now, grace_seconds, now)]
    for look in looks:
        found += _missing(db, look, grace_seconds, now)
    found.sort(key=lambda row: (row["state"] != "running", row["priority"], row["run_created_at"]))
    return [stalled_of(row) for row in found]


def _missing(
    db: sqlite3.Connection, look: Look, grace_seconds: float, now: datetime
) -> Iterator[sqlite3.Row]:
    """What should be in the list and is not."""
    oldest = now if look.whole else _oldest(db, look)
    if oldest is None:
        return
    seen = {about for about, _ in look.oldest}
    asked = {"queue": look.queue, "before": oldest.isoformat(), "priorities": json.dumps(look.priorities)}
    for row in db.execute(_SENT, asked):
        ref = Ref(row["document_uuid"], row["run"])
        about = ref if row["first_page"] is None else RangeRef(ref, row["first_page"])
        is_here = row["priority"] in look.priorities and about not in seen
        if is_here and rules.is_lost(_row(row), oldest, grace_seconds, now):
            yield row


def _oldest(db: sqlite3.Connection, look: Look) -> datetime | None:
    """When the oldest message of which that is known was sent."""
    for about, task_id in look.oldest:
        if isinstance(about, Ref):
            for row in db.execute(_MESSAGE, (about.document_uuid, about.run, look.queue)):
                in_ranges = rules.in_ranges(map(ledger.row_of, ledger.range_rows(db, about, row["stage"])))
                seen = ledger.row_of(dict(row), in_ranges=in_ranges)
                ended_at = row["ended_at"] and datetime.fromisoformat(row["ended_at"])
                sent = rules.sent_at(seen, ended_at, newest=_is_newest(row, task_id))
                if sent is not None:
                    return sent
    return None


def _is_newest(row: Any, task_id: str) -> bool:
    """A chain's first message has the document's task id; the others have the chain's, and their stage."""
    named = row["celery_task_id"] or ""
    return task_id in {named, f"{named.partition('.')[0]}.{row['stage']}"}


def _row(row: sqlite3.Row) -> Row:
    return ledger.row_of(dict(row), in_ranges=bool(row["in_ranges"]))
