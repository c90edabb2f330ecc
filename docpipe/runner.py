"""Runs one stage of one document: claim, load, call the pure stage, save. Knows nothing of Celery.

Workers (`tasks`) and embedded runs (`pipeline.process`) go through here, so both obey the ledger.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from structlog.contextvars import bound_contextvars

from docpipe.errors import (
    BugError,
    CancelledError,
    DocpipeError,
    MemoryExhaustedError,
    PoisonDocumentError,
    TransientError,
    WorkerLostError,
)
from docpipe.logs import get_logger
from docpipe.models import Failure, Ref, StageOutput
from docpipe.plan import Job, StageSpec, Tools
from docpipe.progress import NoProgress, Progress
from docpipe.sources import Sources
from docpipe.stores.port import Claim, Heartbeat, Outcome, Store

log = get_logger(__name__)

_TRACEBACK_CHARACTERS = 8_000
_JOIN_SECONDS = 5.0
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often. Times in seconds."""

    lease_seconds: float = 60.0
    """A stage whose worker is silent for this long may be taken over."""
    grace_seconds: float = 30.0
    """How long after that, or after a message was sent, the reaper takes a run up again."""
    reap_seconds: float = 30.0
    """How often the reaper looks, when Celery beat calls it."""
    max_retries: int = 3
    """Attempts after the first, for transient errors."""
    max_attempts: int = 5
    """Deliveries of one stage, however they ended; one more is a poison document."""
    backoff_seconds: float = 2.0
    backoff_cap_seconds: float = 300.0
    outage_seconds: float = 600.0
    """A stage that has done its work waits this long for a store that is away, then gives the work up."""
    soft_time_limit: float = 1800.0
    """A stage that runs longer is stopped and tried again; workers of pool prefork only."""
    hard_time_limit: float = 1860.0

    def delay(self, retries: int) -> float:
        """Seconds to wait before retry number `retries` (0 is the first): exponential, with jitter.

        The jitter keeps documents that failed together from coming back together ("full jitter" halved:
        AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
        """
        wait = min(self.backoff_cap_seconds, self.backoff_seconds * 2.0 ** min(retries, 60))
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _nothing_more(_stage: str, _ref: Ref) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every attempt of this process shares."""

    store: Store
    sources: Sources
    tools: Tools
    policy: Policy = field(default_factory=Policy)
    progress: Progress = field(default_factory=NoProgress)
    translations: Mapping[type[BaseException], type[DocpipeError]] = field(default_factory=dict)
    """Exceptions of the host (Celery's time limit) and what they mean here."""
    passes: tuple[type[BaseException], ...] = ()
    """Exceptions that are the host's control flow and go through untouched."""
    completed: Callable[[str, Ref], None] = _nothing_more
    """Called after a stage is complete, by this attempt or an earlier one, with the stage's name."""


class NothingToDoError(Exception):
    """The attempt changes nothing: the run is over, superseded or held by another attempt."""

    def __init__(self, outcome: Outcome, lease_seconds: float = 0.0) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.lease_seconds = lease_seconds


class TryAgainError(Exception):
    """The attempt failed, the ledger says `retrying`, and the next attempt is due in `seconds`."""

    def __init__(self, error: DocpipeError, seconds: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


class UnrecordedError(TransientError):
    """The store could not be told how the attempt ended."""

    code = "unrecorded"
    remedy = "Nothing is lost: the stage is taken up again when its lease has lapsed and the store is back."


def worker_name() -> str:
    """This process, as the ledger shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run_stage(runtime: Runtime, spec: StageSpec, ref: Ref, *, task_id: str) -> None:
    """One attempt of one stage. Returns when the stage is complete, by this attempt or an earlier one.

    Whether a failed attempt is followed by another is decided by the ledger's count: it is the same for
    all messages of a run, however many there are.

    Raises:
        NothingToDoError: not this attempt's turn.
        TryAgainError: the attempt failed, and another is due.
        UnrecordedError: the store is away, and the ledger does not know how the attempt ended.
        DocpipeError: the attempt failed for good; the ledger says so already.
        SystemExit, KeyboardInterrupt: the process was told to exit; the ledger says `retrying`.
    """
    with bound_contextvars(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id):
        claim = _claim(runtime, spec, ref, task_id)
        if claim.outcome is Outcome.COMPLETE:
            log.info("stage_already_complete")
            return runtime.completed(spec.name, ref)
        if claim.outcome is Outcome.POISON:
            _give_up_on_poison(runtime, spec, ref, claim)
        if claim.outcome is not Outcome.CLAIMED or claim.token is None:
            log.info("stage_not_claimed", outcome=claim.outcome.value)
            raise NothingToDoError(claim.outcome, claim.lease_seconds)
        with bound_contextvars(attempt=claim.attempt):
            _attempt(runtime, spec, ref, claim.token, claim.attempt)
        return runtime.completed(spec.name, ref)


def _claim(runtime: Runtime, spec: StageSpec, ref: Ref, task_id: str) -> Claim:
    with _telling_the_store(f"Stage {spec.name} was not begun."):
        return runtime.store.claim(
            ref,
            spec.name,
            claim_id=uuid.uuid4().hex,
            task_id=task_id,
            worker=worker_name(),
            lease_seconds=runtime.policy.lease_seconds,
            max_attempts=runtime.policy.max_attempts,
        )


@contextmanager
def _telling_the_store(news: str) -> Iterator[None]:
    try:
        yield
    except TransientError as away:
        raise UnrecordedError(f"{news} The store could not be told: {away}") from away


def _attempt(runtime: Runtime, spec: StageSpec, ref: Ref, token: int, attempt: int) -> None:
    _say(runtime, spec, ref, "processing")
    started = time.monotonic()
    try:
        with Heartbeats(runtime, spec.name, ref, token) as beats:
            output = _work(runtime, spec, ref, beats)
            finished = _finish(runtime, spec, ref, token, output)
    except NothingToDoError:
        raise
    except runtime.passes:
        raise
    except CancelledError:
        with _telling_the_store("The document was cancelled."):
            # the lease is given back first: a run that nobody works on is cancelled at once
            runtime.store.retry(ref, spec.name, token, _failure(CancelledError(), spec.name), 0.0)
            runtime.store.cancel(ref.document_uuid)
        _say(runtime, spec, ref, "cancelled")
        raise NothingToDoError(Outcome.OVER) from None
    except (KeyboardInterrupt, SystemExit):
        _give_back(runtime, spec, ref, token)
        raise
    except DocpipeError as known:
        _record(runtime, spec, ref, token, attempt, known)
        raise
    except Exception as raised:
        error = _translated(raised, runtime)
        error.__cause__ = raised  # before it is recorded: the ledger keeps the traceback
        _record(runtime, spec, ref, token, attempt, error)
        raise error from raised
    if not finished:
        log.warning("stage_lost", seconds=round(time.monotonic() - started, 3))
        raise NothingToDoError(Outcome.OVER)
    _say(runtime, spec, ref, "complete", seconds=round(time.monotonic() - started, 3))


def _work(runtime: Runtime, spec: StageSpec, ref: Ref, beats: Heartbeats) -> StageOutput:
    record = runtime.store.source(ref)

    def report(done: int) -> None:
        beats.check()
        runtime.progress.update_document_state(ref.document_uuid, spec.name, "processing", {"done": done})

    job = Job(
        document=runtime.store.load(ref, spec.needs),
        tools=runtime.tools,
        fetch=lambda: runtime.sources.fetch(record.uri, record.digest, record.name),
        report=report,
    )
    output = spec.load()(job)
    beats.check()
    return output


def _finish(runtime: Runtime, spec: StageSpec, ref: Ref, token: int, output: StageOutput) -> bool:
    """Hand the output in. A store that is away is waited for: the work would have to be done again."""
    policy = runtime.policy
    deadline = time.monotonic() + policy.outage_seconds
    tries = 0
    while True:
        try:
            return runtime.store.finish(ref, spec.name, token, output)
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
    if isinstance(raised, MemoryError):
        return MemoryExhaustedError()
    return BugError(f"{type(raised).__name__}: {raised}")


def _failure(error: DocpipeError, stage: str) -> Failure:
    tail = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    return Failure(error.code, type(error).__name__, str(error), stage, tail)


def _record(
    runtime: Runtime, spec: StageSpec, ref: Ref, token: int, attempt: int, error: DocpipeError
) -> None:
    """Write the failure down; returns if it is final.

    Raises:
        TryAgainError: it is not.
        UnrecordedError: the store is away.
        NothingToDoError: another attempt has taken the stage over.
    """
    error.stage, error.document_uuid = spec.name, ref.document_uuid
    failure, policy = _failure(error, spec.name), runtime.policy
    retry_in = policy.delay(attempt - 1) if error.retryable and attempt <= policy.max_retries else None
    with _telling_the_store(str(error)):
        if retry_in is None:
            mine = runtime.store.fail(ref, spec.name, token, failure)
        else:
            mine = runtime.store.retry(ref, spec.name, token, failure, retry_in)
    details = {"code": error.code, "error": str(error), "exc_info": isinstance(error, BugError)}
    if not mine:
        log.warning("late_failure_ignored", **details)
        raise NothingToDoError(Outcome.OVER) from error
    _say_failure(runtime, spec, ref, "failed" if retry_in is None else "retrying", details)
    if retry_in is not None:
        raise TryAgainError(error, retry_in) from error


def _give_back(runtime: Runtime, spec: StageSpec, ref: Ref, token: int) -> None:
    """The process was told to exit and will: the stage need not wait for its lease to lapse."""
    error = WorkerLostError("The process was told to exit while the stage ran.")
    try:
        runtime.store.retry(ref, spec.name, token, _failure(error, spec.name), 0.0)
    except TransientError as unwritten:
        log.warning("stage_not_given_back", error=str(unwritten))


def _say_failure(
    runtime: Runtime, spec: StageSpec, ref: Ref, status: str, details: Mapping[str, Any]
) -> None:
    log.log(logging.WARNING if status == "retrying" else logging.ERROR, f"stage_{status}", **details)
    progress = {"code": details["code"]}
    runtime.progress.update_document_state(ref.document_uuid, spec.name, status, progress)


def _give_up_on_poison(runtime: Runtime, spec: StageSpec, ref: Ref, claim: Claim) -> None:
    error = PoisonDocumentError(
        f"Stage {spec.name} was started {claim.attempt} times and never ended.", stage=spec.name
    )
    error.document_uuid = ref.document_uuid
    log.error("stage_poison", attempts=claim.attempt)
    with _telling_the_store(str(error)):
        runtime.store.fail(ref, spec.name, claim.token, _failure(error, spec.name))
    raise error


def _say(runtime: Runtime, spec: StageSpec, ref: Ref, status: str, **fields: float) -> None:
    log.info(f"stage_{status}", **fields)
    runtime.progress.update_document_state(ref.document_uuid, spec.name, status, fields)


class Heartbeats:
    """Extends the lease from a thread while the stage works, and remembers when it should stop."""

    def __init__(self, runtime: Runtime, stage: str, ref: Ref, token: int) -> None:
        self._runtime = runtime
        self._arguments = (ref, stage, token, runtime.policy.lease_seconds)
        self._answer = Heartbeat.OK
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="docpipe-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join(_JOIN_SECONDS)  # a heartbeat to a store that hangs is left behind

    def _beat(self) -> None:
        period = pause = self._runtime.policy.lease_seconds / 3
        while not self._done.wait(pause):
            try:
                self._answer = self._runtime.store.heartbeat(*self._arguments)
                pause = period
            except TransientError as error:
                log.warning("heartbeat_not_written", error=str(error))
                pause = min(period, _AGAIN_SECONDS)  # to be back before the reaper, when the store is
            if self._answer is not Heartbeat.OK:
                return

    def check(self) -> None:
        """Raise if the attempt should stop: `CancelledError`, or `NothingToDoError` if the lease is lost."""
        if self._answer is Heartbeat.CANCELLED:
            raise CancelledError()
        if self._answer is Heartbeat.LOST:
            raise NothingToDoError(Outcome.BUSY)
