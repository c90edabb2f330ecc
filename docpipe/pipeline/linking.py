"""Joins the entities of documents to those of their projects.

`docpipe.graph.linking` is loaded when it is needed: a process that only submits never does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from docpipe.errors import MissingExtraError
from docpipe.models import Ref
from docpipe.stores.port import Store


def link_document(store: Store, ref: Ref) -> bool:
    """As `docpipe.graph.linking`. Raises `MissingExtraError`: the extra `worker` is not installed."""
    try:
        link: Callable[[Store, Ref], bool] = import_module("docpipe.graph.linking").link_document
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "rapidfuzz", "worker") from error
    return link(store, ref)


def link_waiting(store: Store, project_id: str | None, *, seconds: float | None) -> int:
    """How many completed documents were linked that no worker has linked; see `Documents.link_entities`."""
    linked = 0
    while waiting := store.unlinked(project_id, seconds=seconds):
        linked += sum(link_document(store, ref) for ref in waiting)
    return linked
