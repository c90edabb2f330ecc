"""The parties of an agreement, by its opening words: `between X, a company (the "Borrower"), and Y`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.models import FactType
from docpipe.stages.text.wording.names import has_form, label_of, name_at
from docpipe.stages.text.wording.values import Said

HEAD = 5_000
"""An agreement names its parties in its first characters."""
_LONGEST = 2_500

_OPENS = re.compile(
    r"(?:(?i:\bby\s++and\s++(?:between|among)(?:st)?\b)|\bbetween\b|\bamong(?:st)?\b"
    r"|\bPARTIES(?:\s*+:|[^\S\n]*\n(?=\s*+\(?1[.)])))(?i:\s++and\s++among)?\s*+:?\s*+"
)
_PAPER = re.compile(
    r"(?i)\b(?:agreement|contract|lease|deed|covenant|amendment|nda|memorandum|letter"
    r"|undertaking)s?\b"
)
_NO_PAPER = re.compile(
    r"(?i)\b(?:relationship|discussions?|negotiations?|transactions?|communications?|exchange"
    r"|combination|difference|conflict"
    r"|dispute|merger|understanding|disclosed"
    r"|confidential\s++information)\s++(?:or\s++\w+\s++)?(?:is\s++|are\s++)?$"
)
_ABBREVIATIONS = (
    "Inc",
    "INC",
    "Ltd",
    "LTD",
    "Co",
    "CO",
    "Corp",
    "CORP",
    "No",
    "St",
    "Mr",
    "Ms",
    "Mrs",
    "Dr",
    "Ave",
    "Blvd",
    "d/b/a",
)
_SENTENCE = re.compile(
    r"(?<!\b[A-Z])" + "".join(rf"(?<!\b{word})" for word in _ABBREVIATIONS) + r"\.\s++(?=[A-Z“\"\d])"
)
_STOP = re.compile(
    r"\b(?i:w\s?i\s?t\s?n\s?e\s?s\s?s\s?e\s?t\s?h|whereas|now,?\s++therefore|in\s++consideration"
    r"|under\s++the\s++following\s++terms|agree\s++as\s++follows"
    r"|(?-i:RECITALS?|R E C I T A L S"
    r"|BACKGROUND|TABLE\s++OF\s++CONTENTS"
    r"|Recitals|Background|AGREEMENT:|STATEMENT OF|Preliminary|PRELIMINARY))"
)
_GAP = re.compile(
    r"(?:[\s,;:–—-]|\b(?:and|AND|And|both|the|THE|either)\b(?=[\s,])|\((?:\d|[a-z]|i{1,3}|iv)\)"
    r"|\d\.(?=\s)|[A-D]\.(?=\s)(?!\s[A-Z]\.)|(?i:(?:third-party\s)?(?:plaintiff|defendant|claimant)s?"
    r"(?:/[a-z-]{3,30})?)(?=\s))*"
)
DEFINED = re.compile(
    r"\(\s*+[^()“\"”]{0,120}?[“\"]\s*+(?P<term>[^“”\"()]{1,60}?)\s*+[,.]?[”\"][^()]{0,200}\)"
    r"|\((?:the\s++)?(?P<bare>[A-Z][\w&-]{1,20}(?:\s[A-Z][\w-]+)?)\):?"
    r"|\b(?i:hereinafter|herein|hereafter)\s++(?:\w+\s++){0,4}?(?:as\s++)?(?:the\s++)?[“\"]?"
    r"(?P<called>[A-Z][\w& -]{1,30}?)[”\"]?\s*+(?=[,;.)])"
)
_PARENTHESIS = re.compile(r"[()]")
_NEXT = re.compile(
    r"(?:(?:[,;]|(?<![\s,;]))\s++(?:and|AND),?\s++|;\s++|\)(?:\s*+[,;])?\s++(?:and\s++)?"
    r"|[,;][^\S\n]{0,9}\n\s*+)(?:(?:\(?(?:\d|[b-z])[.)]|\([B-Z]\)|[B-D][.)])\s++(?![A-Z]\.\s))?(?:the\s++)?(?=[a-z]?[A-Z0-9“\"_\[«(])"
)
_AS = re.compile(
    r"(?i:\bas)\s++(?:the\s++|an?\s++)?(?P<role>[A-Z][a-z]+(?:\s++[A-Z][a-z]+){0,2})(?=[^\S\n]*+\n|\s*+(?:[,;.)]|$)|\s++and\b)"
)
_NUMBERED = re.compile(r"(?:\.|(?<![\s.]))[^\S\n]*+\n\s*+\(\d{1,2}\)\s++(?=[A-Z])")
_PLACE_BEFORE = re.compile(r"\b(?:of|in|under)\s++[A-Z]\w+$")
_FIELD = re.compile(
    r"(?m)^[^\S\n]*+(?P<role>(?:(?:Disclosing|Receiving|First|Second|Third)[^\S\n]++)?Party(?:[^\S\n]++[A-Z\d])?"
    r"|Landlord|Tenant|Lessor|Lessee|Seller|Buyer|Purchaser|Vendor|Lender|Borrower|Licensor|Licensee"
    r"|Employer|Employee|Supplier|Customer|Client|Contractor|Consultant|Discloser|Recipient)"
    r"[^\S\n]*+:\s*+(?P<value>\S[^\n]*+)"
)
_COLLECTIVE = re.compile(r"(?i)part(?:y|ies)\b|agreement$|date$|individually|collectively")
_PARTY_FOLLOWS = re.compile(
    r"[^\S\n]*+\n|\s++and/or\b|\s*+(?:,\s*+(?:an?|the|with|having|whose|located|organi|individually|residing|duly|in\s++his"
    r"|in\s++her|of|for|on\s++behalf|and\s++(?:its|any)|its|together|\d)\b"
    r"|\(|[.;:]|,?\s*+$|(?:,\s++|(?<=\s))(?:an?|with|having|whose|of|d/b/a|to|regarding|relating|effective"
    r"|dated|as|on|for|is|located|\d)\b)"
)


def labelled_parties(text: str) -> list[Said]:
    """The parties in the fields of a form at the head, with their labels as roles; empty for one."""
    found = []
    for field in _FIELD.finditer(text, 0, HEAD):
        if span := name_at(text, field.start("value"), field.end()):
            described = f"{text[span[1] : field.end()]} {field['role']}"
            label = label_of(" ".join(text[slice(*span)].split()), described)
            found.append(Said(FactType.PARTY_TO, *span, label, (field.start(), span[1]), 0.9, field["role"]))
    return found if len(found) > 1 else []


def read_parties(text: str) -> list[Said]:
    """The parties that the opening words name, in their order; empty where there are no such words."""
    for opening in _OPENS.finditer(text, 0, HEAD):
        if not _is_opening(text, opening):
            continue
        found = list(_listed(text, opening.end(), _limit(text, opening.end())))
        if found:
            return found
    return []


def _is_opening(text: str, opening: re.Match[str]) -> bool:
    if opening.group().startswith(("PARTIES", "Parties")):
        return True
    before = text[max(0, opening.start() - 450) : opening.start()]
    sentence = _SENTENCE.split(before)[-1]
    return bool(_PAPER.search(sentence)) and not _NO_PAPER.search(sentence)


def _limit(text: str, start: int) -> int:
    ends = (found.start() for pattern in (_STOP,) if (found := pattern.search(text, start, start + _LONGEST)))
    return min([*ends, start + _LONGEST, len(text)])


def _listed(text: str, start: int, limit: int) -> Iterator[Said]:
    place: int | None = start
    first = True
    while place is not None and place < limit:
        gap = _GAP.match(text, place, limit)
        begin = gap.end() if gap else place
        span = name_at(text, begin, limit)
        after = span[1] if span else begin
        end = _described(text, after, limit)
        if span and (first or has_form(text[slice(*span)]) or _PARTY_FOLLOWS.match(text, span[1], limit + 1)):
            yield _party(text, span, end)
        first = False
        place = _next(text, end, limit)


def _described(text: str, start: int, limit: int) -> int:
    """Where the words about a party end: before the next one, at the end of the sentence, or at the limit."""
    for found in _NEXT.finditer(text, start, limit):
        if _depth(text, start, found.start() + found.group().startswith(")")) == 0 and _begins(
            text, found.end(), limit
        ):
            if _PLACE_BEFORE.search(text[max(start, found.start() - 40) : found.start()]):
                continue
            return min(found.start() + found.group().startswith(")"), _sentence_end(text, start, limit))
    return _sentence_end(text, start, limit)


def _sentence_end(text: str, start: int, limit: int) -> int:
    for found in _SENTENCE.finditer(text, start, limit):
        if _depth(text, start, found.start()) == 0:
            return found.start() + 1
    return limit


def _begins(text: str, start: int, limit: int) -> bool:
    """Whether a party's name begins here, or a blank left for one."""
    if text[start : start + 1] in "_[«":
        return True
    span = name_at(text, start, limit)
    return span is not None and (
        has_form(text[slice(*span)]) or _PARTY_FOLLOWS.match(text, span[1], limit) is not None
    )


def _next(text: str, end: int, limit: int) -> int | None:
    found = next(
        (
            found
            for place in (end, end - 1)
            for rule in (_NUMBERED, _NEXT)
            if (found := rule.match(text, place, limit))
        ),
        None,
    )
    return found.end() if found and end < limit else None


def _depth(text: str, start: int, end: int) -> int:
    signs = _PARENTHESIS.findall(text, start, end)
    return signs.count("(") - signs.count(")")


def _party(text: str, span: tuple[int, int], end: int) -> Said:
    described = text[span[1] : end]
    role = _role(described)
    label = label_of(" ".join(text[slice(*span)].split()), f"{described[:200]} {role}")
    return Said(FactType.PARTY_TO, *span, label, (span[0], end), 0.95, role)


def _role(described: str) -> str:
    """What the party is called: the first term in brackets that is not one for all parties, else `as X`."""
    for found in DEFINED.finditer(described):
        term = next(filter(None, found.groups()), "")
        if term and not _COLLECTIVE.search(term):
            return " ".join(term.split()).strip(" ,.")
    named = _AS.search(described)
    return " ".join(named["role"].split()) if named else ""
