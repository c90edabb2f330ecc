"""Pauses in Postgres: calls of `sql/*_docpipe_pauses.sql`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

from docpipe.models import Ref
from docpipe.stores import rows
from docpipe.stores.pause_port import Pause, Paused, Released


class FunctionPauses(ABC):
    """The part of `FunctionStore` that `PauseStore` describes."""

    @abstractmethod
    def _rpc(self, function: str, **arguments: Any) -> Any: ...

    def pause(self, pause: Pause) -> bool:
        return bool(self._rpc("pause", p_kind=pause.kind.value, p_name=pause.name, p_paused=True))

    def unpause(self, pause: Pause) -> bool:
        return bool(self._rpc("pause", p_kind=pause.kind.value, p_name=pause.name, p_paused=False))

    def paused(self) -> list[Pause]:
        return [
            Pause(Paused(row["kind"]), row["name"], datetime.fromisoformat(row["at"]).astimezone(UTC))
            for row in self._rpc("paused")
        ]

    def release(self, *, ranges_at_once: int = 1, limit: int = 500) -> list[Released]:
        return [released_of(row) for row in self._rpc("release", p_limit=limit, p_at_once=ranges_at_once)]


def released_of(row: rows.Row) -> Released:
    """What is published of a run that goes on, as the functions answer it."""
    return Released(
        Ref(row["document_uuid"], row["run"]),
        row["stage"],
        row["priority"],
        row["task_id"],
        None if row["first_pages"] is None else tuple(row["first_pages"]),
    )
