"""Relations on CoNLL04: typed and untyped F1, with gold entities and end to end.

    python -m benchmarks.relations --corpus DIR [--engine spacy] [--model FOLDER]

DIR holds `rel_conll04/open.jsonl`: a JSON object a line with `text`, `entities` ([start, end, label], …) and
`relations` (type, head, tail). A relation counts when type, direction and both entities agree; end to end an
entity is the first gold one of its label that it overlaps. The peers relate every two mentions of a
sentence (co-occurrence), and those whose labels occur together in the data's relations.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from docpipe.engines import load_ner
from docpipe.engines.ports import NerEngine
from docpipe.models import Chunk, Entity, Mention
from docpipe.stages.entities.mentions import find_mentions
from docpipe.stages.graph.relations import find_relations, sentences

TYPES = {
    "Work_For": "WORK_FOR",
    "Live_In": "LIVE_IN",
    "OrgBased_In": "BASED_IN",
    "Located_In": "LOCATED_IN",
    "Kill": "KILLED",
}
FITTING = {
    frozenset(pair)
    for pair in (
        ("PERSON", "ORG"),
        ("PERSON", "LOCATION"),
        ("ORG", "LOCATION"),
        ("LOCATION", "LOCATION"),
        ("PERSON", "PERSON"),
    )
}

Row = dict[str, Any]
Found = set[tuple[str, int, int]]
"""Type, source and target; the ends are positions in the list of gold entities, or below zero."""


class Score(NamedTuple):
    right: int
    wrong: int
    missed: int

    def __str__(self) -> str:
        precision = self.right / max(1, self.right + self.wrong)
        recall = self.right / max(1, self.right + self.missed)
        f1 = 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)
        return f"{precision:.3f} | {recall:.3f} | **{f1:.3f}**"


def gold_entities(row: Row) -> list[tuple[int, int, str]]:
    folded = {"LOC": "LOCATION"}
    return sorted({(start, end, folded.get(label, label)) for start, end, label in row["entities"]})


def gold_relations(row: Row) -> Found:
    place = {entity[:2]: index for index, entity in enumerate(gold_entities(row))}
    return {
        (TYPES[r["type"]], place[r["head"][0], r["head"][1]], place[r["tail"][0], r["tail"][1]])
        for r in row["relations"]
    }


def given(row: Row) -> list[Mention]:
    """The gold entities as mentions."""
    return [
        Mention(index, row["text"][start:end], label, start, end, 1, None, 1.0, "gold", 0)
        for index, (start, end, label) in enumerate(gold_entities(row))
    ]


def recognised(row: Row, engine: NerEngine) -> list[Mention]:
    text = row["text"]
    return list(find_mentions(text, [], [Chunk(0, 0, len(text), 1, 1, text)], engine=engine).mentions or ())


def places(row: Row, mentions: Sequence[Mention]) -> dict[int, int]:
    """For each mention the gold entity it is, or a number of its own below zero."""
    gold = gold_entities(row)
    return {
        m.index: next(
            (i for i, (a, b, label) in enumerate(gold) if a < m.end and m.start < b and label == m.label),
            -1 - m.index,
        )
        for m in mentions
    }


def by_docpipe(text: str, mentions: Sequence[Mention]) -> Iterator[tuple[str, int, int]]:
    """Each mention is an entity of its own: what is scored are the places that say so."""
    entities = [Entity(m.index, m.text, m.label, (m.index,)) for m in mentions]
    for relation in find_relations(text, [], mentions, entities):
        if relation.type in TYPES.values():
            yield relation.type, relation.source, relation.target


def by_sentence(text: str, mentions: Sequence[Mention]) -> Iterator[tuple[str, int, int]]:
    for start, end in sentences(text):
        inside = [m for m in mentions if start <= m.start < end]
        yield from (("", one.index, other.index) for one, other in combinations(inside, 2))


def by_fitting_labels(text: str, mentions: Sequence[Mention]) -> Iterator[tuple[str, int, int]]:
    label = {m.index: m.label for m in mentions}
    for kind, one, other in by_sentence(text, mentions):
        if frozenset((label[one], label[other])) in FITTING:
            yield kind, one, other


Method = Callable[[str, Sequence[Mention]], Iterator[tuple[str, int, int]]]


def score(found: Sequence[Found], gold: Sequence[Found]) -> Score:
    pairs = list(zip(found, gold, strict=True))
    return Score(
        sum(len(f & g) for f, g in pairs),
        sum(len(f - g) for f, g in pairs),
        sum(len(g - f) for f, g in pairs),
    )


def untyped(relations: Found) -> Found:
    return {("", min(one, other), max(one, other)) for _, one, other in relations}


def run(rows: Sequence[Row], mentions: Sequence[Sequence[Mention]], method: Method) -> list[Found]:
    results = []
    for row, given_here in zip(rows, mentions, strict=True):
        place = places(row, given_here)
        found = {(t, place[a], place[b]) for t, a, b in method(row["text"], given_here)}
        results.append({(t, a, b) for t, a, b in found if a != b})
    return results


def holds_both(rows: Sequence[Row], mentions: Sequence[Sequence[Mention]]) -> Counter[bool]:
    """For every edge, whether its evidence holds both of its mentions."""
    held: Counter[bool] = Counter()
    for row, given_here in zip(rows, mentions, strict=True):
        entities = [Entity(m.index, m.text, m.label, (m.index,)) for m in given_here]
        span = {m.index: (m.start, m.end) for m in given_here}
        for relation in find_relations(row["text"], [], given_here, entities):
            start, end = relation.evidence.start, relation.evidence.end
            ends = span[relation.source], span[relation.target]
            held[all(start <= a and b <= end for a, b in ends)] += 1
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--engine", default="docpipe", help="the NER engine for the figures end to end")
    parser.add_argument("--model", help="the engine's model: of spaCy's a package or folder")
    arguments = parser.parse_args()
    lines = (arguments.corpus / "rel_conll04" / "open.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    gold = [gold_relations(row) for row in rows]
    engine = load_ner(arguments.engine, **({"model": arguments.model} if arguments.model else {}))
    sources = {"gold": [given(row) for row in rows], engine.name: [recognised(row, engine) for row in rows]}
    print("| Entities | Method | Untyped P | R | F1 | Typed P | R | F1 |\n|---|---|--:|--:|--:|--:|--:|--:|")
    methods = {"co-occurrence": by_sentence, "co-occurrence, fitting labels": by_fitting_labels}
    for source, mentions in sources.items():
        for name, method in {**methods, "docpipe": by_docpipe}.items():
            found = run(rows, mentions, method)
            loose = score([untyped(f) for f in found], [untyped(g) for g in gold])
            typed = score(found, gold) if name == "docpipe" else " | | "
            print(f"| {source} | {name} | {loose} | {typed} |")
    print("\n| Entities | Type | P | R | F1 |\n|---|---|--:|--:|--:|")
    for source, mentions in sources.items():
        found = run(rows, mentions, by_docpipe)
        for kind in TYPES.values():
            of_kind = [[{r for r in one if r[0] == kind} for one in each] for each in (found, gold)]
            print(f"| {source} | {kind} | {score(*of_kind)} |")
    held = holds_both(rows, sources["gold"])
    print(f"\n{held[True]} of {held.total()} edges have evidence that holds both mentions.")


if __name__ == "__main__":
    main()
