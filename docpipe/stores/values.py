"""What goes into the store's moves and comes out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from docpipe.errors import ConfigurationError
from docpipe.models import (
    Document,
    EntityDecision,
    EntityLink,
    EntityName,
    Failure,
    PageRange,
    RangeRef,
    Ref,
    Relation,
    StageOutput,
)
from docpipe.models.reading import AS_OTHERS, ReadingOptions
from docpipe.models.status import StageState, StageWords
from docpipe.stores.ledger_terms import Claimant

PRIORITIES = range(10)
"""0 is first."""


class Part(StrEnum):
    """The parts of a document that can be loaded one by one."""

    TEXT = "text"
    PAGES = "pages"
    CHUNKS = "chunks"
    MENTIONS = "mentions"
    ENTITIES = "entities"
    RELATIONS = "relations"
    EDGES = "edges"
    FACTS = "facts"
    CHILDREN = "children"
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
    copied: bool = False
    """Whether docpipe made the copy at `uri`, and so removes it with the document."""
    batch: str | None = None
    """The name under which it is submitted together with others."""
    reading: ReadingOptions = AS_OTHERS
    """How this document is to be read."""
    idempotency_key: str | None = None
    """Chosen by who submits: within the project it stands for this document and no other."""
    depth: int = 0
    """How many documents it was found inside of."""
    family: str | None = None
    """The same in all that is inside one submitted document."""
    trace_parent: str | None = None
    """The span in which it is submitted, as W3C writes it."""


@dataclass(frozen=True, slots=True)
class Registered:
    """`created` is true when a new run began; else the document was known and this is where it stands."""

    ref: Ref
    created: bool
    status: str
    task_id: str | None
    queued: bool = False
    """Of `register_many`: its first message, with this task id, is to be published now."""


class Outcome(StrEnum):
    """What a claim was answered."""

    CLAIMED = "claimed"
    COMPLETE = "complete"
    """The stage is done: continue with the next without working."""
    OVER = "over"
    """The run has ended, was cancelled or superseded."""
    BUSY = "busy"
    """Another attempt holds a live lease."""
    NOT_READY = "not_ready"
    """An earlier stage, or a range of the stage's own pages, is not complete."""
    PAUSED = "paused"
    """No attempt begins there now: the run is held, and published when it is released."""
    POISON = "poison"
    """Started too often without ending."""
    UNKNOWN = "unknown"
    """The store knows no such document, run or stage."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """Where a run's bytes rest, and what they must be."""

    uri: str
    name: str
    digest: str | None
    """None for a document of another system whose bytes were never read."""
    size: int | None
    reading: ReadingOptions = AS_OTHERS


@dataclass(frozen=True, slots=True)
class StageInput:
    """What a stage works on."""

    document: Document
    source: SourceRecord


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
    input: StageInput | None = None
    """Of a stage that was claimed with what it needs, unless that is large."""


@dataclass(frozen=True, slots=True)
class NextClaim:
    """After the finish of one stage: the next is claimed."""

    stage: str
    claimant: Claimant


Then = NextClaim | tuple[EntityName, ...]
"""What a finish does besides: it claims the next stage; or, after the last, it links the names."""


@dataclass(frozen=True, slots=True)
class Linking:
    """What is left to do after a run's names are written."""

    rivals: Mapping[str, Sequence[str]]
    """By block the keys in it, the run's own among them; blocks of one key are left out."""
    apart: frozenset[str]
    """Keys of names that somebody split from others' in this document: they were given a key of its own
    (`models.own_key`), and are compared with none.
    """
    linked: bool
    """There is nothing to compare, and the document is linked."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finish, and what was done in the same transaction."""

    in_time: bool
    claim: Claim | None = None
    """Of the next stage, where that was asked for."""
    linking: Linking | None = None
    """Of the names, where that was asked for and could be done at once."""
    others_wait: bool = False
    """Where the run has ended: documents wait for their share."""


