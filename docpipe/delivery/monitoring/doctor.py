"""Configuration that cannot lie: what would lose, double or strand documents is found before work starts.

`docpipe doctor` shows every finding; a worker refuses to start while one of them is fatal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from docpipe.delivery.broker import Broker, active_queues
from docpipe.errors import BrokerUnavailableError, DocpipeError
from docpipe.execution.plan import StageSpec
from docpipe.execution.policy import Policy
from docpipe.stores.port import Store

_INSPECT_SECONDS = 2.0
_DEFAULT_VISIBILITY_TIMEOUT = 3600  # kombu.transport.redis


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; the message of a bad one says what to set."""

    check: str
    ok: bool
    message: str
    fatal: bool = True
    """Whether a worker may not start with it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at."""

    app: Celery
    store: Store
    broker: Broker
    policy: Policy
    stages: Sequence[StageSpec]

    @property
    def fingerprint(self) -> str:
        """What submitters and workers must agree on."""
        return f"{self.store.fingerprint} stages {','.join(stage.name for stage in self.stages)}"


def examine(subject: Subject, *, consumers: bool = True) -> list[Finding]:
    """Look at everything. `consumers` asks running workers, which takes two seconds."""
    found = [
        *_unknown_keys(subject.app),
        _visibility_timeout(subject),
        *_redis(subject),
        *_store(subject.store),
    ]
    if consumers:
        found += _consumers(subject)
    return found


def _unknown_keys(app: Celery) -> Iterator[Finding]:
    """Keys that look like Celery's (`task_…`, `worker_…`) and are none: a host's other keys do not count."""
    known = {pair[0] for pair in flatten(NAMESPACES)}
    prefixes = tuple(f"{name}_" for name in ("task", "worker", "broker", "result", "beat"))
    unknown = sorted(key for key in map(str, app.conf) if key.startswith(prefixes) and key not in known)
    if unknown:
        names = ", ".join(unknown)
        message = f"Celery knows no setting {names}: it is ignored. Correct its name, or remove it."
        yield Finding("celery settings", False, message)
    else:
        yield Finding("celery settings", True, "every key is one of Celery's")


def _visibility_timeout(subject: Subject) -> Finding:
    options = subject.app.conf.broker_transport_options or {}
    found = options.get("visibility_timeout", _DEFAULT_VISIBILITY_TIMEOUT)
    longest = subject.policy.hard_time_limit + subject.policy.backoff_cap_seconds
    if found < longest:
        message = (
            f"visibility_timeout is {found:g} s, shorter than the longest stage and its back-off"
            f" ({longest:g} s): work in progress would be delivered again. Set"
            f" broker_transport_options['visibility_timeout'] to {2 * longest:g}, the same on every worker."
        )
        return Finding("visibility timeout", False, message)
    return Finding("visibility timeout", True, f"{found:g} s, longest stage and back-off {longest:g} s")


def _redis(subject: Subject) -> Iterator[Finding]:
    try:
        policy, appendonly = subject.broker.eviction_policy(), subject.broker.appendonly()
        other = subject.broker.agreed(subject.fingerprint)
    except BrokerUnavailableError as error:
        yield Finding("redis", False, str(error), fatal=False)  # Celery itself waits for the broker
        return
    yield Finding("redis", True, "answers")
    if policy not in {None, "noeviction"}:
        message = (
            f"maxmemory-policy is {policy}: Redis may throw messages away when memory is short."
            " Set it to noeviction."
        )
        yield Finding("redis eviction", False, message)
    if appendonly is False:
        message = (
            "appendonly is off: a Redis that restarts forgets its queues, and documents wait for the reaper."
        )
        yield Finding("redis persistence", False, message + " Set appendonly yes.", fatal=False)
    if other != subject.fingerprint:
        message = (
            f"this process uses {subject.fingerprint}, but others on this Redis use {other}."
            " Use the same store and stages, or another Redis or DOCPIPE_KEY_PREFIX."
            " After a deliberate move run: docpipe doctor --accept"
        )
        yield Finding("fingerprint", False, message)


def _store(store: Store) -> Iterator[Finding]:
    try:
        lacking = store.check()
    except DocpipeError as error:
        yield Finding("store", False, str(error), fatal=not error.retryable)
        return
    for line in lacking:
        yield Finding("store", False, line)
    if not lacking:
        yield Finding("store", True, f"{store.fingerprint} has what docpipe needs")


def _consumers(subject: Subject) -> Iterator[Finding]:
    needed = {stage.queue for stage in subject.stages}
    try:
        answers = active_queues(subject.app, _INSPECT_SECONDS)
    except (OSError, OperationalError, RedisError) as error:
        yield Finding("consumers", False, f"no worker can be asked: {error}", fatal=False)
        return
    consumed = {queue["name"] for queues in answers.values() for queue in queues}
    for queue in sorted(needed - consumed):
        message = f"nobody consumes queue {queue}: documents would wait there. Run: docpipe worker -Q {queue}"
        yield Finding("consumers", False, message, fatal=False)
    if needed <= consumed:
        yield Finding("consumers", True, f"every queue is consumed ({', '.join(sorted(needed))})")
