"""The text layer of a PDF's page as lines, from what MuPDF extracts of it.

MuPDF gives blocks in the order of drawing: lines of spans, each of one font, size and colour, and the areas
that were filled. Boxes are those of the page before it is turned.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Any

from docpipe.formats.symbols import as_unicode, is_symbol_font
from docpipe.models import Box

Block = dict[str, Any]
"""As PyMuPDF's `TextPage.extractDICT` gives it; with `extractRAWDICT` its spans hold characters."""
Direction = tuple[int, int]
_Places = dict[tuple[float, float], list[tuple[float, float]]]
"""Left upper corners by the square they are in."""

TEXT, _AREA = 0, 3
"""Types of blocks."""
_WORD_GAP = 0.15
_LINE_GAP = 0.8
"""Times the size: MuPDF puts a blank in a gap from the first on, and ends the line from the second on."""
_BLANK = 0.27
"""Width of a blank by the size, in most fonts."""
_PALE = 0xE0E0E0
_SMALL = 0.87
_RAISED = 0.15
_LOWERED = 0.08
"""Times the size of the line: how much smaller marks are, and how far above or below it they stand."""
_SUPERSCRIPT = str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
_SUBSCRIPT = str.maketrans("0123456789+-()", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎")
_ORDINAL = re.compile(r"\s*(?:st|nd|rd|th|er|ère|re|e|è|ème)\b", re.IGNORECASE)
_SAME_PLACE = 0.3
"""Times the size: a line drawn again this near is a shadow, or bold type for want of a bold font."""
_NEAREST, _CELL = 16.0, 4.0
"""Points: no shadow is farther away, and in squares of this side what is near is looked for."""
_MOST_CAPS = 100
_MOST_PARTS = 500
"""In which a line is drawn; each is added to all before it."""
_CAP = 1.8
"""Times the usual size: from here on a letter may be a drop cap."""
_IDEOGRAPHS = re.compile("[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]+")
_COLUMN_STEP = 1.6
_RIGHT, _DOWN = (1, 0), (0, 1)


@dataclass(slots=True)
class Piece:
    """Text that stands together on one line.

    Attributes:
        direction: where it runs to; None where it stands aslant.
        baseline: the y it stands on.
        order: number of its block in the order of drawing.
        line: number of its line there.
        before: the same two numbers of earlier parts, where it was drawn in several.
        is_drawn: not so in text rendering mode 3 (PDF 32000-1, 9.3.6).
        is_pale: drawn in white, or nearly.
    """

    text: str
    box: Box
    size: float
    direction: Direction | None
    baseline: float
    order: int
    line: int
    is_drawn: bool = True
    is_pale: bool = False
    before: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """An area that was filled, not see-through; `colour` is 0xRRGGBB."""

    box: Box
    order: int
    colour: int


@dataclass(slots=True)
class Layer:
    """What MuPDF extracted of a page."""

    pieces: list[Piece] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    paths: list[Block] = field(default_factory=list)
    """All that was stroked or filled."""

    @property
    def characters(self) -> int:
        return sum([len(piece.text) for piece in self.pieces])

    def direction(self) -> Direction:
        """Where most of the text runs to."""
        runs: Counter[Direction] = Counter()
        for piece in self.pieces:
            if piece.direction is not None:
                runs[piece.direction] += len(piece.text)
        return max(runs, key=runs.__getitem__, default=_RIGHT)


def layer_of(blocks: Sequence[Block]) -> Layer:
    """The pieces of text and filled areas of a page, in the order of drawing."""
    layer = Layer()
    for block in blocks:
        if block["type"] == TEXT:
            for number, line in enumerate(block["lines"]):
                layer.pieces += _pieces(line, block["number"], number)
        elif block["type"] == _AREA:
            layer.paths.append(block)
            if not block["stroked"] and block["alpha"] == 255:
                layer.areas.append(Area(block["bbox"], block["number"], block["color"]))
    return layer


def _pieces(line: dict[str, Any], order: int, number: int) -> Iterator[Piece]:
    """The line's text; parted where some of it may not be seen."""
    spans = line["spans"]
    x, y = line["dir"]
    direction = (round(x), round(y)) if abs(x) > 0.99 or abs(y) > 0.99 else None
    looks = {(span["alpha"] > 0, span["color"] & _PALE == _PALE) for span in spans}
    if len(looks) == 1:
        yield _piece(spans, direction, order, number, *looks.pop())
        return
    for look, group in _grouped(spans):
        yield _piece(group, direction, order, number, *look)


def _grouped(spans: list[dict[str, Any]]) -> list[tuple[tuple[bool, bool], list[dict[str, Any]]]]:
    groups: list[tuple[tuple[bool, bool], list[dict[str, Any]]]] = []
    for span in spans:
        look = span["alpha"] > 0, span["color"] & _PALE == _PALE
        if span["text"].isspace() and groups:
            look = groups[-1][0]
        if not groups or groups[-1][0] != look:
            groups.append((look, []))
        groups[-1][1].append(span)
    return groups


def _piece(
    spans: list[dict[str, Any]],
    direction: Direction | None,
    order: int,
    number: int,
    is_drawn: bool,
    is_pale: bool,
) -> Piece:
    first = spans[0]
    if len(spans) == 1:
        text, box, size = _text(first), first["bbox"], first["size"]
    else:
        size = max([span["size"] for span in spans])
        text = _with_marks(spans, size) if direction == _RIGHT else "".join(map(_text, spans))
        sides = list(zip(*[span["bbox"] for span in spans], strict=True))
        box = (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    return Piece(text, box, size, direction, first["origin"][1], order, number, is_drawn, is_pale)


def _text(span: dict[str, Any]) -> str:
    text: str = span["text"]
    return as_unicode(text, span["font"]) if is_symbol_font(span["font"]) else text


# --- marks --------------------------------------------------------------------------------------


def _with_marks(spans: list[dict[str, Any]], size: float) -> str:
    """The spans' text; figures that are smaller and stand higher or lower become signs of their own."""
    if min([span["size"] for span in spans]) > _SMALL * size:
        return "".join(map(_text, spans))
    baseline = next(span["origin"][1] for span in spans if span["size"] > _SMALL * size)
    text = ""
    for span in spans:
        own, is_small = _text(span), span["size"] <= _SMALL * size
        raised = baseline - span["origin"][1] if is_small else 0.0
        if not is_small:
            baseline = span["origin"][1]
        if raised > _RAISED * size:
            own = _mark(own, text, _SUPERSCRIPT)
        elif raised < -_LOWERED * size and text[-1:].isdigit():
            own = _mark(own, text, _SUBSCRIPT)
        text += own
    return text


def _mark(text: str, before: str, signs: dict[int, int]) -> str:
    figures = text.translate(signs)
    if figures != text:
        return figures
    parted = before[-1:].isdigit() and text[:1].isalpha() and not _ORDINAL.match(text)
    return f" {text}" if parted else text


# --- pieces to lines ----------------------------------------------------------------------------


def whole_lines(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces as a reader sees them: each once, a line that was drawn in parts as one, drop caps with
    their word, ideographs that stand below each other as a column.
    """
    lines = _columns(_without_doubles(_rejoined(pieces)))
    return _with_drop_caps([line for line in map(_trimmed, lines) if line.text])


def _rejoined(pieces: Sequence[Piece]) -> list[Piece]:
    """A line that is underlined or marked is drawn in parts; MuPDF ends it at each."""
    lines: list[Piece] = []
    for piece in pieces:
        before = lines[-1] if lines else None
        if before is not None and piece.order > before.order and _goes_on(before, piece):
            gap = piece.box[0] - before.box[2]
            joint = " " if gap >= _WORD_GAP * piece.size else ""
            before.text += joint + piece.text
            before.box = union((before.box, piece.box))
            _take_number(before, piece)
        else:
            lines.append(piece)
    return lines


def _take_number(before: Piece, piece: Piece) -> None:
    before.before = (*before.before, (before.order, before.line))
    before.order, before.line = piece.order, piece.line


def _goes_on(before: Piece, piece: Piece) -> bool:
    if piece.direction != _RIGHT or before.direction != _RIGHT or piece.is_drawn != before.is_drawn:
        return False
    if len(before.before) >= _MOST_PARTS:
        return False
    size = min(piece.size, before.size)
    if abs(piece.baseline - before.baseline) > 0.05 * size or piece.is_pale != before.is_pale:
        return False
    return -_WORD_GAP * size < piece.box[0] - before.box[2] < _LINE_GAP * size


def _without_doubles(pieces: Sequence[Piece]) -> list[Piece]:
    """Each text once where it was drawn several times in nearly the same place."""
    seen: dict[str, _Places] = {}
    once: list[Piece] = []
    for piece in pieces:
        places = seen.setdefault(piece.text.strip(), {})
        if _is_drawn_there(piece, places):
            continue
        x, y = piece.box[:2]
        places.setdefault((x // _CELL, y // _CELL), []).append((x, y))
        once.append(piece)
    return once


def _is_drawn_there(piece: Piece, places: _Places) -> bool:
    """Whether one of the places is near; those in squares farther away are not looked at."""
    if not places:
        return False
    near = min(_SAME_PLACE * piece.size, _NEAREST)
    x, y = piece.box[:2]
    reach = ceil(near / _CELL)
    return any(
        abs(left - x) < near and abs(top - y) < near
        for across in range(-reach, reach + 1)
        for down in range(-reach, reach + 1)
        for left, top in places.get((x // _CELL + across, y // _CELL + down), ())
    )


def _trimmed(piece: Piece) -> Piece:
    """Without blanks at its ends, which widen its box."""
    text = piece.text
    if (bare := " ".join(text.split())) != text:
        if piece.direction == _RIGHT and bare:
            width = _BLANK * piece.size
            x0, y0, x1, y1 = piece.box
            left = x0 + width * (len(text) - len(text.lstrip()))
            right = x1 - width * (len(text) - len(text.rstrip()))
            if left < right:
                piece.box = (left, y0, right, y1)
        piece.text = bare
    return piece


def _columns(pieces: list[Piece]) -> list[Piece]:
    """Ideographs that were drawn one below the other, each as a line, as one line that runs down."""
    lines: list[Piece] = []
    for piece in pieces:
        before = lines[-1] if lines else None
        if before is not None and _stands_below(before, piece):
            before.text += piece.text.strip()
            before.box = union((before.box, piece.box))
            before.direction = _DOWN
            _take_number(before, piece)
        else:
            lines.append(piece)
    return lines


def _stands_below(before: Piece, piece: Piece) -> bool:
    if not _IDEOGRAPHS.fullmatch(piece.text.strip()) or len(piece.text.strip()) > 1:
        return False
    if len(before.before) >= _MOST_PARTS:
        return False
    if before.direction != _DOWN and len(before.text.strip()) != 1:
        return False
    if not _IDEOGRAPHS.fullmatch(before.text.strip()):
        return False
    step = piece.box[3] - before.box[3]
    return abs(piece.box[0] - before.box[0]) < 0.5 * piece.size and 0 < step < _COLUMN_STEP * piece.size


def _with_drop_caps(lines: list[Piece]) -> list[Piece]:
    if len(lines) < 3:
        return lines
    usual = median([line.size for line in lines])
    caps = [line for line in lines if len(line.text) == 1 and line.size > _CAP * usual]
    for cap in caps if len(caps) <= _MOST_CAPS else ():
        if cap.text.isalpha() and (first := _first_beside(cap, lines)):
            first.text = cap.text + first.text
            first.before = (*cap.before, (cap.order, cap.line), *first.before)
            first.box = (cap.box[0], first.box[1], first.box[2], first.box[3])
            lines = [line for line in lines if line is not cap]
    return lines


def _first_beside(cap: Piece, lines: list[Piece]) -> Piece | None:
    """The highest line of those, two or more, that stand at a drop cap's right."""
    _, y0, x1, y1 = cap.box
    beside = [
        line
        for line in lines
        if line is not cap
        and line.size < cap.size / _CAP
        and x1 - 0.1 * cap.size <= line.box[0] < x1 + 0.5 * cap.size
        and y0 < (line.box[1] + line.box[3]) / 2 < y1
    ]
    return min(beside, key=lambda line: line.box[1]) if len(beside) > 1 else None


def union(boxes: Sequence[Box]) -> Box:
    """The box around all of them."""
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return min(x0s), min(y0s), max(x1s), max(y1s)
