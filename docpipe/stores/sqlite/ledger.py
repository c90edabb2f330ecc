"""The pieces of the ledger's moves in SQLite; each runs inside the transaction of its caller.

What may happen is decided by `ledger_rules`; here is what is read for that, and what is written then. One
piece, one thing that the SQL functions in `sql/` do too: `set_status` is `docpipe_set_status`, and so on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from docpipe.models import Failure, Ref
from docpipe.models.status import CANCELLED, AttemptEnd, RunState, StageState, celery_status
from docpipe.stores import ledger_rules as rules
from docpipe.stores import rows
from docpipe.stores.ledger_terms import Answer, Beat, Claimant, Row, Run
from docpipe.stores.pause_port import Pause, Paused
from docpipe.stores.sqlite import attempts, page_index, webhook_events
from docpipe.stores.values import Claim, Heartbeat, Outcome, PlannedStage

JSON_COLUMNS = {
    "lines",
    "makes",
    "box",
    "boxes",
    "mentions",
    "merges",
    "words",
    "output",
    "metadata",
    "warnings",
    "document_metadata",
    "docpipe_reading",
}


_REFUSED = {
    Answer.COMPLETE: Outcome.COMPLETE,
    Answer.END_CANCELLED: Outcome.OVER,
    Answer.OVER: Outcome.OVER,
    Answer.NOT_READY: Outcome.NOT_READY,
    Answer.PAUSED: Outcome.PAUSED,
    Answer.UNKNOWN: Outcome.UNKNOWN,
}
BEATS = {
    Beat.EXTEND: Heartbeat.OK,
    Beat.EXTEND_AND_STOP: Heartbeat.CANCELLED,
    Beat.STOP: Heartbeat.CANCELLED,
    Beat.LOST: Heartbeat.LOST,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A run and one of its rows as a move finds them: as the rules look at them, and as the table has it."""

    run: Run | None
    row: Row | None
    raw: rows.Row


def moment() -> datetime:
    return datetime.now(UTC)


def now(plus_seconds: float = 0.0) -> str:
    return (moment() + timedelta(seconds=plus_seconds)).isoformat()


def decoded(row: sqlite3.Row) -> rows.Row:
    return {
        key: json.loads(value) if key in JSON_COLUMNS and value is not None else value
        for key, value in dict(row).items()
    }


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    columns = ", ".join(f'"{column}"' for column in row)
    marks = ", ".join("?" * len(row))
    db.execute(f"insert into {table} ({columns}) values ({marks})", encoded(row))  # noqa: S608


def encoded(row: Mapping[str, Any]) -> list[Any]:
    return [
        json.dumps(value) if column in JSON_COLUMNS and value is not None else value
        for column, value in row.items()
    ]


def set_status(
    db: sqlite3.Connection, ref: Ref, status: str, graph_status: str | None = None, error: str | None = None
) -> None:
    """The only place that writes a document's status: both tables and the history together."""
    changed = db.execute(
        "update source_documents set celery_status = ?, initial_processing_status = ?, error_message = ?,"
        " updated_at = ? where document_uuid = ? and docpipe_run = ?",
        (celery_status(status), status, error, now(), ref.document_uuid, ref.run),
    )
    if changed.rowcount == 0:
        return
    if graph_status is not None:
        db.execute(
            'insert into neo4j_documents ("documentId", "sourceDocumentUuid", "processingStatus", name)'
            " select document_uuid, document_uuid, ?, original_file_name from source_documents"
            " where document_uuid = ?"
            ' on conflict ("sourceDocumentUuid") do update set'
            ' "processingStatus" = excluded."processingStatus"',
            (graph_status, ref.document_uuid),
        )
    db.execute(
        "insert into docpipe_history (document_uuid, run, status, graph_status, at) values (?, ?, ?, ?, ?)",
        (ref.document_uuid, ref.run, status, graph_status, now()),
    )
    webhook_events.tell(db, ref, status, now())


