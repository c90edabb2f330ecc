"""What doctor, health and monitor look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from docpipe.delivery.broker import Broker
from docpipe.execution.plan import StageSpec
from docpipe.execution.policy import Policy
from docpipe.stores.port import Store

NOT_REDIS = (
    "The broker is not a Redis: its queues cannot be looked into, and what was lost is found by the ledger,"
    " messages of a queue when it is empty."
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A pipeline as it is deployed: what doctor, health and monitor look at."""

    app: Celery
    store: Store
    broker: Broker
    policy: Policy
    stages: Sequence[StageSpec]
    layers: Callable[[], Mapping[str, str | None]] | None = None
    """Says for each layer of the sandbox None, or why it is not there. None: there is no sandbox."""
    layers_required: bool = False
    waived: frozenset[str] = frozenset()
    """Checks of the doctor that may be wrong, by name."""
    traced: bool = False
    """Whether runs are traced that were submitted in no span of the host's."""

    @property
    def fingerprint(self) -> str:
        """What submitters and workers must agree on."""
        return f"{self.store.fingerprint} stages {','.join(stage.name for stage in self.stages)}"

    @property
    def queues(self) -> list[str]:
        """The Celery queues, in the order of the stages."""
        return list(dict.fromkeys(stage.queue for stage in self.stages))
