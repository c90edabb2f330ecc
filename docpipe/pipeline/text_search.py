"""Searching documents by their words or their meaning: which page says it, and where on the page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from docpipe.engines.ports import EmbedEngine
from docpipe.errors import ConfigurationError
from docpipe.models import Box
from docpipe.models.vectors import of_length_one
from docpipe.stages.text.places import boxes_on
from docpipe.stores.ids import may_be_stored
from docpipe.stores.port import Store
from docpipe.stores.text_search import PageHit, PassageHit, occurrences, terms

By = Literal["text", "meaning", "hybrid"]

_AROUND = 90
_MAX_LIMIT = 200
_PASSAGES_OF_A_PAGE = 5
"""As many of the best passages are looked at for each page that is asked for."""
_FUSION, _BY_WORDS = 10, 0.7
"""Of reciprocal rank fusion: how little the first places count above the next, and how much a place by words
counts beside one by meaning. Chosen on the questions and words of `benchmarks.search`.
"""
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
    """Text around the first occurrence, or the passage that was found by its meaning, on one line."""
    marks: tuple[tuple[int, int], ...]
    """The words that were found, as half-open ranges of `snippet`; of a meaning none."""
    places: tuple[Occurrence, ...]
    score: float
    """The higher the better; to be compared within one answer only."""
    chunk: int | None = None
    """Index of the chunk it lies in, where it was found by its meaning."""


def search_text(
    store: Store,
    query: str,
    project_id: str | None,
    limit: int,
    by: By = "text",
    engine: Callable[[], EmbedEngine] | None = None,
) -> list[Passage]:
    """See `Pipeline.search_text`. `engine` is asked for where the meaning counts."""
    if not 1 <= limit <= _MAX_LIMIT:
        raise ConfigurationError(f"limit={limit}: a search gives 1 to {_MAX_LIMIT} pages.")
    if by not in get_args(By):
        raise ConfigurationError(f"by={by!r}: a search goes by {', '.join(get_args(By))}.")
    if not may_be_stored(project_id or ""):
        return []
    if by == "text" or engine is None:
        return _by_text(store, query, project_id, limit)
    if by == "meaning":
        return _by_meaning(store, query, project_id, limit, engine())
    near = _by_meaning(store, query, project_id, limit, engine())
    return fused(_by_text(store, query, project_id, limit, any_term=True), near)[:limit]


def fused(said: Sequence[Passage], near: Sequence[Passage]) -> list[Passage]:
    """Two rankings made one by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): scores of
    two kinds cannot be compared, places in a list can. A page in both keeps the words that were found.
    """
    scores, best = defaultdict[tuple[str, int], float](float), dict[tuple[str, int], Passage]()
    for weight, ranking in ((1.0, near), (_BY_WORDS, said)):
        for rank, each in enumerate(ranking, 1):
            key = each.document_uuid, each.page
            scores[key] += weight / (_FUSION + rank)
            best[key] = replace(each, chunk=best[key].chunk if key in best else each.chunk)
    ranked = (replace(best[key], score=score) for key, score in scores.items())
    return sorted(ranked, key=lambda each: (-each.score, each.document_uuid, each.page))


def _by_meaning(
    store: Store, query: str, project_id: str | None, limit: int, engine: EmbedEngine
) -> list[Passage]:
    if not query.strip():
        raise ConfigurationError("The query is empty. Say what the pages should be about.")
    (values,) = engine.embed([query.strip()[: engine.max_characters]])
    several = limit * _PASSAGES_OF_A_PAGE
    hits = store.search_vectors(of_length_one(values), engine.name, project_id=project_id, limit=several)
    pages = dict[tuple[str, int], PassageHit]()
    for hit in hits:
        pages.setdefault((hit.page.ref.document_uuid, hit.page.page.number), hit)
    return [_nearby(hit) for hit in list(pages.values())[:limit]]


def _nearby(hit: PassageHit) -> Passage:
    offset = hit.page.page.start
    start, end = hit.start - offset, min(hit.end - offset, len(hit.page.text))
    said = _joined("", hit.page.text[start:end])
    return replace(_passage(hit.page, [(start, end)]), snippet=said, marks=(), chunk=hit.chunk)


def _by_text(
    store: Store, query: str, project_id: str | None, limit: int, *, any_term: bool = False
) -> list[Passage]:
    asked = terms(query)
    hits = store.search_pages(asked, project_id=project_id, limit=limit, any_term=any_term)
    return [_passage(hit, occurrences(hit, asked)) for hit in hits]


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
