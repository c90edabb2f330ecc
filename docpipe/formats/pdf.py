"""PDF, by PyMuPDF: the text layer with boxes, and each page as a picture on demand.

MuPDF can hang or take all memory on a hostile page; who reads strangers' files runs the reader in a
child process with a deadline.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pymupdf

from docpipe.errors import (
    CorruptDocumentError,
    EncryptedDocumentError,
    ExpansionLimitError,
    MemoryExhaustedError,
    TooManyPagesError,
    UnsupportedFormatError,
)
from docpipe.formats.base import Limits, PageImage, RawPage, Reader, TextLine
from docpipe.formats.expansion import unpacked_size
from docpipe.formats.reading_order import in_reading_order
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn

# Damage is reported through warnings of the reader, not on the process's stderr.
pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)

_DAMAGE = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    SystemError,
    pymupdf.mupdf.FzErrorBase,
)
"""What PyMuPDF was seen to raise for damaged files."""
_TEXT_FLAGS = pymupdf.TEXT_MEDIABOX_CLIP  # nothing else: ligatures expand, odd white space becomes a space
_OUT_OF_MEMORY = ("malloc", "calloc", "realloc", "out of memory")
_METADATA = ("title", "author", "subject", "keywords", "creator", "producer", "creationDate", "modDate")
_MAX_COMPLAINT = 500


def open_reader(request: ReadRequest) -> Reader:
    """Open a PDF.

    Raises:
        EncryptedDocumentError: it asks for a password.
        CorruptDocumentError: MuPDF cannot open it, or finds no pages.
        UnsupportedFormatError: it only looks like a PDF.
        TooManyPagesError: more than `max_pages`.
    """
    return PdfReader(request)


class PdfReader:
    """An open PDF."""

    def __init__(self, request: ReadRequest) -> None:
        self.file_type = request.file_type
        self.warnings: list[Warn] = []
        self._name = request.name
        self._limits = request.limits
        pymupdf.TOOLS.reset_mupdf_warnings()
        with _mupdf_errors(request.name):
            self._document = _open(request)
            self.page_count = _checked_page_count(self._document, request)
            self.metadata = _metadata(self._document)
            self._warn_of_attachments()

    def pages(self, first: int = 1, last: int | None = None) -> Iterator[RawPage]:
        unreadable = 0
        for index in range(first - 1, last or self.page_count):
            try:
                with _mupdf_errors(self._name):
                    page = self._read(index)
            except CorruptDocumentError as error:
                unreadable += 1
                if unreadable == self.page_count:
                    raise
                self.warnings.append(Warn("page_unreadable", error.message, index + 1))
                page = RawPage(None, None)
            yield page
        self._warn_of_damage()

    def close(self) -> None:
        if not self._document.is_closed:
            self._document.close()

    def _read(self, index: int) -> RawPage:
        page = self._document.load_page(index)
        self._check_expansion(page)
        shown = page.rect
        if shown.is_empty or shown.is_infinite:
            raise CorruptDocumentError(f"Page {index + 1} of {self._name} has no size.")
        lines = in_reading_order(self._lines(page))
        share = _image_share(page)
        if not lines and not share:
            self._warn_of_lost_content(page)
        return RawPage(shown.width, shown.height, tuple(lines), partial(self._render, index), share)

    def _check_expansion(self, page: pymupdf.Page) -> None:
        """Before MuPDF unpacks the page's content, each time anew."""
        left = self._limits.max_expanded_bytes
        for xref in page.get_contents():
            times = self._document.xref_get_key(xref, "Filter")[1].count("/Fl")
            left -= unpacked_size(self._document.xref_stream_raw(xref) or b"", times, left)
            if left < 0:
                limit = self._limits.max_expanded_bytes
                raise ExpansionLimitError(f"A page of {self._name} unpacks to more than {limit:,} bytes.")

    def _lines(self, page: pymupdf.Page) -> list[TextLine]:
        """Lines in the order of the page's content, boxes turned as the page is shown."""
        layer = page.get_textpage(flags=_TEXT_FLAGS)
        limit = self._limits.max_page_characters
        if len(layer.extractText()) > 2 * limit:  # before the costly form; line ends and blanks count here
            raise ExpansionLimitError(f"A page of {self._name} holds more than {limit:,} characters.")
        blocks = layer.extractDICT()["blocks"]
        turn = page.rotation_matrix
        return [_line(line, turn) for block in blocks for line in block.get("lines", ()) if _text(line)]

    def _render(self, index: int, dpi: int) -> PageImage:
        with _mupdf_errors(f"page {index + 1} of {self._name}"):
            page = self._document.load_page(index)
            zoom = _zoom(page.rect.width, page.rect.height, dpi, self._limits)
            pixmap = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), colorspace=pymupdf.csRGB, alpha=False)
        pymupdf.TOOLS.store_shrink(100)  # no page is rendered twice, and pictures unpacked are large
        rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
        pixels = rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3)
        return PageImage(np.ascontiguousarray(pixels[:, :, ::-1]), 1 / zoom)

    def _warn_of_lost_content(self, page: pymupdf.Page) -> None:
        """Tell a page that shows nothing because it is broken from a page that is blank."""
        document, contents = self._document, page.get_contents()
        if document.xref_get_key(page.xref, "Type")[1] != "/Page":
            reason = "The page is none: what should describe it is something else."
        elif any(document.xref_get_key(xref, "F")[0] != "null" for xref in contents):
            reason = "The page's content is meant to stand in another file, which is never read."
        elif any(self._is_damaged(xref) for xref in contents):
            reason = "The page's content cannot be unpacked."
        elif any(char[0] > ord(" ") for span in page.get_texttrace() for char in span["chars"]):
            reason = "The page's text stands outside the page."
        else:
            return
        self.warnings.append(Warn("content_lost", reason, page.number + 1))

    def _is_damaged(self, xref: int) -> bool:
        if not self._document.xref_stream_raw(xref):
            return False
        before = pymupdf.TOOLS.mupdf_warnings(reset=False)
        self._document.xref_stream(xref)
        return bool(pymupdf.TOOLS.mupdf_warnings(reset=False) != before)

    def _warn_of_attachments(self) -> None:
        if count := self._document.embfile_count():
            message = f"{count} file(s) attached to {self._name} were not read. Submit them on their own."
            self.warnings.append(Warn("attachments_not_read", message))

    def _warn_of_damage(self) -> None:
        complaint = "; ".join(dict.fromkeys(pymupdf.TOOLS.mupdf_warnings(reset=True).splitlines()))
        if not complaint and not self._document.is_repaired:
            return
        repaired = " and was repaired while it was opened" if self._document.is_repaired else ""
        message = f"{self._name} is damaged{repaired}; something may be missing. {complaint[:_MAX_COMPLAINT]}"
        self.warnings.append(Warn("damaged", message.strip()))


