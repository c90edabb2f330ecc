"""What every store promises about searching pages."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from docpipe.errors import ConfigurationError
from docpipe.execution.plan import BUILT_IN
from docpipe.models import Box, Line, Method, Page, Ref, StageOutput
from docpipe.pipeline.text_search import Passage, search_text
from docpipe.stores.port import Store
from docpipe.stores.sqlite import page_index
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.text_search import terms
from docpipe.stores.values import Part
from tests.contract.test_store import OUTPUTS, claim, new, run_stage, token_of

EMPTY = {
    "chunk": StageOutput(chunks=()),
    "entities": StageOutput(mentions=()),
    "graph": StageOutput(entities=(), relations=(), edges=()),
}


def read(*texts: str) -> StageOutput:
    """Pages with these texts, each line of which is 10 points high and as wide as it has characters."""
    pages, start = [], 0
    for number, text in enumerate(texts, 1):
        lines, place = [], start
        for row, line in enumerate(text.split("\n")):
            end = place + len(line)
            lines.append(Line(place, end, (0.0, 10.0 * row, float(len(line)), 10.0 * row + 10), 1.0))
            place = end + 1
        pages.append(Page(number, start, start + len(text), 612.0, 792.0, Method.TEXT, tuple(lines)))
        start += len(text) + 1
    return replace(OUTPUTS["ocr"], text="\n".join(texts), pages=tuple(pages))


def completed(store: Store, *texts: str, name: str = "a.pdf", project: str | None = "p") -> Ref:
    """A completed document whose pages say this."""
    digest = uuid.uuid4().hex * 2
    ref = store.register(new(name=name, project_id=project, digest=digest, uri=f"file:///in/{digest}")).ref
    for stage, output in {"ocr": read(*texts), **EMPTY}.items():
        run_stage(store, ref, stage, output)
    return ref


def found(store: Store, query: str, project: str | None = None, limit: int = 20) -> list[Passage]:
    return search_text(store, query, project, limit)


def pages(store: Store, query: str, **more: Any) -> list[tuple[str, int]]:
    return sorted((each.name, each.page) for each in found(store, query, **more))


def test_a_page_is_found_by_its_words_in_any_case_and_in_their_english_forms(store: Store) -> None:
    completed(store, "The Borrower repays", "Nothing here", name="loan.pdf")
    completed(store, "Two borrowers repaid the loans.", name="loans.pdf")
    assert pages(store, "BORROWER") == [("loan.pdf", 1), ("loans.pdf", 1)]
    assert pages(store, "borrower loan") == [("loans.pdf", 1)]
    assert pages(store, "creditor") == []


def test_words_in_quotes_stand_together_and_a_word_with_a_minus_is_not_there(store: Store) -> None:
    completed(store, "governing law of the state", name="law.pdf")
    completed(store, "the law on governing banks", name="banks.pdf")
    assert pages(store, '"governing law"') == [("law.pdf", 1)]
    assert pages(store, "governing law") == [("banks.pdf", 1), ("law.pdf", 1)]
    assert pages(store, "governing -banks") == [("law.pdf", 1)]
    assert pages(store, 'governing -"the state"') == [("banks.pdf", 1)]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("mail to ann@acme.example now", "acme"),
        ("this and/or that", "or that"),
        ("EUR 1,234.50 due", "1,234.50"),
        ("the well-known clause", "well-known"),
        ("the “Purchaser” agrees", "purchaser"),
        ("Müller wohnt in Köln", "köln"),
        ("<b>bold</b> &amp; plain", "bold"),
        ("see https://acme.example/a/b?c=1", "acme.example/a/b"),
        ("a or b", "or"),
    ],
)
def test_what_stands_between_words_parts_them_in_pages_and_queries(
    store: Store, text: str, query: str
) -> None:
    completed(store, text)
    (passage,) = found(store, query)
    assert [text[a:b] for a, b in passage.marks] == [
        text[place.start : place.end] for place in passage.places
    ]
    assert passage.places


def test_only_whole_phrases_are_shown(store: Store) -> None:
    completed(store, "a bill. The bills of sale. No sale of a bill.")
    (passage,) = found(store, '"bill of sale"')
    assert [passage.snippet[a:b] for a, b in passage.marks] == ["bills of sale"]


def whole(box: Box) -> tuple[int, ...]:
    """The box in whole points: where letters of a line stand is estimated where the line has no words."""
    return tuple(map(round, box))


def test_what_was_found_is_shown_in_the_snippet_and_on_the_page(store: Store) -> None:
    ref = completed(store, "first page", "Dear Sir,\nthe Lender and\nthe lender.")
    (passage,) = found(store, "lender")
    assert (passage.document_uuid, passage.run, passage.page, passage.project_id) == (
        ref.document_uuid, 1, 2, "p",
    )  # fmt: skip
    assert passage.snippet == "Dear Sir, the Lender and the lender."
    assert [passage.snippet[a:b] for a, b in passage.marks] == ["Lender", "lender"]
    assert [list(map(whole, place.boxes)) for place in passage.places] == [
        [(4, 10, 10, 20)],
        [(4, 20, 10, 30)],
    ]
    text = store.load(ref, [Part.TEXT]).text
    assert [text[place.start : place.end] for place in passage.places] == ["Lender", "lender"]


def test_a_word_divided_at_the_end_of_a_line_is_found_and_both_its_parts_are_shown(store: Store) -> None:
    completed(store, "all of the inter-\nest is due")
    (passage,) = found(store, "interest due")
    assert passage.snippet == "all of the interest is due"
    assert [passage.snippet[a:b] for a, b in passage.marks] == ["interest", "due"]
    assert list(map(whole, passage.places[0].boxes)) == [(10, 0, 17, 10), (0, 10, 2, 20)]


def test_a_snippet_is_a_few_words_of_a_long_page(store: Store) -> None:
    completed(store, "alpha beta " * 500 + "needle " + "gamma delta " * 500)
    (passage,) = found(store, "needle")
    assert len(passage.snippet) < 200
    assert passage.snippet.startswith(("alpha", "beta"))
    assert [passage.snippet[a:b] for a, b in passage.marks] == ["needle"]


def test_a_project_sees_its_own_pages_only(store: Store) -> None:
    completed(store, "one secret", name="p.pdf", project="p")
    completed(store, "two secrets", name="q.pdf", project="q")
    completed(store, "third secret", name="none.pdf", project=None)
    assert pages(store, "secret", project="p") == [("p.pdf", 1)]
    assert pages(store, "secret", project="") == [("none.pdf", 1)]
    assert len(pages(store, "secret")) == 3
    assert pages(store, "secret", project="a\0b") == []


def test_the_page_that_says_it_most_comes_first(store: Store) -> None:
    completed(store, "once: rent, and much else " + "of other things " * 30, name="little.pdf")
    completed(store, "rent rent rent", name="much.pdf")
    assert [each.name for each in found(store, "rent")] == ["much.pdf", "little.pdf"]
    assert [each.name for each in found(store, "rent", limit=1)] == ["much.pdf"]


def test_where_any_term_is_enough_a_rare_one_counts_for_more(store: Store) -> None:
    # Where pages are of one length and words are their own stems, their rarity alone decides: Postgres counts
    # such a word twice, and how much rarity weighs hangs on how many pages there are.
    completed(
        store,
        "plum jam with bread",
        "plum tart with bread",
        "plum of the state",
        "fig of the state",
        name="fruit.pdf",
    )

    def numbers(query: str) -> list[int]:
        return [hit.page.number for hit in store.search_pages(terms(query), any_term=True)]

    first, *others = numbers("what plums and figs there are")
    assert (first, sorted(others)) == (4, [1, 2, 3])
    assert sorted(numbers('"plum tart" fig "plum fig"')) == [2, 4]
    assert sorted(numbers('plum fig -"the state"')) == [1, 2]
    assert numbers("nectarine") == []


def test_only_the_run_whose_results_are_read_is_found(store: Store) -> None:
    ref = store.register(new()).ref
    run_stage(store, ref, "ocr", read("draft"))
    assert pages(store, "draft") == []
    for stage, output in EMPTY.items():
        run_stage(store, ref, stage, output)
    assert len(pages(store, "draft")) == 1
    again = store.reprocess(ref.document_uuid, "ocr", [stage.planned for stage in BUILT_IN])
    assert again is not None
    run_stage(store, again.ref, "ocr", read("final"))
    assert len(pages(store, "draft")) == 1
    for stage, output in EMPTY.items():
        run_stage(store, again.ref, stage, output)
    assert pages(store, "draft") == []
    assert [each.run for each in found(store, "final")] == [2]


def test_a_deleted_document_is_found_no_more(store: Store) -> None:
    ref = completed(store, "quicksilverness")
    assert store.traces(ref.document_uuid)["docpipe_page_search"] == 1
    store.delete(ref.document_uuid)
    assert pages(store, "quicksilverness") == []
    store.erased(ref.document_uuid)
    if isinstance(store, SqliteStore):
        assert b"quicksilver" not in store.path.read_bytes()


def test_pages_of_a_long_document_are_found_where_they_are(store: Store) -> None:
    texts = [f"page number{n} " + "filler text " * 300 for n in range(60)]
    completed(store, *texts)
    assert [each.page for n in (0, 27, 28, 59) for each in found(store, f"number{n}")] == [1, 28, 29, 60]


def long_until_graph(store: Store, pages: int) -> tuple[Ref, int]:
    """A document whose graph is in work, and the attempt's token."""
    ref = store.register(new(digest=uuid.uuid4().hex * 2)).ref
    texts = [f"page number{n} of a draft" for n in range(1, pages + 1)]
    for stage, output in {
        "ocr": read(*texts),
        "chunk": EMPTY["chunk"],
        "entities": EMPTY["entities"],
    }.items():
        run_stage(store, ref, stage, output)
    return ref, token_of(claim(store, ref, "graph", lease_seconds=0.0))


