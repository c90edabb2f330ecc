"""Looks at queues, stages and workers for everybody who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from docpipe.delivery.monitoring.snapshot import Snapshot, look
from docpipe.pipeline.pipeline import Pipeline

_ASK_SECONDS = 1.0
_AGAIN_SECONDS = 5.0


class Watch:
    """Snapshots that wait for no worker: workers are asked beside, by one thread, however many watch."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._pool = ThreadPoolExecutor(1, "docpipe-watch")
        self._lock = threading.Lock()
        self._workers: Mapping[str, int] | None = None
        self._due = 0.0

    def snapshot(self) -> Snapshot:
        """How all stands now; `workers` is the answer of some seconds ago, None before the first one."""
        found = look(self._pipeline.deployment, inspect_seconds=None)
        with self._lock:
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _AGAIN_SECONDS
                self._pool.submit(self._ask)
        return replace(found, workers=self._workers)

    def _ask(self) -> None:
        self._workers = look(self._pipeline.deployment, inspect_seconds=_ASK_SECONDS, limit=1).workers
