"""docpipe: documents in, text, chunks, entities and a graph out.

    from docpipe import submit
    submission = submit("contract.pdf")
    submission.wait(timeout=300)
    document = submission.result()

Names are loaded when they are first used, so importing docpipe costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docpipe.delivery.tasks import celery_defaults
    from docpipe.engines.ports import NerEngine, OcrEngine, RecognisedLine, Span
    from docpipe.errors import (
        ConfigurationError,
        DocpipeError,
        PermanentError,
        TransientError,
        WaitTimeoutError,
    )
    from docpipe.execution.options import Options
    from docpipe.execution.plan import CHUNK, ENTITIES, GRAPH, OCR, own_stage
    from docpipe.execution.policy import Policy
    from docpipe.execution.progress import Progress
    from docpipe.formats.base import PageImage, RawPage, Reader, TextLine, TextReader
    from docpipe.formats.plugins import ReaderPlugin
    from docpipe.formats.request import ReadRequest
    from docpipe.models import (
        Chunk,
        Document,
        DocumentStatus,
        Entity,
        Mention,
        Page,
        Relation,
    )
    from docpipe.pipeline.asynchronous import aget, asubmit
    from docpipe.pipeline.default import (
        cancel,
        default_pipeline,
        delete,
        document_graph,
        entity,
        get,
        health,
        neighbours,
        process,
        search,
        search_text,
        set_default_pipeline,
        submit,
        submit_many,
    )
    from docpipe.pipeline.pipeline import Pipeline
    from docpipe.pipeline.submission import Submission
    from docpipe.sources import Sources
    from docpipe.stages.text.reading_text import Normal, reading_text
    from docpipe.stores import open_store
    from docpipe.stores.values import Part

__version__ = "0.1.0"

_HOMES = {
    "docpipe.pipeline.asynchronous": ("aget", "asubmit"),
    "docpipe.pipeline.default": (
        "cancel",
        "default_pipeline",
        "delete",
        "document_graph",
        "entity",
        "get",
        "health",
        "neighbours",
        "process",
        "search",
        "search_text",
        "set_default_pipeline",
        "submit",
        "submit_many",
    ),
    "docpipe.engines.ports": ("NerEngine", "OcrEngine", "RecognisedLine", "Span"),
    "docpipe.errors": (
        "ConfigurationError",
        "DocpipeError",
        "PermanentError",
        "TransientError",
        "WaitTimeoutError",
    ),
    "docpipe.formats.base": ("PageImage", "RawPage", "Reader", "TextLine", "TextReader"),
    "docpipe.formats.plugins": ("ReaderPlugin",),
    "docpipe.formats.request": ("ReadRequest",),
    "docpipe.models": ("Chunk", "Document", "DocumentStatus", "Entity", "Mention", "Page", "Relation"),
    "docpipe.pipeline.pipeline": ("Pipeline",),
    "docpipe.execution.options": ("Options",),
    "docpipe.execution.plan": ("CHUNK", "ENTITIES", "GRAPH", "OCR", "own_stage"),
    "docpipe.execution.policy": ("Policy",),
    "docpipe.execution.progress": ("Progress",),
    "docpipe.sources": ("Sources",),
    "docpipe.stages.text.reading_text": ("Normal", "reading_text"),
    "docpipe.stores": ("open_store",),
    "docpipe.stores.values": ("Part",),
    "docpipe.pipeline.submission": ("Submission",),
    "docpipe.delivery.tasks": ("celery_defaults",),
}

__all__ = [
    # hand in
    "asubmit",
    "process",
    "submit",
    "submit_many",
    # look
    "Submission",
    "aget",
    "cancel",
    "delete",
    "get",
    "health",
    # read graphs and text
    "document_graph",
    "entity",
    "neighbours",
    "search",
    "search_text",
    # wire
    "CHUNK",
    "ENTITIES",
    "GRAPH",
    "OCR",
    "Options",
    "Pipeline",
    "Policy",
    "Sources",
    "celery_defaults",
    "default_pipeline",
    "open_store",
    "own_stage",
    "set_default_pipeline",
    # implement
    "NerEngine",
    "OcrEngine",
    "PageImage",
    "Part",
    "Progress",
    "RawPage",
    "ReadRequest",
    "Reader",
    "ReaderPlugin",
    "RecognisedLine",
    "Span",
    "TextLine",
    "TextReader",
    # values
    "Chunk",
    "Document",
    "DocumentStatus",
    "Entity",
    "Mention",
    "Normal",
    "Page",
    "Relation",
    "reading_text",
    # errors
    "ConfigurationError",
    "DocpipeError",
    "PermanentError",
    "TransientError",
    "WaitTimeoutError",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'docpipe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
