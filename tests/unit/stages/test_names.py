from __future__ import annotations

import pytest

from docpipe.engines.ports import Span
from docpipe.stages.entities.names import settled, tidied, trim


def spans_of(text: str, *words: tuple[str, str]) -> list[Span]:
    """The words, each where it stands after the one before."""
    spans, at = [], 0
    for word, label in words:
        at = text.index(word, at)
        spans.append(Span(at, at + len(word), label, 0.5))
        at += len(word)
    return spans


def named(text: str, spans: list[Span]) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.label) for span in spans]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (' "Jane Doe" ', "Jane Doe"),
        ("Acme’s", "Acme"),
        ("the Supreme Court", "Supreme Court"),
        ("The Hague", "The Hague"),
        ("Acme Inc.", "Acme Inc."),
        ("(Acme", "Acme"),
        ("Acme)", "Acme"),
        ("Acme (UK)", "Acme (UK)"),
        ("workers'", "workers"),
        (" \n- ", ""),
    ],
)
def test_edges_that_belong_to_no_name_are_trimmed(text: str, kept: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == kept


@pytest.mark.parametrize(
    ("piece", "label", "expected"),
    [
        ("the Company", "ORG", None),
        ("Board of Directors", "ORG", None),
        ("4.1 Except", "ORG", None),
        ("4.1 Acme", "ORG", "Acme"),
        ("30 Seconds to Mars", "ORG", "30 Seconds to Mars"),
        ("2024", "ORG", None),
        ("the staff", "ORG", None),
        ("Mr. Smith", "PERSON", "Smith"),
        ("Dr. Ann Lee", "PERSON", "Ann Lee"),
        ("Bank: Harbour Mutual Bank", "ORG", "Harbour Mutual Bank"),
        ("VAT 20%", "MONEY", None),
        ("Epicor s", "ORG", "Epicor"),
        ("Equinix, Inc..", "ORG", "Equinix, Inc."),
        ("U.S.", "LOCATION", "U.S."),
        ("27.500 M", "MONEY", None),
        ("five dollars", "MONEY", "five dollars"),
        ("one per cent", "MONEY", None),
        ("fifty cents", "MONEY", None),
        ("Agreement", "LAW", None),
        ("GDPR", "LAW", "GDPR"),
        ("3.1", "CARDINAL", None),
        ("forty-two", "CARDINAL", None),
        ("third", "ORDINAL", None),
    ],
)
def test_a_name_is_tidied_or_left_out(piece: str, label: str, expected: str | None) -> None:
    kept = tidied(piece, [Span(0, len(piece), label)])
    assert named(piece, kept) == ([(expected, label)] if expected else [])


@pytest.mark.parametrize(
    ("text", "piece", "label", "expected"),
    [
        ("in the U.S. to speak", "U.S", "LOCATION", ("U.S.", "LOCATION")),
        ("in the U.S. It said", "U.S", "LOCATION", ("U.S.", "LOCATION")),
        ("made in the US. It said", "US", "LOCATION", ("US", "LOCATION")),
        ("in Pasadena, Calif., and", "Calif", "LOCATION", ("Calif.", "LOCATION")),
        ("He lives in Peru. She", "Peru", "LOCATION", ("Peru", "LOCATION")),
        ("our office at 15 Broad Street, New", "15 Broad Street", "LOCATION", ("Broad Street", "LOCATION")),
        ("from 118 Avenue to 33 Street", "118 Avenue", "LOCATION", ("118 Avenue", "LOCATION")),
        ("laws of the State of New York, and", "New York", "LOCATION", ("State of New York", "LOCATION")),
        ("STATE OF OHIO, COUNTY", "OHIO", "LOCATION", ("STATE OF OHIO", "LOCATION")),
        ("in the Kotayk Province of Armenia", "Armenia", "LOCATION", ("Armenia", "LOCATION")),
        ("the People's Republic of China", "China", "LOCATION", ("China", "LOCATION")),
        ("a state of Texas law", "Texas", "LOCATION", ("Texas", "LOCATION")),
        ("and Ms. Calico, then 19", "Calico", "LOCATION", ("Calico", "PERSON")),
        ("Sen. Ann Lee, D-Ariz., chairs", "D-Ariz.", "PERSON", None),
        ("Rep. Ann Lee, R-N.Y., chairs", "R-N.Y.", "PERSON", None),
        ("said O-Ren Ishii", "O-Ren Ishii", "PERSON", ("O-Ren Ishii", "PERSON")),
        ("son of Ann Lee Jr. (born", "Ann Lee Jr", "PERSON", ("Ann Lee Jr.", "PERSON")),
        ("By: /s/ Ann B. of Ohio", "Ann B", "PERSON", ("Ann B.", "PERSON")),
        ("in conformity with U. S. rules", "U. S", "LOCATION", ("U. S.", "LOCATION")),
        ("called per Leary's advice", "per Leary", "PERSON", ("Leary", "PERSON")),
        ("wrote von Heyden of it", "von Heyden", "PERSON", ("von Heyden", "PERSON")),
        ("a church in south Louisville", "south Louisville", "LOCATION", ("Louisville", "LOCATION")),
        ("20 miles off the Louisiana coast", "Louisiana coast", "LOCATION", ("Louisiana", "LOCATION")),
        ("toured South Africa", "South Africa", "LOCATION", ("South Africa", "LOCATION")),
        ("Acme, a Delaware Corporation", "Delaware Corporation", "ORG", ("Delaware", "LOCATION")),
        ("a Jersey limited company", "Jersey limited company", "ORG", ("Jersey", "LOCATION")),
        ("the Acme Corporation paid", "Acme Corporation", "ORG", ("Acme Corporation", "ORG")),
        ("OAK BROOK BANK AND THEIR CLIENTS", "OAK BROOK BANK AND THEIR", "ORG", ("OAK BROOK BANK", "ORG")),
    ],
)
def test_what_stands_beside_a_name_says_where_it_ends_and_what_it_is(
    text: str, piece: str, label: str, expected: tuple[str, str] | None
) -> None:
    found = named(text, tidied(text, spans_of(text, (piece, label))))
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Securities Exchange Act", "LAW"),
        ("Internal Revenue Code", "LAW"),
        ("Harris County", "LOCATION"),
        ("Lake Erie", "LOCATION"),
        ("Acme Holdings", "ORG"),
        ("River", "ORG"),
        ("Tidewater Row", "LOCATION"),
        ("Rue des Érables", "LOCATION"),
    ],
)
def test_the_form_of_a_name_can_tell_its_label(name: str, label: str) -> None:
    assert named(name, tidied(name, [Span(0, len(name), "ORG")])) == [(name, label)]


