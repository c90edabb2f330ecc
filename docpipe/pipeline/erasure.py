"""Erasing: what a deleted document leaves outside the store is removed, and every place is looked at.

The store notes what is left in the transaction that deletes the rows (`Store.delete`), so that neither
storage that is away, nor a changed setting, nor a crash makes anybody forget it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from docpipe.errors import DocpipeError, TransientError
from docpipe.execution.logs import get_logger
from docpipe.execution.progress import LastingProgress, Progress
from docpipe.models.masking import masked
from docpipe.sources import Sources
from docpipe.stores.port import Store
from docpipe.stores.values import Copy, Erasure

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something of a document may be, and how much of it is there; None: nobody could look."""

    name: str
    found: int | None

    @property
    def is_empty(self) -> bool:
        return self.found == 0


@dataclass(slots=True)
class Erased:
    """How many documents nothing is left of any more, how many wait, and the copies of all of them."""

    done: int = 0
    left: int = 0
    copies: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Eraser:
    """What `Pipeline.delete`, `erase` and `delete_and_verify` do; they say what each promises."""

    store: Store
    sources: Sources
    progress: Progress

    def erase(self, document_uuid: str | None = None) -> Erased:
        erased, round_ = Erased(), _Round(self.sources)
        for erasure in self.store.erasures(document_uuid):
            erased.copies += [
                each.uri for each in erasure.copies if self.sources.is_copy(each.uri, each.made)
            ]
            if self._is_gone(erasure, round_):
                erased.done += 1
            else:
                erased.left += 1
        return erased

    def _is_gone(self, erasure: Erasure, round_: _Round) -> bool:
        gone = [round_.discard(copy) for copy in erasure.copies]
        if not all(gone) or self.progress.forget(erasure.document_uuid) is False:
            return False
        try:
            self.store.erased(erasure.document_uuid)
        except TransientError as error:
            log.warning("erasure_postponed", document=erasure.document_uuid, error=str(error))
            return False
        return True

    def traces(self, document_uuid: str, copies: Iterable[str] = ()) -> list[Place]:
        found = self.store.traces(document_uuid)
        places = [Place(name, found[name]) for name in found]
        places += [self._copy(uri) for uri in copies]
        if isinstance(self.progress, LastingProgress):
            places.append(Place("progress in Redis", self.progress.left(document_uuid)))
        return places

    def _copy(self, uri: str) -> Place:
        name = f"copy {masked(uri)}"
        try:
            return Place(name, int(self.sources.holds(uri)))
        except DocpipeError as error:
            log.warning("copy_not_looked_at", copy=masked(uri), error=str(error))
            return Place(name, None)


@dataclass(slots=True)
class _Round:
    """Removes copies; a place that does not answer once is not asked again."""

    sources: Sources
    _away: set[str] = field(default_factory=set)

    def discard(self, copy: Copy) -> bool:
        """Whether the copy is gone, or is none of docpipe's."""
        place = "/".join(copy.uri.split("/")[:3])
        if place in self._away:
            return False
        try:
            self.sources.discard(copy.uri, copy.made)
        except DocpipeError as error:
            log.warning("copy_not_removed", copy=masked(copy.uri), error=str(error))
            if isinstance(error, TransientError):
                self._away.add(place)
            return False
        return True
