"""The delivery: Celery tasks around the runner. Bound to the host's app, nothing happens at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from docpipe.canvas import ON_ERROR, REAP
from docpipe.errors import ConfigurationError, DocpipeError, StageTimeoutError, WorkerLostError
from docpipe.models import Failure, Ref
from docpipe.plan import StageSpec
from docpipe.runner import NothingToDoError, Policy, Runtime, run_stage
from docpipe.status import QUEUES, Stage
from docpipe.stores.port import Outcome

TRANSLATIONS: Mapping[type[BaseException], type[DocpipeError]] = {SoftTimeLimitExceeded: StageTimeoutError}
PASSES = (Retry, Ignore, Reject)

Message = dict[str, Any]


def celery_defaults(policy: Policy | None = None, *, prefix: str = "docpipe:") -> dict[str, Any]:
    """Celery settings that docpipe is built for. Offered, never applied: that is the host's to do.

    Each value has its reason in docs/reference/celery.md. `broker_transport_options` replaces the host's
    own when applied, so merge them if there are any.

    Args:
        policy: the visibility time-out follows its longest stage limit.
        prefix: put before every Redis key, so that two programs may share one Redis database.
    """
    policy = policy or Policy()
    transport = {
        "visibility_timeout": int(2 * (policy.hard_time_limit + policy.backoff_cap_seconds)),
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "global_keyprefix": prefix,
        "socket_keepalive": True,
        "socket_timeout": 30.0,
        "socket_connect_timeout": 5.0,
    }
    return {
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "broker_transport_options": transport,
        "result_backend_transport_options": {"global_keyprefix": prefix},
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "result_expires": 3600,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_proc_alive_timeout": 60.0,
        "beat_schedule": {
            "docpipe-reap": {
                "task": REAP,
                "schedule": policy.reap_seconds,
                "options": {"queue": QUEUES[Stage.GRAPH], "expires": policy.reap_seconds},
            }
        },
    }


def register(
    app: Celery, stages: tuple[StageSpec, ...], runtime: Runtime, reap: Callable[[], object]
) -> None:
    """Put one task per stage, the errback and the reaper on `app`.

    Raises:
        ConfigurationError: the app has them already, from another pipeline.
    """

    class Base(app.Task):  # type: ignore[name-defined, misc]  # the host's own Task class stays in force
        abstract = True
        acks_late = True
        reject_on_worker_lost = True
        retry_on_worker_lost = True  # from Celery 5.7; caps redelivery of a task that kills its child
        ignore_result = True  # the truth is in the store
        max_retries = runtime.policy.max_retries
        soft_time_limit = runtime.policy.soft_time_limit
        time_limit = runtime.policy.hard_time_limit

    names = [ON_ERROR, REAP, *(stage.task_name for stage in stages)]
    taken = [name for name in names if name in app.tasks]
    if taken:
        raise ConfigurationError(
            f"This Celery app has {', '.join(taken)} already: one app carries one pipeline."
            " Give the second pipeline an app of its own."
        )
    for stage in stages:
        _register_stage(app, Base, stage, runtime)

    @app.task(name=ON_ERROR, base=Base, shared=False)
    def on_error(message: Message) -> None:
        fail_if_running(runtime, Ref.from_message(message))

    @app.task(name=REAP, ignore_result=True, shared=False)
    def reap_() -> None:
        reap()


def _register_stage(app: Celery, base: type[Task[..., Any]], spec: StageSpec, runtime: Runtime) -> None:
    # shared=False: Celery would otherwise put the task, with this pipeline's store, on every other app
    @app.task(name=spec.task_name, base=base, bind=True, shared=False)
    def stage(self: Task[..., Any], message: Message) -> Message:
        return deliver(self, spec, runtime, message)


def deliver(task: Task[..., Any], spec: StageSpec, runtime: Runtime, message: Message) -> Message:
    """Run one delivery and give the message to the next stage."""
    retries: int = task.request.retries
    retry_in = runtime.policy.delay(retries) if retries < runtime.policy.max_retries else None
    try:
        run_stage(runtime, spec, Ref.from_message(message), task_id=task.request.id or "", retry_in=retry_in)
    except NothingToDoError as nothing:
        _leave(task, nothing)
    except DocpipeError as error:
        if error.retryable and retry_in is not None:
            raise task.retry(exc=error, countdown=retry_in) from error
        raise
    return message


def _leave(task: Task[..., Any], nothing: NothingToDoError) -> None:
    """End without result. A redelivery that finds its dead twin's lease comes back when it has lapsed."""
    redelivered = (task.request.delivery_info or {}).get("redelivered")
    if nothing.outcome is Outcome.BUSY and redelivered:
        raise task.retry(countdown=nothing.lease_seconds + 1.0, max_retries=None)
    raise Ignore


def fail_if_running(runtime: Runtime, ref: Ref) -> bool:
    """The errback: for deaths that the stage could not record itself (killed child, hard time limit)."""
    error = WorkerLostError("The worker that ran the stage died or ran into its hard time limit.")
    failure = Failure(error.code, type(error).__name__, str(error))
    return runtime.store.fail(ref, None, None, failure)
