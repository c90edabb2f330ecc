"""What is known of documents and done to them with the store alone: no broker, no stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from functools import cached_property

from docpipe.engines.ports import EmbedEngine
from docpipe.errors import ConfigurationError, DocumentNotFoundError
from docpipe.execution.progress import NoProgress, Progress
from docpipe.graph.reader import Graphs
from docpipe.models import Attempt, Document, DocumentStatus, RangeRun, Ref, is_id
from docpipe.pipeline.batch import Batch
from docpipe.pipeline.erasure import Erased, Eraser, Place
from docpipe.pipeline.linking import link_waiting
from docpipe.pipeline.open_stores import remember
from docpipe.pipeline.submission import read_document, wait_for
from docpipe.pipeline.text_search import By, Passage, search_text
from docpipe.pipeline.traces import Traces
from docpipe.pipeline.webhooks import Webhooks
from docpipe.sources import Sources
from docpipe.stores.port import Store


class Documents:
    """The documents of a store: a `Pipeline` without its stages and its Celery app.

    Args:
        store: where state and results live.
        sources: where the copies that docpipe made rest.
        progress: where the short-lived progress of documents is told; None: nowhere.
        webhook_hosts: hosts of the own network, `name` or `name:port`, that webhooks may be on, and by http.
        otlp_endpoint: where traces of ended runs are sent, `http://host:4318`; None: nowhere.
    """

    def __init__(
        self,
        store: Store,
        sources: Sources | None = None,
        progress: Progress | None = None,
        webhook_hosts: Collection[str] = (),
        otlp_endpoint: str | None = None,
    ) -> None:
        self.store = store
        self.webhooks = Webhooks(store.webhooks, webhook_hosts)
        self.traces = Traces(store.telemetry, otlp_endpoint)
        self.sources = sources or Sources()
        self._progress = progress or NoProgress()
        remember(store)

    # --- look -----------------------------------------------------------------------------------

    def ranges(self, document_uuid: str) -> list[RangeRun]:
        """How far the ranges of a long document's newest run are, in the order of its pages; empty where the
        document is read by one worker. Complete stages keep them only where pages failed.

        Raises:
            DocumentNotFoundError: the store knows no such document.
        """
        return self.store.ranges.runs(Ref(document_uuid, self.status(document_uuid).run))

    def attempts(self, document_uuid: str) -> list[Attempt]:
        """Who tried what with the document, and how it ended: the newest thousand attempts, oldest first."""
        return self.store.attempts(known_id(document_uuid))

    def status(self, document_uuid: str) -> DocumentStatus:
        """Where a document stands. Raises `DocumentNotFoundError`."""
        return self.store.status(known_id(document_uuid))

    def wait(
        self,
        document_uuid: str,
        timeout: float | None = None,
        on_look: Callable[[DocumentStatus], None] = lambda _: None,
    ) -> DocumentStatus:
        """As `Submission.wait`; `on_look` is called with where the document stands while it is not final."""
        return wait_for(self.store, known_id(document_uuid), timeout, on_look)

    def get(self, document_uuid: str) -> Document:
        """A document with all that was found in it: the newest completed run's results, or, while none
        has completed, what the running one has so far. Raises `DocumentNotFoundError`.
        """
        return read_document(self.store, known_id(document_uuid))

    async def aget(self, document_uuid: str) -> Document:
        """As `get`, in a thread: the event loop goes on meanwhile."""
        return await asyncio.to_thread(self.get, document_uuid)

    def search_text(
        self, query: str, *, project_id: str | None = None, limit: int = 20, by: By = "text"
    ) -> list[Passage]:
        """The pages of completed documents that the query finds, the best first.

        Args:
            query: by text, words that the page holds, which also find their other English forms;
                `"several words"` in that order; `-word`, which the page must not hold. By meaning, a question
                or sentence.
            project_id: only in this project (`""`: in the documents without one); None: in all.
            limit: the most pages, at most 200.
            by: `text`; `meaning`, which finds passages that say the same in other words; `hybrid`, both
                rankings made one. The latter two find what the stage `embed` has made vectors of.

        Raises:
            ConfigurationError: the query asks for no word, the limit is out of bounds, or no engine is set
                that turns text into vectors.
            MissingExtraError: that engine is not installed.
        """
        return search_text(self.store, query, project_id, limit, by, self._encoder)

    def _encoder(self) -> EmbedEngine:
        raise ConfigurationError(
            "Only a Pipeline searches by meaning: it has the engine that reads the query."
        )

    def cancel(self, document_uuid: str) -> bool:
        """Stop a document that waits (now) or runs (at its next page); false if it is final already."""
        return self.store.cancel(known_id(document_uuid))

    def batch(self, name: str) -> Batch:
        """The documents that `submit_many` was given under this name."""
        return Batch(name, self.store)

    # --- graphs -----------------------------------------------------------------------------------

    @cached_property
    def graphs(self) -> Graphs:
        """Reads graphs and the entities of projects, and keeps what people decide about them."""
        return Graphs(self.store)

    def link_entities(self, project_id: str | None = None, *, seconds: float | None = None) -> int:
        """Join the entities of completed documents to those of their projects, where a worker died before
        it could, or the documents are older than this docpipe.

        Args:
            project_id: only of this project (`""`: of the documents without one); None: of all.
            seconds: only of runs that completed in the last seconds.

        Returns:
            How many documents were linked.

        Raises:
            MissingExtraError: the extra `worker` is not installed.
        """
        return link_waiting(self.store, project_id, seconds=seconds)

    # --- delete ------------------------------------------------------------------------------------

    def delete(self, document_uuid: str, *, with_children: bool = False) -> bool:
        """Remove a document: its rows, what it gave to the entities of its project, the copy of its bytes
        that docpipe made, and its progress. A stage that works on it changes nothing any more.

        Args:
            with_children: also the documents that were found inside it, inside no other, and never submitted
                by themselves; before it, so that what is left after a failure can still be found.

        Returns:
            Whether all of it is gone. False: its rows are, but storage or Redis is away. What is left is
            remembered, and the reaper removes it when they answer; so does calling this again.

        Raises:
            DocumentNotFoundError: the store knows no such document, and nothing is left of one.
        """
        gone = [
            bool(self._delete(each).done)
            for each in self.in_order(document_uuid, with_children=with_children)
        ]
        return all(gone)

    def in_order(self, document_uuid: str, *, with_children: bool) -> Iterator[str]:
        """What `delete` removes, in its order."""
        if with_children:
            for child in self.store.own_children(known_id(document_uuid)):
                yield from self.in_order(child, with_children=True)
        yield document_uuid

    def _delete(self, document_uuid: str) -> Erased:
        known = self.store.delete(known_id(document_uuid)) is not None
        erased = self._eraser.erase(document_uuid)
        if not known and not erased.done and not erased.left:
            raise unknown(document_uuid)
        return erased

    def delete_and_verify(self, document_uuid: str) -> list[Place]:
        """As `delete` of it alone, and what was found at every place where something of the document may be:
        the rows of each table, names of projects that are of no document, copies, progress, the file and the
        log of SQLite.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        self.store.delete(known_id(document_uuid))
        erased = self._eraser.erase(document_uuid)
        return self._eraser.traces(document_uuid, erased.copies)

    def erase(self) -> Erased:
        """Remove what is left of deleted documents, at most a hundred of them; the reaper calls it.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        return self._eraser.erase()

    @cached_property
    def _eraser(self) -> Eraser:
        return Eraser(self.store, self.sources, self._progress)


def known_id(document_uuid: str) -> str:
    """The id, if it may be one. Raises `DocumentNotFoundError`."""
    if not is_id(document_uuid):
        raise unknown(repr(document_uuid[:40]))
    return document_uuid


def unknown(document_uuid: str) -> DocumentNotFoundError:
    return DocumentNotFoundError(f"The store knows no document {document_uuid}.")
