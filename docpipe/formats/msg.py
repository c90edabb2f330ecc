"""Outlook's messages (.msg), by olefile: the same as a mail, headers, body, then attachments."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from functools import partial

import olefile

from docpipe.errors import CorruptDocumentError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.clean import clean_label, clean_line
from docpipe.formats.mapi import BODY, COMPRESSED_RTF, HTML, body_text
from docpipe.formats.members import Member, Members
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode
from docpipe.models import Warn
from docpipe.models.closing import closed_on_failure

_DAMAGE = (OSError, ValueError, TypeError, AttributeError, LookupError, struct.error)
_SUBJECT, _TO, _CC, _BCC = 0x0037, 0x0E04, 0x0E03, 0x0E02
_SENDER_NAME, _SENDER_ADDRESS, _SENDER_SMTP = 0x0C1A, 0x0C1F, 0x5D01
_SENT, _RECEIVED = 0x0039, 0x0E06
_CONTENT, _LONG_NAME, _SHORT_NAME, _DISPLAY_NAME = 0x3701, 0x3707, 0x3704, 0x3001
_EMBEDDED = "__substg1.0_3701000D"
_TICKS, _EPOCH = 10_000_000, 11_644_473_600
"""Moments are counted in ticks a second, from this many seconds before 1970."""
_CONTENT_ID = 0x3712
_Path = tuple[str, ...]
_Contents = dict[_Path, list[str]]
"""The names of what is right inside each storage."""


def open_reader(request: ReadRequest) -> Reader:
    """Open an Outlook message; attachments are opened one by one while its pages are read.

    Raises:
        CorruptDocumentError: it is damaged.
    """
    stream = request.stream()
    with closed_on_failure(stream):
        try:
            store = olefile.OleFileIO(stream)
            return MsgReader(request, _Storage(store, (), _contents(store)), store.close)
        except _DAMAGE as error:
            raise CorruptDocumentError(f"{request.name} is a damaged Outlook message ({error}).") from error


def _contents(store: olefile.OleFileIO) -> _Contents:
    """Listed once: a list of all for each attachment would be as many lists as there are attachments."""
    contents: _Contents = {}
    for *path, name in store.listdir(streams=True, storages=True):
        contents.setdefault(tuple(path), []).append(name)
    return contents


class _Storage:
    """One message or attachment in the file: its properties by number."""

    def __init__(self, store: olefile.OleFileIO, path: _Path, contents: _Contents) -> None:
        self._store = store
        self._path = path
        self._contents = contents
        self._streams = {name.upper(): [*path, name] for name in contents.get(path, ())}

    def value(self, number: int) -> bytes:
        """A property of variable size, texts as UTF-8; empty where there is none or it is damaged."""
        for kind in ("001F", "001E", "0102"):
            entry = self._streams.get(f"__SUBSTG1.0_{number:04X}{kind}")
            if entry is not None:
                data = self._read(entry)
                return data.decode("utf-16-le", "replace").encode() if kind == "001F" else data
        return b""

    def text(self, number: int) -> str:
        return " ".join(clean_line(decode(self.value(number).rstrip(b"\0")).text).split())

    def moment(self, number: int) -> str:
        """A date among the properties of fixed size, which all stand in one stream."""
        data = self._read(self._streams.get("__PROPERTIES_VERSION1.0", []))
        tag = struct.pack("<HH", 0x40, number)
        for place in range(len(data) % 16, len(data) - 15, 8):
            if data[place : place + 4] == tag:
                (ticks,) = struct.unpack_from("<Q", data, place + 8)
                return formatdate(ticks // _TICKS - _EPOCH, usegmt=True)
        return ""

    def inner(self, start: str) -> list[_Storage]:
        """The storages right inside this one whose names begin so."""
        names = (
            name for name in self._contents.get(self._path, ()) if name.lower().startswith(start.lower())
        )
        return [_Storage(self._store, (*self._path, name), self._contents) for name in sorted(names)]

    def _read(self, entry: list[str]) -> bytes:
        try:
            return bytes(self._store.openstream(entry).read()) if entry else b""
        except _DAMAGE:
            return b""


class MsgReader:
    """An open Outlook message, or one that was attached to another."""

    def __init__(self, request: ReadRequest, message: _Storage, closed: Callable[[], None] | None) -> None:
        self.file_type = request.file_type
        self.warnings: list[Warn] = []
        self._request = request
        self._message = message
        self._closed = closed
        self._headers = {name: text for name, text in self._found_headers() if text}
        self.metadata = {name.lower(): text for name, text in self._headers.items()}
        self._body = body_text({number: message.value(number) for number in (BODY, HTML, COMPRESSED_RTF)})
        self._attachments = message.inner("__attach_version1.0_")
        if not self._headers and not self._body and not self._attachments:
            raise CorruptDocumentError(f"{request.name} holds no message.")
        self._members = Members(request, self.warnings, apart=request.apart_from_mail)

    def pages(self) -> Iterator[RawPage]:
        text = "\n".join([*(f"{name}: {text}" for name, text in self._headers.items()), "", self._body])
        for page in paginate(lines_of(text), self._request.limits.max_page_characters):
            yield self._members.counted(page)
        members = [self._member(attachment) for attachment in self._attachments]
        yield from self._members.pages(
            [member for member in members if member], self._request.limits.max_attachments
        )

    def close(self) -> None:
        self._members.close()
        if self._closed is not None:
            self._closed()

    def _found_headers(self) -> Iterator[tuple[str, str]]:
        message = self._message
        address = message.text(_SENDER_SMTP) or message.text(_SENDER_ADDRESS)
        name = message.text(_SENDER_NAME)
        yield (
            "From",
            f"{name} <{address}>" if name and "@" in address and name != address else name or address,
        )
        yield "To", message.text(_TO)
        yield "Cc", message.text(_CC)
        yield "Bcc", message.text(_BCC)
        yield "Date", message.moment(_SENT) or message.moment(_RECEIVED)
        yield "Subject", message.text(_SUBJECT)

    def _member(self, attachment: _Storage) -> Member | None:
        names = (attachment.text(number) for number in (_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME))
        label = clean_label(next(filter(None, names), ""), "attachment")
        if inner := attachment.inner(_EMBEDDED):
            return Member(f"{label}.msg", partial(self._embedded, inner[0], f"{label}.msg"))
        data = attachment.value(_CONTENT)
        if attachment.text(_CONTENT_ID) and is_decoration(data):
            return None
        return Member.of(self._request, label, label, lambda: data)

    def _embedded(self, message: _Storage, label: str) -> Reader:
        request = replace(self._request, name=label, limits=self._request.part_limits())
        return MsgReader(request, message, None)
