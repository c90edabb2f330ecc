"""The store: canonical state and all results, behind one Protocol. One contract suite runs on every store.

Every move is one atomic step for the caller. A move that comes too late (an old fencing token, a run
that is over) changes nothing and says so; it never raises for that. Every move may be repeated when
its answer was lost on the way.

All methods raise `StoreUnavailableError` when the store cannot be reached, and `SchemaError` or
`PermissionDeniedError` when it is not set up for docpipe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from docpipe.models import Document, DocumentStatus, Failure, RangeRef, Ref, StageOutput
from docpipe.models.status import StageState, StageWords
from docpipe.stores.entity_port import GraphStore
from docpipe.stores.range_port import Handover, Ranges
from docpipe.stores.statistics import Statistics


class Part(StrEnum):
    """The parts of a document that can be loaded one by one."""

    TEXT = "text"
    PAGES = "pages"
    CHUNKS = "chunks"
    MENTIONS = "mentions"
    ENTITIES = "entities"
    RELATIONS = "relations"
    EDGES = "edges"
    EXTRAS = "extras"


ALL_PARTS = frozenset(Part)


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of a run as the ledger needs to know it."""

    name: str
    queue: str
    words: StageWords


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What `register` writes. `document_uuid` is used only if the bytes are new to the project."""

    document_uuid: str
    project_id: str | None
    name: str
    uri: str
    digest: str
    """SHA-256 of the bytes, hex."""
    size: int
    metadata: Mapping[str, Any]
    stages: Sequence[PlannedStage]
    priority: int = 0
    reprocess: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """`created` is true when a new run began; else the document was known and this is where it stands."""

    ref: Ref
    created: bool
    status: str
    task_id: str | None


class Outcome(StrEnum):
    """What a claim was answered."""

    CLAIMED = "claimed"
    COMPLETE = "complete"
    """The stage is done: hand on to the next without working."""
    OVER = "over"
    """The run has ended, was cancelled or superseded."""
    BUSY = "busy"
    """Another attempt holds a live lease."""
    NOT_READY = "not_ready"
    """An earlier stage, or a range of the stage's own pages, is not complete."""
    POISON = "poison"
    """Started too often without ending."""
    UNKNOWN = "unknown"
    """The store knows no such document, run or stage."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`token` and `attempt` are set when claimed or poison; `lease_seconds` (remaining) when busy."""

    outcome: Outcome
    token: int | None = None
    attempt: int = 0
    lease_seconds: float = 0.0
    last_page: int | None = None
    """Of a range that was claimed."""
    joins: bool = False
    """The stage's pages were read in ranges: what they hold is to be joined."""


class Heartbeat(StrEnum):
    OK = "ok"
    CANCELLED = "cancelled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """Where a run's bytes rest, and what they must be."""

    uri: str
    name: str
    digest: str | None
    """None for a document of another system whose bytes nobody had read."""
    size: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which documents; None does not narrow the choice. Times are those of the last change."""

    status: tuple[str, ...] | None = None
    error_code: str | None = None
    stage: str | None = None
    """The stage the document failed in or waits for."""
    project_id: str | None = None
    engine: str | None = None
    """An engine that worked on it, by the beginning of its name (`spacy:en_core_web_sm`)."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of a list of documents."""

    document_uuid: str
    run: int
    name: str
    status: str
    project_id: str | None
    stage: str | None
    """The first stage that is not complete."""
    error_code: str | None
    error_message: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Stalled:
    """A run whose message or worker may be lost, and the stage it waits at, or one range of it."""

    ref: Ref
    stage: str
    state: StageState
    first_page: int | None = None
    """Of the range."""

    @property
    def message(self) -> Ref | RangeRef:
        """What its message holds."""
        return self.ref if self.first_page is None else RangeRef(self.ref, self.first_page)


@dataclass(frozen=True, slots=True)
class Revival:
    """`outcome`: `resume` (publish from `stage`), `cancelled`, `poison` (quarantined) or `none` (gone on)."""

    outcome: str
    stage: str | None = None
    priority: int = 0
    handover: Handover | None = None
    """Of a range that is resumed: what to publish instead."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """The run that goes on, and the stage it goes on from."""

    ref: Ref
    stage: str
    priority: int
    first_pages: tuple[int, ...] = ()
    """Ranges of the stage to publish instead, by their first page."""


class Store(GraphStore, Protocol):
    """Where documents, the ledger and results live."""

    fingerprint: str
    """Names the store without secrets; the same for everyone who means the same store."""

    @property
    def ranges(self) -> Ranges:
        """The ledger of long documents' pages."""
        ...

    def register(self, document: NewDocument) -> Registered:
        """Write the document's row and its run's ledger, status `pending`.

        The same bytes in the same project are one document: without `reprocess` a known document is
        returned as it is, with it a new run begins and a run still active is superseded.
        """
        ...

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        """Say that the stage's message is about to be published; false if the stage has already begun."""
        ...

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        """Take `queue` back: the document is `pending` again, with the reason."""
        ...

    def claim(
        self,
        ref: Ref,
        stage: str,
        *,
        claim_id: str,
        task_id: str,
        worker: str,
        lease_seconds: float,
        max_attempts: int,
    ) -> Claim:
        """Take the stage for this attempt; the attempt is counted before any work starts."""
        ...

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        """Extend the lease, and learn whether to stop."""
        ...

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        """Replace the stage's results and move ledger and status on, all in one transaction."""
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

    def stalled(self, *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        """Active runs whose newest message is older than the grace and whose lease, if any, has lapsed;
        those that were begun come first.
        """
        ...

    def revive(self, ref: Ref, *, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        """Take a run up again if it is still stalled; one with `max_attempts` attempts is poison.

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

    def documents(self, selection: Selection = Selection(), *, limit: int = 100) -> list[Summary]:
        """The documents that match, newest first."""
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
