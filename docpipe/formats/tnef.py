"""`winmail.dat` (TNEF), in which Outlook hides a mail's body and attachments from other programs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from docpipe.errors import CorruptDocumentError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.clean import clean_label
from docpipe.formats.mapi import body_text, properties
from docpipe.formats.members import Member, Members
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode
from docpipe.models import Warn

_SIGNATURE = struct.pack("<I", 0x223E9F78)
_BODY = 0x800C
_MESSAGE_PROPERTIES = 0x9003
_ATTACHMENT = 0x9002
_ATTACHMENT_NAME = 0x8010
_ATTACHMENT_DATA = 0x800F
_ATTACHMENT_PROPERTIES = 0x9005
_LONG_NAME = 0x3707
_CONTENT = 0x3701


def open_reader(request: ReadRequest) -> Reader:
    """Open a `winmail.dat`: the body as the first page, if there is one, then each attachment's pages.

    Raises:
        CorruptDocumentError: it is damaged before anything could be read.
    """
    return TnefReader(request)


class TnefReader:
    """An open `winmail.dat`."""

    def __init__(self, request: ReadRequest) -> None:
        self.file_type = request.file_type
        self.metadata: dict[str, str] = {}
        self.warnings: list[Warn] = []
        self._request = request
        self._body = ""
        self._attachments: list[tuple[str, bytes]] = []
        for attribute, data in self._attributes(request.content()):
            self._take(attribute, data)
        if not self._body and not self._attachments:
            raise CorruptDocumentError(f"{request.name} holds neither a text nor an attachment.")
        self._members = Members(request, self.warnings, apart=request.apart_from_mail)

    def pages(self) -> Iterator[RawPage]:
        if self._body.strip() or not self._attachments:
            for page in paginate(lines_of(self._body), self._request.limits.max_page_characters):
                yield self._members.counted(page)
        members = [
            Member.of(self._request, label := clean_label(name, "attachment"), label, partial(bytes, data))
            for name, data in self._attachments
        ]
        yield from self._members.pages(members, self._request.limits.max_attachments)

    def close(self) -> None:
        self._members.close()

    def _attributes(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        place = len(_SIGNATURE) + 2
        while place + 9 <= len(data):
            attribute, length = struct.unpack("<xHxxI", data[place : place + 9])
            end = place + 9 + length
            if end > len(data):
                self._damaged("is cut; attachments may be missing.")
            yield attribute, data[place + 9 : end]
            place = end + 2

    def _properties(self, data: bytes) -> dict[int, bytes]:
        found, whole = properties(data)
        if not whole:
            self._damaged("is damaged; part of its text or of an attachment may be missing.")
        return found

    def _damaged(self, what: str) -> None:
        self.warnings.append(Warn("mail_damaged", f"{self._request.name} {what}"))

    def _take(self, attribute: int, data: bytes) -> None:
        if attribute == _BODY:
            self._body = decode(data.rstrip(b"\0")).text
        elif attribute == _MESSAGE_PROPERTIES:
            self._body = body_text(self._properties(data)) or self._body
        elif attribute == _ATTACHMENT:
            self._attachments.append(("", b""))
        elif attribute in {_ATTACHMENT_NAME, _ATTACHMENT_DATA, _ATTACHMENT_PROPERTIES}:
            self._complete(attribute, data)

    def _complete(self, attribute: int, data: bytes) -> None:
        """Add to the last attachment; a name or a content that is there already starts another."""
        name, content = self._attachments.pop() if self._attachments else ("", b"")
        if attribute == _ATTACHMENT_PROPERTIES:
            found = self._properties(data)
            name = decode(found.get(_LONG_NAME, b"")).text.rstrip("\0") or name
            content = content or found.get(_CONTENT, b"")
        elif attribute == _ATTACHMENT_NAME:
            if name and content:
                self._attachments.append((name, content))
                content = b""
            name = decode(data.rstrip(b"\0")).text
        else:
            content = data
        self._attachments.append((name, content))
