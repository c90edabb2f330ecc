"""Looks at queues, stages and workers for everybody who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from docpipe.delivery.monitoring.snapshot import Snapshot, count_workers, look
from docpipe.pipeline.pipeline import Pipeline

_KEEP_SECONDS = 1.0
_SERVE_SECONDS = 60.0
_ASK_SECONDS = 1.0
_AGAIN_SECONDS = 5.0


class Watch:
    """Snapshots that nobody waits for, but the first in a minute: another thread looks anew, however many
    watch, since a look counts over all documents; and it asks the workers.

    Args:
        keep_seconds: how long one look serves all who watch before it is taken anew.
        serve_seconds: how old a look may be that is shown while a new one is taken.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        keep_seconds: float = _KEEP_SECONDS,
        serve_seconds: float = _SERVE_SECONDS,
    ) -> None:
        self._pipeline, self._keep_seconds, self._serve_seconds = pipeline, keep_seconds, serve_seconds
        self._looking = threading.Lock()
        self._found: Snapshot | None = None
        self._taken = 0.0
        self._anew: Future[None] | None = None
        self._pool = ThreadPoolExecutor(2, "docpipe-watch")
        self._lock = threading.Lock()
        self._workers: Mapping[str, int] | None = None
        self._due = 0.0

    def snapshot(self) -> Snapshot:
        """How all stands, or stood some seconds ago (`at`); `workers` is None before they first answered."""
        with self._lock:
            age, found = time.monotonic() - self._taken, self._found
            if age >= self._serve_seconds:
                found = None
            elif (
                found is not None and age >= self._keep_seconds and (self._anew is None or self._anew.done())
            ):
                self._anew = self._pool.submit(self._look)
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _AGAIN_SECONDS
                self._pool.submit(self._ask)
        return replace(found or self._waited_for(), workers=self._workers)

    def _waited_for(self) -> Snapshot:
        """One that begins now, or that another began while this one waited."""
        asked = time.monotonic()
        with self._looking:
            if self._found is None or self._taken < asked:
                self._look()
            assert self._found is not None
            return self._found

    def _look(self) -> None:
        begun = time.monotonic()
        found = look(self._pipeline.deployment, inspect_seconds=None, find_stuck=False)
        self._found, self._taken = found, begun

    def _ask(self) -> None:
        self._workers = count_workers(self._pipeline.deployment, _ASK_SECONDS)
