"""The ocr stage: one text out of a document's pages, with the place of every line.

A page keeps the text its file holds where that is good; otherwise its picture is recognised. Why is
kept with the page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from docpipe.errors import CorruptDocumentError, EmptyDocumentError, PermanentError
from docpipe.formats.base import PagedReader, PageImage, RawPage, Reader, TextLine
from docpipe.formats.clean import clean, clean_line
from docpipe.models import Box, Line, Method, Page, PageRange, StageOutput, Warn
from docpipe.stages.layout import Quads, reading_order
from docpipe.stages.ports import OcrEngine
from docpipe.stages.ranges import PAGE_BREAK

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LINE_BREAK = "\n"
_UNMAPPED = re.compile(r"\(cid:\d+\)")
_LOSSES = frozenset({"content_lost", "page_unreadable", "part_unreadable"})
"""Warnings of readers that something could not be read."""
_BLANK_CONTRAST = 16
"""Grey levels of 256: paper without a mark differs by less."""


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """When a page's picture is recognised, and what is worth a warning.

    Attributes:
        dpi: pages are rendered at this resolution for recognition.
        min_confidence: a page below this mean confidence (0..1) is warned about.
        min_characters: a text layer shorter than this, over pictures, does not count as text.
        scan_share: part 0..1 of the page that pictures must cover for that.
        max_garbage: part 0..1 of a text layer that may be unreadable characters.
        picture_share: from this part 0..1 of the page on, pictures beside a good text layer are
            recognised too; 1 turns that off.
        force: recognise every page that has a picture, whatever its text layer.
    """

    dpi: int = 200
    min_confidence: float = 0.6
    min_characters: int = 50
    scan_share: float = 0.5
    max_garbage: float = 0.1
    picture_share: float = 0.2
    force: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """A page after the decision, before its place in the document's text is known."""

    method: Method
    reason: str
    lines: Sequence[TextLine] = ()
    warnings: tuple[Warn, ...] = ()
    error: PermanentError | None = None

    @property
    def confidence(self) -> float | None:
        if self.method is Method.TEXT:
            return None
        weights = [len(line.text.strip()) for line in self.lines]
        if not sum(weights):
            return None
        return sum(w * line.confidence for w, line in zip(weights, self.lines, strict=True)) / sum(weights)


@dataclass
class _Assembly:
    """The text so far, and the pages that point into it."""

    first: int = 1
    """Number of the first page."""
    parts: list[str] = field(default_factory=list)
    length: int = 0
    pages: list[Page] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)
    errors: list[PermanentError] = field(default_factory=list)

    def add(self, raw: RawPage, read: _Read) -> None:
        """Append a page; its lines and itself get their offsets."""
        if self.pages:
            self._append(PAGE_BREAK)
        start = self.length
        lines = tuple(self._placed(read.lines))
        self.pages.append(
            Page(
                number=self.first + len(self.pages),
                start=start,
                end=self.length,
                width=raw.width,
                height=raw.height,
                method=read.method,
                lines=lines,
                reason=read.reason,
                confidence=read.confidence,
                part=clean_line(raw.part),
            )
        )
        self.warnings += read.warnings
        self.errors += [read.error] if read.error else []

    def _placed(self, lines: Sequence[TextLine]) -> Iterator[Line]:
        for index, line in enumerate(lines):
            if index:
                self._append(_LINE_BREAK)
            start = self.length
            self._append(clean(line.text))
            if self.length > start:
                yield Line(start, self.length, line.box, line.confidence)

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def read_document(
    reader: Reader,
    *,
    engine: OcrEngine,
    options: OcrOptions | None = None,
    on_page: Callable[[int], None] | None = None,
) -> StageOutput:
    """Read an open document page by page into one text: lines end with a newline, pages with a blank line.

    `on_page` is called with each page's number once it is read, and may raise to stop. Pages are
    taken one at a time and their pictures dropped. A page that fails becomes an empty page with a
    warning. The caller closes the reader.

    Raises `EmptyDocumentError` when no page holds text, or, when that is why, the first page's error or
    `CorruptDocumentError`; transient errors at once.
    """
    document = _Assembly()
    _read_all(document, reader.pages(), engine, options, on_page)
    output = _output(reader, document)
    if not (output.text or "").strip():
        raise _why_empty(reader, document)
    return output