def set_task(db: sqlite3.Connection, ref: Ref, task_id: str | None) -> None:
    """The Celery task of the stage that runs or waits."""
    db.execute(
        "update source_documents set celery_task_id = ? where document_uuid = ? and docpipe_run = ?",
        (task_id or None, ref.document_uuid, ref.run),
    )


def one(db: sqlite3.Connection, sql: str, *values: Any) -> rows.Row | None:
    row = db.execute(sql, values).fetchone()
    return None if row is None else decoded(row)


def run_row(db: sqlite3.Connection, ref: Ref) -> rows.Row | None:
    return one(
        db, "select * from docpipe_runs where document_uuid = ? and run = ?", ref.document_uuid, ref.run
    )


def stage_row(db: sqlite3.Connection, ref: Ref, stage: str) -> rows.Row | None:
    return one(
        db,
        "select * from stage_runs where document_uuid = ? and run = ? and stage = ?",
        ref.document_uuid,
        ref.run,
        stage,
    )


def first_incomplete(db: sqlite3.Connection, ref: Ref) -> rows.Row | None:
    return one(
        db,
        "select * from stage_runs where document_uuid = ? and run = ? and state <> 'complete'"
        " order by position limit 1",
        ref.document_uuid,
        ref.run,
    )


def update_stage(db: sqlite3.Connection, ref: Ref, stage: str, **columns: Any) -> None:
    assignments = ", ".join(f"{column} = ?" for column in columns)
    db.execute(
        f"update stage_runs set {assignments} where document_uuid = ? and run = ? and stage = ?",  # noqa: S608
        (*encoded(columns), ref.document_uuid, ref.run, stage),
    )


def next_token(db: sqlite3.Connection) -> int:
    token: int = db.execute("update docpipe_token set last = last + 1 returning last").fetchone()[0]
    return token


def set_processing(
    db: sqlite3.Connection, ref: Ref, stage: rows.Row, claimant: Claimant, *, once: bool
) -> None:
    """`*_processing` for an attempt of the stage; with `once` only where that is not the status already."""
    set_task(db, ref, claimant.task_id)
    word = stage["words"]["processing"]
    if not once or not is_said(db, ref, word):
        set_status(db, ref, word, stage["words"]["graph_started"])


def is_said(db: sqlite3.Connection, ref: Ref, word: str) -> bool:
    """Whether the word is the document's status already."""
    known = "select celery_status from source_documents where document_uuid = ? and docpipe_run = ?"
    found = db.execute(known, (ref.document_uuid, ref.run)).fetchone()
    return found is not None and found[0] == word


def see(db: sqlite3.Connection, ref: Ref, stage: str | None) -> Seen:
    """The stage; with None the first that is not complete."""
    run = run_row(db, ref)
    raw = stage_row(db, ref, stage) if stage else first_incomplete(db, ref)
    if run is None or raw is None:
        return Seen(run_of(run), None, {})
    sent = {"queued_at": raw["queued_at"] or run["created_at"]}
    in_ranges = rules.in_ranges(map(row_of, range_rows(db, ref, raw["stage"])))
    return Seen(run_of(run), row_of(raw | sent, in_ranges=in_ranges), raw)


def run_of(raw: rows.Row | None) -> Run | None:
    if raw is None:
        return None
    return Run(RunState(raw["state"]), bool(raw["cancel_requested"]), raw["held_at"] is not None)


def row_of(raw: rows.Row, *, in_ranges: bool = False) -> Row:
    return Row(
        StageState(raw["state"]),
        raw["attempt"],
        raw["token"],
        raw["claim_id"],
        raw["task_id"],
        _time(raw["lease_expires_at"]),
        _time(raw["queued_at"]),
        in_ranges,
    )


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def answered(
    db: sqlite3.Connection, ref: Ref, seen: Seen, answer: Answer, *, joins: bool = False
) -> Claim | None:
    """What a claim is answered that changes no more than this; None: the row is to be taken."""
    raw, last_page = seen.raw, seen.raw.get("last_page")
    if answer is Answer.TAKE:
        return None
    if answer is Answer.SAME:
        return Claim(Outcome.CLAIMED, raw["token"], raw["attempt"], last_page=last_page, joins=joins)
    if answer is Answer.POISON:
        return Claim(Outcome.POISON, raw["token"], raw["attempt"], last_page=last_page)
    if answer is Answer.BUSY:
        remaining = datetime.fromisoformat(raw["lease_expires_at"]) - moment()
        return Claim(Outcome.BUSY, lease_seconds=max(0.0, remaining.total_seconds()))
    if answer is Answer.END_CANCELLED:
        end_cancelled(db, ref)
    if answer is Answer.PAUSED:
        hold(db, ref, now())
    return Claim(_REFUSED[answer])


