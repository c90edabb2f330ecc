"""Runs one stage of one document: claim, load, call the pure stage, save. Knows nothing of Celery.

Workers (`tasks`) and embedded runs (`pipeline.process`) go through here, so both obey the ledger.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from docpipe.errors import (
    BugError,
    CancelledError,
    DocpipeError,
    MemoryExhaustedError,
    PoisonDocumentError,
    TransientError,
    WorkerLostError,
)
from docpipe.execution.heartbeats import Heartbeats
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.job import Job
from docpipe.execution.ledger_row import End, Ending, LedgerRow, NothingToDoError, RangeRow, StageRow
from docpipe.execution.logs import bound, get_logger
from docpipe.execution.options import PageRequest
from docpipe.execution.plan import StageSpec
from docpipe.execution.policy import Policy
from docpipe.execution.progress import NoProgress, Progress
from docpipe.execution.tools import Tools
from docpipe.models import Failure, PageRange, RangeRef, Ref, StageOutput
from docpipe.sources import Sources
from docpipe.stages.ocr.page_ranges import join
from docpipe.stores.ledger_rules import poison
from docpipe.stores.port import Store
from docpipe.stores.values import Claim, Handover, Outcome

log = get_logger(__name__)

__all__ = [
    "NothingToDoError",
    "Runtime",
    "TryAgainError",
    "UnrecordedError",
    "run_range",
    "run_stage",
]

_TRACEBACK_CHARACTERS = 8_000


def _nothing_more(_stage: str, _ref: Ref) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every attempt of this process shares."""

    store: Store
    sources: Sources
    tools: Tools
    reader: ReaderProcess
    policy: Policy = field(default_factory=Policy)
    progress: Progress = field(default_factory=NoProgress)
    translations: Mapping[type[BaseException], type[DocpipeError]] = field(default_factory=dict)
    """Exceptions of the host (Celery's time limit) and what they mean here."""
    passes: tuple[type[BaseException], ...] = ()
    """Exceptions that are the host's control flow and go through untouched."""
    completed: Callable[[str, Ref], None] = _nothing_more
    """Called after a stage is complete, by this attempt or an earlier one, with the stage's name."""


