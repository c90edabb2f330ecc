"""The rules of the ledger, each stated once.

Every public function here is a rule: from rows, the moment and the terms to a decision, without I/O and
without a clock. A stage of a run and a range of its pages are rows of one kind and obey the same rules.
SQLite asks these functions; a SQL function that follows a rule names it in the last line above itself
(`-- Rule: claim.`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from docpipe.models import Failure
from docpipe.models.status import (
    COMPLETED,
    COMPLETED_WITH_WARNINGS,
    AttemptEnd,
    RunState,
    StageState,
    is_error,
    is_final,
)
from docpipe.stores.ledger_terms import HELD, Answer, Beat, Cancel, Claimant, Move, Revive, Row, Run
from docpipe.stores.pause_port import Pause

# --- taking and holding ------------------------------------------------------------------------------


def claim(
    run: Run | None,
    stage: Row | None,
    ready: bool,
    claimant: Claimant,
    now: datetime,
    *,
    paused: bool = False,
) -> Answer:
    """A claim of a stage. `ready`: every stage before it is complete; `paused`: as `is_paused` has it."""
    if run is None or stage is None:
        return Answer.UNKNOWN
    if stage.state is StageState.COMPLETE:
        return Answer.COMPLETE
    if not run.active:
        return Answer.OVER
    if run.cancel_requested:
        return Answer.END_CANCELLED
    if not ready or stage.in_ranges:
        return Answer.NOT_READY
    return _turn(stage, claimant, now, paused)


def claim_range(
    run: Run | None,
    stage: Row | None,
    pages: Row | None,
    claimant: Claimant,
    now: datetime,
    *,
    paused: bool = False,
) -> Answer:
    """A claim of a range; one that was given up has ended like one that was read."""
    if run is None or stage is None or pages is None:
        return Answer.UNKNOWN
    if pages.state in {StageState.COMPLETE, StageState.FAILED}:
        return Answer.COMPLETE
    if not run.active:
        return Answer.OVER
    if run.cancel_requested:
        return Answer.END_CANCELLED
    if not stage.open:
        return Answer.OVER
    return _turn(pages, claimant, now, paused)


def _turn(row: Row, claimant: Claimant, now: datetime, paused: bool) -> Answer:
    if row.state is StageState.RUNNING and row.claim_id == claimant.claim_id:
        return Answer.SAME
    if is_leased(row, now):
        return Answer.BUSY
    if paused:
        return Answer.PAUSED
    return Answer.POISON if row.attempt >= claimant.max_attempts else Answer.TAKE


def is_paused(pauses: Iterable[Pause], stage: str, project_id: str | None) -> bool:
    """Whether no attempt is to begin at this stage of a document."""
    return any(pause.holds(stage, project_id) for pause in pauses)


def is_leased(row: Row, now: datetime) -> bool:
    """Whether somebody is known to work on the row."""
    if row.state is not StageState.RUNNING or row.lease_expires_at is None:
        return False
    return row.lease_expires_at > now


def heartbeat(run: Run | None, row: Row | None, token: int) -> Beat:
    """A sign of life; it extends a lapsed lease too, as long as nobody else has claimed the row."""
    if run is None or row is None:
        return Beat.LOST
    if not run.active:
        return Beat.STOP if run.state is RunState.CANCELLED else Beat.LOST
    if not row.held_by(token, {StageState.RUNNING}):
        return Beat.LOST
    return Beat.EXTEND_AND_STOP if run.cancel_requested else Beat.EXTEND


# --- ending ------------------------------------------------------------------------------------------


def finish(run: Run | None, row: Row | None, token: int) -> Move:
    """The attempt's output is stored."""
    if row is not None and row.state is StageState.COMPLETE and row.token == token:
        return Move.REPEATED
    return _move(run, row, token, {StageState.RUNNING})


def split(run: Run | None, stage: Row | None, token: int) -> Move:
    """Instead of `finish`: the pages are to be read in ranges. The stage is no task's from then on, and its
    attempts are counted anew.
    """
    if run is None or stage is None or not run.active or stage.token != token:
        return Move.LATE
    if stage.task_id is None:
        return Move.REPEATED
    return _move(run, stage, token, {StageState.RUNNING})


