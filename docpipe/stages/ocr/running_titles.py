"""What stands at the head or foot of page after page is marked, so that it can be told from the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from docpipe.models import Line, Page, Role

_EDGE = 0.12
"""Part of the page's height at its head and at its foot where running titles stand."""
_PAGES = 3
"""As many pages must have it; all, where a document has fewer."""
_DIGITS = re.compile(r"\d+")

_Key = tuple[Role, str]


def mark_running_titles(text: str, pages: Sequence[Page]) -> tuple[Page, ...]:
    """The pages with the role of each line that most likely is a header or footer.

    That is what stands at the edge of at least three pages (both of two) in the same words, numbers
    aside. Pages without geometry, and documents of one page, stay as they are. Nothing is taken out
    of the text.
    """
    if len(pages) < 2:
        return tuple(pages)
    found = [dict(_edges(text, page)) for page in pages]
    counts = Counter(key for keys in found for key in set(keys.values()))
    least = min(_PAGES, len(pages))
    return tuple(
        _marked(page, {place: key[0] for place, key in keys.items() if counts[key] >= least})
        for page, keys in zip(pages, found, strict=True)
    )


def _edges(text: str, page: Page) -> Iterator[tuple[int, _Key]]:
    """Positions of the lines at the page's edges, and what they say where."""
    if not page.height:
        return
    head, foot = _EDGE * page.height, (1 - _EDGE) * page.height
    for position, line in enumerate(page.lines):
        if line.box and (line.box[3] < head or line.box[1] > foot):
            role = Role.HEADER if line.box[3] < head else Role.FOOTER
            yield position, (role, _DIGITS.sub("#", text[line.start : line.end].casefold()))


def _marked(page: Page, roles: dict[int, Role]) -> Page:
    if not roles:
        return page
    lines = (_with_role(line, roles.get(position)) for position, line in enumerate(page.lines))
    return replace(page, lines=tuple(lines))


def _with_role(line: Line, role: Role | None) -> Line:
    return line if role is None else replace(line, role=role)
