"""Text of a PDF that its page does not show: white on white, never drawn, painted over, or switched off.

What may be unseen is found in the order of drawing; whether it is, the page's picture tells.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pymupdf
from numpy.typing import NDArray

from docpipe.formats.pdf_layer import Area, Block, Layer, Piece, union
from docpipe.models import Box, Warn

_ZOOM = 1.5
"""Pixels per point: thin strokes of small print leave grey enough."""
_MOST_PIXELS = 4_000_000
_CONTRAST = 16
"""Grey levels of 256: what differs by less is not seen."""
_LEAST = 3.0
"""Points: lower or narrower areas are rules and underlines."""
_SMALLEST = 1.0
"""Points: nobody reads smaller letters."""
_MOST_AREAS = 1_000
_SCAN_SHARE = 0.5
_QUOTED = 3
_MOST_QUOTED = 80
_DARK = 0x60
_AFTER_ALL = 1 << 30
_SWITCH_ON, _SWITCH_OFF = 0, 2
"""What PyMuPDF is told to do with a layer."""
_BAR = "█"
_STATE = re.compile(r"(\d{1,10}) 0 R")


class Picture(NamedTuple):
    """A picture on the page: where, and how many blocks of text and areas were drawn before it."""

    box: Box
    order: int
    block: Any
    """MuPDF's own."""


class _Cover(NamedTuple):
    """Where, when it was drawn, whether it is a bar and no paper, and whether it hides all under it."""

    box: Box
    order: int
    is_bar: bool
    is_solid: bool = False


def without_unseen(
    page: pymupdf.Page,
    layer: Layer,
    pictures: Sequence[Picture],
    raw: Callable[[], Sequence[Block]],
) -> list[Warn]:
    """Take out of `layer` what the page does not show; the warnings name it.

    Text that is not drawn over a picture stays: an earlier recognition laid it over a scan. A bar in any
    other colour than the paper's leaves a sign in the text, and a warning without the words under it.
    """
    unseen: list[Piece] = []
    if len(pictures) > _MOST_AREAS:
        pictures = sorted(pictures, key=lambda each: _area(each.box), reverse=True)[:_MOST_AREAS]
    places = [picture.box for picture in pictures]
    for piece in layer.pieces:
        is_hidden = piece.size < _SMALLEST if piece.is_drawn else not _lies_on(piece.box, places)
        if is_hidden and piece.text.strip():
            unseen.append(piece)
    bars: list[Box] = []
    covers = _covers(layer, pictures, page)
    pale = [piece for piece in layer.pieces if piece.is_pale and piece.is_drawn and piece.text.strip()]
    covered = {id(piece): found for piece in layer.pieces if (found := _over(piece, covers))}
    if pale or covered:
        shown = _Shown(page)
        unseen += [piece for piece in pale if not shown.has_ink(_core(piece.box))]
        if covered:
            hidden, bars = _uncovered(layer, covered, raw(), shown)
            unseen += hidden
    gone = {id(piece) for piece in unseen}
    layer.pieces = [piece for piece in layer.pieces if id(piece) not in gone and piece.text]
    return [*_warn_of_unseen(unseen, page.number + 1), *_warn_of_bars(bars, page)]


def layers_off(document: pymupdf.Document) -> list[int]:
    """The document's layers that are switched off, by their number in the list that viewers show."""
    shown = document.layer_ui_configs() if document.get_ocgs() else []
    return [entry["number"] for entry in shown if entry["type"] != "label" and not entry["on"]]


def warn_of_layers_off(page: pymupdf.Page, off: Sequence[int]) -> list[Warn]:
    """Of the words that layers which are switched off would show; the reader never has them."""
    before: Counter[str] = Counter(page.get_text().splitlines())
    for number in off:
        page.parent.set_layer_ui_config(number, _SWITCH_ON)
    try:
        after = page.get_text().splitlines()
    finally:
        for number in off:
            page.parent.set_layer_ui_config(number, _SWITCH_OFF)
    hidden = list((Counter(after) - before).elements())
    return _warn_of_texts([text for line in hidden if (text := " ".join(line.split()))], page.number + 1)


