"""Runs one stage of one document: claim, load, call the pure stage, save. Knows nothing of Celery.

Workers (`tasks`) and embedded runs (`pipeline.process`) go through here, so both obey the ledger.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from docpipe.errors import (
    BugError,
    CancelledError,
    DocpipeError,
    PermissionDeniedError,
    PoisonDocumentError,
    SchemaError,
    TransientError,
    WorkerLostError,
)
from docpipe.execution.failures import (
    TryAgainError,
    UnclaimedError,
    UnrecordedError,
    failure_of,
    translated,
)
from docpipe.execution.heartbeats import Heartbeats
from docpipe.execution.in_place import Held, InHand
from docpipe.execution.job import Job
from docpipe.execution.keeper import Keeper
from docpipe.execution.ledger_row import (
    End,
    Ending,
    LedgerRow,
    NothingToDoError,
    RangeRow,
    StageRow,
    claimant,
)
from docpipe.execution.logs import bound, get_logger
from docpipe.execution.options import PageRequest
from docpipe.execution.plan import StageSpec
from docpipe.execution.runtime import Runtime
from docpipe.models import Document, EntityName, NewChild, PageRange, RangeRef, Ref, StageOutput
from docpipe.stages.ocr.page_ranges import join
from docpipe.stores.ledger_rules import poison
from docpipe.stores.values import Claim, Handover, Linking, NextClaim, Outcome, SourceRecord, Then

log = get_logger(__name__)

__all__ = [
    "NothingToDoError",
    "Reached",
    "Runtime",
    "run_range",
    "run_stage",
    "run_stages",
]


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a task has brought a run."""

    stages: int
    """So many are complete, of those that it was given."""
    due: Handover | None = None
    """Of a long document, what is to be published now."""
    others_wait: bool = False
    """The run has ended, and documents wait for their share."""


def run_stage(
    runtime: Runtime, spec: StageSpec, ref: Ref, *, task_id: str, may_split: bool = False
) -> Handover | None:
    """One attempt of one stage. Returns None when the stage is complete, by this attempt or an earlier one;
    else, and otherwise, as `run_stages`.
    """
    return run_stages(runtime, (spec,), ref, task_id=task_id, may_split=may_split).due


def run_stages(
    runtime: Runtime, specs: Sequence[StageSpec], ref: Ref, *, task_id: str, may_split: bool = False
) -> Reached:
    """One attempt of the first of the stages, and in place, as long as the document is small and nobody else
    holds it, of those that follow.

    Whether a failed attempt is followed by another is decided by the ledger's count: it is the same for
    all messages of a run, however many there are.

    Args:
        may_split: there are workers to read a long document in ranges. Then what is due is returned.

    Raises:
        NothingToDoError: not this attempt's turn.
        TryAgainError: the attempt failed, and another is due.
        UnclaimedError: the store lets this process begin nothing.
        UnrecordedError: the store is away, and the ledger does not know how the attempt ended.
        DocpipeError: the attempt failed for good, and the ledger has it already.
        SystemExit, KeyboardInterrupt: the process was asked to exit; the ledger says `retrying`.
    """
    held: Held | None = None
    for done, spec in enumerate(specs):
        row = StageRow(runtime.store, runtime.policy, ref, spec.name, spec.needs)
        following = next(iter(specs[done + 1 :]), None)
        with bound(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id):
            ended = _run(_Asked(runtime, spec, row, task_id, may_split, following), held)
            if ended.due is not None:
                return Reached(done, ended.due)
            runtime.completion.completed(spec.name, ref, ended.names, ended.linking)
        if not ended.goes_on:
            return Reached(done + 1, others_wait=ended.others_wait)
        held = ended.held
    return Reached(len(specs))


