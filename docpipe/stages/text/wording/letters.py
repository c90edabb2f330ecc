"""The parties of an agreement without opening words: a letter's addressee, and who is called the Company."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docpipe.models import FactType
from docpipe.stages.text.wording.names import NAME, has_form, is_name, is_organisation, label_of
from docpipe.stages.text.wording.values import Said

_HEAD = 3_000
_GREETING = re.compile(r"(?m)^(?:Ladies\s+and\s+Gentlemen|Gentlemen|Dear\s|Dear\b|To\s+[Ww]hom)")
_CALLED = re.compile(
    r"(?:\s+d/b/a\s[^()“\",]{2,60}?)?(?:,\s+(?:an?|with|having|whose|located)\s[^()“\"]{3,160})?(?:,?\s+(?:and|together|including|its|acting|or"
    r"|its)\b[^()“\"]{0,200})?,?\s*"
    r"\((?:[^()“\"]{0,120}?)[“\"](?P<term>[A-Z][\w &’'-]{1,40}?),?(?:[”\"]|'')\s*\)?"
)
_OFFICE = re.compile(
    r"(?:[A-Z]\w+\s+)*?(?:of\s+)?(?:Directors|Officers|President|Officer|Director|Employees?"
    r"|Members?|Stock)\s+(?:of|with)\s+"
)
_PAPER = re.compile(r"\b(?:AGREEMENT|Agreement|CONTRACT|Contract|LEASE|Lease|DEED|Deed|LETTER|Letter)\b")
_AND = re.compile(r"[,;]?\s+and\s+(?:the\s+|The\s+)?")
_WORD = re.compile(r"[\w’'-]+")
_MOST_WORDS = 4
_WITH_OTHERS = re.compile(r",?\s+(?:and|together|including|its|an?)\b")
"""What shows a name without a legal form to be a party: its affiliates are too, or it is described."""
_ARTICLE = re.compile(r"\b[Aa]n?\s$")


def addressee(text: str) -> Said | None:
    """The company that a letter is addressed to, else the person."""
    greeting = _GREETING.search(text, 0, _HEAD)
    if not greeting:
        return None
    person = None
    greeted = text[greeting.start() : text.find("\n", greeting.end())]
    for start, end in _lines(text, greeting.start()):
        found = NAME.match(text, start, end)
        if found and not text[found.end() : end].strip(" ,") and is_name(found.group()):
            span = (start, start + len(found.group().rstrip(" ,")))
            if has_form(found.group()):
                return Said(FactType.PARTY_TO, *span, "ORG", span, 0.85, "Addressee")
            if _is_greeted(found.group().split(), greeted):
                person = person or Said(FactType.PARTY_TO, *span, "PERSON", span, 0.8, "Addressee")
    return person


def _is_greeted(name: Sequence[str], greeting: str) -> bool:
    """Whether the greeting (`Dear Mr. Lee:`) calls the person by the first or the last name."""
    return 2 <= len(name) <= _MOST_WORDS and bool({name[0], name[-1]} & set(_WORD.findall(greeting)))


def _lines(text: str, end: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < end:
        stop = text.find("\n", start)
        yield start, min(stop if stop >= 0 else end, end)
        start = stop + 1 if stop >= 0 else end


def called(text: str) -> list[Said]:
    """Who is given a party's name at the head of the text: `Ann Taylor, Inc. (the "Company")`, and whoever is
    joined to that by `and` and given one too; else the first.
    """
    named: list[Said] = []
    for found in _names(text):
        joined = bool(named) and _AND.fullmatch(text, named[-1].shown[1], found.start()) is not None
        if (said := _called(text, found, joined)) is None:
            continue
        if joined:
            return [named[-1], said]
        named.append(said)
    return named[:1]


def _names(text: str) -> Iterator[re.Match[str]]:
    """The names at the head; behind the word of a paper (`AGREEMENT`) one begins anew."""
    place = 0
    while found := NAME.search(text, place, _HEAD):
        paper = _PAPER.search(found.group())
        place = found.start() + paper.end() if paper else found.end()
        if not paper:
            yield found


def _called(text: str, found: re.Match[str], joined: bool) -> Said | None:
    """The party that is given a name here: a company, or behind another party anybody."""
    behind = _CALLED.match(text, found.end(), _HEAD)
    if not behind or not is_name(found.group()):
        return None
    lead = _OFFICE.match(found.group())
    start = found.start() + (lead.end() if lead else 0)
    start += text[start : found.end()].rfind("\n") + 1 if not has_form(found.group()) else 0
    name = text[start : found.end()].rstrip(" ,")
    company = has_form(name) or (is_organisation(name) and _WITH_OTHERS.match(behind.group()))
    if not (company or joined) or _ARTICLE.search(text, max(0, start - 4), start) or not is_name(name):
        return None
    end = start + len(name)
    return Said(FactType.PARTY_TO, start, end, label_of(name), (start, behind.end()), 0.8, behind["term"])