def dying_after_a_slice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time that pages are indexed ahead, the process ends."""
    owner, name = (page_index, "index_some") if isinstance(store, SqliteStore) else (store, "_rpc")
    original, slices = getattr(owner, name), []

    def watched(*asked: Any, **more: Any) -> Any:
        if name == "index_some" or asked == ("index_ahead",):
            slices.append(asked)
            if len(slices) == 2:
                raise KeyboardInterrupt
        return original(*asked, **more)

    monkeypatch.setattr(owner, name, watched)


def test_pages_indexed_before_the_end_are_found_only_after_it_and_a_later_attempt_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, token = long_until_graph(store, 1300)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        dying_after_a_slice(store, patched)
        store.finish_on(ref, "graph", token, EMPTY["graph"], ())
    assert store.traces(ref.document_uuid)["docpipe_page_search"] == 500
    assert pages(store, "number7") == []
    late, token = token, token_of(claim(store, ref, "graph"))
    assert not store.finish_on(ref, "graph", late, EMPTY["graph"], ()).in_time
    assert store.traces(ref.document_uuid)["docpipe_page_search"] == 500
    assert store.finish_on(ref, "graph", token, EMPTY["graph"], ()).in_time
    assert store.traces(ref.document_uuid)["docpipe_page_search"] == 1300
    assert [each.page for n in (1, 500, 501, 1300) for each in found(store, f"number{n}")] == [
        1,
        500,
        501,
        1300,
    ]


@pytest.mark.parametrize("word", ["слово{}", "𠀀{}𠀁", "Verwaltungsvorschriften{}", "x" * 3000 + "{}"])
def test_the_words_of_a_huge_page_hold_nothing_up(store: Store, word: str) -> None:
    completed(store, "beginning " + " ".join(word.format(n) for n in range(120_000 // len(word))) + " ending")
    assert [len(found(store, each)) for each in ("beginning", "ending")] == [1, 0]


def test_a_query_of_very_many_words_is_refused(store: Store) -> None:
    completed(store, "some words")
    assert len(found(store, "some " * 100)) == 1
    for query in ("some " * 101, '"' + "some " * 101 + '"', "some" + " -other" * 100):
        with pytest.raises(ConfigurationError, match=r"has 101 words\. Ask for 100 at most"):
            found(store, query)


@pytest.mark.parametrize("query", ["", "  ", '""', "-word", "...", "- -", '-"a b"'])
def test_a_query_without_a_word_is_refused(store: Store, query: str) -> None:
    with pytest.raises(ConfigurationError, match="asks for no word"):
        found(store, query)


@pytest.mark.parametrize(
    "query", ['"open', "a* OR NEAR(b)", "col:x", "x' or '1", "\0x", "\ud800x", "a & | ! b"]
)
def test_no_query_is_an_error_of_the_database(store: Store, query: str) -> None:
    completed(store, "nothing of the kind")
    assert found(store, query) == []


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_limit_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 200"):
        found(store, "word", limit=limit)


def test_sqlite_ranks_the_newest_of_very_many_pages_that_say_the_same(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "docpipe.db")
    completed(store, "herrings, herrings, herrings", name="theirs.pdf", project="q")
    completed(store, "herrings, herrings, herrings", *["some herrings of many"] * 2000, name="ours.pdf")
    assert {("ours.pdf", 1), ("theirs.pdf", 1)}.isdisjoint(pages(store, "herrings"))
    assert pages(store, "herrings", project="q") == [("theirs.pdf", 1)]


def test_a_rare_word_is_found_among_very_many_pages_with_a_common_one(store: Store) -> None:
    completed(store, "kippers", *["some herrings of many"] * 2000)
    first, *_ = store.search_pages(terms("herrings and kippers"), any_term=True)
    assert first.page.number == 1
