"""Who is notified of progress. Nothing is ever decided from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

PagesDone = Callable[[int, int | None], None]
"""Told how many pages of a document are done, of how many (None: not known); may raise to stop the work."""


class Progress(Protocol):
    """Notified of every change of state. Never raises: progress that is lost costs nothing."""

    def update_document_state(
        self, document_uuid: str, phase: str, status: str, metadata: Mapping[str, Any] | None = None
    ) -> None: ...

    def forget(self, document_uuid: str) -> bool | None:
        """The document is deleted. False: not forgotten yet, and this is called again."""
        ...


@runtime_checkable
class LastingProgress(Progress, Protocol):
    """Progress that is kept somewhere, where something of a deleted document may be left."""

    def left(self, document_uuid: str) -> int | None:
        """How many entries the document has; None if that cannot be looked at."""
        ...


@runtime_checkable
class LiveProgress(Progress, Protocol):
    """Progress that can be looked at."""

    def told(self, document_uuid: str, phase: str) -> Mapping[str, Any]:
        """The newest metadata of a phase; empty if there is none, or it cannot be looked at."""
        ...


class NoProgress:
    """For runs without Redis."""

    def update_document_state(
        self, document_uuid: str, phase: str, status: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        pass

    def forget(self, document_uuid: str) -> bool | None:
        pass
