"""Queues whose workers are alive and at work: there a canary waits, and nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from docpipe.delivery.broker import WorkerReport, worker_reports
from docpipe.delivery.monitoring.deployment import Deployment
from docpipe.execution.logs import get_logger
from docpipe.stores.statistics import RunningStage, Statistics

log = get_logger(__name__)

_INSPECT_SECONDS = 2.0


def busy_queues(deployment: Deployment, statistics: Statistics) -> set[str]:
    """All queues of each worker that runs a stage under a live lease.

    A worker that does not say what it consumes counts for the queues of the stages it runs: it may be too
    busy to answer, and its lease says that it lives. Asks the workers, which takes two seconds.
    """
    working = [each for each in statistics.running if each.lease_seconds > 0]
    if not working:
        return set()
    of_stage = {stage.name: stage for stage in deployment.stages}
    queues: set[str] = set()
    for report in _reports(deployment):
        held = [each for each in working if _runs(report, each, of_stage[each.stage].task_name)]
        working = [each for each in working if each not in held]
        queues |= set(report.queues) if held else set()
    return queues | {of_stage[each.stage].queue for each in working}


def _reports(deployment: Deployment) -> list[WorkerReport]:
    try:
        return worker_reports(deployment.app, _INSPECT_SECONDS)
    except (OSError, KombuError, RedisError) as error:
        log.warning("workers_not_asked", error=str(error))
        return []


def _runs(report: WorkerReport, running: RunningStage, task_name: str) -> bool:
    """Whether it is this worker's: the ledger has the process that claimed the stage, at its host."""
    _, _, pid = (running.worker or "").rpartition(":")
    return (task_name, pid) in set(_processes(report.active))


def _processes(active: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for task in active:
        yield str(task.get("name")), str(task.get("worker_pid"))
