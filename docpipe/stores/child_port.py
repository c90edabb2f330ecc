"""The part of the store that knows which documents were found inside which; see `port.Store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from docpipe.models import NewChild, Ref
from docpipe.stores.values import Due


class ChildStore(Protocol):
    """Documents inside others. `finish` registers those of its output, in one transaction with the end of the
    stage: in the project and on the terms of the document inside which they were found. One whose bytes the
    project has already is that document.
    """

    def note_children(
        self, ref: Ref, stage: str, token: int, children: Sequence[NewChild], most: int
    ) -> int | None:
        """Write down what the attempt will register, before its bytes are copied: from now on the copies are
        removed with the document. What was written down before is replaced.

        Args:
            most: how many documents may be inside the one that was submitted, at any depth; equal bytes
                are one.

        Returns:
            How many of the children, from the first, are written down; None: the token is old.
        """
        ...

    def children_due(self, ref: Ref) -> list[Due]:
        """What the run has found and registered, and whose first message is due."""
        ...

    def own_children(self, document_uuid: str) -> list[str]:
        """What was found inside this document, inside no other, and never submitted by itself."""
        ...
