"""The entities stage with docpipe's tagger beside spaCy's medium model, in one run: F1, speed, memory.

    python -m benchmarks.names --corpus DIR --trained-on NAMES [--as capitals] [--sets ner_ewt …]
    python -m benchmarks.names --corpus DIR --costs

DIR is as for `benchmarks.entities`, NAMES the corpus of `training/names`: of the sets it holds too, only
documents it keeps from training are scored. Writes Markdown to standard output; intervals are the middle
95 % of 1,000 draws of the documents. `--costs` measures on one thread, the engines in turn.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.entities import NAMES, REPEATS, SETS, SPEED_SET, Document, cpu, docpipe, read
from benchmarks.spans import Score, score
from docpipe.engines import load_ner
from training.names.text import read as read_training

ENGINES = ("spacy", "docpipe")
DATES = ("ie_redocred", "ie_re3d")
DRAWS = 1_000
COLUMNS = 72

ONE_SENTENCE = """
import time, psutil
from docpipe.engines import load_ner
list(load_ner({engine!r}).find(["Jane Doe of Microsoft moved to New York."]))
print(time.process_time(), psutil.Process().memory_info().rss // 10**6)
"""


class Pair(NamedTuple):
    """Scores of each document, of the two engines in their order."""

    spacy: list[Score]
    tagger: list[Score]


def letters(text: str) -> str:
    """By what copies of a text that differ in their blanks are the same."""
    return "".join(filter(str.isalnum, text)).lower()


def trained_on(corpus: Path) -> set[str]:
    """The letters of every document that the tagger was trained on."""
    return {
        letters(" ".join(line.text for line in document.lines))
        for document in read_training(corpus)
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


def f1(each: Sequence[Score]) -> float:
    return sum(each, Score()).f1


def difference(pair: Pair) -> str:
    """The middle 95 % of how much the tagger's F1 is above spaCy's, over draws of the documents."""
    rng = random.Random(1)  # noqa: S311
    drawn = []
    for _ in range(DRAWS):
        places = rng.choices(range(len(pair.tagger)), k=len(pair.tagger))
        drawn.append(f1([pair.tagger[i] for i in places]) - f1([pair.spacy[i] for i in places]))
    drawn.sort()
    return f"{drawn[DRAWS // 40]:+.3f} … {drawn[-DRAWS // 40]:+.3f}"


def accuracy(corpus: dict[str, list[Document]]) -> None:
    finders = [docpipe(load_ner(engine)) for engine in ENGINES]
    found = {name: [find([d.text for d in corpus[name]]) for find in finders] for name in corpus}

    def pair(name: str, labels: Sequence[str]) -> Pair:
        return Pair(
            *(
                [
                    sum((score(d.text, d.gold, spans, label) for label in labels), Score())
                    for d, spans in zip(corpus[name], each, strict=True)
                ]
                for each in found[name]
            )
        )

    print(
        "| Set | Documents | spaCy medium | docpipe's tagger | 95 % of the difference |\n|---|" + "--:|" * 4
    )
    pairs = {name: pair(name, NAMES) for name in corpus}
    for name, two in pairs.items():
        figures = f"{f1(two.spacy):.3f} | {f1(two.tagger):.3f} | {difference(two)}"
        print(f"| {name} | {len(two.tagger)} | {figures} |")
    means = (sum(f1(two[i]) for two in pairs.values()) / len(pairs) for i in range(2))
    print("| **mean** | | " + " | ".join(f"**{mean:.3f}**" for mean in means) + " | |")
    print("\n| Set | Label | Precision | Recall | F1 | F1 of spaCy medium |\n|---|---|" + "--:|" * 4)
    for name in corpus:
        for label in (*NAMES, *(("DATE",) if name in DATES else ())):
            two = pair(name, (label,))
            one = sum(two.tagger, Score())
            figures = f"{one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {f1(two.spacy):.3f}"
            print(f"| {name} | {label} | {figures} |")


def costs(texts: Sequence[str]) -> None:
    """Words per CPU second, the engines in turn; the first round, in which they load, does not count."""
    words = sum(len(text.split()) for text in texts)
    finders = [docpipe(load_ner(engine)) for engine in ENGINES]
    rounds = [[cpu(find, texts) for find in finders] for _ in range(1 + REPEATS)][1:]
    print("| Engine | Words per CPU second, best | worst | CPU seconds for one sentence | Memory, MB |")
    print("|---|" + "--:|" * 4)
    for engine, seconds in zip(ENGINES, zip(*rounds, strict=True), strict=True):
        first, memory = _for_one_sentence(engine)
        speeds = f"{words / min(seconds):,.0f} | {words / max(seconds):,.0f}"
        print(f"| {engine} | {speeds} | {first:.1f} | {memory} |")
    print(f"\n{words:,} words, {REPEATS} rounds; {os.cpu_count()} processors, load {os.getloadavg()[0]:.0f}.")


def _for_one_sentence(engine: str) -> tuple[float, int]:
    """CPU seconds of a process that reads one sentence, and its resident memory then."""
    program = [sys.executable, "-c", ONE_SENTENCE.format(engine=engine)]
    seconds, memory = subprocess.run(program, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--trained-on", type=Path, metavar="NAMES")
    parser.add_argument("--as", choices=FORMS, default="plain", dest="form")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--limit", type=int, help="documents of each set; with --costs 100")
    arguments = parser.parse_args()
    if arguments.costs:
        costs([document.text for document in read(arguments.corpus, SPEED_SET, arguments.limit or 100)])
        return
    seen = trained_on(arguments.trained_on) if arguments.trained_on else set()
    form = FORMS[arguments.form]
    corpus = {
        name: [form(d) for d in read(arguments.corpus, name, arguments.limit) if letters(d.text) not in seen]
        for name in arguments.sets
    }
    accuracy({name: documents for name, documents in corpus.items() if documents})


if __name__ == "__main__":
    main()
