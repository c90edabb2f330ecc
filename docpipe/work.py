"""The built-in stages as the runner calls them: each gets its input out of the job and calls the pure stage.

Importing this module imports the libraries of `docpipe-celery[worker]`; only `plan` names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from docpipe.errors import EmptyDocumentError
from docpipe.formats import open_document
from docpipe.models import Method, StageOutput
from docpipe.plan import Job, Tools
from docpipe.stages.choice import OcrOptions
from docpipe.stages.chunk import ChunkOptions, split_text
from docpipe.stages.entities import find_mentions
from docpipe.stages.graph import build_graph
from docpipe.stages.ocr import read_document


def ocr(job: Job) -> StageOutput:
    """Bytes to pages of text."""
    tools = job.tools
    with job.fetch() as path:
        if tools.options.isolate:
            return tools.reader.read(path, job.document.name, job.report)
        return read(path, job.document.name, tools, job.report)


def read(path: Path, name: str, tools: Tools, report: Callable[[int], None]) -> StageOutput:
    """Open the document and read its pages, in this process."""
    options = tools.options
    reader = open_document(path, name, options.limits)
    try:
        output = read_document(
            reader, engine=tools.ocr, options=OcrOptions(dpi=options.ocr_dpi), on_page=report
        )
    except EmptyDocumentError as error:
        raise EmptyDocumentError(f"{name} holds no text.") from error  # the stage does not know the name
    finally:
        reader.close()
    recognised = any(page.method is not Method.TEXT for page in output.pages or ())
    return replace(output, engine=tools.ocr.name if recognised else None)


def chunk(job: Job) -> StageOutput:
    """Text to chunks."""
    options = job.tools.options
    return split_text(
        job.document.text,
        job.document.pages,
        ChunkOptions(max_size=options.chunk_max, overlap=options.chunk_overlap, unit=options.chunk_unit),
    )


def entities(job: Job) -> StageOutput:
    """Chunks to mentions."""
    document = job.document
    ner = job.tools.ner
    return replace(find_mentions(document.text, document.pages, document.chunks, engine=ner), engine=ner.name)


def graph(job: Job) -> StageOutput:
    """Mentions to entities, relations and structural edges."""
    document = job.document
    return build_graph(document.text, document.pages, document.chunks, document.mentions)
