"""Strict span scores: a span counts where its label and both its ends are right.

Before they are compared, spans lose a leading article, a final 's and outer punctuation on both sides,
since the sets disagree about these. GPE, LOC and FAC are LOCATION, TIME is DATE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FOLDED = {
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "TIME": "DATE",
}

Labelled = tuple[int, int, str]

_HEAD = re.compile(r"(?:the|The|THE|a|an)\s+|[\s\"'“”‘’(.,;:\-]+")
_TAIL = re.compile(r"(?:['’]s|['’]|[\s\"“”‘,;:)\-]+)$")


@dataclass(frozen=True, slots=True)
class Score:
    """Spans found rightly, found, and to be found."""

    right: int = 0
    found: int = 0
    gold: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.found + other.found, self.gold + other.gold)

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.gold) if self.found + self.gold else 0.0


def score(text: str, gold: Iterable[Labelled], found: Iterable[Labelled], label: str) -> Score:
    """The score of one label in one text."""
    wanted, seen = set(_folded(text, gold, label)), set(_folded(text, found, label))
    return Score(len(wanted & seen), len(seen), len(wanted))


def _folded(text: str, spans: Iterable[Labelled], label: str) -> Iterator[tuple[int, int]]:
    return (_bare(text, start, end) for start, end, own in spans if FOLDED.get(own, own) == label)


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    while True:
        piece = text[start:end]
        if (head := _HEAD.match(piece)) and head.end() < len(piece):
            start += head.end()
        elif (tail := _TAIL.search(piece)) and tail.start() > 0:
            end = start + tail.start()
        else:
            return start, end