def retry(run: Run | None, row: Row | None, token: int) -> Move:
    """The attempt failed, and another follows. Repeated, it is applied again."""
    return _move(run, row, token, HELD)


def fail(run: Run | None, row: Row | None, token: int | None) -> Move:
    """The row failed for good: a stage with its run; what a range costs is `give_up`'s to say."""
    if row is not None and row.state is StageState.FAILED and row.token == token:
        return Move.REPEATED
    return _move(run, row, token, HELD)


def fail_stage(run: Run | None, stage: Row | None, pages: Row | None, token: int) -> Move:
    """What stopped the range stops the document: the stage fails, under the range's token."""
    if stage is not None and stage.state is StageState.FAILED and stage.token == token:
        return Move.REPEATED
    return _move(run, pages, token, HELD)


def fail_task(run: Run | None, stage: Row | None, task_id: str) -> Move:
    """Celery says that the task died: the stage that it holds fails."""
    if stage is None or stage.task_id != task_id:
        return Move.LATE
    return _move(run, stage, stage.token, HELD)


def _move(run: Run | None, row: Row | None, token: int | None, states: Collection[StageState]) -> Move:
    if run is None or row is None or not run.active or not row.held_by(token, states):
        return Move.LATE
    return Move.APPLY


def final_status(*, warned: bool) -> str:
    """What a document is when its last stage is complete."""
    return COMPLETED_WITH_WARNINGS if warned else COMPLETED


# --- messages ----------------------------------------------------------------------------------------


def publish(run: Run | None, stage: Row | None) -> Move:
    """The stage's message is about to be published, or could not be: only a stage that waits takes note."""
    if run is None or stage is None or not run.active or stage.state is not StageState.QUEUED:
        return Move.LATE
    return Move.APPLY


def cancel(run: Run | None, stage: Row | None, now: datetime) -> Cancel:
    """Somebody asks for the end. `stage`: the first that is not complete."""
    if run is None or not run.active:
        return Cancel.NOTHING
    return Cancel.ASK if stage is not None and is_leased(stage, now) else Cancel.END


def is_stalled(row: Row, grace_seconds: float, now: datetime) -> bool:
    """Whether the row's message or worker may be lost: its newest message is older than the grace, and
    its lease, if any, has lapsed.
    """
    if not row.open or row.in_ranges or row.queued_at is None:
        return False
    return row.queued_at < now - timedelta(seconds=grace_seconds) and not is_leased(row, now)


def sent_at(row: Row, ended_at: datetime | None, *, newest: bool) -> datetime | None:
    """When the message was sent that is the oldest of its list; None: it does not say.

    Args:
        ended_at: when the row's last attempt ended: the message of a retry was sent then, and is due later.
        newest: it is the row's newest message, and none that was given up for lost.
    """
    if not newest or row.in_ranges:
        return None
    return {StageState.QUEUED: row.queued_at, StageState.RETRYING: ended_at}.get(row.state)


def is_lost(row: Row, oldest: datetime | None, grace_seconds: float, now: datetime) -> bool:
    """Whether the row's worker is lost, or its message, which was not seen among the oldest of its list.
    `oldest`: when the oldest of them was sent; None: unknown.

    Two who send at a time may do so in another order than they have told the ledger: the grace allows for it.
    """
    if not is_stalled(row, grace_seconds, now) or row.queued_at is None:
        return False
    silent = row.lease_expires_at if row.state is StageState.RUNNING else None
    if silent is not None and row.queued_at <= silent:  # no message was sent since
        return True
    return oldest is not None and row.queued_at < oldest - timedelta(seconds=grace_seconds)


def revive(
    run: Run | None, row: Row | None, grace_seconds: float, max_attempts: int, now: datetime
) -> Revive:
    """The reaper came upon the row."""
    if run is None or row is None or not run.active or run.held:
        return Revive.LEAVE
    if not is_stalled(row, grace_seconds, now):
        return Revive.LEAVE
    if run.cancel_requested:
        return Revive.END_CANCELLED
    return Revive.POISON if row.attempt >= max_attempts else Revive.RESUME


def resumable(run: Run | None) -> bool:
    """Whether a document's newest run may go on from its first incomplete stage, attempts counted anew."""
    return run is not None and run.state in {RunState.FAILED, RunState.CANCELLED}


