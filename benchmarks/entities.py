"""Strict span F1 and words per CPU second: docpipe's tagger beside spaCy, in one run.

    python -m benchmarks.entities --corpus DIR [--as capitals] [--held-back NAMES] [--sets ner_ewt …]

DIR holds one folder per set with `open.jsonl`: a JSON object per line with `text` and `entities`
(start, end, label, …). NAMES is the corpus of `training/names`: of sets it holds too, only the documents
it keeps from training are scored. Writes Markdown to standard output; intervals are of 1,000 draws of the
documents.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from spacy.about import __version__ as spacy_version

from benchmarks.spans import Labelled, Score, score
from docpipe.engines.ner.onnx_tagger import OnnxTagger
from docpipe.engines.ner.spacy import SpacyEngine
from docpipe.engines.ports import NerEngine
from docpipe.models import Method, Page
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import find_mentions
from training.names.text import read as read_training

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
DRAWS = 1_000
COLUMNS = 72


class Document(NamedTuple):
    text: str
    gold: list[Labelled]

    @property
    def letters(self) -> str:
        """By what copies of a text that differ in their blanks are the same."""
        return "".join(filter(str.isalnum, self.text)).lower()


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


def seen_in_training(names: Path) -> set[str]:
    """The letters of the documents that the tagger was trained on."""
    return {
        Document(" ".join(line.text for line in document.lines), []).letters
        for document in read_training(names)
        if not document.held_back
    }


def in_capitals(document: Document) -> Document:
    return Document("".join(c.upper() if len(c.upper()) == 1 else c for c in document.text), document.gold)


def wrapped(document: Document) -> Document:
    """Blanks become line breaks where lines would exceed 72 columns."""
    text = list(document.text)
    start = 0
    for line in document.text.split("\n"):
        at = start
        for piece in textwrap.wrap(line, COLUMNS, break_long_words=False, break_on_hyphens=False)[:-1]:
            at = document.text.index(piece, at) + len(piece)
            text[at] = "\n"
        start += len(line) + 1
    return Document("".join(text), document.gold)


FORMS = {"plain": lambda document: document, "capitals": in_capitals, "wrapped": wrapped}


def docpipe(engine: NerEngine) -> Finder:
    """The entities stage as a worker runs it, chunks made beforehand."""

    def find(texts: Sequence[str]) -> list[list[Labelled]]:
        return [list(mentions(engine, text)) for text in texts]

    return find


def mentions(engine: NerEngine, text: str) -> Iterator[Labelled]:
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    output = find_mentions(text, [page], split_text(text, [page]).chunks or (), engine=engine)
    yield from ((m.start, m.end, m.label) for m in output.mentions or ())


def scores(
    documents: Sequence[Document], found: Sequence[list[Labelled]], labels: Sequence[str]
) -> list[Score]:
    """Of each document, its labels together."""
    return [
        sum((score(d.text, d.gold, f, label) for label in labels), Score())
        for d, f in zip(documents, found, strict=True)
    ]


def f1(each: Sequence[Score]) -> float:
    return sum(each, Score()).f1


def interval(each: Sequence[Score], other: Sequence[Score] = ()) -> str:
    """The middle 95 % of F1, or of how much it is above another's, over draws of the documents."""
    rng = random.Random(1)
    drawn = []
    for _ in range(DRAWS):
        places = rng.choices(range(len(each)), k=len(each))
        drawn.append(f1([each[i] for i in places]) - (f1([other[i] for i in places]) if other else 0.0))
    drawn.sort()
    sign = "+" if other else ""
    return f"{drawn[DRAWS // 40]:{sign}.3f} … {drawn[-DRAWS // 40]:{sign}.3f}"


