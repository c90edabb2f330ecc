"""The tags a tagger gives to words, the best sequence of them, and the names it spells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LABELS = ("PERSON", "ORG", "LOCATION")

TAGS = ("O", *(f"{place}-{label}" for label in LABELS for place in "BIES"))
"""Outside; the begin, inside and end of a name of several words; a name of a single one."""

_FORBIDDEN = np.float32(-1e9)


def _follows(before: str, after: str) -> bool:
    if before[0] in "BI":
        return after[0] in "IE" and after[1:] == before[1:]
    return after[0] in "OBS"


_MOVES = np.array([[0.0 if _follows(a, b) else _FORBIDDEN for b in TAGS] for a in TAGS], np.float32)
_STARTS = np.array([0.0 if tag[0] in "OBS" else _FORBIDDEN for tag in TAGS], np.float32)
_ENDS = np.array([0.0 if tag[0] in "OES" else _FORBIDDEN for tag in TAGS], np.float32)


def best_path(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The sequence of tags with the highest sum that spells whole names: (n,) of `scores` (n, tags).

    Of sequences with equal sums the one with the lower tag numbers, from the end backwards.
    """
    n = len(scores)
    path = np.zeros(n, np.int64)
    if not n:
        return path
    came_from = np.zeros(scores.shape, np.int64)
    best = scores[0] + _STARTS
    for word in range(1, n):
        reached = best[:, None] + _MOVES
        came_from[word] = reached.argmax(axis=0)
        best = reached.max(axis=0) + scores[word]
    path[-1] = int((best + _ENDS).argmax())
    for word in range(n - 1, 0, -1):
        path[word - 1] = came_from[word, path[word]]
    return path


def names(path: NDArray[np.int64]) -> Iterator[tuple[int, int, str]]:
    """First word, word after the last, and label of each name that a whole path spells."""
    first = 0
    for word, number in enumerate(path.tolist()):
        tag = TAGS[number]
        if tag[0] in "BS":
            first = word
        if tag[0] in "ES":
            yield first, word + 1, tag[2:]


def tags_of(spans: NDArray[np.int64], marked: list[tuple[int, int, str]]) -> NDArray[np.int64]:
    """The path that spells the marked character spans, over words at `spans`; a word half inside counts."""
    path = np.zeros(len(spans), np.int64)
    for start, end, label in marked:
        first = int(np.searchsorted(spans[:, 1], start, side="right"))
        last = int(np.searchsorted(spans[:, 0], end, side="left"))
        places = "S" if last - first == 1 else f"B{'I' * (last - first - 2)}E"
        for word, place in zip(range(first, last), places, strict=False):
            path[word] = TAGS.index(f"{place}-{label}")
    return path
