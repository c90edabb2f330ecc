"""One project of a pipeline: a handle that a host gives to whoever acts for one tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Unpack

from docpipe.errors import ConfigurationError, DocumentNotFoundError, EntityNotFoundError
from docpipe.graph.exports import export
from docpipe.graph.reader import Graphs
from docpipe.graph.values import Entities, Graph, Neighbours, ProjectEntity
from docpipe.models import Document, DocumentStatus
from docpipe.pipeline.submission import Submission
from docpipe.pipeline.submitting import SubmitArguments
from docpipe.pipeline.text_search import By, Passage
from docpipe.sources import SourceLike
from docpipe.stores.port import Store
from docpipe.stores.values import ALL, Selection, Summary


class Whole(Protocol):
    """What a project needs of the `Pipeline` that it is a part of."""

    store: Store

    @property
    def graphs(self) -> Graphs: ...

    def submit(self, source: SourceLike, **arguments: Unpack[SubmitArguments]) -> Submission: ...

    def get(self, document_uuid: str) -> Document: ...

    def status(self, document_uuid: str) -> DocumentStatus: ...

    def cancel(self, document_uuid: str) -> bool: ...

    def delete(self, document_uuid: str, *, with_children: bool = False) -> bool: ...

    def search_text(
        self, query: str, *, project_id: str | None = None, limit: int = 20, by: By = "text"
    ) -> list[Passage]: ...


@dataclass(frozen=True, slots=True)
class Project:
    """What `Pipeline.project` returns. It sees the documents of its project only: whatever id of another
    project it is given, the answer is that of an id that nobody has.
    """

    pipeline: Whole
    project_id: str

    def __post_init__(self) -> None:
        if not self.project_id:
            raise ConfigurationError("A project needs an id: documents without one belong to nobody.")

    def _own(self, document_uuid: str) -> str:
        """The rule: a document is seen only by its project. Raises `DocumentNotFoundError` for any other."""
        unknown = DocumentNotFoundError(f"The store knows no document {document_uuid[:40]!r}.")
        try:
            found = self.pipeline.status(document_uuid)
        except DocumentNotFoundError:
            raise unknown from None
        if found.project_id != self.project_id:
            raise unknown
        return document_uuid

    def _own_entity(self, entity_id: str) -> str:
        """As `_own`, of the document that the entity is named by. Raises `EntityNotFoundError`."""
        try:
            self._own(entity_id.partition("/entity:")[0])
        except DocumentNotFoundError:
            raise EntityNotFoundError(f"The store knows no entity {entity_id!r}.") from None
        return entity_id

    # --- documents ------------------------------------------------------------------------------

    def submit(
        self,
        source: SourceLike,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        priority: int | None = None,
        reprocess: bool = False,
        dpi: int | None = None,
        languages: Sequence[str] | None = None,
        engine: str | None = None,
        idempotency_key: str | None = None,
    ) -> Submission:
        """As `Pipeline.submit`, into this project."""
        return self.pipeline.submit(
            source,
            name=name,
            project_id=self.project_id,
            metadata=metadata,
            priority=priority,
            reprocess=reprocess,
            dpi=dpi,
            languages=languages,
            engine=engine,
            idempotency_key=idempotency_key,
        )

    def get(self, document_uuid: str) -> Document:
        """As `Pipeline.get`. Raises `DocumentNotFoundError`."""
        return self.pipeline.get(self._own(document_uuid))

    def status(self, document_uuid: str) -> DocumentStatus:
        """As `Pipeline.status`. Raises `DocumentNotFoundError`."""
        return self.pipeline.status(self._own(document_uuid))

    def search_text(self, query: str, *, limit: int = 20, by: By = "text") -> list[Passage]:
        """As `Pipeline.search_text`, in this project. Raises `ConfigurationError`."""
        return self.pipeline.search_text(query, project_id=self.project_id, limit=limit, by=by)

    def list(self, selection: Selection = ALL, *, limit: int = 100) -> list[Summary]:
        """The project's documents that match, newest first, whatever project `selection` names."""
        own = replace(selection, project_id=self.project_id)
        return self.pipeline.store.documents(own, limit=limit)

    def cancel(self, document_uuid: str) -> bool:
        """As `Pipeline.cancel`. Raises `DocumentNotFoundError`."""
        return self.pipeline.cancel(self._own(document_uuid))

    def delete(self, document_uuid: str, *, with_children: bool = False) -> bool:
        """As `Pipeline.delete`. Raises `DocumentNotFoundError`."""
        return self.pipeline.delete(self._own(document_uuid), with_children=with_children)

    # --- entities and graphs --------------------------------------------------------------------

    def search(self, text: str, *, limit: int = 100, after: str | None = None) -> Entities:
        """As `Graphs.search`, in this project."""
        return self.pipeline.graphs.search(text, project_id=self.project_id, limit=limit, after=after)

    def entity(self, entity_id: str) -> ProjectEntity:
        """As `Graphs.entity`. Raises `EntityNotFoundError`."""
        return self.pipeline.graphs.entity(self._own_entity(entity_id))

    def neighbours(self, entity_id: str, *, limit: int = 100, after: str | None = None) -> Neighbours:
        """As `Graphs.neighbours`. Raises `EntityNotFoundError`."""
        return self.pipeline.graphs.neighbours(self._own_entity(entity_id), limit=limit, after=after)

    def graph(self, document_uuid: str | None = None) -> Graph:
        """The graph of a document, or, if it is None, of all completed documents of the project.

        Raises:
            DocumentNotFoundError: the project has no such document.
        """
        if document_uuid is None:
            return self.pipeline.graphs.project_graph(self.project_id)
        return self.pipeline.graphs.whole(self._own(document_uuid))

    def export(self, path: Path, *, format: str = "json", document_uuid: str | None = None) -> None:  # noqa: A002
        """Write `graph(document_uuid)` to a file; for `csv` into a folder. Formats: `docpipe export --help`.

        Raises:
            DocumentNotFoundError: the project has no such document.
            ConfigurationError: there is no such format.
        """
        export(self.graph(document_uuid), format, path)
