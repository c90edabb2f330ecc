"""What the dispatcher hands to the reader of one format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from docpipe.errors import TooDeepError
from docpipe.formats.base import Data, Limits, Reader


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One document to read.

    Attributes:
        data: its bytes, or the regular file that holds them; never empty.
        name: its file name, for messages and labels only.
        file_type: the MIME type its content was found to have.
        limits: how much it may ask for.
        opener: opens a document found inside this one; use `open_part`.
    """

    data: Data
    name: str
    file_type: str
    limits: Limits
    opener: Callable[[Data, str, Limits], Reader]

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

    def open_part(self, data: bytes, name: str) -> Reader:
        """Open a document that was found inside this one.

        Raises:
            TooDeepError: this document may not hold others.
            DocpipeError: as `docpipe.formats.open_document`.
        """
        return self.opener(data, name, self.part_limits())
