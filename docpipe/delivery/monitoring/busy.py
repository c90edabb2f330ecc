"""Queues whose workers are alive and at work: there a canary waits, and nothing is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from docpipe.delivery.broker import WorkerReport, worker_reports
from docpipe.delivery.canvas import PAGES
from docpipe.delivery.monitoring.deployment import Deployment
from docpipe.execution.logs import get_logger
from docpipe.stores.statistics import RunningStage

log = get_logger(__name__)

INSPECT_SECONDS = 2.0


def busy_queues(deployment: Deployment, running: Iterable[RunningStage]) -> set[str]:
    """All queues of each worker that runs a stage under a lease that it keeps alive.

    A worker that does not say what it consumes counts for the queues of the stages it runs: it may be too
    busy to answer, and its lease says that it lives. Asks the workers, which takes two seconds.
    """
    working = [each for each in running if not deployment.policy.is_silent(each.lease_seconds)]
    if not working:
        return set()
    queue_of = {stage.name: stage.queue for stage in deployment.stages}
    names = {stage.task_name for stage in deployment.stages} | {PAGES}
    queues: set[str] = set()
    for report in _reports(deployment):
        processes = set(_processes(report.active, names))
        held = [each for each in working if _process_of(each) in processes]
        working = [each for each in working if each not in held]
        queues |= set(report.queues) if held else set()
    return queues | {queue_of[each.stage] for each in working}


def _reports(deployment: Deployment) -> list[WorkerReport]:
    try:
        return worker_reports(deployment.app, INSPECT_SECONDS)
    except (OSError, KombuError, RedisError) as error:
        log.warning("workers_not_asked", error=str(error))
        return []


def _processes(active: Sequence[Mapping[str, Any]], names: Collection[str]) -> Iterator[str]:
    """Those at a task of these names: which stage it is at the ledger knows, for it may go on in place."""
    return (str(task.get("worker_pid")) for task in active if task.get("name") in names)


def _process_of(running: RunningStage) -> str:
    """The ledger has the process that claimed the stage, at its host."""
    return (running.worker or "").rpartition(":")[2]
