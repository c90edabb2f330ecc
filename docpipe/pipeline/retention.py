"""Retention: what is older than the settings allow is removed, by the reaper."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from docpipe.execution.logs import get_logger
from docpipe.execution.policy import Retention
from docpipe.stores.port import Store

log = get_logger(__name__)

_ROUNDS = 50
"""Steps of one kind in one look, so that a large backlog does not keep the reaper from stalled runs."""
_DOCUMENTS, _LINES = 20, 10_000
"""Of one step: what the store removes in one transaction."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """What `Pipeline.reap` does beside resuming runs."""

    store: Store
    keep: Retention

    def forget_the_old(self) -> Counter[str]:
        """How many documents (`expired`) and statuses of their history (`history`) were removed.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            PermissionDeniedError: the role in use may not delete.
        """
        outcomes: Counter[str] = Counter()
        if self.keep.documents is not None:
            outcomes["expired"] += self._expire(self.keep.documents)
        if self.keep.history is not None:
            outcomes["history"] += self._forget_history(self.keep.history)
        return +outcomes

    def _expire(self, seconds: float) -> int:
        count = 0
        for _ in range(_ROUNDS):
            expired = self.store.expire(seconds, limit=_DOCUMENTS)
            for document_uuid in expired:
                log.info("document_expired", document=document_uuid)
            count += len(expired)
            if len(expired) < _DOCUMENTS:
                break
        return count

    def _forget_history(self, seconds: float) -> int:
        count = 0
        for _ in range(_ROUNDS):
            forgotten = self.store.forget_history(seconds, limit=_LINES)
            count += forgotten
            if forgotten < _LINES:
                break
        return count
