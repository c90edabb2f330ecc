"""The ledger as one attempt sees it: the row of a stage, or of one range of its pages.

Both are claimed, kept alive, finished, retried and failed; only what an end means differs.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar, Protocol

from docpipe.errors import (
    ConfigurationError,
    DocumentNotFoundError,
    NoRoomError,
    RefusedByDatabaseError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
    StoreUnavailableError,
    from_code,
)
from docpipe.execution.policy import Policy
from docpipe.models import Failure, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import Claim, Finished, Handover, Heartbeat, Outcome, Part, Then

_STOPS_ALL = (
    ConfigurationError,
    DocumentNotFoundError,
    NoRoomError,
    RefusedByDatabaseError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
    StoreUnavailableError,
)
"""Errors that are not about the pages: every other range would meet them too."""


class NothingToDoError(Exception):
    """The attempt changes nothing: the run is over, superseded or held by another attempt."""

    def __init__(self, outcome: Outcome, lease_seconds: float = 0.0) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.lease_seconds = lease_seconds


class End(Enum):
    """How the ledger took the end of an attempt."""

    LATE = auto()
    """The run is over, or another attempt has the row: nothing was changed."""
    ENDED = auto()
    """The row has ended, and its stage with it."""
    GOES_ON = auto()
    """The stage goes on in ranges of pages."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt. `due`: of a stage that goes on, what is to be published now."""

    end: End
    due: Handover | None = None
    finished: Finished | None = None
    """What was done in the same transaction, where that was asked for."""


def _ended(done: bool) -> Ending:
    return Ending(End.ENDED if done else End.LATE)


def _went_on(due: Handover | None) -> Ending:
    return Ending(End.LATE if due is None else End.GOES_ON, due)


def worker_name() -> str:
    """This process, as the ledger shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


class LedgerRow(Protocol):
    """What an attempt works on."""

    kind: ClassVar[str]

    @property
    def ref(self) -> Ref: ...
    @property
    def first_page(self) -> int | None: ...
    def claim(self, task_id: str) -> Claim: ...
    def heartbeat(self, token: int) -> Heartbeat: ...
    def finish(self, token: int, output: StageOutput, then: Then | None, /) -> Ending: ...
    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool: ...
    def fail(self, token: int | None, failure: Failure) -> Ending: ...


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of a run."""

    kind: ClassVar[str] = "stage"
    first_page: ClassVar[None] = None
    store: Store
    policy: Policy
    ref: Ref
    stage: str
    needs: frozenset[Part]

    def claim(self, task_id: str) -> Claim:
        return self.store.claim(self.ref, self.stage, claimant(task_id, self.policy), self.needs)

    def heartbeat(self, token: int) -> Heartbeat:
        return self.store.heartbeat(self.ref, self.stage, token, self.policy.lease_seconds)

    def finish(self, token: int, output: StageOutput, then: Then | None, /) -> Ending:
        if output.ranges is not None:
            at_once = self.policy.ranges_at_once
            return _went_on(self.store.ranges.split(self.ref, self.stage, token, output.ranges, at_once))
        if then is None:
            return _ended(self.store.finish(self.ref, self.stage, token, output))
        finished = self.store.finish_on(self.ref, self.stage, token, output, then)
        return replace(_ended(finished.in_time), finished=finished)

    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool:
        return self.store.retry(self.ref, self.stage, token, failure, delay_seconds)

    def fail(self, token: int | None, failure: Failure) -> Ending:
        return _ended(self.store.fail(self.ref, self.stage, token, failure))


@dataclass(frozen=True, slots=True)
class RangeRow:
    """One range of a long document's pages."""

    kind: ClassVar[str] = "range"
    store: Store
    policy: Policy
    ref: Ref
    first_page: int

    def claim(self, task_id: str) -> Claim:
        return self.store.ranges.claim(self.ref, self.first_page, claimant(task_id, self.policy))

    def heartbeat(self, token: int) -> Heartbeat:
        return self.store.ranges.heartbeat(self.ref, token, self.policy.lease_seconds)

    def finish(self, token: int, output: StageOutput, _then: Then | None, /) -> Ending:
        return _went_on(self.store.ranges.finish(self.ref, token, output, self.policy.ranges_at_once))

    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool:
        return self.store.ranges.retry(self.ref, token, failure, delay_seconds)

    def fail(self, token: int | None, failure: Failure) -> Ending:
        """Costs the pages, unless the error is one that every other range would meet."""
        assert token is not None
        if isinstance(from_code(failure.code, failure.message), _STOPS_ALL):
            return _ended(self.store.ranges.fail_stage(self.ref, token, failure))
        return _went_on(self.store.ranges.fail(self.ref, token, failure, self.policy.ranges_at_once))


def claimant(task_id: str, policy: Policy) -> Claimant:
    """A claim of this process for a task."""
    return Claimant(
        claim_id=uuid.uuid4().hex,
        task_id=task_id,
        worker=worker_name(),
        lease_seconds=policy.lease_seconds,
        max_attempts=policy.max_attempts,
    )