def basis(completed: Mapping[int, Collection[str]], kept: Collection[str]) -> int | None:
    """Which run a new one is built on that keeps some stages: the newest that has completed all of them.

    `completed`: by run, its complete stages.
    """
    return max((run for run, stages in completed.items() if set(kept) <= set(stages)), default=None)


# --- ranges ------------------------------------------------------------------------------------------


def in_ranges(ranges: Iterable[Row]) -> bool:
    """Whether a range of the stage is open: then no attempt holds the stage."""
    return any(each.open for each in ranges)


def is_replayable(state: StageState, *, page_failed: bool) -> bool:
    """Whether pages are missing from the document that reading the range again may bring."""
    return state is StageState.FAILED or page_failed


def give_up(first_page: int, last_page: int) -> tuple[int, ...]:
    """A range failed for good. Of several pages each becomes a range of its own, with its attempts counted
    anew: their numbers. A single page is lost: nothing.
    """
    return tuple(range(first_page, last_page + 1)) if first_page < last_page else ()


def mirror(ranges: Sequence[Row]) -> tuple[StageState, datetime | None]:
    """State and lease of a stage that is read in ranges, as long as it has not ended."""
    states = {each.state for each in ranges}
    state = next((each for each in (StageState.RUNNING, StageState.RETRYING) if each in states), None)
    leases = [
        each.lease_expires_at
        for each in ranges
        if each.state is StageState.RUNNING and each.lease_expires_at is not None
    ]
    return state or StageState.QUEUED, max(leases, default=None)


def hand_out(ranges: Sequence[Row], at_once: int) -> tuple[int, ...]:
    """Which ranges' messages are due, by their place: so many that at most `at_once` are under way."""
    under_way = sum(each.open and each.queued_at is not None for each in ranges)
    waiting = [
        place
        for place, each in enumerate(ranges)
        if each.state is StageState.QUEUED and each.queued_at is None
    ]
    return tuple(waiting[: max(0, at_once - under_way)])


def is_read(stage: Row | None, ranges: Sequence[Row]) -> bool:
    """Whether all ranges have ended and the stage waits for the attempt that joins them."""
    if stage is None or not ranges or in_ranges(ranges):
        return False
    return stage.state is StageState.QUEUED


# --- attempts ----------------------------------------------------------------------------------------


def fitting(known: Collection[str], found: Sequence[str], most: int) -> int:
    """How many documents, from the first, may be registered of those found inside another one.

    Args:
        known: the digests of what was found before inside the same submitted document, at any depth.
        found: theirs.
        most: how many different ones there may be.
    """
    seen = set(known)
    for count, digest in enumerate(found):
        if digest not in seen and len(seen) >= most:
            return count
        seen.add(digest)
    return len(found)


def ended(code: str, *, again: bool) -> AttemptEnd:
    """How an attempt ended that says so itself, with an error. A poisoned row's last attempt says nothing:
    it is `lost`.
    """
    if code == "cancelled":
        return AttemptEnd.CANCELLED
    if code == "poison":
        return AttemptEnd.LOST
    return AttemptEnd.RETRIED if again else AttemptEnd.FAILED


def lost() -> Failure:
    """What is said of an attempt that never ended, once another has claimed its row or the row is poison."""
    message = "Its worker stopped without a word, or was cut off: the lease lapsed."
    return Failure("worker_lost", "WorkerLostError", message)


# --- telling others ----------------------------------------------------------------------------------

BATCH_COMPLETED = "batch.completed"


def event(status: str) -> str | None:
    """Which event webhooks are told when a document gets this status; None: it is no end."""
    if is_error(status):
        return "document.failed"
    return f"document.{status}" if is_final(status) else None


# --- poison ------------------------------------------------------------------------------------------


def poison(subject: str, attempts: int, last_error: str | None = None) -> Failure:
    """Why a row that was begun too often has failed. `subject`: "Stage ocr", "Pages 1 to 3"."""
    begun = "were begun" if subject.startswith("Pages") else "was started"
    message = f"{subject} {begun} {attempts} times and never ended."
    if last_error:
        message += f" Last error: {last_error}"
    return Failure("poison", "PoisonDocumentError", message)
