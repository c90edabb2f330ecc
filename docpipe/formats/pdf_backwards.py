"""Lines of a PDF that run from right to left, as they are read: Hebrew, Arabic, with the figures in them.

MuPDF turns each run of such letters round and leaves the runs as they were drawn, by most programs from left
to right. Where the glyphs stand tells how they are read (the reverse of Unicode's algorithm, UAX 9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple
from unicodedata import bidirectional

from docpipe.formats.pdf_layer import Block, Layer, Piece, union
from docpipe.formats.pdf_words import Lines, Word
from docpipe.models import Box

_BACKWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_KINDS = {"R": "r", "AL": "r", "L": "l", "EN": "n", "AN": "n", "ES": "s", "CS": "s", "ET": "t"}
_FORWARDS = re.compile(r"l(?:[stw]*+[ln])*+|t{0,3}n(?:s?n)*+t{0,3}")
"""Words in Latin letters, and figures with their separators and signs, from left to right."""
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_OPENING, _CLOSING = "([{<«", ")]}>»"
_GAP = 0.15
"""Times the height of a glyph's box: from here on a gap is a blank."""
_NOTHING = 0.01


class _Glyph(NamedTuple):
    text: str
    box: Box

    @property
    def kind(self) -> str:
        return _KINDS.get(bidirectional(self.text[0]), "w")


def turned_round(layer: Layer, raw: Callable[[], Sequence[Block]]) -> Lines:
    """Put the text of each line that runs backwards in its order; where the words of those lines stand."""
    backwards = [piece for piece in layer.pieces if _runs_backwards(piece)]
    if not backwards:
        return {}
    lines = {(block["number"], n): line for block in raw() for n, line in enumerate(block.get("lines", ()))}
    places: dict[tuple[int, int], Sequence[Word]] = {}
    for piece in backwards:
        chars = [char for span in lines[piece.order, piece.line]["spans"] for char in span["chars"]]
        words = [(*union([glyph.box for glyph in word]), _text(word), 0, 0, 0) for word in _words(chars)]
        text = " ".join(word[4] for word in words)
        if _letters(text) == _letters(piece.text):  # not so where bars hide some of it
            piece.text = _unmirrored(text)
            places[piece.order, piece.line] = words
    return places


def _runs_backwards(piece: Piece) -> bool:
    if piece.direction != (1, 0) or not _BACKWARDS.search(piece.text):
        return False
    kinds = [bidirectional(letter) for letter in piece.text]
    return kinds.count("R") + kinds.count("AL") > kinds.count("L")


def _letters(text: str) -> list[str]:
    return sorted("".join(text.split()))


def _text(glyphs: Sequence[_Glyph]) -> str:
    return "".join([glyph.text for glyph in glyphs])


def _words(chars: Sequence[dict[str, Any]]) -> Iterator[list[_Glyph]]:
    in_order = _as_read(_with_blanks(sorted(_glyphs(chars), key=lambda glyph: glyph.box[0])))
    for is_blank, word in groupby(in_order, lambda glyph: glyph.text.isspace()):
        if not is_blank:
            yield list(word)


def _glyphs(chars: Sequence[dict[str, Any]]) -> list[_Glyph]:
    """The glyphs with the letters of each: a ligature's follow the first, and marks what they stand on."""
    glyphs: list[tuple[list[str], Box]] = []
    waiting: list[str] = []
    for char in chars:
        text, box = char["c"], char["bbox"]
        is_mark = bidirectional(text) == "NSM"
        if is_mark and glyphs:
            glyphs[-1][0].append(text)
        elif box[2] - box[0] < _NOTHING and text.strip() and not is_mark:
            waiting.append(text)
        else:
            glyphs.append(([text, *reversed(waiting)], box))
            waiting = []
    if glyphs:
        glyphs[-1][0].extend(reversed(waiting))
    return [_Glyph("".join(letters), box) for letters, box in glyphs]


def _with_blanks(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    spaced = list(glyphs[:1])
    for one, other in pairwise(glyphs):
        gap = other.box[0] - one.box[2]
        if gap > _GAP * (one.box[3] - one.box[1]):
            spaced.append(_Glyph(" ", one.box))
        spaced.append(other)
    return spaced


def _as_read(glyphs: Sequence[_Glyph]) -> list[_Glyph]:
    """From right to left, but runs of figures or Latin words from left to right."""
    runs: list[Sequence[_Glyph]] = []
    done = 0
    for run in _FORWARDS.finditer("".join([glyph.kind for glyph in glyphs])):
        runs += [[glyph] for glyph in glyphs[done : run.start()]]
        runs.append(glyphs[run.start() : run.end()])
        done = run.end()
    runs += [[glyph] for glyph in glyphs[done:]]
    return [glyph for run in reversed(runs) for glyph in run]


def _unmirrored(text: str) -> str:
    """With brackets that open before they close: some programs write what a bracket looks like."""
    first = next((sign for sign in text if sign in _OPENING + _CLOSING), "")
    return text.translate(_MIRRORED) if first and first in _CLOSING else text
