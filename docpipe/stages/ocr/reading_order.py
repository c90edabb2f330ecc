"""The order in which the lines of a page are read, wherever they come from.

A text layer gives its lines in the order they were drawn, an engine gives them in any. Here they are
put in columns where columns of prose stand side by side (recursive XY cut: Nagy and Seth, 1984) and
otherwise in rows from left to right, so that a table's rows stay together.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from docpipe.engines.ports import Quad
from docpipe.formats.base import TextLine
from docpipe.models import Box

_LEVEL = 0.004
_MAX_SKEW = 0.35
"""Radians: less is level, more is not a skewed scan but text drawn at an angle."""
_COLUMN_GAP = 0.8
_CELL_GAP = 1.2
_BLOCK_GAP = 0.6
"""In units of the median text height: between columns, between cells of one line, between blocks."""
_COLUMN_LINES = 4
_BAND_LINES = 2
"""A column has at least so many lines; where a page has columns, a band of it may have fewer."""
_LABEL = 3
"""Characters: line numbers, bullets and the like, which say nothing about what stands beside them."""
_PROSE = ((20, 0.4), (12, 0.85))
"""Median length of a column's lines in characters, and its width by that of the long lines (nine tenths
are shorter): prose has at least one of these pairs. A table's columns fall short."""
_SHORTEST_PROSE = min(characters for characters, _ in _PROSE)
_HALF = _COLUMN_LINES // 2
"""So many lines of a column at least are as long as the median."""
_MAX_SPANNING = 0.5
"""Part of the lines that may run across a gutter (titles, full-width paragraphs)."""
_MAX_DEPTH = 12


class _Item(NamedTuple):
    x0: float
    y0: float
    x1: float
    y1: float
    number: int
    length: int

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


_Row = list[_Item]


def in_reading_order(lines: Sequence[TextLine], boxes: Sequence[Box] | None = None) -> list[TextLine]:
    """The lines as a reader takes them, each with what parts it from the line before (`TextLine.joint`).

    Lines that stand beside each other follow one another, parted by a tab where there is room for one
    (a table's cells), else by a space. `boxes` are where the lines stand when the page is upright and
    level, in any unit; without them the lines' own boxes. Lines without a box stay in the order given.
    """
    if boxes is None:
        if any(line.box is None for line in lines):
            return list(lines)
        boxes = [line.box for line in lines if line.box]
    placed = enumerate(zip(lines, boxes, strict=True))
    items = [_Item(*box, number, len(line.text)) for number, (line, box) in placed]
    if not items:
        return []
    unit = max(0.1, median(item.y1 - item.y0 for item in items))
    return [_joined(lines[item.number], joint) for item, joint in _joints(_ordered(items, unit, 0), unit)]


def _joined(line: TextLine, joint: str) -> TextLine:
    return line if line.joint == joint else TextLine(line.text, line.box, line.confidence, joint)


def _joints(rows: list[_Row], unit: float) -> Iterator[tuple[_Item, str]]:
    for row in rows:
        yield row[0], "\n"
        for before, item in pairwise(row):
            yield item, "\t" if item.x0 - before.x1 > _CELL_GAP * unit else " "


# --- upright and level --------------------------------------------------------------------------


def level(quads: Sequence[Quad]) -> list[Box]:
    """Upright boxes of the lines after the page's skew is taken out."""
    angle = skew(quads)
    cos, sin = math.cos(angle), math.sin(angle)
    boxes = []
    for quad in quads:
        xs = [x * cos + y * sin for x, y in quad]
        ys = [y * cos - x * sin for x, y in quad]
        boxes.append((min(xs), min(ys), max(xs), max(ys)))
    return boxes


def skew(quads: Sequence[Quad]) -> float:
    """The lines' common angle in radians, clockwise positive; 0 where the page is level.

    The median over lines at least five times as wide as high, when there are more than three.
    """
    angles = [_angle(quad) for quad in quads if _is_long(quad)]
    angle = median(angles) if len(angles) > 3 else 0.0
    return angle if _LEVEL < abs(angle) < _MAX_SKEW else 0.0


def _angle(quad: Quad) -> float:
    (x0, y0), (x1, y1) = quad[0], quad[1]
    return math.atan2(y1 - y0, x1 - x0)


def _is_long(quad: Quad) -> bool:
    return math.dist(quad[0], quad[1]) > 5 * math.dist(quad[0], quad[3])


# --- columns ----------------------------------------------------------------------------------


def _ordered(items: list[_Item], unit: float, depth: int) -> list[_Row]:
    """Rows of items in reading order."""
    if depth > _MAX_DEPTH or not _may_have_columns(items):
        return _rows(items)
    gutter = _gutter(items, unit)
    parts = _blocks(items, unit) if gutter is None else _parts(items, gutter, unit)
    if len(parts) < 2:
        return _rows(items)
    return [row for part in parts for row in _ordered(part, unit, depth + 1)]


