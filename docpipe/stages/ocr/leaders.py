"""Leaders: the dots that lead the eye from a word to its number, in lists of contents, prices and accounts.

They are no text. Left where they are they become parts of words (`Report....`, `.48`) and fill chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from docpipe.formats.base import TextLine
from docpipe.formats.word_places import Words, along

_Row = list[TextLine]

_WEIGHTS = dict.fromkeys(".·•․∙⋅", 1) | {"‥": 2, "…": 3}
_DOTS = "".join(_WEIGHTS)
_HINTS = ("..", ". .", "··", "· ·", "••", "• •", "…")
"""Without one of these a row has no leaders."""
_BETWEEN = rf"(?<=[^\s{_DOTS},:;'])[,:;']{{0,2}}(?P<leader>[ \t]*[{_DOTS}][{_DOTS},:;' \t]*)"
"""Dots after text, with the signs that a recogniser takes some of them for. It begins but once in a run, and
numbers have an end: what a hostile page makes of it takes time in proportion."""
_NUMBER = r"[$€£]?[ ]?\(?(?:(?:[A-Z]{1,2}-?)?\d[\d.,/-]{0,20}[)%]?|[ivxlc]{1,6}|[IVXLC]{1,6})"
_TO_NUMBER = re.compile(rf"{_BETWEEN}(?={_NUMBER}[ ]?(?:\t|$))")
_TO_NOTHING = re.compile(rf"{_BETWEEN}$")
_TO_WORD = re.compile(rf"(?<=\w)(?P<leader>[{_DOTS}]{{5,}})(?=\w)")
_SURE = 5
_LIKELY = 3
"""Dots up to a number at a row's end: as many are a leader; as many are one on a page with `_ROWS` such rows.
Elsewhere they are an ellipsis."""
_ROWS = 3
_GONE = "\0"
_LEFT = re.compile(rf"[^\s{_GONE}]+")


def without_leaders(lines: list[TextLine]) -> list[TextLine]:
    """The lines of a page, in reading order, with a tab in place of every leader.

    A leader leads to a number at the end of its row or cell, or stands between two words without a space.
    An ellipsis stays, and so do dots to write on. Lines of nothing but leaders are dropped.
    """
    if not _may_hold_leaders("\n".join([line.text for line in lines])):
        return lines
    rows = [(row, _text(row)) for row in _rows(lines)]
    is_list = sum(_leads_to_number(text) for _, text in rows) >= _ROWS
    return [line for row, text in rows for line in _parted(row, _without(text, is_list))]


def _may_hold_leaders(text: str) -> bool:
    return any(hint in text for hint in _HINTS)


def _rows(lines: Sequence[TextLine]) -> Iterator[_Row]:
    row: _Row = []
    for line in lines:
        if row and line.joint == "\n":
            yield row
            row = []
        row.append(line)
    yield row


def _text(row: _Row) -> str:
    return "".join([line.joint + line.text for line in row])


def _leads_to_number(text: str) -> bool:
    return _may_hold_leaders(text) and _cut(text, _TO_NUMBER, _LIKELY) != text


def _without(text: str, is_list: bool) -> str:
    """A row's text, every character of a leader replaced by `_GONE`; `is_list`: its page has many leaders."""
    if not _may_hold_leaders(text):
        return text
    text = _cut(text, _TO_NUMBER, _LIKELY if is_list else _SURE)
    text = _cut(text, _TO_WORD, _SURE)
    return _cut(text, _TO_NOTHING, _LIKELY) if is_list else text


def _cut(text: str, pattern: re.Pattern[str], dots: int) -> str:
    def gone(found: re.Match[str]) -> str:
        leader = found["leader"]
        if sum(_WEIGHTS.get(sign, 0) for sign in leader) < dots:
            return found.group()
        return found.group().removesuffix(leader) + _GONE * len(leader)

    return pattern.sub(gone, text)


def _parted(row: _Row, text: str) -> Iterator[TextLine]:
    """The row's lines with what is left of them; the first holds what the first leader leads from."""
    end = 0
    for line in row:
        start = end + len(line.joint)
        end = start + len(line.text)
        left = "\t".join(filter(None, text[start:end].split(_GONE)))
        if left or not line.text:
            joint = "\t" if text[start - 1] == _GONE else line.joint
            yield replace(line, text=left, joint=joint, words=_left(line, text[start:end]))


def _left(line: TextLine, text: str) -> Words:
    """Where the words stand that are left in the line's text; none where that was not known."""
    if not line.words:
        return ()
    sides = [along(line.text, line.words, *word.span()) for word in _LEFT.finditer(text)]
    return tuple([side for both in sides for side in both])
