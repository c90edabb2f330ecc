"""How long and how often: leases, retries, time limits."""

from __future__ import annotations

import random
from dataclasses import dataclass

_HEARTBEAT_CAP_SECONDS = 20.0
"""However long a lease is, a worker that hangs is missed within a minute."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds, before the reaper removes them; None: until somebody does."""

    documents: float | None = None
    """After a document's newest run has ended, well or not: the document with all that was made of it."""
    history: float | None = None
    """The statuses a document had and the attempts at it, but while it is at work."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often. Times in seconds."""

    lease_seconds: float = 60.0
    """A stage whose worker is silent for this long may be taken over."""
    grace_seconds: float = 30.0
    """How long after that, or after a message was sent, the reaper resumes a run."""
    reap_seconds: float = 30.0
    """How often the reaper looks, when Celery beat calls it."""
    max_retries: int = 3
    """Attempts after the first, for transient errors."""
    max_attempts: int = 5
    """Deliveries of one stage, however they ended; one more is a poison document."""
    backoff_seconds: float = 2.0
    backoff_cap_seconds: float = 300.0
    outage_seconds: float = 600.0
    """A stage that has done its work waits this long for a store that is away, then discards the work."""
    soft_time_limit: float = 1800.0
    """A stage that runs longer is stopped and retried; workers of pool prefork only."""
    hard_time_limit: float = 1860.0
    in_place_characters: int = 0
    """A worker that serves the next stage's queue too goes on in the same task with a document of at most so
    many characters; 0: never, each stage has a message of its own.
    """
    ranges_at_once: int = 8
    """Of one long document, so many ranges of pages are in the queue or being read, and no more."""
    keep: Retention = Retention()

    @property
    def heartbeat_seconds(self) -> float:
        """How often a worker that works extends its lease."""
        return min(self.lease_seconds / 3, _HEARTBEAT_CAP_SECONDS)

    def is_silent(self, lease_seconds: float) -> bool:
        """Whether two heartbeats of a lease that has so long to go stayed away: its worker hangs."""
        return lease_seconds < self.lease_seconds - 2 * self.heartbeat_seconds

    def delay(self, retries: int) -> float:
        """Seconds to wait before retry number `retries` (0 is the first): exponential, with jitter.

        The jitter keeps documents that failed together from coming back together ("full jitter" halved:
        AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
        """
        wait = min(self.backoff_cap_seconds, self.backoff_seconds * 2.0 ** min(retries, 60))
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
