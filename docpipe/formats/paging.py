"""Pages for formats that have lines but no geometry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docpipe.formats.base import RawPage, TextLine
from docpipe.formats.clean import clean


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text; runs of blank lines count as one, those at either end as none."""
    blank = False
    seen = False
    for line in clean(text).split("\n"):
        if not line.strip():
            blank = seen
            continue
        if blank:
            yield ""
        yield line.rstrip()
        blank, seen = False, True


def paginate(lines: Iterable[str], max_characters: int) -> Iterator[RawPage]:
    """Pages of at most `max_characters`, broken between lines; only a longer line is itself cut.

    No lines give one empty page, so that every document has a page.
    """
    page: list[TextLine] = []
    size = 0
    for line in _short_lines(lines, max_characters):
        if size + len(line) > max_characters:
            yield RawPage(None, None, tuple(page))
            page, size = [], 0
        page.append(TextLine(line))
        size += len(line) + 1
    yield RawPage(None, None, tuple(page))


def _short_lines(lines: Iterable[str], limit: int) -> Iterator[str]:
    for line in lines:
        if len(line) <= limit:
            yield line
        else:
            yield from (line[start : start + limit] for start in range(0, len(line), limit))
