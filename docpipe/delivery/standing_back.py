"""A worker that the store lets begin nothing takes no more messages: they are for one that may begin.

Else each message would be taken and lost, and the reaper would send it again, for ever. That the queue has no
consumer any more is what `docpipe health` and `docpipe doctor` see; `docpipe health --live` has the words.
The broker has no part in it: a host may have switched remote control off, and not every broker has that.
"""

from __future__ import annotations

from docpipe.delivery.monitoring import liveness
from docpipe.errors import DocpipeError
from docpipe.execution.logs import get_logger

log = get_logger(__name__)


def stand_back(queue: str, error: DocpipeError) -> None:
    """Let the worker that this process is of no longer consume the queue, and say why."""
    log.error("worker_refused", queue=queue, error=str(error))
    if not liveness.refuse(queue, str(error)):
        log.warning(
            "worker_goes_on_consuming", queue=queue, reason="its temporary folder cannot be written to"
        )
