"""The ledger of ranges in SQLite: the same moves as `sql/*_docpipe_ranges.sql`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from docpipe.models import Failure, PageRange, RangeRun, Ref, StageOutput
from docpipe.stores import rows
from docpipe.stores.port import Claim, Heartbeat, Outcome, PlannedStage, Resumption, Revival
from docpipe.stores.range_port import Handover, ReadRange
from docpipe.stores.sqlite import ledger, recovery

OPEN = ("queued", "running", "retrying")

_HEAD = """
select document_uuid, run, stage, first_page, last_page, state, attempt, worker, claim_id, token,
       lease_expires_at, queued_at, error_code, error_class, error_message, error_traceback
  from docpipe_page_ranges where document_uuid = ? and run = ?
"""
"""Without the output: it is large."""
_WITH_OUTPUT = "select * from docpipe_page_ranges where document_uuid = ? and run = ? order by first_page"
_REPLAYABLE = """
select first_page from docpipe_page_ranges g
 where document_uuid = ? and run = ? and (state = 'failed' or exists (
       select 1 from json_each(g.output) part, json_each(part.value, '$.warnings') warning
        where json_extract(warning.value, '$.code') = 'page_failed'))
"""


@dataclass(frozen=True, slots=True)
class SqliteRanges:
    """`docpipe.stores.range_port.Ranges` in the transactions of a `SqliteStore`."""

    transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def split(
        self, ref: Ref, stage: str, token: int, ranges: Sequence[PageRange], at_once: int
    ) -> Handover | None:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), ledger.stage_row(db, ref, stage)
            if run is None or run["state"] != "active" or row is None or row["token"] != token:
                return None
            if row["state"] != "running" or row["task_id"] is None:
                due = [g["first_page"] for g in _all(db, ref) if g["state"] == "queued" and g["queued_at"]]
                return _handover(db, ref, due)
            for each in ranges:
                _insert(db, ref, stage, each)
            ledger.update_stage(db, ref, stage, attempt=0, task_id=None)
            return _close(db, ref, stage, at_once)

    def claim(
        self,
        ref: Ref,
        first_page: int,
        *,
        claim_id: str,
        task_id: str,
        worker: str,
        lease_seconds: float,
        max_attempts: int,
    ) -> Claim:
        with self.transaction() as db:
            refusal = _refusal(db, ref, first_page, claim_id, max_attempts)
            if refusal:
                return refusal
            row = _one(db, ref, "first_page", first_page)
            assert row is not None
            token = ledger.next_token(db)
            changes = {
                "state": "running",
                "attempt": row["attempt"] + 1,
                "token": token,
                "claim_id": claim_id,
                "task_id": task_id,
                "worker": worker,
                "started_at": ledger.now(),
                "finished_at": None,
                "queued_at": row["queued_at"] or ledger.now(),
                "lease_expires_at": ledger.now(lease_seconds),
            }
            _update(db, ref, first_page, changes)
            _mirror(db, ref, row["stage"])
            _say_processing(db, ref, row["stage"], worker)
            return Claim(Outcome.CLAIMED, token, row["attempt"] + 1, last_page=row["last_page"])

    def heartbeat(self, ref: Ref, token: int, lease_seconds: float) -> Heartbeat:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), _one(db, ref, "token", token)
            if run is None or run["state"] != "active":
                return Heartbeat.CANCELLED if run and run["state"] == "cancelled" else Heartbeat.LOST
            if not ledger.holds(row, token, "running"):
                return Heartbeat.LOST
            assert row is not None
            _update(db, ref, row["first_page"], {"lease_expires_at": ledger.now(lease_seconds)})
            _mirror(db, ref, row["stage"])
            return Heartbeat.CANCELLED if run["cancel_requested"] else Heartbeat.OK

    def finish(self, ref: Ref, token: int, output: StageOutput, at_once: int) -> Handover | None:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), _one(db, ref, "token", token)
            if ledger.holds(row, token, "complete"):
                return _handover(db, ref, [])
            if run is None or run["state"] != "active" or not ledger.holds(row, token, "running"):
                return None
            assert row is not None
            changes = {
                "state": "complete",
                "finished_at": ledger.now(),
                "lease_expires_at": None,
                "output": [rows.run_fields(output) | rows.result_rows(output)],
            }
            _update(db, ref, row["first_page"], changes | ledger.failure_columns(None))
            return _close(db, ref, row["stage"], at_once)

    def retry(self, ref: Ref, token: int, failure: Failure, delay_seconds: float) -> bool:
        with self.transaction() as db:
            row = _one(db, ref, "token", token)
            if not ledger.holds(row, token, "running", "retrying"):
                return False
            assert row is not None
            changes = {
                "state": "retrying",
                "lease_expires_at": None,
                "queued_at": ledger.now(delay_seconds),
            }
            _update(db, ref, row["first_page"], changes | ledger.failure_columns(failure))
            _mirror(db, ref, row["stage"])
            return True

    def fail(self, ref: Ref, token: int, failure: Failure, at_once: int) -> Handover | None:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), _one(db, ref, "token", token)
            if ledger.holds(row, token, "failed"):
                return _handover(db, ref, [])
            if run is None or run["state"] != "active" or not ledger.holds(row, token, "running", "retrying"):
                return None
            assert row is not None
            return _give_up(db, ref, row, failure, at_once)

    def fail_stage(self, ref: Ref, token: int, failure: Failure) -> bool:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), _one(db, ref, "token", token)
            if run is None or row is None:
                return False
            stage = ledger.stage_row(db, ref, row["stage"])
            assert stage is not None
            if run["state"] != "active" or not ledger.holds(row, token, "running", "retrying"):
                return ledger.holds(stage, token, "failed")
            _update(
                db, ref, row["first_page"], {"state": "queued", "lease_expires_at": None, "queued_at": None}
            )
            ledger.update_stage(db, ref, row["stage"], token=token)
            ledger.fail(db, ref, stage, failure)
            return True

    def revive(
        self, ref: Ref, first_page: int, *, grace_seconds: float, max_attempts: int, at_once: int
    ) -> Revival:
        with self.transaction() as db:
            run, row = ledger.run_row(db, ref), _one(db, ref, "first_page", first_page)
            if run is None or run["state"] != "active" or row is None or not _idle(row, grace_seconds):
                return Revival("none")
            if run["cancel_requested"]:
                ledger.end_cancelled(db, ref)
                return Revival("cancelled")
            if row["attempt"] >= max_attempts:
                return Revival("resume", handover=_give_up(db, ref, row, _poison(row), at_once))
            _update(db, ref, first_page, {"queued_at": ledger.now()})
            return Revival("resume", handover=Handover((first_page,), priority=run["priority"]))

    def replay(self, document_uuid: str, stages: Sequence[PlannedStage], at_once: int) -> Resumption | None:
        with self.transaction() as db:
            old = ledger.one(
                db,
                "select r.* from docpipe_runs r join source_documents d"
                " on d.document_uuid = r.document_uuid and d.docpipe_run = r.run"
                " where r.document_uuid = ? and r.state = 'completed'",
                document_uuid,
            )
            again = _replayable(db, Ref(document_uuid, old["run"])) if old else set()
            if old is None or not again:
                return None
            found = _all(db, Ref(document_uuid, old["run"]))
            begun = recovery.reprocess(db, old, found[0]["stage"], [], stages)
            for row in found:
                _move(db, row, begun.ref.run, again=row["first_page"] in again)
            due = _hand_out(db, begun.ref, at_once)
            return Resumption(begun.ref, begun.stage, begun.priority, tuple(due))

    def runs(self, ref: Ref) -> list[RangeRun]:
        with self.transaction() as db:
            return [rows.range_run_of(row) for row in _all(db, ref)]

    def outputs(self, ref: Ref) -> Iterator[ReadRange]:
        with self.transaction() as db:
            found = db.execute(_WITH_OUTPUT, (ref.document_uuid, ref.run)).fetchall()
        return (rows.read_range_of(ledger.decoded(row)) for row in found)


# --- for the moves of stages, inside their transactions ------------------------------------------------


def resume(db: sqlite3.Connection, ref: Ref, stage: str, at_once: int) -> tuple[int, ...]:
    """The ranges that are not complete are due again; the first pages of those to publish now."""
    fresh = dict.fromkeys(("queued_at", "started_at", "finished_at", "lease_expires_at"))
    for row in _all(db, ref):
        if row["stage"] == stage and row["state"] != "complete":
            _update(db, ref, row["first_page"], {"state": "queued", "attempt": 0} | fresh)
    return tuple(_hand_out(db, ref, at_once))


def put_away(db: sqlite3.Connection, ref: Ref, stage: str) -> None:
    """The stage is complete: its ranges have served. They stay where pages failed, to be read again."""
    keep = ref.run if _replayable(db, ref) else ref.run + 1
    db.execute(
        "delete from docpipe_page_ranges where document_uuid = ? and run < ? and stage = ?",
        (ref.document_uuid, keep, stage),
    )


# --- pieces -------------------------------------------------------------------------------------------


def _all(db: sqlite3.Connection, ref: Ref) -> list[rows.Row]:
    found = db.execute(f"{_HEAD} order by first_page", (ref.document_uuid, ref.run))
    return [ledger.decoded(row) for row in found]


def _one(db: sqlite3.Connection, ref: Ref, column: str, value: int) -> rows.Row | None:
    return ledger.one(db, f"{_HEAD} and {column} = ?", ref.document_uuid, ref.run, value)


def _insert(db: sqlite3.Connection, ref: Ref, stage: str, pages: PageRange) -> None:
    keys = {"document_uuid": ref.document_uuid, "run": ref.run, "stage": stage}
    ledger.insert(db, "docpipe_page_ranges", keys | {"first_page": pages.first, "last_page": pages.last})


def _update(db: sqlite3.Connection, ref: Ref, first_page: int, changes: rows.Row) -> None:
    assignments = ", ".join(f"{column} = ?" for column in changes)
    db.execute(
        f"update docpipe_page_ranges set {assignments}"  # noqa: S608
        " where document_uuid = ? and run = ? and first_page = ?",
        (*ledger.encoded(changes), ref.document_uuid, ref.run, first_page),
    )


def _refusal(
    db: sqlite3.Connection, ref: Ref, first_page: int, claim_id: str, max_attempts: int
) -> Claim | None:
    """Why the range may not be claimed, or the claim that was made already under the same id."""
    run, row = ledger.run_row(db, ref), _one(db, ref, "first_page", first_page)
    if run is None or row is None:
        return Claim(Outcome.UNKNOWN)
    if row["state"] in {"complete", "failed"}:
        return Claim(Outcome.COMPLETE)
    if run["state"] == "active" and run["cancel_requested"]:
        ledger.end_cancelled(db, ref)
        return Claim(Outcome.OVER)
    stage = ledger.stage_row(db, ref, row["stage"])
    if run["state"] != "active" or stage is None or stage["state"] not in OPEN:
        return Claim(Outcome.OVER)
    if row["state"] == "running" and row["claim_id"] == claim_id:
        return Claim(Outcome.CLAIMED, row["token"], row["attempt"], last_page=row["last_page"])
    if row["state"] == "running" and row["lease_expires_at"] > ledger.now():
        remaining = datetime.fromisoformat(row["lease_expires_at"]) - datetime.now(UTC)
        return Claim(Outcome.BUSY, lease_seconds=max(0.0, remaining.total_seconds()))
    if row["attempt"] >= max_attempts:
        return Claim(Outcome.POISON, row["token"], row["attempt"], last_page=row["last_page"])
    return None


def _say_processing(db: sqlite3.Connection, ref: Ref, stage: str, worker: str) -> None:
    ledger.update_stage(db, ref, stage, worker=worker)
    row = ledger.stage_row(db, ref, stage)
    assert row is not None
    ledger.set_processing(db, ref, row, once=True)


def _mirror(db: sqlite3.Connection, ref: Ref, stage: str) -> None:
    """The stage's row while its ranges are open."""
    row, found = ledger.stage_row(db, ref, stage), _all(db, ref)
    if row is None or row["state"] not in OPEN:
        return
    states = {each["state"] for each in found}
    state = next((state for state in ("running", "retrying") if state in states), "queued")
    leases = [each["lease_expires_at"] for each in found if each["state"] == "running"]
    ledger.update_stage(db, ref, stage, state=state, lease_expires_at=max(leases, default=None))


