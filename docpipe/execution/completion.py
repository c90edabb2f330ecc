"""What is done with a run when its last stage is complete: the pipeline says what, the runner when."""

from __future__ import annotations

from typing import Protocol

from docpipe.models import Document, EntityName, Ref
from docpipe.stores.values import Linking


class Completion(Protocol):
    """Asked before a stage is finished, and notified after it is complete."""

    def names(self, stage: str, document: Document) -> tuple[EntityName, ...] | None:
        """The names to link in the transaction of the finish; None: nothing is to be linked, or later.

        Args:
            document: with what the stage has made.
        """
        ...

    def completed(
        self, stage: str, ref: Ref, names: tuple[EntityName, ...] | None, linking: Linking | None
    ) -> None:
        """The stage is complete, by this attempt or an earlier one. Never raises a `DocpipeError`.

        Args:
            linking: of the names, what the finish left to do; None: they are not written.
        """
        ...


class NoCompletion:
    """For runs whose results nobody joins."""

    def names(self, stage: str, document: Document) -> None:
        pass

    def completed(
        self, stage: str, ref: Ref, names: tuple[EntityName, ...] | None, linking: Linking | None
    ) -> None:
        pass
