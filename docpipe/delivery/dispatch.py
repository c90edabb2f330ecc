"""Publishes what the ledger says is queued. What the broker does not take, the reaper publishes later."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from celery import Celery, Signature
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from docpipe.delivery.base_task import Plain
from docpipe.delivery.canvas import document_chain, first_of, range_signature
from docpipe.errors import BrokerUnavailableError, DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.execution.plan import StageSpec
from docpipe.models import RangeRef, Ref
from docpipe.stores.port import Store
from docpipe.stores.values import Due, Handover

log = get_logger(__name__)

_AT_ONCE = 500
_AWAY = (KombuError, OperationalError, RedisError, OSError)
"""What publishing raises when the broker cannot be reached."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Sends the messages of one pipeline: chains of stages, and the ranges of long documents."""

    app: Celery
    store: Store
    stages: Sequence[StageSpec]

    @property
    def names(self) -> list[str]:
        """Of the stages."""
        return [spec.name for spec in self.stages]

    def begin(self, ref: Ref, priority: int) -> str | None:
        """Queue a run's first stage and publish its chain; None if the broker cannot be reached (the row says
        why), or if it waits for its share.
        """
        return self.begin_at(ref, self.stages[0].name, priority)

    def begin_at(self, ref: Ref, stage: str, priority: int) -> str | None:
        """`begin` for a run whose first stages are complete."""
        task_id = str(uuid.uuid4())
        if self.store.queue(ref, stage, task_id):
            return self.go_on(ref, stage, task_id, priority)
        # it waits, or somebody else's message was quicker
        return self.admit().get(ref) or self.store.status(ref.document_uuid).task_id

    def admit(self) -> dict[Ref, str | None]:
        """Publish the runs that may be in flight now, of those that wait for their share; their task ids."""
        published: dict[Ref, str | None] = {}
        while admitted := self.store.admit(limit=_AT_ONCE):
            for each in admitted:
                published[each.ref] = self.go_on(each.ref, each.stage, each.task_id, each.priority)
            if len(admitted) < _AT_ONCE:
                break
        return published

    def admit_after_end(self) -> None:
        """`admit`, when a run has ended. Whatever goes wrong is not that run's: the reaper does it later."""
        try:
            self.admit()
        except DocpipeError as error:
            log.warning("waiting_documents_not_admitted", error=str(error))

    def begin_all(self, queued: Sequence[tuple[Ref, str]], priority: int) -> list[str | None]:
        """Publish the chains of runs whose first stage is queued already, under these task ids; all None if
        the broker cannot be reached: the reaper publishes again what it did not take.
        """
        first = self.stages[0].name
        away = self._apply_all(queued, priority)
        for ref, task_id in queued:
            if away is not None:
                self.store.publish_failed(ref, first, str(away))
                continue
            log.info("document_published", document=ref.document_uuid, run=ref.run, stage=first, task=task_id)
        return [None if away else task_id for _, task_id in queued]

    def _apply_all(self, queued: Sequence[tuple[Ref, str]], priority: int) -> BrokerUnavailableError | None:
        """Publish over one connection, in one round trip where kombu can do that; returns why not."""
        chains = [
            document_chain(self.app, self.stages, ref, task_id=task_id, priority=priority)
            for ref, task_id in queued
        ]
        if self.app.conf.task_always_eager:
            for chain, (ref, _) in zip(chains, queued, strict=True):
                self._apply(chain, ref)
            return None
        try:
            with self.app.producer_or_acquire() as producer, _together(producer):
                plain: Any = Plain(producer)
                for chain in chains:
                    first_of(chain).apply_async(producer=plain)
        except _AWAY as error:
            log.error("documents_not_published", documents=len(queued), error=str(error))
            return _away(error)
        return None

    def begin_due(self, due: Iterable[Due]) -> None:
        """Queue and publish the first stage of each; once the broker has refused one, the rest is left to the
        reaper.
        """
        wait = False
        for each in due:
            task_id = str(uuid.uuid4())
            if not self.store.queue(each.ref, self.stages[0].name, task_id):
                wait = True
            elif self.go_on(each.ref, self.stages[0].name, task_id, each.priority) is None:
                return
        if wait:
            self.admit()

    def go_on(self, ref: Ref, stage: str, task_id: str, priority: int) -> str | None:
        """Publish the chain from `stage` on; the ledger says already that it is queued.

        A stage of a newer docpipe, or of another pipeline, is left to the reaper that knows it.
        """
        if stage not in self.names:
            log.warning("stage_unknown", document=ref.document_uuid, run=ref.run, stage=stage)
            return None
        rest = self.stages[self.names.index(stage) :]
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
        except _AWAY as error:
            log.error("document_not_published", document=ref.document_uuid, run=ref.run, error=str(error))
            return _away(error)
        except DocpipeError:
            # task_always_eager runs the chain here, and a failed stage raises here: the store has it
            if not self.app.conf.task_always_eager:
                raise
        return None


def _together(producer: Any) -> AbstractContextManager[Any]:
    """Within it messages are collected, and sent at its end; at once where kombu (before 5.7) cannot."""
    batch: Callable[[], AbstractContextManager[Any]] = getattr(producer, "batch", nullcontext)
    return batch()


def _away(error: Exception) -> BrokerUnavailableError:
    return BrokerUnavailableError(f"The broker cannot be reached: {error}. It will be published later.")
