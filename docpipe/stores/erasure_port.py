"""The part of the store by which documents leave it; see `port.Store`."""

from __future__ import annotations

from typing import Protocol

from docpipe.stores.values import Erasure


class ErasureStore(Protocol):
    """Deletes documents, remembers what is left of them elsewhere, and forgets what is old."""

    def delete(self, document_uuid: str) -> list[str] | None:
        """Remove a document with all that was made of it, and in the same transaction note what is left of
        it outside the store: an erasure.

        Returns:
            Locators of the copies of its bytes that docpipe made; None if the store knows no such document.
        """
        ...

    def erasures(self, document_uuid: str | None = None, *, limit: int = 100) -> list[Erasure]:
        """What is left of deleted documents, or of one, the longest untried first; now tried."""
        ...

    def erased(self, document_uuid: str) -> bool:
        """Say that nothing is left of a deleted document; false if that was known.

        Raises:
            StoreUnavailableError: the store's own log still holds what was deleted; say it again.
        """
        ...

    def traces(self, document_uuid: str) -> dict[str, int]:
        """Every place where the store may hold something of a document, with how much there is; of the names
        of projects, those that are of no document any more.
        """
        ...

    def expire(self, seconds: float, *, limit: int = 20) -> list[str]:
        """Delete, as `delete` does, documents whose newest run ended longer ago than `seconds`, oldest first.

        Documents at work stay, and so do those of another system that docpipe never processed.

        Returns:
            Their ids, at most `limit`.
        """
        ...

    def forget_history(self, seconds: float, *, limit: int = 10_000) -> int:
        """Remove what the history says of longer ago than `seconds`, and the attempts that ended before, but
        of documents at work; and what webhooks were told before.

        Returns:
            How many lines, attempts and events were removed, at most `limit`.
        """
        ...
