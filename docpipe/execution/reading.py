"""Opens a document and reads its pages, in the process that calls it: a worker's child, or the worker itself.

Importing this module imports the libraries of `docpipe-celery[worker]`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from docpipe.errors import EmptyDocumentError
from docpipe.execution.keeper import Take
from docpipe.execution.options import Options, PageRequest
from docpipe.execution.progress import PagesDone
from docpipe.execution.tools import Tools
from docpipe.formats import open_document
from docpipe.formats.base import Apart, Limits
from docpipe.formats.guard import GuardedReader
from docpipe.models import Method, PageRange, StageOutput
from docpipe.stages.ocr.document import read_document, read_pages
from docpipe.stages.ocr.method import OcrOptions
from docpipe.stages.ocr.page_ranges import cut


def read(
    path: Path,
    name: str,
    tools: Tools,
    report: PagesDone,
    request: PageRequest = PageRequest(),  # noqa: B008
    take: Take | None = None,
) -> StageOutput:
    """Open the document and read its pages, in this process; documents inside it go to `take`, if given."""
    options = tools.options
    apart = Apart(take, options.attachments == "children") if take else None
    reader = open_document(path, name, _limits(options.limits, request.depth), apart)
    try:
        if request.may_split and _is_long(reader.page_count, options):
            return StageOutput(ranges=cut(reader.page_count or 0, options.ocr_range_pages))
        output = _read(reader, tools, report, request.pages)
    except EmptyDocumentError as error:
        raise EmptyDocumentError(f"{name}: {error.message}") from error  # the stage does not know the name
    finally:
        reader.close()
    recognised = any(page.method is not Method.TEXT for page in output.pages or ())
    return replace(output, engine=tools.ocr.name if recognised else None)


def _limits(limits: Limits, depth: int) -> Limits:
    """Of a document that was found inside `depth` others: so many levels less may be inside it."""
    return replace(limits, max_attachment_depth=max(0, limits.max_attachment_depth - depth))


def _is_long(page_count: int | None, options: Options) -> bool:
    return page_count is not None and 0 < options.ocr_split_pages < page_count


def _read(reader: GuardedReader, tools: Tools, report: PagesDone, pages: PageRange | None) -> StageOutput:
    options = tools.options
    how = OcrOptions(dpi=options.ocr_dpi, min_confidence=options.ocr_min_confidence)
    first = 1 if pages is None else pages.first

    def on_page(number: int) -> None:
        report(number - first + 1, total)

    total = reader.page_count if pages is None else pages.last - first + 1
    on_page(first - 1)  # before the first page, for which models are loaded
    if pages is None:
        return read_document(reader, engine=tools.ocr_when_needed, options=how, on_page=on_page)
    return read_pages(reader, pages, engine=tools.ocr_when_needed, options=how, on_page=on_page)
