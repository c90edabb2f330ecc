"""Strict span F1 and words per CPU second: docpipe against the bare spaCy models, in one run.

    python -m benchmarks.entities --corpus DIR [--limit N] [--sets ner_ewt …]

DIR holds one folder per set with `open.jsonl`: a JSON object per line with `text` and `entities`
(start, end, label, …). Writes Markdown to standard output.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy.about import __version__ as spacy_version

from benchmarks.spans import Labelled, Score, score
from docpipe.engines.ner.spacy import SpacyEngine
from docpipe.engines.ports import NerEngine
from docpipe.models import Method, Page
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import find_mentions

SETS = (
    *("ner_wikigold", "ner_wnut17", "ner_ewt", "ner_edgar", "ie_re3d", "ie_redocred", "rel_conll04"),
    "ner_conllpp",
)
NAMES = ("PERSON", "ORG", "LOCATION")
VALUES = (("ie_redocred", "DATE"), ("ie_re3d", "DATE"), ("ie_re3d", "MONEY"))
PROSE = ("ner_wikigold", "ie_re3d", "ie_redocred", "rel_conll04")
"""Sets of prose without addresses in it, but for what their texts quote."""

PAGE = 2_500
"""Characters counted as a page of prose."""

REPEATS = 5
SPEED_SET = "ie_redocred"


class Document(NamedTuple):
    text: str
    gold: list[Labelled]


Finder = Callable[[Sequence[str]], list[list[Labelled]]]


def read(corpus: Path, name: str, limit: int | None) -> list[Document]:
    """The documents of a set; none where the corpus lacks it."""
    path = corpus / name / "open.jsonl"
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()[:limit]]
    return [Document(row["text"], [(e[0], e[1], e[2]) for e in row["entities"]]) for row in rows]


def bare(engine: SpacyEngine) -> Finder:
    """spaCy's own pipeline, of the same parts as docpipe loads, with its own batches."""
    nlp = engine.pipeline

    def find(texts: Sequence[str]) -> list[list[Labelled]]:
        return [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(texts)]

    return find


def docpipe(engine: NerEngine) -> Finder:
    """The entities stage as a worker runs it, chunks made beforehand."""

    def find(texts: Sequence[str]) -> list[list[Labelled]]:
        return [list(mentions(engine, text)) for text in texts]

    return find


def mentions(engine: NerEngine, text: str) -> Iterator[Labelled]:
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    output = find_mentions(text, [page], split_text(text, [page]).chunks or (), engine=engine)
    yield from ((m.start, m.end, m.label) for m in output.mentions or ())


def total(documents: Sequence[Document], found: Sequence[list[Labelled]], labels: Sequence[str]) -> Score:
    scores = [
        score(d.text, d.gold, f, label) for d, f in zip(documents, found, strict=True) for label in labels
    ]
    return sum(scores, Score())


def accuracy(corpus: dict[str, list[Document]], finders: dict[str, Finder]) -> None:
    found = {
        (name, who): find([document.text for document in documents])
        for name, documents in corpus.items()
        for who, find in finders.items()
    }
    print("| Set | " + " | ".join(finders) + " |\n|---|" + "--:|" * len(finders))
    means = dict.fromkeys(finders, 0.0)
    for name, documents in corpus.items():
        scores = {who: total(documents, found[name, who], NAMES).f1 for who in finders}
        means = {who: means[who] + scores[who] / len(corpus) for who in finders}
        print(f"| {name} | " + " | ".join(f"{f1:.3f}" for f1 in scores.values()) + " |")
    print("| **mean** | " + " | ".join(f"**{mean:.3f}**" for mean in means.values()) + " |")
    for name, label in VALUES:
        if name in corpus:
            values = (total(corpus[name], found[name, who], (label,)).f1 for who in finders)
            print(f"| {label} in {name} | " + " | ".join(f"{f1:.3f}" for f1 in values) + " |")
    print("\n| Set | Label | Precision | Recall | F1 | Spans |\n|---|---|--:|--:|--:|--:|")
    for name, documents in corpus.items():
        for label in (*NAMES, *(label for own, label in VALUES if own == name)):
            one = total(documents, found[name, "docpipe"], (label,))
            print(
                f"| {name} | {label} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {one.gold} |"
            )


def addresses(corpus: dict[str, list[Document]], engine: SpacyEngine) -> None:
    """What the exact patterns find in prose, to be looked at."""
    texts = [document.text for name in PROSE for document in corpus.get(name, ())]
    labels = {"EMAIL", "URL", "IBAN", "PHONE", "VAT_NUMBER"}
    seen = [text[s:e] for text in texts for s, e, label in mentions(engine, text) if label in labels]
    print(f"\nIn {sum(map(len, texts)) // PAGE} pages of prose, addresses found: {seen or 'none'}.")


def speed(documents: Sequence[Document], engine: SpacyEngine) -> None:
    """One long document, and its parts one by one, against `nlp.pipe` over all parts, in turn.

    spaCy reads the parts in batches over their borders; docpipe is given one document at a time, as a
    worker is. The first round, in which both learn the words, does not count.
    """
    texts = [document.text for document in documents]
    words = sum(len(text.split()) for text in texts)
    runs = (bare(engine), texts), (docpipe(engine), ["\n\n".join(texts)]), (docpipe(engine), texts)
    rounds = [[cpu(*run) for run in runs] for _ in range(1 + REPEATS)][1:]
    least = [min(seconds) for seconds in zip(*rounds, strict=True)]
    for name, seconds in zip(("nlp.pipe", "one long document", "one by one"), least, strict=True):
        print(f"{name}: {words / seconds:,.0f} words per CPU second, ratio {least[0] / seconds:.2f}")
    print(f"({words:,} words, the least of {REPEATS} runs each)")


def cpu(find: Finder, texts: Sequence[str]) -> float:
    start = time.process_time()
    find(texts)
    return time.process_time() - start


def memory(documents: Sequence[Document], engine: SpacyEngine) -> None:
    """The peak grows by the results alone when one document is ten times as long."""
    text = "\n\n".join(document.text for document in documents)[:60_000]
    peaks = []
    for times in (1, 10):
        count = sum(1 for _ in mentions(engine, "\n\n".join([text] * times)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        peaks.append(f"{peak} MB for {len(text) * times // PAGE:,} pages ({count:,} mentions)")
    print(f"\nPeak memory, one document: {', then '.join(peaks)}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="documents of each set")
    parser.add_argument("--sets", nargs="+", default=SETS)
    arguments = parser.parse_args()
    read_sets = {name: read(arguments.corpus, name, arguments.limit) for name in arguments.sets}
    corpus = {name: documents for name, documents in read_sets.items() if documents}
    small, medium = SpacyEngine("en_core_web_sm"), SpacyEngine()
    print(f"spaCy {spacy_version}; {small.name}; {medium.name}\n")
    memory(corpus.get(SPEED_SET, []), medium)
    speed(corpus.get(SPEED_SET, [])[:100], medium)
    print()
    accuracy(corpus, {"spaCy small": bare(small), "spaCy medium": bare(medium), "docpipe": docpipe(medium)})
    addresses(corpus, medium)


if __name__ == "__main__":
    main()
