"""A batch: documents that were submitted under one name, looked at together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from docpipe.errors import ConfigurationError, WaitTimeoutError
from docpipe.models.status import CANCELLED, COMPLETED, COMPLETED_WITH_WARNINGS, is_error, is_final
from docpipe.stores.port import Store
from docpipe.stores.values import Selection, Summary

_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How many documents of a batch there are, by their status."""

    name: str
    statuses: Mapping[str, int]

    @property
    def documents(self) -> int:
        return sum(self.statuses.values())

    @property
    def completed(self) -> int:
        """With warnings or without."""
        return self.statuses.get(COMPLETED, 0) + self.statuses.get(COMPLETED_WITH_WARNINGS, 0)

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if is_error(status))

    @property
    def cancelled(self) -> int:
        return self.statuses.get(CANCELLED, 0)

    @property
    def under_way(self) -> int:
        """Not final yet."""
        return sum(count for status, count in self.statuses.items() if not is_final(status))


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents that were submitted under one name, by one process or by several.

    A document that was known before, and began no new run, is not among them.
    """

    name: str
    store: Store

    def status(self) -> BatchStatus:
        """How many there are by their status. Raises `ConfigurationError`: there is no batch of that name."""
        found = BatchStatus(self.name, self.store.batch(self.name))
        if not found.documents:
            raise ConfigurationError(
                f"There is no batch {self.name!r}: nothing was submitted under that name."
            )
        return found

    def wait(self, timeout: float | None = None) -> BatchStatus:
        """Wait until all are final, at most `timeout` seconds. What failed raises nothing; see `report`.

        Raises:
            WaitTimeoutError: some are still being processed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.1
        while (found := self.status()).under_way:
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(
                    f"{found.under_way} of {found.documents} documents of batch {self.name!r} are not final"
                    f" after {timeout:g} s."
                )
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)
        return found

    def report(self, *, limit: int = 1000) -> list[Summary]:
        """Each document that failed or was cancelled, with its reason; the newest first."""
        ended = tuple(each for each in self.status().statuses if is_error(each) or each == CANCELLED)
        if not ended:
            return []
        return self.store.documents(Selection(batch=self.name, status=ended), limit=limit)
