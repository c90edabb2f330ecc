"""What the dispatcher hands to the reader of one format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from docpipe.errors import TooDeepError
from docpipe.formats.base import Apart, Data, Limits, Reader


class Opener(Protocol):
    """`docpipe.formats.open_document`."""

    def __call__(self, data: Data, name: str, limits: Limits, apart: Apart | None = None) -> Reader: ...


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One document to read.

    Attributes:
        data: its bytes, or the regular file that holds them; never empty.
        name: its file name, for messages and labels only.
        file_type: the MIME type its content was found to have.
        limits: how much it may ask for.
        opener: opens a document found inside this one; use `open_part`.
        apart: takes out the documents inside this one; None: they are pages of it.
    """

    data: Data
    name: str
    file_type: str
    limits: Limits
    opener: Opener
    apart: Apart | None = None

    def content(self) -> bytes:
        """All bytes of the document."""
        return self.data.read_bytes() if isinstance(self.data, Path) else self.data

    def stream(self) -> BinaryIO:
        """The document as an open binary file; the caller closes it."""
        return self.data.open("rb") if isinstance(self.data, Path) else BytesIO(self.data)

    def part_limits(self) -> Limits:
        """The limits of a document inside this one: one level of attachments less.

        Raises:
            TooDeepError: this document may not hold others.
        """
        if self.limits.max_attachment_depth < 1:
            raise TooDeepError("Attachments are nested deeper than the limit.")
        return replace(self.limits, max_attachment_depth=self.limits.max_attachment_depth - 1)

    @property
    def apart_from_mail(self) -> Apart | None:
        """`apart`, if it is for attachments too."""
        return self.apart if self.apart and self.apart.attachments else None

    def open_part(self, data: bytes, name: str) -> Reader:
        """Open a document that was found inside this one.

        Raises:
            TooDeepError: this document may not hold others.
            DocpipeError: as `docpipe.formats.open_document`.
        """
        return self.opener(data, name, self.part_limits())

    def open_enclosed(self, data: bytes, name: str) -> Reader:
        """Open the one document that this one is a cover of; what is inside it is treated as if it were
        inside this one. Raises as `open_part`.
        """
        return self.opener(data, name, self.part_limits(), self.apart)