class Heartbeat(StrEnum):
    OK = "ok"
    CANCELLED = "cancelled"
    LOST = "lost"


SORTS = tuple(f"{way}{name}" for name in ("changed", "name", "status", "pages") for way in ("", "-"))
"""What a list of documents may be sorted by."""


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
    docpipe_version: str | None = None
    """The docpipe that did a stage of it, by the beginning of its version (`0.1.`)."""
    file_type: str | None = None
    """The MIME type it was found to have, or how its name ends (`pdf`)."""
    confidence_below: float | None = None
    """A page of its results was recognised with less (0..1)."""
    batch: str | None = None
    """The name under which it was submitted together with others."""
    parent: str | None = None
    """A document inside which it was found."""
    since: datetime | None = None
    until: datetime | None = None
    name: str | None = None
    """Part of the document's name, in any case."""
    before: str | None = None
    """Only documents that come after this one: the last of a list, for those that follow it."""
    sort: str | None = None
    """The order, one of `SORTS`: `changed`, `name`, `status` or `pages`, with `-` before it the other way
    round; None: the newest first. Documents that are alike in it are in the order of their submit.
    """

    def __post_init__(self) -> None:
        if self.sort is not None and self.sort not in SORTS:
            raise ConfigurationError(f"sort={self.sort!r}: lists are sorted by {', '.join(SORTS)}.")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person did by a surface of docpipe's, and why."""

    id: str
    """Whoever asks chooses it; nothing is done twice for one."""
    who: str
    action: str
    target: str | None
    """What it was done to: a document's id, or the ids of entities. None once the document is deleted."""
    project_id: str | None
    why: str = ""
    at: datetime | None = None
    """When it was written down."""


ALL = Selection()
"""Every document."""


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
    pages: int | None = None
    """Of the run whose results are read; None: no run has completed."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """A run whose message or worker may be lost, and the stage it waits at, or one range of it."""

    ref: Ref
    stage: str
    state: StageState
    first_page: int | None = None
    """Of the range."""


@dataclass(frozen=True, slots=True)
class Look:
    """The oldest messages in one of the broker's lists. A list is first in, first out: what was sent before
    the oldest, and is not among these, is not in it.
    """

    queue: str
    priorities: tuple[int, ...]
    """Those whose messages share the list."""
    oldest: tuple[tuple[Ref | RangeRef, str], ...]
    """What each is about, and the id of its task; the oldest first."""
    whole: bool
    """Whether the list holds no others."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What is to be published now; often nothing."""

    first_pages: tuple[int, ...] = ()
    """Ranges, by their first page."""
    complete: bool = False
    """No range is open any more: the stage itself, to join them."""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ReadRange:
    """What a range has read, or why it has not."""

    pages: PageRange
    output: StageOutput | Failure


@dataclass(frozen=True, slots=True)
class Revival:
    """`outcome`: `resume` (publish from `stage`), `cancelled`, `poison` (quarantined), `refused` (a rule of
    the database's own refuses the status, and the run has failed) or `none` (gone on).
    """

    outcome: str
    stage: str | None = None
    priority: int = 0
    handover: Handover | None = None
    """Of a range that is resumed: what to publish instead."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """The run that is resumed, and the stage it starts from."""

    ref: Ref
    stage: str
    priority: int
    first_pages: tuple[int, ...] = ()
    """Ranges of the stage to publish instead, by their first page."""


@dataclass(frozen=True, slots=True)
class Due:
    """A run whose first message is due."""

    ref: Ref
    priority: int


@dataclass(frozen=True, slots=True)
class Ties:
    """What joins or parts keys, either end among those asked for."""

    links: tuple[EntityLink, ...]
    decisions: tuple[EntityDecision, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A relation, and where it was found."""

    ref: Ref
    index: int
    relation: Relation


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a document's bytes; `made` as `Sources.discard` takes it."""

    uri: str
    made: bool | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """A deleted document, and the copies of its bytes that no document has any more."""

    document_uuid: str
    copies: tuple[Copy, ...]
