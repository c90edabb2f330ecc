"""The ledger of ranges in SQLite: the same moves as `sql/*_docpipe_ranges.sql`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from docpipe.models import Failure, PageRange, RangeRun, Ref, StageOutput
from docpipe.models.status import AttemptEnd, StageState
from docpipe.stores import ledger_rules as rules
from docpipe.stores import result_rows, rows
from docpipe.stores.ledger_terms import Answer, Beat, Claimant, Move, Revive, Row
from docpipe.stores.sqlite import attempts, ledger, recovery
from docpipe.stores.values import (
    Claim,
    Handover,
    Heartbeat,
    Outcome,
    PlannedStage,
    ReadRange,
    Resumption,
    Revival,
)

_HEAD = """
select document_uuid, run, stage, first_page, last_page, state, attempt, task_id, worker, claim_id, token,
       lease_expires_at, queued_at, error_code, error_class, error_message, error_traceback
  from docpipe_page_ranges where document_uuid = ? and run = ?
"""
"""Without the output: it is large."""
_WITH_OUTPUT = "select * from docpipe_page_ranges where document_uuid = ? and run = ? order by first_page"
_PAGES_FAILED = """
select first_page, state, exists (
       select 1 from json_each(g.output) part, json_each(part.value, '$.warnings') warning
        where json_extract(warning.value, '$.code') = 'page_failed') as page_failed
  from docpipe_page_ranges g where document_uuid = ? and run = ?
