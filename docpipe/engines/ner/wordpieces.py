"""A text as a small transformer reads it: wordpieces, the form of each word, and where lines end.

The encoder knows small letters only; what capitals and line ends say is told to it beside the pieces.
Training and reading both use this file: change it and the weights must be trained anew.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

SHAPES = 12
"""Number of word forms that `shape` tells apart."""

GAPS = 4
"""What stands before a word: nothing or blanks, the end of a line, a tab, a blank line."""

_GAP = {"": 0, "\n": 1, "\t": 2}
_BREAK = re.compile(r"\n\s*\n|[\n\t]")


class Words(NamedTuple):
    """The words of one text, and their wordpieces. `n` words, `m` pieces.

    Attributes:
        spans: (n, 2), each word's half-open character offsets.
        shapes: (n,), 0..SHAPES - 1.
        gaps: (n,), 0..GAPS - 1.
        pieces: (m,), indices into the vocabulary.
        first: (n + 1,), index of each word's first piece, and m.
    """

    spans: NDArray[np.int64]
    shapes: NDArray[np.int64]
    gaps: NDArray[np.int64]
    pieces: NDArray[np.int64]
    first: NDArray[np.int64]


def words(tokenizer: Tokenizer, text: str) -> Words:
    """Cut `text` into words and their pieces. A word is a run of letters and digits, or one other sign."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    spans: list[tuple[int, int]] = []
    first: list[int] = []
    last: int | None = -1
    for index, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        if word == last:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
            first.append(index)
            last = word
    spans = [(start, _with_marks(text, end)) for start, end in spans]
    before = [0, *(end for _, end in spans)]
    return Words(
        np.array(spans, np.int64).reshape(-1, 2),
        np.array([shape(text[start:end]) for start, end in spans], np.int64),
        np.array([_gap(text[a:b]) for a, (b, _) in zip(before, spans, strict=False)], np.int64),
        np.array(encoding.ids, np.int64),
        np.array([*first, len(encoding.ids)], np.int64),
    )


def _with_marks(text: str, end: int) -> int:
    """The end of a word after the accents that stand as signs of their own, which the tokenizer drops."""
    while end < len(text) and unicodedata.category(text[end]) == "Mn":
        end += 1
    return end


def _gap(between: str) -> int:
    found = _BREAK.search(between)
    return _GAP.get(found.group(), 3) if found else 0


def shape(word: str) -> int:
    """The form of a word, as what stands in capitals says it."""
    if word.isalpha():
        return _letters(word)
    if word.isdecimal():
        return 6 if len(word) != 4 else 7
    if len(word) == 1 and not word.isalnum():
        return 8 if word in ".,;:!?" else 9
    return 10 if any(letter.isdecimal() for letter in word) else 11


def _letters(word: str) -> int:
    if word.islower():
        return 0
    if len(word) == 1:
        return 2 if word.isupper() else 5
    if word.isupper():
        return 3
    if word[0].isupper() and word[1:].islower():
        return 1
    return 4 if word.upper() != word.lower() else 5
