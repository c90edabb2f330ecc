"""Configuration that cannot lie: what would lose, double or strand documents is found before work starts.

`docpipe doctor` shows every finding; a worker refuses to start while one of them is fatal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from docpipe.delivery.base_task import PROTOCOL, pinned
from docpipe.delivery.broker import active_queues
from docpipe.delivery.monitoring.deployment import NOT_REDIS, Deployment
from docpipe.errors import BrokerUnavailableError, DocpipeError
from docpipe.execution.layers import LAYERS
from docpipe.execution.plan import EMBED
from docpipe.formats import plugins
from docpipe.stores.port import Store

_INSPECT_SECONDS = 2.0
_RESEMBLES = 0.85
"""From here on a key is taken for a misspelled one, by the ratio of `difflib`."""
_DEFAULT_VISIBILITY_TIMEOUT = 3600  # kombu.transport.redis


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; the message of a bad one says what to set."""

    check: str
    ok: bool
    message: str
    fatal: bool = True
    """Whether a worker may not start with it."""
    waived: bool = False
    """It is wrong, and somebody said that it may be."""


START_CHECKS = frozenset(
    {
        "celery settings",
        "visibility timeout",
        "delivery",
        "redis eviction",
        "fingerprint",
        "store",
        "readers",
        "sandbox",
    }
)
"""The checks that stop a worker, each of which can be waived."""


def examine(deployment: Deployment, *, consumers: bool = True) -> list[Finding]:
    """Look at everything. `consumers` asks running workers, which takes two seconds."""
    found = [
        *_unknown_keys(deployment.app),
        _visibility_timeout(deployment),
        _delivery(deployment),
        *_redis(deployment),
        *_store(deployment.store),
        *_vectors(deployment),
        *_readers(),
    ]
    if consumers or deployment.layers_required:
        found += _sandbox(deployment)
    if consumers:
        found += _consumers(deployment)
    return [_judged(each, deployment.waived) for each in found] + list(_unknown_waivers(deployment.waived))


def _judged(finding: Finding, waived: Collection[str]) -> Finding:
    if finding.ok or finding.check not in waived:
        return finding
    return replace(finding, message=f"waived. {finding.message}", fatal=False, waived=True)


def _unknown_waivers(waived: Collection[str]) -> Iterator[Finding]:
    """A waiver with a wrong name would be one that silently does nothing."""
    if unknown := sorted(set(waived) - START_CHECKS):
        message = (
            f"there is no check {', '.join(map(repr, unknown))} to waive. Correct DOCPIPE_WAIVE; there are"
            f" {', '.join(sorted(START_CHECKS))}."
        )
        yield Finding("waive", False, message)


def _unknown_keys(app: Celery) -> Iterator[Finding]:
    """Misspelled keys of Celery's own; those of a host or of another package resemble none."""
    known = [pair[0] for pair in flatten(NAMESPACES)]
    meant = {
        key: close[0]
        for key in sorted(set(map(str, app.conf)) - set(known))
        if (close := get_close_matches(key, known, n=1, cutoff=_RESEMBLES))
        and not key.startswith(f"{close[0]}_")  # result_backend_db: a name made after Celery's
    }
    for key, setting in meant.items():
        message = f"Celery knows no setting {key}: it is ignored. Was {setting} meant? Correct or remove it."
        yield Finding("celery settings", False, message)
    if not meant:
        yield Finding("celery settings", True, "no key is a misspelled one of Celery's")


def _visibility_timeout(deployment: Deployment) -> Finding:
    options = deployment.app.conf.broker_transport_options or {}
    found = options.get("visibility_timeout", _DEFAULT_VISIBILITY_TIMEOUT)
    if not isinstance(found, int | float):
        message = (
            f"visibility_timeout is {found!r}: it is a number of seconds. Correct it in"
            " broker_transport_options, or leave it out."
        )
        return Finding("visibility timeout", False, message)
    longest = deployment.policy.hard_time_limit + deployment.policy.backoff_cap_seconds
    if found < longest:
        message = (
            f"visibility_timeout is {found:g} s, shorter than the longest stage and its back-off"
            f" ({longest:g} s): work in progress would be delivered again. Set"
            f" broker_transport_options['visibility_timeout'] to {2 * longest:g}, the same on every worker."
        )
        return Finding("visibility timeout", False, message)
    return Finding("visibility timeout", True, f"{found:g} s, longest stage and back-off {longest:g} s")