"""


@dataclass(frozen=True, slots=True)
class SqliteRanges:
    """`docpipe.stores.range_port.Ranges` in the transactions of a `SqliteStore`."""

    transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def split(
        self, ref: Ref, stage: str, token: int, ranges: Sequence[PageRange], at_once: int
    ) -> Handover | None:
        with self.transaction() as db:
            seen = ledger.see(db, ref, stage)
            move = rules.split(seen.run, seen.row, token)
            if move is Move.LATE:
                return None
            if move is Move.REPEATED:
                due = [g["first_page"] for g in _all(db, ref) if g["state"] == "queued" and g["queued_at"]]
                return _handover(db, ref, due)
            for each in ranges:
                _insert(db, ref, stage, each)
            ledger.update_stage(db, ref, stage, attempt=0, task_id=None)
            attempts.end(db, token, AttemptEnd.SPLIT, ledger.now())
            return _close(db, ref, stage, at_once)

    def claim(self, ref: Ref, first_page: int, claimant: Claimant) -> Claim:
        with self.transaction() as db:
            seen, stage = _see(db, ref, "first_page", first_page)
            paused = ledger.is_paused(db, ref, seen.raw.get("stage"))
            answer = rules.claim_range(seen.run, stage, seen.row, claimant, ledger.moment(), paused=paused)
            if answer is Answer.PAUSED:
                waits = {"state": "queued", "queued_at": None, "lease_expires_at": None}
                _update(db, ref, first_page, waits)
                _mirror(db, ref, seen.raw["stage"])
            refused = ledger.answered(db, ref, seen, answer)
            if refused:
                return refused
            raw = seen.raw
            changes = ledger.taken(db, claimant, raw)
            times = {"started_at": ledger.now(), "finished_at": None}
            _update(db, ref, first_page, changes | times | {"queued_at": raw["queued_at"] or ledger.now()})
            _mirror(db, ref, raw["stage"])
            _say_processing(db, ref, raw["stage"], claimant)
            return Claim(Outcome.CLAIMED, changes["token"], changes["attempt"], last_page=raw["last_page"])

    def heartbeat(self, ref: Ref, token: int, lease_seconds: float) -> Heartbeat:
        with self.transaction() as db:
            seen, _ = _see(db, ref, "token", token)
            beat = rules.heartbeat(seen.run, seen.row, token)
            if beat in {Beat.EXTEND, Beat.EXTEND_AND_STOP}:
                lease = {"lease_expires_at": ledger.now(lease_seconds)}
                _update(db, ref, seen.raw["first_page"], lease)
                _mirror(db, ref, seen.raw["stage"])
            return ledger.BEATS[beat]

    def finish(self, ref: Ref, token: int, output: StageOutput, at_once: int) -> Handover | None:
        with self.transaction() as db:
            seen, _ = _see(db, ref, "token", token)
            move = rules.finish(seen.run, seen.row, token)
            if move is not Move.APPLY:
                return _handover(db, ref, []) if move is Move.REPEATED else None
            changes = {
                "state": "complete",
                "finished_at": ledger.now(),
                "lease_expires_at": None,
                "output": [rows.run_fields(output) | result_rows.result_rows(output)],
            }
            _update(db, ref, seen.raw["first_page"], changes | ledger.failure_columns(None))
            attempts.end(db, token, AttemptEnd.COMPLETE, ledger.now())
            return _close(db, ref, seen.raw["stage"], at_once)

    def retry(self, ref: Ref, token: int, failure: Failure, delay_seconds: float) -> bool:
        with self.transaction() as db:
            seen, _ = _see(db, ref, "token", token)
            if rules.retry(seen.run, seen.row, token) is not Move.APPLY:
                return False
            _update(db, ref, seen.raw["first_page"], ledger.retrying(db, token, failure, delay_seconds))
            _mirror(db, ref, seen.raw["stage"])
            return True

    def fail(self, ref: Ref, token: int, failure: Failure, at_once: int) -> Handover | None:
        with self.transaction() as db:
            seen, _ = _see(db, ref, "token", token)
            move = rules.fail(seen.run, seen.row, token)
            if move is not Move.APPLY:
                return _handover(db, ref, []) if move is Move.REPEATED else None
            return _give_up(db, ref, seen.raw, failure, at_once)

    def fail_stage(self, ref: Ref, token: int, failure: Failure) -> bool:
        with self.transaction() as db:
            seen, stage = _see(db, ref, "token", token)
            move = rules.fail_stage(seen.run, stage, seen.row, token)
            if move is Move.APPLY:
                waits = {"state": "queued", "lease_expires_at": None, "queued_at": None}
                _update(db, ref, seen.raw["first_page"], waits)
                ledger.update_stage(db, ref, seen.raw["stage"], token=token)
                raw = ledger.stage_row(db, ref, seen.raw["stage"])
                assert raw is not None
                ledger.fail(db, ref, raw, failure)
            return move is not Move.LATE

    def revive(
        self, ref: Ref, first_page: int, *, grace_seconds: float, max_attempts: int, at_once: int
    ) -> Revival:
        with self.transaction() as db:
            seen, _ = _see(db, ref, "first_page", first_page)
            decision = rules.revive(seen.run, seen.row, grace_seconds, max_attempts, ledger.moment())
            if decision is Revive.LEAVE:
                return Revival("none")
            if decision is Revive.END_CANCELLED:
                ledger.end_cancelled(db, ref)
                return Revival("cancelled")
            if decision is Revive.POISON:
                return Revival("resume", handover=_give_up(db, ref, seen.raw, _poison(seen.raw), at_once))
            _update(db, ref, first_page, {"queued_at": ledger.now()})
            db.execute(
                "update stage_runs set waits_since = coalesce(waits_since, lease_expires_at)"
                " where document_uuid = ? and run = ? and stage = ? and lease_expires_at < ?",
                (ref.document_uuid, ref.run, seen.raw["stage"], ledger.now()),
            )
            return Revival("resume", handover=_handover(db, ref, [first_page]))

    def replay(self, document_uuid: str, stages: Sequence[PlannedStage], at_once: int) -> Resumption | None:
        with self.transaction() as db:
            ref, old = recovery.newest_run(db, document_uuid)
            again = _replayable(db, ref)
            if old is None or old["state"] != "completed" or not again:
                return None
            found = _all(db, ref)
            names = [stage.name for stage in stages]
            begun = recovery.reprocess(db, old, names[: names.index(found[0]["stage"])], stages)
            for row in found:
                _move(db, row, begun.ref.run, again=row["first_page"] in again)
            due = hand_out(db, begun.ref, at_once)
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
    return tuple(hand_out(db, ref, at_once))


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


def _see(db: sqlite3.Connection, ref: Ref, column: str, value: int) -> tuple[ledger.Seen, Row | None]:
    """The range whose `column` is `value`, and its stage."""
    raw = _one(db, ref, column, value)
    if raw is None:
        return ledger.Seen(ledger.run_of(ledger.run_row(db, ref)), None, {}), None
    stage = ledger.see(db, ref, raw["stage"])
    return ledger.Seen(stage.run, ledger.row_of(raw), raw), stage.row


def _say_processing(db: sqlite3.Connection, ref: Ref, stage: str, claimant: Claimant) -> None:
    ledger.update_stage(db, ref, stage, worker=claimant.worker, waits_since=None)
    row = ledger.stage_row(db, ref, stage)
    assert row is not None
    ledger.set_processing(db, ref, row, claimant, once=True)


def _mirror(db: sqlite3.Connection, ref: Ref, stage: str) -> None:
    """The stage's row while its ranges are open."""
    row = ledger.see(db, ref, stage).row
    if row is not None and row.open:
        state, lease = rules.mirror([ledger.row_of(each) for each in _all(db, ref)])
        ledger.update_stage(db, ref, stage, state=state, lease_expires_at=lease and lease.isoformat())


