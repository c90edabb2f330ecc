"""The values that travel between stages, stores and callers: small, frozen, stdlib only.

Offsets are half-open character (code point) ranges into `Document.text`; `text[start:end]` is
exactly the page, chunk or mention. Boxes are `(x0, y0, x1, y1)` in PDF points (1/72 inch) with
the origin at the top left of the page as it is shown. Page numbers start at 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from docpipe.models.children import Child as Child
from docpipe.models.children import NewChild as NewChild
from docpipe.models.facts import Evidence as Evidence
from docpipe.models.facts import Fact as Fact
from docpipe.models.facts import Facts as Facts
from docpipe.models.facts import FactType as FactType
from docpipe.models.facts import Kind as Kind
from docpipe.models.geometry import Box as Box
from docpipe.models.geometry import PageBox as PageBox
from docpipe.models.project_entities import EntityDecision as EntityDecision
from docpipe.models.project_entities import EntityLink as EntityLink
from docpipe.models.project_entities import EntityMember as EntityMember
from docpipe.models.project_entities import EntityName as EntityName
from docpipe.models.project_entities import own_key as own_key
from docpipe.models.status import AttemptEnd
from docpipe.models.vectors import Vector as Vector

PAGE_FAILED = "page_failed"
"""Code of the warning that a page could not be read."""


_MAX_ID = 200
_MAX_NUMBER = 2**31 - 1
"""What the database holds."""


def is_id(value: object) -> bool:
    """Whether this can be the id of a document, run or task: 1 to 200 printable characters.

    What is none would be a log line of megabytes, a control sequence, or no text in any store.
    """
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isprintable()


def _id(message: Mapping[str, Any]) -> str:
    value = message["document_uuid"]
    if not is_id(value):
        raise ValueError("document_uuid is no id")
    return str(value)


def _number(message: Mapping[str, Any], key: str) -> int:
    value = message[key]
    if type(value) is not int or not 1 <= value <= _MAX_NUMBER:
        raise ValueError(f"{key} is not a number from 1 to {_MAX_NUMBER}")
    return value


class Method(StrEnum):
    """How a page's text was obtained."""

    TEXT = "text"
    """From the document itself: a PDF text layer, or the characters of a text format."""
    OCR = "ocr"
    """Recognised from the page's picture."""
    BOTH = "both"
    """Text layer, and recognition for the pictures on the page."""


class Role(StrEnum):
    """What a line is to its page."""

    BODY = "body"
    HEADER = "header"
    """Stands at the head of page after page."""
    FOOTER = "footer"
    """Stands at the foot of page after page; page numbers, too."""


@dataclass(frozen=True, slots=True)
class Ref:
    """What travels between tasks: which document, which run. Never text or bytes."""

    document_uuid: str
    run: int

    def to_message(self) -> dict[str, Any]:
        return {"document_uuid": self.document_uuid, "run": self.run}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Extra keys are accepted, so that newer submitters and older workers mix.

        Raises:
            KeyError, TypeError, ValueError: it names no document and run.
        """
        return cls(_id(message), _number(message, "run"))


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages of a document, both ends included; numbers start at 1."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RangeRef:
    """What travels for one range of a long document's pages: which run, and where the range begins."""

    ref: Ref
    first_page: int

    def to_message(self) -> dict[str, Any]:
        return self.ref.to_message() | {"first_page": self.first_page}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """As `Ref.from_message`."""
        return cls(Ref.from_message(message), _number(message, "first_page"))


