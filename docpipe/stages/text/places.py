"""Where a span of text stands on the page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from docpipe.models import Box, Line, Page


def page_at(pages: Sequence[Page], offset: int) -> int:
    """The position in `pages` (sorted by start) of the page that holds the character at `offset`."""
    return max(0, bisect_right(pages, offset, key=lambda page: page.start) - 1)


def locate(pages: Sequence[Page], start: int, end: int) -> tuple[int, Box | None]:
    """The page number of `text[start:end]` and its box on that page.

    Of a line the span covers in part, the part is taken in proportion to the characters, as if all
    were equally wide; a line taller than wide (vertical or rotated text) is taken whole. A span
    over several lines gets the box around its pieces; one over several pages, the piece on its
    first page. The box is None where the page has no geometry. Logarithmic in pages and lines.
    """
    if not pages:
        return 1, None
    page = pages[page_at(pages, start)]
    if not page.lines:
        return page.number, None
    pieces = [piece for line in _touched(page.lines, start, end) if (piece := _piece(line, start, end))]
    return page.number, _around(pieces) if pieces else None


def boxes_of(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """The boxes of `text[start:end]` on its page, one for each line it covers, cut as in `locate`."""
    pieces = (_piece(line, start, end) for line in _touched(page.lines, start, end))
    return tuple(piece for piece in pieces if piece is not None)


def _touched(lines: Sequence[Line], start: int, end: int) -> Iterator[Line]:
    first = bisect_right(lines, start, key=lambda line: line.end)
    last = bisect_left(lines, end, key=lambda line: line.start)
    yield from lines[first:last]


def _piece(line: Line, start: int, end: int) -> Box | None:
    if line.box is None:
        return None
    x0, y0, x1, y1 = line.box
    if y1 - y0 > x1 - x0:
        return line.box
    step = (x1 - x0) / (line.end - line.start)
    left = x0 + step * (max(start, line.start) - line.start)
    right = x1 - step * (line.end - min(end, line.end))
    return left, y0, right, y1


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