def _may_have_columns(items: list[_Item]) -> bool:
    """Whether long enough lines end before others begin; where not, no part of the items has columns."""
    if len(items) < 2 * _COLUMN_LINES:
        return False
    ends, starts = _sorted_sides([item for item in items if item.length >= _SHORTEST_PROSE])
    return len(ends) >= 2 * _HALF and ends[_HALF - 1] <= starts[-_HALF]


def _sorted_sides(items: list[_Item]) -> tuple[list[float], list[float]]:
    """Where items end, and where they begin."""
    return sorted([item.x1 for item in items]), sorted([item.x0 for item in items])


def _gutter(items: list[_Item], unit: float) -> float | None:
    """The x that parts two columns of prose: fewest lines run across it, then the widest gap."""
    for _, _, x in sorted(_candidates(items, unit)):
        if _parts_prose(*_sides(items, x), unit, _COLUMN_LINES):
            return x
    return None


def _candidates(items: list[_Item], unit: float) -> Iterator[tuple[int, float, float]]:
    """Lines across, less the gap, and x, just left of where lines begin."""
    ends, starts = _sorted_sides(items)
    long_ends, long_starts = _sorted_sides([item for item in items if item.length >= _SHORTEST_PROSE])
    count, last = len(items), long_starts[-_HALF]
    for start in {round(start / unit) for start in starts}:
        x = (start - _COLUMN_GAP / 2) * unit
        if not long_ends[_HALF - 1] <= x <= last:
            continue
        before, after = bisect_right(ends, x), count - bisect_left(starts, x)
        if min(before, after) < _COLUMN_LINES or count - before - after > _MAX_SPANNING * count:
            continue
        gap = starts[-after] - ends[before - 1]
        if gap >= _COLUMN_GAP * unit:
            yield count - before - after, -gap, x


def _sides(items: list[_Item], x: float) -> tuple[list[_Item], list[_Item]]:
    return [item for item in items if item.x1 <= x], [item for item in items if item.x0 >= x]


def _parts_prose(left: list[_Item], right: list[_Item], unit: float, lines: int) -> bool:
    """Whether both sides are columns of prose, of at least so many lines, that stand beside each other."""
    if not (_is_prose(left, lines) and _is_prose(right, lines)):
        return False
    tops = [min(item.y0 for item in side) for side in (left, right)]
    bottoms = [max(item.y1 for item in side) for side in (left, right)]
    return min(bottoms) - max(tops) > (lines - 1) * unit


def _is_prose(items: list[_Item], lines: int) -> bool:
    telling = [item for item in items if item.length > _LABEL]
    if len(telling) < lines:
        return False
    length = median([item.length for item in telling])
    if length < _SHORTEST_PROSE:
        return False
    widths = sorted([item.x1 - item.x0 for item in telling])
    fill = widths[len(widths) // 2] / max(widths[len(widths) * 9 // 10], 1e-6)
    return any(length >= characters and fill >= part for characters, part in _PROSE)


def _parts(items: list[_Item], gutter: float, unit: float) -> list[list[_Item]]:
    """Bands from top to bottom, parted by the lines that cross the gutter; columns where a band has them."""
    parts: list[list[_Item]] = []
    for crosses, band in _bands(items, gutter):
        left, right = _sides(band, gutter)
        if not crosses and _parts_prose(left, right, unit, _BAND_LINES):
            parts += [left, right]
        else:
            parts.append(band)
    return parts


def _bands(items: list[_Item], gutter: float) -> list[tuple[bool, list[_Item]]]:
    """Runs, from top to bottom, of lines that cross the gutter and of lines that do not."""
    bands: list[tuple[bool, list[_Item]]] = []
    for item in sorted(items, key=lambda item: item.middle):
        crosses = item.x0 < gutter < item.x1
        if not bands or bands[-1][0] != crosses:
            bands.append((crosses, []))
        bands[-1][1].append(item)
    return bands


# --- blocks and rows ----------------------------------------------------------------------------


def _blocks(items: list[_Item], unit: float) -> list[list[_Item]]:
    """Cut at the widest empty band across all items, when there is one."""
    by_top = sorted(items, key=lambda item: item.y0)
    widest, cut, bottom = _BLOCK_GAP * unit, 0, by_top[0].y1
    for index, item in enumerate(by_top[1:], start=1):
        if item.y0 - bottom >= widest:
            widest, cut = item.y0 - bottom, index
        bottom = max(bottom, item.y1)
    return [by_top[:cut], by_top[cut:]] if cut else [items]


def _rows(items: list[_Item]) -> list[_Row]:
    """Items whose middles lie within half a height of each other, from left to right."""
    rows: list[_Row] = []
    middle = height = 0.0  # of the row's first item; the middle doubled
    for item in sorted(items, key=lambda item: item.y0 + item.y1):
        _, y0, _, y1, _, _ = item
        if rows and y0 + y1 - middle < min(y1 - y0, height):
            rows[-1].append(item)
        else:
            rows.append([item])
            middle, height = y0 + y1, y1 - y0
    return [sorted(row) if len(row) > 1 else row for row in rows]
