"""The delivery: Celery tasks around the runner. Bound to the host's app, nothing happens at import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, Never, TypeVar

from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from docpipe.delivery.base_task import base_task
from docpipe.delivery.canvas import CANARY, ON_ERROR, PAGES, REAP
from docpipe.delivery.standing_back import stand_back
from docpipe.errors import ConfigurationError, DocpipeError, StageTimeoutError, WorkerLostError
from docpipe.execution.failures import TryAgainError, UnclaimedError, UnrecordedError
from docpipe.execution.logs import get_logger
from docpipe.execution.plan import StageSpec
from docpipe.execution.policy import Policy
from docpipe.execution.runner import (
    NothingToDoError,
    Runtime,
    run_range,
    run_stages,
)
from docpipe.models import Failure, RangeRef, Ref, is_id
from docpipe.models.status import QUEUES, Stage
from docpipe.stores.values import Handover, Outcome

log = get_logger(__name__)

TRANSLATIONS: Mapping[type[BaseException], type[DocpipeError]] = {SoftTimeLimitExceeded: StageTimeoutError}
PASSES = (Retry, Ignore, Reject)

Message = dict[str, Any]
HandOver = Callable[[Ref, Handover], None]
"""Publishes what a handover says is due."""

T = TypeVar("T")
R = TypeVar("R", Ref, RangeRef)

_LEASE_MARGIN_SECONDS = 1.0


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
                # never `expires`: behind a backlog longer than it, no call would live to be made
                "options": {"queue": QUEUES[Stage.GRAPH]},
            }
        },
    }


def register(
    app: Celery,
    stages: tuple[StageSpec, ...],
    runtime: Runtime,
    reap: Callable[[], object],
    answer: Callable[[str, int], object],
    hand_over: HandOver,
    admit: Callable[[], object],
) -> None:
    """Put one task per stage, the one for ranges of pages, the errback, the reaper and the canary
    (`docpipe.health`) on `app`. `admit` is called when a run has ended: others may be in flight in its place.

    Raises:
        ConfigurationError: the app has them already, from another pipeline.
    """

    base = base_task(app, runtime.policy)
    names = [PAGES, ON_ERROR, REAP, CANARY, *(stage.task_name for stage in stages)]
    taken = [name for name in names if name in app.tasks]
    if taken:
        raise ConfigurationError(
            f"This Celery app has {', '.join(taken)} already: one app carries one pipeline."
            " Give the second pipeline an app of its own."
        )
    for place in range(len(stages)):
        _register_stage(app, base, stages[place:], runtime, hand_over, admit)

    @app.task(name=PAGES, base=base, bind=True, shared=False)
    def pages(self: Task[..., Any], message: Message) -> None:
        deliver_range(self, stages[0], runtime, message, hand_over)

    @app.task(name=ON_ERROR, base=base, shared=False)
    def on_error(message: Message) -> None:
        if fail_if_running(runtime, _read(Ref, message), _dead_task(message)):
            admit()

    @app.task(name=REAP, ignore_result=True, shared=False)
    def reap_() -> None:
        reap()

    @app.task(name=CANARY, ignore_result=True, shared=False)
    def canary(queue: str, number: int) -> None:
        answer(queue, number)


def _register_stage(
    app: Celery,
    base: type[Task[..., Any]],
    specs: Sequence[StageSpec],
    runtime: Runtime,
    hand_over: HandOver,
    admit: Callable[[], object],
) -> None:
    # shared=False: Celery would otherwise put the task, with this pipeline's store, on every other app
    @app.task(name=specs[0].task_name, base=base, bind=True, shared=False)
    def stage(self: Task[..., Any], message: Message) -> Message:
        return deliver(self, specs, runtime, message, hand_over, admit)


def deliver(
    task: Task[..., Any],
    specs: Sequence[StageSpec],
    runtime: Runtime,
    message: Message,
    hand_over: HandOver,
    admit: Callable[[], object],
) -> Message:
    """Run one delivery of the first stage, and of those after it that may run in place; give the message to
    the next one. Or, of a document that is read in ranges of pages, publish those that are due: then the last
    of them brings the chain back.
    """
    ref, task_id = _read(Ref, message), _task_id(task.request.id)
    stages = [specs[0], *_in_place(task, specs[1:], runtime.policy)]
    # eagerly, each range would run inside the one before it
    may_split = not task.request.is_eager
    with _freeing(admit):
        reached = _attempted(
            task,
            runtime,
            specs[0].queue,
            lambda: run_stages(runtime, stages, ref, task_id=task_id, may_split=may_split),
        )
    if reached.others_wait:
        admit()
    if reached.due is not None:
        hand_over(ref, reached.due)
        raise Ignore
    _shorten(task, reached.stages - 1)
    return message


@contextmanager
def _freeing(admit: Callable[[], object]) -> Iterator[None]:
    """A run that failed for good makes room for one that waits."""
    try:
        yield
    except DocpipeError:
        admit()
        raise


def _in_place(task: Task[..., Any], specs: Sequence[StageSpec], policy: Policy) -> list[StageSpec]:
    """The stages that this process may go on with: it serves their queues, and they are in the chain."""
    request = task.request
    if not policy.in_place_characters or request.is_eager:
        return []
    served = task.app.amqp.queues.consume_from
    return list(takewhile(lambda spec: spec.queue in served, specs[: len(request.chain or ())]))


def _shorten(task: Task[..., Any], stages: int) -> None:
    """Take stages that are complete off the chain, which Celery keeps last task first."""
    if stages > 0:
        request: Any = task.request  # the types of its `chain` are not those that Celery gives it
        request.chain = request.chain[:-stages]


def deliver_range(
    task: Task[..., Any], spec: StageSpec, runtime: Runtime, message: Message, hand_over: HandOver
) -> None:
    """Run one delivery of a range of pages, and publish what is due after it."""
    range_ref, task_id = _read(RangeRef, message), _task_id(task.request.id)
    handover = _attempted(
        task, runtime, spec.queue, lambda: run_range(runtime, spec, range_ref, task_id=task_id)
    )
    if handover is not None:
        hand_over(range_ref.ref, handover)


def _read(kind: type[R], message: Message) -> R:
    """What the message is about; one that does not say ends here, with a line that quotes nothing of it."""
    try:
        return kind.from_message(message)
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else "it names no document and run"
        log.error("message_refused", reason=reason)
        raise Ignore from None


def _task_id(value: object) -> str:
    """The task's id, empty where it has none."""
    if not value:
        return ""
    if not is_id(value):
        log.error("message_refused", reason="the task's id is none")
        raise Ignore
    return str(value)


