"""Where a span of text stands on the page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from docpipe.formats.word_places import LONGEST, extent
from docpipe.models import Box, Line, Page, PageBox


def page_at(pages: Sequence[Page], offset: int) -> int:
    """The position in `pages` (sorted by start) of the page that holds the character at `offset`."""
    return max(0, bisect_right(pages, offset, key=lambda page: page.start) - 1)


def locate(text: str, pages: Sequence[Page], start: int, end: int) -> tuple[int, tuple[Box, ...]]:
    """The page number of `text[start:end]` and its boxes on that page, one for each line it covers.

    Of a line the span covers in part, the box reaches from the first of its words to the last; see
    `docpipe.formats.word_places`. Of a span over several pages, the piece on its first page. There are no
    boxes where the page has no geometry. Logarithmic in pages and lines.
    """
    if not pages:
        return 1, ()
    page = pages[page_at(pages, start)]
    return page.number, boxes_on(page, text, start, end)


def boxes_of(text: str, pages: Sequence[Page], start: int, end: int) -> tuple[PageBox, ...]:
    """As `locate`, on all pages that the span covers."""
    found = []
    for page in pages[page_at(pages, start) :]:
        if page.start >= end:
            break
        found += [PageBox(page.number, box) for box in boxes_on(page, text, start, end)]
    return tuple(found)


def around(boxes: Sequence[Box]) -> Box | None:
    """The box that encloses all of them."""
    if not boxes:
        return None
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def boxes_on(page: Page, text: str, start: int, end: int, *, offset: int = 0) -> tuple[Box, ...]:
    """The boxes on one page of what stands from `start` to `end`, one for each line it covers; see `locate`.
    `text` begins at `offset`: it may be the page's alone."""
    return tuple(_boxes(page, text, start, end, offset))


def _boxes(page: Page, text: str, start: int, end: int, offset: int) -> Iterator[Box]:
    for line in _touched(page.lines, start, end):
        first, last = max(start, line.start), min(end, line.end)
        if line.box is None or not text[first - offset : last - offset].strip():
            continue
        if line.end - line.start > LONGEST:
            yield line.box
        else:
            whole = text[line.start - offset : line.end - offset]
            yield extent(whole, line.box, line.words, first - line.start, last - line.start, line.slope)


def _touched(lines: Sequence[Line], start: int, end: int) -> Iterator[Line]:
    first = bisect_right(lines, start, key=lambda line: line.end)
    last = bisect_left(lines, end, key=lambda line: line.start)
    yield from lines[first:last]
