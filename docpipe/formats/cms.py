"""Signed messages (CMS, S/MIME; RFC 5652): the content inside the signature, which is not checked."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from docpipe.errors import CorruptDocumentError, EncryptedDocumentError
from docpipe.formats.base import Reader
from docpipe.formats.clean import clean_label
from docpipe.formats.request import ReadRequest

_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENCRYPTED = frozenset(
    map(bytes.fromhex, ["2a864886f70d010703", "2a864886f70d010706", "2a864886f70d0109100117"])
)
_ARMOUR = re.compile(rb"-----(?:BEGIN|END) (?:PKCS7|PKCS #7 SIGNED DATA|CMS)-----")
_MIME_START = re.compile(rb"\s*+(?:content-[a-z]{1,30}|mime-version)[ \t]*+:", re.IGNORECASE)
_MAX_DEPTH = 20


def open_reader(request: ReadRequest) -> Reader:
    """Open the document inside a signature, a mail's body or a file, as if it came alone.

    Raises:
        EncryptedDocumentError: the content is encrypted.
        CorruptDocumentError: the structure is damaged, or holds a signature and no content.
    """
    content = signed_content(request.content(), request.name)
    return request.open_enclosed(content, _inner_name(request.name, content))


def signed_content(data: bytes, name: str) -> bytes:
    """The bytes that a signature encloses.

    Raises:
        EncryptedDocumentError, CorruptDocumentError: as `open_reader`.
    """
    try:
        message = next(_elements(_binary(data), 0))
        kind, content = list(message.inner())[:2]
        if kind.data in _ENCRYPTED:
            raise EncryptedDocumentError(f"{name} is an encrypted message.")
        if kind.data != _SIGNED:
            raise CorruptDocumentError(f"{name} is no signed message.")
        enclosed = list(list(next(content.inner()).inner())[2].inner())
        if len(enclosed) < 2:
            raise CorruptDocumentError(f"{name} holds a signature only, without what was signed.")
        return next(enclosed[1].inner()).octets()
    except (LookupError, ValueError, StopIteration, RecursionError) as error:
        raise CorruptDocumentError(f"The signed message {name} is damaged.") from error


def _inner_name(name: str, content: bytes) -> str:
    """The name without its last suffix; that of a mail's body ends in `.eml`."""
    inner = PurePath(name).stem if PurePath(name).suffix.lower() in {".p7m", ".p7s", ".p7b"} else name
    return clean_label(f"{inner}.eml" if _MIME_START.match(content[:200]) else inner, "message")


def _binary(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    try:
        return base64.b64decode(_ARMOUR.sub(b"", data))
    except binascii.Error:
        return data


@dataclass(frozen=True, slots=True)
class _Element:
    """A tagged value of ASN.1 in its basic encoding (BER)."""

    tag: int
    data: bytes
    depth: int

    def inner(self) -> Iterator[_Element]:
        return _elements(self.data, self.depth + 1)

    def octets(self) -> bytes:
        """The bytes of a string, also of one that was written in pieces."""
        return b"".join(part.octets() for part in self.inner()) if self.tag & 0x20 else self.data


def _elements(data: bytes, depth: int) -> Iterator[_Element]:
    if depth > _MAX_DEPTH:
        raise ValueError
    place = 0
    while place < len(data) and data[place : place + 2] != b"\0\0":
        start, end, after = _extent(data, place, depth)
        yield _Element(data[place], data[start:end], depth)
        place = after


def _extent(data: bytes, place: int, depth: int) -> tuple[int, int, int]:
    """Where the content of the element at `place` starts and ends, and where the next element starts."""
    length = data[place + 1]
    start = place + 2
    if length == 0x80:
        end = _open_end(data, start, depth + 1)
        return start, end, end + 2
    if length > 0x80:
        start, length = start + length - 0x80, int.from_bytes(data[start : start + length - 0x80])
    if start + length > len(data):
        raise ValueError
    return start, start + length, start + length


def _open_end(data: bytes, place: int, depth: int) -> int:
    """Where the mark stands that ends an element which does not say how long it is."""
    if depth > _MAX_DEPTH:
        raise ValueError
    while data[place : place + 2] != b"\0\0":
        place = _extent(data, place, depth)[2]
    return place
