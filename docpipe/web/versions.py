"""Two runs of a document side by side: what the later one changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.models import Document, Ref
from docpipe.stores.values import Part
from docpipe.web.render import page
from docpipe.web.site import number_of, view_of

_PARTS = (Part.TEXT, Part.PAGES, Part.MENTIONS, Part.ENTITIES, Part.RELATIONS)
_STEPS = 20_000_000
"""Seconds of computing; the pages of a document for which they do not suffice are compared without order."""
_MOST = 300
"""Differences of one kind that are shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one run has in a place, and the other instead; either may be empty."""

    page: int
    before: str
    after: str
    times: int = 1


def show(request: Request) -> Response:
    """The newest run beside the one before it, or those that were asked for."""
    view, uuid, asked = view_of(request), request.path_params["uuid"], request.query_params
    status = view.status(uuid)
    new = _run(asked.get("new"), status.run, status.run)
    old = _run(asked.get("old"), max(1, new - 1), status.run)
    before, after = (view.pipeline.store.load(Ref(uuid, run), _PARTS) for run in (old, new))
    text = list(changed_lines(before, after))
    kinds = [
        ("Text", "No line differs.", text),
        ("Mentions", "Both found the same names.", _items(_mentions(before), _mentions(after))),
        ("Relations", "Both found the same relations.", _items(_relations(before), _relations(after))),
    ]
    values: dict[str, Any] = {"runs": range(1, status.run + 1), "old": old, "new": new, "most": _MOST}
    return page(
        request, "versions.html", title=f"Runs of {status.name}", status=status, kinds=kinds, **values
    )


def _run(asked: str | None, default: int, last: int) -> int:
    """The run that was asked for, if there is one of this number."""
    number = number_of(asked)
    return number if number and number <= last else default


def changed_lines(before: Document, after: Document) -> Iterator[Difference]:
    """The lines that differ, page by page: what moved to another page differs on both."""
    olds, news, left = _pages(before), _pages(after), _STEPS
    for number in sorted(olds.keys() | news.keys()):
        old, new = olds.get(number, []), news.get(number, [])
        if old != new and (steps := _steps(old, new)) <= left:
            left -= steps
            yield from _in_order(number, old, new)
        elif old != new:
            gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
            yield Difference(number, "\n".join(gone.elements()), "\n".join(come.elements()))


def _steps(old: Sequence[str], new: Sequence[str]) -> int:
    """The most that comparing two pages in order can take: every line that is alike is looked at again for
    each piece that differs.
    """
    times = Counter(new)
    alike = sum(count * times[line] for line, count in Counter(old).items())
    return min(len(old), len(new)) * (len(old) + alike)


def _in_order(number: int, old: list[str], new: list[str]) -> Iterator[Difference]:
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Difference(number, "\n".join(old[a:b]), "\n".join(new[c:d]))


def _pages(document: Document) -> dict[int, list[str]]:
    return {each.number: document.text[each.start : each.end].splitlines() for each in document.pages}


def _mentions(document: Document) -> Iterator[tuple[int, str]]:
    return ((each.page, f"{each.label} {each.text}") for each in document.mentions)


def _relations(document: Document) -> Iterator[tuple[int, str]]:
    names = {each.index: each.name for each in document.entities}
    for each in document.relations:
        yield each.evidence.page, f"{names[each.source]} {each.type} {names[each.target]}"


def _items(before: Iterable[tuple[int, str]], after: Iterable[tuple[int, str]]) -> list[Difference]:
    """What only one of them has, in the order of the pages."""
    olds, news = Counter(before), Counter(after)
    gone = [Difference(page, said, "", times) for (page, said), times in (olds - news).items()]
    come = [Difference(page, "", said, times) for (page, said), times in (news - olds).items()]
    return sorted(gone + come, key=lambda each: (each.page, each.before or each.after, each.after))


ROUTES = [Route("/documents/{uuid}/runs", show)]
