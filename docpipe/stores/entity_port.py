"""The part of the store that reads graphs and joins the entities of a project; see `port.Store`.

A project is named by its id, documents without one are those of the project `''`. A key is `EntityName.key`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from docpipe.models import EntityDecision, EntityLink, EntityMember, EntityName, Ref
from docpipe.stores.values import Found, Linking, Ties


class GraphStore(Protocol):
    """Slices of documents, and the entities of projects."""

    def slice(self, ref: Ref, part: str, *, start: int, limit: int) -> Sequence[Any]:
        """At most `limit` values of a `port.Part` (not text, not extras), after the first `start`."""
        ...

    def link(self, ref: Ref, names: Sequence[EntityName]) -> Linking | None:
        """Add the names of a run to its project, and learn which keys they are to be compared with; if there
        are none, the document is linked. None: it is not the run whose results are read.
        """
        ...

    def link_by(self, ref: Ref, links: Sequence[EntityLink]) -> bool:
        """Add the links between the run's names and others, and say that all are there: the names of the
        document's older runs go, and what hangs on keys that no document names any more. A link whose end
        no document names any more is left out. False: it is not the run whose results are read.
        """
        ...

    def unlinked(
        self, project_id: str | None = None, *, seconds: float | None = None, limit: int = 100
    ) -> list[Ref]:
        """Results that are not linked yet: of all projects if None, completed in the last `seconds`."""
        ...

    def ties(self, project_id: str, keys: Collection[str]) -> Ties:
        """The links and decisions that end at one of the keys."""
        ...

    def keys(self, project_id: str, *, text: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Keys in order of code points, each once, after `after`.

        Args:
            text: only those with a spelling that holds it; in lower case.
        """
        ...

    def members(self, project_id: str, keys: Collection[str]) -> list[EntityMember]:
        """The entities of documents that the keys stand for, by document and index."""
        ...

    def member(self, document_uuid: str, index: int) -> tuple[str, EntityMember] | None:
        """The project and the entity `index` of a document's linked run."""
        ...

    def relations_of(self, members: Sequence[EntityMember], *, skip: int, limit: int) -> list[Found]:
        """The relations that begin or end at one of the entities, in order, after the first `skip`."""
        ...

    def decide(self, project_id: str, decision: EntityDecision | None, pair: tuple[str, str]) -> None:
        """Write down what was decided about a pair of keys (the smaller first), or take it back (None)."""
        ...

    def set_apart(self, document_uuid: str, key: str, split: EntityDecision | None) -> None:
        """Give a document's name a key of its own, `models.own_key`, with the decision that records it; or
        take it back (None).
        """
        ...
