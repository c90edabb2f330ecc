"""The facts of an agreement: parties, dates, law, term, number, amounts, signatories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from docpipe.models import Fact, FactType, Mention
from docpipe.stages.graph.facts.reading import Reading
from docpipe.stages.text.wording.by_phrases import dates_by_phrases
from docpipe.stages.text.wording.dates import read_date
from docpipe.stages.text.wording.names import squeezed
from docpipe.stages.text.wording.phrases import Phrases
from docpipe.stages.text.wording.signatures import Signature, read_signatures
from docpipe.stages.text.wording.values import Said

_EXPIRES = re.compile(
    r"(?i)\bthis\s++(?:\w+\s++)?(?:agreement|contract|lease)\b[^.;]{0,80}\b(?:ends?|expires?"
    r"|terminates?|continues?\s++until)\b"
    r"[^.;]{0,30}\b(?:on|until)\s++$"
)
_PURPOSE = re.compile(
    r"(?i)\b(?:an?|the|any|its|total)?\s*+((?:[a-z-]{1,30}\s){0,2}(?:fees?|prices?|deposit|rent"
    r"|liability|salary|premium|interest|costs?"
    r"|charges?|damages|penalty|loan|advance|bonus|payment|budget|commitment"
    r"|principal(?:\s++amount)?|sum|amount))\b"
)
_REACH = 160
_LAST = 200


def agreement_facts(reading: Reading, said: list[Said], language: Phrases | None = None) -> list[Fact]:
    """All that is found; `said` is what `read_wording` gives of the same text, `language` has the phrases of
    an agreement that is not in English.
    """
    parties = list(_parties(reading, said))
    return [
        *parties,
        *(_dates_by_phrases(reading, language) if language else _dates(reading)),
        *_said(reading, said, FactType.GOVERNED_BY),
        *_said(reading, said, FactType.TERM_OF),
        *_number(reading),
        *_amounts(reading, language.purpose if language else _PURPOSE),
        *_signatories(reading, parties),
    ]


def own_number(reading: Reading) -> Mention | None:
    """The number of the agreement that the document is: one at its head, before any other words name it."""
    return next(reading.between(0, _LAST, "CONTRACT_NUMBER"), None)


def _said(reading: Reading, said: list[Said], kind: FactType) -> Iterator[Fact]:
    for each in said:
        mention = reading.at(each.start, each.end) if each.type is kind else None
        if mention:
            yield reading.fact(kind, mention, each.score, each.role, each.shown)


def _parties(reading: Reading, said: list[Said]) -> Iterator[Fact]:
    """One for each party's entity."""
    seen = set()
    for fact in _said(reading, said, FactType.PARTY_TO):
        if fact.entity not in seen:
            seen.add(fact.entity)
            yield fact


def _dates(reading: Reading) -> Iterator[Fact]:
    dates = reading.labelled("DATE")
    effective = read_date(reading.text, dates)
    if effective and (mention := reading.at(effective.start, effective.end)):
        yield reading.fact(FactType.DATED, mention, effective.score, "effective", effective.shown)
    for mention in dates:
        before = reading.text[max(0, mention.start - _REACH) : mention.start]
        if (found := _EXPIRES.search(before)) and mention.value:
            shown = mention.start - len(before) + found.start(), mention.end
            yield reading.fact(FactType.DATED, mention, 0.9, "expiry", shown)


def _dates_by_phrases(reading: Reading, language: Phrases) -> Iterator[Fact]:
    for said, role in dates_by_phrases(reading.text, reading.labelled("DATE"), language):
        if mention := reading.at(said.start, said.end):
            yield reading.fact(FactType.DATED, mention, said.score, role, said.shown)


def _number(reading: Reading) -> Iterator[Fact]:
    if number := own_number(reading):
        yield reading.fact(FactType.NUMBERED, number, 0.95)


def _amounts(reading: Reading, purpose: re.Pattern[str]) -> Iterator[Fact]:
    """Amounts with what they are for, where the words before them in their sentence say it."""
    seen = set()
    for mention in reading.labelled("MONEY"):
        before = re.split(r"(?<=[a-z)])[.;]\s", reading.text[max(0, mention.start - _REACH) : mention.start])[
            -1
        ]
        found = list(purpose.finditer(before))
        if (
            found
            and any(map(str.isdigit, mention.text))
            and (key := (reading.entity(mention), found[-1][1])) not in seen
        ):
            seen.add(key)
            shown = mention.start - len(before) + found[-1].start(), mention.end
            role = re.sub(r"(?i)^(?:an?|the|of|for|pay)\s++", "", " ".join(found[-1][1].lower().split()))
            yield reading.fact(FactType.AMOUNT_OF, mention, 0.8, role, shown)


def _signatories(reading: Reading, parties: list[Fact]) -> Iterator[Fact]:
    holders = {squeezed(party.text): party.entity for party in parties}
    seen = set()
    for each in read_signatures(reading.text):
        mention = reading.at(*each.signer) if each.signer else None
        if mention is None or mention.label not in ("PERSON", "ORG") or reading.entity(mention) in seen:
            continue
        seen.add(reading.entity(mention))
        fact = reading.fact(FactType.SIGNED_BY, mention, 0.9, each.title, each.shown)
        yield replace(fact, holder=_holder(reading, each, holders))
        if each.date and (dated := reading.at(*each.date)):
            yield reading.fact(FactType.DATED, dated, 0.85, "signing", each.shown)


def _holder(reading: Reading, signature: Signature, holders: dict[str, int | None]) -> int | None:
    span = signature.party or signature.signer
    if span is None:
        return None
    key = squeezed(reading.text[slice(*span)])
    near = next(
        (holder for name, holder in holders.items() if name.startswith(key) or key.startswith(name)), None
    )
    return near if near is not None else reading.entity(reading.at(*span))
