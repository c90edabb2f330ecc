"""Plain text and Markdown: finds the charset, splits into pages at form feeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import chardet

from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.charset import safe_charset, unmistakable_charset
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn

_SAMPLE = 200_000
_MIN_CONFIDENCE = 0.11
_NO_IDEA = 0.1
_ONE_BYTE = ("cp125", "iso8859", "mac-")
"""Where the detector has no idea between these, cp1252 is the best bet."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text won from bytes, and how sure its charset is."""

    text: str
    charset: str
    certain: bool

    def warnings(self) -> list[Warn]:
        if self.certain:
            return []
        message = f"The character set is not declared; {self.charset} was guessed, so letters may be wrong."
        return [Warn("charset_guessed", message)]


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Text of `data`: by its mark or escapes, as declared, as UTF-8, else by guessing (never fails).

    A declared charset that is unknown, unsafe or does not fit the bytes is ignored.
    """
    for name in (unmistakable_charset(data), safe_charset(declared), "utf-8"):
        if name and (text := _strict(data, name)) is not None:
            return Decoded(text, name, True)
    return _guess(data)


def _strict(data: bytes, charset: str) -> str | None:
    try:
        return data.decode(charset)
    except UnicodeError:
        return None


def _guess(data: bytes) -> Decoded:
    found = chardet.detect(_telling_sample(data), encoding_era=chardet.EncodingEra.MODERN_WEB)
    charset, confidence = safe_charset(found["encoding"]), found["confidence"] or 0.0
    if charset is None or (confidence < _NO_IDEA and charset.startswith(_ONE_BYTE)):
        charset, confidence = "cp1252", 0.0
    text = data.decode(charset, errors="replace")
    return Decoded(text, charset, confidence >= _MIN_CONFIDENCE and "\ufffd" not in text)


def _telling_sample(data: bytes) -> bytes:
    """The part that starts near the first byte beyond ASCII: megabytes of ASCII tell nothing."""
    first = len(data) - len(data.lstrip(bytes(range(128))))
    start = max(0, first - 1000)
    return data[start : start + _SAMPLE]


def open_reader(request: ReadRequest) -> Reader:
    """Open a text; a form feed starts a new page, and so does each `max_page_characters`."""
    decoded = decode(request.content())
    pages = list(_pages(decoded.text, request.limits.max_page_characters))
    return TextReader(request.file_type, pages, {"charset": decoded.charset}, decoded.warnings())


def _pages(text: str, max_characters: int) -> Iterator[RawPage]:
    for part in text.removesuffix("\f").split("\f"):
        yield from paginate(lines_of(part), max_characters)
