"""What an agreement has in capitals and is no name, and what it calls its parties."""

from __future__ import annotations

import pytest

from docpipe.engines.ports import Span
from docpipe.models import Mention
from docpipe.stages.entities.no_names import no_terms
from docpipe.stages.graph.resolution import resolve
from docpipe.stages.text.wording.terms_of_art import defined_parties, party_terms

AGREEMENT = """\
LOAN AGREEMENT
This Agreement is made between Acme Widgets, Inc., a Delaware corporation (the "Borrower"), and Ann B. Lee
(the "Lender"). "Confidential Information" means all information that is kept confidential in this agreement.
REPAYMENT
The Borrower shall make each repayment under this Agreement to the Lender. Borrower agrees.
The Receiving Party keeps Confidential Information from Umbrella Partners and the State of New York.
By: /s/ Bob Stone
"""


def spans(text: str, *found: tuple[str, str]) -> list[Span]:
    return [Span(text.index(name), text.index(name) + len(name), label) for name, label in found]


def judged(text: str, *found: tuple[str, str]) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.label) for span in no_terms(text, spans(text, *found))]


def test_terms_headings_and_states_of_an_agreement_are_no_companies() -> None:
    assert judged(
        AGREEMENT,
        ("Acme Widgets, Inc.", "ORG"),
        ("REPAYMENT", "PERSON"),
        ("Confidential Information from", "ORG"),
        ("Confidential Information", "ORG"),
        ("Umbrella Partners", "ORG"),
        ("State of New York", "ORG"),
        ("/s/ Bob Stone", "PERSON"),
    ) == [
        ("Acme Widgets, Inc.", "ORG"),
        ("Umbrella Partners", "ORG"),
        ("State of New York", "LOCATION"),
        ("Bob Stone", "PERSON"),
    ]


@pytest.mark.parametrize(
    ("text", "name", "kept"),
    [
        ("Name: Ann Lee Title: President", "Ann Lee Title", "Ann Lee"),
        ("New York, NY 10022", "NY 10022", ""),
        ("Apple sells more than an apple.", "Apple", "Apple"),
    ],
)
def test_outside_agreements_only_labels_and_zip_codes_are_taken_away(text: str, name: str, kept: str) -> None:
    assert judged(text, (name, "ORG")) == ([(kept, "ORG")] if kept else [])


def test_a_party_and_what_the_agreement_calls_it_are_one_entity_by_its_name() -> None:
    parties = defined_parties(AGREEMENT)
    places = [(said.start, said.end, said.label) for said in parties] + list(party_terms(AGREEMENT, parties))
    mentions = [
        Mention(index, AGREEMENT[start:end], label, start, end, 1, None, 1.0, "pattern", 0)
        for index, (start, end, label) in enumerate(sorted(places))
    ]
    assert {
        entity.name: {AGREEMENT[mentions[index].start : mentions[index].end] for index in entity.mentions}
        for entity in resolve(mentions, AGREEMENT)
    } == {
        "Acme Widgets, Inc.": {"Acme Widgets, Inc.", "Borrower"},
        "Ann B. Lee": {"Ann B. Lee", "Lender"},
    }