def is_paused(db: sqlite3.Connection, ref: Ref, stage: str | None) -> bool:
    """Whether no attempt is to begin at this stage of the document."""
    found = db.execute("select kind, name from docpipe_pauses").fetchall()
    document = (
        found
        and db.execute(
            "select project_id from source_documents where document_uuid = ?", (ref.document_uuid,)
        ).fetchone()
    )
    if not document or stage is None:
        return False
    pauses = [Pause(Paused(row["kind"]), row["name"]) for row in found]
    return rules.is_paused(pauses, stage, document["project_id"])


def hold(db: sqlite3.Connection, ref: Ref, at: str | None) -> None:
    """Hold the run: its message was let go. None: it is held no longer."""
    held = "coalesce(held_at, ?)" if at else "?"
    db.execute(
        f"update docpipe_runs set held_at = {held} where document_uuid = ? and run = ?",  # noqa: S608
        (at, ref.document_uuid, ref.run),
    )


def taken(db: sqlite3.Connection, claimant: Claimant, raw: rows.Row) -> rows.Row:
    """The columns that a claim changes in a stage and in a range; the attempt has begun."""
    at = now()
    attempts.lose(db, raw, at)
    changes = {
        "state": "running",
        "attempt": raw["attempt"] + 1,
        "token": next_token(db),
        "claim_id": claimant.claim_id,
        "task_id": claimant.task_id,
        "worker": claimant.worker,
        "lease_expires_at": now(claimant.lease_seconds),
    }
    attempts.begin(db, raw | changes, at)
    return changes


def retrying(db: sqlite3.Connection, token: int, failure: Failure, delay_seconds: float) -> rows.Row:
    """The columns that a retry changes in a stage and in a range; the attempt has ended."""
    attempts.end(db, token, rules.ended(failure.code, again=True), now(), failure)
    waits = {"state": "retrying", "lease_expires_at": None, "queued_at": now(delay_seconds)}
    return waits | failure_columns(failure)


def range_rows(db: sqlite3.Connection, ref: Ref, stage: str) -> list[rows.Row]:
    """The ranges in which the stage's pages are read, if they are."""
    found = db.execute(
        "select state, attempt, token, claim_id, task_id, lease_expires_at, queued_at"
        " from docpipe_page_ranges where document_uuid = ? and run = ? and stage = ?",
        (ref.document_uuid, ref.run, stage),
    )
    return [decoded(row) for row in found]


class Prepared(NamedTuple):
    """Rows of one table as SQLite takes them: their JSON is made before the file is locked to write them."""

    columns: tuple[str, ...]
    values: list[list[Any]]


def prepared(found: Sequence[rows.Row]) -> Prepared:
    """Rows that all name the same columns."""
    return Prepared(tuple(found[0]) if found else (), [encoded(row) for row in found])


def replace(db: sqlite3.Connection, table: str, ref: Ref, found: Prepared) -> None:
    db.execute(
        f"delete from {table} where document_uuid = ? and run = ?",  # noqa: S608
        (ref.document_uuid, ref.run),
    )
    columns = ", ".join(f'"{column}"' for column in ("document_uuid", "run", *found.columns))
    marks = ", ".join("?" * (2 + len(found.columns)))
    db.executemany(
        f"insert into {table} ({columns}) values ({marks})",  # noqa: S608
        ((ref.document_uuid, ref.run, *row) for row in found.values),
    )