@contextmanager
def _mupdf_errors(name: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:  # a RuntimeError, but it says nothing about damage
        raise
    except _DAMAGE as error:
        if any(word in str(error).lower() for word in _OUT_OF_MEMORY):
            raise MemoryExhaustedError(f"Reading {name} took more memory than there is.") from error
        raise CorruptDocumentError(f"The PDF engine cannot read {name} ({error}).") from error


def _open(request: ReadRequest) -> pymupdf.Document:
    if isinstance(request.data, bytes):
        return pymupdf.open(stream=request.data, filetype="pdf")
    return pymupdf.open(str(request.data), filetype="pdf")


def _checked_page_count(document: pymupdf.Document, request: ReadRequest) -> int:
    if not document.is_pdf:
        raise UnsupportedFormatError(f"{request.name} starts like a PDF but is something else.")
    if document.needs_pass:
        raise EncryptedDocumentError(f"{request.name} is protected by a password.")
    count = int(document.page_count)
    if count == 0:
        raise CorruptDocumentError(f"{request.name} is a PDF without pages.")
    if count > request.limits.max_pages:
        raise TooManyPagesError(
            f"{request.name} has {count:,} pages; the limit is {request.limits.max_pages:,}."
        )
    return count


def _metadata(document: pymupdf.Document) -> dict[str, str]:
    stored = document.metadata or {}
    return {key: str(stored[key]) for key in _METADATA if stored.get(key)}


def _text(line: dict[str, Any]) -> str:
    return "".join(span["text"] for span in line["spans"]).strip()


def _line(line: dict[str, Any], turn: pymupdf.Matrix) -> TextLine:
    box = (pymupdf.Rect(line["bbox"]) * turn).normalize()
    return TextLine(_text(line), (box.x0, box.y0, box.x1, box.y1))


def _image_share(page: pymupdf.Page) -> float:
    """Part of the page that pictures cover; overlaps count twice, the sum stops at 1."""
    turn, shown = page.rotation_matrix, page.rect
    areas = (abs((pymupdf.Rect(info["bbox"]) * turn) & shown) for info in page.get_image_info())
    return min(1.0, float(sum(areas) / abs(shown)))


def _zoom(width: float, height: float, dpi: int, limits: Limits) -> float:
    """Pixels per point: the wish, or what the render limits allow."""
    return min(
        dpi / 72,
        math.sqrt(limits.max_render_pixels / (width * height)),
        limits.max_render_side / max(width, height),
    )
