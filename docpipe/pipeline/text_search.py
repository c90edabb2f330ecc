"""Searching the text of documents: which page says it, and where on the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from docpipe.errors import ConfigurationError
from docpipe.models import Box
from docpipe.stages.text.places import boxes_on
from docpipe.stores.ids import may_be_stored
from docpipe.stores.port import Store
from docpipe.stores.text_search import PageHit, occurrences, terms

_AROUND = 90
_MAX_LIMIT = 200
_DIVIDED = "  "
_Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: a half-open range of the document's text, and its boxes on the page, one a line."""

    start: int
    end: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A page that holds what was searched for."""

    document_uuid: str
    run: int
    name: str
    """The document's."""
    project_id: str | None
    page: int
    snippet: str
    """Text around the first occurrence, on one line."""
    marks: tuple[tuple[int, int], ...]
    """What was found, as half-open ranges of `snippet`."""
    places: tuple[Occurrence, ...]
    score: float
    """The higher the better; to be compared within one answer only."""


def search_text(store: Store, query: str, project_id: str | None, limit: int) -> list[Passage]:
    """See `Pipeline.search_text`."""
    if not 1 <= limit <= _MAX_LIMIT:
        raise ConfigurationError(f"limit={limit}: a search gives 1 to {_MAX_LIMIT} pages.")
    asked = terms(query)
    if not may_be_stored(project_id or ""):
        return []
    return [
        _passage(hit, occurrences(hit, asked))
        for hit in store.search_pages(asked, project_id=project_id, limit=limit)
    ]


def _passage(hit: PageHit, found: _Ranges) -> Passage:
    snippet, marks = _snippet(hit.text, found)
    return Passage(
        document_uuid=hit.ref.document_uuid,
        run=hit.ref.run,
        name=hit.name,
        project_id=hit.project_id,
        page=hit.page.number,
        snippet=snippet,
        marks=marks,
        places=tuple(_place(hit, start, end) for start, end in found),
        score=hit.score,
    )


def _place(hit: PageHit, start: int, end: int) -> Occurrence:
    if hit.text.startswith(_DIVIDED, end):  # the hyphen and the line's end, which `searchable` moved there
        end += len(_DIVIDED)
    start, end = hit.page.start + start, min(hit.page.start + end, hit.page.end)
    return Occurrence(start, end, boxes_on(hit.page, hit.text, start, end, offset=hit.page.start))


def _snippet(text: str, found: _Ranges) -> tuple[str, tuple[tuple[int, int], ...]]:
    left, right = _window(text, *(found[0] if found else (0, 0)))
    line, marks, place = "", [], left
    for start, end in found:
        if place <= start and end <= right:
            line = _joined(line, text[place:start])
            begin = len(line)
            line = _joined(line, text[start:end])
            marks.append((begin, len(line)))
            place = end
    return _joined(line, text[place:right]), tuple(marks)


def _window(text: str, start: int, end: int) -> tuple[int, int]:
    """Some words before and after, whole ones where there is white space to cut at."""
    left, right = max(0, start - _AROUND), min(len(text), end + _AROUND)
    if left and (space := re.search(r"\s", text[left:start])):
        left += space.end()
    if right < len(text) and (spaces := list(re.finditer(r"\s", text[end:right]))):
        right = end + spaces[-1].start()
    return left, right


def _joined(line: str, piece: str) -> str:
    """White space becomes single spaces."""
    piece = re.sub(r"\s+", " ", piece)
    return line + (piece.lstrip() if line[-1:] in {"", " "} else piece)
