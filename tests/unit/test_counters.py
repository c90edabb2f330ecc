"""Counters of attempts, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from docpipe.delivery.monitoring.counters import BOUNDS, Attempts
from docpipe.errors import StoreUnavailableError
from docpipe.execution.trace_context import trace_id_of
from docpipe.models.status import AttemptEnd
from docpipe.stores.telemetry_port import EndedAttempt, EndedAttempts, EndedRun

AT = datetime(2026, 11, 30, tzinfo=UTC)
NEWEST = EndedAttempt("d1", None, 0.75, AT)
COMPLETE = EndedAttempts("ocr", AttemptEnd.COMPLETE, "", 2, 3, 2.5, NEWEST)
LOST = EndedAttempts("ocr", AttemptEnd.LOST, "worker_lost", 5, 1, 9.0, NEWEST)
LONG = EndedAttempts("ocr", AttemptEnd.COMPLETE, "", len(BOUNDS), 1, 4000.0, NEWEST)
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Looks:
    """A store's answers, one for each look; None: it is away."""

    def __init__(self, *answers: list[EndedAttempts] | None) -> None:
        self.answers, self.asked = list(answers), list[datetime | None]()

    def ended(
        self, after: datetime | None, bounds: Sequence[float], *, lag_seconds: float = 10.0
    ) -> tuple[datetime, list[EndedAttempts]]:
        self.asked.append(after)
        answer = self.answers.pop(0)
        if answer is None:
            raise StoreUnavailableError("The store is away.")
        return AT, answer

    def untraced(self, *, seconds: float, limit: int = 100) -> list[EndedRun]:
        return []

    def traced(self, run: EndedRun) -> bool:
        return False


def registry_of(attempts: Attempts) -> CollectorRegistry:
    class Scrape(Collector):
        collect = staticmethod(attempts.metrics)

    registry = CollectorRegistry()
    registry.register(Scrape())
    return registry


def scraped(attempts: Attempts) -> dict[str, float]:
    lines = generate_latest(registry_of(attempts)).decode().splitlines()
    return {
        name: float(value) for name, _, value in (each.rpartition(" ") for each in lines if each[0] != "#")
    }


def test_each_look_adds_to_the_counters_and_an_outage_takes_nothing_away() -> None:
    looks = Looks([], [COMPLETE, LOST], None, [COMPLETE])
    attempts = Attempts(looks)
    for _ in range(4):
        attempts.look()
    found = scraped(attempts)
    assert looks.asked == [None, AT, AT, AT]
    assert found['docpipe_attempts_total{code="",ended="complete",stage="ocr"}'] == 6
    assert found['docpipe_attempts_total{code="worker_lost",ended="lost",stage="ocr"}'] == 1


def test_the_working_time_of_completed_attempts_is_a_histogram() -> None:
    attempts = Attempts(Looks([COMPLETE, LONG, LOST]))
    attempts.look()
    found = scraped(attempts)
    buckets = {
        bound: found[f'docpipe_attempt_seconds_bucket{{le="{bound}",stage="ocr"}}']
        for bound in ("0.5", "1.0", "1800.0", "+Inf")
    }
    assert buckets == {"0.5": 0, "1.0": 3, "1800.0": 3, "+Inf": 4}
    assert found['docpipe_attempt_seconds_count{stage="ocr"}'] == 4
    assert found['docpipe_attempt_seconds_sum{stage="ocr"}'] == 4002.5


def exemplars(attempts: Attempts) -> dict[str, tuple[str, float, float]]:
    """Trace id, seconds and time by the bucket's bound, as a reader of OpenMetrics finds them."""
    text = openmetrics.generate_latest(registry_of(attempts)).decode()  # type: ignore[no-untyped-call]
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels["le"]: (found.labels["trace_id"], found.value, float(found.timestamp or 0))
        for sample in samples
        if (found := sample.exemplar) is not None
    }


@pytest.mark.parametrize(
    ("parent", "traced", "trace"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", False, TRACE),
        (f"00-{TRACE}-b7ad6b7169203331-01", True, TRACE),
        (f"00-{TRACE}-b7ad6b7169203331-00", True, None),
        (None, True, f"{trace_id_of('d1', None):032x}"),
        (None, False, None),
    ],
)
def test_a_bucket_names_the_trace_of_its_newest_attempt_where_it_has_one(
    parent: str | None, traced: bool, trace: str | None
) -> None:
    newest = replace(COMPLETE, newest=replace(NEWEST, trace_parent=parent))
    attempts = Attempts(Looks([newest, LOST]), traced=traced)
    attempts.look()
    assert exemplars(attempts) == ({} if trace is None else {"1.0": (trace, 0.75, AT.timestamp())})
