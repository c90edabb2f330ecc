"""How near a recognised text comes to the true one.

Both are compared after NFKC, with quotes and dashes of one kind, white space collapsed and without the
signs that transcribers use for what they cannot read. Sums over pages, not means of them: a short page
counts little.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from rapidfuzz.distance import Levenshtein

_SAME = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
    | dict.fromkeys("\u2010\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u00ad~\u2022\u00b7", "")
)


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one page or of many; every figure is a part of 1, and 0 where there was nothing to find."""

    characters: int = 0
    character_edits: int = 0
    words: int = 0
    word_edits: int = 0
    words_read: int = 0
    words_right: int = 0
    spaces: int = 0
    spaces_kept: int = 0

    @property
    def cer(self) -> float:
        """Character error rate: edits by length of the truth, in reading order. May exceed 1."""
        return self.character_edits / max(1, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate, in reading order. May exceed 1."""
        return self.word_edits / max(1, self.words)

    @property
    def word_f1(self) -> float:
        """F1 of the words as a multiset, whatever their order."""
        return 2 * self.words_right / max(1, self.words + self.words_read)

    @property
    def space_recall(self) -> float:
        """Part of the spaces between words that were read as spaces."""
        return self.spaces_kept / max(1, self.spaces)


def score(truth: str, text: str) -> Score:
    """Compare one page's text with the truth."""
    truth, text = normalised(truth), normalised(text)
    right, read = Counter(truth.split()), Counter(text.split())
    edits = Levenshtein.opcodes(truth, text)
    kept = sum(truth[e.src_start : e.src_end].count(" ") for e in edits if e.tag == "equal")
    return Score(
        characters=len(truth),
        character_edits=Levenshtein.distance(truth, text),
        words=right.total(),
        word_edits=Levenshtein.distance(truth.split(), text.split()),
        words_read=read.total(),
        words_right=(right & read).total(),
        spaces=truth.count(" "),
        spaces_kept=kept,
    )


def total(scores: Iterable[Score]) -> Score:
    """The scores of many pages as one."""
    return Score(*map(sum, zip(*map(astuple, scores), strict=True)))


def normalised(text: str) -> str:
    """What is compared: see the module."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).translate(_SAME)).strip()
