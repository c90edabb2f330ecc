"""Names that the text itself says are one: `World Health Organization (WHO)`, `Oslo, formerly Kristiania`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from docpipe.models import Mention
from docpipe.stages.text.abbreviations import defines
from docpipe.stages.text.wording.terms_of_art import defined_parties, party_terms

_BRACKET = re.compile(r"\s*+\(\s*+(?:the\s++|or\s++|hereinafter\s++(?:called\s++|the\s++)?)?[\"“”'‘’«]?\s*+")
_CLOSED = re.compile(r"\s*+[\"“”'‘’»]?+\s*+[),;:]")
_KNOWN_AS = re.compile(
    r"\s*+,?+\s*+\(?+\s*+(?:also|formerly|previously|originally|better|commonly|now|then)?\s*+"
    r"(?:known as|called|named|spelled|written|abbreviated(?: as| to)?|aka|a\.k\.a\.|née|formerly|previously"
    r"|nicknamed|now)\s++(?:the\s++)?[\"“”'‘’«]?\s*+",
    re.IGNORECASE,
)
_IN_LANGUAGE = re.compile(r"\s*+\(\s*+(?:in\s++)?[A-Z][a-z]++(?:\s[A-Z]?[a-z]++)?\s*+:\s*+[\"“”'‘’«]?\s*+")


class Alias(NamedTuple):
    """Two mentions (by index) the text calls one, by which rule and how surely (0..1)."""

    one: int
    other: int
    rule: str
    score: float


def find_aliases(text: str, mentions: Sequence[Mention]) -> Iterator[Alias]:
    """The neighbours among `mentions`, of one label, that the words between them call one.

    Rules: `defined` (an acronym in brackets after the name it is made of, or before it) and
    `known as` (also, formerly, now; a name in another language). Linear in the mentions.
    """
    for one, other in pairwise(sorted(mentions, key=lambda mention: mention.start)):
        if one.label == other.label and 0 < other.start - one.end <= 60:
            between, after = text[one.end : other.start], text[other.end : other.end + 4]
            if rule := _rule(one.text, between, other.text, after):
                yield Alias(one.index, other.index, *rule)


def find_terms(text: str, mentions: Sequence[Mention]) -> Iterator[Alias]:
    """The parties of an agreement and what it calls them, the first mention of either: the rule `called`."""
    starts = {mention.start: mention for mention in reversed(mentions)}
    for party in defined_parties(text):
        named = starts.get(party.start)
        terms = (starts.get(start) for start, _, _ in party_terms(text, [party]))
        called = next((each for each in terms if each and each.label == party.label), None)
        if named and called and named.label == called.label and called.text != named.text:
            yield Alias(named.index, called.index, "called", 0.97)


def _rule(one: str, between: str, other: str, after: str) -> tuple[str, float] | None:
    bracket = _BRACKET.fullmatch(between) and _CLOSED.match(after)
    if bracket and (defines(one, other) or defines(other, one)):
        return "defined", 0.97
    said = _KNOWN_AS.fullmatch(between) or _IN_LANGUAGE.fullmatch(between)
    return ("known as", 0.9) if said else None
