"""The order: one declarative Celery chain per document. Signatures only, no I/O.

    chain(ocr.s(ref), chunk.s(), entities.s(), graph.s())      + link_error on every task

Signatures are made from names, so a process that submits needs no worker code. An errback is an immutable
signature with a single argument: the only form that Celery always sends as a routed, retryable message.
Each task has its own, which names the task: an errback may come although the chain went on, or so late
that another task has claimed the stage (docs/explanation/delivery.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery, Signature, chain

from docpipe.execution.plan import StageSpec
from docpipe.models import RangeRef, Ref

ON_ERROR = "docpipe.on_error"
REAP = "docpipe.reap"
CANARY = "docpipe.canary"
PAGES = "docpipe.pages"


def document_chain(
    app: Celery, stages: Sequence[StageSpec], ref: Ref, *, task_id: str, priority: int = 0
) -> Signature[Any]:
    """The signature that takes `ref` through `stages` (all of them, or the rest of a run that is resumed).

    Its first task has the id `task_id`, the others `task_id` and their stage's name.
    """
    first, *rest = stages
    message = ref.to_message()
    signatures = [_stage_signature(app, first, message, task_id, priority, args=(message,))]
    signatures += [
        _stage_signature(app, stage, message, f"{task_id}.{stage.name}", priority) for stage in rest
    ]
    whole: Signature[Any] = chain(*signatures, app=app)
    return whole


def first_of(whole: Signature[Any]) -> Signature[Any]:
    """The first task of a chain, with the others in its message: what the chain's `apply_async` sends, but
    for `reply_to`, which nobody reads. Celery makes every task of a chain anew before it sends the first,
    which takes four times as long as all else.
    """
    tasks: list[Signature[Any]] = getattr(whole, "tasks", [whole])  # a chain of one task is that task
    first, *rest = tasks
    first.options["chain"] = rest[::-1]
    return first


def range_signature(
    app: Celery, stage: StageSpec, range_ref: RangeRef, *, task_id: str, priority: int = 0
) -> Signature[Any]:
    """The signature that reads one range of a long document's pages for `stage`.

    It has no errback: a range that dies is found by its lease, and costs no more than its pages.
    """
    signature: Signature[Any] = app.signature(PAGES, args=(range_ref.to_message(),))
    return signature.set(queue=stage.queue, priority=priority, task_id=task_id)


def _stage_signature(
    app: Celery,
    stage: StageSpec,
    message: dict[str, Any],
    task_id: str,
    priority: int,
    args: tuple[Any, ...] = (),
) -> Signature[Any]:
    errback = app.signature(
        ON_ERROR, args=(message | {"task_id": task_id},), immutable=True, options={"queue": stage.queue}
    )
    options: dict[str, Any] = {
        "queue": stage.queue,
        "priority": priority,
        "task_id": task_id,
        "link_error": [errback],
    }
    signature: Signature[Any] = app.signature(stage.task_name, args=args, options=options)
    return signature
