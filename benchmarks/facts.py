"""Facts of agreements (Kleister NDA): precision, recall and F1 of what is stated.

    python -m benchmarks.facts --corpus DIR [--limit N] [--part 3]

DIR holds `expected.tsv`, a line for each document (file name, tab, `key=value` pairs parted by blanks, `_`
for a blank in a value), and the documents in `documents/`. Values are compared in capitals, without
punctuation, by every spelling of the entity that a fact names. `--part 3` scores every third document only:
those that nobody looked at when the rules were written. Writes Markdown to standard output.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import machine, table
from docpipe import Document, Entity, Pipeline, open_store
from docpipe.models import FactType
from docpipe.stages.graph.facts.facts import find_facts

KINDS = {
    "party": FactType.PARTY_TO,
    "effective_date": FactType.DATED,
    "jurisdiction": FactType.GOVERNED_BY,
    "term": FactType.TERM_OF,
}
LABELS = {
    "party": ("PERSON", "ORG"),
    "effective_date": ("DATE",),
    "jurisdiction": ("LOCATION",),
    "term": ("DATE",),
}
_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_STATE = re.compile(r"^(?:THE )?(?:STATE|COMMONWEALTH|PROVINCE) OF ")

Truth = dict[str, set[str]]
"""Kind of fact to its true values."""


class Count(NamedTuple):
    """Of one kind: true values, those that are an entity, those stated; what is stated, the right of it."""

    true: int = 0
    named: int = 0
    hit: int = 0
    said: int = 0
    right: int = 0

    def plus(self, other: Count) -> Count:
        return Count(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def row(self) -> list[str]:
        precision, recall = self.right / max(1, self.said), self.hit / max(1, self.true)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return [f"{self.named / max(1, self.true):.3f}", f"{precision:.3f}", f"{recall:.3f}", f"**{f1:.3f}**"]


def folded(kind: str, value: str) -> str:
    """A value as it is compared."""
    if kind == "effective_date":
        return value[:10]
    plain = re.sub(r"[.’']", "", value.replace("_", " "))
    if kind == "term":
        words = re.sub(r"\(\w+\)", " ", plain.lower()).replace("-", " ").split()
        return " ".join(str(_NUMBERS.index(w)) if w in _NUMBERS else w for w in words).removesuffix("s")
    return _STATE.sub("", " ".join(re.sub(r"[^A-Z0-9& ]", " ", plain.upper()).split()))


def truth(corpus: Path) -> Iterator[tuple[str, Truth]]:
    """Every document's file name and true values."""
    for line in (corpus / "expected.tsv").read_text(encoding="utf-8").splitlines():
        name, _, pairs = line.partition("\t")
        found: Truth = {}
        for pair in pairs.split(" "):
            kind, _, value = pair.partition("=")
            found.setdefault(kind, set()).add(folded(kind, value))
        yield name, found


def spellings(document: Document, entity: Entity, kind: str) -> set[str]:
    mentions = [document.mentions[index] for index in entity.mentions]
    if kind == "effective_date":
        return {folded(kind, mention.value or "") for mention in mentions}
    return {folded(kind, said) for said in (entity.name, *(mention.text for mention in mentions))}


def stated(document: Document, kind: str) -> list[Entity]:
    """The entities that the facts of this kind name, each once."""
    facts = document.facts.items if document.facts else ()
    named = [
        fact.entity
        for fact in facts
        if fact.type is KINDS[kind] and (kind != "effective_date" or fact.role == "effective")
    ]
    return [document.entities[index] for index in dict.fromkeys(named) if index is not None]


def counted(document: Document, kind: str, wanted: set[str]) -> Count:
    pool = [spellings(document, each, kind) for each in document.entities if each.label in LABELS[kind]]
    said = [spellings(document, each, kind) for each in stated(document, kind)]
    return Count(
        len(wanted),
        sum(any(value in each for each in pool) for value in wanted),
        sum(any(value in each for each in said) for value in wanted),
        len(said),
        sum(bool(each & wanted) for each in said),
    )


def cost(documents: list[Document]) -> float:
    """Milliseconds of CPU to find the facts of a page."""
    before = time.process_time()
    for document in documents:
        find_facts(document.text, document.pages, document.mentions, document.entities)
    pages = sum(len(document.pages) for document in documents)
    return 1000 * (time.process_time() - before) / max(1, pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--part", type=int, choices=(3,), help="every third document only")
    arguments = parser.parse_args()
    chosen = list(truth(arguments.corpus))[2 if arguments.part else 0 :: arguments.part or 1][
        : arguments.limit
    ]
    counts = dict.fromkeys(KINDS, Count())
    documents = []
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(store=open_store(f"sqlite://{folder}/facts.db"))
        for name, wanted in chosen:
            document = pipeline.process(arguments.corpus / "documents" / name)
            documents.append(document)
            for kind in KINDS:
                counts[kind] = counts[kind].plus(counted(document, kind, wanted.get(kind, set())))
    every = Count()
    for count in counts.values():
        every = every.plus(count)
    rows = [[KINDS[kind].value, *count.row] for kind, count in counts.items()]
    print(f"{len(chosen)} documents. {machine()}\n")
    print(table(["", "Found", "Precision", "Recall", "F1"], [*rows, ["All four", *every.row]]))
    print(f"\nFinding the facts of a page: {cost(documents):.1f} ms of CPU.")


if __name__ == "__main__":
    main()
