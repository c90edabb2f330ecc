"""The order: one declarative Celery chain per document. Signatures only, no I/O.

    chain(ocr.s(ref), chunk.s(), entities.s(), graph.s())      + link_error on every task

Signatures are made from names, so a process that submits needs no worker code. The errback is one
immutable signature with a single argument, attached last: the only form that Celery always sends as a
routed, retryable message (docs/explanation/delivery.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery, Signature, chain

from docpipe.models import Ref
from docpipe.plan import StageSpec

ON_ERROR = "docpipe.on_error"
REAP = "docpipe.reap"


def document_chain(
    app: Celery, stages: Sequence[StageSpec], ref: Ref, *, task_id: str, priority: int = 0
) -> Signature[Any]:
    """The signature that takes `ref` through `stages` (all of them, or the rest of a run that is resumed).

    Its first task has the id `task_id`.
    """
    first, *rest = stages
    message = ref.to_message()
    signatures = [
        _stage_signature(app, first, priority, args=(message,)).set(task_id=task_id),
        *(_stage_signature(app, stage, priority) for stage in rest),
    ]
    errback = app.signature(ON_ERROR, args=(message,), immutable=True).set(queue=stages[-1].queue)
    whole: Signature[Any] = chain(*signatures, app=app)
    return whole.on_error(errback)


def _stage_signature(
    app: Celery, stage: StageSpec, priority: int, args: tuple[Any, ...] = ()
) -> Signature[Any]:
    signature: Signature[Any] = app.signature(stage.task_name, args=args)
    return signature.set(queue=stage.queue, priority=priority)
