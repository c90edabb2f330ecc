"""PDF, by PyMuPDF: the text layer with boxes, and each page as a picture on demand.

MuPDF can hang or take all memory on a hostile page; who reads strangers' files runs the reader in a
child process with a deadline.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

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
from docpipe.formats.pdf_backwards import turned_round
from docpipe.formats.pdf_boxes import drawn, drawn_boxes
from docpipe.formats.pdf_layer import Block, Layer, layer_of, whole_lines
from docpipe.formats.pdf_notes import box_states, fields, warnings_of_document, warnings_of_page
from docpipe.formats.pdf_outlines import lines_of_outlines
from docpipe.formats.pdf_unseen import Picture, layers_off, warn_of_layers_off, without_unseen
from docpipe.formats.pdf_words import Lines, by_line, look_closely, words_of
from docpipe.formats.picture_lines import DPI, lines_of_text
from docpipe.formats.request import ReadRequest
from docpipe.formats.word_places import Words, is_upright
from docpipe.models import Box, Warn

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
_FLAGS = pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.mupdf.FZ_STEXT_COLLECT_VECTORS
"""Filled areas for what they cover. Nothing else: ligatures expand, odd white space becomes a space."""
_PICTURE, _UNKNOWN = 1, 99
"""Types of blocks: of pictures, and of nothing."""
_SCAN_SHARE = 0.5
"""From this part of the page on, pictures may be a scan whose text was laid over it."""
_LEAST_PICTURE, _MOST_PICTURES = 10.0, 4
"""Points of the shorter side of a picture that may show text; so many are looked at on a page."""
_MARGIN = 0.2
"""Part of the page's height at its head and foot where a letterhead may be."""
_UPRIGHT = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}
"""Where text runs to, to the degrees counter-clockwise that make it run to the right."""
_OUT_OF_MEMORY = ("malloc", "calloc", "realloc", "out of memory")
_METADATA = ("title", "author", "subject", "keywords", "creator", "producer", "creationDate", "modDate")
_MAX_COMPLAINT = 500
_HARMLESS = re.compile(
    r"outline|link|destination|\bicc\b|colou?r ?space|colou?r profile|output intent|structure tree|ancestor"
    r"|font (?:metric|ascent|descent)|ascent/descent|character advance|\bhmtx\b|\bvmtx\b|non-embedded font"
    r"|glyph (?:width|advance|metric)|actualtext|\.\.\. repeated \d+ times",
    re.IGNORECASE,
)
"""MuPDF's remarks on what no reader of the text misses."""


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
        self._margins: dict[Box, int] = {}
        pymupdf.TOOLS.reset_mupdf_warnings()
        with _mupdf_errors(request.name):
            self._document = _open(request)
            self.page_count = _checked_page_count(self._document, request)
            self.metadata = _metadata(self._document)
            self._is_form = bool(self._document.is_form_pdf)
            self._layers_off = layers_off(self._document)
            self.warnings += warnings_of_document(self._document, request.name)

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
        layer, pictures, words = self._layer(page)
        is_layer_of_scan = _is_hidden(layer)
        lines = [
            TextLine(piece.text, piece.box, apart=piece.direction is None, words=words_of(piece, words))
            for piece in whole_lines(layer.pieces)
        ]
        share = _image_share(shown, page.rotation, pictures)
        if not lines and not share:
            self._warn_of_lost_content(page)
        if lines and self._is_form:
            lines += box_states(page, lines)
        lines += drawn_boxes(list(filter(None, map(drawn, layer.paths))), lines)
        outlined = lines_of_outlines(layer.paths)
        self.warnings += warnings_of_page(page)
        return RawPage(
            shown.width,
            shown.height,
            tuple(_as_shown(lines, page)),
            partial(self._render, index),
            share,
            self._lines_in_pictures(page, pictures) + outlined if lines and share < _SCAN_SHARE else 0,
            hidden_text=bool(lines) and share >= _SCAN_SHARE and is_layer_of_scan,
            fields=() if lines else tuple(_as_shown(_field_names(page), page)),
            turned=_degrees(page, layer),
        )

    def _layer(self, page: pymupdf.Page) -> tuple[Layer, list[Box], Lines]:
        """What the page shows of its text layer, where it has pictures, and where the layer's words stand."""
        text = page.get_textpage(flags=_FLAGS | pymupdf.TEXT_PRESERVE_IMAGES)
        with _pictures(text) as found:
            blocks = text.extractDICT()["blocks"]
        pictures = [picture.box for picture in found]
        layer = layer_of(blocks)
        self._check_length(layer)

        def raw() -> list[Block]:
            with _pictures(text):
                blocks: list[Block] = text.extractRAWDICT()["blocks"]
            return blocks

        self.warnings += without_unseen(page, layer, found, raw)
        if self._layers_off:
            self.warnings += warn_of_layers_off(page, self._layers_off)
        words = {**by_line(text.extractWORDS(), blocks), **turned_round(layer, raw)}
        look_closely(layer, words)
        return layer, pictures, words

    def _lines_in_pictures(self, page: pymupdf.Page, pictures: list[Box]) -> int:
        """Lines of text that pictures beside the page's text seem to show; a letterhead's once."""
        lines = 0
        for picture in sorted(filter(_may_hold_text, pictures), key=_area, reverse=True)[:_MOST_PICTURES]:
            if not _is_in_margin(picture, page):
                lines += _lines_in_picture(page, picture)
            elif picture not in self._margins:
                lines += self._margins.setdefault(picture, _lines_in_picture(page, picture))
        return lines

    def _check_expansion(self, page: pymupdf.Page) -> None:
        """Before MuPDF unpacks the page's content, each time anew."""
        left = self._limits.max_expanded_bytes
        for xref in page.get_contents():
            times = self._document.xref_get_key(xref, "Filter")[1].count("/Fl")
            left -= unpacked_size(self._document.xref_stream_raw(xref) or b"", times, left)
            if left < 0:
                limit = self._limits.max_expanded_bytes
                raise ExpansionLimitError(f"A page of {self._name} unpacks to more than {limit:,} bytes.")

    def _check_length(self, layer: Layer) -> None:
        limit = self._limits.max_page_characters
        if layer.characters > 2 * limit:  # blanks count here
            raise ExpansionLimitError(f"A page of {self._name} holds more than {limit:,} characters.")

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

    def _warn_of_damage(self) -> None:
        remarks = dict.fromkeys(pymupdf.TOOLS.mupdf_warnings(reset=True).splitlines())
        complaint = "; ".join(remark for remark in remarks if not _HARMLESS.search(remark))
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
    try:
        if isinstance(request.data, bytes):
            return pymupdf.open(stream=request.data, filetype="pdf")
        return pymupdf.open(str(request.data), filetype="pdf")
    except pymupdf.FileDataError as error:  # its words name the file where this process has it
        raise CorruptDocumentError(
            f"The PDF engine cannot read {request.name} (too little of a PDF is left of it)."
        ) from error


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


