"""Runs resumed in SQLite: the moves `revive`, `resume` and `reprocess`.

Each piece runs inside the transaction of its caller, as those of `sqlite_ledger` do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from docpipe.models import Ref
from docpipe.models.status import PENDING, AttemptEnd
from docpipe.stores import ledger_rules as rules
from docpipe.stores import rows
from docpipe.stores.ledger_terms import Revive
from docpipe.stores.sqlite import attempts, ledger
from docpipe.stores.values import PlannedStage, Resumption, Revival

_UNHELD = dict.fromkeys(("claim_id", "token", "queued_at"))
"""Of a stage that a newer run inherits: the older run's claims have no say in it."""


def revive(
    db: sqlite3.Connection, ref: Ref, grace_seconds: float, max_attempts: int, task_id: str
) -> Revival:
    """Resume the run's first incomplete stage if it is stalled, or end the run."""
    seen = ledger.see(db, ref, None)
    raw, decision = seen.raw, rules.revive(seen.run, seen.row, grace_seconds, max_attempts, ledger.moment())
    if decision is Revive.LEAVE:
        return Revival("none")
    if decision is Revive.END_CANCELLED:
        ledger.end_cancelled(db, ref)
        return Revival("cancelled")
    if decision is Revive.POISON:
        subject = f"Stage {raw['stage']}"
        ledger.fail(db, ref, raw, rules.poison(subject, raw["attempt"], raw["error_message"]))
        return Revival("poison")
    since = raw["waits_since"] or raw["lease_expires_at" if raw["state"] == "running" else "queued_at"]
    run = ledger.run_row(db, ref)
    assert run is not None
    ledger.update_stage(db, ref, raw["stage"], queued_at=ledger.now(), waits_since=since or run["created_at"])
    ledger.set_task(db, ref, task_id)
    if not ledger.is_said(db, ref, raw["words"]["queued"]):
        ledger.set_status(db, ref, raw["words"]["queued"])
    return Revival("resume", raw["stage"], run["priority"])


def newest_run(db: sqlite3.Connection, document_uuid: str) -> tuple[Ref, rows.Row | None]:
    """The run that the document's row names."""
    found = ledger.one(
        db,
        "select r.* from docpipe_runs r join source_documents d"
        " on d.document_uuid = r.document_uuid and d.docpipe_run = r.run where r.document_uuid = ?",
        document_uuid,
    )
    return Ref(document_uuid, found["run"] if found else 0), found


def resume(db: sqlite3.Connection, ref: Ref, priority: int, task_id: str) -> Resumption:
    """Let the run `ref`, which has ended, go on from its first incomplete stage."""
    keys = (ref.document_uuid, ref.run)
    db.execute(
        "update docpipe_runs set state = 'active', cancel_requested = 0, finished_at = null, held_at = null"
        " where document_uuid = ? and run = ?",
        keys,
    )
    db.execute(
        "update stage_runs set state = 'queued', attempt = 0, started_at = null, finished_at = null,"
        " queued_at = null, waits_since = null, error_code = null, error_class = null, error_message = null,"
        " error_traceback = null where document_uuid = ? and run = ? and state <> 'complete'",
        keys,
    )
    row = ledger.first_incomplete(db, ref)
    assert row is not None
    ledger.update_stage(db, ref, row["stage"], queued_at=ledger.now(), task_id=task_id)
    ledger.set_task(db, ref, task_id)
    ledger.set_status(db, ref, row["words"]["queued"])
    return Resumption(ref, row["stage"], priority)


def completed_before(db: sqlite3.Connection, document_uuid: str, stages: Sequence[str]) -> rows.Row | None:
    """The newest run of the document that has completed all of `stages`."""
    found = db.execute(
        "select r.run, s.stage from docpipe_runs r left join stage_runs s"
        " on s.document_uuid = r.document_uuid and s.run = r.run and s.state = 'complete'"
        " where r.document_uuid = ?",
        (document_uuid,),
    ).fetchall()
    completed: dict[int, set[str]] = {row["run"]: set() for row in found}
    for row in found:
        completed[row["run"]].add(row["stage"])
    run = rules.basis(completed, stages)
    return None if run is None else ledger.run_row(db, Ref(document_uuid, run))


def reprocess(
    db: sqlite3.Connection,
    old: rows.Row,
    kept: Sequence[str],
    stages: Sequence[PlannedStage],
) -> Resumption:
    """Begin the document's next run on what `old` has made in the first stages, `kept`."""
    document_uuid = old["document_uuid"]
    newest = db.execute(
        "select docpipe_run from source_documents where document_uuid = ?", (document_uuid,)
    ).fetchone()[0]
    ref = Ref(document_uuid, newest + 1)
    supersede(db, document_uuid)
    copy_run(db, old, ref, kept)
    keys = {"document_uuid": ref.document_uuid, "run": ref.run, "priority": old["priority"]}
    for row in rows.plan_rows(stages)[len(kept) :]:
        ledger.insert(db, "stage_runs", keys | row)
    db.execute(
        "update source_documents set docpipe_run = ? where document_uuid = ?", (ref.run, document_uuid)
    )
    ledger.set_task(db, ref, None)
    ledger.set_status(db, ref, PENDING)
    return Resumption(ref, stages[len(kept)].name, old["priority"])


def supersede(db: sqlite3.Connection, document_uuid: str) -> None:
    """A run that is still active stands back for a newer one."""
    db.execute(
        "update docpipe_runs set state = 'superseded', finished_at = ?"
        " where document_uuid = ? and state = 'active'",
        (ledger.now(), document_uuid),
    )
    attempts.stop(db, document_uuid, AttemptEnd.STOPPED, ledger.now())


def copy_run(db: sqlite3.Connection, old: rows.Row, ref: Ref, kept: Sequence[str]) -> None:
    """Make run `ref` out of `old` with the stages `kept` and their results already complete."""
    head = {key: old[key] for key in ("source_uri", "source_copied", "priority", "trace_parent")}
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
        ledger.insert(db, "stage_runs", row | {"run": ref.run} | _UNHELD)
        for table in row["makes"]:
            _copy_rows(db, f"docpipe_{table}", old["run"], ref)


def _copy_rows(db: sqlite3.Connection, table: str, old_run: int, ref: Ref) -> None:
    for row in db.execute(
        f"select * from {table} where document_uuid = ? and run = ?",  # noqa: S608
        (ref.document_uuid, old_run),
    ).fetchall():
        ledger.insert(db, table, ledger.decoded(row) | {"run": ref.run})