def _covers(layer: Layer, pictures: Sequence[Picture], page: pymupdf.Page) -> list[_Cover]:
    """What was drawn after some text and may lie on it."""
    first = min((piece.order for piece in layer.pieces), default=0)
    areas = [
        _Cover(area.box, area.order, _is_bar(area))
        for area in layer.areas
        if area.order > first and min(area.box[2] - area.box[0], area.box[3] - area.box[1]) > _LEAST
    ]
    most = _SCAN_SHARE * abs(page.rect.width * page.rect.height)
    small = [each for each in pictures if _area(each.box) < most]
    later = [each for each in small if each.order > first]
    solid = [] if not later or _has_transparency(page) else [each for each in later if not _has_mask(each)]
    return [
        *(_Cover(each.box, each.order, True, True) for each in solid),
        *areas,
        *(_Cover(each.box, _AFTER_ALL, True) for each in small),
    ][:_MOST_AREAS]


def _has_mask(picture: Picture) -> bool:
    image = pymupdf.mupdf.FzStextBlock(picture.block).i_image()
    return bool(image.imagemask() or image.use_colorkey() or image.mask().m_internal)


def _has_transparency(page: pymupdf.Page) -> bool:
    """Whether something on the page may be drawn so that what lies under it shines through."""
    document = page.parent
    kinds = [document.xref_get_key(page.xref, f"Resources/{name}") for name in ("ExtGState", "XObject")]
    if document.xref_get_key(page.xref, "Resources")[0] == "null" or any(kind == "xref" for kind, _ in kinds):
        return True
    states, objects = ([int(xref) for xref in _STATE.findall(value)] for _, value in kinds)
    if any(document.xref_get_key(xref, "Subtype")[1] == "/Form" for xref in objects):
        return True
    return any(not _is_opaque(document, xref) for xref in states) or "<<" in kinds[0][1][2:]


def _is_opaque(document: pymupdf.Document, state: int) -> bool:
    opacity, mask, blend = (document.xref_get_key(state, name)[1] for name in ("ca", "SMask", "BM"))
    return opacity in {"null", "1", "1.0"} and mask in {"null", "/None"} and blend in {"null", "/Normal"}


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _is_bar(area: Area) -> bool:
    return any(area.colour >> shift & 0xFF < 0xE0 for shift in (0, 8, 16))


def _over(piece: Piece, covers: Sequence[_Cover]) -> list[_Cover]:
    x0, y0, x1, y1 = _core(piece.box)
    return [
        cover
        for cover in covers
        if cover.order > piece.order
        and cover.box[0] < x1
        and cover.box[2] > x0
        and cover.box[1] < y1
        and cover.box[3] > y0
    ]


def _lies_on(box: Box, pictures: Sequence[Box]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in pictures)


def _core(box: Box) -> Box:
    """The box less what its neighbours may reach into."""
    x0, y0, x1, y1 = box
    return x0, y0 + 0.25 * (y1 - y0), x1, y1 - 0.2 * (y1 - y0)


class _Shown:
    """The page as a grey picture, in the coordinates of its text."""

    def __init__(self, page: pymupdf.Page) -> None:
        rect = page.rect
        fit = (_MOST_PIXELS / max(1.0, rect.width * rect.height)) ** 0.5
        self._zoom = min(_ZOOM, fit)
        turn = page.derotation_matrix
        pixmap = page.get_pixmap(
            matrix=turn * pymupdf.Matrix(self._zoom, self._zoom), colorspace=pymupdf.csGRAY, alpha=False
        )
        rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
        self._grey: NDArray[np.uint8] = rows[:, : pixmap.width].copy()
        self._at = (pixmap.x, pixmap.y)

    def cut(self, box: Box) -> NDArray[np.uint8]:
        x0, y0, x1, y1 = (side * self._zoom for side in box)
        left, top = self._at
        rows = slice(max(0, int(y0) - top), max(0, int(y1 + 1) - top))
        return self._grey[rows, max(0, int(x0) - left) : max(0, int(x1 + 1) - left)]

    def has_ink(self, box: Box) -> bool:
        grey = self.cut(box)
        return bool(grey.size) and int(grey.max()) - int(grey.min()) >= _CONTRAST