class TryAgainError(Exception):
    """The attempt failed, the ledger says `retrying`, and the next attempt is due in `seconds`."""

    def __init__(self, error: DocpipeError, seconds: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


class UnrecordedError(TransientError):
    """How the attempt ended could not be recorded in the store."""

    code = "unrecorded"
    remedy = "Nothing is lost: the stage is resumed when its lease has lapsed and the store is back."


def run_stage(
    runtime: Runtime, spec: StageSpec, ref: Ref, *, task_id: str, may_split: bool = False
) -> Handover | None:
    """One attempt of one stage. Returns None when the stage is complete, by this attempt or an earlier one.

    Whether a failed attempt is followed by another is decided by the ledger's count: it is the same for
    all messages of a run, however many there are.

    Args:
        may_split: there are workers to read a long document in ranges. Then what is due is returned.

    Raises:
        NothingToDoError: not this attempt's turn.
        TryAgainError: the attempt failed, and another is due.
        UnrecordedError: the store is away, and the ledger does not know how the attempt ended.
        DocpipeError: the attempt failed for good, and the ledger has it already.
        SystemExit, KeyboardInterrupt: the process was asked to exit; the ledger says `retrying`.
    """
    with bound(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id):
        row = StageRow(runtime.store, runtime.policy, ref, spec.name)
        handover = _run(runtime, spec, row, task_id, may_split=may_split)
        if handover is None:
            runtime.completed(spec.name, ref)
        return handover


def run_range(runtime: Runtime, spec: StageSpec, range_ref: RangeRef, *, task_id: str) -> Handover | None:
    """One attempt of one range of a long document's pages. Returns what is due now; None if it had ended.

    Raises as `run_stage`; but a failure for good costs the range's pages, and only what stops the whole
    document is raised.
    """
    ref, first = range_ref.ref, range_ref.first_page
    with bound(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id, first_page=first):
        return _run(runtime, spec, RangeRow(runtime.store, runtime.policy, ref, first), task_id)


def _run(
    runtime: Runtime, spec: StageSpec, row: LedgerRow, task_id: str, *, may_split: bool = False
) -> Handover | None:
    with _telling_the_store(f"Stage {spec.name} was not begun."):
        claim = row.claim(task_id)
    if claim.outcome is Outcome.COMPLETE:
        log.info("stage_already_complete")
        return None
    turn = _Turn(runtime, spec, row, claim, may_split)
    if claim.outcome is Outcome.POISON:
        return _give_up_on_poison(turn)
    if claim.outcome is not Outcome.CLAIMED or claim.token is None:
        log.info("stage_not_claimed", outcome=claim.outcome.value)
        raise NothingToDoError(claim.outcome, claim.lease_seconds)
    with bound(attempt=claim.attempt):
        return _attempt(turn)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One attempt that holds its claim."""

    runtime: Runtime
    spec: StageSpec
    row: LedgerRow
    claim: Claim
    may_split: bool

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
        return PageRequest(None if first is None else PageRange(first, last or first), self.may_split)

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


def _attempt(turn: _Turn) -> Handover | None:
    _say(turn, "processing")
    started = time.monotonic()
    try:
        with Heartbeats(turn.runtime.policy.lease_seconds, partial(turn.row.heartbeat, turn.token)) as beats:
            output = _work(turn, beats)
            end = _finish(turn, output)
    except NothingToDoError:
        raise
    except turn.runtime.passes:
        raise
    except CancelledError:
        with _telling_the_store("The document was cancelled."):
            # the lease is given back first: a run without a worker is cancelled at once
            turn.row.retry(turn.token, _failure(CancelledError(), turn.spec.name), 0.0)
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
        return due
    except Exception as raised:
        error = _translated(raised, turn.runtime)
        error.__cause__ = raised  # before it is recorded: the ledger keeps the traceback
        due = _record(turn, error)
        if due is None:
            raise error from raised
        return due
    if end.end is End.LATE:
        log.warning("stage_lost", seconds=round(time.monotonic() - started, 3))
        raise NothingToDoError(Outcome.OVER)
    if output.ranges is not None:
        log.info("stage_split", ranges=len(output.ranges))
    else:
        _say(turn, "complete", seconds=round(time.monotonic() - started, 3))
    return end.due


def _work(turn: _Turn, beats: Heartbeats) -> StageOutput:
    runtime, ref = turn.runtime, turn.ref
    if turn.claim.joins:
        return _joined(turn)

    source = cache(partial(runtime.store.source, ref))  # only the first stage asks: others spare the call

    def fetch() -> AbstractContextManager[Path]:
        record = source()
        return runtime.sources.fetch(record.uri, record.digest, record.name)

    def report(done: int, total: int | None) -> None:
        beats.check()
        turn.tell("processing", {"done": done, "total": total})

    job = Job(
        document=runtime.store.load(ref, turn.spec.needs),
        tools=runtime.tools,
        reader=runtime.reader,
        fetch=fetch,
        report=report,
        request=turn.request,
        reading=lambda: source().reading,
    )
    output = turn.spec.load()(job)
    beats.check()
    return output


def _joined(turn: _Turn) -> StageOutput:
    """What the ranges of a long document have read, as one."""
    limit = turn.runtime.tools.options.limits.max_characters
    read = turn.runtime.store.ranges.outputs(turn.ref)
    return join(((each.pages, each.output) for each in read), limit)


def _finish(turn: _Turn, output: StageOutput) -> Ending:
    """Store the output. If the store is down, wait for it: the work would have to be done again."""
    policy = turn.runtime.policy
    deadline = time.monotonic() + policy.outage_seconds
    tries = 0
    while True:
        try:
            return turn.row.finish(turn.token, output)
        except TransientError as error:
            pause = min(policy.delay(tries), policy.lease_seconds)
            if time.monotonic() + pause > deadline:
                raise
            log.warning("finish_waits", seconds=round(pause, 3), error=str(error))
            time.sleep(pause)
            tries += 1


def _translated(raised: BaseException, runtime: Runtime) -> DocpipeError:
    for kind, meaning in runtime.translations.items():
        if isinstance(raised, kind):
            return meaning()
    unexpected = BugError(f"{type(raised).__name__}: {raised}")
    return MemoryExhaustedError() if isinstance(raised, MemoryError) else unexpected


def _failure(error: DocpipeError, stage: str) -> Failure:
    tail = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    return Failure(error.code, type(error).__name__, str(error), stage, tail)


def _record(turn: _Turn, error: DocpipeError) -> Handover | None:
    """Record the failure. Returns if it is final: what is due now, where it has cost some pages and no
    more.

    Raises:
        TryAgainError: it is not.
        UnrecordedError: the store is away.
        NothingToDoError: another attempt has taken the stage over.
    """
    error.stage, error.document_uuid = turn.spec.name, turn.ref.document_uuid
    failure, policy, attempt = _failure(error, turn.spec.name), turn.runtime.policy, turn.claim.attempt
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
        turn.row.retry(turn.token, _failure(error, turn.spec.name), 0.0)
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
        ending = turn.row.fail(turn.claim.token, _failure(error, turn.spec.name))
    if ending.due is None:
        raise error
    return ending.due


def _say(turn: _Turn, status: str, **fields: float) -> None:
    log.info(f"{turn.row.kind}_{status}", **fields)
    turn.tell(status, fields)
