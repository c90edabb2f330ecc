"""Runs taken up again in SQLite: what stands still, and the moves `revive`, `resume` and `reprocess`.

Each piece runs inside the transaction of its caller, as those of `sqlite_ledger` do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from docpipe.models import Failure, Ref
from docpipe.models.status import PENDING
from docpipe.stores import rows
from docpipe.stores.port import PlannedStage, Resumption, Revival
from docpipe.stores.sqlite import ledger

STALLED = """
select r.priority, r.cancel_requested, r.created_at as run_created_at, s.*
  from docpipe_runs r join stage_runs s using (document_uuid, run)
 where r.state = 'active' and s.state <> 'complete'
   and s.position = (select min(o.position) from stage_runs o
                      where o.document_uuid = r.document_uuid and o.run = r.run and o.state <> 'complete')
   and coalesce(s.queued_at, r.created_at) < :before and (s.state <> 'running' or s.lease_expires_at < :now)
   and not exists (select 1 from docpipe_page_ranges g
                    where g.document_uuid = s.document_uuid and g.run = s.run and g.stage = s.stage
                      and g.state in ('queued', 'running', 'retrying'))
"""
STALLED_RANGES = """
select r.document_uuid, r.run, r.priority, r.created_at as run_created_at, g.stage, g.state, g.first_page
  from docpipe_page_ranges g join docpipe_runs r using (document_uuid, run)
 where r.state = 'active' and g.state in ('queued', 'running', 'retrying')
   and g.queued_at < :before and (g.state <> 'running' or g.lease_expires_at < :now)
