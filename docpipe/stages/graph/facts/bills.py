"""The facts of an invoice or receipt: issuer, receiver, number, dates, total, tax, account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.models import Fact, FactType, Mention
from docpipe.stages.graph.facts.reading import Reading

_TO = re.compile(
    r"(?im)(?:^|\t)[^\w\n\t]*(?:bill(?:ed)?\s+to|invoice\s+to|sold\s+to|ship\s+to|customer|client|to"
    r"|rechnung\s+an|attn|kunde|client)\b\s*[.:]?"
)
_DATES = (
    (
        "due",
        re.compile(
            r"(?i)\b(?:due(?:\s+(?:date|by|on))?|payable\s+(?:by|until)|pay\s+by|fällig\w*|échéance|zahlbar\s+bis)\b[^\n]{0,12}$"
        ),
    ),
    (
        "issued",
        re.compile(
            r"(?i)\b(?:invoice\s+date|date\s+of\s+(?:issue|invoice)|issued?(?:\s+(?:on|date))?|dated?|rechnungsdatum|datum|fecha|data)\b[^\n]{0,12}$"
        ),
    ),
)
_AMOUNTS = (
    (
        "subtotal",
        re.compile(
            r"(?i)\b(?:sub-?\s?total|net(?:\s+(?:amount|total))?|zwischensumme|netto\w*|total\s+ht|sous-total)\b[^\n]*$"
        ),
    ),
    ("tax", re.compile(r"(?i)\b(?:vat|sales\s+tax|tax|gst|hst|mwst|ust|tva|iva|btw)\b[^\n]*$")),
    (
        "total",
        re.compile(
            r"(?i)\b(?:grand\s+total|total(?:\s+(?:due|amount|ttc))?|amount\s+(?:due|payable)|balance\s+due|gesamt\w*|summe|zu\s+zahlen|importe\s+total|totale)\b[^\n]*$"
        ),
    ),
)
_PAY = re.compile(r"(?i)\b(?:transfer|remit|pay(?:able)?)\b[^\n;]{0,80}\bto\s+$")
_NEAR = 90
_FULL = len("2024-03-14")


def bill_facts(reading: Reading) -> list[Fact]:
    """All that is found, in the order of its kinds."""
    issuer = _issuer(reading)
    return [
        *_one(reading, FactType.ISSUED_BY, issuer),
        *_one(reading, FactType.ISSUED_TO, _receiver(reading, issuer)),
        *_one(reading, FactType.NUMBERED, next(iter(reading.labelled("INVOICE_NUMBER")), None)),
        *_dates(reading),
        *_amounts(reading),
        *_one(reading, FactType.PAID_TO, next(iter(reading.labelled("IBAN")), None)),
    ]


def _one(reading: Reading, kind: FactType, mention: Mention | None) -> Iterator[Fact]:
    if mention:
        yield reading.named(kind, mention, 0.9)


def _issuer(reading: Reading) -> Mention | None:
    """Who is to be paid, else the first company that is not the receiver."""
    companies = reading.labelled("ORG")
    for each in companies:
        if _PAY.search(reading.text[max(0, each.start - _NEAR) : each.start]):
            return next(other for other in companies if reading.entity(other) == reading.entity(each))
    return next((each for each in companies if not _is_addressed(reading, each)), None)


def _receiver(reading: Reading, issuer: Mention | None) -> Mention | None:
    named = [
        each for each in reading.labelled("ORG", "PERSON") if reading.entity(each) != reading.entity(issuer)
    ]
    return next((each for each in named if _is_addressed(reading, each)), named[0] if named else None)


def _is_addressed(reading: Reading, mention: Mention) -> bool:
    start, _ = reading.line(mention.start)
    above = reading.line(start - 1)[0] if start else 0
    return any(_TO.match(reading.text[place : mention.start]) for place in (start, above))


def _before(reading: Reading, mention: Mention) -> str:
    """The words that say what a value is: those before it in its line, else the line above."""
    start, _ = reading.line(mention.start)
    words = reading.text[start : mention.start]
    above = reading.text[reading.line(start - 1)[0] : start].rstrip("\n") if start else ""
    return words if words.strip() else above or words


def _dates(reading: Reading) -> Iterator[Fact]:
    """The first of each role; where none is said to be that of issue, the first full date is it."""
    seen = set()
    days = [each for each in reading.labelled("DATE") if each.value and len(each.value) == _FULL]
    for mention in reading.labelled("DATE"):
        for role, words in _DATES:
            if role not in seen and mention.value and words.search(_before(reading, mention)):
                seen.add(role)
                yield reading.fact(FactType.DATED, mention, 0.9, role)
                break
    if not seen and days:
        yield reading.fact(FactType.DATED, days[0], 0.7, "issued")


def _amounts(reading: Reading) -> Iterator[Fact]:
    """The first of each kind."""
    found: dict[str, Fact] = {}
    for mention in reading.labelled("MONEY"):
        for role, words in _AMOUNTS:
            if words.search(_before(reading, mention)):
                found.setdefault(role, reading.fact(FactType.AMOUNT_OF, mention, 0.9, role))
                break
    yield from found.values()
