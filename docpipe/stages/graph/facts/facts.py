"""What the document is and says of itself, and the relations that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from docpipe.models import Entity, Evidence, Fact, Facts, FactType, Kind, Mention, Page, Relation
from docpipe.stages.graph.facts.agreements import agreement_facts, own_number
from docpipe.stages.graph.facts.bills import bill_facts
from docpipe.stages.graph.facts.court_papers import court_facts
from docpipe.stages.graph.facts.kinds import kind_of
from docpipe.stages.graph.facts.letters import letter_facts, mail_facts
from docpipe.stages.graph.facts.reading import Reading
from docpipe.stages.text.wording.wording import language_of, read_wording

_OF_SUBJECT = frozenset({FactType.DATED, FactType.GOVERNED_BY, FactType.SIGNED_BY})
"""Relations that begin at the document; others end there."""
_NAMED_BY_ROLE = {"signing": "SIGNED_ON", "expiry": "EXPIRES_ON", "due": "DUE_ON"}
"""The type of a relation to a date that is not the one from which the document holds."""
_RELATED = frozenset(
    {
        FactType.PARTY_TO,
        FactType.DATED,
        FactType.GOVERNED_BY,
        FactType.TERM_OF,
        FactType.SIGNED_BY,
        FactType.AMOUNT_OF,
    }
)
_HEAD = 1_500
_FAR = 800
"""Characters from one end of a relation's evidence to the other."""
_AGREEMENTS = frozenset({Kind.AGREEMENT, Kind.AMENDMENT})


def find_facts(
    text: str, pages: Sequence[Page], mentions: Sequence[Mention], entities: Sequence[Entity]
) -> Facts:
    """The document's kind, what it is among its entities, and what it says of itself.

    Reads the document's own pages, not those of attachments. Deterministic; time is linear in the text.
    """
    own = [page for page in pages if not page.part]
    body = text[: own[-1].end] if own else text
    ordered = sorted((each for each in mentions if each.end <= len(body)), key=lambda each: each.start)
    reading = Reading(body, pages, ordered, entities)
    kind = kind_of(reading)
    if kind in _AGREEMENTS:
        return _agreement(reading, kind)
    if kind in (Kind.INVOICE, Kind.RECEIPT):
        facts = bill_facts(reading)
        number = next((fact.entity for fact in facts if fact.type is FactType.NUMBERED), None)
        return Facts(kind, number, items=_sorted(facts))
    if kind is Kind.COURT_PAPER:
        return _case(reading)
    if kind in (Kind.EMAIL, Kind.LETTER):
        title, place, facts = (mail_facts if kind is Kind.EMAIL else letter_facts)(reading)
        return Facts(kind, None, title, reading.evidence(*place) if place else None, _sorted(facts))
    return Facts(kind)


def _case(reading: Reading) -> Facts:
    """A court paper, by the number of the case at its head."""
    number = next(reading.between(0, _HEAD, "CASE_NUMBER"), None)
    numbered = [reading.fact(FactType.NUMBERED, number, 0.9)] if number else []
    subject = numbered[0].entity if numbered else None
    return Facts(Kind.COURT_PAPER, subject, items=_sorted([*numbered, *court_facts(reading)]))


def _agreement(reading: Reading, kind: Kind) -> Facts:
    said = read_wording(reading.text)
    title = next((each for each in said if each.type is FactType.KIND), None)
    number = own_number(reading)
    named = (reading.at(title.start, title.end) if title else None) or number
    words = " ".join(reading.text[title.start : title.end].split()) if title else ""
    place = reading.evidence(*title.shown) if title else None
    facts = agreement_facts(reading, said, language_of(reading.text))
    return Facts(kind, reading.entity(named), words, place, _sorted(facts))


def _sorted(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    return tuple(
        sorted(facts, key=lambda fact: (fact.evidence.start, fact.evidence.end, fact.type, fact.role))
    )


def joined(
    said: Sequence[Relation], facts: Facts, mentions: Sequence[Mention], entities: Sequence[Entity]
) -> tuple[Relation, ...]:
    """The relations of sentences with those that the document's facts are, in the order of their evidence.

    The parties and the date of an agreement are those of its facts: what single sentences say of its other
    companies and days is left out.
    """
    own = list(_fact_relations(facts, mentions, entities))
    decided = {"PARTY_TO", "DATED"} if facts.kind in _AGREEMENTS else set[str]()
    numbers = {fact.entity for fact in facts.items if fact.type is FactType.NUMBERED}
    itself = {"PARTY_TO": {facts.subject}, "DATED": {facts.subject, *numbers}}
    kept = [
        relation
        for relation in said
        if relation.type not in decided or not itself[relation.type] & {relation.source, relation.target}
    ]
    known = set(map(_key, kept))
    added = [relation for relation in own if _key(relation) not in known]
    return tuple(
        sorted([*kept, *added], key=lambda each: (each.evidence.start, each.evidence.end, each.type))
    )


def _key(relation: Relation) -> tuple[str, int, int]:
    return relation.type, relation.source, relation.target


def _fact_relations(
    facts: Facts, mentions: Sequence[Mention], entities: Sequence[Entity]
) -> Iterator[Relation]:
    """The facts of an agreement as relations with the entity that it is; of other documents none."""
    if facts.subject is None or facts.kind not in _AGREEMENTS:
        return
    by_index = {mention.index: mention for mention in mentions}
    named = [by_index[index] for index in entities[facts.subject].mentions]
    seen = set()
    for fact in facts.items:
        if fact.type in _RELATED and fact.entity is not None and fact.entity != facts.subject:
            ends = (facts.subject, fact.entity) if fact.type in _OF_SUBJECT else (fact.entity, facts.subject)
            relation = Relation(_type(fact), *ends, _with_subject(fact.evidence, named), fact.score)
            if _key(relation) not in seen:
                seen.add(_key(relation))
                yield relation


def _type(fact: Fact) -> str:
    return _NAMED_BY_ROLE.get(fact.role, fact.type.value) if fact.type is FactType.DATED else fact.type.value


def _with_subject(evidence: Evidence, named: Sequence[Mention]) -> Evidence:
    """The evidence with the nearest mention of the document itself, where one stands close by on the page."""
    near = [
        (max(evidence.end, each.end) - min(evidence.start, each.start), each)
        for each in named
        if each.page == evidence.page
    ]
    length, closest = min(near, key=lambda pair: (pair[0], pair[1].start), default=(_FAR, None))
    if closest is None or length >= _FAR:
        return evidence
    return Evidence(min(evidence.start, closest.start), max(evidence.end, closest.end), evidence.page)
