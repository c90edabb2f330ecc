"""Resolution within a document on Re-DocRED: pairwise and B-cubed F1 over gold mentions of names.

    python -m benchmarks.resolution --corpus DIR

DIR holds `ie_redocred/open.jsonl`: a JSON object a line with `text` and `clusters` (label, mentions as
[start, end, sentence]). Scored are the labels PERSON, ORG, LOC and MISC. B-cubed: Bagga and Baldwin,
Algorithms for scoring coreference chains (1998). The peers join equal strings, and strings with a rapidfuzz
token_set_ratio of 95 or more. All documents are also resolved with their mentions shuffled 20 times.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from rapidfuzz import fuzz

from docpipe.models import Mention
from docpipe.stages.graph.resolution import resolve

LABELS = {"PERSON": "PERSON", "ORG": "ORG", "LOC": "LOCATION", "MISC": "MISC"}


class Sample(NamedTuple):
    text: str
    mentions: list[Mention]
    truth: list[Hashable]
    """The cluster of each mention."""


def sample(row: dict[str, Any]) -> Sample:
    text = row["text"]
    placed = sorted(
        (start, end, LABELS[cluster["label"]], number)
        for number, cluster in enumerate(row["clusters"])
        if cluster["label"] in LABELS
        for start, end, _ in cluster["mentions"]
    )
    mentions = [
        Mention(index, text[start:end], label, start, end, 1, None, 1.0, "gold", 0)
        for index, (start, end, label, _) in enumerate(placed)
    ]
    return Sample(text, mentions, [number for *_, number in placed])


def by_docpipe(one: Sample) -> list[Hashable]:
    entity_of = {m: e.index for e in resolve(one.mentions, one.text) for m in e.mentions}
    return [entity_of[mention.index] for mention in one.mentions]


def by_text(one: Sample) -> list[Hashable]:
    return [(mention.label, mention.text) for mention in one.mentions]


def by_token_set(one: Sample) -> list[Hashable]:
    names = sorted({(mention.label, mention.text) for mention in one.mentions})
    head = {name: name for name in names}
    for first, second in combinations(names, 2):
        if first[0] == second[0] and fuzz.token_set_ratio(first[1].lower(), second[1].lower()) >= 95:
            old, new = head[second], head[first]
            head = {name: new if root == old else root for name, root in head.items()}
    return [head[mention.label, mention.text] for mention in one.mentions]


def pairwise(samples: Sequence[Sample], answers: Sequence[Sequence[Hashable]]) -> tuple[float, float]:
    """Precision and recall over all pairs of mentions of one document."""
    count: Counter[tuple[bool, bool]] = Counter()
    for one, answer in zip(samples, answers, strict=True):
        for i, j in combinations(range(len(answer)), 2):
            count[one.truth[i] == one.truth[j], answer[i] == answer[j]] += 1
    right = count[True, True]
    return right / max(1, right + count[False, True]), right / max(1, right + count[True, False])


def b_cubed(samples: Sequence[Sample], answers: Sequence[Sequence[Hashable]]) -> tuple[float, float]:
    precision = recall = total = 0.0
    for one, answer in zip(samples, answers, strict=True):
        truth, found, both = Counter(one.truth), Counter(answer), Counter(zip(one.truth, answer, strict=True))
        for pair in zip(one.truth, answer, strict=True):
            precision += both[pair] / found[pair[1]]
            recall += both[pair] / truth[pair[0]]
            total += 1
    return precision / total, recall / total


def shown(figures: tuple[float, float]) -> str:
    precision, recall = figures
    return (
        f"{precision:.3f} | {recall:.3f} | **{2 * precision * recall / max(1e-9, precision + recall):.3f}**"
    )


def changed_by_shuffling(samples: Sequence[Sample], times: int = 20) -> int:
    """How many documents are resolved differently when their mentions come in another order."""
    shuffle = random.Random(1).shuffle  # noqa: S311
    changed = 0
    for one in samples:
        answers = set()
        for _ in range(times):
            mentions = list(one.mentions)
            shuffle(mentions)
            answers.add(resolve(mentions, one.text))
        changed += len(answers) > 1
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    lines = (parser.parse_args().corpus / "ie_redocred" / "open.jsonl").read_text(encoding="utf-8")
    samples = [sample(json.loads(line)) for line in lines.splitlines()]
    methods: dict[str, Callable[[Sample], list[Hashable]]] = {
        "equal strings": by_text,
        "token_set_ratio ≥ 95": by_token_set,
        "docpipe": by_docpipe,
    }
    print("| Method | Pair P | R | F1 | B-cubed P | R | F1 |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, method in methods.items():
        answers = [method(one) for one in samples]
        print(f"| {name} | {shown(pairwise(samples, answers))} | {shown(b_cubed(samples, answers))} |")
    rules: dict[str, int] = defaultdict(int)
    for one in samples:
        for merge in (merge for entity in resolve(one.mentions, one.text) for merge in entity.merges):
            rules[merge.rule] += 1
    print("\nMerges by rule: " + ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())) + ".")
    print(f"{changed_by_shuffling(samples)} of {len(samples)} documents change when shuffled 20 times.")


if __name__ == "__main__":
    main()
