"""Typed relations between entities of one sentence, by their labels and the words between them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from docpipe.models import Entity, Evidence, Mention, Page, Relation
from docpipe.stages.places import page_at


@dataclass(frozen=True, slots=True)
class RelationOptions:
    """Bounds on the pairs that are looked at.

    Attributes:
        max_mentions: a sentence with more mentions than this is a list: no pairs are formed.
        max_distance: most characters between two mentions.
    """

    max_mentions: int = 50
    max_distance: int = 200


class Rule(NamedTuple):
    """What a pair of mentions says: the relation, whether the second mention is its source, how surely."""

    type: str
    backwards: bool
    score: float


class _Context(NamedTuple):
    """The words a rule may look at."""

    before: str
    between: str
    after: str

    @property
    def distance(self) -> int:
        return len(self.between.split())


_DEFAULT = RelationOptions()

_SENTENCE_END = re.compile(
    r"(?<![A-Z]\.)(?<!\b[A-Z])(?<!\b(?:Mr|Ms|Dr|St|No|vs|Jr|Sr|Co))"
    r"(?<!\b(?:Mrs|Inc|Ltd|Sen|Rep|Gov|Gen|Col|Nos|Art))(?<!\b(?:Corp|Prof|Capt|Sept))"
    r"[.!?][\"”’)]{0,2}\s+(?=[\"“‘(]?[A-Z0-9])|\n\s*\n"
)

_JOB = re.compile(
    r"\b(?:president|chairman|chairwoman|chair|chief|director|secretary|minister"
    r"|spokes(?:man|woman|person)"
    r"|officer|leader|head|member|manager|professor|editor|analyst|officials?|attorney|lawyer|scientist"
    r"|researcher|executive|commander|agent|senator|dean|coach|owner|founder|ceo|cfo|economist|judge"
    r"|detective|partner|correspondent|reporter|employee|employed by|works? (?:for|at)|worked (?:for|at)"
    r"|joined|hired by|counsel)\b",
    re.IGNORECASE,
)
_AT = re.compile(r"\b(?:of|for|at|with)\b")
_HOME = re.compile(
    r"\b(?:born|lives?|lived|living|resid(?:es?|ed|ing|ent)|native|grew up|mayor|governor|senator|sen\.|rep\."
    r"|king|queen|citizen|moved|home|of|in|from)\b|\b[RD]-$",
    re.IGNORECASE,
)
_APART = re.compile(r"\b(?:said|says|according to|with|and)\b|[.;]")
_INSIDE = re.compile(
    r"\s*(?:\(|,?\s(?:in|of)\s(?:the\s)?(?:(?:\w+ern|central|nearby|rural|downtown|(?:north|south)?-?(?:east|west)"
    r"|north|south)\s){0,3})\s*"
)
_LIST_BEFORE = re.compile(r"[A-Z][\w.]{1,30}, $")
_LIST_AFTER = re.compile(r", [A-Z][\w.]{1,30}(?:,| and\b)|,? and [A-Z]")
_KILL = re.compile(
    r"\b(?:kill(?:ed|ing|er)?|shot|assassin\w*|murder\w*|slay\w*|slain|stabbed|death of)\b", re.IGNORECASE
)
_PARTY = re.compile(
    r"\b(?:between|among|parties|party|enter(?:ed|s)? into|signed|made by|by and|conclud(?:ed|es?)|plaintiff"
    r"|defendant|v\.|vs\.?|versus)(?!\w)",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b(?:dated?|as of|effective|made|signed|entered|executed|filed|issued|on|of)\b", re.IGNORECASE
)
_WORTH = re.compile(
    r"\b(?:total\w*|amount\w*|sum|price|fee|fees|value\w*|worth|for|of|pay\w*|due|cost\w*|rent|salary)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:(?:shall|will|must|may|has|have|had|was|were|is|are)\s+(?:\w+\s+){0,2}?)?"
    r"(?:[a-z]{3,}(?:ed|ized|ised)|pays?|owns?|owes?|buys?|bought|sells?|sold|leases?|grants?|holds?|held|leads?|led"
    r"|gave|gives?|sent|sends?|met|meets?|sues?|made|makes?|wrote|writes?|built|builds?|won|wins?|represents?|provides?"
    r"|delivers?|transfers?|assigns?|appoints?|acquires?|controls?|supplies)\b"
)


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
    or invoice); where none of them holds, RELATED_TO for persons, organisations and amounts with a
    verb between. Each (type, source, target) comes once, with the evidence of highest score, then
    the first; the evidence spans both mentions. Sorted by place of evidence.

    The words and distances of the first five rules follow the baseline measured on CoNLL04.
    """
    entity_of = {mention: entity.index for entity in entities for mention in entity.mentions}
    best: dict[tuple[str, int, int], Relation] = {}
    for one, other, rule in _pairs(text, mentions, options):
        source, target = (other, one) if rule.backwards else (one, other)
        key = rule.type, entity_of[source.index], entity_of[target.index]
        if key[1] != key[2] and (key not in best or best[key].score < rule.score):
            best[key] = Relation(*key, _evidence(one, other, pages), rule.score)
    return tuple(sorted(best.values(), key=lambda r: (r.evidence.start, r.evidence.end, r.type)))


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The borders of the sentences of `text`: at . ! ? before a capital or digit, and at blank lines."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield start, match.end()
        start = match.end()
    yield start, len(text)


