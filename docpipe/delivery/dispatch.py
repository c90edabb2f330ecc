"""Publishes what the ledger says is queued. What the broker does not take, the reaper publishes later."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery, Signature
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from docpipe.delivery.canvas import document_chain, range_signature
from docpipe.errors import BrokerUnavailableError, DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.execution.plan import StageSpec
from docpipe.models import RangeRef, Ref
from docpipe.stores.port import Store
from docpipe.stores.values import Due, Handover

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Sends the messages of one pipeline: chains of stages, and the ranges of long documents."""

    app: Celery
    store: Store
    stages: Sequence[StageSpec]

    def begin(self, ref: Ref, priority: int) -> str | None:
        """Queue a run's first stage and publish its chain; None (and a row that says why) if the broker
        cannot be reached.
        """
        task_id, first = str(uuid.uuid4()), self.stages[0].name
        if not self.store.queue(ref, first, task_id):
            return self.store.status(ref.document_uuid).task_id  # somebody else's message was quicker
        return self.go_on(ref, first, task_id, priority)

    def begin_all(self, queued: Sequence[tuple[Ref, str]], priority: int) -> list[str | None]:
        """Publish the chains of runs whose first stage is queued already, under these task ids; None for what
        the broker does not take. Once it has refused one, the others are not tried.
        """
        published: list[str | None] = []
        first, away = self.stages[0].name, None
        for ref, task_id in queued:
            if away is None:
                chain = document_chain(self.app, self.stages, ref, task_id=task_id, priority=priority)
                away = self._apply(chain, ref)
            if away is not None:
                self.store.publish_failed(ref, first, str(away))
                published.append(None)
                continue
            log.info("document_published", document=ref.document_uuid, run=ref.run, stage=first, task=task_id)
            published.append(task_id)
        return published

    def begin_due(self, due: Iterable[Due]) -> None:
        """Queue and publish the first stage of each; once the broker has refused one, the rest is left to the
        reaper.
        """
        for each in due:
            if self.begin(each.ref, each.priority) is None:
                return

    def go_on(self, ref: Ref, stage: str, task_id: str, priority: int) -> str | None:
        """Publish the chain from `stage` on; the ledger says already that it is queued."""
        rest = self.stages[[spec.name for spec in self.stages].index(stage) :]
        signature = document_chain(self.app, rest, ref, task_id=task_id, priority=priority)
        unreachable = self._apply(signature, ref)
        if unreachable is not None:
            self.store.publish_failed(ref, stage, str(unreachable))
            return None
        log.info("document_published", document=ref.document_uuid, run=ref.run, stage=stage, task=task_id)
        return task_id

    def hand_over(self, ref: Ref, handover: Handover, task_id: str | None = None) -> None:
        """Publish what is due of a long document: ranges of pages, and the chain after the last of them."""
        app, priority = self.app, handover.priority
        for number, first_page in enumerate(handover.first_pages):
            own_id = task_id if task_id and number == 0 else str(uuid.uuid4())
            pages = RangeRef(ref, first_page)
            self._apply(range_signature(app, self.stages[0], pages, task_id=own_id, priority=priority), ref)
        if handover.complete:
            own_id = task_id or str(uuid.uuid4())
            self._apply(document_chain(app, self.stages, ref, task_id=own_id, priority=priority), ref)

    def _apply(self, signature: Signature[Any], ref: Ref) -> BrokerUnavailableError | None:
        """Publish; returns why not if the broker cannot be reached."""
        try:
            signature.apply_async()
        except (KombuError, OperationalError, RedisError, OSError) as error:
            log.error("document_not_published", document=ref.document_uuid, run=ref.run, error=str(error))
            return BrokerUnavailableError(
                f"The broker cannot be reached: {error}. It will be published later."
            )
        except DocpipeError:
            # task_always_eager runs the chain here, and a failed stage raises here: the store has it
            if not self.app.conf.task_always_eager:
                raise
        return None
