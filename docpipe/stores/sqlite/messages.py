"""A stage's message in SQLite: about to be published, not published, or not yet, because others are first."""

from __future__ import annotations

import sqlite3

from docpipe.models import Ref
from docpipe.models.status import PENDING
from docpipe.stores import ledger_rules as rules
from docpipe.stores import share_rules
from docpipe.stores.ledger_terms import Move
from docpipe.stores.share_port import Limit
from docpipe.stores.share_rows import limit_of
from docpipe.stores.sqlite import ledger


def queue(db: sqlite3.Connection, ref: Ref, stage: str, task_id: str) -> bool:
    seen = ledger.see(db, ref, stage)
    if rules.publish(seen.run, seen.row) is not Move.APPLY or must_wait(db, ref, seen):
        return False
    ledger.update_stage(db, ref, stage, queued_at=ledger.now(), task_id=task_id)
    ledger.set_task(db, ref, task_id)
    ledger.set_status(db, ref, seen.raw["words"]["queued"])
    return True


def must_wait(db: sqlite3.Connection, ref: Ref, seen: ledger.Seen) -> bool:
    """Whether the run has to wait for its share; then it is held."""
    in_ranges = seen.row is not None and seen.row.in_ranges
    let_in = (ledger.run_row(db, ref) or {}).get("admitted_at") is not None
    if not share_rules.must_wait(limits(db), let_in=let_in, in_ranges=in_ranges):
        return False
    db.execute(
        "update docpipe_runs set held_at = coalesce(held_at, ?), share = (select coalesce(d.project_id, '')"
        " from source_documents d where d.document_uuid = docpipe_runs.document_uuid)"
        " where document_uuid = ? and run = ?",
        (ledger.now(), ref.document_uuid, ref.run),
    )
    return True


def limits(db: sqlite3.Connection) -> list[Limit]:
    found = db.execute("select * from docpipe_limits order by kind, name")
    return [limit_of(row) for row in found]


def unsent(db: sqlite3.Connection, ref: Ref, seen: ledger.Seen, message: str) -> bool:
    """Take `queue` back. A later stage never steps back: it is due at once, as old as its run."""
    if seen.raw["position"] > 0:
        run = ledger.run_row(db, ref)
        ledger.update_stage(db, ref, seen.raw["stage"], queued_at=run and run["created_at"])
    else:
        ledger.update_stage(db, ref, seen.raw["stage"], queued_at=None)
        ledger.set_status(db, ref, PENDING, error=message)
    return True
