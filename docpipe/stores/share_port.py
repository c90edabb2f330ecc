"""How many documents may be in flight, and the runs that wait until it is their turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from docpipe.stores.pause_port import Released


@dataclass(frozen=True, slots=True)
class Limit:
    """Of all documents, or of a project's.

    Args:
        project_id: None: of all projects together; `""`: of the documents without one.
        in_flight: how many are published and have not ended, at a time; None: no limit.
        per_day: how many are let in during a day of UTC; None: no limit.
        weight: a project's part where several wait: with 2 it has twice as many in flight as one with 1.
    """

    project_id: str | None = None
    in_flight: int | None = None
    per_day: int | None = None
    weight: float = 1.0

    @property
    def limits(self) -> bool:
        """A weight alone limits nothing."""
        return self.in_flight is not None or self.per_day is not None


def limit_of(limits: Sequence[Limit], project_id: str | None) -> Limit:
    """That of the project, or of all documents: one that says nothing if there is none."""
    return next((each for each in limits if each.project_id == project_id), Limit(project_id))


@dataclass(frozen=True, slots=True)
class Share:
    """What a project has of the documents in flight.

    Args:
        project_id: `""`: documents without one; None: documents that were under way when nothing was limited.
        waiting: `pending`, and published when others have ended.
        today: let in since midnight, UTC.
    """

    project_id: str | None
    in_flight: int = 0
    waiting: int = 0
    today: int = 0


class ShareStore(Protocol):
    """The part of a store that limits what is in flight. Where something does, `queue` is answered false."""

    def limit(self, limit: Limit) -> None:
        """Set the limit in place of an earlier one; one that says nothing takes it away. Then `admit`."""
        ...

    def limits(self) -> list[Limit]:
        """All limits and weights: that of all documents first, then by project."""
        ...

    def shares(self) -> list[Share]:
        """Of every project that has documents in flight or waiting, or a limit."""
        ...

    def admit(self, *, limit: int = 500) -> Sequence[Released]:
        """Let in runs that wait, as the limits allow it: by priority, and among equals the project that
        has the least in flight for its weight. They are queued, and to be published now.
        """
        ...