def _hand_out(db: sqlite3.Connection, ref: Ref, at_once: int) -> list[int]:
    """Which ranges' messages are due now: so many that at most `at_once` are under way."""
    found = [row for row in _all(db, ref) if row["state"] in OPEN]
    under_way = sum(row["queued_at"] is not None for row in found)
    waiting = [row["first_page"] for row in found if row["state"] == "queued" and row["queued_at"] is None]
    due = waiting[: max(0, at_once - under_way)]
    for first_page in due:
        _update(db, ref, first_page, {"queued_at": ledger.now()})
    return due


def _handover(db: sqlite3.Connection, ref: Ref, first_pages: Sequence[int]) -> Handover:
    run, found = ledger.run_row(db, ref), _all(db, ref)
    assert run is not None
    stage = ledger.stage_row(db, ref, found[0]["stage"]) if found else None
    is_open = any(row["state"] in OPEN for row in found)
    complete = not is_open and stage is not None and stage["state"] == "queued"
    return Handover(tuple(first_pages), complete, run["priority"])


def _close(db: sqlite3.Connection, ref: Ref, stage: str, at_once: int) -> Handover:
    """A range has ended: hand out the next ones, or the stage when it was the last."""
    due = _hand_out(db, ref, at_once)
    _mirror(db, ref, stage)
    ledger.update_stage(db, ref, stage, queued_at=ledger.now())  # the reaper's grace begins anew
    return _handover(db, ref, due)


