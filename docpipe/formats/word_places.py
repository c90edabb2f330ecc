"""Where the words of a line stand: flat tuples of where each begins and ends along the line, in points.

A line whose box is higher than wide runs down the page, any other across it. A line of one word has no need
of such a tuple: its box says the same.
"""

from __future__ import annotations

import re
from unicodedata import category

from docpipe.models import Box

Words = tuple[float, ...]

WORD = re.compile(r"\S+")
LONGEST = 2_000
"""Characters of a line that somebody can read on a page. In a longer one no word is looked for: every mention
would cost the whole line."""
_NARROW = 0.5
"""Width of a sign of punctuation by a letter's: between the edges of a word, which are exact, signs share its
width so."""


def is_upright(box: Box) -> bool:
    """Whether a line in this box runs down or up the page."""
    return box[3] - box[1] > box[2] - box[0]


def fitting(text: str, words: Words) -> Words:
    """`words`, if they are the text's and more than one; else none, and none of a line that is too long."""
    if len(words) <= 2 or len(text) > LONGEST:
        return ()
    return words if len(words) == 2 * len(text.split()) else ()


def extent(text: str, box: Box, words: Words, start: int, end: int, slope: float = 0.0) -> Box:
    """The part of a line's box that `text[start:end]` takes; all of it, upright and its words not known.

    Of a line that slopes, it is as high as the letters there (`docpipe.models.Line.slope`)."""
    x0, y0, x1, y1 = box
    if start <= 0 and end >= len(text):
        return box
    upright, words = is_upright(box), fitting(text, words)
    if not words and upright:
        return box
    low, high = along(text, words or (x0, x1), start, end)
    if upright:
        x0, x1 = _at(x0, x1, low - y0, y1 - high, slope)
        return x0, low, x1, high
    y0, y1 = _at(y0, y1, low - x0, x1 - high, slope)
    return low, y0, high, y1


def _at(top: float, bottom: float, before: float, after: float, slope: float) -> tuple[float, float]:
    """Top and bottom of a part of a sloping line, with so much of the line before it and after it."""
    if slope < 0:
        before, after = after, before
    higher, lower = top + abs(slope) * max(0.0, before), bottom - abs(slope) * max(0.0, after)
    return (round(higher, 2), round(lower, 2)) if slope and higher < lower else (top, bottom)


def along(text: str, words: Words, start: int, end: int) -> tuple[float, float]:
    """Where `text[start:end]` begins and ends along its line."""
    if len(words) == 2:
        places = [(0, len(text), words[0], words[1])]
    else:
        found = zip(WORD.finditer(text), words[::2], words[1::2], strict=True)
        places = [(word.start(), word.end(), begins, ends) for word, begins, ends in found]
    edges = [
        edge
        for first, last, begins, ends in places
        if first < end and start < last
        for edge in _part(text[first:last], begins, ends, start - first, end - first)
    ]
    return min(edges, default=words[0]), max(edges, default=words[0])


def of_part(text: str, words: Words, start: int, end: int) -> Words:
    """The words of `text[start:end]`."""
    if not words:
        return ()
    sides = [along(text, words, *word.span()) for word in WORD.finditer(text, start, end)]
    return tuple([side for both in sides for side in both])


def _part(word: str, begins: float, ends: float, start: int, end: int) -> tuple[float, float]:
    if start <= 0 and end >= len(word):
        return begins, ends
    widths = [_NARROW if category(sign)[0] in "PZ" else 1.0 for sign in word]
    step = (ends - begins) / sum(widths)
    return begins + step * sum(widths[: max(0, start)]), begins + step * sum(widths[:end])
