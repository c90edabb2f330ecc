"""The built-in stages as the runner calls them: each gets its input out of the job and calls the pure stage.

Importing this module imports the libraries of `docpipe-celery[worker]`; only `plan` names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from docpipe.errors import EmptyDocumentError
from docpipe.execution.plan import Job, Options, Tools, Wish
from docpipe.formats import open_document
from docpipe.formats.guard import GuardedReader
from docpipe.models import Method, PageRange, StageOutput
from docpipe.stages.chunk import ChunkOptions, split_text
from docpipe.stages.entities.mentions import EntityOptions, find_mentions
from docpipe.stages.graph.build import GraphOptions, build_graph
from docpipe.stages.graph.relations import RelationOptions
from docpipe.stages.ocr.document import read_document, read_pages
from docpipe.stages.ocr.method import OcrOptions
from docpipe.stages.ocr.page_ranges import cut


def ocr(job: Job) -> StageOutput:
    """Bytes to pages of text."""
    tools = job.tools
    with job.fetch() as path:
        if tools.options.isolate:
            return tools.reader.read(path, job.document.name, job.report, job.wish)
        return read(path, job.document.name, tools, job.report, job.wish)


def read(
    path: Path,
    name: str,
    tools: Tools,
    report: Callable[[int], None],
    wish: Wish = Wish(),  # noqa: B008
) -> StageOutput:
    """Open the document and read its pages, in this process."""
    options = tools.options
    reader = open_document(path, name, options.limits)
    try:
        if wish.may_split and _is_long(reader.page_count, options):
            return StageOutput(ranges=cut(reader.page_count or 0, options.ocr_range_pages))
        output = _read(reader, tools, report, wish.pages)
    except EmptyDocumentError as error:
        raise EmptyDocumentError(f"{name} holds no text.") from error  # the stage does not know the name
    finally:
        reader.close()
    recognised = any(page.method is not Method.TEXT for page in output.pages or ())
    return replace(output, engine=tools.ocr.name if recognised else None)


def _is_long(page_count: int | None, options: Options) -> bool:
    return page_count is not None and 0 < options.ocr_split_pages < page_count


def _read(
    reader: GuardedReader, tools: Tools, report: Callable[[int], None], pages: PageRange | None
) -> StageOutput:
    options = tools.options
    how = OcrOptions(dpi=options.ocr_dpi, min_confidence=options.ocr_min_confidence)
    if pages is None:
        return read_document(reader, engine=tools.ocr, options=how, on_page=report)
    return read_pages(reader, pages, engine=tools.ocr, options=how, on_page=report)


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
    options = EntityOptions(gazetteer=job.tools.gazetteer)
    output = find_mentions(document.text, document.pages, document.chunks, engine=ner, options=options)
    return replace(output, engine=ner.name)


def graph(job: Job) -> StageOutput:
    """Mentions to entities, relations and structural edges."""
    document = job.document
    options = GraphOptions(RelationOptions(co_occurrence=job.tools.options.co_occurrence))
    return build_graph(document.text, document.pages, document.chunks, document.mentions, options)