@dataclass(frozen=True, slots=True)
class Warn:
    """Something a reader of the results should know; the document still completed."""

    code: str
    message: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text with its place on the page (None where the format has no geometry).

    What stands beside each other on the page (a table's cells) are lines of their own; between them
    the text has a tab or a space, after the last of them a line end.
    """

    start: int
    end: int
    box: Box | None = None
    confidence: float = 1.0
    role: Role = Role.BODY
    words: tuple[float, ...] = ()
    """Where each word of the line begins and ends, in points: across the page, or down it where the box is
    higher than wide. Empty where it has one word only, or where that is not known."""
    slope: float = 0.0
    """Points by which it comes down for each point across the page (or to the right for each down it): `box`
    is around the whole of it, and so higher than its words."""

    def __reduce__(self) -> tuple[type[Line], tuple[Any, ...]]:
        """Pickled as its values: three times as fast as a dataclass by itself, and documents have many."""
        return Line, (self.start, self.end, self.box, self.confidence, self.role, self.words, self.slope)


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `width` and `height` in points, None where the format has no pages of its own."""

    number: int
    start: int
    end: int
    width: float | None
    height: float | None
    method: Method
    lines: tuple[Line, ...] = ()
    reason: str = ""
    """Why this method was chosen."""
    confidence: float | None = None
    """Mean confidence 0..1 of its lines, weighted by length; None where nothing was recognised."""
    part: str = ""
    """The attachment the page comes from; empty for the document itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    index: int
    start: int
    end: int
    page_from: int
    page_to: int
    text: str = ""
    boxes: tuple[PageBox, ...] = ()
    """One for each line it covers, or part of one; empty where the format has no geometry."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in the text that names something."""

    index: int
    text: str
    label: str
    start: int
    end: int
    page: int
    box: Box | None
    score: float
    """0..1: the engine's own, or 1.0 for an exact pattern."""
    source: str
    """The engine or pattern that found it."""
    chunk: int
    """Index of the chunk the mention lies in."""
    value: str | None = None
    """The normal form of a date (`2024-03-14`), amount (`USD 18500`) or number, where it is plain."""
    boxes: tuple[Box, ...] = ()
    """One for each line it covers, on its page; `box` is what encloses them."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Why two spellings are one entity."""

    rule: str
    """`form`, `ocr`, `spelling`, `acronym`, `initials`, `part`, `called`, `defined`,
    `known as` or `shared`."""
    score: float
    """0..1: how rarely the rule errs."""
    mentions: tuple[int, int]
    """The first mention of either spelling, by index."""


@dataclass(frozen=True, slots=True)
class Entity:
    """What several mentions of one document name."""

    index: int
    name: str
    label: str
    mentions: tuple[int, ...]
    merges: tuple[Merge, ...] = ()
    """Why its spellings are one: one entry fewer than there are spellings."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed edge between two entities (indexes into `Document.entities`)."""

    type: str
    source: int
    target: int
    evidence: Evidence
    score: float
    verb: str = ""
    """The words that relate the two; of RELATED_TO only."""
    count: int = 1
    """How many places in the document state it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A structural edge; node ids are `document`, `page:1`, `chunk:0`, `mention:0`, `entity:0`."""

    type: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document failed: the stage, the error's class and stable code, and what to do."""

    code: str
    error_class: str
    message: str
    stage: str | None = None
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class StageOutput:
    """What one stage hands to the store; None means "this stage does not make these"."""

    text: str | None = None
    pages: tuple[Page, ...] | None = None
    file_type: str | None = None
    metadata: Mapping[str, str] | None = None
    chunks: tuple[Chunk, ...] | None = None
    vectors: tuple[Vector, ...] | None = None
    mentions: tuple[Mention, ...] | None = None
    entities: tuple[Entity, ...] | None = None
    relations: tuple[Relation, ...] | None = None
    edges: tuple[Edge, ...] | None = None
    facts: Facts | None = None
    children: tuple[NewChild, ...] | None = None
    """Documents that were taken out of this one, to be registered with the end of the stage."""
    extra: Mapping[str, Any] | None = None
    """A host's own stage: any JSON object, found again in `Document.extras[stage]`."""
    warnings: tuple[Warn, ...] = ()
    engine: str | None = None
    """Technology, model and version that did the work, where an engine did."""
    ranges: tuple[PageRange, ...] | None = None
    """Instead of all else: the document is long, and each of these is to be read by an attempt of its own."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document and everything its stages have found so far."""

    document_uuid: str
    run: int
    status: str
    name: str
    project_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    file_type: str | None = None
    text: str = ""
    pages: tuple[Page, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    mentions: tuple[Mention, ...] = ()
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    edges: tuple[Edge, ...] = ()
    facts: Facts | None = None
    """None until the graph stage has run, and of a run by a docpipe that did not look for them."""
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: tuple[Warn, ...] = ()
    error: Failure | None = None
    parent: str | None = None
    """The document in which it was found; None: in none."""
    children: tuple[Child, ...] = ()
    """The documents that were found in it and are documents of their own."""
    depth: int = 0
    """How many documents it was found inside of; 0: it was submitted by itself."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One row of the ledger: one stage of one run of one document."""

    stage: str
    position: int
    state: str
    attempt: int
    task_id: str | None = None
    worker: str | None = None
    lease_expires_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class RangeRun:
    """One row of the ledger: one range of pages that a stage reads on its own."""

    pages: PageRange
    state: str
    attempt: int
    worker: str | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a stage, or at a range of its pages: who made it, when, and how it ended."""

    token: int
    """Its fencing token; attempts of a document are in this order."""
    run: int
    stage: str
    attempt: int
    """1, 2, …; counted anew when the run is resumed."""
    task_id: str | None
    worker: str | None
    started_at: datetime
    ended_at: datetime | None = None
    """Of one that was lost: when its lease lapsed."""
    ended: AttemptEnd | None = None
    """None: it is at work, or nobody has noticed yet that it is not."""
    pages: PageRange | None = None
    """The range; None: the whole stage."""
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class DocumentStatus:
    """Where a document stands."""

    document_uuid: str
    run: int
    result_run: int | None
    """The newest run that completed; its results are the ones to read."""
    status: str
    graph_status: str | None
    name: str
    project_id: str | None
    task_id: str | None
    """Celery's id of the task of the stage that runs or waits; None when it runs in process."""
    stages: tuple[StageRun, ...]
    history: tuple[tuple[datetime, str, str | None], ...]
    """When, `status`, and `processingStatus` where it changed too; oldest first."""
    error: Failure | None = None
    warnings: tuple[Warn, ...] = ()
    parent: str | None = None
    """As of `Document`."""
    children: Mapping[str, int] = field(default_factory=dict)
    """How many of the documents that were found in it have which status."""

    @property
    def failed_pages(self) -> tuple[int, ...]:
        """Numbers of the pages that could not be read."""
        return tuple(
            warn.page for warn in self.warnings if warn.code == PAGE_FAILED and warn.page is not None
        )
