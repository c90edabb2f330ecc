"""The monitor's numbers for Prometheus: one process reads store and broker when it is scraped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from docpipe.delivery.monitoring.counters import Attempts
from docpipe.delivery.monitoring.deployment import Deployment
from docpipe.delivery.monitoring.snapshot import Snapshot, look
from docpipe.stores.statistics import Statistics

Sample = tuple[tuple[str, ...], float | None]


class Snapshots(Collector):
    """Takes a snapshot per scrape. What could not be read has no sample, and `docpipe_up` is 0 for it."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._attempts = Attempts(deployment.store.telemetry, traced=deployment.traced)
        self._attempts.look()  # what ended before is not counted

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the services."""
        return ()

    def collect(self) -> Iterable[Metric]:
        self._attempts.look()
        yield from metrics_of(look(self._deployment))
        yield from self._attempts.metrics()


@contextmanager
def serve(deployment: Deployment, port: int, address: str = "127.0.0.1") -> Iterator[None]:
    """Answer scrapes at `http://address:port/metrics` for the time of the `with` block.

    Raises:
        OSError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(Snapshots(deployment))
    server, thread = start_http_server(port, address, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def metrics_of(snapshot: Snapshot) -> Iterator[Metric]:
    """A snapshot as metric families."""
    read = {
        "redis": snapshot.queues is not None,
        "store": snapshot.statistics is not None,
        "workers": snapshot.workers is not None,
    }
    up = [((part,), float(was_read)) for part, was_read in read.items()]
    yield _gauge("up", "Whether this part could be read (1) or not (0).", ("part",), up)
    yield from _queues(snapshot)
    if snapshot.statistics is not None:
        yield from _counts(snapshot.statistics)
        yield from _times(snapshot.statistics)
    if snapshot.stuck is not None:
        stuck = [((), float(len(snapshot.stuck)))]
        yield _gauge("stuck_stages", "Stages that are due and have no worker.", (), stuck)


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"docpipe_{name}", text, labels=labels)
    for values, number in samples:
        if number is not None:
            family.add_metric(values, number)
    return family


def _queues(snapshot: Snapshot) -> Iterator[Metric]:
    if snapshot.queues is None:
        return
    states = ("waiting", "unacknowledged", "delayed")
    depths = [
        ((queue, state), float(number))
        for queue, depth in snapshot.queues.items()
        for state in states
        if (number := getattr(depth, state)) is not None
    ]
    yield _gauge("queue_messages", "Messages per queue.", ("queue", "state"), depths)
    if snapshot.workers is not None:
        workers = [((queue,), float(snapshot.workers.get(queue, 0))) for queue in snapshot.queues]
        yield _gauge("queue_workers", "Workers that consume the queue.", ("queue",), workers)


def _counts(found: Statistics) -> Iterator[Metric]:
    documents = [
        ((each.status or "", each.project_id or ""), float(each.documents)) for each in found.documents
    ]
    yield _gauge("documents", "Documents by status and project.", ("status", "project"), documents)
    states = ("waiting", "retrying", "running", "completed", "failed")
    stages = [((each.stage, state), float(getattr(each, state))) for each in found.stages for state in states]
    yield _gauge(
        "stages", "Stages by state; completed and failed: in the last hour.", ("stage", "state"), stages
    )
    failures = [((each.stage, each.code), float(each.failures)) for each in found.failures]
    yield _gauge("failures", "Stages that failed in the last hour, by error.", ("stage", "code"), failures)
    completed = [((), float(found.completed))]
    yield _gauge("documents_completed", "Documents completed in the last hour.", (), completed)
    yield _gauge("quarantined", "Documents in quarantine.", (), [((), float(found.quarantined))])


def _times(found: Statistics) -> Iterator[Metric]:
    oldest: list[Sample] = [((each.stage,), each.oldest_waiting_seconds) for each in found.stages]
    yield _gauge("oldest_waiting_seconds", "Since the oldest message of the stage.", ("stage",), oldest)
    labels = ("stage", "quantile")
    work: list[Sample] = []
    wait: list[Sample] = []
    for each in found.stages:
        work += [((each.stage, "0.5"), each.p50_seconds), ((each.stage, "0.95"), each.p95_seconds)]
        wait += [((each.stage, "0.5"), each.wait_p50_seconds), ((each.stage, "0.95"), each.wait_p95_seconds)]
    yield _gauge("stage_seconds", "Time a stage takes, last hour.", labels, work)
    yield _gauge("stage_wait_seconds", "Time between a stage's message and its start.", labels, wait)
