"""A document, put together from the rows of one run. Every store uses the same column names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from docpipe.models import Document, Ref
from docpipe.models.reading import ReadingOptions
from docpipe.models.status import document_status
from docpipe.stores import rows
from docpipe.stores.result_rows import parts_of
from docpipe.stores.values import Part, SourceRecord, StageInput

TABLES = tuple(part for part in Part if part not in (Part.TEXT, Part.EXTRAS))
"""The parts that have a table of their own, `docpipe_<part>`."""

Row = Mapping[str, Any]


def order_of(part: str) -> str:
    """The column by which the rows of a part are in order."""
    return "number" if part == Part.PAGES else "index"


def document_of(
    ref: Ref,
    document: Row,
    run: Row,
    stages: Sequence[Row],
    tables: Mapping[str, Iterable[Row]],
    parts: Collection[Part],
) -> Document:
    """The document of a run, with the parts that were read.

    Args:
        document: of `source_documents`; and `refused`, the end of its newest run that may not stand there.
        run: of `docpipe_runs`; its text only if that is among the parts.
        stages: of `stage_runs`, in their order.
        tables: by part its rows, in order; what is missing is empty.
    """
    return Document(
        document_uuid=ref.document_uuid,
        run=ref.run,
        status=document.get("refused")
        or document_status(document["celery_status"], document["initial_processing_status"]),
        name=document["original_file_name"],
        project_id=document["project_id"],
        metadata=document["document_metadata"] | run["metadata"],
        file_type=run["file_type"],
        text=run.get("text") or "",
        extras=rows.extras_of(stages) if Part.EXTRAS in parts else {},
        warnings=rows.warnings_of(stages),
        depth=document["docpipe_depth"],
        **parts_of(lambda part: tables.get(part, ())),
    )


def source_of(document: Row, run: Row) -> SourceRecord:
    """Where the bytes of a run rest, by its rows."""
    return SourceRecord(
        run["source_uri"],
        document["original_file_name"],
        document["content_digest"],
        document["file_size_bytes"],
        ReadingOptions.of_json(document["docpipe_reading"]),
    )


def input_of(ref: Ref, answer: Row, parts: Collection[Part]) -> StageInput:
    """What `docpipe_input` answers."""
    document, run = answer["document"], answer["run"]
    found = document_of(ref, document, run, answer["stages"], answer, parts)
    return StageInput(found, source_of(document, run))
