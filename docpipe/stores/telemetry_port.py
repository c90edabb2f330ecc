"""The part of the store that other systems' traces and counts are made of: attempts that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from docpipe.models import Attempt, Ref
from docpipe.models.status import AttemptEnd, RunState


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that has ended, for the first time or again, and was not traced since."""

    ref: Ref
    state: RunState
    name: str
    project_id: str | None
    trace_parent: str | None
    """Of the host's span in which it was submitted, as W3C writes it; None: there was none."""
    created_at: datetime
    finished_at: datetime
    traced_until: datetime | None
    """When it had ended before and was traced; None: never. A run that was resumed ends again."""
    earlier: str | None
    """The `trace_parent` of the run before it."""
    attempts: tuple[Attempt, ...]
    """Those since, oldest first."""


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """One of those that were counted."""

    document_uuid: str
    trace_parent: str | None
    """Of its run."""
    seconds: float
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class EndedAttempts:
    """Attempts of one kind: how many, and their working time in seconds, all together."""

    stage: str
    ended: AttemptEnd
    code: str
    """Of the error; empty where there was none."""
    bucket: int
    """How many of the bounds that were given they exceed."""
    attempts: int
    seconds: float
    newest: EndedAttempt
    """Of those whose run was submitted in a span, if there are any."""


class Telemetry(Protocol):
    """What happened, read from the ledger."""

    def untraced(self, *, seconds: float, limit: int = 100) -> list[EndedRun]:
        """Runs that ended in the last `seconds` and were not traced since, oldest first."""
        ...

    def traced(self, run: EndedRun) -> bool:
        """Say that a run was traced as it was read; false if it has gone on since."""
        ...

    def ended(
        self, after: datetime | None, bounds: Sequence[float], *, lag_seconds: float = 10.0
    ) -> tuple[datetime, list[EndedAttempts]]:
        """Attempts that ended later than `after` and longer ago than the lag, which waits for transactions
        under way; None: none of them.

        Returns:
            Until when, to go on from; and the attempts, counted.
        """
        ...
