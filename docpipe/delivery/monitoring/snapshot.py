"""One look at everything: the canonical tables, Redis and the workers. It changes nothing.

What cannot be read is reported in `problems` and is None here: never an empty list, never zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from docpipe.delivery.broker import QueueDepth, active_queues
from docpipe.delivery.monitoring.deployment import NOT_REDIS, Deployment
from docpipe.delivery.recovery import lost_in
from docpipe.errors import BrokerUnavailableError, DocpipeError
from docpipe.execution.plan import StageSpec
from docpipe.models.status import CANCELLED, COMPLETED, COMPLETED_WITH_WARNINGS, PENDING, StageState
from docpipe.stores.pause_port import Pause
from docpipe.stores.statistics import DocumentCount, RunningStage, StageCount, Statistics
from docpipe.stores.values import Stalled


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read: `redis`, `store` or `workers`, and why."""

    part: str
    message: str


@dataclass(frozen=True, slots=True)
class StuckStage:
    """A stage that is due and has no worker: the reaper resumes it next."""

    document_uuid: str
    run: int
    stage: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where everything stands at one moment."""

    at: datetime
    window_seconds: float
    """How far back completions, failures and times reach."""
    problems: tuple[Problem, ...]
    queues: Mapping[str, QueueDepth] | None
    workers: Mapping[str, int] | None
    """How many workers consume each queue; None when none answered in time."""
    statistics: Statistics | None
    stuck: tuple[StuckStage, ...] | None
    """None, too, when nobody asked for them."""
    unknown_statuses: tuple[str, ...]
    """Words in `celery_status` that are not docpipe's."""
    paused: tuple[Pause, ...] | None = None


def look(
    deployment: Deployment,
    *,
    window_seconds: float = 3600.0,
    inspect_seconds: float | None = 1.0,
    limit: int = 100,
    find_stuck: bool = True,
) -> Snapshot:
    """Look once; takes about `inspect_seconds`, the time that workers are given to answer.

    Args:
        window_seconds: how far back completions, failures and times reach.
        inspect_seconds: None does not ask the workers.
        limit: the most running and stuck stages that are listed.
        find_stuck: compare all that waits with the messages in the queues, which costs most of a look.

    """
    problems: list[Problem] = []
    depths, answers = _depths(deployment, problems)
    workers = None
    if answers and inspect_seconds is not None:
        workers = _workers(deployment.app, inspect_seconds, problems)
    statistics = _statistics(deployment, problems, window_seconds, limit)
    paused = None if statistics is None else _paused(deployment, problems)
    stuck = None
    if find_stuck and statistics is not None and answers:
        stuck = _stuck(deployment, statistics, limit, problems)
    return Snapshot(
        at=datetime.now(UTC),
        window_seconds=window_seconds,
        problems=tuple(problems),
        queues=depths,
        workers=workers,
        statistics=statistics,
        stuck=stuck,
        paused=paused,
        unknown_statuses=_unknown(deployment.stages, statistics.documents if statistics else ()),
    )


def count_workers(deployment: Deployment, inspect_seconds: float) -> Mapping[str, int] | None:
    """How many workers consume each queue; None when the broker is away or none answered in time."""
    _, answers = _depths(deployment, [])
    return _workers(deployment.app, inspect_seconds, []) if answers else None


def _depths(deployment: Deployment, problems: list[Problem]) -> tuple[dict[str, QueueDepth] | None, bool]:
    """What waits, and whether the broker answers."""
    try:
        found = deployment.broker.counts(deployment.queues)
    except BrokerUnavailableError as error:
        problems.append(Problem("redis", str(error)))
        return None, False
    if not deployment.broker.is_redis:
        problems.append(Problem("redis", NOT_REDIS))
    return found, True


def _workers(app: Celery, seconds: float, problems: list[Problem]) -> dict[str, int] | None:
    try:
        answers = active_queues(app, seconds)
    except (OSError, KombuError, RedisError) as error:
        problems.append(Problem("workers", f"Workers cannot be asked: {error}."))
        return None
    if not answers:
        problems.append(Problem("workers", f"No worker answered within {seconds:g} s."))
        return None
    return dict(Counter(queue["name"] for queues in answers.values() for queue in queues))


def _statistics(
    deployment: Deployment, problems: list[Problem], window_seconds: float, limit: int
) -> Statistics | None:
    try:
        found = deployment.store.statistics(window_seconds=window_seconds, limit=limit)
    except DocpipeError as error:
        problems.append(Problem("store", str(error)))
        return None
    return replace(found, stages=_every(deployment.stages, found.stages))


def _paused(deployment: Deployment, problems: list[Problem]) -> tuple[Pause, ...] | None:
    try:
        return tuple(deployment.store.paused())
    except DocpipeError as error:
        problems.append(Problem("store", str(error)))
        return None


def _every(specs: Sequence[StageSpec], counted: Sequence[StageCount]) -> tuple[StageCount, ...]:
    """The pipeline's stages, those without work too, and then those of pipelines before it."""
    by_name = {count.stage: count for count in counted}
    own = [by_name.pop(spec.name, StageCount(spec.name)) for spec in specs]
    return (*own, *by_name.values())


def _stuck(
    deployment: Deployment, statistics: Statistics, limit: int, problems: list[Problem]
) -> tuple[StuckStage, ...] | None:
    """What the reaper would resume now: the message or the worker is lost."""
    try:
        grace_seconds = deployment.policy.grace_seconds
        lost = lost_in(deployment.broker, deployment.store, deployment.queues, grace_seconds)
    except DocpipeError as error:
        part = "redis" if isinstance(error, BrokerUnavailableError) else "store"
        problems.append(Problem(part, str(error)))
        return None
    silent = {(each.document_uuid, each.run): each for each in statistics.running if each.lease_seconds < 0}
    return tuple(
        _stuck_stage(each, silent.get((each.ref.document_uuid, each.ref.run))) for each in lost[:limit]
    )


def _stuck_stage(stalled: Stalled, silent: RunningStage | None) -> StuckStage:
    reason = "its message is in no queue"
    if silent is not None:
        reason = f"worker {silent.worker} is silent since its lease lapsed {-silent.lease_seconds:.0f} s ago"
    elif stalled.state is StageState.RUNNING:
        reason = "its worker is silent"
    ref = stalled.ref
    return StuckStage(ref.document_uuid, ref.run, stalled.stage, stalled.state.value, reason)


def _unknown(stages: Sequence[StageSpec], documents: Sequence[DocumentCount]) -> tuple[str, ...]:
    known: set[str | None] = {PENDING, COMPLETED, COMPLETED_WITH_WARNINGS, CANCELLED}
    for spec in stages:
        words = spec.words
        known |= {words.queued, words.processing, words.complete, words.error}
    return tuple(sorted({each.status or "" for each in documents if each.status not in known}))