def relate(one: Mention, other: Mention, context: tuple[str, str, str]) -> Rule | None:
    """What two mentions, in the order of the text, say about each other.

    `context` is the text of their sentence before, between and after them.
    """
    words = _Context(*context)
    for rule in _RULES.get((_kind(one.label), _kind(other.label)), ()):
        if said := rule(words):
            return said
    return None


def _pairs(
    text: str, mentions: Sequence[Mention], options: RelationOptions
) -> Iterator[tuple[Mention, Mention, Rule]]:
    ordered = sorted(mentions, key=lambda mention: mention.start)
    starts = [mention.start for mention in ordered]
    for start, end in sentences(text):
        inside = ordered[bisect_left(starts, start) : bisect_left(starts, end)]
        if len(inside) > options.max_mentions:
            continue
        for one, other in combinations(inside, 2):
            if 0 <= other.start - one.end <= options.max_distance:
                context = (
                    text[start : one.start][-80:],
                    text[one.end : other.start],
                    text[other.end : end][:80],
                )
                if rule := relate(one, other, context):
                    yield one, other, rule


def _evidence(one: Mention, other: Mention, pages: Sequence[Page]) -> Evidence:
    start, end = min(one.start, other.start), max(one.end, other.end)
    return Evidence(start, end, pages[page_at(pages, start)].number if pages else 1)


_PAPERS = frozenset({"CONTRACT", "CONTRACT_NUMBER", "CASE_NUMBER", "INVOICE_NUMBER"})


def _kind(label: str) -> str:
    return "PAPER" if label in _PAPERS else label


# --- rules, by the labels of the two mentions in the order of the text ------------------------------


def _killed(words: _Context) -> Rule | None:
    if words.distance <= 12 and _KILL.search(words.between):
        return Rule("KILLED", re.search(r"\bby\b", words.between) is not None, 0.8)
    return None


def _located_in(words: _Context) -> Rule | None:
    if _INSIDE.fullmatch(words.between):
        return Rule("LOCATED_IN", False, 0.8)
    if words.between in ("'s ", "’s ", " 's "):
        return Rule("LOCATED_IN", True, 0.7)
    listed = _LIST_BEFORE.search(words.before) or _LIST_AFTER.match(words.after)
    if words.distance <= 2 and words.between.count(",") == 1 and "and" not in words.between and not listed:
        return Rule("LOCATED_IN", False, 0.6)
    return None


