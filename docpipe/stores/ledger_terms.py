"""What the rules of the ledger speak of: the rows they look at, and what they may answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from docpipe.models.status import RunState, StageState

OPEN = frozenset({StageState.QUEUED, StageState.RUNNING, StageState.RETRYING})
"""States of a row that has not ended."""
HELD = frozenset({StageState.RUNNING, StageState.RETRYING})
"""States in which the newest claim still has a say."""


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over a document, as far as the rules look at it."""

    state: RunState
    cancel_requested: bool = False
    held: bool = False
    """Its message was let go, because something was paused."""

    @property
    def active(self) -> bool:
        return self.state is RunState.ACTIVE


@dataclass(frozen=True, slots=True)
class Row:
    """A stage of a run, or a range of its pages.

    Args:
        queued_at: when its newest message was sent, or, of a stage that has had none, when its run began;
            None: a range whose message is not due yet.
        in_ranges: of a stage: some range of its pages is open. No attempt holds such a stage; its row mirrors
            what its ranges do.
    """

    state: StageState
    attempt: int = 0
    token: int | None = None
    claim_id: str | None = None
    task_id: str | None = None
    lease_expires_at: datetime | None = None
    queued_at: datetime | None = None
    in_ranges: bool = False

    @property
    def open(self) -> bool:
        return self.state in OPEN

    def held_by(self, token: int | None, states: Collection[StageState]) -> bool:
        return self.token == token and self.state in states and not self.in_ranges


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for a row, and on what terms.

    Args:
        claim_id: the caller's own id of the request: asked twice, because the answer was lost, it is one.
        lease_seconds: how long the row is the claimant's without a heartbeat.
        max_attempts: a row that was begun so often is poison.
    """

    claim_id: str
    task_id: str
    worker: str
    lease_seconds: float
    max_attempts: int


class Answer(Enum):
    """To a claim."""

    TAKE = auto()
    """The row is the claimant's: the attempt is counted, with a new token and a new lease."""
    SAME = auto()
    """It is the claimant's already, by the same request."""
    COMPLETE = auto()
    END_CANCELLED = auto()
    """Cancellation was requested: the run ends here."""
    OVER = auto()
    NOT_READY = auto()
    BUSY = auto()
    PAUSED = auto()
    """Nothing is to begin there now: the run is held."""
    POISON = auto()
    UNKNOWN = auto()


class Move(Enum):
    """What becomes of a move made with a token."""

    APPLY = auto()
    REPEATED = auto()
    """It was applied before, and its answer was lost: it is answered alike and changes nothing."""
    LATE = auto()
    """The run is over, or another claim has the row: nothing changes."""


class Beat(Enum):
    """What becomes of a heartbeat."""

    EXTEND = auto()
    EXTEND_AND_STOP = auto()
    """The lease is extended while the attempt ends its work: cancellation was requested."""
    STOP = auto()
    """The run has been cancelled."""
    LOST = auto()


class Cancel(Enum):
    """What becomes of a request to cancel."""

    NOTHING = auto()
    """No run is active."""
    ASK = auto()
    """An attempt is working: its next heartbeat stops it."""
    END = auto()


class Revive(Enum):
    """What the reaper does with a row."""

    LEAVE = auto()
    END_CANCELLED = auto()
    POISON = auto()
    RESUME = auto()
    """Its message is sent again; the holder of a lapsed lease keeps its token until the next claim."""
