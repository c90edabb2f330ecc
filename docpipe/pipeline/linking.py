"""Joins the entities of documents to those of their projects.

`docpipe.graph.linking` is loaded when it is needed: a process that only submits never does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from docpipe.errors import DocpipeError, MissingExtraError
from docpipe.execution.logs import get_logger
from docpipe.models import Document, EntityName, Ref
from docpipe.models.status import Stage
from docpipe.stores.port import Store
from docpipe.stores.values import Linking

log = get_logger(__name__)

_AT_ONCE = 1000
"""Names that a finish takes along."""


def link_document(store: Store, ref: Ref) -> bool:
    """As `docpipe.graph.linking`. Raises `MissingExtraError`: the extra `worker` is not installed."""
    linked: bool = _linking().link_document(store, ref)
    return linked


def _linking() -> Any:
    try:
        return import_module("docpipe.graph.linking")
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "rapidfuzz", "worker") from error


def link_waiting(store: Store, project_id: str | None, *, seconds: float | None) -> int:
    """How many completed documents were linked that no worker has linked; see `Documents.link_entities`."""
    linked = 0
    while waiting := store.unlinked(project_id, seconds=seconds):
        linked += sum(link_document(store, ref) for ref in waiting)
    return linked


@dataclass(frozen=True, slots=True)
class LinkWhenDone:
    """After the last stage links the document's entities, and tells whoever waits for that.

    What fails here is done later: the document is complete all the same.
    """

    store: Store
    last_stage: str
    tell: Callable[[Ref], object]

    def names(self, stage: str, document: Document) -> tuple[EntityName, ...] | None:
        if not stage == self.last_stage == Stage.GRAPH or len(document.entities) > _AT_ONCE:
            return None
        try:
            found: tuple[EntityName, ...] = _linking().names_in(document)
        except MissingExtraError as error:
            log.warning("entities_not_linked", document=document.document_uuid, error=str(error))
            return None
        return found

    def completed(
        self, stage: str, ref: Ref, names: tuple[EntityName, ...] | None, linking: Linking | None
    ) -> None:
        if stage != self.last_stage:
            return
        try:
            self._link(ref, names, linking)
        except DocpipeError as error:
            log.warning("entities_not_linked", document=ref.document_uuid, run=ref.run, error=str(error))
        self.tell(ref)

    def _link(self, ref: Ref, names: tuple[EntityName, ...] | None, linking: Linking | None) -> None:
        if names is None:
            link_document(self.store, ref)
        elif linking is None:  # another document of the project is being linked: the reaper links this one
            log.info("entities_linked_later", document=ref.document_uuid, run=ref.run)
        else:
            _linking().end_linking(self.store, ref, names, linking)