def _uncovered(
    layer: Layer, covered: dict[int, list[_Cover]], raw: Sequence[Block], shown: _Shown
) -> tuple[list[Piece], list[Box]]:
    """Takes covered characters out of their pieces; those under paper, and the bars that cover others."""
    lines = {(block["number"], n): line for block in raw for n, line in enumerate(block.get("lines", ()))}
    hidden: list[Piece] = []
    bars: list[Box] = []
    written: dict[_Cover, list[Box]] = {}
    for piece in layer.pieces:
        if not (covers := covered.get(id(piece))) or not piece.is_drawn:
            continue
        seen, lost, boxes, is_bar = "", "", list[Box](), False
        papers = [cover for cover in covers if not cover.is_bar]
        written |= {paper: _written_on(layer, paper) for paper in papers if paper not in written}
        anew = [box for paper in papers for box in written[paper]][:_MOST_AREAS]
        for char in (char for span in lines[piece.order, piece.line]["spans"] for char in span["chars"]):
            cover = _cover_of(char["bbox"], covers)
            if cover and (
                cover.is_solid or _lies_on(char["bbox"], anew) or not shown.has_ink(_inner(char["bbox"]))
            ):
                is_bar = is_bar or (
                    cover.is_bar and bool(shown.cut(_inner(char["bbox"])).mean() < 255 - _DARK)
                )
                seen += "\0" if char["c"].strip() else " "
                lost += char["c"]
                boxes.append(char["bbox"])
            else:
                seen += char["c"]
        if not lost.strip():
            continue
        if is_bar:
            bars.append(union(boxes))
        else:
            hidden.append(replace(piece, text=lost))
        piece.text = _with_bars(seen, _BAR if is_bar else "")
    return hidden, bars


def _written_on(layer: Layer, paper: _Cover) -> list[Box]:
    """Where text was drawn on an area that is all paper: the ink there is its own."""
    later = [piece.box for piece in layer.pieces if piece.is_drawn and piece.order > paper.order]
    return [box for box in later if _lies_on(box, [paper.box])][:_MOST_AREAS]


def _cover_of(box: Box, covers: Sequence[_Cover]) -> _Cover | None:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return next((c for c in covers if c.box[0] <= x <= c.box[2] and c.box[1] <= y <= c.box[3]), None)


def _inner(box: Box) -> Box:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    return x0 + 0.1 * width, y0 + 0.3 * height, x1 - 0.1 * width, y1 - 0.25 * height


def _with_bars(text: str, bar: str) -> str:
    """One sign for each run of covered words."""
    words = [bar if word.strip("\0") == "" else word.replace("\0", bar) for word in text.split()]
    kept = [word for n, word in enumerate(words) if word and not (word == bar and words[n - 1 : n] == [bar])]
    return " ".join(kept)


def _warn_of_unseen(unseen: Sequence[Piece], number: int) -> list[Warn]:
    return _warn_of_texts([text for piece in unseen if (text := " ".join(piece.text.split()))], number)


def _warn_of_texts(texts: Sequence[str], number: int) -> list[Warn]:
    if not texts:
        return []
    quoted = ", ".join(f"“{text[:_MOST_QUOTED]}”" for text in texts[:_QUOTED])
    more = f" and {len(texts) - _QUOTED} more" if len(texts) > _QUOTED else ""
    return [Warn("hidden_text", f"Text that the page does not show was left out: {quoted}{more}.", number)]


def _warn_of_bars(bars: Sequence[Box], page: pymupdf.Page) -> list[Warn]:
    if not bars:
        return []
    shown = [(pymupdf.Rect(bar) * page.rotation_matrix).normalize() for bar in bars[:_QUOTED]]
    places = ", ".join(f"({box.x0:.0f}, {box.y0:.0f})" for box in shown)
    message = (
        f"Text under {len(bars)} bar(s), at {places} points from the top left, was left out, but can still "
        "be copied from the file. Redact it before you pass the file on."
    )
    return [Warn("redaction_not_real", message, page.number + 1)]