def accuracy(corpus: dict[str, list[Document]], finders: dict[str, Finder], base: str, best: str) -> None:
    found = {
        (name, who): find([document.text for document in documents])
        for name, documents in corpus.items()
        for who, find in finders.items()
    }
    heads = [*finders, f"{best} over {base}"]
    print("| Set | " + " | ".join(heads) + " |\n|---|" + "--:|" * len(heads))
    means = dict.fromkeys(finders, 0.0)
    for name, documents in corpus.items():
        each = {who: scores(documents, found[name, who], NAMES) for who in finders}
        means = {who: means[who] + f1(each[who]) / len(corpus) for who in finders}
        cells = [*(f"{f1(one):.3f}" for one in each.values()), interval(each[best], each[base])]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("| **mean** | " + " | ".join(f"**{mean:.3f}**" for mean in means.values()) + " | |")
    for name, label in VALUES:
        if name in corpus:
            values = (f1(scores(corpus[name], found[name, who], (label,))) for who in finders)
            print(f"| {label} in {name} | " + " | ".join(f"{value:.3f}" for value in values) + " | |")
    print(
        f"\n| Set | Label | Precision | Recall | F1 | 95 % | Spans | F1 of {base} |\n|---|---|" + "--:|" * 6
    )
    for name, documents in corpus.items():
        for label in (*NAMES, *(label for own, label in VALUES if own == name)):
            each, theirs = (scores(documents, found[name, who], (label,)) for who in (best, base))
            one = sum(each, Score())
            figures = f"{one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {interval(each)} | {one.gold}"
            print(f"| {name} | {label} | {figures} | {f1(theirs):.3f} |")


def addresses(corpus: dict[str, list[Document]], engine: NerEngine) -> None:
    """What the exact patterns find in prose, to be looked at."""
    texts = [document.text for name in PROSE for document in corpus.get(name, ())]
    labels = {"EMAIL", "URL", "IBAN", "PHONE", "VAT_NUMBER"}
    seen = [text[s:e] for text in texts for s, e, label in mentions(engine, text) if label in labels]
    print(f"\nIn {sum(map(len, texts)) // PAGE} pages of prose, addresses found: {seen or 'none'}.")


def speed(documents: Sequence[Document], engines: dict[str, NerEngine]) -> None:
    """The entities stage over the documents, one by one, engine after engine in turn.

    The first round, in which the engines are loaded, does not count.
    """
    texts = [document.text for document in documents]
    words = sum(len(text.split()) for text in texts)
    rounds = [[cpu(docpipe(engine), texts) for engine in engines.values()] for _ in range(1 + REPEATS)][1:]
    for name, seconds in zip(engines, (min(each) for each in zip(*rounds, strict=True)), strict=True):
        print(f"{name}: {words / seconds:,.0f} words per CPU second")
    print(f"({words:,} words, the least of {REPEATS} runs each)")


def cpu(find: Finder, texts: Sequence[str]) -> float:
    start = time.process_time()
    find(texts)
    return time.process_time() - start


def memory(documents: Sequence[Document], engine: NerEngine) -> None:
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
    parser.add_argument("--held-back", type=Path, metavar="NAMES")
    parser.add_argument("--as", choices=FORMS, default="plain", dest="form")
    parser.add_argument("--limit", type=int, help="documents of each set")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--model", help="a folder with another names model")
    parser.add_argument("--no-speed", action="store_true")
    arguments = parser.parse_args()
    seen = seen_in_training(arguments.held_back) if arguments.held_back else set()
    corpus = {}
    for name in arguments.sets:
        unseen = [d for d in read(arguments.corpus, name, arguments.limit) if d.letters not in seen]
        if unseen:
            corpus[name] = [FORMS[arguments.form](document) for document in unseen]
    small, medium, own = SpacyEngine("en_core_web_sm"), SpacyEngine(), OnnxTagger(arguments.model)
    print(f"spaCy {spacy_version}; {small.name}; {medium.name}; {own.name}; text {arguments.form}\n")
    if not arguments.no_speed:
        memory(corpus.get(SPEED_SET, []), own)
        speed(corpus.get(SPEED_SET, [])[:100], {medium.name: medium, own.name: own})
        print()
    base, best = "spaCy medium with docpipe's rules", "docpipe"
    finders = {
        "spaCy small": bare(small),
        "spaCy medium": bare(medium),
        base: docpipe(medium),
        best: docpipe(own),
    }
    accuracy(corpus, finders, base, best)
    addresses(corpus, own)


if __name__ == "__main__":
    main()
