"""What is paused, and the runs that are held for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from docpipe.models import Ref


class Paused(StrEnum):
    """What a pause is of."""

    ALL = "all"
    STAGE = "stage"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Pause:
    """No attempt begins at what is paused; what works already ends its stage.

    Args:
        name: of the stage, or the project; `""` of the documents without a project.
        at: since when.
    """

    kind: Paused = Paused.ALL
    name: str = ""
    at: datetime | None = None

    def holds(self, stage: str, project_id: str | None) -> bool:
        """Whether it is a pause of this stage of a document."""
        return self.kind is Paused.ALL or self.name == (
            stage if self.kind is Paused.STAGE else project_id or ""
        )

    def __str__(self) -> str:
        what = {Paused.ALL: "everything", Paused.STAGE: f"stage {self.name}"}
        since = f" since {self.at:%Y-%m-%d %H:%M} UTC" if self.at else ""
        return what.get(self.kind, f"project {self.name!a}") + f" is paused{since}"


@dataclass(frozen=True, slots=True)
class Released:
    """A run that is held no longer, and what is to be published: ranges of pages, or (None) the stage."""

    ref: Ref
    stage: str
    priority: int
    task_id: str
    first_pages: tuple[int, ...] | None = None


class PauseStore(Protocol):
    """The part of a store that pauses."""

    def pause(self, pause: Pause) -> bool:
        """Let no attempt begin there; false if it was paused before. A claim answers `paused`, its message is
        let go, and the run is held in the ledger.
        """
        ...

    def unpause(self, pause: Pause) -> bool:
        """Take it back; false if it was not paused. Then `release` what was held."""
        ...

    def paused(self) -> list[Pause]:
        """All that is paused, the oldest first."""
        ...

    def release(self, *, ranges_at_once: int = 1, limit: int = 500) -> list[Released]:
        """Runs that were held and are not paused any more; by priority, and then those held for longest. They
        are queued again, and to be published now.
        """
        ...
