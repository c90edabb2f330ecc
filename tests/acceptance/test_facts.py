"""`docpipe run --json` finds every planted fact of every example document, and says exactly where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import FACTS, EmbeddedRun

DOCUMENT = (
    "source document_uuid parent children status error warnings text pages chunks mentions entities relations"
)
FACTS_KEYS = "kind subject title facts"
PAGE = "number start end width height method reason confidence part"
RELATION = "type source target evidence score verb count"
MENTION = "text label value start end page bbox boxes score"

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
        frozenset({"index", "start", "end", "page_from", "page_to", "boxes", "reading_text"})
    }
    assert _keys(result["mentions"]) == {frozenset(MENTION.split())}
    assert _keys(result["entities"]) == {frozenset({"name", "label", "mentions", "merges"})}
    assert _keys(result["relations"]) <= {frozenset(RELATION.split())}
    assert _keys([r["evidence"] for r in result["relations"]]) <= {
        frozenset({"start", "end", "page", "boxes"})
    }


def _keys(values: list[Result]) -> set[frozenset[str]]:
    return {frozenset(value) for value in values}


STATED: dict[str, tuple[str, str, str, set[tuple[str, str, str]]]] = {
    "invoice.png": (
        "invoice",
        "INV-2024-0862",
        "",
        {
            ("ISSUED_BY", "", "Calder & Finch Engineering Ltd."),
            ("ISSUED_TO", "", "Northwind Harbour Logistics LLC"),
            ("NUMBERED", "", "INV-2024-0862"),
            ("DATED", "issued", "2024-06-14"),
            ("DATED", "due", "2024-07-14"),
            ("AMOUNT_OF", "subtotal", "EUR 17750"),
            ("AMOUNT_OF", "tax", "EUR 3550"),
            ("AMOUNT_OF", "total", "EUR 21300"),
            ("PAID_TO", "", "GB41HMBK60000112345678"),
        },
    ),
    "mail.eml": (
        "e-mail",
        "",
        "Signed services agreement, contract no. NHL-2024-0317",
        {
            ("SENT_BY", "", "Maria Delgado"),
            ("SENT_TO", "", "Helen Marsh"),
            ("DATED", "sent", "2024-03-14"),
        },
    ),
    "letter.docx": (
        "letter",
        "",
        "Quotation QT-2024-118",
        {
            ("SENT_BY", "", "Meridian Instruments Inc."),
            ("SENT_BY", "", "Catherine Reed"),
            ("SENT_TO", "", "Laura Bennett"),
            ("SENT_TO", "", "Harwick Port Authority"),
            ("DATED", "sent", "2024-04-22"),
        },
    ),
    "notice_latin1.txt": (
        "court paper",
        "AT-2024-01873",
        "",
        {("NUMBERED", "", "AT-2024-01873")},
    ),
    **dict.fromkeys(
        ("contract.pdf", "contract_scan.pdf"),
        (
            "agreement",
            "Services Agreement",
            "SERVICES AGREEMENT",
            {
                ("PARTY_TO", "Client", "Northwind Harbour Logistics LLC"),
                ("PARTY_TO", "Contractor", "Calder & Finch Engineering Ltd."),
                ("NUMBERED", "", "NHL-2024-0317"),
                ("DATED", "effective", "2024-03-15"),
                ("DATED", "expiry", "2026-09-30"),
                ("DATED", "signing", "2024-03-11"),
                ("DATED", "signing", "2024-03-13"),
                ("GOVERNED_BY", "", "Oregon"),
                ("AMOUNT_OF", "monthly fee", "USD 18500"),
                ("AMOUNT_OF", "fixed price", "EUR 42750"),
                ("AMOUNT_OF", "deposit", "USD 55500"),
                ("AMOUNT_OF", "total liability", "USD 1250000"),
                ("SIGNED_BY", "Chief Executive Officer", "Robert Ellison"),
                ("SIGNED_BY", "Managing Director", "Helen Marsh"),
            },
        ),
    ),
}
"""Kind, subject, title, and every fact with its value or text."""


@pytest.mark.parametrize("name", STATED)
def test_the_facts_are_those_that_the_document_states_and_no_others(name: str, result: Result) -> None:
    subject = "" if result["subject"] is None else folded(result["entities"][result["subject"]]["name"])
    said = {(fact["type"], fact["role"], fact["value"] or fact["text"]) for fact in result["facts"]}
    assert (result["kind"], subject, result["title"], said) == STATED[name]


@pytest.mark.parametrize("name", ["contract.pdf", "contract_scan.pdf"])
def test_a_signature_is_held_by_the_party_signed_for(result: Result) -> None:
    named = [folded(entity["name"]) for entity in result["entities"]]
    held = {fact["text"]: named[fact["holder"]] for fact in result["facts"] if fact["type"] == "SIGNED_BY"}
    assert held == {
        "Robert Ellison": "Northwind Harbour Logistics LLC",
        "Helen Marsh": "Calder & Finch Engineering Ltd.",
    }


@each_document
def test_the_evidence_of_a_fact_holds_its_words_on_its_page(result: Result) -> None:
    pages = {page["number"]: page for page in result["pages"]}
    for fact in result["facts"]:
        evidence = fact["evidence"]
        assert pages[evidence["page"]]["start"] <= evidence["start"] < pages[evidence["page"]]["end"]
        shown = folded(result["text"][evidence["start"] : evidence["end"]])
        assert any(word in shown for word in fact["text"].split())