def _give_up(db: sqlite3.Connection, ref: Ref, row: rows.Row, failure: Failure, at_once: int) -> Handover:
    """Of several pages, each becomes a range of its own, and only the one to blame is lost."""
    first, last = row["first_page"], row["last_page"]
    changes: rows.Row = {"lease_expires_at": None, "finished_at": ledger.now(), "queued_at": None}
    if first < last:
        changes |= {"state": "queued", "last_page": first, "attempt": 0}
    else:
        changes |= {"state": "failed"}
    _update(db, ref, first, changes | ledger.failure_columns(failure))
    for number in range(first + 1, last + 1):
        _insert(db, ref, row["stage"], PageRange(number, number))
    return _close(db, ref, row["stage"], at_once)


def _poison(row: rows.Row) -> Failure:
    first, last, attempts = row["first_page"], row["last_page"], row["attempt"]
    message = f"Pages {first} to {last} were begun {attempts} times and never ended."
    if row["error_message"]:
        message += f" Last error: {row['error_message']}"
    return Failure("poison", "PoisonDocumentError", message)


def _idle(row: rows.Row, grace_seconds: float) -> bool:
    if row["state"] not in OPEN or row["queued_at"] is None or row["queued_at"] >= ledger.now(-grace_seconds):
        return False
    return bool(row["state"] != "running" or row["lease_expires_at"] < ledger.now())


def _replayable(db: sqlite3.Connection, ref: Ref) -> set[int]:
    """First pages of the ranges that hold pages which could not be read."""
    return {row["first_page"] for row in db.execute(_REPLAYABLE, (ref.document_uuid, ref.run))}


def _move(db: sqlite3.Connection, row: rows.Row, run: int, *, again: bool) -> None:
    """Give the range to a newer run, and let it be read again there."""
    fresh = {"state": "queued", "output": None, "attempt": 0, "queued_at": None, "finished_at": None}
    old = Ref(row["document_uuid"], row["run"])
    _update(db, old, row["first_page"], {"run": run} | (fresh if again else {}))
