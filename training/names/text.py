"""Training text: read, part held back for development, and made as rough as documents are.

The corpus is a folder with `train.jsonl`, one document a line:
`{"source": "wikigold_open", "doc": 0, "lines": [["Ada Byron wrote.", [[0, 9, "PERSON"]]], …]}`; a line
has text and spans, half-open in characters, of the labels PERSON, ORG and LOC, none over another.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HELD_BACK = frozenset({"redocred_dev", "ewt_dev", "wikigold_open"})
"""Sources of which every fifth document, from number 0, is never trained on."""

EVERY = 5

Labelled = tuple[int, int, str]

_LOOK_ALIKES = {
    "l": "1I",
    "I": "l1",
    "O": "0",
    "o": "0c",
    "e": "c",
    "c": "e",
    "S": "5",
    "B": "8",
    "h": "b",
} | {
    "n": "u",
    "u": "n",
    "i": "l",
    "t": "f",
    "a": "o",
    "g": "q",
    "1": "l",
    "0": "O",
}


class Line(NamedTuple):
    """A sentence, a message, a heading: its text and the names in it."""

    text: str
    spans: tuple[Labelled, ...]


class Document(NamedTuple):
    source: str
    number: int
    lines: tuple[Line, ...]

    @property
    def held_back(self) -> bool:
        return self.source in HELD_BACK and self.number % EVERY == 0


def read(corpus: Path) -> list[Document]:
    """Every document of the corpus, in its order."""
    rows = map(json.loads, (corpus / "train.jsonl").read_text("utf-8").splitlines())
    return [
        Document(
            row["source"],
            row["doc"],
            tuple(Line(text, tuple((s, e, label) for s, e, label in spans)) for text, spans in row["lines"]),
        )
        for row in rows
    ]


def joined(lines: Sequence[Line], gaps: Sequence[str]) -> Line:
    """The lines as one text, `gaps[i]` before line i."""
    text, spans = "", []
    for line, gap in zip(lines, gaps, strict=True):
        text += gap
        spans += [(s + len(text), e + len(text), label) for s, e, label in line.spans]
        text += line.text
    return Line(text, tuple(spans))


def roughened(rng: random.Random, lines: Sequence[Line]) -> Line:
    """Lines as one passage of a document: some in capitals, misread, on pages of narrow columns."""
    kinds = rng.random()
    if kinds < 0.06:
        lines = [
            Line(line.text.upper(), line.spans) if _same(line.text.upper(), line) else line for line in lines
        ]
    else:
        lines = [_roughened(rng, line) for line in lines]
    between = rng.random()
    gaps = [""] + [_gap(rng, between) for _ in lines[1:]]
    passage = joined(lines, gaps)
    return _wrapped(rng, passage, rng.randint(28, 100)) if rng.random() < 0.35 else passage


def _roughened(rng: random.Random, line: Line) -> Line:
    kind = rng.random()
    text = line.text
    if kind < 0.08:
        text = text.upper()
    elif kind < 0.10:
        text = text.lower()
    elif kind < 0.12:
        text = text.title()
    elif kind < 0.17:
        text = _misread(rng, text)
    return Line(text, line.spans) if _same(text, line) else line


def _same(text: str, line: Line) -> bool:
    return len(text) == len(line.text)


def _gap(rng: random.Random, between: float) -> str:
    if between < 0.45:
        return "\n"
    if between < 0.85:
        return " "
    return rng.choice(("\n", "\n\n", "\t", " ", "\n"))


def _misread(rng: random.Random, text: str) -> str:
    rate = rng.choice((0.01, 0.02, 0.04))
    return "".join(
        rng.choice(_LOOK_ALIKES[letter]) if letter in _LOOK_ALIKES and rng.random() < rate else letter
        for letter in text
    )


def _wrapped(rng: random.Random, line: Line, width: int) -> Line:
    """The passage in lines of about `width` characters; now and then a long word is broken by a hyphen."""
    text, hyphens, column = list(line.text), [], 0
    for index, letter in enumerate(line.text):
        column = 0 if letter == "\n" else column + 1
        if column < width:
            continue
        if letter == " ":
            text[index], column = "\n", 0
        elif rng.random() < 0.04 and line.text[index - 2 : index + 3].isalpha():
            hyphens.append(index)
            column = 0
    return _broken(Line("".join(text), line.spans), hyphens)


def _broken(line: Line, places: Sequence[int]) -> Line:
    def moved(offset: int) -> int:
        return offset + 2 * sum(place < offset for place in places)

    text = line.text
    for place in reversed(places):
        text = f"{text[:place]}-\n{text[place:]}"
    return Line(text, tuple((moved(s), moved(e), label) for s, e, label in line.spans))


def passages(rng: random.Random, documents: Sequence[Document], most: int) -> Iterator[Line]:
    """All lines once, in random order of the documents, as passages of at most about `most` words.

    Documents of one line, as messages are, share passages; those of many keep their order.
    """
    single = [document.lines[0] for document in documents if len(document.lines) == 1]
    rng.shuffle(single)
    chains = [document.lines for document in documents if len(document.lines) > 1]
    while single:
        size = rng.choice((1, 2, 3, 4))
        chains.append(tuple(single[:size]))
        del single[:size]
    rng.shuffle(chains)
    for chain in chains:
        held: list[Line] = []
        room = rng.randint(most // 3, most)
        for line in chain:
            length = len(line.text.split())
            if held and sum(len(one.text.split()) for one in held) + length > room:
                yield roughened(rng, held)
                held, room = [], rng.randint(most // 3, most)
            held.append(line)
        if held:
            yield roughened(rng, held)
