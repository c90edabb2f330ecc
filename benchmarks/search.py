"""How often searches by words, by meaning and by both find the page that answers a question.

    python -m benchmarks.search --write docs/benchmarks.md

100 questions, each written by hand in other words than the passage of docs/decisions that answers it
(questions.tsv: number of the decision, words of the passage, question). They are asked of all of docs/. A
page is right if it holds the words of the passage. `any word` ranks pages by BM25 with any word of the
question. Then they are asked by a few words: the three of the passage that the fewest pages hold, and the
last long word of the question that is not in the passage.
"""

from __future__ import annotations

import argparse
import csv
import re
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from benchmarks import report
from docpipe.engines import load_embed
from docpipe.execution.options import Options
from docpipe.execution.plan import CHUNK, EMBED, OCR
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.text_search import By
from docpipe.stores import open_store

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
QUESTIONS = Path(__file__).with_name("questions.tsv")
AT = (1, 10)

Place = tuple[str, int]
"""The document's id, and the page."""


@dataclass(frozen=True)
class Question:
    """A question, and the words of the passage that answers it."""

    decision: str
    passage: str
    text: str

    def stands_in(self, text: str) -> re.Match[str] | None:
        """Where the passage stands in the text, however its lines break."""
        return re.search(r"\s+".join(map(re.escape, self.passage.split())), text)


def questions() -> list[Question]:
    with QUESTIONS.open(encoding="utf-8", newline="") as lines:
        return [Question(*row) for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]


def read(pipeline: Pipeline, asked: Sequence[Question]) -> list[set[Place]]:
    """Process all of docs/; the pages that answer each question."""
    answers: list[set[Place]] = [set() for _ in asked]
    for path in sorted(DOCS.rglob("*.md")):
        document = pipeline.process(path, name=str(path.relative_to(DOCS)))
        for answer, question in zip(answers, asked, strict=True):
            if path.name.startswith(f"{question.decision}-") and (found := question.stands_in(document.text)):
                page = next(each for each in document.pages if found.start() < each.end)
                answer.add((document.document_uuid, page.number))
    lost = [question.passage for question, answer in zip(asked, answers, strict=True) if not answer]
    if lost:
        raise SystemExit(f"These passages stand in docs/decisions no more: {lost}")
    return answers


def few_words(store: Path, question: Question) -> Question:
    """The same question as somebody types it who remembers three words, and one that is not there."""
    db = sqlite3.connect(store)

    def pages(word: str) -> int:
        counted = "select count(*) from docpipe_page_words where docpipe_page_words match ?"
        return int(db.execute(counted, (f'"{word}"',)).fetchone()[0])

    words = {each.lower() for each in re.findall(r"[^\W_]{3,}", question.passage)}
    rare = sorted(words, key=lambda word: (pages(word), word))[:3]
    other = [each for each in re.findall(r"[^\W_]{5,}", question.text.lower()) if each not in words]
    return replace(question, text=" ".join([*rare, *other[-1:]]))


def any_word(store: Path) -> Callable[[str], list[Place]]:
    """Pages by BM25 that hold any word of a question."""
    db = sqlite3.connect(store)

    def search(text: str) -> list[Place]:
        query = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
        return db.execute(
            "select s.document_uuid, s.number from docpipe_page_words w join docpipe_page_search s"
            " on s.id = w.rowid where docpipe_page_words match ? order by rank limit ?",
            (query, max(AT)),
        ).fetchall()

    return search


def by(pipeline: Pipeline, way: By) -> Callable[[str], list[Place]]:
    def search(text: str) -> list[Place]:
        found = pipeline.search_text(text, limit=max(AT), by=way)
        return [(each.document_uuid, each.page) for each in found]

    return search


def recall(
    search: Callable[[str], list[Place]], asked: Sequence[Question], answers: Sequence[set[Place]]
) -> list[float]:
    """The part of the questions with a right page among the first, for each number in `AT`."""
    found = [search(question.text) for question in asked]
    return [
        sum(not answer.isdisjoint(pages[:most]) for pages, answer in zip(found, answers, strict=True))
        / len(asked)
        for most in AT
    ]


def cost(pipeline: Pipeline) -> str:
    """CPU time of the engine for each passage, and memory."""
    engine = load_embed()
    passages = [chunk.text[:500] for each in pipeline.store.documents(limit=20)
                for chunk in pipeline.get(each.document_uuid).chunks][:200]  # fmt: skip
    list(engine.embed(passages[:1]))
    begin = time.process_time()
    list(engine.embed(passages))
    spent = (time.process_time() - begin) / len(passages) * 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{spent:.1f} ms of CPU time for each of {len(passages)} passages; peak of the process {peak:.0f} MB."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", default="docpipe", help="the embedding engine")
    parser.add_argument("--model", help="its model")
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    args = parser.parse_args()
    asked = questions()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.db"
        given = {"model": args.model} if args.model else {}
        options = Options(embed_engine=args.engine, embed_options=given, isolate=False)
        pipeline = Pipeline(store=open_store(f"sqlite://{file}"), stages=(OCR, CHUNK, EMBED), options=options)
        answers = read(pipeline, asked)
        ways = {way: by(pipeline, way) for way in get_args(By)} | {"any word": any_word(file)}
        kinds = {"a question": asked, "a few words": [few_words(file, each) for each in asked]}
        rows = [
            [way, *(f"{part:.2f}" for asks in kinds.values() for part in recall(search, asks, answers))]
            for way, search in ways.items()
        ]
        table = report.table(["search", *(f"{kind}, recall at {n}" for kind in kinds for n in AT)], rows)
        number = len(pipeline.store.documents(limit=1000))
        text = f"{report.machine()} {number} documents, {len(asked)} questions. {cost(pipeline)}\n\n{table}"
    print(text)
    if args.write:
        report.replace_section(args.write, "search", text)


if __name__ == "__main__":
    main()
