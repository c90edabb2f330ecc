"""The part of the store that knows webhooks: who is told of ends, and what became of each telling.

The moves that end a run write its events in their own transaction. An event is delivered at least once, and
after those of the same document before it, unless they were given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of ends."""

    id: str
    url: str
    secret: str
    """`whsec_` and Base64: signs what is sent."""
    events: tuple[str, ...]
    """The types that are wanted."""
    project_id: str | None = None
    """Only of documents of this project; None: of all."""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that the caller is to deliver now."""

    id: str
    """The same in every try: by it a receiver knows what it had before."""
    type: str
    at: datetime
    data: Mapping[str, Any]
    attempt: int
    """1, 2, …; counted anew when it is replayed."""
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Try:
    """How one try to deliver went."""

    seconds: float
    status: int | None
    """Of the answer; None: there was none."""
    error: str | None
    """Why it does not count; None: it was delivered."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of a webhook's log."""

    event_id: str
    type: str
    subject: str
    """The document's id, or the name of the batch."""
    state: str
    """What has become of the event: `due`, `delivered` or `given_up`."""
    attempt: int
    at: datetime
    outcome: Try


class WebhookStore(Protocol):
    """Addresses, their events, and the log of their deliveries."""

    def add(self, webhook: Webhook) -> None:
        """Tell this address of what happens from now on."""
        ...

    def list(self, project_id: str | None = None) -> list[Webhook]:
        """All, or those of a project, oldest first."""
        ...

    def remove(self, webhook_id: str) -> bool:
        """Remove it with its events and its log; false if there is none."""
        ...

    def due(self) -> tuple[str, ...]:
        """Ids of the webhooks that have something to be delivered now."""
        ...

    def claim(self, webhook_id: str, lease_seconds: float) -> ClaimedEvent | None:
        """Take the event that is due longest, for one try; None if none is."""
        ...

    def note(self, event: ClaimedEvent, outcome: Try, again_seconds: float | None) -> bool:
        """Write down how the try went. After one that failed the event is due again in so many seconds, or
        with None given up. False: the lease had lapsed, and somebody else has claimed it.
        """
        ...

    def log(self, webhook_id: str, *, limit: int = 50) -> tuple[Delivery, ...]:
        """The newest tries, newest first."""
        ...

    def replay(
        self,
        webhook_id: str,
        *,
        event_id: str | None = None,
        since: datetime | None = None,
        given_up: bool = False,
    ) -> int:
        """Make events due again that have been delivered or given up: one, or those since a time, or with
        `given_up` only such. Returns how many.
        """
        ...
