"""Typed relations between the entities of one sentence, each with the text that states it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from typing import NamedTuple

from docpipe.models import Entity, Evidence, Mention, Page, Relation
from docpipe.stages.graph.relation_rules import PAPERS, Context, Rule, may_relate, relate
from docpipe.stages.text.places import page_at

CO_OCCURS = "CO_OCCURS"
"""Two entities in one sentence, which says nothing else; only on request."""


@dataclass(frozen=True, slots=True)
class RelationOptions:
    """Bounds on the pairs that are looked at.

    Attributes:
        max_neighbours: a mention is paired with at most so many that follow it in its sentence, so
            that the pairs of a sentence grow with its mentions, not with their square.
        max_distance: most characters between two mentions.
        max_clause: most characters between a contract, case or invoice and a party, date or amount.
        co_occurrence: whether entities that merely share a sentence are related by `CO_OCCURS`.
    """

    max_neighbours: int = 16
    max_distance: int = 250
    max_clause: int = 800
    co_occurrence: bool = False


_DEFAULT = RelationOptions()

_SENTENCE_END = re.compile(
    r"(?<![A-Z]\.)(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|No|vs|Jr|Sr|Co|Lt))"
    r"(?<!\b(?:Mrs|Inc|Ltd|Sen|Rep|Gov|Gen|Col|Nos|Art|Sgt|Maj|Adm|Rev|Hon))(?<!\b(?:Corp|Prof|Capt|Sept|Cmdr))"
    r"[.!?][\"”’)]{0,2}\s+(?=[\"“‘(]?[A-Z0-9])|\n\s*\n|\n(?=\d{1,2}\.\d{1,2}\.? [A-Z])"
    r"|\n(?=[^\S\n]{0,8}(?:\[[ xX]?\]|[-*•–]) )"
)
_AROUND = 80
"""How many characters before and after a pair the rules may read."""

_HEAD = 400
"""A document whose first characters name an invoice is that invoice, else the contract they name."""
_OWN = 2
"""It has a title and a number."""
_PAGE = 4000
_OWED = re.compile(
    r"\b(?:fees?|prices?|pay\w*|deposit|due|total\w*|liability|amounts?|sums?|rent|charges?|premium|salary|costs?"
    r"|value|damages|interest|exceed)\b",
    re.IGNORECASE,
)


class _Pair(NamedTuple):
    one: Mention
    other: Mention
    rule: Rule


def find_relations(
    text: str,
    pages: Sequence[Page],
    mentions: Sequence[Mention],
    entities: Sequence[Entity],
    options: RelationOptions = _DEFAULT,
) -> tuple[Relation, ...]:
    """Relate the entities whose mentions stand in one sentence.

    Types: WORK_FOR (PERSON to ORG), LIVE_IN (PERSON to LOCATION), BASED_IN (ORG to LOCATION),
    LOCATED_IN (LOCATION to LOCATION), KILLED (PERSON to PERSON), PARTY_TO (PERSON or ORG to a
    contract or case), DATED (contract, case or invoice to DATE), AMOUNT_OF (MONEY to contract, case
    or invoice, also where the document itself is that contract or invoice and has named it on the
    same page); where none of them holds, RELATED_TO for persons, organisations and amounts with a
    verb between, which it keeps; and CO_OCCURS on request. Each (type, source, target) comes once, with
    how often it was said and the evidence of highest score, then the shortest, then the first; the
    evidence spans both mentions. Sorted by place of evidence. Time and memory are linear in the mentions.
    """
    entity_of = {mention: entity.index for entity in entities for mention in entity.mentions}
    best: dict[tuple[str, int, int], Relation] = {}
    ordered = sorted(mentions, key=lambda mention: mention.start)
    for one, other, rule in chain(_said(text, ordered, options), _owed(text, ordered)):
        source, target = (other, one) if rule.backwards else (one, other)
        key = rule.type, entity_of[source.index], entity_of[target.index]
        if key[1] == key[2]:
            continue
        if rule.type == CO_OCCURS:  # it has no direction: counted as one edge, whichever is named first
            key = CO_OCCURS, min(key[1:]), max(key[1:])
        found = Relation(*key, _evidence(one, other, pages), rule.score, rule.verb)
        known = best.get(key)
        chosen = min((known, found), key=_worse) if known else found
        best[key] = replace(chosen, count=known.count + 1 if known else 1)
    return tuple(sorted(best.values(), key=lambda r: (r.evidence.start, r.evidence.end, r.type)))


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The borders of the sentences of `text`: . ! ? before a capital or digit, blank lines, items."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield start, match.end()
        start = match.end()
    yield start, len(text)


def _worse(relation: Relation) -> tuple[float, int]:
    return -relation.score, relation.evidence.end - relation.evidence.start


def _said(text: str, ordered: Sequence[Mention], options: RelationOptions) -> Iterator[_Pair]:
    starts = [mention.start for mention in ordered]
    for start, end in sentences(text):
        inside = ordered[bisect_left(starts, start) : bisect_left(starts, end)]
        for position, one in enumerate(inside):
            following = inside[position + 1 : position + 1 + options.max_neighbours]
            for offset, other in enumerate(following):
                if other.start - one.end > options.max_clause:
                    break
                if options.co_occurrence:
                    yield _Pair(one, other, Rule(CO_OCCURS, False, 0.1))
                if not _near(one, other, options):
                    continue
                context = _context(text, start, end, inside, position, position + 1 + offset)
                if context and (rule := relate(one.label, other.label, context)):
                    yield _Pair(one, other, rule)


def _owed(text: str, ordered: Sequence[Mention]) -> Iterator[_Pair]:
    """The amounts due under the contract or invoice that the document itself is."""
    own = _own_papers(ordered)
    last: dict[tuple[str, str], Mention] = {}
    for mention in ordered:
        if (name := (mention.label, mention.text.casefold())) in own:
            last[name] = mention
        elif mention.label == "MONEY" and _is_owed(text, mention):
            for paper in last.values():
                if paper.page == mention.page and mention.start - paper.end <= _PAGE:
                    yield _Pair(paper, mention, Rule("AMOUNT_OF", True, 0.5))


def _own_papers(ordered: Sequence[Mention]) -> list[tuple[str, str]]:
    head = takewhile(lambda mention: mention.start < _HEAD, ordered)
    names = dict.fromkeys(
        (mention.label, mention.text.casefold()) for mention in head if mention.label in PAPERS
    )
    invoices = [name for name in names if name[0] == "INVOICE_NUMBER"]
    return (invoices or list(names))[:_OWN]


def _is_owed(text: str, amount: Mention) -> bool:
    before, after = text[max(0, amount.start - _AROUND) : amount.start], text[amount.end : amount.end + 40]
    owed = _OWED.search(_SENTENCE_END.split(before)[-1]) or _OWED.search(_SENTENCE_END.split(after)[0])
    return owed is not None and any(character.isdigit() for character in amount.text)


def _near(one: Mention, other: Mention, options: RelationOptions) -> bool:
    clause = one.label in PAPERS or other.label in PAPERS
    limit = options.max_clause if clause else options.max_distance
    return 0 <= other.start - one.end <= limit and may_relate(one.label, other.label)


def _context(
    text: str, start: int, end: int, inside: Sequence[Mention], one: int, other: int
) -> Context | None:
    """The masked words around and between two mentions of a sentence; None where a table parts them, or a
    full stop that is one of a company's name, too.
    """
    first, last = inside[one], inside[other]
    between = _masked(text, first.end, last.start, inside[one + 1 : other])
    if first.label == "ORG" and first.text.endswith(".") and not between.strip(" "):
        return None
    if "\n" in between and "\t" in _line(text, last.start):
        column = _column(text, first.start)
        if column != _column(text, last.start):
            return None
        between = _down(between, column)
    before = _masked(text, max(start, first.start - _AROUND), first.start, inside[max(0, one - 4) : one])
    after = _masked(text, last.end, min(end, last.end + _AROUND), inside[other + 1 : other + 5])
    return Context(before, between, after)


def _masked(text: str, start: int, end: int, mentions: Sequence[Mention]) -> str:
    pieces, place = [], start
    for mention in mentions:
        if place <= mention.start and mention.end <= end:
            pieces += [text[place : mention.start], f"‹{mention.label}›"]
            place = mention.end
    return "".join([*pieces, text[place:end]])


def _line(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : len(text) if end < 0 else end]


def _column(text: str, offset: int) -> int:
    return text.count("\t", text.rfind("\n", 0, offset) + 1, offset)


def _down(between: str, column: int) -> str:
    """Of the text between two cells of one column, what stands in that column."""
    first, *rows, last = between.split("\n")
    cells = [row.split("\t")[column] for row in rows if row.count("\t") >= column]
    return "\n".join([first.split("\t")[0], *cells, last.split("\t")[-1]])


def _evidence(one: Mention, other: Mention, pages: Sequence[Page]) -> Evidence:
    start, end = min(one.start, other.start), max(one.end, other.end)
    return Evidence(start, end, pages[page_at(pages, start)].number if pages else 1)
