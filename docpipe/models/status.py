"""The words for state, spelled once.

`source_documents.celery_status` and `initial_processing_status`, and `neo4j_documents."processingStatus"`,
hold the words of this module; the ledger (`stage_runs.state`) holds `StageState`. SQL, docs and tests use the
same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The four built-in stages, in the order they run."""

    OCR = "ocr"
    CHUNK = "chunk"
    ENTITIES = "entities"
    GRAPH = "graph"


class StageState(StrEnum):
    """State of one stage of one run in the ledger."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptEnd(StrEnum):
    """How one attempt at a stage, or at a range of its pages, ended."""

    COMPLETE = "complete"
    SPLIT = "split"
    """The document is long: its pages are read in ranges."""
    RETRIED = "retried"
    """It failed, and another attempt followed."""
    FAILED = "failed"
    """It failed for good."""
    LOST = "lost"
    """Its worker stopped without a word, or was cut off: its lease lapsed."""
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    """The run was over before it ended: superseded by a newer one, or failed elsewhere."""


class RunState(StrEnum):
    """State of one pass over a document in the ledger."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


PENDING = "pending"
COMPLETED = "completed"
COMPLETED_WITH_WARNINGS = "completed_with_warnings"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class StageWords:
    """The status words one stage writes.

    `graph_started` and `graph_completed` go to `neo4j_documents`; a stage that leaves that table
    alone (ocr, most custom stages) has None there.
    """

    queued: str
    processing: str
    complete: str
    error: str
    graph_started: str | None = None
    graph_completed: str | None = None


WORDS: dict[Stage, StageWords] = {
    Stage.OCR: StageWords("ocr_queued", "ocr_processing", "ocr_complete", "error_ocr"),
    Stage.CHUNK: StageWords(
        "text_queued",
        "text_processing",
        "text_complete",
        "error_text_processing",
        "text_processing_started",
        "text_processing_completed",
    ),
    Stage.ENTITIES: StageWords(
        "entity_queued",
        "entity_processing",
        "entity_complete",
        "error_entity_extraction",
        "entity_processing_started",
        "entity_processing_completed",
    ),
    Stage.GRAPH: StageWords(
        "graph_queued",
        "graph_processing",
        "graph_complete",
        "error_graph_building",
        "graph_processing_started",
        "graph_processing_completed",
    ),
}

QUEUES: dict[Stage, str] = {
    Stage.OCR: "ocr",
    Stage.CHUNK: "text",
    Stage.ENTITIES: "entity",
    Stage.GRAPH: "graph",
}


def custom_words(name: str) -> StageWords:
    """The words of a host's own stage: `<name>_queued`, …, `error_<name>`.

    Raises:
        ValueError: the longest word would not fit `varchar(50)`.
    """
    words = StageWords(f"{name}_queued", f"{name}_processing", f"{name}_complete", f"error_{name}")
    if max(map(len, (words.queued, words.processing, words.complete, words.error))) > 50:
        raise ValueError(f"stage name {name!r} is too long: its statuses must fit 50 characters")
    return words


DONE = WORDS[Stage.GRAPH].complete
"""What `celery_status` says of a document that is done, whatever its last stage;
`initial_processing_status` says whether with warnings.
"""
_GOOD_ENDS = frozenset({COMPLETED, COMPLETED_WITH_WARNINGS})


def celery_status(status: str) -> str:
    """What stands in `celery_status` for a document's status; `initial_processing_status` has the status."""
    return DONE if status in _GOOD_ENDS else status


def document_status(celery: str, initial: str | None) -> str:
    """A document's status, out of `celery_status` and `initial_processing_status`.

    Documents that came from another system may have only the first in docpipe's words.
    """
    return initial if celery == DONE and initial in _GOOD_ENDS else celery


def is_error(status: str) -> bool:
    """Whether a document's status says that a stage failed for good."""
    return status.startswith("error_")


def is_final(status: str) -> bool:
    """Whether a document stays in this status until someone reprocesses or resumes it."""
    return status in {*_GOOD_ENDS, CANCELLED} or is_error(status)
