"""What every store promises about vectors, and searches by meaning."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import mul
from pathlib import Path

import psycopg
import pytest

from docpipe.errors import ConfigurationError
from docpipe.execution.plan import WITH_EMBED
from docpipe.models import Chunk, Ref, StageOutput
from docpipe.pipeline.text_search import By, Passage, search_text
from docpipe.stages.embed import embed_chunks
from docpipe.stores.port import Store
from docpipe.stores.sqlite.store import SqliteStore
from tests.contract.test_store import new, run_stage
from tests.contract.test_text_search import EMPTY, read

PLAN = [stage.planned for stage in WITH_EMBED]


class Sounds:
    """Texts are near by their vowels."""

    max_characters = 40

    def __init__(self, name: str = "sounds@1", vowels: str = "aeiou") -> None:
        self.name = name
        self.vowels = vowels

    def embed(self, texts: Sequence[str]) -> Iterator[list[float]]:
        for text in texts:
            yield [float(text.count(vowel)) for vowel in self.vowels]


def completed(
    store: Store, *texts: str, name: str = "a.pdf", project: str | None = "p", engine: Sounds | None = None
) -> Ref:
    ref = store.register(
        new(name=name, project_id=project, digest=name.ljust(64, "0"), uri=f"file:///{name}", stages=PLAN)
    ).ref
    said = read(*texts)
    assert said.pages is not None
    chunks = tuple(
        Chunk(number, page.start, page.end, page.number, page.number, text)
        for number, (page, text) in enumerate(zip(said.pages, texts, strict=True))
    )
    vectors = embed_chunks(chunks, said.pages, engine or Sounds())
    for stage, output in {
        "ocr": said,
        **EMPTY,
        "chunk": StageOutput(chunks=chunks),
        "embed": vectors,
    }.items():
        run_stage(store, ref, stage, output)
    return ref


def found(
    store: Store, query: str, by: By = "meaning", project: str | None = None, limit: int = 20
) -> list[Passage]:
    return search_text(store, query, project, limit, by, Sounds)


def pages(found: Sequence[Passage]) -> list[tuple[str, int]]:
    return [(each.name, each.page) for each in found]


def test_the_nearest_passage_comes_first_with_its_page_its_chunk_and_its_place(store: Store) -> None:
    completed(store, "ooo far", "and\naha a banana", name="one.pdf")
    completed(store, "i mi i ti", name="two.pdf")
    first, *others = found(store, "alas")
    assert (first.name, first.page, first.chunk, first.snippet) == ("one.pdf", 2, 1, "and aha a banana")
    assert first.score == pytest.approx(1.0, abs=1e-5)
    assert [place.boxes for place in first.places] == [((0.0, 0.0, 3.0, 10.0), (0.0, 10.0, 12.0, 20.0))]
    assert pages(others) == [("one.pdf", 1), ("two.pdf", 1)]


def test_a_long_chunk_is_found_by_each_of_its_passages_and_a_page_once(store: Store) -> None:
    completed(store, "papa mama lala kaka tata dada. \n\nbibi titi mimi lili kiki pipi.", name="long.pdf")
    (near,) = found(store, "i")
    assert (near.snippet, near.places[0].start) == ("bibi titi mimi lili kiki pipi.", 33)
    assert pages(found(store, "a")) == [("long.pdf", 1)]


def test_a_project_finds_its_own_alone(store: Store) -> None:
    for project in ("p", "q", None):
        completed(store, "banana", name=f"{project}.pdf", project=project)
    assert pages(found(store, "a", project="q")) == [("q.pdf", 1)]
    assert pages(found(store, "a", project="")) == [("None.pdf", 1)]
    assert len(found(store, "a")) == 3
    assert len(found(store, "a", limit=2)) == 2


def test_vectors_of_two_models_are_not_compared(store: Store) -> None:
    completed(store, "banana", name="other.pdf", engine=Sounds("sounds@2"))
    completed(store, "banana", name="shorter.pdf", engine=Sounds(vowels="ae"))
    assert pages(found(store, "a")) == []


def test_a_new_run_keeps_or_replaces_vectors_and_is_found_when_it_is_complete(store: Store) -> None:
    ref = completed(store, "banana", name="a.pdf")
    again = store.reprocess(ref.document_uuid, "embed", PLAN)
    assert again is not None
    assert [each.run for each in found(store, "a")] == [1]
    chunk = Chunk(0, 0, 6, 1, 1, "banana")
    run_stage(store, again.ref, "embed", embed_chunks([chunk], (), Sounds("sounds@2")))
    assert pages(found(store, "a")) == []
    third = store.reprocess(ref.document_uuid, "embed", PLAN)
    assert third is not None
    run_stage(store, third.ref, "embed", embed_chunks([chunk], (), Sounds()))
    assert [each.run for each in found(store, "a")] == [3]


def test_a_stage_after_it_begins_a_run_with_its_vectors(store: Store) -> None:
    plan = [*PLAN, replace(PLAN[-1], name="after")]
    ref = completed(store, "banana", name="a.pdf")
    again = store.reprocess(ref.document_uuid, "after", plan)
    assert again is not None
    run_stage(store, again.ref, "after", StageOutput())
    assert [(each.run, each.chunk) for each in found(store, "a")] == [(2, 0)]


def test_a_deleted_document_leaves_no_vector(store: Store) -> None:
    ref = completed(store, "banana")
    assert store.traces(ref.document_uuid)["docpipe_vectors"] == 1
    store.delete(ref.document_uuid)
    store.erased(ref.document_uuid)
    assert (found(store, "a"), store.traces(ref.document_uuid)["docpipe_vectors"]) == ([], 0)


def test_postgres_finds_the_same_with_pgvector(store: Store, request: pytest.FixtureRequest) -> None:
    if isinstance(store, SqliteStore):
        pytest.skip("SQLite has no such extension")
    for number, text in enumerate(("banana", "ananas", "plum i", "abacus")):
        completed(store, text, name=f"{number}.pdf")
    before = [(each.name, each.score) for each in found(store, "a u")]
    assert "SQL" in store.vectors_by()
    url = request.getfixturevalue("supabase_env")["SUPABASE_DB_URL"]
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create extension vector")
        try:
            after = [(each.name, each.score) for each in found(store, "a u")]
            assert "pgvector" in store.vectors_by()
        finally:
            db.execute("drop extension vector")
    assert sorted(name for name, _ in after) == sorted(name for name, _ in before)
    assert [score for _, score in after] == pytest.approx([score for _, score in before], abs=1e-5)
    assert after[0][0] == before[0][0] == "3.pdf"


def test_both_rankings_become_one(store: Store) -> None:
    completed(store, "the plum", "banana", "banana plum", name="a.pdf")
    hits = found(store, "plum banana", "hybrid")
    assert pages(hits)[0] == ("a.pdf", 3)
    assert hits[0].score in (pytest.approx(1.7 / 11), pytest.approx(1 / 12 + 0.7 / 11))
    assert [hits[0].snippet[start:end] for start, end in hits[0].marks] == ["banana", "plum"]
    assert hits[0].chunk == 2
    assert sorted(each.page for each in hits) == [1, 2, 3]


def test_a_page_with_one_of_the_words_counts_beside_the_nearest(store: Store) -> None:
    completed(store, "banana papaya mango", "mango plum", "iii", name="a.pdf")
    assert pages(found(store, "plum or iii a a", "hybrid")) == [("a.pdf", 3), ("a.pdf", 2), ("a.pdf", 1)]
    assert pages(found(store, "plum or iii a a", "text")) == []


def test_a_search_that_asks_for_nothing_or_in_no_way_there_is_is_refused(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="query is empty"):
        found(store, "  ")
    with pytest.raises(ConfigurationError, match="text, meaning, hybrid"):
        found(store, "a", "sound")  # type: ignore[arg-type]


def test_of_thousands_of_vectors_the_nearest_are_found_whatever_bytes_they_have(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "docpipe.db")
    ref = completed(store, "a page", engine=Sounds("other"))
    numbers = random.Random(7)
    vectors = [
        [numbers.choice((0.0, 1.0, -2.5, 1e-38, numbers.gauss())) for _ in range(4)] for _ in range(2500)
    ]
    table = (
        'docpipe_vectors (document_uuid, run, chunk, page, model, "index", start_offset, end_offset, vector)'
    )
    with store._transaction() as db:
        db.executemany(
            f"insert into {table} values (?, 1, 0, 1, 'many', ?, 0, ?, ?)",
            [
                (ref.document_uuid, 10 + place, place, struct.pack("<4f", *each))
                for place, each in enumerate(vectors)
            ],
        )
    query = [0.3, -1.0, 2.0, 0.7]
    nearest = sorted(range(2500), key=lambda place: -sum(map(mul, query, vectors[place])))[:10]
    found = store.search_vectors(query, "many", limit=10)
    store.close()
    assert [each.end for each in found] == nearest
