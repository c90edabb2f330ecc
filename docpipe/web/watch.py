"""Looks at queues, stages and workers for everybody who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from docpipe.delivery.monitoring.snapshot import Snapshot, look
from docpipe.pipeline.pipeline import Pipeline

_KEEP_SECONDS = 1.0
_ASK_SECONDS = 1.0
_AGAIN_SECONDS = 5.0


class Watch:
    """Snapshots that wait for no worker: workers are asked beside, by one thread, however many watch.

    Args:
        keep_seconds: how long one look serves all who watch: it counts over all documents.
    """

    def __init__(self, pipeline: Pipeline, keep_seconds: float = _KEEP_SECONDS) -> None:
        self._pipeline, self._keep_seconds = pipeline, keep_seconds
        self._looking = threading.Lock()
        self._found: Snapshot | None = None
        self._stale = 0.0
        self._pool = ThreadPoolExecutor(1, "docpipe-watch")
        self._lock = threading.Lock()
        self._workers: Mapping[str, int] | None = None
        self._due = 0.0

    def snapshot(self) -> Snapshot:
        """How all stands now; `workers` is the answer of some seconds ago, None before the first one."""
        found = self._look()
        with self._lock:
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _AGAIN_SECONDS
                self._pool.submit(self._ask)
        return replace(found, workers=self._workers)

    def _look(self) -> Snapshot:
        with self._looking:
            if self._found is None or time.monotonic() >= self._stale:
                self._found = look(self._pipeline.deployment, inspect_seconds=None)
                self._stale = time.monotonic() + self._keep_seconds
            return self._found

    def _ask(self) -> None:
        self._workers = look(self._pipeline.deployment, inspect_seconds=_ASK_SECONDS, limit=1).workers