def update_run(db: sqlite3.Connection, ref: Ref, fields: rows.Row) -> None:
    keys = (ref.document_uuid, ref.run)
    columns: rows.Row = {key: fields[key] for key in ("text", "file_type", "metadata") if key in fields}
    if columns:
        assignments = ", ".join(f"{column} = ?" for column in columns)
        db.execute(
            f"update docpipe_runs set {assignments} where document_uuid = ? and run = ?",  # noqa: S608
            (*encoded(columns), *keys),
        )
    if "text" in fields:
        db.execute(
            "update source_documents set raw_extracted_text = ?, ocr_completed_at = ?,"
            " detected_file_type = coalesce(?, detected_file_type)"
            " where document_uuid = ? and docpipe_run = ?",
            (fields["text"], now(), fields.get("file_type"), *keys),
        )


def insert_plan(db: sqlite3.Connection, ref: Ref, stages: Sequence[PlannedStage]) -> None:
    run = run_row(db, ref)
    assert run is not None
    keys = {"document_uuid": ref.document_uuid, "run": ref.run, "priority": run["priority"]}
    for stage in rows.plan_rows(stages):
        insert(db, "stage_runs", keys | stage)


def move_on(db: sqlite3.Connection, ref: Ref) -> None:
    """The next stage's message follows at once; after the last one the run is over."""
    following = first_incomplete(db, ref)
    if following:
        update_stage(db, ref, following["stage"], queued_at=now())
        return
    warned = db.execute(
        "select 1 from stage_runs where document_uuid = ? and run = ? and warnings <> '[]'",
        (ref.document_uuid, ref.run),
    ).fetchone()
    final = rules.final_status(warned=warned is not None)
    end_run(db, ref, "completed")
    keys = (ref.document_uuid, ref.run)
    db.execute("update docpipe_runs set unlinked = 1 where document_uuid = ? and run = ?", keys)
    db.execute(
        "update source_documents set docpipe_result_run = ?, docpipe_page_count = (select count(*)"
        " from docpipe_pages where document_uuid = ? and run = ?)"
        " where document_uuid = ? and docpipe_run = ?",
        (ref.run, *keys, *keys),
    )
    page_index.index_all(db, ref)
    set_status(db, ref, final, final)


def end_run(db: sqlite3.Connection, ref: Ref, state: str) -> None:
    db.execute(
        "update docpipe_runs set state = ?, finished_at = ? where document_uuid = ? and run = ?",
        (state, now(), ref.document_uuid, ref.run),
    )


def end_cancelled(db: sqlite3.Connection, ref: Ref) -> None:
    for table in ("docpipe_page_ranges", "stage_runs"):
        db.execute(
            f"update {table} set state = 'cancelled', finished_at = ?, lease_expires_at = null"  # noqa: S608
            " where document_uuid = ? and run = ? and state in ('queued', 'running', 'retrying')",
            (now(), ref.document_uuid, ref.run),
        )
    end_run(db, ref, "cancelled")
    attempts.stop(db, ref.document_uuid, AttemptEnd.CANCELLED, now())
    set_status(db, ref, CANCELLED, CANCELLED)


def failure_columns(failure: Failure | None) -> rows.Row:
    return {
        "error_code": failure and failure.code,
        "error_class": failure and failure.error_class,
        "error_message": failure and failure.message,
        "error_traceback": failure and failure.traceback,
    }


def fail(db: sqlite3.Connection, ref: Ref, row: rows.Row, failure: Failure) -> None:
    """The stage `row` failed for good, and the run with it."""
    columns = failure_columns(failure)
    update_stage(db, ref, row["stage"], state="failed", finished_at=now(), lease_expires_at=None, **columns)
    end_run(db, ref, "failed")
    attempts.fail(db, row, failure, now())
    attempts.stop(db, ref.document_uuid, AttemptEnd.STOPPED, now())
    set_status(db, ref, row["words"]["error"], row["words"]["error"], failure.message)
