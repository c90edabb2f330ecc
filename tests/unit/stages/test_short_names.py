from __future__ import annotations

import pytest

from docpipe.stages.entities.short_names import companies_by_short_name
from tests.unit.stages.test_names import named, spans_of


def found(text: str, *words: tuple[str, str], company: str = "") -> list[tuple[str, str]]:
    """What the words are by short names; `company` stands in the text with its legal form."""
    companies = spans_of(text, (company, "ORG")) if company else []
    return named(text, companies_by_short_name(text, spans_of(text, *words), companies))


def test_a_company_is_no_person_by_its_short_name_and_is_found_everywhere() -> None:
    text = "Northwind Traders, Inc. reports. Northwind sold more. We and Northwind expect, says Northwind."
    company = "Northwind Traders, Inc."
    assert found(text, (company, "ORG"), ("Northwind", "PERSON"), company=company) == [
        (company, "ORG"),
        *[("Northwind", "ORG")] * 3,
    ]


def test_a_short_name_of_several_words_is_found_where_it_was_missed() -> None:
    text = "Harbour Vance Management LLC advises. Harbour Vance sold; a director of Harbour Vance and I left."
    company = "Harbour Vance Management LLC"
    words = (company, "ORG"), ("Harbour Vance", "ORG")
    assert found(text, *words, company=company)[1:] == [("Harbour Vance", "ORG")] * 2


@pytest.mark.parametrize("brackets", ["(FDIC)", "(“ FDIC ”)", '(the "FDIC")'])
def test_a_name_in_brackets_behind_the_full_one_is_the_organisations(brackets: str) -> None:
    text = f"Federal Deposit Insurance Corporation {brackets} pays. Ask the FDIC for help, as FDIC rules say."
    words = ("Federal Deposit Insurance Corporation", "ORG"), ("FDIC", "LOCATION")
    assert found(text, *words)[1:] == [("FDIC", "ORG")] * 3


@pytest.mark.parametrize(
    ("text", "words", "company"),
    [
        (
            "Baker Foods, Inc. and Ann Baker met.",
            [("Baker", "PERSON"), ("Ann Baker", "PERSON")],
            "Baker Foods, Inc.",
        ),
        ("Boston Tools Corp. is in Boston today.", [("Boston", "LOCATION")], "Boston Tools Corp."),
        ("Target met its target. Target dates pass. Target Corp. left.", [("Target", "ORG")], "Target Corp."),
        ("Acme Traders (the “Company”) left. The Company paid.", [("Acme Traders", "ORG")], ""),
        ("Acme Traders (Paris) left. We love Paris here.", [("Acme Traders", "ORG")], ""),
        ("Acme paid. The New Acme Museum stands. Acme Corp. left.", [("Acme", "ORG")], "Acme Corp."),
    ],
    ids=[
        "a person has it",
        "a place has it",
        "written small too",
        "a role",
        "another name",
        "of a longer name",
    ],
)
def test_what_is_no_short_name_stays_as_it_is(text: str, words: list[tuple[str, str]], company: str) -> None:
    assert found(text, *words, company=company) == words
