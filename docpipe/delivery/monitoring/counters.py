"""Counters and a histogram of attempts, for as long as the process that is scraped lives.

A look reads what has ended since the one before, so a scrape costs what happened meanwhile, and not the whole
ledger.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, Exemplar, HistogramMetricFamily, Metric

from docpipe.errors import DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.execution.trace_context import TraceContext, trace_id_of
from docpipe.models.status import AttemptEnd
from docpipe.stores.telemetry_port import EndedAttempt, EndedAttempts, Telemetry

log = get_logger(__name__)

BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds of work; the last is a stage's usual time limit."""
Bucket = tuple[str, float] | tuple[str, float, Exemplar]


class Attempts:
    """What has ended since the process began to count.

    Args:
        traced: whether runs are traced that were submitted in no span of the host's.
    """

    def __init__(self, telemetry: Telemetry, *, traced: bool = False) -> None:
        self._telemetry, self._traced = telemetry, traced
        self._until: datetime | None = None
        self._lock = threading.Lock()
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._exemplars: dict[tuple[str, int], Exemplar] = {}

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
            if (exemplar := self._exemplar(each.newest)) is not None:
                self._exemplars[each.stage, each.bucket] = exemplar

    def _exemplar(self, attempt: EndedAttempt) -> Exemplar | None:
        """The attempt's trace; None where there is none."""
        parent = TraceContext.parsed(attempt.trace_parent)
        if not (self._traced if parent is None else parent.sampled):
            return None
        trace_id = trace_id_of(attempt.document_uuid, parent)
        return Exemplar({"trace_id": f"{trace_id:032x}"}, attempt.seconds, attempt.ended_at.timestamp())

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
            work.add_metric((stage,), list(self._cumulated(stage, buckets)), self._seconds[stage])
        yield work

    def _cumulated(self, stage: str, buckets: list[int]) -> Iterator[Bucket]:
        total = 0
        for place, bound in enumerate((*map(str, BOUNDS), "+Inf")):
            total += buckets[place]
            exemplar = self._exemplars.get((stage, place))
            yield (bound, total) if exemplar is None else (bound, total, exemplar)
