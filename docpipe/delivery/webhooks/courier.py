"""Delivers what is due: to each address one event after the other, to several addresses at once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from docpipe.execution.logs import get_logger
from docpipe.stores.webhook_port import ClaimedEvent, Try, WebhookStore

log = get_logger(__name__)

SCHEDULE = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds until the next try, after each that failed: three days in all, as Standard Webhooks advises."""
_JITTER = 0.2
_LEASE_SECONDS = 60.0
"""More than one try takes."""
_ADDRESSES_AT_ONCE = 8
_FAILURES_IN_A_ROW = 3
"""After so many, an address is left alone until the next look."""


@dataclass(frozen=True, slots=True)
class Courier:
    """Claims events, has them sent, and notes how it went.

    Args:
        send: tries once, and raises nothing for what a receiver does.
        schedule: seconds until the next try, by how many have failed; after the last the event is given up.
    """

    store: WebhookStore
    send: Callable[[ClaimedEvent], Try]
    schedule: Sequence[float] = SCHEDULE

    def deliver(self, seconds: float) -> Counter[str]:
        """Deliver what is due, for about `seconds` at most.

        Returns:
            How many events were `delivered`, and how many `given_up`; how many tries failed (`retried`).

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        due, until = self.store.due(), time.monotonic() + seconds
        outcomes: Counter[str] = Counter()
        if due:
            with ThreadPoolExecutor(min(len(due), _ADDRESSES_AT_ONCE), "docpipe-webhooks") as pool:
                for told in pool.map(partial(self._deliver_to, until=until), due):
                    outcomes.update(told)
        return outcomes

    def _deliver_to(self, webhook_id: str, until: float) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        failures = 0
        while failures < _FAILURES_IN_A_ROW and time.monotonic() < until:
            event = self.store.claim(webhook_id, _LEASE_SECONDS)
            if event is None:
                break
            outcome = self._try(webhook_id, event)
            outcomes[outcome] += 1
            failures = 0 if outcome == "delivered" else failures + 1
        return outcomes

    def _try(self, webhook_id: str, event: ClaimedEvent) -> str:
        told = self.send(event)
        again = self._again(event.attempt)
        known = {"webhook": webhook_id, "event_id": event.id, "attempt": event.attempt}
        if not self.store.note(event, told, again):
            log.warning("webhook_late", **known)
            return "late"
        if told.error is None:
            return "delivered"
        outcome = "given_up" if again is None else "retried"
        log.warning(f"webhook_{outcome}", **known, error=told.error)
        return outcome

    def _again(self, attempt: int) -> float | None:
        if attempt > len(self.schedule):
            return None
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - so that not all come at once
        return self.schedule[attempt - 1] * spread
