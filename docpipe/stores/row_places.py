"""Places on pages to JSON and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docpipe.models import Box, Line, PageBox, Role


def line_row(line: Line) -> list[Any]:
    """`[start, end, box, confidence]`; then its role and the places of its words, if there is more to say."""
    row: list[Any] = [line.start, line.end, line.box, line.confidence]
    if line.words:
        return [*row, line.role.value, line.words]
    return row if line.role is Role.BODY else [*row, line.role.value]


def line_of(row: Sequence[Any]) -> Line:
    start, end, box, confidence, *more = row
    role = Role(more[0]) if more else Role.BODY
    return Line(start, end, box_of(box), confidence, role, tuple(more[1]) if len(more) > 1 else ())


def box_of(value: Any) -> Box | None:
    return None if value is None else (value[0], value[1], value[2], value[3])


def boxes_of(value: Any) -> tuple[Box, ...]:
    """None, of a database that an earlier docpipe filled, as no boxes."""
    return tuple((box[0], box[1], box[2], box[3]) for box in value or ())


def page_boxes_of(value: Any) -> tuple[PageBox, ...]:
    """As `boxes_of`."""
    return tuple(PageBox(page, (box[0], box[1], box[2], box[3])) for page, box in value or ())
