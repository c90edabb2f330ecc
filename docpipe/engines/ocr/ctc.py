"""From the scores of a line's steps to its text (CTC: Graves et al., 2006), nearly seen spaces included."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLANK = 0
"""What the first score of a step stands for: nothing, or the same letter on."""
_SPACE = math.log(0.07)
"""A space this likely beside the blank is one, where letters stand farther apart than most of the line.
Measured: models are shy of spaces around signs and in narrow print, and spaced letters look like words."""
_SPACE_AT_QUOTE = math.log(0.035)
"""The same beside a single quote, which models are shyest of: they take it for an apostrophe."""
_SEEN_FIRST, _SEEN_LAST = -0.38, 0.41
"""Steps: the middle of a word's first letter by the step at which it is first seen, and of its last letter by
the step at which it is last seen. Measured on the boxes of FUNSD's words."""
_QUOTES = frozenset("'‘’")


def letters(best: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The steps at which a letter begins; `best` is the highest score's place in each step."""
    begins: NDArray[np.bool_] = best != BLANK
    begins[1:] &= best[1:] != best[:-1]
    return begins


class Line(NamedTuple):
    """What one line says.

    Attributes:
        confidence: mean likelihood of its letters.
        words: the steps at which each word begins and ends.
    """

    text: str
    confidence: float
    words: tuple[float, ...] = ()

    def within(self, steps: float) -> Line:
        """With the places of its words as parts 0..1 of a line of so many steps."""
        return self._replace(words=tuple([min(1.0, place / steps) for place in self.words]))


def line(
    best: NDArray[np.intp], space: NDArray[np.float32], characters: Sequence[str], confidence: float
) -> Line:
    """The line.

    Args:
        best: the place of the highest score in each step.
        space: by how much the space's score lies above it: log of the ratio of their likelihoods.
        characters: what each place stands for, that of the blank left out; the last is the space.
        confidence: passed on.
    """
    begins = np.flatnonzero(letters(best))
    found = _letters(best, begins, space, characters)
    text = re.sub(" {2,}", " ", "".join(found)).strip()
    return Line(text, confidence, _words(found, begins, _ends(best, begins)))


def _letters(
    best: NDArray[np.intp], begins: NDArray[np.intp], space: NDArray[np.float32], characters: Sequence[str]
) -> list[str]:
    found = [characters[place - 1] for place in best[begins]]
    if len(begins) > 1:
        blank = best == BLANK
        spaced = _spaced(begins, blank & (space > _SPACE))
        if not _QUOTES.isdisjoint(found):
            spaced |= _beside_quotes(found) & _spaced(begins, blank & (space > _SPACE_AT_QUOTE))
        for index in np.flatnonzero(spaced):
            found[index] += " "
    return found


def _ends(best: NDArray[np.intp], begins: NDArray[np.intp]) -> NDArray[np.intp]:
    """The last step of each letter: the same place is the highest from its first step on."""
    changes = np.flatnonzero(np.append(best[1:] != best[:-1], True))
    ends: NDArray[np.intp] = changes[np.searchsorted(changes, begins)]
    return ends


def _words(found: Sequence[str], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> tuple[float, ...]:
    """Steps, as `Line.words`. A letter reaches half a letter to each side of where it is seen."""
    half = 0.5 * float(np.median(np.diff(begins))) if len(begins) > 1 else 1.0
    words: list[float] = []
    is_open = False
    for letter, first, last in zip(found, begins.tolist(), ends.tolist(), strict=True):
        if letter.strip():
            if not is_open:
                begin = max(0.0, first + _SEEN_FIRST - half)
                if words and begin < words[-1]:
                    begin = words[-1] = (begin + words[-1]) / 2
                words += [begin, 0.0]
            words[-1] = last + _SEEN_LAST + half
        is_open = bool(letter.strip()) and not letter.endswith(" ")
    return tuple(words)


def _spaced(begins: NDArray[np.intp], likely: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a space follows each letter but the last: a likely step in a gap wider than the median."""
    gaps, before = np.diff(begins), np.cumsum(likely)
    spaced: NDArray[np.bool_] = (gaps > np.median(gaps)) & (np.diff(before[begins]) > 0)
    return spaced


def _beside_quotes(found: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each letter but the last, or the one after it, is a single quote."""
    quotes = np.array([letter in _QUOTES for letter in found])
    beside: NDArray[np.bool_] = quotes[:-1] | quotes[1:]
    return beside
