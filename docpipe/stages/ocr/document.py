"""The ocr stage: one text out of a document's pages, with the place of every line.

A page keeps the text its file holds where that is good; otherwise its picture is recognised. Why is
kept with the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from docpipe.engines.ports import FindsLines, OcrEngine, RecognisedLine, WhenNeeded
from docpipe.errors import CorruptDocumentError, PermanentError
from docpipe.formats.base import PagedReader, PageImage, RawPage, Reader, TextLine
from docpipe.formats.clean import clean, clean_line
from docpipe.formats.word_places import fitting
from docpipe.models import Box, Line, Method, Page, PageRange, StageOutput, Warn
from docpipe.stages.ocr.leaders import without_leaders
from docpipe.stages.ocr.merging import beside_layer
from docpipe.stages.ocr.method import OcrOptions, choose_method, layer_fault
from docpipe.stages.ocr.misread import put_right
from docpipe.stages.ocr.on_page import OnPage, turn, turned_box
from docpipe.stages.ocr.page_ranges import PAGE_BREAK, nothing_shown
from docpipe.stages.ocr.reading_order import in_reading_order, level, skew
from docpipe.stages.ocr.running_titles import mark_running_titles
from docpipe.stages.ocr.second_opinion import letters, note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOSSES = frozenset({"content_lost", "page_unreadable", "part_unreadable"})
"""Warnings of readers that something could not be read."""
_CROOKED = 0.0175
"""Radians (one degree): recognition loses words on pages that slope more."""
_SMALL_PRINT = 22.0
_GOOD_PRINT = 36.0
"""Median heights of lines in pixels: lower ones are rendered anew, to be as high as this; print of 10 points
at 200 dpi is."""
_MOST_ENLARGED = 2.0
_NAMED = 3
"""Places that a warning names."""
_SIGNS = {True: "☑", False: "☐"}
_BLANK_CONTRAST = 16
"""Grey levels of 256: paper without a mark differs by less."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A page after the decision, before its place in the document's text is known."""

    method: Method
    reason: str
    lines: Sequence[TextLine] = ()
    unread: Sequence[RecognisedLine] = ()
    warnings: tuple[Warn, ...] = ()
    error: PermanentError | None = None

    @property
    def confidence(self) -> float | None:
        if self.method is Method.TEXT:
            return None
        known = [(len(line.text.strip()), line.confidence) for line in self.lines]
        if not any(length for length, _ in known):
            return None
        known += [(letters(line), line.confidence) for line in self.unread]
        return sum(length * sure for length, sure in known) / sum(length for length, _ in known)


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
                self._append(line.joint)
            start = self.length
            text = clean(line.text)
            self._append(text)
            if self.length > start:
                words = fitting(text, line.words) if line.words else ()
                yield Line(start, self.length, line.box, line.confidence, words=words, slope=line.slope)

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def read_document(
    reader: Reader,
    *,
    engine: OcrEngine | WhenNeeded,
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
    text = output.text or ""
    if not text.strip():
        raise _why_empty(reader, document)
    return replace(output, pages=mark_running_titles(text, document.pages))


def read_pages(
    reader: PagedReader,
    pages: PageRange,
    *,
    engine: OcrEngine | WhenNeeded,
    options: OcrOptions | None = None,
    on_page: Callable[[int], None] | None = None,
) -> StageOutput:
    """As `read_document`, but only these pages; offsets count from the first of them.

    They may hold no text: whether the document does is known when all its pages are joined, and so is
    what stands at the edge of page after page.
    """
    document = _Assembly(first=pages.first)
    _read_all(document, reader.pages(pages.first, pages.last), engine, options, on_page)
    return _output(reader, document)


def _read_all(
    document: _Assembly,
    pages: Iterable[RawPage],
    engine: OcrEngine | WhenNeeded,
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
    return nothing_shown([*reader.warnings, *document.warnings])


# --- one page ---------------------------------------------------------------------------------


def _read_page(raw: RawPage, number: int, engine: OcrEngine | WhenNeeded, options: OcrOptions) -> _Read:
    method, reason = choose_method(raw, options)
    if method is Method.TEXT or raw.image is None:
        return _Read(method, reason, _layer_in_order(raw, raw.lines))
    try:
        image = raw.image(options.dpi)
        if _is_blank(image.pixels):
            doubts = _layer_doubts(raw, number, options)
            return _kept(raw, number, Method.TEXT, f"{reason}; the page is blank", doubts)
        if isinstance(engine, WhenNeeded):
            engine = engine.load()
        seen = _recognise(image, engine)
        if (dpi := _closer(seen, options.dpi)) > options.dpi:
            larger = raw.image(dpi)
            if (
                larger.pixels.size > image.pixels.size
                and (nearer := _recognise(larger, engine)).gain > seen.gain
            ):
                seen, reason = nearer, f"{reason}; small print, so rendered at {dpi} dpi"
    except PermanentError as error:
        doubts = (_warn_failed(number, error), *_layer_doubts(raw, number, options))
        return _kept(raw, number, method, f"{reason}; recognition failed", doubts, error)
    ink = _unread_ink(image, seen) if method is Method.OCR or raw.image_share >= options.scan_share else []
    reason += f"; {said}" if (said := note(engine)) else ""
    reason += f"; picture turned by {seen.turned} degrees" if seen.turned else ""
    if method is Method.BOTH and (seen.lines or raw.image_share < options.scan_share):
        beside = beside_layer(seen.lines, raw.lines)
        read = _Read(method, reason, _layer_in_order(raw, [*raw.lines, *beside]), [*seen.unread, *ink])
        return replace(read, warnings=_doubts(read, number, options, ink))
    if not seen.lines:
        doubts = (_warn_empty(number), *_layer_doubts(raw, number, options))
        return _kept(raw, number, method, f"{reason}; nothing recognised", doubts)
    read = _Read(method, reason, _in_order(seen.lines, seen.boxes), [*seen.unread, *ink])
    return replace(read, warnings=_doubts(read, number, options, ink))


def _layer_in_order(raw: RawPage, lines: Sequence[TextLine]) -> list[TextLine]:
    if not raw.width or not raw.height:
        return in_reading_order(lines)
    if not raw.turned:
        return _in_order(lines)
    back = (360 - raw.turned) % 360
    width, height = (raw.width, raw.height) if back == 180 else (raw.height, raw.width)
    return _in_order(lines, [turned_box(line.box, back, width, height) for line in lines if line.box])


def _in_order(lines: Sequence[TextLine], boxes: Sequence[Box] | None = None) -> list[TextLine]:
    return without_leaders(in_reading_order(lines, boxes))


def _kept(
    raw: RawPage,
    number: int,
    method: Method,
    reason: str,
    doubts: tuple[Warn, ...] = (),
    error: PermanentError | None = None,
) -> _Read:
    """The page without recognition: what its text layer holds, however little, or else its form's fields."""
    if any(line.text.strip() for line in raw.lines):
        lines = _layer_in_order(raw, raw.lines)
        reason += ", so the text layer was kept"
        return _Read(Method.TEXT, reason, lines, warnings=doubts, error=error)
    if raw.fields:
        reason += ", so the names of its form fields are read"
        return _Read(
            Method.TEXT, reason, raw.fields, warnings=(*doubts, _warn_of_fields(number)), error=error
        )
    return _Read(method, reason, warnings=doubts, error=error)


def _doubts(read: _Read, number: int, options: OcrOptions, ink: Sequence[RecognisedLine]) -> tuple[Warn, ...]:
    doubts = []
    if read.confidence is not None and read.confidence < options.min_confidence:
        message = f"Recognised with a mean confidence of {read.confidence:.2f}."
        doubts.append(Warn("low_confidence", message, number))
    if ink:
        doubts.append(_warn_of_ink(ink, number))
    return tuple(doubts)


def _warn_of_ink(ink: Sequence[RecognisedLine], number: int) -> Warn:
    corners = [(line.quad[0], line.quad[2]) for line in ink[:_NAMED]]
    places = ", ".join(f"({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f})" for (x0, y0), (x1, y1) in corners)
    more = f" and {len(ink) - _NAMED} more" if len(ink) > _NAMED else ""
    message = f"What stands at {places}{more}, in points, was not read: a stamp, handwriting or a lost line."
    return Warn("ink_not_read", message, number)


def _layer_doubts(raw: RawPage, number: int, options: OcrOptions) -> tuple[Warn, ...]:
    if raw.lines and (fault := layer_fault(raw, options)):
        return (Warn("text_unreadable", f"There was nothing better than a {fault}.", number),)
    return ()


def _warn_empty(number: int) -> Warn:
    return Warn("page_empty", "The page has a picture, but no text was recognised on it.", number)


def _warn_of_fields(number: int) -> Warn:
    return Warn("field_names_only", "The page shows no text; the names of its form fields are read.", number)


def _warn_failed(number: int, error: PermanentError) -> Warn:
    return Warn("page_failed", clean_line(f"The page's picture could not be read: {error}"), number)


def _is_blank(pixels: NDArray[np.uint8]) -> bool:
    return not pixels.size or int(pixels.max()) - int(pixels.min()) < _BLANK_CONTRAST


# --- recognition and geometry -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the engine saw: lines with boxes on the page as shown, and where they stand upright and level."""

    lines: list[TextLine]
    boxes: list[Box]
    areas: list[Box]
    """The parts of the page that were read, margins included."""
    unread: list[RecognisedLine]
    turned: int

    @property
    def gain(self) -> float:
        """How many letters are read right, by their confidence."""
        return sum(len(line.text) * line.confidence for line in self.lines)


def _closer(seen: _Seen, dpi: int) -> int:
    """The resolution at which the page's lines are high enough to be read well."""
    height = median([bottom - top for _, top, _, bottom in seen.boxes]) if seen.boxes else _GOOD_PRINT
    return dpi if height >= _SMALL_PRINT else round(dpi * min(_MOST_ENLARGED, _GOOD_PRINT / max(1.0, height)))


def _recognise(image: PageImage, engine: OcrEngine) -> _Seen:
    turned = engine.orientation(image.pixels)
    height, width = image.pixels.shape[:2]
    found, boxes = _read_straight(turn(image.pixels, turned), image.points_per_pixel, engine)
    on_page = OnPage(turned, width, height, image.points_per_pixel)
    lines, areas = [], []
    for line in _with_text(found):
        text = clean_line(line.text).strip()
        box, words, slope = on_page.letters(line)
        lines.append(TextLine(text, box, line.confidence, words=fitting(text, words), slope=slope))
        areas.append(on_page.box(line.quad))
    unread = [line for line in found if not line.text.strip()]
    return _Seen(put_right(lines), boxes, areas, unread, turned)


def _read_straight(
    pixels: NDArray[np.uint8], points_per_pixel: float, engine: OcrEngine
) -> tuple[list[RecognisedLine], list[Box]]:
    """What was seen in an upright picture, and the boxes on it level of the lines that have text; a crooked
    one is made straight first, or read again where only reading it told that it is."""
    if isinstance(engine, FindsLines) and abs(angle := skew(engine.find_lines(pixels))) >= _CROOKED:
        return _read_straightened(pixels, angle, points_per_pixel, engine)
    found = _read_with_boxes(pixels, points_per_pixel, engine)
    quads = [line.quad for line in _with_text(found)]
    if abs(angle := skew(quads)) >= _CROOKED:
        return _read_straightened(pixels, angle, points_per_pixel, engine)
    return found, level(quads)


def _read_straightened(
    pixels: NDArray[np.uint8], angle: float, points_per_pixel: float, engine: OcrEngine
) -> tuple[list[RecognisedLine], list[Box]]:
    """The same of a picture whose lines slope by `angle`."""
    from docpipe.stages.ocr.deskew import sloped_again, straightened  # noqa: PLC0415 - brings Pillow

    straight = straightened(pixels, angle)
    again = _read_with_boxes(straight, points_per_pixel, engine)
    after, before = straight.shape[1::-1], pixels.shape[1::-1]
    sloped = [replace(line, quad=sloped_again(line.quad, angle, after, before)) for line in again]
    return sloped, level([line.quad for line in _with_text(again)])


def _read_with_boxes(
    pixels: NDArray[np.uint8], points_per_pixel: float, engine: OcrEngine
) -> list[RecognisedLine]:
    """What the engine reads, and the boxes of forms, each a sign on a line of its own: engines take them for
    letters."""
    from docpipe.stages.ocr.tick_boxes import painted_over, tick_boxes  # noqa: PLC0415 - brings OpenCV

    boxes = tick_boxes(pixels, points_per_pixel)
    found = engine.read(painted_over(pixels, boxes))
    if not _with_text(found):
        return found
    return [*found, *(RecognisedLine(_SIGNS[box.is_ticked], box.quad, 1.0) for box in boxes)]


def _unread_ink(image: PageImage, seen: _Seen) -> list[RecognisedLine]:
    """What looks like writing outside the lines, as lines on the page as shown, in points."""
    from docpipe.stages.ocr.ink import unread_ink  # noqa: PLC0415 - brings OpenCV

    scale = image.points_per_pixel
    found = unread_ink(
        image.pixels, [(x0 / scale, y0 / scale, x1 / scale, y1 / scale) for x0, y0, x1, y1 in seen.areas]
    )
    places = [(x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in found]
    return [RecognisedLine("", ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), 0.0) for x0, y0, x1, y1 in places]


def _with_text(lines: Sequence[RecognisedLine]) -> list[RecognisedLine]:
    return [line for line in lines if line.text.strip()]