"""
STALLED_ALL = (
    "select * from ("  # noqa: S608
    f"select document_uuid, run, priority, run_created_at, stage, state, null as first_page from ({STALLED})"
    f" union all select * from ({STALLED_RANGES}))"
    " order by state = 'queued', priority, run_created_at, first_page limit :limit"
)


def stalled_stage(db: sqlite3.Connection, ref: Ref, grace_seconds: float) -> rows.Row | None:
    values = {
        "before": ledger.now(-grace_seconds),
        "now": ledger.now(),
        "document": ref.document_uuid,
        "run": ref.run,
    }
    found = db.execute(f"{STALLED} and r.document_uuid = :document and r.run = :run", values).fetchone()
    return None if found is None else ledger.decoded(found)


def revive(db: sqlite3.Connection, ref: Ref, row: rows.Row, max_attempts: int, task_id: str) -> Revival:
    """Take the stalled stage `row` up again, or end its run."""
    if row["cancel_requested"]:
        ledger.end_cancelled(db, ref)
        return Revival("cancelled")
    if row["attempt"] >= max_attempts:
        _quarantine(db, ref, row)
        return Revival("poison")
    # Only the message is renewed. A holder that was cut off from here, and is not dead, may still finish:
    # it loses the stage to the next claim, not to a suspicion.
    ledger.update_stage(db, ref, row["stage"], queued_at=ledger.now())
    if row["position"] == 0 and row["state"] == "queued" and row["queued_at"] is None:
        _set_task(db, ref, task_id)
        ledger.set_status(db, ref, row["words"]["queued"])
    return Revival("resume", row["stage"], row["priority"])


def _quarantine(db: sqlite3.Connection, ref: Ref, row: rows.Row) -> None:
    message = f"Stage {row['stage']} was started {row['attempt']} times and never ended."
    if row["error_message"]:
        message += f" Last error: {row['error_message']}"
    ledger.fail(db, ref, row, Failure("poison", "PoisonDocumentError", message))


def _set_task(db: sqlite3.Connection, ref: Ref, task_id: str | None) -> None:
    db.execute(
        "update source_documents set celery_task_id = ? where document_uuid = ? and docpipe_run = ?",
        (task_id, ref.document_uuid, ref.run),
    )


def resume(db: sqlite3.Connection, ref: Ref, priority: int, task_id: str) -> Resumption:
    """Let the run `ref`, which has ended, go on from its first incomplete stage."""
    keys = (ref.document_uuid, ref.run)
    db.execute(
        "update docpipe_runs set state = 'active', cancel_requested = 0, finished_at = null"
        " where document_uuid = ? and run = ?",
        keys,
    )
    db.execute(
        "update stage_runs set state = 'queued', attempt = 0, started_at = null, finished_at = null,"
        " queued_at = null, error_code = null, error_class = null, error_message = null,"
        " error_traceback = null where document_uuid = ? and run = ? and state <> 'complete'",
        keys,
    )
    row = ledger.first_incomplete(db, ref)
    assert row is not None
    ledger.update_stage(db, ref, row["stage"], queued_at=ledger.now(), task_id=task_id)
    _set_task(db, ref, task_id)
    ledger.set_status(db, ref, row["words"]["queued"])
    return Resumption(ref, row["stage"], priority)


def completed_before(db: sqlite3.Connection, document_uuid: str, stages: Sequence[str]) -> rows.Row | None:
    """The newest run of the document that has completed all of `stages`."""
    marks = ", ".join("?" * len(stages))
    return ledger.one(
        db,
        f"select r.* from docpipe_runs r where r.document_uuid = ? and ? = (select count(*) from stage_runs s"  # noqa: S608
        f" where s.document_uuid = r.document_uuid and s.run = r.run and s.state = 'complete'"
        f" and s.stage in ({marks})) order by r.run desc limit 1",
        document_uuid,
        len(stages),
        *stages,
    )


def reprocess(
    db: sqlite3.Connection,
    old: rows.Row,
    from_stage: str,
    kept: Sequence[str],
    stages: Sequence[PlannedStage],
) -> Resumption:
    """Begin the document's next run on what `old` has made in the stages `kept`."""
    document_uuid = old["document_uuid"]
    newest = db.execute(
        "select docpipe_run from source_documents where document_uuid = ?", (document_uuid,)
    ).fetchone()[0]
    ref = Ref(document_uuid, newest + 1)
    supersede(db, document_uuid)
    copy_run(db, old, ref, kept)
    keys = {"document_uuid": ref.document_uuid, "run": ref.run}
    for row in rows.plan_rows(stages)[len(kept) :]:
        ledger.insert(db, "stage_runs", keys | row)
    db.execute(
        "update source_documents set docpipe_run = ? where document_uuid = ?", (ref.run, document_uuid)
    )
    _set_task(db, ref, None)
    ledger.set_status(db, ref, PENDING)
    return Resumption(ref, from_stage, old["priority"])


def supersede(db: sqlite3.Connection, document_uuid: str) -> None:
    """A run that is still active stands back for a newer one."""
    db.execute(
        "update docpipe_runs set state = 'superseded', finished_at = ?"
        " where document_uuid = ? and state = 'active'",
        (ledger.now(), document_uuid),
    )


def copy_run(db: sqlite3.Connection, old: rows.Row, ref: Ref, kept: Sequence[str]) -> None:
    """Make run `ref` out of `old` with the stages `kept` and their results already complete."""
    head = {key: old[key] for key in ("source_uri", "priority")}
    if kept:
        head |= {key: old[key] for key in ("file_type", "text", "metadata")}
    ledger.insert(
        db,
        "docpipe_runs",
        {"document_uuid": ref.document_uuid, "run": ref.run, "created_at": ledger.now()} | head,
    )
    for stage in kept:
        row = ledger.stage_row(db, Ref(ref.document_uuid, old["run"]), stage)
        assert row is not None
        ledger.insert(db, "stage_runs", row | {"run": ref.run})
        for table in row["makes"]:
            _copy_rows(db, f"docpipe_{table}", old["run"], ref)


def _copy_rows(db: sqlite3.Connection, table: str, old_run: int, ref: Ref) -> None:
    for row in db.execute(
        f"select * from {table} where document_uuid = ? and run = ?",  # noqa: S608
        (ref.document_uuid, old_run),
    ).fetchall():
        ledger.insert(db, table, ledger.decoded(row) | {"run": ref.run})