def test_a_name_takes_the_label_of_most_of_its_mentions() -> None:
    text = "Acme, Acme and ACME; Zeta and Zeta"
    spans = spans_of(text, ("Acme", "ORG"), ("Acme", "PERSON"), ("ACME", "ORG"))
    spans += spans_of(text, ("Zeta", "ORG"))
    spans.append(Span(30, 34, "PERSON"))
    assert [label for _, label in named(text, settled(text, spans))] == ["ORG", "ORG", "ORG", "ORG", "PERSON"]


def test_the_last_name_of_a_person_is_that_person_everywhere() -> None:
    text = "Ann Whitfield left. Whitfield paid; so did Whitfield. Whitfield-Jones did not."
    spans = spans_of(text, ("Ann Whitfield", "PERSON"), ("Whitfield", "ORG"))
    assert named(text, settled(text, spans)) == [
        ("Ann Whitfield", "PERSON"),
        ("Whitfield", "PERSON"),
        ("Whitfield", "PERSON"),
    ]


def test_a_role_is_nobodys_last_name() -> None:
    text = "Ann Buyer paid. Buyer left."
    assert named(text, settled(text, spans_of(text, ("Ann Buyer", "PERSON")))) == [("Ann Buyer", "PERSON")]


def test_a_person_has_their_initials() -> None:
    text = "appeared, S. Donald Lee with Ann B. Stone and Bob C. Dean paid"
    spans = spans_of(text, ("Donald Lee", "PERSON"), ("Ann B.", "PERSON"), ("Stone", "PERSON"))
    assert named(text, settled(text, spans)) == [("S. Donald Lee", "PERSON"), ("Ann B. Stone", "PERSON")]


def test_the_letter_of_a_list_is_no_initial() -> None:
    text = "Present:\nA. Donald Lee\nB. Ann Stone"
    spans = spans_of(text, ("Donald Lee", "PERSON"), ("Ann Stone", "PERSON"))
    assert named(text, settled(text, spans)) == [("Donald Lee", "PERSON"), ("Ann Stone", "PERSON")]


def test_the_letters_of_a_state_belong_to_the_organisation_behind_them() -> None:
    text = "head of U.S. Central Command in U.S. waters"
    spans = spans_of(text, ("U.S.", "LOCATION"), ("Central Command", "ORG"), ("U.S.", "LOCATION"))
    assert named(text, settled(text, spans)) == [("U.S. Central Command", "ORG"), ("U.S.", "LOCATION")]


def test_a_capital_and_its_district_are_one_place() -> None:
    text = "to Washington, D.C. and Washington"
    spans = spans_of(text, ("Washington", "LOCATION"), ("D.C.", "LOCATION"), ("Washington", "LOCATION"))
    assert named(text, settled(text, spans)) == [("Washington, D.C.", "LOCATION"), ("Washington", "LOCATION")]


def test_of_two_that_overlap_the_longer_stays() -> None:
    text = "Ann Lee of Lee"
    spans = [Span(0, 7, "PERSON"), Span(4, 14, "ORG")]
    assert named(text, settled(text, spans)) == [("Lee of Lee", "ORG")]
