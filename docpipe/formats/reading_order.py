"""Puts lines that stand in columns one column after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from statistics import median

from docpipe.formats.base import TextLine
from docpipe.models import Box

_MIN_LINES = 4
_MIN_FILL = 0.4
_MAX_CROSSING = 0.25
_MAX_DEPTH = 4


def in_reading_order(lines: Sequence[TextLine], depth: int = 0) -> list[TextLine]:
    """Lines column by column; in the order given where there are no columns of running text.

    Lines that span the gutter (headings, tables over the full width) cut the page into bands; inside
    a band the left column comes before the right one. Three columns are two, of which one is two.
    """
    gutter = _gutter([_box(line) for line in lines]) if depth < _MAX_DEPTH else None
    if gutter is None:
        return list(lines)
    ordered: list[TextLine] = []
    downwards = sorted(lines, key=lambda line: _box(line)[1])
    for spans, band in groupby(downwards, key=lambda line: _crosses(_box(line), gutter)):
        members = list(band)
        if spans:
            ordered += members
        else:
            ordered += in_reading_order([line for line in members if _box(line)[2] <= gutter], depth + 1)
            ordered += in_reading_order([line for line in members if _box(line)[2] > gutter], depth + 1)
    return ordered


def _box(line: TextLine) -> Box:
    assert line.box is not None  # lines of a PDF have boxes
    return line.box


def _crosses(box: Box, gutter: float) -> bool:
    return box[0] < gutter < box[2]


def _gutter(boxes: list[Box]) -> float | None:
    """The x between two columns of running text, where fewest lines cross it."""
    if len(boxes) < 2 * _MIN_LINES:
        return None
    left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    margin = (right - left) / 5
    starts = {box[0] - 0.5 for box in boxes if left + margin < box[0] < right - margin}
    columns = [x for x in sorted(starts) if _are_columns(boxes, x, left, right)]
    return min(columns, key=lambda x: sum(_crosses(box, x) for box in boxes), default=None)


def _are_columns(boxes: list[Box], x: float, left: float, right: float) -> bool:
    before = [box for box in boxes if box[2] <= x]
    after = [box for box in boxes if box[0] >= x]
    if min(len(before), len(after)) < _MIN_LINES:
        return False
    if len(boxes) - len(before) - len(after) > _MAX_CROSSING * len(boxes):
        return False
    return _fills(before, x - left) and _fills(after, right - x) and _side_by_side(before, after)


def _fills(boxes: list[Box], width: float) -> bool:
    """Whether lines run over their column's width, as prose does and cells of a table do not."""
    return median(box[2] - box[0] for box in boxes) >= _MIN_FILL * width


def _side_by_side(one: list[Box], other: list[Box]) -> bool:
    top = max(min(box[1] for box in one), min(box[1] for box in other))
    bottom = min(max(box[3] for box in one), max(box[3] for box in other))
    heights = [max(box[3] for box in side) - min(box[1] for box in side) for side in (one, other)]
    return bottom - top > min(heights) / 2