def read_pages(
    reader: PagedReader,
    pages: PageRange,
    *,
    engine: OcrEngine,
    options: OcrOptions | None = None,
    on_page: Callable[[int], None] | None = None,
) -> StageOutput:
    """As `read_document`, but only these pages; offsets count from the first of them.

    They may hold no text: whether the document does is known when all its pages are joined.
    """
    document = _Assembly(first=pages.first)
    _read_all(document, reader.pages(pages.first, pages.last), engine, options, on_page)
    return _output(reader, document)


def _read_all(
    document: _Assembly,
    pages: Iterable[RawPage],
    engine: OcrEngine,
    options: OcrOptions | None,
    on_page: Callable[[int], None] | None,
) -> None:
    for number, raw in enumerate(pages, start=document.first):
        document.add(raw, _read_page(raw, number, engine, options or OcrOptions()))
        if on_page is not None:
            on_page(number)


def _output(reader: Reader, document: _Assembly) -> StageOutput:
    return StageOutput(
        text="".join(document.parts),
        pages=tuple(document.pages),
        file_type=reader.file_type,
        metadata={clean_line(key): clean(value) for key, value in reader.metadata.items()},
        warnings=(*reader.warnings, *document.warnings),
    )


def _why_empty(reader: Reader, document: _Assembly) -> PermanentError:
    """Why there is no text: a page's error, content that is lost, or else there is none."""
    if document.errors:
        return document.errors[0]
    for warn in reader.warnings:
        if warn.code in _LOSSES:
            return CorruptDocumentError(f"No text could be read. {warn.message}")
    return EmptyDocumentError()


# --- one page ---------------------------------------------------------------------------------


def choose_method(raw: RawPage, options: OcrOptions) -> tuple[Method, str]:
    """How to read a page, and why."""
    characters = sum(len(line.text.strip()) for line in raw.lines)
    if raw.image is None:
        return Method.TEXT, "text format" if raw.width is None else "no picture to recognise"
    if options.force:
        return Method.OCR, "recognition was asked for"
    if not characters:
        return Method.OCR, "no text layer"
    garbage = garbage_share("\n".join(line.text for line in raw.lines))
    if garbage > options.max_garbage:
        return Method.OCR, f"text layer unreadable: {garbage:.0%} unknown characters"
    if characters < options.min_characters and raw.image_share >= options.scan_share:
        return Method.OCR, f"only {characters} characters over pictures on {raw.image_share:.0%} of the page"
    if _has_pictures_beside_text(raw, options):
        return Method.BOTH, f"text layer, and pictures on {raw.image_share:.0%} of the page"
    return Method.TEXT, f"text layer of {characters} characters"


def garbage_share(text: str) -> float:
    """Part 0..1 of the visible characters that mean nothing: private, unassigned, U+FFFD, control, cid."""
    unmapped = len(_UNMAPPED.findall(text))
    visible = [c for c in _UNMAPPED.sub("", text) if not c.isspace()]
    bad = unmapped + sum(
        c == "\ufffd" or unicodedata.category(c) in {"Co", "Cn", "Cs", "Cc"} for c in visible
    )
    return bad / max(1, len(visible) + unmapped)


def _has_pictures_beside_text(raw: RawPage, options: OcrOptions) -> bool:
    """Whether pictures cover a good part of the page but leave room for the text layer.

    Text and pictures that together need more than the page lie on each other: a scan that was
    recognised before.
    """
    if raw.image_share < options.picture_share or not raw.width or not raw.height:
        return False
    text_share = sum(_area(line.box) for line in raw.lines if line.box) / (raw.width * raw.height)
    return raw.image_share + text_share < 1.0