@contextmanager
def _pictures(text: pymupdf.TextPage) -> Iterator[list[Picture]]:
    """The pictures. Until the end of the context they are left out of what is extracted, which would copy
    them: they are blocks of a kind that nobody knows. MuPDF must find them as pictures to free them."""
    found = []
    others = 0
    block = text.this.m_internal.first_block
    while block is not None:
        if block.type == _PICTURE:
            box = block.bbox
            found.append(Picture((box.x0, box.y0, box.x1, box.y1), others, block))
        else:
            others += 1
        block = block.next
    for picture in found:
        picture.block.type = _UNKNOWN
    try:
        yield found
    finally:
        for picture in found:
            picture.block.type = _PICTURE


def _lines_in_picture(page: pymupdf.Page, picture: Box) -> int:
    zoom = DPI / 72
    clip = (pymupdf.Rect(picture) * page.rotation_matrix).normalize()
    pixmap = page.get_pixmap(
        matrix=pymupdf.Matrix(zoom, zoom), clip=clip, colorspace=pymupdf.csGRAY, alpha=False, annots=False
    )
    rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    return lines_of_text(rows[:, : pixmap.width])


def _is_in_margin(box: Box, page: pymupdf.Page) -> bool:
    height = float(page.mediabox.height)
    return box[3] < _MARGIN * height or box[1] > (1 - _MARGIN) * height


def _may_hold_text(box: Box) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= _LEAST_PICTURE


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _field_names(page: pymupdf.Page) -> list[TextLine]:
    return [TextLine(field.field_name, tuple(field.rect)) for field in fields(page) if field.field_name]


def _as_shown(lines: list[TextLine], page: pymupdf.Page) -> list[TextLine]:
    """The lines with their boxes, and the places of their words, turned as the page is."""
    if not page.rotation:
        return lines
    turn = page.rotation_matrix
    boxes = ((pymupdf.Rect(line.box) * turn).normalize() for line in lines)
    return [
        replace(line, box=tuple(box), words=_turned(line, turn))
        for line, box in zip(lines, boxes, strict=True)
    ]


def _turned(line: TextLine, turn: pymupdf.Matrix) -> Words:
    if not line.words or line.box is None:
        return ()
    across = not is_upright(line.box)
    points = [pymupdf.Point(side, 0) if across else pymupdf.Point(0, side) for side in line.words]
    sides = [point * turn for point in points]
    return tuple([round(float(side.x if across is (turn.b == 0) else side.y), 2) for side in sides])


def _degrees(page: pymupdf.Page, layer: Layer) -> int:
    """How far to turn the page as it is shown, counter-clockwise, so that most of its text is upright."""
    x, y = layer.direction()
    turn = page.rotation_matrix
    shown = round(x * turn.a + y * turn.c), round(x * turn.b + y * turn.d)
    return _UPRIGHT.get(shown, 0)


def _is_hidden(layer: Layer) -> bool:
    """Whether most of the page's characters are not drawn."""
    characters: Counter[bool] = Counter()
    for piece in layer.pieces:
        characters[piece.is_drawn] += len(piece.text)
    return characters[False] > characters[True]


def _image_share(shown: pymupdf.Rect, rotation: int, pictures: list[Box]) -> float:
    """Part of the page that pictures cover; overlaps count twice, the sum stops at 1."""
    width, height = float(shown.width), float(shown.height)
    if rotation % 180:
        width, height = height, width
    areas = (
        max(0.0, min(x1, width) - max(x0, 0.0)) * max(0.0, min(y1, height) - max(y0, 0.0))
        for x0, y0, x1, y1 in pictures
    )
    return min(1.0, sum(areas) / (width * height))


def _zoom(width: float, height: float, dpi: int, limits: Limits) -> float:
    """Pixels per point: the wish, or what the render limits allow."""
    return min(
        dpi / 72,
        math.sqrt(limits.max_render_pixels / (width * height)),
        limits.max_render_side / max(width, height),
    )
