"""What letters, receipts and court papers say of themselves, where they are laid out in unusual ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docpipe.engines.ports import Span
from docpipe.models import Facts, Kind, Method, Page
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import find_mentions
from docpipe.stages.graph.facts.facts import find_facts
from docpipe.stages.graph.resolution import resolve


class Names:
    """An engine that finds the persons and companies it was given."""

    name = "names:1"

    def __init__(self, **labels: Sequence[str]) -> None:
        self.labels = {name: label for label, names in labels.items() for name in names}

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for text in texts:
            yield [
                Span(found.start(), found.end(), label)
                for name, label in self.labels.items()
                for found in re.finditer(re.escape(name), text)
            ]


def facts_of(text: str, **labels: Sequence[str]) -> Facts:
    pages = [Page(1, 0, len(text), None, None, Method.TEXT)]
    chunks = split_text(text, pages).chunks or ()
    mentions = find_mentions(text, pages, chunks, engine=Names(**labels)).mentions or ()
    return find_facts(text, pages, mentions, resolve(mentions, text))


def said(facts: Facts) -> list[tuple[str, str, str]]:
    return [(fact.type.name, fact.text, fact.role) for fact in facts.items]


def test_a_letter_may_be_dated_below_its_address_and_have_its_subject_below_the_greeting() -> None:
    text = (
        "Whitfield & Crane LLP\n22 Queen Square\n\nMr Thomas Aldridge\n7 Orchard Close\n\n14 November 2023\n"
        "\nDear Mr Aldridge\n\nRe: Purchase of 19 Elm Grove\n\nContracts were exchanged.\n\n"
        "Yours sincerely\n\nRebecca Hale\n"
    )
    found = facts_of(text, PERSON=["Thomas Aldridge", "Rebecca Hale"], ORG=["Whitfield & Crane LLP"])
    assert (found.kind, found.title) == (Kind.LETTER, "Purchase of 19 Elm Grove")
    assert said(found) == [
        ("SENT_BY", "Whitfield & Crane LLP", ""),
        ("SENT_TO", "Thomas Aldridge", ""),
        ("DATED", "14 November 2023", "sent"),
        ("SENT_BY", "Rebecca Hale", ""),
    ]


def test_a_receipt_needs_no_word_before_its_date_and_no_currency_at_its_foot() -> None:
    text = (
        "CORNER BAKERY\nReceipt # 88213\n06/18/2024  08:42\n2 Croissant   7.50\n"
        "SUBTOTAL   7.50\nTOTAL:   7.91\nVISA   7.91\n"
    )
    found = facts_of(text, ORG=["CORNER BAKERY"])
    assert found.kind is Kind.RECEIPT
    assert said(found) == [
        ("ISSUED_BY", "CORNER BAKERY", ""),
        ("NUMBERED", "88213", ""),
        ("DATED", "06/18/2024", "issued"),
        ("AMOUNT_OF", "7.50", "subtotal"),
        ("AMOUNT_OF", "7.91", "total"),
    ]


def test_a_court_paper_has_the_parties_of_its_caption_its_date_and_the_judge() -> None:
    text = (
        "DISTRICT COURT\n\nGREENLEAF FOODS, INC.,\n      Plaintiff,\n  v.        Case No. 1:22-cv-04417\n"
        "MARTIN DELGADO and ANN LEE,\n      Defendants.\n\nORDER\nThe motion is granted.\n\n"
        "Dated: March 10, 2023\n\n/s/ Eleanor Whitman\nEleanor Whitman\nUnited States District Judge\n"
    )
    found = facts_of(text, PERSON=["MARTIN DELGADO", "ANN LEE", "Eleanor Whitman"])
    assert found.kind is Kind.COURT_PAPER
    assert said(found) == [
        ("PARTY_TO", "GREENLEAF FOODS, INC.", "Plaintiff"),
        ("NUMBERED", "1:22-cv-04417", ""),
        ("PARTY_TO", "MARTIN DELGADO", "Defendants"),
        ("PARTY_TO", "ANN LEE", "Defendants"),
        ("DATED", "March 10, 2023", "issued"),
        ("SIGNED_BY", "Eleanor Whitman", ""),
    ]


def effective(text: str) -> list[str]:
    return [fact.text for fact in facts_of(text).items if fact.role == "effective"]


def test_an_agreement_in_a_letter_holds_from_the_letters_date_not_from_that_of_one_it_cites() -> None:
    text = (
        "CONFIDENTIALITY AGREEMENT\nPRIVATE\nMay 4, 2009\nAcme Widgets, Inc.\nLadies and Gentlemen:\nThis"
        " agreement supersedes that which you and Orion entered into, dated May 9, 2007. It binds you;"
        " this agreement is long, and the agreement ends.\n"
    )
    assert effective(text) == ["May 4, 2009"]


def test_a_date_alone_at_the_head_is_that_of_the_agreement() -> None:
    text = (
        "CONFIDENTIALITY AGREEMENT\nPRIVATE\nMay 4, 2009\nSECRET\nYou have told Acme, Inc. of this agreement."
        " This agreement binds you, and this agreement ends.\n"
    )
    assert effective(text) == ["May 4, 2009"]


def test_the_date_of_a_signature_may_stand_in_the_cell_beside_its_word() -> None:
    clauses = "This agreement binds you and whoever comes after you.\n" * 80
    assert effective(f"{clauses}AGREED:\nSignature:\t/s/ Ann Lee\nAnn Lee\nDate:\t8/18/06\n") == ["8/18/06"]
