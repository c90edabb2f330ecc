"""The ledger as one attempt sees it: the row of a stage, or of one range of its pages.

Both are claimed, kept alive, finished, retried and failed; only what an end means differs.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from docpipe.errors import (
    ConfigurationError,
    DocumentNotFoundError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
    StoreUnavailableError,
    from_code,
)
from docpipe.models import Failure, Ref, StageOutput
from docpipe.stores.port import Claim, Heartbeat, Outcome, Store
from docpipe.stores.range_port import Handover

_STOPS_ALL = (
    ConfigurationError,
    DocumentNotFoundError,
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


@dataclass(frozen=True, slots=True)
class Terms:
    """On which a row is held. Times in seconds."""

    lease_seconds: float
    max_attempts: int
    ranges_at_once: int


def worker_name() -> str:
    """This process, as the ledger shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


class LedgerRow(Protocol):
    """What an attempt works on. An end is false when it came too late, true, or says what is due now."""

    kind: ClassVar[str]

    @property
    def ref(self) -> Ref: ...
    @property
    def first_page(self) -> int | None: ...
    def claim(self, task_id: str) -> Claim: ...
    def heartbeat(self, token: int) -> Heartbeat: ...
    def finish(self, token: int, output: StageOutput) -> Handover | bool: ...
    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool: ...
    def fail(self, token: int | None, failure: Failure) -> Handover | bool: ...


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of a run."""

    kind: ClassVar[str] = "stage"
    first_page: ClassVar[None] = None
    store: Store
    terms: Terms
    ref: Ref
    stage: str

    def claim(self, task_id: str) -> Claim:
        return self.store.claim(self.ref, self.stage, **_claimant(task_id, self.terms))

    def heartbeat(self, token: int) -> Heartbeat:
        return self.store.heartbeat(self.ref, self.stage, token, self.terms.lease_seconds)

    def finish(self, token: int, output: StageOutput) -> Handover | bool:
        if output.ranges is None:
            return self.store.finish(self.ref, self.stage, token, output)
        ranges = self.store.ranges
        return ranges.split(self.ref, self.stage, token, output.ranges, self.terms.ranges_at_once) or False

    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool:
        return self.store.retry(self.ref, self.stage, token, failure, delay_seconds)

    def fail(self, token: int | None, failure: Failure) -> Handover | bool:
        return self.store.fail(self.ref, self.stage, token, failure)


@dataclass(frozen=True, slots=True)
class RangeRow:
    """One range of a long document's pages."""

    kind: ClassVar[str] = "range"
    store: Store
    terms: Terms
    ref: Ref
    first_page: int

    def claim(self, task_id: str) -> Claim:
        return self.store.ranges.claim(self.ref, self.first_page, **_claimant(task_id, self.terms))

    def heartbeat(self, token: int) -> Heartbeat:
        return self.store.ranges.heartbeat(self.ref, token, self.terms.lease_seconds)

    def finish(self, token: int, output: StageOutput) -> Handover | bool:
        return self.store.ranges.finish(self.ref, token, output, self.terms.ranges_at_once) or False

    def retry(self, token: int, failure: Failure, delay_seconds: float) -> bool:
        return self.store.ranges.retry(self.ref, token, failure, delay_seconds)

    def fail(self, token: int | None, failure: Failure) -> Handover | bool:
        """Costs the pages, unless the error is one that every other range would meet."""
        assert token is not None
        if isinstance(from_code(failure.code, failure.message), _STOPS_ALL):
            return self.store.ranges.fail_stage(self.ref, token, failure)
        return self.store.ranges.fail(self.ref, token, failure, self.terms.ranges_at_once) or False


def _claimant(task_id: str, terms: Terms) -> Mapping[str, Any]:
    return {
        "claim_id": uuid.uuid4().hex,
        "task_id": task_id,
        "worker": worker_name(),
        "lease_seconds": terms.lease_seconds,
        "max_attempts": terms.max_attempts,
    }
