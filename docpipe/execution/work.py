"""The built-in stages as the runner calls them: each gets its input out of the job and calls the pure stage.

Importing this module imports the libraries of `docpipe-celery[worker]`; only `plan` names it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from docpipe.execution.apart import read_apart
from docpipe.execution.job import Job
from docpipe.execution.reading import read
from docpipe.models import StageOutput, Warn
from docpipe.stages.chunk import ChunkOptions, split_text
from docpipe.stages.embed import embed_chunks
from docpipe.stages.entities.mentions import EntityOptions, find_mentions
from docpipe.stages.graph.build import GraphOptions, build_graph
from docpipe.stages.graph.relations import RelationOptions


def ocr(job: Job) -> StageOutput:
    """Bytes to pages of text."""
    reading, name = job.reading(), job.document.name
    request = replace(job.request, depth=job.document.depth, apart=job.keeper is not None)
    job = replace(job, request=request)
    with job.fetch() as path:
        if job.tools.options.isolate:
            output = read_apart(job, path, reading)
        else:
            tools = job.tools.with_options(job.tools.options.for_document(reading))
            output = read(path, name, tools, job.report, job.request, job.take)
    if job.keeper is None or output.ranges is not None:
        return output
    output = replace(output, children=job.keeper.keep())
    if job.keeper.left:
        output = replace(output, warnings=(*output.warnings, _too_many(job.keeper.left, job)))
    return output


def _too_many(left: int, job: Job) -> Warn:
    message = (
        f"{left:,} of the documents inside are no documents of their own: one that is submitted holds at most"
        f" {job.tools.options.limits.max_descendants:,} at all depths (DOCPIPE_LIMITS__MAX_DESCENDANTS)."
    )
    return Warn("too_many_descendants", message)


def chunk(job: Job) -> StageOutput:
    """Text to chunks."""
    options = job.tools.options
    return split_text(
        job.document.text,
        job.document.pages,
        ChunkOptions(max_size=options.chunk_max, overlap=options.chunk_overlap, unit=options.chunk_unit),
    )


def embed(job: Job) -> StageOutput:
    """Chunks to vectors."""
    document = job.document
    return embed_chunks(document.chunks, document.pages, job.tools.embed, _pages_passed(job))


def entities(job: Job) -> StageOutput:
    """Chunks to mentions."""
    document = job.document
    on_place = _pages_passed(job)
    ner = job.tools.ner
    options = EntityOptions(gazetteer=job.tools.gazetteer)
    output = find_mentions(
        document.text,
        document.pages,
        document.chunks,
        engine=ner,
        by_language=job.tools.ner_by_language,
        options=options,
        on_place=on_place,
    )
    return replace(output, engine=ner.name)


def _pages_passed(job: Job) -> Callable[[int], None]:
    """What reports each page of the text once it is given a place behind it; that none is done, it reports
    at once, for models are loaded then.
    """
    ends = [page.end for page in job.document.pages]
    passed = 0
    job.report(passed, len(ends))

    def on_place(place: int) -> None:
        nonlocal passed
        if (now := bisect_right(ends, place)) > passed:
            passed = now
            job.report(passed, len(ends))

    return on_place


def graph(job: Job) -> StageOutput:
    """Mentions to entities, relations and structural edges."""
    document = job.document
    options = GraphOptions(RelationOptions(co_occurrence=job.tools.options.co_occurrence))
    return build_graph(document.text, document.pages, document.chunks, document.mentions, options)
