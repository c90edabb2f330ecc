"""From the scores of a line's steps to its text (CTC: Graves et al., 2006), nearly seen spaces included."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLANK = 0
"""What the first score of a step stands for: nothing, or the same letter on."""
_SPACE = math.log(0.07)
"""A space this likely beside the blank is one, where letters stand farther apart than most of the line.
Measured: models are shy of spaces around signs and in narrow print, and spaced letters look like words."""
_SPACE_AT_QUOTE = math.log(0.035)
"""The same beside a single quote, which models are shyest of: they take it for an apostrophe."""
_QUOTES = frozenset("'‘’")


def letters(best: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The steps at which a letter begins; `best` is the highest score's place in each step."""
    begins: NDArray[np.bool_] = best != BLANK
    begins[1:] &= best[1:] != best[:-1]
    return begins


def text(best: NDArray[np.intp], space: NDArray[np.float32], characters: Sequence[str]) -> str:
    """The line.

    Args:
        best: the place of the highest score in each step.
        space: by how much the space's score lies above it: log of the ratio of their likelihoods.
        characters: what each place stands for, that of the blank left out; the last is the space.
    """
    begins = np.flatnonzero(letters(best))
    found = [characters[place - 1] for place in best[begins]]
    if len(begins) > 1:
        blank = best == BLANK
        spaced = _spaced(begins, blank & (space > _SPACE))
        if not _QUOTES.isdisjoint(found):
            spaced |= _beside_quotes(found) & _spaced(begins, blank & (space > _SPACE_AT_QUOTE))
        for index in np.flatnonzero(spaced):
            found[index] += " "
    return re.sub(" {2,}", " ", "".join(found)).strip()


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
