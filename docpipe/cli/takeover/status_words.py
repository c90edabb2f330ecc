"""The one table that says what the status words of other pipelines mean in docpipe's.

Words are compared in lower case. Besides those below, every word of `docpipe.models.status` means itself.
docs/reference/statuses.md shows the same table; a test compares them.
"""

from __future__ import annotations

from enum import StrEnum

from docpipe.models.status import (
    CANCELLED,
    COMPLETED,
    COMPLETED_WITH_WARNINGS,
    PENDING,
    WORDS,
    Stage,
    is_final,
)


class Place(StrEnum):
    """Where a word was found: the same word may mean something else elsewhere."""

    DOCUMENT = "document"
    """`source_documents.celery_status` and `initial_processing_status`: the step that runs or ran."""
    GRAPH = "graph"
    """`neo4j_documents."processingStatus"`: often the step that comes next."""


class Work(StrEnum):
    """What a row of the old queue asks for."""

    PENDING = "pending"
    INTERRUPTED = "interrupted"
    DONE = "done"
    STRANDED = "stranded"
    """No row asks for it: the document is open, and the queue does not know it."""


_OCR, _CHUNK, _ENTITIES, _GRAPH = (WORDS[stage] for stage in Stage)

ORDER: tuple[str, ...] = (
    PENDING,
    *(word for words in WORDS.values() for word in (words.queued, words.processing, words.complete)),
    *(words.error for words in WORDS.values()),
    CANCELLED,
    COMPLETED_WITH_WARNINGS,
    COMPLETED,
)
"""A document's statuses, from the beginning of the way to its ends."""

_ITSELF = {word: word for word in ORDER}

_EVERYWHERE = {
    "complete": COMPLETED,
    "fully_processed": COMPLETED,
    "canceled": CANCELLED,
    "error_chunking": _CHUNK.error,
    "error_ner": _ENTITIES.error,
    "error_resolution": _GRAPH.error,
    "error_relationships": _GRAPH.error,
}

_DOCUMENT = {
    "uploaded": PENDING,
    "queued": PENDING,
    "pending_intake": PENDING,
    "pending_ocr": PENDING,
    "pre_ocr_pending": PENDING,
    "submitted": _OCR.queued,
    "ocr_celery_queued": _OCR.queued,
    "ocr_stream_pending": _OCR.queued,
    "image_queued": _OCR.queued,
    "processing": _OCR.processing,
    "ocr_celery_processing": _OCR.processing,
    "ocr_stream_processing": _OCR.processing,
    "image_processing": _OCR.processing,
    "ocr_completed": _OCR.complete,
    "ocr_complete_pending_doc_node": _OCR.complete,
    "neo4j_node_created": _CHUNK.queued,
    "chunks_created": _CHUNK.complete,
    "entity_extraction": _ENTITIES.processing,
    "entity_resolution": _GRAPH.processing,
    "resolution_complete": _GRAPH.processing,
    "graph_building": _GRAPH.processing,
    "graph_completed": _GRAPH.complete,
    "image_completed": COMPLETED,
    "image_failed_with_fallback": COMPLETED_WITH_WARNINGS,
    "skipped_video": CANCELLED,
    "stopped": CANCELLED,
    "failed": _OCR.error,
    "error": _OCR.error,
    "error_project_uuid_lookup": _OCR.error,
    "extraction_failed": _OCR.error,
    "extraction_unsupported": _OCR.error,
    "ocr_failed": _OCR.error,
    "image_failed": _OCR.error,
    "text_failed": _CHUNK.error,
    "entity_failed": _ENTITIES.error,
    "resolution_failed": _GRAPH.error,
    "graph_failed": _GRAPH.error,
}

_GRAPH_PLACE = {
    "pending_metadata": _CHUNK.queued,
    "pending_chunking": _CHUNK.queued,
    "reprocessing": _CHUNK.queued,
    "text_processing_started": _CHUNK.processing,
    "text_processing_completed": _CHUNK.complete,
    "pending_ner": _ENTITIES.queued,
    "pending_entities": _ENTITIES.queued,
    "entity_processing_started": _ENTITIES.processing,
    "entity_processing_completed": _ENTITIES.complete,
    "pending_canonicalization": _GRAPH.queued,
    "pending_relationships": _GRAPH.queued,
    "graph_processing_started": _GRAPH.processing,
    "graph_processing_completed": _GRAPH.complete,
    "relationships_staged": COMPLETED,
    "error": _CHUNK.error,
    "failed": _CHUNK.error,
}

MEANINGS: dict[Place, dict[str, str]] = {
    Place.DOCUMENT: _ITSELF | _EVERYWHERE | _DOCUMENT,
    Place.GRAPH: _ITSELF | _EVERYWHERE | _GRAPH_PLACE,
}

VAGUE = frozenset({"failed", "error", "processing"})
"""Words that name no stage: a more precise one about the same document goes first."""

QUEUE: dict[str, Work] = {
    "pending": Work.PENDING,
    "queued": Work.PENDING,
    "retry": Work.PENDING,
    "retrying": Work.PENDING,
    "processing": Work.INTERRUPTED,
    "in_progress": Work.INTERRUPTED,
    "running": Work.INTERRUPTED,
    "completed": Work.DONE,
    "complete": Work.DONE,
    "failed": Work.DONE,
    "error": Work.DONE,
    "cancelled": Work.DONE,
    "canceled": Work.DONE,
}
"""`document_processing_queue.status`."""

STEPS: dict[str, Stage] = {
    "intake": Stage.OCR,
    "s3_migration": Stage.OCR,
    "ocr": Stage.OCR,
    "extracting_text": Stage.OCR,
    "document_node_creation": Stage.CHUNK,
    "processing_text": Stage.CHUNK,
    "chunking": Stage.CHUNK,
    "extracting_entities": Stage.ENTITIES,
    "resolving_entities": Stage.GRAPH,
    "building_relationships": Stage.GRAPH,
}
"""`document_processing_queue.processing_step`, by the stage that does its work now."""

LAST_STEP = "building_relationships"


def same_kind(word: str, other: str) -> bool:
    """Whether both words stand for the same outcome: done, failed, cancelled or not over."""

    def kind(status: str) -> str:
        if not is_final(status):
            return "open"
        return "error" if status.startswith("error_") else status.partition("_")[0]

    return kind(word) == kind(other)
