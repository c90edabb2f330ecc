"""Made-up lines of contracts, filings, letters and forms, filled with names of the corpus.

Open text of these kinds with names marked is scarce. The names are those of the training part; what
a sentence calls `the Borrower` or `Board of Directors` is no name here.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.names.text import Document, Labelled, Line

_WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""In the templates: p a person, s a surname, o an organisation, b a public body, l and a a place and a
street, t a post, r a role, d a date, n a number; large: in capitals."""

_SLOT = re.compile(r"\{(\w)\}")
_LABELS = {"p": "PERSON", "s": "PERSON", "o": "ORG", "b": "ORG", "l": "LOC", "a": "LOC"}


class Forms:
    """Fills the templates with names of `documents`, all of them seen in training."""

    def __init__(self, documents: Sequence[Document]) -> None:
        pools: dict[str, list[str]] = {"PERSON": [], "ORG": [], "LOC": []}
        for document in documents:
            for line in document.lines:
                for start, end, label in line.spans:
                    name = line.text[start:end]
                    if name[0].isupper() and not name.isupper() and len(name) < 40:
                        pools[label].append(name)
        self._persons = [name for name in pools["PERSON"] if 2 <= len(name.split()) <= 3]
        self._surnames = [name.split()[-1] for name in self._persons]
        self._organisations = [name for name in pools["ORG"] if len(name.split()) <= 3]
        self._places = [name for name in pools["LOC"] if len(name.split()) <= 3]

    def documents(self, rng: random.Random, count: int) -> Iterator[Document]:
        for number in range(count):
            lines = tuple(self._line(rng, rng.choice(_WORDS["templates"])) for _ in range(rng.randint(3, 8)))
            yield Document("forms", number, lines)

    def _line(self, rng: random.Random, template: str) -> Line:
        text, done = "", 0
        spans: list[Labelled] = []
        for slot in _SLOT.finditer(template):
            text += template[done : slot.start()]
            kind = slot.group(1)
            name = self._filled(rng, kind.lower())
            name = name.upper() if kind.isupper() else name
            if label := _LABELS.get(kind.lower()):
                spans.append(
                    (len(text), len(text) + len(name.removesuffix(".") if kind not in "oO" else name), label)
                )
            text += name
            done = slot.end()
        return Line(text + template[done:], tuple(spans))

    def _filled(self, rng: random.Random, kind: str) -> str:
        match kind:
            case "p":
                return self._person(rng)
            case "s":
                return rng.choice(self._surnames)
            case "o":
                return self._organisation(rng)
            case "b":
                return rng.choice(_WORDS["bodies"])
            case "l":
                return rng.choice(self._places)
            case "a":
                return f"{rng.randint(1, 999)} {rng.choice(self._surnames)} {rng.choice(_WORDS['streets'])}"
            case "t":
                return rng.choice(_WORDS["posts"])
            case "r":
                return rng.choice(_WORDS["roles"])
            case "d":
                return f"{rng.choice(_WORDS['months'])} {rng.randint(1, 31)}, {rng.randint(1980, 2024)}"
        return (
            f"{rng.randint(1, 999)},{rng.randint(100, 999)}"
            if rng.random() < 0.5
            else str(rng.randint(1, 99999))
        )

    def _person(self, rng: random.Random) -> str:
        name = rng.choice(self._persons)
        match rng.randint(0, 9):
            case 0:
                first, *rest = name.split()
                return " ".join((f"{first[0]}.", *rest))
            case 1:
                first, *rest = name.split()
                return " ".join((first, f"{rng.choice('ABCDEFGHJKLMPRSTW')}.", *rest))
            case 2:
                return f"{rng.choice(name.split()[:1])} {rng.choice(self._surnames)}"
        return name

    def _organisation(self, rng: random.Random) -> str:
        kind = rng.random()
        if kind < 0.3:
            return rng.choice(self._organisations)
        stem = rng.choice((*(rng.choice(pool) for pool in (self._surnames, self._places)), _made_up(rng)))
        if kind < 0.45:
            return f"{stem} {rng.choice(_WORDS['trades'])}"
        comma = "," if rng.random() < 0.4 else ""
        trade = f" {rng.choice(_WORDS['trades'])}" if rng.random() < 0.6 else ""
        return f"{stem}{trade}{comma} {rng.choice(_WORDS['forms'])}"


def _made_up(rng: random.Random) -> str:
    parts = (
        "Nor",
        "Vel",
        "Tri",
        "Ax",
        "Com",
        "Gen",
        "Sol",
        "Qua",
        "Bio",
        "Lum",
        "Ter",
        "Ver",
        "Pro",
        "Ami",
        "Syn",
        "Max",
    )
    ends = (
        "dex",
        "tera",
        "vance",
        "ion",
        "ix",
        "era",
        "com",
        "star",
        "gen",
        "via",
        "tech",
        "nova",
        "rix",
        "labs",
        "mark",
    )
    return rng.choice(parts) + rng.choice(ends)
