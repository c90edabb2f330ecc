"""The module-level API: one pipeline built from settings the first time it is used.

Everything heavy is imported then and not before, which keeps `from docpipe import submit` cheap for web
processes that start often and submit seldom.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from docpipe.delivery.monitoring.health import Health, Thresholds
    from docpipe.errors import DocpipeError
    from docpipe.graph.values import Entities, Graph, Neighbours, ProjectEntity
    from docpipe.models import Document
    from docpipe.pipeline.pipeline import Pipeline
    from docpipe.pipeline.submission import Submission
    from docpipe.pipeline.text_search import By, Passage
    from docpipe.sources import SourceLike

_lock = threading.Lock()
_pipelines: dict[str, Pipeline] = {}


def default_pipeline() -> Pipeline:
    """The pipeline of `docpipe.worker:app`, built from the environment once per process.

    Raises:
        ConfigurationError: a setting is wrong, naming the variable.
    """
    with _lock:
        if "default" not in _pipelines:
            from docpipe.pipeline.factory import new_pipeline  # noqa: PLC0415 - see the module's docstring

            _pipelines["default"] = new_pipeline()
        return _pipelines["default"]


def store_pipeline() -> Pipeline:
    """The default pipeline, or, where none was built yet, one of the same store and sources without Celery:
    for programs that only look. Raises as `default_pipeline`.
    """
    with _lock:
        if "default" in _pipelines:
            return _pipelines["default"]
        if "store" not in _pipelines:
            from docpipe.pipeline.factory import store_pipeline as new  # noqa: PLC0415 - as above

            _pipelines["store"] = new()
        return _pipelines["store"]


def _embedded_pipeline() -> Pipeline:
    """The pipeline of `process`: the host's own if there is one, else one without services."""
    with _lock:
        if "own" in _pipelines:
            return _pipelines["own"]
        if "embedded" not in _pipelines:
            from docpipe.pipeline.factory import embedded_pipeline  # noqa: PLC0415 - see the module's docstring

            _pipelines["embedded"] = embedded_pipeline()
        return _pipelines["embedded"]


def set_default_pipeline(pipeline: Pipeline | None) -> None:
    """Let the module-level functions use a host's own pipeline; None: build from settings again."""
    with _lock:
        _pipelines.clear()
        if pipeline is not None:
            _pipelines["own"] = _pipelines["default"] = pipeline


def submit(
    source: SourceLike,
    *,
    name: str | PathLike[str] | None = None,
    project_id: str | UUID | None = None,
    metadata: Mapping[str, Any] | None = None,
    priority: int | None = None,
    reprocess: bool = False,
    dpi: int | None = None,
    languages: Sequence[str] | None = None,
    engine: str | None = None,
    idempotency_key: str | None = None,
) -> Submission:
    """Submit a document to the workers; see `Pipeline.submit`."""
    return default_pipeline().submit(
        source,
        name=name,
        project_id=project_id,
        metadata=metadata,
        priority=priority,
        reprocess=reprocess,
        dpi=dpi,
        languages=languages,
        engine=engine,
        idempotency_key=idempotency_key,
    )


def submit_many(
    sources: Iterable[SourceLike],
    *,
    name: str | PathLike[str] | None = None,
    project_id: str | UUID | None = None,
    metadata: Mapping[str, Any] | None = None,
    priority: int | None = None,
    reprocess: bool = False,
    dpi: int | None = None,
    languages: Sequence[str] | None = None,
    engine: str | None = None,
    batch: str | None = None,
) -> Iterator[Submission | DocpipeError]:
    """Submit several documents; see `Pipeline.submit_many`."""
    return default_pipeline().submit_many(
        sources,
        name=name,
        project_id=project_id,
        metadata=metadata,
        priority=priority,
        reprocess=reprocess,
        dpi=dpi,
        languages=languages,
        engine=engine,
        batch=batch,
    )


def get(document_uuid: str) -> Document:
    """A document with all that was found in it; see `Pipeline.get`."""
    return default_pipeline().get(document_uuid)


def cancel(document_uuid: str) -> bool:
    """Stop a document; see `Pipeline.cancel`."""
    return default_pipeline().cancel(document_uuid)


def delete(document_uuid: str, *, with_children: bool = False) -> None:
    """Remove a document with all that was made of it; see `Pipeline.delete`."""
    default_pipeline().delete(document_uuid, with_children=with_children)


def document_graph(document_uuid: str, *, limit: int = 1000, after: str | None = None) -> Graph:
    """A page of a document's graph; see `Graphs.document_graph`."""
    return default_pipeline().graphs.document_graph(document_uuid, limit=limit, after=after)


def entity(entity_id: str) -> ProjectEntity:
    """The thing that an entity of a document is, across its project; see `Graphs.entity`."""
    return default_pipeline().graphs.entity(entity_id)


def neighbours(entity_id: str, *, limit: int = 100, after: str | None = None) -> Neighbours:
    """A page of an entity's relations, with their evidence; see `Graphs.neighbours`."""
    return default_pipeline().graphs.neighbours(entity_id, limit=limit, after=after)


def search(
    text: str, *, project_id: str | None = None, limit: int = 100, after: str | None = None
) -> Entities:
    """A page of a project's entities that are spelt with `text`; see `Graphs.search`."""
    return default_pipeline().graphs.search(text, project_id=project_id, limit=limit, after=after)


def search_text(
    query: str, *, project_id: str | None = None, limit: int = 20, by: By = "text"
) -> list[Passage]:
    """The pages of completed documents that the query finds; see `Pipeline.search_text`."""
    return default_pipeline().search_text(query, project_id=project_id, limit=limit, by=by)


def process(
    source: SourceLike,
    *,
    name: str | PathLike[str] | None = None,
    project_id: str | UUID | None = None,
    metadata: Mapping[str, Any] | None = None,
    reprocess: bool = False,
    dpi: int | None = None,
    languages: Sequence[str] | None = None,
    engine: str | None = None,
) -> Document:
    """Take a document through all stages in this process, without services; see `Pipeline.process`."""
    return _embedded_pipeline().process(
        source,
        name=name,
        project_id=project_id,
        metadata=metadata,
        reprocess=reprocess,
        dpi=dpi,
        languages=languages,
        engine=engine,
    )


def health(pipeline: Pipeline | None = None, *, limits: Thresholds | None = None) -> Health:
    """Check broker, store, schema, consumers, queues, leases and quarantine; see `Pipeline.health`.

    Args:
        pipeline: None means the default one, as for `submit`.
    """
    return (pipeline or default_pipeline()).health(limits)
