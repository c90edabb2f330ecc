"""One document: its pages with what was found on them, its entities and relations, and its story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.errors import ConfigurationError, DocpipeError
from docpipe.models import Attempt, Box, Document, Evidence, FactType, Page, Ref
from docpipe.stages.text.places import boxes_on
from docpipe.stores.excerpt import Excerpt, Window, first_of
from docpipe.stores.text_search import PageHit, occurrences, searchable, terms
from docpipe.stores.values import Part
from docpipe.web.drawing import drawn
from docpipe.web.render import page
from docpipe.web.site import number_of, site_of, view_of

_QUOTED = 400
_WHOLE = (Part.TEXT, Part.FACTS, Part.CHILDREN)
"""Of all else a long document has so much that a window of it is read."""
_WORDS = {
    FactType.PARTY_TO: "party",
    FactType.DATED: "date",
    FactType.GOVERNED_BY: "law",
    FactType.TERM_OF: "term",
    FactType.NUMBERED: "number",
    FactType.AMOUNT_OF: "amount",
    FactType.SIGNED_BY: "signed by",
    FactType.PAID_TO: "paid to",
}
"""What a type of fact is called where its own name is no plain English."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a page: a mention, or what was searched for (`label` is `found` then)."""

    start: int
    end: int
    label: str
    title: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page as it is shown: its text in pieces, some of them marked."""

    page: Page
    marks: list[Mark]
    pieces: list[tuple[str, Mark | None]]


def show(request: Request) -> Response:
    """A document: a few of its pages at a time, and what comes first in its lists."""
    view, uuid, asked = view_of(request), request.path_params["uuid"], request.query_params
    status, store = view.status(uuid), view.pipeline.store
    ref = Ref(uuid, status.result_run or status.run)
    window = _window(asked)
    excerpt, document = store.excerpt(ref, window), store.load(ref, _WHOLE)
    values: dict[str, Any] = {
        "status": status,
        "document": document,
        "window": window,
        "excerpt": excerpt,
        "leaves": [_leaf(document, excerpt, each, asked.get("q", "")) for each in excerpt.pages],
        "first": first_of(window, excerpt.page_count) + 1,
        "label": window.label,
        "q": asked.get("q", ""),
        "stages": view.pipeline.stages,
        "story": story(view.pipeline.attempts(uuid)),
        "facts": _facts(document),
        "entity_count": _count(excerpt, window.label),
        "evidence": {each: _quoted(document, each.evidence) for each in excerpt.relations},
        "drawing": drawn(excerpt.ends, excerpt.graph, excerpt.related) if excerpt.graph else None,
    }
    return page(request, "document.html", title=document.name, **values)


def _window(asked: QueryParams) -> Window:
    """What is asked for in an address: `page`, and of the lists the place from which on they are shown."""
    number, entity, relation = (number_of(asked.get(each)) or 1 for each in ("page", "entity", "relation"))
    return Window(
        page=number, label=asked.get("label", ""), skipped_entities=entity - 1, skipped_relations=relation - 1
    )


def _count(excerpt: Excerpt, label: str) -> int:
    return excerpt.labels.get(label, 0) if label else sum(excerpt.labels.values())


def _quoted(document: Document, evidence: Evidence) -> str:
    said = " ".join(document.text[evidence.start : evidence.end].split())
    return said if len(said) <= _QUOTED else f"{said[: _QUOTED - 1]}…"


def _facts(document: Document) -> list[dict[str, Any]]:
    """What the document says of itself, a line for each fact."""
    items = document.facts.items if document.facts else ()
    return [
        {
            "fact": each,
            "said": _WORDS.get(each.type, each.type.value.lower().replace("_", " ")),
            "evidence": _quoted(document, each.evidence),
        }
        for each in items
    ]


def _leaf(document: Document, excerpt: Excerpt, shown: Page, query: str) -> Leaf:
    marks = [*_mentions(document, excerpt, shown), *_searched(document, shown, query)]
    return Leaf(shown, marks, list(_pieces(document.text, shown, marks)))


def _mentions(document: Document, excerpt: Excerpt, shown: Page) -> Iterator[Mark]:
    for each in excerpt.mentions:
        if each.page == shown.number:
            title = f"{each.label}: {each.text}"
            boxes = each.boxes or boxes_on(shown, document.text, each.start, each.end)
            yield Mark(each.start, each.end, each.label, title, boxes)


def _searched(document: Document, shown: Page, query: str) -> Iterator[Mark]:
    """The words of a search in the form in which they were asked for."""
    try:
        asked = terms(query)
    except ConfigurationError:
        return
    text = searchable(document.text[shown.start : shown.end])
    hit = PageHit(Ref(document.document_uuid, document.run), "", None, shown, text, (), 0.0)
    for start, end in occurrences(hit, asked):
        place = shown.start + start, shown.start + end
        yield Mark(*place, "found", "found", boxes_on(shown, document.text, *place))


def _pieces(text: str, shown: Page, marks: Sequence[Mark]) -> Iterator[tuple[str, Mark | None]]:
    place = shown.start
    for each in sorted(marks, key=lambda mark: (mark.start, mark.label != "found", -mark.end)):
        if each.start < place:
            continue
        yield text[place : each.start], None
        yield text[each.start : each.end], each
        place = each.end
    yield text[place : shown.end], None


def story(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The attempts at the document, with the time that each took."""
    return [
        {"attempt": each, "seconds": each.ended_at and (each.ended_at - each.started_at).total_seconds()}
        for each in attempts
    ]


def picture(request: Request) -> Response:
    """A page's picture; 404 where there is none, and the page's text has to do."""
    view, uuid = view_of(request), request.path_params["uuid"]
    status, number = view.status(uuid), number_of(request.path_params["number"])
    if not number:
        raise HTTPException(404, "There is no such page.")
    try:
        drawn = site_of(request).pictures.picture(Ref(uuid, status.result_run or status.run), number)
    except DocpipeError as error:
        raise HTTPException(404, str(error)) from error
    if drawn is None:
        raise HTTPException(404, "This page has no picture.")
    return Response(drawn, media_type="image/webp", headers={"Cache-Control": "private, max-age=600"})


ROUTES = [
    Route("/documents/{uuid}", show),
    Route("/documents/{uuid}/pages/{number}", picture),
]
