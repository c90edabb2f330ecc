"""The order in which recognised lines are read.

An engine gives boxes in any order. Here they are made level, cut into columns where columns of
prose stand side by side (recursive XY cut: Nagy and Seth, 1984), and joined into the lines a
reader sees; what stands apart on one line (a table's cells) is separated by a tab.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from docpipe.stages.ports import Quad, RecognisedLine

Quads = tuple[Quad, ...]

_LEVEL = 0.004
_MAX_SKEW = 0.35
"""Radians: less is level, more is not a skewed scan but text drawn at an angle."""
_COLUMN_GAP = 0.8
_CELL_GAP = 1.2
_BLOCK_GAP = 0.6
"""In units of the median text height: between columns, between cells of one line, between blocks."""
_COLUMN_LINES = 4
_PROSE_CHARACTERS = 20
_PROSE_FILL = 0.5
"""A column of prose has at least this many lines; their median length in characters, and the part of
the column's width that the median line fills, are at least these. A table's columns fall short."""
_MAX_SPANNING = 0.5
"""Part of the lines that may run across a gutter (titles, full-width paragraphs)."""
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class VisualLine:
    """One line as a reader sees it; `quads` are the boxes it was joined from, left to right."""

    text: str
    quads: Quads
    confidence: float
    """Mean of its pieces, weighted by length."""


@dataclass(frozen=True, slots=True)
class _Item:
    x0: float
    y0: float
    x1: float
    y1: float
    line: RecognisedLine

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


def reading_order(lines: Sequence[RecognisedLine]) -> list[VisualLine]:
    """Order the lines of one upright page, joining those that stand beside each other."""
    if not lines:
        return []
    items = _level(lines)
    unit = max(1.0, median(item.height for item in items))
    return [_join(row, unit) for row in _ordered(items, unit, 0)]


def skew(lines: Sequence[RecognisedLine]) -> float:
    """The lines' common angle in radians, clockwise positive; 0 where the page is level.

    The median over lines at least five times as wide as high, when there are more than three.
    """
    angles = [_angle(line.quad) for line in lines if _is_long(line.quad)]
    angle = median(angles) if len(angles) > 3 else 0.0
    return angle if _LEVEL < abs(angle) < _MAX_SKEW else 0.0


def _angle(quad: Quad) -> float:
    (x0, y0), (x1, y1) = quad[0], quad[1]
    return math.atan2(y1 - y0, x1 - x0)


def _is_long(quad: Quad) -> bool:
    return math.dist(quad[0], quad[1]) > 5 * math.dist(quad[0], quad[3])


def _level(lines: Sequence[RecognisedLine]) -> list[_Item]:
    """Upright boxes of the lines after the page's skew is taken out."""
    angle = skew(lines)
    cos, sin = math.cos(angle), math.sin(angle)
    items = []
    for line in lines:
        xs = [x * cos + y * sin for x, y in line.quad]
        ys = [y * cos - x * sin for x, y in line.quad]
        items.append(_Item(min(xs), min(ys), max(xs), max(ys), line))
    return items


def _ordered(items: list[_Item], unit: float, depth: int) -> list[list[_Item]]:
    """Rows of items in reading order."""
    if len(items) < 2 or depth > _MAX_DEPTH:
        return _rows(items)
    gutter = _gutter(items, unit)
    parts = _blocks(items, unit) if gutter is None else _parts(items, gutter, unit)
    if len(parts) < 2:
        return _rows(items)
    return [row for part in parts for row in _ordered(part, unit, depth + 1)]


# --- columns ----------------------------------------------------------------------------------


def _gutter(items: list[_Item], unit: float) -> float | None:
    """The x that parts two columns of prose: fewest lines run across it, then the widest gap."""
    if len(items) < 2 * _COLUMN_LINES:
        return None
    best = min((_crossings(items, x) for x in _candidates(items, unit)), default=None)
    return best[2] if best and best[0] <= _MAX_SPANNING * len(items) else None


def _candidates(items: list[_Item], unit: float) -> list[float]:
    """Just left of where lines begin, and with prose on both sides of it."""
    starts = sorted({round(item.x0 / unit) for item in items})
    xs = [start * unit - _COLUMN_GAP * unit / 2 for start in starts[1:]]
    return [x for x in xs if _parts_prose(*_sides(items, x), unit)]


def _crossings(items: list[_Item], x: float) -> tuple[int, float, float]:
    left, right = _sides(items, x)
    gap = min(item.x0 for item in right) - max(item.x1 for item in left)
    return len(items) - len(left) - len(right), -gap, x


def _sides(items: Iterable[_Item], x: float) -> tuple[list[_Item], list[_Item]]:
    items = list(items)
    return [item for item in items if item.x1 <= x], [item for item in items if item.x0 >= x]


def _parts_prose(left: list[_Item], right: list[_Item], unit: float) -> bool:
    """Whether both sides are columns of prose that stand beside each other, with a gap between."""
    if not (_is_prose(left) and _is_prose(right)):
        return False
    if min(item.x0 for item in right) - max(item.x1 for item in left) < _COLUMN_GAP * unit:
        return False
    beside = min(_bottom(left), _bottom(right)) - max(_top(left), _top(right))
    return beside > 3 * unit


def _is_prose(items: list[_Item]) -> bool:
    return len(items) >= _COLUMN_LINES and median(len(item.line.text) for item in items) >= _PROSE_CHARACTERS


def _top(items: list[_Item]) -> float:
    return min(item.y0 for item in items)


def _bottom(items: list[_Item]) -> float:
    return max(item.y1 for item in items)


def _parts(items: list[_Item], gutter: float, unit: float) -> list[list[_Item]]:
    """Bands from top to bottom, parted by the lines that cross the gutter; columns where a band has them."""
    parts: list[list[_Item]] = []
    for crosses, band in _bands(items, gutter):
        left, right = _sides(band, gutter)
        if not crosses and _parts_prose(left, right, unit):
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


def _rows(items: list[_Item]) -> list[list[_Item]]:
    """Items whose middles lie within half a height of each other, from left to right."""
    rows: list[list[_Item]] = []
    for item in sorted(items, key=lambda item: item.middle):
        first = rows[-1][0] if rows else None
        if first and item.middle - first.middle < 0.5 * min(item.height, first.height):
            rows[-1].append(item)
        else:
            rows.append([item])
    return [sorted(row, key=lambda item: item.x0) for row in rows]


def _join(row: list[_Item], unit: float) -> VisualLine:
    text = row[0].line.text
    for before, item in pairwise(row):
        text += ("\t" if item.x0 - before.x1 > _CELL_GAP * unit else " ") + item.line.text
    weights = [len(item.line.text) for item in row]
    confidence = sum(w * item.line.confidence for w, item in zip(weights, row, strict=True)) / sum(weights)
    return VisualLine(text, tuple(item.line.quad for item in row), confidence)
