"""Places on pages to JSON and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docpipe.models import Box, Line, PageBox, Role


def line_row(line: Line) -> list[Any]:
    """`[start, end, box, confidence]`; then its role, the places of its words and its slope, as needed."""
    row: list[Any] = [line.start, line.end, line.box, line.confidence]
    if line.slope:
        return [*row, line.role.value, line.words, line.slope]
    if line.words:
        return [*row, line.role.value, line.words]
    return row if line.role is Role.BODY else [*row, line.role.value]


def line_of(row: Sequence[Any]) -> Line:
    start, end, box, confidence, *more = row
    role = Role(more[0]) if more else Role.BODY
    words = tuple(more[1]) if len(more) > 1 else ()
    return Line(start, end, box_of(box), confidence, role, words, float(more[2]) if len(more) > 2 else 0.0)


def box_of(value: Any) -> Box | None:
    return None if value is None else _box(value)


def boxes_of(value: Any) -> tuple[Box, ...]:
    """None, of a database that an earlier docpipe filled, as no boxes."""
    return tuple(map(_box, value or ()))


def page_boxes_of(value: Any) -> tuple[PageBox, ...]:
    """As `boxes_of`."""
    return tuple(PageBox(page, _box(box)) for page, box in value or ())


def _box(value: Sequence[float]) -> Box:
    """Postgres writes whole numbers without their point."""
    x0, y0, x1, y1 = map(float, value)
    return x0, y0, x1, y1
