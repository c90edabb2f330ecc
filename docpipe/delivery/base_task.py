"""What docpipe's messages and tasks are, whatever the host has set for its own.

A host's settings and annotations are made for the host's tasks: pickle, compression, early acknowledgement or
a shorter limit would lose or double documents here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery, Task

from docpipe.execution.policy import Policy

PROTOCOL = 2
"""Of Celery's messages. Those of protocol 1 carry no chain: a document would stop after each stage."""
_LEASE_MARGIN_SECONDS = 1.0


def pinned(policy: Policy) -> dict[str, Any]:
    """The attributes of docpipe's tasks that no annotation and no setting of the host changes."""
    return {
        "serializer": "json",
        "compression": None,
        "acks_late": True,
        "acks_on_failure_or_timeout": True,
        "reject_on_worker_lost": True,
        "retry_on_worker_lost": True,  # from Celery 5.7: not at once, while the dead child's lease lives
        "default_retry_delay": policy.lease_seconds + _LEASE_MARGIN_SECONDS,
        "ignore_result": True,  # the truth is in the store
        "store_errors_even_if_ignored": False,
        "max_retries": policy.max_attempts,  # the ledger stops earlier: `deliver`, and as poison
        "soft_time_limit": policy.soft_time_limit,
        "time_limit": policy.hard_time_limit,
        "expires": None,
        "autoretry_for": (),
    }


def base_task(app: Celery, policy: Policy) -> type[Task[..., Any]]:
    """The class of docpipe's tasks. The host's own Task class stays in force below it."""
    values = pinned(policy)

    class Base(app.Task):  # type: ignore[name-defined, misc]
        abstract = True

        @classmethod
        def annotate(cls) -> None:
            super().annotate()
            for name, value in values.items():
                setattr(cls, name, value)

        def apply_async(
            self, args: Any = None, kwargs: Any = None, *more: Any, producer: Any = None, **options: Any
        ) -> Any:
            if self.app.conf.task_always_eager:
                return super().apply_async(args, kwargs, *more, producer=producer, **options)
            _declare(self.app, options.get("queue"))
            with self.app.producer_or_acquire(producer) as found:
                plain = found if isinstance(found, Plain) else Plain(found)
                return super().apply_async(args, kwargs, *more, producer=plain, **options)

    for name, value in values.items():
        setattr(Base, name, value)
    return Base


def _declare(app: Celery, queue: object) -> None:
    """With `task_create_missing_queues` off Celery knows only the host's queues."""
    queues = app.amqp.queues
    if isinstance(queue, str) and queue not in queues:
        queues.add(queues.new_missing(queue))


class Plain:
    """A producer that does not compress, whatever `task_compression` says: who looks into the queues could
    not read it. It declares a queue once, where Celery declares it with each message.
    """

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._declared: set[str] = set()

    def publish(self, *args: Any, declare: Sequence[Any] | None = None, **options: Any) -> Any:
        new = [queue for queue in declare or () if queue.name not in self._declared]
        published = self._producer.publish(*args, declare=new, **options | {"compression": None})
        self._declared.update(queue.name for queue in new)
        return published

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)
