"""Health: can a document that is submitted now get through? One answer, with a reason and a remedy each.

A worker that answers a ping may still consume nothing (it lost its consumer when Redis went away and came
back), so every queue is sent a canary: a small task that must come back. A queue whose workers are busy
is as good: there the canary waits behind work that a living worker holds. A worker on many queues is busy
for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from docpipe.delivery.broker import QueueDepth
from docpipe.delivery.canvas import CANARY
from docpipe.delivery.monitoring.busy import busy_queues
from docpipe.delivery.monitoring.deployment import NOT_REDIS, Deployment
from docpipe.delivery.monitoring.liveness import workers_here
from docpipe.errors import BrokerUnavailableError, ConfigurationError, DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.stores.statistics import RunningStage, Statistics

log = get_logger(__name__)

_CANARY_LIVES_SECONDS = 60.0
"""So many canaries at most wait in a queue without a consumer: one a minute, and each expires."""
_POLL_SECONDS = 0.05
_NEVER = 1 << 62
_LISTED = 1000


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Somebody should look at it; documents get through."""
    WRONG = "wrong"
    """Documents do not get through."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; the message of a bad one says what to do."""

    check: str
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """All checks; `ok` while none of them is wrong."""

    ok: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Beyond these, something is wrong."""

    depth: int = 1000
    """Messages that wait in one queue."""
    age_seconds: float = 3600.0
    """Since the message of the run that waits longest, and the first one where that was sent again."""
    canary_seconds: float = 10.0
    """Until a canary must be back; 0 sends none."""


def examine_health(deployment: Deployment, thresholds: Thresholds = Thresholds()) -> Health:
    """Check broker, store, schema, consumers, queues, leases and quarantine.

    Takes milliseconds while all is well, and at most `thresholds.canary_seconds` and the services' time-outs
    (30 seconds for the store, 10 for Redis) when it is not. Raises nothing for a service that is away.
    """
    checks = tuple(_checks(deployment, thresholds))
    return Health(all(each.level is not Level.WRONG for each in checks), checks)


def examine_readiness(deployment: Deployment) -> Health:
    """Check broker, store and schema only: can documents be submitted, and can work be recorded?"""
    broker, _ = _broker(deployment)
    store, _ = _store(deployment)
    checks = (broker, *store)
    return Health(all(each.level is not Level.WRONG for each in checks), checks)


def examine_liveness() -> Health:
    """Whether there is a worker of this user on this machine, and each is alive. Asks no service."""
    found = [_worker(pid, wrong) for pid, wrong in workers_here().items()]
    if not found:
        found = [Check("worker", Level.WRONG, "no worker of this user runs here. Start one: docpipe worker")]
    return Health(all(each.level is Level.OK for each in found), tuple(found))


def _worker(pid: int, wrong: str | None) -> Check:
    if wrong is None:
        return Check(f"worker {pid}", Level.OK, "alive")
    return Check(f"worker {pid}", Level.WRONG, f"{wrong}. Restart it.")


def _checks(deployment: Deployment, thresholds: Thresholds) -> Iterator[Check]:
    broker, depths = _broker(deployment)
    yield broker
    sends = broker.level is Level.OK and thresholds.canary_seconds
    canaries = _send_canaries(deployment) if sends else {}
    store, statistics = _store(deployment)
    yield from store
    yield from _consumers(deployment, canaries, thresholds.canary_seconds)
    if broker.level is Level.WARNING:
        yield from _told_consumers(deployment)
    if depths is not None:
        yield from _depths(depths, thresholds.depth)
    if statistics is not None:
        yield _age(statistics, thresholds.age_seconds)
        yield _leases(deployment, statistics)
        yield _quarantine(statistics)


def _broker(deployment: Deployment) -> tuple[Check, dict[str, QueueDepth] | None]:
    try:
        depths = deployment.broker.counts(deployment.queues)
    except BrokerUnavailableError as error:
        message = f"{error} Start it, or correct CELERY_BROKER_URL or REDIS_URL."
        return Check("broker", Level.WRONG, message), None
    if not deployment.broker.is_redis:
        return Check("broker", Level.WARNING, f"answers. {NOT_REDIS}"), depths
    return Check("broker", Level.OK, "Redis answers"), depths


def _store(deployment: Deployment) -> tuple[list[Check], Statistics | None]:
    try:
        statistics = deployment.store.statistics(limit=_LISTED)
        lacking, paused = deployment.store.check(), deployment.store.paused()
    except ConfigurationError as error:
        return [Check("schema", Level.WRONG, str(error))], None
    except DocpipeError as error:
        message = f"{error} Start it, or correct SUPABASE_URL or DOCPIPE_STORE."
        return [Check("store", Level.WRONG, message)], None
    checks = [Check("store", Level.OK, f"{deployment.store.fingerprint} answers")]
    checks += [Check("schema", Level.WRONG, line) for line in lacking]
    if not lacking:
        checks.append(Check("schema", Level.OK, "the schema is up to date"))
    checks += [Check("paused", Level.WARNING, f"{pause}. End it: docpipe resume") for pause in paused]
    return checks, statistics


def _send_canaries(deployment: Deployment) -> dict[str, int]:
    """Send one to each queue that has none on its way; returns the numbers to wait for.

    A queue whose canary could not be sent is missed like one whose canary does not come back.
    """
    numbers = {}
    for queue in deployment.queues:
        try:
            numbers[queue], new = deployment.broker.next_canary(queue, _CANARY_LIVES_SECONDS)
            if new:
                arguments = (queue, numbers[queue])
                deployment.app.send_task(
                    CANARY, args=arguments, queue=queue, expires=_CANARY_LIVES_SECONDS, retry=False
                )
        except (BrokerUnavailableError, KombuError, RedisError, OSError) as error:
            log.warning("canary_not_sent", queue=queue, error=str(error))
            numbers.setdefault(queue, _NEVER)
    return numbers


def _consumers(deployment: Deployment, canaries: dict[str, int], seconds: float) -> Iterator[Check]:
    try:
        silent = _wait_for(deployment, canaries, seconds)
    except BrokerUnavailableError as error:
        yield Check("consumers", Level.WRONG, str(error))
        return
    busy = busy_queues(deployment, _running(deployment)) if silent else set()
    for queue in canaries:
        yield _consumer(queue, queue in silent, queue in busy, seconds)


def _running(deployment: Deployment) -> Sequence[RunningStage]:
    """What runs now: somebody may have begun, or have fallen silent, while the canaries were awaited."""
    try:
        return deployment.store.statistics(limit=_LISTED).running
    except DocpipeError as error:
        log.warning("workers_not_known", error=str(error))
        return ()


def _wait_for(deployment: Deployment, canaries: dict[str, int], seconds: float) -> set[str]:
    """The queues whose canary does not come back in time."""
    deadline = time.monotonic() + seconds
    silent = set(canaries)
    while True:
        silent = {queue for queue in silent if deployment.broker.newest_back(queue) < canaries[queue]}
        if not silent or time.monotonic() >= deadline:
            return silent
        time.sleep(_POLL_SECONDS)


def _consumer(queue: str, silent: bool, busy: bool, seconds: float) -> Check:
    name = f"queue {queue}"
    if not silent:
        return Check(name, Level.OK, "consumed: its canary came back")
    if busy:
        return Check(name, Level.OK, "consumed: all its workers are busy, the canary waits")
    return _unconsumed(queue, f"a canary sent there did not come back within {seconds:g} s")


def _unconsumed(queue: str, why: str) -> Check:
    remedy = f"Restart its workers, or start one: docpipe worker -Q {queue}"
    return Check(f"queue {queue}", Level.WRONG, f"nobody consumes queue {queue}: {why}. {remedy}")


def _told_consumers(deployment: Deployment) -> Iterator[Check]:
    """As RabbitMQ knows them: where no canary can come back."""
    try:
        counts = deployment.broker.consumers(deployment.queues)
    except BrokerUnavailableError as error:
        yield Check("consumers", Level.WRONG, str(error))
        return
    for queue, count in counts.items():
        if count:
            yield Check(f"queue {queue}", Level.OK, f"consumed: the broker knows {count} consumers")
        else:
            yield _unconsumed(queue, "the broker knows no consumer of it")


def _depths(depths: dict[str, QueueDepth], most: int) -> Iterator[Check]:
    for queue, depth in depths.items():
        if depth.waiting > most:
            message = (
                f"{depth.waiting:,} messages wait in queue {queue}, more than {most:,}."
                f" Add workers: docpipe worker -Q {queue}"
            )
            yield Check("depth", Level.WRONG, message)
    if all(depth.waiting <= most for depth in depths.values()):
        total = sum(depth.waiting for depth in depths.values())
        yield Check("depth", Level.OK, f"{total:,} messages wait, at most {most:,} per queue are fine")


def _age(statistics: Statistics, most: float) -> Check:
    ages = {
        stage.stage: stage.oldest_waiting_seconds
        for stage in statistics.stages
        if stage.oldest_waiting_seconds is not None
    }
    if not ages:
        return Check("age", Level.OK, "nothing waits")
    stage, oldest = max(ages.items(), key=lambda pair: pair[1])
    if oldest > most:
        message = (
            f"a document waits for stage {stage} since {oldest:,.0f} s, longer than {most:,.0f} s."
            " Look which with: docpipe monitor --once"
        )
        return Check("age", Level.WRONG, message)
    return Check("age", Level.OK, f"the oldest waits for stage {stage} since {oldest:,.0f} s")


def _leases(deployment: Deployment, statistics: Statistics) -> Check:
    """Lapsed leases that the reaper should have seen by now."""
    policy = deployment.policy
    due = policy.grace_seconds + 2 * policy.reap_seconds
    stuck = [each for each in statistics.running if each.lease_seconds < -due]
    if stuck:
        message = (
            f"{len(stuck)} stages are held by workers that are silent, the first ({stuck[0].name}) since"
            f" {-stuck[0].lease_seconds:,.0f} s, and are not resumed. Run: docpipe reap --every 30"
        )
        return Check("leases", Level.WRONG, message)
    return Check("leases", Level.OK, f"{len(statistics.running)} stages run, none is stuck")


def _quarantine(statistics: Statistics) -> Check:
    if statistics.quarantined:
        message = (
            f"{statistics.quarantined} documents were started too often and never ended."
            " Look at them with: docpipe quarantine list"
        )
        return Check("quarantine", Level.WARNING, message)
    return Check("quarantine", Level.OK, "empty")
