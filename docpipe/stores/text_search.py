"""What both stores share about searching pages: the query, the text that is searched, and the marks in it."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from docpipe.errors import ConfigurationError
from docpipe.models import Page, Ref

MAX_CHARACTERS = 100_000
"""Of a page, that are searched."""
MAX_WORDS = 100
"""Of a query."""
MARK, UNMARK = "\x02", "\x03"
"""Around what was found; no text that was read holds them."""

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_WORD = re.compile(r"[^\W_]+")
_DIVIDED = re.compile(r"(?<=[^\W\d_])-\n([^\W\d_]+)")
_MARKS = re.compile(f"[{MARK}{UNMARK}]")


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand one after the other, or, with `wanted` false, must not."""

    words: tuple[str, ...]
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class PageHit:
    """A page that a query finds."""

    ref: Ref
    name: str
    """The document's."""
    project_id: str | None
    page: Page
    text: str
    """The page's, as `searchable` makes it."""
    marked: tuple[tuple[int, int], ...]
    """What the database takes for words of the query, as half-open ranges of `text`."""
    score: float
    """The higher the better; to be compared within one answer only."""


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage whose meaning is near to a query's."""

    page: PageHit
    """Where it begins. The score is the cosine of the angle between the two vectors."""
    chunk: int
    start: int
    end: int
    """Offsets into the document's text."""


def terms(query: str) -> tuple[Term, ...]:
    """The terms of a query: words, `"several words"` for a phrase, and `-word` for what must not be there.

    Raises:
        ConfigurationError: it asks for no word, or for too many.
    """
    found = [
        Term(words, wanted=not minus)
        for minus, phrase, word in _TERM.findall(query)
        if (words := tuple(_WORD.findall(phrase or word)))
    ]
    if not any(term.wanted for term in found):
        raise ConfigurationError(f"{query[:80]!r} asks for no word. Name one that the pages must hold.")
    if (count := sum(len(term.words) for term in found)) > MAX_WORDS:
        raise ConfigurationError(f"The query has {count:,} words. Ask for {MAX_WORDS} at most.")
    return tuple(sorted(dict.fromkeys(found), key=lambda term: not term.wanted))


def fts5(query: tuple[Term, ...], *, any_term: bool = False) -> str:
    """The query in SQLite's words."""
    wanted = (" OR " if any_term else " AND ").join(_quoted(term) for term in query if term.wanted)
    return f"({wanted})" + "".join(f" NOT {_quoted(term)}" for term in query if not term.wanted)


def websearch(query: tuple[Term, ...]) -> str:
    """The query in the words of Postgres' `websearch_to_tsquery`."""
    return " ".join(("" if term.wanted else "-") + _quoted(term) for term in query)


def _quoted(term: Term) -> str:
    return f'"{" ".join(term.words)}"'


def searchable(text: str) -> str:
    """A page's text as it is searched, character for character as long: a word divided at the end of a line
    is put together, and two spaces follow it. `docpipe_searchable` in `sql/` does the same.
    """
    return _DIVIDED.sub(r"\1  ", text[:MAX_CHARACTERS])


def marked_ranges(marked: str) -> tuple[tuple[int, int], ...]:
    """The ranges between marks, as ranges of the text without them."""
    places = [mark.start() - number for number, mark in enumerate(_MARKS.finditer(marked))]
    return tuple(zip(places[::2], places[1::2], strict=True))


def occurrences(hit: PageHit, query: tuple[Term, ...]) -> list[tuple[int, int]]:
    """Where the wanted terms stand in the text of the page, each place once, in order.

    A database marks every word of the query, those of a phrase also where they stand alone; here they must
    follow each other. Of an English word the database knows the forms: they begin with the same letter.
    """
    words = list(_WORD.finditer(hit.text))
    starts = [word.start() for word in words]
    marked = set[int]()
    for start, end in hit.marked:
        marked.update(range(bisect_left(starts, start), bisect_left(starts, end)))
    wanted = [[word.lower() for word in term.words] for term in query if term.wanted]
    alone = {term[0] for term in wanted if len(term) == 1}
    letters = {word[:1] for word in alone}
    found = set[tuple[int, int]]()
    for place, word in enumerate(words):
        lower = word[0].lower()
        if lower in alone or (place in marked and lower[:1] in letters):
            found.add(word.span())
    for term in (each for each in wanted if len(each) > 1):
        for first in range(len(words) - len(term) + 1):
            if all(_is(words[first + n][0], word, first + n in marked) for n, word in enumerate(term)):
                found.add((words[first].start(), words[first + len(term) - 1].end()))
    return sorted(found)


def _is(word: str, wanted: str, is_marked: bool) -> bool:
    lower = word.lower()
    return lower == wanted or (is_marked and lower[:1] == wanted[:1])
