"""Runs one stage of one document: claim, load, call the pure stage, save. Knows nothing of Celery.

Workers (`tasks`) and embedded runs (`pipeline.process`) go through here, so both obey the ledger.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

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


class NothingToDoError(Exception):
    """The attempt changes nothing: the run is over, superseded or held by another attempt."""

    def __init__(self, outcome: Outcome, lease_seconds: float = 0.0) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.lease_seconds = lease_seconds


def worker_name() -> str:
    """This process, as the ledger shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run_stage(runtime: Runtime, spec: StageSpec, ref: Ref, *, task_id: str, retry_in: float | None) -> None:
    """One attempt of one stage. Returns when the stage is complete, by this attempt or an earlier one.

    Args:
        retry_in: seconds after which the caller tries again if the error is retryable; None: never.

    Raises:
        NothingToDoError: not this attempt's turn.
        DocpipeError: the attempt failed. The ledger says so already: `retrying` if the error is
            retryable and `retry_in` is given, else `failed`.
    """
    with bound_contextvars(document=ref.document_uuid, run=ref.run, stage=spec.name, task=task_id):
        claim = runtime.store.claim(
            ref,
            spec.name,
            claim_id=uuid.uuid4().hex,
            task_id=task_id,
            worker=worker_name(),
            lease_seconds=runtime.policy.lease_seconds,
            max_attempts=runtime.policy.max_attempts,
        )
        if claim.outcome is Outcome.COMPLETE:
            log.info("stage_already_complete")
            return
        if claim.outcome is Outcome.POISON:
            _give_up_on_poison(runtime, spec, ref, claim)
        if claim.outcome is not Outcome.CLAIMED or claim.token is None:
            log.info("stage_not_claimed", outcome=claim.outcome.value)
            raise NothingToDoError(claim.outcome, claim.lease_seconds)
        with bound_contextvars(attempt=claim.attempt):
            _attempt(runtime, spec, ref, claim.token, retry_in)


def _attempt(runtime: Runtime, spec: StageSpec, ref: Ref, token: int, retry_in: float | None) -> None:
    _say(runtime, spec, ref, "processing")
    started = time.monotonic()
    try:
        with Heartbeats(runtime, spec.name, ref, token) as beats:
            output = _work(runtime, spec, ref, beats)
        finished = runtime.store.finish(ref, spec.name, token, output)
    except NothingToDoError:
        raise
    except runtime.passes:
        raise
    except CancelledError:
        # the lease is given back first: a run that nobody works on is cancelled at once
        runtime.store.retry(ref, spec.name, token, _failure(CancelledError(), spec.name), 0.0)
        runtime.store.cancel(ref.document_uuid)
        _say(runtime, spec, ref, "cancelled")
        raise NothingToDoError(Outcome.OVER) from None
    except KeyboardInterrupt:
        # give the stage back at once: the person who stopped it will start it again
        runtime.store.retry(ref, spec.name, token, _failure(WorkerLostError("Interrupted."), spec.name), 0.0)
        raise
    except DocpipeError as known:
        _record(runtime, spec, ref, token, known, retry_in)
        raise
    except (Exception, SystemExit) as raised:
        error = _translated(raised, runtime)
        error.__cause__ = raised  # before it is recorded: the ledger keeps the traceback
        _record(runtime, spec, ref, token, error, retry_in)
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


def _translated(raised: BaseException, runtime: Runtime) -> DocpipeError:
    for kind, meaning in runtime.translations.items():
        if isinstance(raised, kind):
            return meaning()
    if isinstance(raised, MemoryError):
        return MemoryExhaustedError()
    if isinstance(raised, SystemExit):
        return WorkerLostError("The process was told to exit while the stage ran.")
    return BugError(f"{type(raised).__name__}: {raised}")


def _failure(error: DocpipeError, stage: str) -> Failure:
    tail = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    return Failure(error.code, type(error).__name__, str(error), stage, tail)


def _record(
    runtime: Runtime, spec: StageSpec, ref: Ref, token: int, error: DocpipeError, retry_in: float | None
) -> None:
    """Write the failure down. A store that cannot be reached now leaves that to the lease."""
    error.stage, error.document_uuid = spec.name, ref.document_uuid
    failure = _failure(error, spec.name)
    details = {"code": error.code, "error": str(error), "exc_info": isinstance(error, BugError)}
    status = "failed"
    try:
        if error.retryable and retry_in is not None:
            status = "retrying"
            log.warning("stage_retrying", retry_in=round(retry_in, 3), **details)
            runtime.store.retry(ref, spec.name, token, failure, retry_in)
        else:
            log.error("stage_failed", **details)
            runtime.store.fail(ref, spec.name, token, failure)
    except TransientError as unwritten:
        log.error("failure_not_recorded", error=str(unwritten))
    runtime.progress.update_document_state(ref.document_uuid, spec.name, status, {"code": error.code})


def _give_up_on_poison(runtime: Runtime, spec: StageSpec, ref: Ref, claim: Claim) -> None:
    error = PoisonDocumentError(
        f"Stage {spec.name} was started {claim.attempt} times and never ended.", stage=spec.name
    )
    error.document_uuid = ref.document_uuid
    log.error("stage_poison", attempts=claim.attempt)
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
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(self._runtime.policy.lease_seconds / 3):
            try:
                self._answer = self._runtime.store.heartbeat(*self._arguments)
            except TransientError as error:
                log.warning("heartbeat_not_written", error=str(error))
            if self._answer is not Heartbeat.OK:
                return

    def check(self) -> None:
        """Raise if the attempt should stop: `CancelledError`, or `NothingToDoError` if the lease is lost."""
        if self._answer is Heartbeat.CANCELLED:
            raise CancelledError()
        if self._answer is Heartbeat.LOST:
            raise NothingToDoError(Outcome.BUSY)
