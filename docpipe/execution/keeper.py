"""Documents that are found inside another one: docpipe's own copies of their bytes.

Each copy is written down in the store before it is made. So whatever ends this process, the copies go with
the document in which they were found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import BytesIO
from types import TracebackType
from typing import IO, Self

from docpipe.models import NewChild
from docpipe.sources import Sources
from docpipe.sources.working_copy import working_copy

Take = Callable[[str, str, bytes], None]
"""Takes a document out of another: its name, MIME type and bytes."""


class Keeper:
    """Takes documents out of the one that an attempt reads, and keeps their bytes.

    Args:
        sources: where the copies will rest.
        note: writes down, for the document that is read, which copies will be made, and answers how many of
            them, from the first, may be; may raise to stop.
        check: raises when the attempt should stop.
    """

    def __init__(
        self, sources: Sources, note: Callable[[Sequence[NewChild]], int], check: Callable[[], None]
    ) -> None:
        self._sources, self._note, self._check = sources, note, check
        self._children: list[NewChild] = []
        self._open = ExitStack()
        self._bytes: IO[bytes] | None = None
        self.left = 0
        """How many documents of those taken are not kept, because there are too many."""

    def take(self, name: str, file_type: str, data: bytes) -> None:
        """Hold a document until the whole of the other one was read. What `check` raises goes through."""
        self._check()
        if self._bytes is None:
            self._bytes = self._open.enter_context(working_copy())
        self._bytes.write(data)
        at = self._sources.destined(data, name)
        self._children.append(NewChild(at.name, file_type, at.size, at.digest, at.uri))

    def keep(self) -> tuple[NewChild, ...] | None:
        """Make the copies; None where nothing was taken. What `note` and `check` raise goes through.

        Raises:
            SourceUnavailableError, SourceForbiddenError: they cannot be written.
        """
        if self._bytes is None:
            return None
        kept = self._children[: self._note(self._children)]
        self.left = len(self._children) - len(kept)
        self._bytes.seek(0)
        for child in kept:
            self._check()
            self._sources.keep(child.uri, BytesIO(self._bytes.read(child.size)))
        return tuple(kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
