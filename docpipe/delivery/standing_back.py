"""A worker that the store lets begin nothing takes no more messages: they are for one that may begin.

Else each message would be taken and lost, and the reaper would send it again, for ever. That the queue has no
consumer any more is what `docpipe health` and `docpipe doctor` see; `docpipe health --live` has the words.
"""

from __future__ import annotations

from typing import Any

from celery import Task
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from docpipe.delivery.monitoring import liveness
from docpipe.errors import DocpipeError
from docpipe.execution.logs import get_logger

log = get_logger(__name__)


def stand_back(task: Task[..., Any], queue: str, error: DocpipeError) -> None:
    """Let the worker that runs the task no longer consume the queue, and say why."""
    log.error("worker_refused", queue=queue, error=str(error))
    liveness.refuse(str(error))
    try:
        task.app.control.cancel_consumer(queue, destination=[str(task.request.hostname)])
    except (KombuError, RedisError, OSError) as away:
        log.warning("worker_goes_on_consuming", queue=queue, error=str(away))
