"""Resumes runs: for the reaper, or on request."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from docpipe.delivery.broker import Broker
from docpipe.delivery.dispatch import Dispatch
from docpipe.delivery.pausing import release
from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    PermissionDeniedError,
    SchemaError,
    TransientError,
)
from docpipe.execution.logs import get_logger
from docpipe.execution.policy import Policy
from docpipe.models import Ref
from docpipe.models.status import is_final
from docpipe.stores.port import Store
from docpipe.stores.values import Handover, PlannedStage, Stalled

log = get_logger(__name__)


def lost_in(broker: Broker, store: Store, queues: Iterable[str], grace_seconds: float) -> list[Stalled]:
    """What has lost its worker or its message, as far as the broker says which messages it has."""
    looks = broker.looks(queues)  # before the store is read
    return store.lost(looks, grace_seconds=grace_seconds)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `Pipeline.reap`, `resume`, `reprocess` and `retry_pages` do; they say what each promises."""

    store: Store
    broker: Broker
    dispatch: Dispatch
    policy: Policy

    @property
    def _plan(self) -> list[PlannedStage]:
        return [stage.planned for stage in self.dispatch.stages]

    def reap(self) -> Counter[str]:
        queues = {stage.queue for stage in self.dispatch.stages}
        lost = lost_in(self.broker, self.store, queues, self.policy.grace_seconds)
        mine = [each for each in lost if each.stage in self.dispatch.names]
        outcomes = Counter(self._revive(each.ref, each.first_page) for each in mine)
        outcomes["released"] += release(self.dispatch, self.policy.ranges_at_once)
        outcomes["admitted"] += len(self.dispatch.admit())
        return +outcomes

    def _revive(self, ref: Ref, first_page: int | None) -> str:
        """What fails for one document stops no other; what would fail for all of them is raised."""
        try:
            return self._revive_stage(ref) if first_page is None else self._revive_range(ref, first_page)
        except (TransientError, PermissionDeniedError, SchemaError):
            raise
        except DocpipeError as error:
            where = {"document": ref.document_uuid, "run": ref.run, "first_page": first_page}
            log.error("run_not_revived", **where, code=error.code, error=str(error))
            return "not_revived"

    def _revive_stage(self, ref: Ref) -> str:
        task_id, policy = str(uuid.uuid4()), self.policy
        revival = self.store.revive(
            ref, grace_seconds=policy.grace_seconds, max_attempts=policy.max_attempts, task_id=task_id
        )
        log.warning("run_revived", document=ref.document_uuid, run=ref.run, outcome=revival.outcome)
        if revival.outcome == "resume" and revival.stage is not None:
            self.dispatch.go_on(ref, revival.stage, task_id, revival.priority)
        return revival.outcome

    def _revive_range(self, ref: Ref, first_page: int) -> str:
        policy = self.policy
        revival = self.store.ranges.revive(
            ref,
            first_page,
            grace_seconds=policy.grace_seconds,
            max_attempts=policy.max_attempts,
            at_once=policy.ranges_at_once,
        )
        where = {"document": ref.document_uuid, "run": ref.run, "first_page": first_page}
        log.warning("range_revived", **where, outcome=revival.outcome)
        if revival.handover is not None:
            self.dispatch.hand_over(ref, revival.handover)
        return revival.outcome

    def resume(self, document_uuid: str) -> str | None:
        task_id = str(uuid.uuid4())
        resumed = self.store.resume(document_uuid, task_id, ranges_at_once=self.policy.ranges_at_once)
        if resumed is None:
            return None
        if resumed.first_pages:
            due = Handover(resumed.first_pages, priority=resumed.priority)
            self.dispatch.hand_over(resumed.ref, due, task_id)
            return task_id
        return self.dispatch.go_on(resumed.ref, resumed.stage, task_id, resumed.priority)

    def reprocess(self, document_uuid: str, from_stage: str) -> str | None:
        begun = self.store.reprocess(document_uuid, from_stage, self._plan)
        if begun is None:
            self.store.status(document_uuid)
            names = ", ".join(self.dispatch.names)
            raise ConfigurationError(
                f"{document_uuid} cannot be processed again from {from_stage!r}: no run has completed the"
                f" stages before it, or it is none of {names}."
            )
        return self.dispatch.begin_at(begun.ref, begun.stage, begun.priority)

    def retry_pages(self, document_uuid: str) -> str | None:
        status, task_id = self.store.status(document_uuid), str(uuid.uuid4())
        if not status.failed_pages or not is_final(status.status):
            return None
        begun = self.store.ranges.replay(document_uuid, self._plan, self.policy.ranges_at_once)
        if begun is None:
            return self.reprocess(document_uuid, self.dispatch.stages[0].name)
        self.store.queue(begun.ref, begun.stage, task_id)
        due = Handover(begun.first_pages, priority=begun.priority)
        self.dispatch.hand_over(begun.ref, due, task_id)
        return task_id
