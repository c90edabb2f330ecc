"""Where the words of a PDF's text layer stand, from the glyphs as MuPDF placed them, and what that tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median

from docpipe.formats.pdf_layer import TEXT, Block, Direction, Layer, Piece, union
from docpipe.formats.word_places import Words, is_upright
from docpipe.models import Box

Word = tuple[float, float, float, float, str, int, int, int]
"""As PyMuPDF's `TextPage.extractWORDS` gives it: box, letters, numbers of block, line and word."""
Lines = Mapping[tuple[int, int], Sequence[Word]]
"""By the numbers of block and line."""

CELL_GAP = 1.2
"""Times a word's height: farther apart on one line, words are cells of a table."""
_LINE = itemgetter(5, 6)
_MOST_WORDS = 500
"""Words of a line; a longer one may have as many pieces, and each would go through all of it."""
_SPACED_OUT = re.compile(r"(?<!\S)(?:[^\W\d_] ){4,}[^\W\d_](?!\S)")
_CELLS = "   "
_SPACED_WORDS = 1.7
"""Times the usual gap between spaced letters: where a word ends."""


def by_line(words: Sequence[Word], blocks: Sequence[Block]) -> Lines:
    """The words of each line of these blocks, in the order of drawing.

    MuPDF numbers all blocks, PyMuPDF's words only those of text.
    """
    numbers = [block["number"] for block in blocks if block["type"] == TEXT]
    return {(numbers[block], line): list(group) for (block, line), group in groupby(words, _LINE)}


def words_of(piece: Piece, lines: Lines) -> Words:
    """Where each word of the piece begins and ends; none for one word, aslant, or where that is not known."""
    if piece.direction is None or is_upright(piece.box) is bool(piece.direction[0]):
        return ()
    count = len(piece.text.split())
    if count < 2 or len(words := _placed(piece, count, lines)) != count:
        return ()
    if piece.direction[0]:
        return tuple([side for word in words for side in (word[0], word[2])])
    return tuple([side for word in words for side in (word[1], word[3])])


def _placed(piece: Piece, count: int, lines: Lines) -> Sequence[Word]:
    """The piece's words, of which it has `count`; more or fewer where they are not to be told."""
    words = lines.get((piece.order, piece.line), ())
    if piece.before:
        words = [*(word for line in piece.before for word in lines.get(line, ())), *words]
    if len(words) == count or len(words) > _MOST_WORDS:
        return words
    return list(_put_together(piece, words))


def _put_together(piece: Piece, words: Sequence[Word]) -> Iterator[Word]:
    """The piece's words out of what was drawn within its box."""
    x0, y0, x1, y1 = piece.box
    within = iter([w for w in words if x0 <= (w[0] + w[2]) / 2 <= x1 and y0 <= (w[1] + w[3]) / 2 <= y1])
    for text in piece.text.split():
        parts: list[Box] = []
        missing = len(text)
        while missing > 0 and (part := next(within, None)):
            parts.append(part[:4])
            missing -= len(part[4])
        if missing or not parts:
            return
        yield (*union(parts), text, 0, 0, 0)


# --- cells and spaced letters -------------------------------------------------------------------


def look_closely(layer: Layer, lines: Lines) -> None:
    """Part cells that stand far apart on one line, and join the letters of words that are spaced out."""
    pieces: list[Piece] = []
    for piece in layer.pieces:
        if _CELLS in piece.text or _SPACED_OUT.search(piece.text):
            pieces += _parted(piece, lines)
        else:
            pieces.append(piece)
    layer.pieces = pieces


def _parted(piece: Piece, lines: Lines) -> Iterator[Piece]:
    """The cells of a piece; a piece that is only part of its line, or stands aslant, as it is."""
    texts = piece.text.split()
    words = lines.get((piece.order, piece.line), ())
    if piece.direction is None or list(map(len, texts)) != [len(word[4]) for word in words]:
        yield piece
        return
    cells: list[list[tuple[str, Box]]] = []
    for text, word in zip(texts, words, strict=True):
        box, before = word[:4], cells[-1][-1][1] if cells else None
        if before is None or _gap(before, box, piece.direction) >= CELL_GAP * _height(box, piece.direction):
            cells.append([])
        cells[-1].append((text, box))
    for cell in cells:
        yield replace(piece, text=_closed_up(cell, piece.direction), box=union([box for _, box in cell]))


def _closed_up(words: list[tuple[str, Box]], direction: Direction) -> str:
    """The words with a blank between them, but those of spaced letters, whose letters are joined."""
    text = " ".join([word for word, _ in words])
    if not _SPACED_OUT.search(text):
        return text
    gaps = [max(0.0, _gap(one, next_, direction)) for (_, one), (_, next_) in pairwise(words)]
    usual = median(
        [gap for gap, (one, next_) in zip(gaps, pairwise(words), strict=True) if _are_letters(one, next_)]
    )
    closed = words[0][0]
    for gap, (one, next_) in zip(gaps, pairwise(words), strict=True):
        closed += next_[0] if _are_letters(one, next_) and gap <= _SPACED_WORDS * usual else f" {next_[0]}"
    return closed


def _are_letters(one: tuple[str, Box], other: tuple[str, Box]) -> bool:
    return len(one[0]) == len(other[0]) == 1 and one[0].isalpha() and other[0].isalpha()


def _gap(one: Box, other: Box, direction: Direction) -> float:
    if direction[0]:
        return other[0] - one[2] if direction[0] > 0 else one[0] - other[2]
    return other[1] - one[3] if direction[1] > 0 else one[1] - other[3]


def _height(box: Box, direction: Direction) -> float:
    return box[3] - box[1] if direction[0] else box[2] - box[0]
