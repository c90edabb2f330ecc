"""Marks of notes on a scan: small raised figures, which a recogniser reads as more digits of a number."""

from __future__ import annotations

import re
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docpipe.engines.ocr.ctc import Line

_SIGNS, _TALL_SIGNS = ".,;:!?)", "!?)"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST = 2
"""Figures of a mark."""
_LETTERS = 3
"""High letters that stand before a mark at least: what is high and low is not known from fewer."""
_RAISED, _LEAST, _TALLEST, _LOWER, _HIGHER = 0.3, 0.4, 0.75, 0.2, 0.6
"""Times the height of the word's other letters: by how much a mark's foot is above theirs at least, how high
a mark is, and by how much its head is below and above theirs at most."""
_HIGH, _SMALLEST = 0.8, 12
"""Part of the highest letter's height of one that is as high; pixels of letters that tell a mark."""
_WHOLE = re.compile(r".*[^\W\d]|[^\d/:-]*+\d++(?:[.,]\d{3})*+(?:[.,]\d\d)?")
"""What a mark may stand on: a word, or a number that lacks no figure, but no day and no time."""


class _Piece(NamedTuple):
    left: int
    top: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top


def with_marks(crop: NDArray[np.uint8], line: Line) -> Line:
    """The line; figures at the ends of its words that stand higher than what is before them are raised ones.

    `crop` is the picture of the line, from its left to its right end.
    """
    words = line.text.split(" ")
    if len(line.words) != 2 * len(words):
        return line
    for n, word in enumerate(words):
        core = word.rstrip(_SIGNS)
        if len(core) > 2 and core[-1].isdecimal() and core[-2].isalnum() and core.isascii():
            begin, end = (round(place * crop.shape[1]) for place in line.words[2 * n : 2 * n + 2])
            count = _raised(crop[:, begin:end], _tall_signs(word[len(core) :]))
            if 0 < count <= _figures(core) and _WHOLE.fullmatch(core[:-count]):
                words[n] = core[:-count] + core[-count:].translate(_SUPERSCRIPT) + word[len(core) :]
    return line._replace(text=" ".join(words))


def _tall_signs(signs: str) -> int:
    return sum(sign in _TALL_SIGNS for sign in signs)


def _figures(core: str) -> int:
    return len(core) - len(core.rstrip("0123456789"))


def _raised(word: NDArray[np.uint8], signs: int) -> int:
    """How many of its last letters, before so many signs as high as letters, are raised."""
    pieces = _pieces(word)
    height = max((piece.height for piece in pieces), default=0)
    pieces = [piece for piece in pieces if piece.height > _LEAST * height]  # no dust, no points
    pieces = pieces[: len(pieces) - signs]
    count = 0
    while count < _MOST and _is_mark(pieces[: len(pieces) - count]):
        count += 1
    others = pieces[: len(pieces) - count]
    return count if count and not _is_mark(others) and _are_level(others) else 0


def _is_mark(pieces: list[_Piece]) -> bool:
    """Whether the last one is smaller than those before it, and stands as high as they do."""
    if len(pieces) < 2:
        return False
    *others, piece = pieces
    others = _high(others)
    height = float(np.median([other.height for other in others]))
    head, foot = (float(np.median(sides)) for sides in zip(*[other[1:] for other in others], strict=True))
    return (
        foot - piece.bottom > _RAISED * height
        and _LEAST * height < piece.height < _TALLEST * height
        and -_HIGHER * height < piece.top - head < _LOWER * height
    )


def _are_level(pieces: list[_Piece]) -> bool:
    """Whether they are letters enough, all of one line, and large enough to be told from marks."""
    high = _high(pieces)
    height = float(np.median([piece.height for piece in high]))
    feet = [piece.bottom for piece in high[-_LETTERS:]]
    is_one_line = max(feet) - min(feet) < 0.5 * _RAISED * height
    return len(high) >= _LETTERS and height >= _SMALLEST and is_one_line


def _high(pieces: list[_Piece]) -> list[_Piece]:
    """Digits, capitals and the like."""
    most = max(piece.height for piece in pieces)
    return [piece for piece in pieces if piece.height > _HIGH * most]


def _pieces(word: NDArray[np.uint8]) -> list[_Piece]:
    """The connected pieces of ink from left to right."""
    if min(word.shape[:2]) < 2:
        return []
    grey = cv2.cvtColor(word, cv2.COLOR_BGR2GRAY)
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    stats = np.asarray(cv2.connectedComponentsWithStats(np.asarray(ink, np.uint8))[2])[1:]
    return sorted(_Piece(int(x), int(y), int(y + height)) for x, y, _, height, _ in stats)
