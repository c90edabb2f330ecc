"""Joins what a document names to the entities of its project, with or after its last finish.

Each step may be repeated, and a worker that dies between two of them leaves a document that is linked
later (`Pipeline.link_entities`, the reaper). Two workers at a time find every link: each stores its names
before it looks for those of the other. Imports rapidfuzz; only `work` names this module.
"""

from __future__ import annotations

from collections.abc import Sequence

from docpipe.graph.matching import find_links, names_of
from docpipe.models import Document, EntityName, Ref
from docpipe.stores.port import Store
from docpipe.stores.values import Linking, Part

_PARTS = frozenset({Part.MENTIONS, Part.ENTITIES})


def link_document(store: Store, ref: Ref) -> bool:
    """Join the entities of a completed run to its project's; false if it is not the run to read."""
    names = names_in(store.load(ref, _PARTS))
    linking = store.link(ref, names)
    return linking is not None and end_linking(store, ref, names, linking)


def names_in(document: Document) -> tuple[EntityName, ...]:
    """The names of a document's entities, as `Store.link` takes them."""
    return tuple(names_of(document.document_uuid, document.entities, document.mentions))


def end_linking(store: Store, ref: Ref, names: Sequence[EntityName], linking: Linking) -> bool:
    """Compare the names, once they are written, with those of other documents; as `link_document`."""
    if linking.linked:
        return True
    compared = (name for name in names if name.key not in linking.apart)
    return store.link_by(ref, find_links(compared, linking.rivals))
