"""The numbers beside the lines of pleadings and transcripts: no part of the sentences that they count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from docpipe.models import Box

_LEAST = {1: 8, 5: 4}
"""By the step: so many numbers, one after the other, are no chance."""
_NUMBER = re.compile(r"[1-9]\d{0,2}")
_MOSTLY = 0.75
_RUNNING = 0.3
"""Part of the rows that begin in the middle of a sentence: a list's and a table's do not."""
_GOES_ON = re.compile(r"[^\W\d]\W+[^\W\d]{2,}(?:,| [a-zà-ÿ]{1,3})$")
"""A row that ends so is no item of a list by itself; a unit at its end (`12 kg`) is none."""
_SAME_ROW = 0.5


def line_numbers(texts: Sequence[str], boxes: Sequence[Box]) -> list[int]:
    """Which lines number the others, from top to bottom: they count up at the side of running text."""
    counted = [n for n, text in enumerate(texts) if _NUMBER.fullmatch(text)]
    if len(counted) < min(_LEAST.values()):
        return []
    others = [n for n in range(len(texts)) if not _NUMBER.fullmatch(texts[n])]
    left = min((boxes[n][0] for n in others), default=0.0)
    right = max((boxes[n][2] for n in others), default=0.0)
    for aside in (
        [n for n in counted if boxes[n][2] <= left],
        [n for n in counted if boxes[n][0] >= right],
    ):
        column = sorted(aside, key=lambda n: boxes[n][1])
        if len(column) < _MOSTLY * len(counted):  # other columns have numbers too, as transcripts do
            continue
        numbers = [int(texts[n]) for n in column]
        if _counts_up(numbers, len(others)) and _beside_running_text(column, others, texts, boxes):
            return column
    return []


def _counts_up(numbers: Sequence[int], lines: int) -> bool:
    """Whether the numbers count every line, or every fifth one of so many."""
    steps = {after - before for before, after in pairwise(numbers)}
    step = steps.pop() if len(steps) == 1 else 0
    if step not in _LEAST or len(numbers) < _LEAST[step] or numbers[0] % step:
        return False
    return step == 1 or lines >= step * (len(numbers) - 1)  # a table has a number in each of its rows


def _beside_running_text(
    column: Sequence[int], others: Sequence[int], texts: Sequence[str], boxes: Sequence[Box]
) -> bool:
    begun = [text for n in column if (text := _first_beside(boxes[n], others, texts, boxes))]
    ends = [bool(_GOES_ON.search(text)) for text in begun]
    running = sum(text[:1].islower() or goes_on for text, goes_on in zip(begun, [False, *ends], strict=False))
    return len(begun) >= min(_LEAST.values()) and running >= _RUNNING * len(begun)


def _first_beside(box: Box, others: Sequence[int], texts: Sequence[str], boxes: Sequence[Box]) -> str:
    middle, reach = (box[1] + box[3]) / 2, _SAME_ROW * (box[3] - box[1])
    row = [n for n in others if abs((boxes[n][1] + boxes[n][3]) / 2 - middle) < reach]
    return texts[min(row, key=lambda n: boxes[n][0])] if row else ""
