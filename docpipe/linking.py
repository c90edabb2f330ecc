"""Joins what a document names to the entities of its project, after its results are stored.

Each step may be repeated, and a worker that dies between two of them leaves a document that is linked
later (`Pipeline.link_entities`, the reaper). Two workers at a time find every link: each stores its names
before it looks for those of the other. Imports rapidfuzz; only `work` names this module.
"""

from __future__ import annotations

from docpipe.models import Ref
from docpipe.stages.linking import find_links, names_of
from docpipe.stores.port import Part, Store

_PARTS = frozenset({Part.MENTIONS, Part.ENTITIES})


def link_document(store: Store, ref: Ref) -> bool:
    """Join the entities of a completed run to its project's; false if it is not the run to read."""
    document = store.load(ref, _PARTS)
    names = list(names_of(ref.document_uuid, document.entities, document.mentions))
    project = document.project_id or ""
    if not store.put_names(ref, names):
        return False
    rivals = store.rivals(project, {block for name in names for block in name.blocks})
    store.put_links(project, find_links(names, rivals))
    return store.linked(ref)