def _dead_task(message: Message) -> str:
    """The task of which an errback tells. Without it nobody can say whose death it is."""
    if found := _task_id(message.get("task_id")):
        return found
    log.error("message_refused", reason="it names no task")
    raise Ignore


def _attempted(task: Task[..., Any], runtime: Runtime, queue: str, attempt: Callable[[], T]) -> T:
    """What the attempt returns; or its failure, as Celery is to know it."""
    try:
        return attempt()
    except NothingToDoError as nothing:
        _leave(task, nothing)
    except TryAgainError as again:
        _retry(task, again.error, again.seconds)
    except UnrecordedError as error:
        _retry_or_leave(task, runtime.policy, error)
    except UnclaimedError as refused:
        if task.request.is_eager:
            raise refused.error from None
        stand_back(queue, refused.error)  # another worker may be allowed what this one is not
        _retry_or_leave(task, runtime.policy, refused.error)
    except SoftTimeLimitExceeded as late:  # before or after the stage's own work: nothing is recorded
        _leave_to_the_reaper(late)


def _retry_or_leave(task: Task[..., Any], policy: Policy, error: DocpipeError) -> Never:
    retries: int = task.request.retries
    if retries < policy.max_retries:
        _retry(task, error, policy.delay(retries))
    _leave_to_the_reaper(error)


def _retry(task: Task[..., Any], error: DocpipeError, seconds: float) -> Never:
    # whether to retry was decided before, from the ledger: Celery's own count has no say
    most = task.request.retries + 1
    try:
        raise task.retry(exc=error, countdown=seconds, max_retries=most) from error
    except Reject as unsent:
        _leave_to_the_reaper(unsent)


def _leave(task: Task[..., Any], nothing: NothingToDoError) -> Never:
    """End without result. A redelivery that finds its dead twin's lease comes back when it has lapsed;
    once: if the twin lives, it does the work, and if it dies later, the reaper resumes the run.
    """
    request = task.request
    redelivered = (request.delivery_info or {}).get("redelivered")
    if nothing.outcome is Outcome.BUSY and redelivered:
        again = nothing.lease_seconds + _LEASE_MARGIN_SECONDS
        # not `task.retry`: nothing failed, so it must not use up the retries of the stage
        task.signature_from_request(request, countdown=again, retries=request.retries).apply_async()
    raise Ignore


def _leave_to_the_reaper(error: Exception) -> Never:
    """End without calling the errback: it would come when all is well again, and fail the document for an
    outage of the store or the broker.
    """
    log.error("stage_left_to_the_reaper", error=str(error))
    raise Ignore from error


def fail_if_running(runtime: Runtime, ref: Ref, task_id: str) -> bool:
    """The errback: for deaths that the stage could not record itself (killed child, hard time limit)."""
    error = WorkerLostError("The worker that ran the stage died, ran into its hard time limit or refused it.")
    failure = Failure(error.code, type(error).__name__, str(error))
    return runtime.store.fail_task(ref, task_id, failure)