def _org_in_place(words: _Context) -> Rule | None:
    if words.distance <= 5 and re.search(r"\b(?:in|of|at|based|near)\b|^\s*[,(]", words.between):
        return Rule("BASED_IN", False, 0.7)
    return None


def _place_of_org(words: _Context) -> Rule | None:
    if words.between.strip() in ("", "'s", "’s", "-based", "based", "'"):
        return Rule("BASED_IN", True, 0.7)
    return None


def _person_at_org(words: _Context) -> Rule | None:
    if words.distance <= 10 and (_JOB.search(words.between) or _AT.search(words.between)):
        return Rule("WORK_FOR", False, 0.7)
    return None


def _org_of_person(words: _Context) -> Rule | None:
    near = words.distance <= 4 or (words.distance <= 10 and _JOB.search(words.between))
    return Rule("WORK_FOR", True, 0.6) if near and not re.search(r"\band\b", words.between) else None


def _person_in_place(words: _Context) -> Rule | None:
    if words.distance <= 7 and _HOME.search(words.between):
        return Rule("LIVE_IN", False, 0.6)
    return None


def _place_of_person(words: _Context) -> Rule | None:
    near = words.distance <= 3 or (words.distance <= 7 and _HOME.search(words.between))
    return Rule("LIVE_IN", True, 0.5) if near and not _APART.search(words.between) else None


def _paper_of_party(words: _Context) -> Rule | None:
    return Rule("PARTY_TO", True, 0.8) if _PARTY.search(words.between) else None


def _party_of_paper(words: _Context) -> Rule | None:
    return Rule("PARTY_TO", False, 0.7) if _PARTY.search(words.before + words.between) else None


def _paper_of_date(words: _Context) -> Rule | None:
    near = words.distance <= 8 and (_DATED.search(words.between) or not re.search(r"\w", words.between))
    return Rule("DATED", False, 0.8) if near else None


def _date_of_paper(words: _Context) -> Rule | None:
    near = words.distance <= 8 and _DATED.search(words.before[-20:])
    return Rule("DATED", True, 0.6) if near else None


def _paper_worth(words: _Context) -> Rule | None:
    return Rule("AMOUNT_OF", True, 0.7) if _WORTH.search(words.between) else None


def _worth_of_paper(words: _Context) -> Rule | None:
    near = words.distance <= 10 and re.search(r"\b(?:under|for|of|in|by)\b", words.between)
    return Rule("AMOUNT_OF", False, 0.7) if near else None


def _related(words: _Context) -> Rule | None:
    return Rule("RELATED_TO", False, 0.3) if _VERB.search(words.between) else None


_Rule = Callable[[_Context], Rule | None]

_RULES: dict[tuple[str, str], tuple[_Rule, ...]] = {
    ("PERSON", "PERSON"): (_killed, _related),
    ("LOCATION", "LOCATION"): (_located_in,),
    ("ORG", "LOCATION"): (_org_in_place,),
    ("LOCATION", "ORG"): (_place_of_org,),
    ("PERSON", "ORG"): (_person_at_org, _related),
    ("ORG", "PERSON"): (_org_of_person, _related),
    ("PERSON", "LOCATION"): (_person_in_place,),
    ("LOCATION", "PERSON"): (_place_of_person,),
    ("ORG", "ORG"): (_related,),
    ("PERSON", "MONEY"): (_related,),
    ("ORG", "MONEY"): (_related,),
    ("PAPER", "PERSON"): (_paper_of_party,),
    ("PAPER", "ORG"): (_paper_of_party,),
    ("PERSON", "PAPER"): (_party_of_paper,),
    ("ORG", "PAPER"): (_party_of_paper,),
    ("PAPER", "DATE"): (_paper_of_date,),
    ("DATE", "PAPER"): (_date_of_paper,),
    ("PAPER", "MONEY"): (_paper_worth,),
    ("MONEY", "PAPER"): (_worth_of_paper,),
}
