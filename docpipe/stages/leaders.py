"""Leaders: the dots that lead the eye from a word to its number, in lists of contents, prices and accounts.

They are no text. Left where they are they become parts of words (`Report....`, `.48`) and fill chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from docpipe.formats.base import TextLine

_Span = tuple[int, int]
_Row = list[TextLine]

_WEIGHTS = dict.fromkeys(".·•․∙⋅", 1) | {"‥": 2, "…": 3}
_DOTS = "".join(_WEIGHTS)
_HINTS = ("..", ". .", "··", "· ·", "••", "• •", "…")
"""Without one of these a page has no leaders."""
_BETWEEN = rf"(?<=[^\s{_DOTS}])[ \t]*[{_DOTS}][{_DOTS},:;' \t]*"
"""Dots after text, with the signs that a recogniser takes some of them for."""
_NUMBER = r"[$€£]?[ ]?\(?(?:(?:[A-Z]{1,2}-?)?\d[\d.,/-]*[)%]?|[ivxlc]{1,6}|[IVXLC]{1,6})"
_TO_NUMBER = re.compile(rf"{_BETWEEN}(?={_NUMBER}[ ]?(?:\t|$))")
_TO_NOTHING = re.compile(rf"{_BETWEEN}$")
_TO_WORD = re.compile(rf"(?<=\w)[{_DOTS}]{{5,}}(?=\w)")
_SURE = 5
_LIKELY = 3
"""Dots up to a number at a row's end: as many are a leader; as many are one on a page with `_ROWS` such rows.
Elsewhere they are an ellipsis."""
_ROWS = 3


def without_leaders(lines: list[TextLine]) -> list[TextLine]:
    """The lines of a page, in reading order, with a tab in place of every leader.

    A leader leads to a number at the end of its row or cell, or stands between two words without a space.
    An ellipsis stays, and so do dots to write on. Lines of nothing but leaders are dropped.
    """
    text = "\n".join([line.text for line in lines])
    if not any(hint in text for hint in _HINTS):
        return lines
    rows = [(row, _text(row)) for row in _rows(lines)]
    is_list = sum(any(_found(_TO_NUMBER, text, _LIKELY)) for _, text in rows) >= _ROWS
    return [line for row, text in rows for line in _cut(row, _leaders(text, is_list))]


def _rows(lines: Sequence[TextLine]) -> Iterator[_Row]:
    row: _Row = []
    for line in lines:
        if row and line.joint == "\n":
            yield row
            row = []
        row.append(line)
    yield row


def _text(row: _Row) -> str:
    return row[0].text + "".join(line.joint + line.text for line in row[1:])


def _leaders(text: str, is_list: bool) -> list[_Span]:
    """Where a row's leaders are; `is_list`: its page has many."""
    found = [*_found(_TO_NUMBER, text, _LIKELY if is_list else _SURE), *_found(_TO_WORD, text, _SURE)]
    return found + (list(_found(_TO_NOTHING, text, _LIKELY)) if is_list else [])


def _found(pattern: re.Pattern[str], text: str, dots: int) -> Iterator[_Span]:
    for match in pattern.finditer(text):
        if sum(_WEIGHTS.get(sign, 0) for sign in match.group()) >= dots:
            yield match.span()


def _cut(row: _Row, spans: list[_Span]) -> Iterator[TextLine]:
    """The row's lines with a tab for each span; the first holds what the leader leads from, so it stays."""
    end = 0
    for line in row:
        start = end + len(line.joint) if end else 0
        end = start + len(line.text)
        text = _parted(line.text, [(first - start, last - start) for first, last in spans])
        parted = any(first < start <= last for first, last in spans)
        if text:
            yield replace(line, text=text, joint="\t" if parted else line.joint)


def _parted(text: str, spans: list[_Span]) -> str:
    pieces, done = [], 0
    for first, last in sorted(spans):
        pieces.append(text[done : max(done, first)])
        done = max(done, last)
    return "\t".join(piece for piece in (*pieces, text[done:]) if piece)
