"""Companies by the short names that their document gives them: `Northwind` of Northwind Traders, Inc."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set

from docpipe.engines.ports import Span
from docpipe.stages.entities.companies import without_form
from docpipe.stages.entities.names import first_and_last_names, only_roles
from docpipe.stages.text.abbreviations import defines

_DEFINED = re.compile(
    r"[^\S\n]{0,2}\n?\((?:[Tt]he |hereinafter |collectively,? |together,? ){0,2}[^\S\n]?[\"“”]?[^\S\n]?"
    r"(?P<short>[A-Z][\w&’'.-]{1,20}(?: [A-Z][\w&’'-]{1,20}){0,3})[^\S\n]?[\"“”]?\)"
)
"""A short name in brackets behind the full one: `(“ Paloma ”)`, `(FDIC)`."""
_NAME = re.compile(r"(?<![\w&'’.-])[^\W\d_a-zß-öø-ÿ][\w&’-]*")
_SMALL = re.compile(r"(?<![\w.@/-])[a-z]{3,}(?![\w@/]|\.\w)")
_NAME_BEFORE = re.compile(r"[A-Z][\w’-]{0,30} $")
_NAME_AFTER = re.compile(r"[\w&]|[ -][A-Z&]|’?'?[A-Z]")
_LEAST = 4
"""Letters of one word that can stand for a company."""
_REACH = 32
_MOST = 8
"""Names that begin with one word."""


def companies_by_short_name(text: str, spans: Sequence[Span], companies: Iterable[Span]) -> list[Span]:
    """The sorted spans, those that are a company's short name as ORG, with more where it was missed.

    A short name stands in brackets behind the full one, as its acronym or beginning, or is the beginning of
    one of `companies`, which have their legal form: nobody is a PERSON by that alone. Where the document
    calls a company so once, it does everywhere, unless it writes the words small too.
    """
    whole = [*companies, *(span for span in spans if span.label == "ORG")]
    defined = {short for span in whole if (short := _defined(text, span))}
    begun = {name for span in companies for name in _beginnings(text[span.start : span.end])}
    begun.difference_update(first_and_last_names(text, spans))
    named = [_as_company(text, span, defined, begun) for span in spans]
    found = {text[span.start : span.end] for span in named if span.label == "ORG"}
    small = frozenset(_SMALL.findall(text))
    sure = {name for name in defined | (begun & found) if name.lower() not in small}
    return sorted([*named, *_missed(text, named, sure)], key=lambda span: span.start)


def _as_company(text: str, span: Span, defined: Set[str], begun: Set[str]) -> Span:
    name = text[span.start : span.end]
    company = name in defined if span.label == "LOCATION" else name in defined or name in begun
    return span._replace(label="ORG") if company and span.label in ("PERSON", "LOCATION") else span


def _defined(text: str, span: Span) -> str | None:
    """The short name in brackets behind the span."""
    found = _DEFINED.match(text, span.end)
    if not found or only_roles(found["short"]):
        return None
    full, short = text[span.start : span.end], found["short"]
    return short if defines(full, short) or full.startswith(f"{short} ") else None


def _beginnings(company: str) -> Iterator[str]:
    """What a company can be called: its name without the form, and how that begins."""
    words = without_form(company).split()
    for count in range(1, len(words) + 1):
        name = " ".join(words[:count]).rstrip(",")
        if (count > 1 or len(name) >= _LEAST) and name[-1].isalnum() and not only_roles(name):
            yield name


def _missed(text: str, spans: Sequence[Span], names: Set[str]) -> Iterator[Span]:
    """Where one of the names stands in no span and is no part of a longer name."""
    by_word: dict[str, list[str]] = {}
    for name in sorted(names, key=len, reverse=True):
        by_word.setdefault(name.split()[0], []).append(name)
    taken = iter([*spans, Span(len(text) + 1, len(text) + 1, "")])
    span = next(taken)
    for found in _NAME.finditer(text) if names else ():
        start = found.start()
        while span.end <= start:
            span = next(taken)
        begun = by_word.get(found.group(), ())[:_MOST]
        end = next((start + len(name) for name in begun if text.startswith(name, start)), start)
        if start < end <= span.start and _is_alone(text, start, end):
            yield Span(start, end, "ORG", 0.8)


def _is_alone(text: str, start: int, end: int) -> bool:
    before = _NAME_BEFORE.search(text, max(0, start - _REACH), start)
    return not before and not _NAME_AFTER.match(text, end)
