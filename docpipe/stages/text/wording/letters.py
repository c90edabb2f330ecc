"""The parties of an agreement without opening words: a letter's addressee, and who is called the Company."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.models import FactType
from docpipe.stages.text.wording.names import NAME, has_form, is_name, label_of
from docpipe.stages.text.wording.values import Said

_HEAD = 3_000
_GREETING = re.compile(r"(?m)^(?:Ladies\s+and\s+Gentlemen|Gentlemen|Dear\s|Dear\b|To\s+[Ww]hom)")
_CALLED = re.compile(
    r"(?:,\s+an?\s[^()“\"]{3,120})?(?:,?\s+(?:and|together|including|its|acting|or"
    r"|its)\b[^()“\"]{0,200})?,?\s*"
    r"\((?:[^()“\"]{0,120}?)[“\"](?P<term>[A-Z][\w &’'-]{1,40}?),?(?:[”\"]|'')"
)
_OFFICE = re.compile(
    r"(?:[A-Z]\w+\s+)*?(?:of\s+)?(?:Directors|Officers|President|Officer|Director|Employees?"
    r"|Members?|Stock)\s+(?:of|with)\s+"
)
_ARTICLE = re.compile(r"\b[Aa]n?\s$")


def addressee(text: str) -> Said | None:
    """The company that a letter is addressed to, else the person."""
    greeting = _GREETING.search(text, 0, _HEAD)
    if not greeting:
        return None
    person = None
    for start, end in _lines(text, greeting.start()):
        found = NAME.match(text, start, end)
        if found and not text[found.end() : end].strip(" ,") and is_name(found.group()):
            span = (start, start + len(found.group().rstrip(" ,")))
            if has_form(found.group()):
                return Said(FactType.PARTY_TO, *span, "ORG", span, 0.85, "Addressee")
    return person


def _lines(text: str, end: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < end:
        stop = text.find("\n", start)
        yield start, min(stop if stop >= 0 else end, end)
        start = stop + 1 if stop >= 0 else end


def called(text: str) -> Iterator[Said]:
    """Who is given a party's name at the head of the text: `Ann Taylor, Inc. (the "Company")`."""
    for found in NAME.finditer(text, 0, _HEAD):
        behind = _CALLED.match(text, found.end(), _HEAD)
        if behind and is_name(found.group()):
            lead = _OFFICE.match(found.group())
            start = found.start() + (lead.end() if lead else 0)
            term, name = behind["term"], text[start : found.end()].rstrip(" ,")
            if has_form(name) and not _ARTICLE.search(text, max(0, start - 4), start) and is_name(name):
                span = (start, start + len(name))
                yield Said(FactType.PARTY_TO, *span, label_of(name), (span[0], behind.end()), 0.8, term)
