"""The facts of a court paper: the parties of its caption, its date, who signs it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.models import Fact, FactType
from docpipe.stages.graph.facts.reading import Reading
from docpipe.stages.text.wording.signatures import read_signatures

_HEAD = 3_000
_ROLE = re.compile(
    r"\s{0,40},?\s{0,60}(?P<role>(?:Plaintiff|Defendant|Petitioner|Respondent|Appellant|Appellee|Claimant)s?)\b"
    r"|\s{0,40},?\s{0,60}(?P<shouted>(?:PLAINTIFF|DEFENDANT|PETITIONER|RESPONDENT|APPELLANT|APPELLEE|CLAIMANT)S?)\b"
)
_AND = re.compile(r"\s{0,9},?\s{0,9}(?:and|AND|,|;)\s{1,60}")
_DATED = re.compile(r"(?i)\b(?:dated?|signed|entered|so\s++ordered)(?:\s++(?:this|on))?\s*+[:,]?\s*+$")
_NEAR = 60


def court_facts(reading: Reading) -> list[Fact]:
    """All that is found, in the order of its kinds."""
    return [*_parties(reading), *_date(reading), *_signed(reading)]


def _parties(reading: Reading) -> Iterator[Fact]:
    """Those behind whose name, or behind that of the next, the caption has a role."""
    names = list(reading.between(0, _HEAD, "PERSON", "ORG"))
    role, after, seen = "", 0, set[int | None]()
    for each in reversed(names):
        found = _ROLE.match(reading.text, each.end)
        joined = role and _AND.fullmatch(reading.text, each.end, after)
        role = (found["role"] or found["shouted"].capitalize()) if found else role if joined else ""
        after = each.start
        if role and reading.entity(each) not in seen:
            seen.add(reading.entity(each))
            yield reading.fact(FactType.PARTY_TO, each, 0.85, role)


def _date(reading: Reading) -> Iterator[Fact]:
    for each in reading.labelled("DATE"):
        if each.value and _DATED.search(reading.text[max(0, each.start - _NEAR) : each.start]):
            yield reading.fact(FactType.DATED, each, 0.85, "issued")
            return


def _signed(reading: Reading) -> Iterator[Fact]:
    for each in read_signatures(reading.text):
        mention = reading.at(*each.signer) if each.signer else None
        if mention and mention.label == "PERSON":
            yield reading.fact(FactType.SIGNED_BY, mention, 0.85, each.title)
            return
