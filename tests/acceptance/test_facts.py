"""`docpipe run --json` finds every planted fact of every example document, and says exactly where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import FACTS, EmbeddedRun

DOCUMENT = "source document_uuid status error warnings text pages chunks mentions entities relations"
FACTS_KEYS = "kind subject title facts"
PAGE = "number start end width height method reason confidence part"
RELATION = "type source target evidence score verb count"
MENTION = "text label value start end page bbox score"

Result = dict[str, Any]

each_document = pytest.mark.parametrize("name", FACTS)


def folded(text: str) -> str:
    """`text` with every run of white space as one space: facts may run over a line's end."""
    return " ".join(text.split())


def page_of(fact: Result, result: Result) -> int:
    """The page of the whole document on which the fact's page of its part stands."""
    first = min(page["number"] for page in result["pages"] if page["part"] == fact.get("part", ""))
    return int(first + fact["page"] - 1)


@pytest.fixture
def result(embedded: EmbeddedRun, name: str) -> Result:
    return embedded.results[name]


@each_document
def test_every_planted_fact_is_a_mention_with_its_label_on_its_page(name: str, result: Result) -> None:
    found = {(folded(m["text"]), m["label"], m["page"]) for m in result["mentions"]}
    planted = {(fact["text"], fact["label"], page_of(fact, result)) for fact in FACTS[name]}
    assert planted - found == set()


@each_document
def test_every_planted_fact_belongs_to_an_entity_of_its_label(name: str, result: Result) -> None:
    mentions = result["mentions"]
    named = {
        (folded(mentions[index]["text"]), entity["label"])
        for entity in result["entities"]
        for index in entity["mentions"]
    }
    assert {(fact["text"], fact["label"]) for fact in FACTS[name]} - named == set()


@each_document
def test_offsets_reproduce_mentions_exactly(result: Result) -> None:
    text = result["text"]
    assert [text[m["start"] : m["end"]] for m in result["mentions"]] == [
        m["text"] for m in result["mentions"]
    ]


@each_document
def test_mentions_stand_inside_their_page(result: Result) -> None:
    pages = {page["number"]: page for page in result["pages"]}
    outside = [m for m in result["mentions"] if not _stands_on(m, pages[m["page"]])]
    assert outside == []


def _stands_on(mention: Result, page: Result) -> bool:
    in_text = page["start"] <= mention["start"] < page["end"]
    if page["width"] is None:
        return bool(in_text and mention["bbox"] is None)
    x0, y0, x1, y1 = mention["bbox"]
    on_page = 0 <= x0 < x1 <= page["width"] and 0 <= y0 < y1 <= page["height"]
    return bool(in_text and on_page)


@each_document
@pytest.mark.parametrize("parts", ["pages", "chunks"])
def test_pages_and_chunks_cover_all_text_that_is_not_blank(result: Result, parts: str) -> None:
    text, end, missed = result["text"], 0, ""
    for part in result[parts]:
        missed += text[end : part["start"]]
        end = max(end, part["end"])
    assert (missed + text[end:]).strip() == ""


@each_document
def test_the_document_completed_without_warnings(name: str, result: Result) -> None:
    assert (result["status"], result["error"], result["warnings"]) == ("completed", None, [])


@each_document
def test_the_json_has_exactly_the_keys_that_are_documented(result: Result) -> None:
    assert set(result) == set(f"{DOCUMENT} {FACTS_KEYS}".split())
    assert _keys(result["pages"]) == {frozenset(PAGE.split())}
    assert _keys(result["chunks"]) == {
        frozenset({"index", "start", "end", "page_from", "page_to", "reading_text"})
    }
    assert _keys(result["mentions"]) == {frozenset(MENTION.split())}
    assert _keys(result["entities"]) == {frozenset({"name", "label", "mentions", "merges"})}
    assert _keys(result["relations"]) <= {frozenset(RELATION.split())}
    assert _keys([r["evidence"] for r in result["relations"]]) <= {frozenset({"start", "end", "page"})}


def _keys(values: list[Result]) -> set[frozenset[str]]:
    return {frozenset(value) for value in values}