def _delivery(deployment: Deployment) -> Finding:
    """How docpipe's messages and tasks are in force on the host's app."""
    app, wanted = deployment.app, pinned(deployment.policy)
    if app.conf.task_protocol != PROTOCOL:
        message = (
            f"task_protocol is {app.conf.task_protocol}: its messages carry no chain, so documents would stop"
            f" after each stage. Set task_protocol to {PROTOCOL}."
        )
        return Finding("delivery", False, message)
    if not {"json", "application/json"} & set(app.conf.accept_content):
        message = (
            f"accept_content is {', '.join(app.conf.accept_content)}: workers would throw docpipe's messages"
            " away, which are JSON. Add 'json'."
        )
        return Finding("delivery", False, message)
    for name in (stage.task_name for stage in deployment.stages):
        wrong = [key for key, value in wanted.items() if getattr(app.tasks[name], key) != value]
        if wrong:
            message = f"{name} has another {', '.join(wrong)} than docpipe gave it. Leave its tasks alone."
            return Finding("delivery", False, message)
    limits = f"limits {wanted['soft_time_limit']:g} s and {wanted['time_limit']:g} s"
    return Finding("delivery", True, f"plain JSON, not compressed, acknowledged late, {limits}")


def _redis(deployment: Deployment) -> Iterator[Finding]:
    try:
        if not deployment.broker.is_redis:
            deployment.broker.ping()
            yield Finding("redis", True, f"answers. {NOT_REDIS}", fatal=False)
            return
        policy, appendonly = deployment.broker.eviction_policy(), deployment.broker.appendonly()
        other = deployment.broker.agreed(deployment.fingerprint)
    except BrokerUnavailableError as error:
        yield Finding("redis", False, str(error), fatal=False)  # Celery itself waits for the broker
        return
    yield Finding("redis", True, "answers")
    if policy is not None and policy.startswith("volatile-"):
        message = (
            f"maxmemory-policy is {policy}: Redis may throw away keys that expire, such as results and"
            " live progress, and refuses messages when memory is short. noeviction is better."
        )
        yield Finding("redis eviction", False, message, fatal=False)
    elif policy not in {None, "noeviction"}:
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
    if other != deployment.fingerprint:
        message = (
            f"this process uses {deployment.fingerprint}, but others on this Redis use {other}."
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
    if lacking:
        return
    yield Finding("store", True, f"{store.fingerprint} has what docpipe needs")
    for pause in store.paused():
        message = f"{pause}: nothing begins there. Let it go on with docpipe resume."
        yield Finding("paused", False, message, fatal=False)


def _vectors(deployment: Deployment) -> Iterator[Finding]:
    if EMBED not in deployment.stages:
        return
    try:
        yield Finding("vectors", True, f"compared by {deployment.store.vectors_by()}")
    except DocpipeError as error:
        yield Finding("vectors", False, str(error), fatal=False)


def _readers() -> Iterator[Finding]:
    try:
        names = ", ".join(plugins.installed())
    except DocpipeError as error:
        yield Finding("readers", False, str(error))
        return
    if names:
        yield Finding("readers", True, f"brought by other packages: {names}")


def _sandbox(deployment: Deployment) -> Iterator[Finding]:
    """A layer that is not there is wrong only where it is demanded: no system has them all."""
    if deployment.layers is None:
        message = "off: documents are read in the worker itself. Set DOCPIPE_ISOLATE=true."
        yield Finding("sandbox", True, message)
        return
    try:
        layers = deployment.layers()
    except DocpipeError as error:
        yield Finding("sandbox", False, str(error))
        return
    for name, allows in LAYERS.items():
        yield Finding(f"sandbox {name}", True, _layer(layers, name, allows))


def _layer(layers: Mapping[str, str | None], name: str, allows: str) -> str:
    if name not in layers:
        return "off: waived, or an engine of the settings needs it, or DOCPIPE_SANDBOX=off"
    why = layers[name]
    return f"on: {allows}" if why is None else f"not available: {why}"


def _consumers(deployment: Deployment) -> Iterator[Finding]:
    needed = {stage.queue for stage in deployment.stages}
    try:
        answers = active_queues(deployment.app, _INSPECT_SECONDS)
    except (OSError, OperationalError, RedisError) as error:
        yield Finding("consumers", False, f"no worker can be asked: {error}", fatal=False)
        return
    consumed = {queue["name"] for queues in answers.values() for queue in queues}
    for queue in sorted(needed - consumed):
        message = f"nobody consumes queue {queue}: documents would wait there. Run: docpipe worker -Q {queue}"
        yield Finding("consumers", False, message, fatal=False)
    if needed <= consumed:
        yield Finding("consumers", True, f"every queue is consumed ({', '.join(sorted(needed))})")
