"""The store: canonical state and all results, behind one Protocol. One contract suite runs on every store.

Every move is one atomic step for the caller. A move that comes too late (an old fencing token, a run
that is over) changes nothing and returns that it did not apply; it never raises for that. Every move
may be repeated when its answer was lost on the way.

All methods raise `StoreUnavailableError` when the store cannot be reached, and `SchemaError` or
`PermissionDeniedError` when it is not set up for docpipe.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from docpipe.models import Attempt, Document, DocumentStatus, Failure, Ref, StageOutput
from docpipe.stores.child_port import ChildStore
from docpipe.stores.entity_port import GraphStore
from docpipe.stores.erasure_port import ErasureStore
from docpipe.stores.excerpt import Excerpts
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.pause_port import PauseStore
from docpipe.stores.range_port import Ranges
from docpipe.stores.share_port import ShareStore
from docpipe.stores.statistics import Statistics
from docpipe.stores.telemetry_port import Telemetry
from docpipe.stores.text_search import PageHit, PassageHit, Term
from docpipe.stores.values import (
    ALL,
    Action,
    Claim,
    Finished,
    Heartbeat,
    Look,
    NewDocument,
    Part,
    PlannedStage,
    Registered,
    Resumption,
    Revival,
    Selection,
    SourceRecord,
    Stalled,
    Summary,
    Then,
)
from docpipe.stores.webhook_port import WebhookStore


class Store(GraphStore, ErasureStore, ChildStore, PauseStore, ShareStore, Excerpts, Protocol):
    """Where documents, the ledger and results live."""

    fingerprint: str
    """Names the store without secrets; the same for everyone who means the same store."""

    @property
    def ranges(self) -> Ranges:
        """The ledger of long documents' pages."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What happened, for traces and counts of other systems."""
        ...

    @property
    def webhooks(self) -> WebhookStore:
        """Who is told of ends, and what became of it."""
        ...

    def register(self, document: NewDocument) -> Registered:
        """Write the document's row and its run's ledger, status `pending`.

        The same bytes in the same project are one document: without `reprocess` a known document is
        returned as it is, with it a new run begins and a run still active is superseded. A document whose
        `idempotency_key` is known in the project is returned as it is in any case.

        Raises:
            IdempotencyError: the key stands for other bytes.
        """
        ...

    def register_many(self, documents: Sequence[NewDocument], task_ids: Sequence[str]) -> list[Registered]:
        """`register` for each, in order, and `queue` with its task id for those that are `pending`; all or
        none, in one call.
        """
        ...

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        """Say that the stage's message is about to be published; false if the stage has already started, or
        waits for its share (`admit`).
        """
        ...

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        """Take `queue` back: the document is `pending` again, with the reason."""
        ...

    def claim(self, ref: Ref, stage: str, claimant: Claimant, needs: Collection[Part] | None = None) -> Claim:
        """Take the stage for this attempt; the attempt is counted before any work starts.

        Args:
            needs: what the stage works on, to come along (`Claim.input`); None: nothing does. What is large
                does not: `load` and `source` read it.
        """
        ...

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        """Extend the lease, and learn whether to stop."""
        ...

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        """Replace the stage's results and move ledger and status on, all in one transaction."""
        ...

    def finish_on(self, ref: Ref, stage: str, token: int, output: StageOutput, then: Then) -> Finished:
        """`finish`, and in the same transaction `claim` of the next stage, or the first half of linking
        (`link`), where nobody else links in the project at that moment.
        """
        ...

    def retry(self, ref: Ref, stage: str, token: int, failure: Failure, delay_seconds: float) -> bool:
        """The attempt failed and another follows after the delay; the status stays `*_processing`."""
        ...

    def fail(self, ref: Ref, stage: str, token: int | None, failure: Failure) -> bool:
        """The stage failed for good: the document's final status is the stage's `error_*`."""
        ...

    def fail_task(self, ref: Ref, task_id: str, failure: Failure) -> bool:
        """Celery's task died: fail the stage that it claimed and did not complete; false if none."""
        ...

    def cancel(self, document_uuid: str) -> bool:
        """Ask the active run to stop; false if none is active."""
        ...

    def lost(self, looks: Sequence[Look], *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        """Active runs, and ranges of them, that have lost their worker, that were never sent, or whose
        message is in no list of the broker, by the looks into its lists. Their newest message is older than
        the grace, and their lease, if any, has lapsed; those that were started come first.
        """
        ...

    def revive(self, ref: Ref, *, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        """Resume a run if it is still stalled; one with `max_attempts` attempts is poison.

        The holder of a lapsed lease keeps its token until the next claim: it may have been cut off only.
        """
        ...

    def resume(self, document_uuid: str, task_id: str, *, ranges_at_once: int = 1) -> Resumption | None:
        """Let a failed or cancelled run go on from its first incomplete stage; None if there is none.

        Of a stage that was read in ranges, those that are complete stay so.
        """
        ...

    def reprocess(
        self, document_uuid: str, from_stage: str, stages: Sequence[PlannedStage]
    ) -> Resumption | None:
        """Begin a new run that keeps the results of the stages before `from_stage`, from the newest run
        that completed them; None if no run has. A run still active is superseded.
        """
        ...

    def source(self, ref: Ref) -> SourceRecord:
        """Where the run's bytes rest. Raises `DocumentNotFoundError`."""
        ...

    def load(self, ref: Ref, parts: Collection[Part]) -> Document:
        """The document with the parts asked for; other parts are empty. Raises `DocumentNotFoundError`."""
        ...

    def status(self, document_uuid: str) -> DocumentStatus:
        """Where the document stands, with its ledger and history. Raises `DocumentNotFoundError`."""
        ...

    def batch(self, name: str) -> dict[str, int]:
        """How many documents that were submitted under this name have which status."""
        ...

    def attempts(self, document_uuid: str, *, limit: int = 1000) -> list[Attempt]:
        """The newest attempts at the document's stages and ranges, of all its runs, oldest first."""
        ...

    def documents(self, selection: Selection = ALL, *, limit: int = 100) -> list[Summary]:
        """The documents that match, newest first."""
        ...

    def search_pages(
        self,
        query: tuple[Term, ...],
        *,
        project_id: str | None = None,
        limit: int = 20,
        any_term: bool = False,
    ) -> list[PageHit]:
        """Pages of completed documents that hold the terms, the best first; of all projects if None.

        Args:
            any_term: one of the wanted terms is enough; rare ones count for more.
        """
        ...

    def search_vectors(
        self, vector: Sequence[float], model: str, *, project_id: str | None = None, limit: int = 20
    ) -> list[PassageHit]:
        """Passages of completed documents whose vectors by this model are nearest, the nearest first, all of
        them compared; of all projects if None. Vectors have the length 1."""
        ...

    def vectors_by(self) -> str:
        """How vectors are compared, in words for people."""
        ...

    def record_action(self, action: Action) -> bool:
        """Write down what somebody is about to do; false if its id was written down before."""
        ...

    def actions(self, project_id: str | None = None, *, limit: int = 50) -> list[Action]:
        """What was done last, newest first; of all projects if None."""
        ...

    def statistics(self, *, window_seconds: float = 3600.0, limit: int = 100) -> Statistics:
        """Counts over all documents, taken at one moment.

        Args:
            window_seconds: how far back ends, failures and quantiles reach.
            limit: the most running stages that are listed.
        """
        ...

    def check(self) -> list[str]:
        """What the store lacks, one sentence each; empty when it is ready."""
        ...

    def close(self) -> None:
        """Give connections back; the store opens new ones when it is used again."""
        ...