def run_range(runtime: Runtime, spec: StageSpec, range_ref: RangeRef, *, task_id: str) -> Handover | None:
    """One attempt of one range of a long document's pages. Returns what is due now; None if it had ended.

    Raises as `run_stage`; but a failure for good costs the range's pages, and only what stops the whole
    document is raised.
    """
    ref, first = range_ref.ref, range_ref.first_page
    with bound(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id, first_page=first):
        row = RangeRow(runtime.store, runtime.policy, ref, first)
        return _run(_Asked(runtime, spec, row, task_id)).due


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a task is to do with one row of the ledger."""

    runtime: Runtime
    spec: StageSpec
    row: LedgerRow
    task_id: str
    may_split: bool = False
    following: StageSpec | None = None
    """The stage with which it may go on in place."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """What an attempt left behind. `held`: the next stage, claimed already."""

    due: Handover | None = None
    goes_on: bool = False
    held: Held | None = None
    names: tuple[EntityName, ...] | None = None
    linking: Linking | None = None
    others_wait: bool = False


def _run(asked: _Asked, held: Held | None = None) -> _Ended:
    claim = held.claim if held else _claimed(asked)
    if claim.outcome is Outcome.COMPLETE:
        log.info("stage_already_complete")
        return _Ended(goes_on=asked.following is not None)
    turn = _Turn(asked, claim)
    if claim.outcome is Outcome.POISON:
        return _Ended(_give_up_on_poison(turn))
    if claim.outcome is not Outcome.CLAIMED or claim.token is None:
        log.info("stage_not_claimed", outcome=claim.outcome.value)
        raise NothingToDoError(claim.outcome, claim.lease_seconds)
    with bound(attempt=claim.attempt):
        return _attempt(turn, held.in_hand if held else None)


def _claimed(asked: _Asked) -> Claim:
    try:
        with _telling_the_store(f"Stage {asked.spec.name} was not begun."):
            return asked.row.claim(asked.task_id)
    except (PermissionDeniedError, SchemaError) as error:
        raise UnclaimedError(error) from error


@dataclass(frozen=True, slots=True)
class _Turn:
    """One attempt that holds its claim."""

    asked: _Asked
    claim: Claim

    @property
    def runtime(self) -> Runtime:
        return self.asked.runtime

    @property
    def spec(self) -> StageSpec:
        return self.asked.spec

    @property
    def row(self) -> LedgerRow:
        return self.asked.row

    @property
    def ref(self) -> Ref:
        return self.row.ref

    @property
    def token(self) -> int:
        assert self.claim.token is not None
        return self.claim.token

    @property
    def request(self) -> PageRequest:
        first, last = self.row.first_page, self.claim.last_page
        return PageRequest(None if first is None else PageRange(first, last or first), self.asked.may_split)

    def tell(self, status: str, fields: Mapping[str, Any]) -> None:
        """Keep the live copy of progress up: the end of a range is not the end of its stage."""
        pages = self.request.pages
        if pages is not None:
            status, fields = "processing", {**fields, "first_page": pages.first, "last_page": pages.last}
        self.runtime.progress.update_document_state(self.ref.document_uuid, self.spec.name, status, fields)


@contextmanager
def _telling_the_store(news: str) -> Iterator[None]:
    try:
        yield
    except TransientError as away:
        raise UnrecordedError(f"{news} The store could not record it: {away}") from away


def _attempt(turn: _Turn, in_hand: InHand | None) -> _Ended:
    _say(turn, "processing")
    started = time.monotonic()
    try:
        with Heartbeats(
            turn.runtime.policy.heartbeat_seconds, partial(turn.row.heartbeat, turn.token)
        ) as beats:
            in_hand = in_hand or _read(turn)
            output = _work(turn, in_hand.document, beats)
            made = in_hand.after(output)
            then = _then(turn, made, output)
            end = _finish(turn, output, then)
    except NothingToDoError:
        raise
    except turn.runtime.passes:
        raise
    except CancelledError:
        with _telling_the_store("The document was cancelled."):
            # the lease is given back first: a run without a worker is cancelled at once
            turn.row.retry(turn.token, failure_of(CancelledError(), turn.spec.name), 0.0)
            turn.runtime.store.cancel(turn.ref.document_uuid)
        _say(turn, "cancelled")
        raise NothingToDoError(Outcome.OVER) from None
    except (KeyboardInterrupt, SystemExit):
        _give_back(turn)
        raise
    except DocpipeError as known:
        due = _record(turn, known)
        if due is None:
            raise
        return _Ended(due)
    except Exception as raised:  # of an engine or a library: every way to fail ends in the ledger
        error = translated(raised, turn.runtime.translations)
        error.__cause__ = raised  # before it is recorded: the ledger keeps the traceback
        due = _record(turn, error)
        if due is None:
            raise error from raised
        return _Ended(due)
    if end.end is End.LATE:
        log.warning("stage_lost", seconds=round(time.monotonic() - started, 3))
        raise NothingToDoError(Outcome.OVER)
    _say_what_was_made(turn, output, time.monotonic() - started)
    return _ended(turn, made, end, then)


def _say_what_was_made(turn: _Turn, output: StageOutput, seconds: float) -> None:
    if output.children:
        turn.runtime.children_found(turn.ref)
    if output.ranges is not None:
        log.info("stage_split", ranges=len(output.ranges))
    else:
        _say(turn, "complete", seconds=round(seconds, 3))


def _read(turn: _Turn) -> InHand:
    given, needs = turn.claim.input, turn.spec.needs
    return InHand(given.document if given else turn.runtime.store.load(turn.ref, needs), needs)


def _then(turn: _Turn, made: InHand, output: StageOutput) -> Then | None:
    """What the finish does besides."""
    following, policy = turn.asked.following, turn.runtime.policy
    if following and made.is_small(policy.in_place_characters):
        return NextClaim(following.name, claimant(turn.asked.task_id, policy))
    return (
        turn.runtime.completion.names(turn.spec.name, made.document) if output.entities is not None else None
    )


def _ended(turn: _Turn, made: InHand, end: Ending, then: Then | None) -> _Ended:
    done, following = end.finished, turn.asked.following
    if end.due is not None or done is None:
        return _Ended(end.due)
    if following and done.claim and done.claim.outcome is Outcome.CLAIMED:
        return _Ended(goes_on=True, held=Held(done.claim, made.begun(following)))
    names = None if isinstance(then, NextClaim) else then
    return _Ended(names=names, linking=done.linking, others_wait=done.others_wait)


def _work(turn: _Turn, document: Document, beats: Heartbeats) -> StageOutput:
    runtime, ref = turn.runtime, turn.ref
    if turn.claim.joins:
        return _joined(turn)

    @cache
    def source() -> SourceRecord:  # only the first stage asks: others spare the call
        return turn.claim.input.source if turn.claim.input else runtime.store.source(ref)

    def fetch() -> AbstractContextManager[Path]:
        record = source()
        return runtime.sources.fetch(record.uri, record.digest, record.name)

    def report(done: int, total: int | None) -> None:
        beats.check()
        turn.tell("processing", {"done": done, "total": total})

    with Keeper(runtime.sources, partial(_note, turn), beats.check) as keeper:
        job = Job(
            document=document,
            tools=runtime.tools,
            reader=runtime.reader,
            fetch=fetch,
            report=report,
            request=turn.request,
            reading=lambda: source().reading,
            keeper=keeper if runtime.sources.uploads is not None and turn.request.pages is None else None,
        )
        output = turn.spec.load()(job)
    beats.check()
    return output


def _note(turn: _Turn, children: Sequence[NewChild]) -> int:
    most = turn.runtime.tools.options.limits.max_descendants
    noted = turn.runtime.store.note_children(turn.ref, turn.spec.name, turn.token, children, most)
    if noted is None:
        raise NothingToDoError(Outcome.OVER)
    return noted


def _joined(turn: _Turn) -> StageOutput:
    """What the ranges of a long document have read, as one."""
    limit = turn.runtime.tools.options.limits.max_characters
    read = turn.runtime.store.ranges.outputs(turn.ref)
    return join(((each.pages, each.output) for each in read), limit)


def _finish(turn: _Turn, output: StageOutput, then: Then | None) -> Ending:
    """Store the output. If the store is down, wait for it: the work would have to be done again."""
    policy = turn.runtime.policy
    deadline = time.monotonic() + policy.outage_seconds
    tries = 0
    while True:
        try:
            return turn.row.finish(turn.token, output, then)
        except TransientError as error:
            pause = min(policy.delay(tries), policy.lease_seconds)
            if time.monotonic() + pause > deadline:
                raise
            log.warning("finish_waits", seconds=round(pause, 3), error=str(error))
            time.sleep(pause)
            tries += 1


def _record(turn: _Turn, error: DocpipeError) -> Handover | None:
    """Record the failure. Returns if it is final: what is due now, where it has cost some pages and no
    more.

    Raises:
        TryAgainError: it is not.
        UnrecordedError: the store is away.
        NothingToDoError: another attempt has taken the stage over.
    """
    error.stage, error.document_uuid = turn.spec.name, turn.ref.document_uuid
    failure, policy, attempt = failure_of(error, turn.spec.name), turn.runtime.policy, turn.claim.attempt
    retry_in = policy.delay(attempt - 1) if error.retryable and attempt <= policy.max_retries else None
    due: Handover | None = None
    with _telling_the_store(str(error)):
        if retry_in is None:
            ending = turn.row.fail(turn.claim.token, failure)
            in_time, due = ending.end is not End.LATE, ending.due
        else:
            in_time = turn.row.retry(turn.token, failure, retry_in)
    details = {"code": error.code, "error": str(error), "exc_info": isinstance(error, BugError)}
    if not in_time:
        log.warning("late_failure_ignored", **details)
        raise NothingToDoError(Outcome.OVER) from error
    _say_failure(turn, "failed" if retry_in is None else "retrying", details)
    if retry_in is not None:
        raise TryAgainError(error, retry_in) from error
    return due


def _give_back(turn: _Turn) -> None:
    """The process was asked to exit and will: the stage need not wait for its lease to lapse."""
    error = WorkerLostError("The process was asked to exit while the stage ran.")
    try:
        turn.row.retry(turn.token, failure_of(error, turn.spec.name), 0.0)
    except TransientError as unwritten:
        log.warning("stage_not_given_back", error=str(unwritten))


def _say_failure(turn: _Turn, status: str, details: Mapping[str, Any]) -> None:
    log.log(
        logging.WARNING if status == "retrying" else logging.ERROR, f"{turn.row.kind}_{status}", **details
    )
    turn.tell(status, {"code": details["code"]})


def _give_up_on_poison(turn: _Turn) -> Handover:
    pages = turn.request.pages
    subject = f"Stage {turn.spec.name}" if pages is None else f"Pages {pages.first} to {pages.last}"
    error = PoisonDocumentError(poison(subject, turn.claim.attempt).message, stage=turn.spec.name)
    error.document_uuid = turn.ref.document_uuid
    log.error("stage_poison", attempts=turn.claim.attempt)
    with _telling_the_store(str(error)):
        ending = turn.row.fail(turn.claim.token, failure_of(error, turn.spec.name))
    if ending.due is None:
        raise error
    return ending.due


def _say(turn: _Turn, status: str, **fields: float) -> None:
    log.info(f"{turn.row.kind}_{status}", **fields)
    turn.tell(status, fields)
