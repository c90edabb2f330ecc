"""Letters that a PDF's page draws as outlines, without a text layer that says which they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from docpipe.formats.pdf_layer import Block
from docpipe.models import Box

_HEIGHTS = (2.0, 30.0)
"""Points of a letter, or of a line whose letters are one path."""
_LETTERS = 8
"""A line has at least so many; a path of a whole line counts by its width."""
_WIDEST = 1.6
"""Times the height: a wider path holds several letters."""
_GAP = 1.5
"""Times the height of its letters: farther apart they are of two lines, or marks of a chart."""
_ALIKE = 0.12
"""Part of the median by which letters differ in width, at the least: the marks of a chart are all alike."""
_MOST = 20_000


def lines_of_outlines(paths: Sequence[Block]) -> int:
    """How many lines of text these paths seem to draw."""
    letters = [block["bbox"] for block in paths if _may_be_letters(block)][:_MOST]
    if len(letters) < _LETTERS and not any(box[2] - box[0] > _LETTERS * (box[3] - box[1]) for box in letters):
        return 0
    return sum(1 for row in _rows(letters) for run in _runs(sorted(row)) if _is_line(run))


def _may_be_letters(block: Block) -> bool:
    height = block["bbox"][3] - block["bbox"][1]
    is_filled = not block["stroked"] and not block["isrect"] and block["alpha"] == 255
    return is_filled and _HEIGHTS[0] <= height <= _HEIGHTS[1] and block["color"] & 0xE0E0E0 != 0xE0E0E0


def _rows(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Boxes one after the other from top to bottom whose middles lie within half a height."""
    row: list[Box] = []
    for box in sorted(boxes, key=lambda box: box[1] + box[3]):
        if row and (box[1] + box[3] - row[0][1] - row[0][3]) > max(box[3] - box[1], row[0][3] - row[0][1]):
            yield row
            row = []
        row.append(box)
    if row:
        yield row


def _runs(row: Sequence[Box]) -> Iterator[list[Box]]:
    """The parts of a row without a wide gap."""
    height = median([box[3] - box[1] for box in row])
    run = list(row[:1])
    for one, other in pairwise(row):
        if other[0] - one[2] > _GAP * height:
            yield run
            run = []
        run.append(other)
    yield run


def _is_line(run: Sequence[Box]) -> bool:
    letters = sum(max(1.0, (box[2] - box[0]) / (_WIDEST * (box[3] - box[1]))) for box in run)
    widths = [box[2] - box[0] for box in run]
    usual = median(widths)
    differ = max(abs(width - usual) for width in widths) > _ALIKE * usual
    return letters >= _LETTERS and (differ or len(run) == 1)