def hand_out(db: sqlite3.Connection, ref: Ref, at_once: int) -> list[int]:
    """Say that the messages of the ranges that are due now are sent; these ranges' first pages."""
    found = _all(db, ref)
    places = rules.hand_out([ledger.row_of(each) for each in found], at_once)
    due = [found[place]["first_page"] for place in places]
    for first_page in due:
        _update(db, ref, first_page, {"queued_at": ledger.now()})
    return due


def _handover(db: sqlite3.Connection, ref: Ref, first_pages: Sequence[int]) -> Handover:
    run, found = ledger.run_row(db, ref), _all(db, ref)
    assert run is not None
    stage = ledger.see(db, ref, found[0]["stage"]).row if found else None
    complete = rules.is_read(stage, [ledger.row_of(each) for each in found])
    return Handover(tuple(first_pages), complete, run["priority"])


def _close(db: sqlite3.Connection, ref: Ref, stage: str, at_once: int) -> Handover:
    """A range has ended: hand out the next ones, or the stage when it was the last."""
    due = hand_out(db, ref, at_once)
    _mirror(db, ref, stage)
    ledger.update_stage(db, ref, stage, queued_at=ledger.now())  # the reaper's grace begins anew
    return _handover(db, ref, due)


def _give_up(db: sqlite3.Connection, ref: Ref, row: rows.Row, failure: Failure, at_once: int) -> Handover:
    first, single = row["first_page"], rules.give_up(row["first_page"], row["last_page"])
    attempts.fail(db, row, failure, ledger.now())
    changes: rows.Row = {"lease_expires_at": None, "finished_at": ledger.now(), "queued_at": None}
    if single:
        changes |= {"state": "queued", "last_page": first, "attempt": 0}
    else:
        changes |= {"state": "failed"}
    _update(db, ref, first, changes | ledger.failure_columns(failure))
    for number in single[1:]:
        _insert(db, ref, row["stage"], PageRange(number, number))
    return _close(db, ref, row["stage"], at_once)


def _poison(row: rows.Row) -> Failure:
    subject = f"Pages {row['first_page']} to {row['last_page']}"
    return rules.poison(subject, row["attempt"], row["error_message"])


def _replayable(db: sqlite3.Connection, ref: Ref) -> set[int]:
    """First pages of the ranges that hold pages which could not be read."""
    return {
        row["first_page"]
        for row in db.execute(_PAGES_FAILED, (ref.document_uuid, ref.run))
        if rules.is_replayable(StageState(row["state"]), page_failed=bool(row["page_failed"]))
    }


def _move(db: sqlite3.Connection, row: rows.Row, run: int, *, again: bool) -> None:
    """Give the range to a newer run, and let it be read again there."""
    fresh = {"state": "queued", "output": None, "attempt": 0, "queued_at": None, "finished_at": None}
    old = Ref(row["document_uuid"], row["run"])
    _update(db, old, row["first_page"], {"run": run} | (fresh if again else {}))
