"""Joins what a document names to the entities of its project, after its results are stored.

Each step may be repeated, and a worker that dies between two of them leaves a document that is linked
later (`Pipeline.link_entities`, the reaper). Two workers at a time find every link: each stores its names
before it looks for those of the other. Imports rapidfuzz; only `work` names this module.
"""

from __future__ import annotations

from dataclasses import replace

from docpipe.graph.matching import find_links, names_of
from docpipe.models import EntityName, Ref, own_key
from docpipe.stores.port import Store
from docpipe.stores.values import Part

_PARTS = frozenset({Part.MENTIONS, Part.ENTITIES})


def link_document(store: Store, ref: Ref) -> bool:
    """Join the entities of a completed run to its project's; false if it is not the run to read."""
    document = store.load(ref, _PARTS)
    names = list(names_of(ref.document_uuid, document.entities, document.mentions))
    project = document.project_id or ""
    names = _set_apart(store, project, ref.document_uuid, names)
    if not store.put_names(ref, names):
        return False
    rivals = store.rivals(project, {block for name in names for block in name.blocks})
    store.put_links(project, find_links(names, rivals))
    return store.linked(ref)


def _set_apart(store: Store, project: str, document_uuid: str, names: list[EntityName]) -> list[EntityName]:
    """The names, with keys of the document's own where somebody split it from others of the same name."""
    decisions = store.ties(project, {name.key for name in names}).decisions
    apart = {decision.key_b for decision in decisions}
    own = {name.key: own_key(name.key, document_uuid) for name in names}
    return [replace(name, key=own[name.key], blocks=()) if own[name.key] in apart else name for name in names]