def _read_page(raw: RawPage, number: int, engine: OcrEngine, options: OcrOptions) -> _Read:
    method, reason = choose_method(raw, options)
    if method is Method.TEXT or raw.image is None:
        return _Read(method, reason, raw.lines)
    try:
        image = raw.image(options.dpi)
        recognised, turned = ([], 0) if _is_blank(image.pixels) else _recognise(image, engine)
    except PermanentError as error:
        return _kept(raw, method, f"{reason}; recognition failed", (_warn_failed(number, error),), error)
    if not recognised and method is Method.OCR:
        doubts = _doubts(_Read(method, reason), image, number, options)
        return _kept(raw, method, f"{reason}; nothing recognised", doubts)
    reason += f"; picture turned by {turned} degrees" if turned else ""
    if method is Method.BOTH:
        beside = [line for line in recognised if not _overlaps_any(line.box, raw.lines)]
        return _Read(method, reason, [*raw.lines, *beside])
    read = _Read(method, reason, recognised)
    return replace(read, warnings=_doubts(read, image, number, options))


def _kept(
    raw: RawPage, method: Method, reason: str, doubts: tuple[Warn, ...], error: PermanentError | None = None
) -> _Read:
    """The page without recognition: what its text layer holds, however little, is all there is."""
    if raw.lines:
        return _Read(Method.TEXT, f"{reason}, so the text layer was kept", raw.lines, doubts, error)
    return _Read(method, reason, (), doubts, error)


def _doubts(read: _Read, image: PageImage, number: int, options: OcrOptions) -> tuple[Warn, ...]:
    if read.confidence is None:
        if _is_blank(image.pixels):
            return ()
        return (Warn("page_empty", "The page has a picture, but no text was recognised on it.", number),)
    if read.confidence < options.min_confidence:
        return (
            Warn("low_confidence", f"Recognised with a mean confidence of {read.confidence:.2f}.", number),
        )
    return ()


def _warn_failed(number: int, error: PermanentError) -> Warn:
    return Warn("page_failed", clean_line(f"The page's picture could not be read: {error}"), number)


def _is_blank(pixels: NDArray[np.uint8]) -> bool:
    return not pixels.size or int(pixels.max()) - int(pixels.min()) < _BLANK_CONTRAST


# --- recognition and geometry -------------------------------------------------------------------


def _recognise(image: PageImage, engine: OcrEngine) -> tuple[list[TextLine], int]:
    """The picture's lines in reading order with boxes on the page as shown, and the degrees it was turned."""
    turned = engine.orientation(image.pixels)
    height, width = image.pixels.shape[:2]
    lines = []
    for line in reading_order(engine.read(turn(image.pixels, turned))):
        text = clean_line(line.text).strip()
        if text:
            box = _box_in_points(line.quads, turned, width, height, image.points_per_pixel)
            lines.append(TextLine(text, box, line.confidence))
    return lines, turned


def turn(pixels: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """The picture turned counter-clockwise by 0, 90, 180 or 270 degrees."""
    if degrees == 90:
        pixels = pixels.swapaxes(0, 1)[::-1]
    elif degrees == 180:
        pixels = pixels[::-1, ::-1]
    elif degrees == 270:
        pixels = pixels.swapaxes(0, 1)[:, ::-1]
    return pixels if degrees == 0 else pixels.copy(order="C")


def turn_back(x: float, y: float, degrees: int, width: float, height: float) -> tuple[float, float]:
    """Where a point of the turned picture lies in the picture as it was, `width` x `height` pixels."""
    if degrees == 90:
        return width - y, x
    if degrees == 180:
        return width - x, height - y
    if degrees == 270:
        return y, height - x
    return x, y


def _box_in_points(quads: Quads, degrees: int, width: int, height: int, points_per_pixel: float) -> Box:
    corners = [turn_back(x, y, degrees, width, height) for quad in quads for x, y in quad]
    xs, ys = zip(*corners, strict=True)
    x0, y0, x1, y1 = (round(side * points_per_pixel, 2) for side in (min(xs), min(ys), max(xs), max(ys)))
    return x0, y0, x1, y1


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlaps_any(box: Box | None, lines: Sequence[TextLine]) -> bool:
    """Whether a recognised line is one the text layer has: the others cover half of it."""
    if box is None:
        return False
    covered = sum(_area(_common(box, line.box)) for line in lines if line.box)
    return covered > 0.5 * _area(box)


def _common(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
