"""Counters and a histogram of attempts, for as long as the process that is scraped lives.

A look reads what has ended since the one before, so a scrape costs what happened meanwhile, and not the whole
ledger.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from docpipe.errors import DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.models.status import AttemptEnd
from docpipe.stores.telemetry_port import EndedAttempts, Telemetry

log = get_logger(__name__)

BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds of work; the last is a stage's usual time limit."""


class Attempts:
    """What has ended since the process began to count."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._until: datetime | None = None
        self._lock = threading.Lock()
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def look(self) -> None:
        """Add what ended since the last look. Where the store is away, the next look adds it."""
        with self._lock:
            try:
                self._until, found = self._telemetry.ended(self._until, BOUNDS)
            except DocpipeError as error:
                log.warning("attempts_not_counted", error=str(error))
                return
            for each in found:
                self._add(each)

    def _add(self, each: EndedAttempts) -> None:
        self._ended[each.stage, each.ended.value, each.code] += each.attempts
        if each.ended is AttemptEnd.COMPLETE:
            buckets = self._buckets.setdefault(each.stage, [0] * (len(BOUNDS) + 1))
            buckets[each.bucket] += each.attempts
            self._seconds[each.stage] += each.seconds

    def metrics(self) -> Iterator[Metric]:
        ended = CounterMetricFamily(
            "docpipe_attempts", "Attempts that ended, by how and why.", labels=("stage", "ended", "code")
        )
        for labels, number in sorted(self._ended.items()):
            ended.add_metric(labels, number)
        yield ended
        work = HistogramMetricFamily(
            "docpipe_attempt_seconds", "Working time of attempts that completed.", labels=("stage",)
        )
        for stage, buckets in sorted(self._buckets.items()):
            work.add_metric((stage,), list(_cumulated(buckets)), self._seconds[stage])
        yield work


def _cumulated(buckets: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
        total += number
        yield bound, total
