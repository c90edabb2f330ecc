"""What the wording of agreements shows: parties, dates, law, term, title, signatures."""

from __future__ import annotations

import pytest

from docpipe.stages.text.wording.agreement_parties import agreement_parties
from docpipe.stages.text.wording.laws import read_law
from docpipe.stages.text.wording.signatures import read_signatures
from docpipe.stages.text.wording.terms import read_term
from docpipe.stages.text.wording.titles import read_title
from docpipe.stages.text.wording.wording import read_wording

PREAMBLES = {
    """This Agreement is made as of May 4, 2005 between Acme Widgets, Inc., a Delaware corporation
    with offices at 12 Main Street, Troy, NY 10019 (the "Company"), and Ann B. Lee ("Executive").""": [
        ("Acme Widgets, Inc.", "ORG", "Company"),
        ("Ann B. Lee", "PERSON", "Executive"),
    ],
    "THIS LEASE by and among TELENOR ASA, a company under the laws of Norway (“Telenor”), "
    "OPEN JOINT STOCK COMPANY “VIMPEL”, a company (“Vimpel” and, together with Telenor, the “Parties”) and "
    "Smith & Sons LLP (the “Agent”).": [
        ("TELENOR ASA", "ORG", "Telenor"),
        ("OPEN JOINT STOCK COMPANY “VIMPEL”", "ORG", "Vimpel"),
        ("Smith & Sons LLP", "ORG", "Agent"),
    ],
    "This Agreement is entered into between Net Talk.com, Inc. (the “Company”) and ________ (“Employee”).": [
        ("Net Talk.com, Inc.", "ORG", "Company"),
    ],
    "PARTIES:\nEric Dean Sprunk (“EMPLOYEE”)\nand\nNIKE, Inc., divisions, subsidiaries\nand affiliates. "
    "(“NIKE”):\n"
    "RECITALS:\nA. This agreement": [
        ("Eric Dean Sprunk", "PERSON", "EMPLOYEE"),
        ("NIKE, Inc.", "ORG", "NIKE"),
    ],
    "LOAN AGREEMENT\ndated as of March 3, 2019\nbetween\nHARBOR LINES, INC.,\nas Borrower,\nand\n"
    "FIRST BANK OF OREGON,\nas Lender\n\nThe parties agree.": [
        ("HARBOR LINES, INC.", "ORG", "Borrower"),
        ("FIRST BANK OF OREGON", "ORG", "Lender"),
    ],
    "PARTIES\n(1) ALPHA LIMITED incorporated in England and Wales with number 1 (Seller).\n"
    "(2) BETA PLC whose office is at 2 Low Street, Leeds (Buyer).\nBACKGROUND\n(A) The Seller agrees.": [
        ("ALPHA LIMITED", "ORG", "Seller"),
        ("BETA PLC", "ORG", "Buyer"),
    ],
    "This Amendment is made among Delta Co. (the “Borrower”), the lenders party hereto and Wells Fargo Bank, "
    "National Association, as administrative agent (the “Agent”).": [
        ("Delta Co.", "ORG", "Borrower"),
        ("Wells Fargo Bank, National Association", "ORG", "Agent"),
    ],
    "This Agreement is made between Rubicon Corp. (hereinafter called the Borrower) and Jane Roe.": [
        ("Rubicon Corp.", "ORG", "Borrower"),
        ("Jane Roe", "PERSON", ""),
    ],
}


@pytest.mark.parametrize("text", PREAMBLES)
def test_the_opening_words_name_the_parties_and_what_they_are_called(text: str) -> None:
    found = [(text[each.start : each.end], each.label, each.role) for each in agreement_parties(text)]
    assert found == PREAMBLES[text]


def test_a_relationship_between_companies_is_no_agreement_between_them() -> None:
    text = "This Agreement covers discussions between Acme Inc. and Umbrella Inc. of a merger."
    assert agreement_parties(text) == []


SIGNED = """\
Very truly yours,
ACME WIDGETS, INC.\tUMBRELLA CORP.
By: /s/ Ann Lee\tBy: /s/ Bob Stone
Name: Ann Lee\tName: Bob Stone
Title: President\tTitle: Secretary
"""


def test_signatures_beside_each_other_are_each_for_the_company_above() -> None:
    found = [
        (each.party and SIGNED[slice(*each.party)], each.signer and SIGNED[slice(*each.signer)], each.title)
        for each in read_signatures(SIGNED)
    ]
    assert found == [
        ("ACME WIDGETS, INC.", "Ann Lee", "President"),
        ("UMBRELLA CORP.", "Bob Stone", "Secretary"),
    ]


def test_a_letter_without_opening_words_has_the_parties_that_sign_it() -> None:
    text = f"Ladies and Gentlemen:\nYou agree to this agreement.\n{SIGNED}"
    assert [text[each.start : each.end] for each in agreement_parties(text)] == [
        "ACME WIDGETS, INC.",
        "UMBRELLA CORP.",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "This Agreement shall be governed by the laws of the State of New York, without regard to",
            "New York",
        ),
        ("construed in accordance with the internal laws of the Commonwealth of Virginia. Any", "Virginia"),
        ("This agreement shall be governed by Kansas law, without regard to", "Kansas"),
        ("governed by the laws of the United States of America, State of California.", "California"),
        ("construed in accordance with the laws of the State of California U.S.A., without", "California"),
        ("according to the laws of the state of Oregon and EMPLOYEE hereby submits to the", "Oregon"),
        ("The laws of England and Wales shall govern this Agreement.", "England and Wales"),
        ("Acme is a company organized under the laws of Norway.", None),
        ("governed by the laws of any state", None),
    ],
)
def test_the_law_is_the_place_whose_law_governs(text: str, place: str | None) -> None:
    said = read_law(text)
    assert (said and text[said.start : said.end]) == place


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("This Agreement shall expire two (2) years from the date hereof.", "two (2) years"),
        ("The term of this agreement shall be three years, beginning on the date", "three years"),
        ("This Agreement shall terminate on the third anniversary of the date hereof.", "third anniversary"),
        (
            "The obligations set forth in this Agreement shall continue until the second (2nd) anniversary of"
            " the Effective Date.",
            "second (2nd) anniversary",
        ),
        ("The shares vest on the first anniversary of the Closing.", None),
        ("This Agreement expires one year after the Director ceases to be a director.", None),
        ("This letter agreement shall expire two years from the date on which he ceases to serve.", None),
        (
            "This Agreement shall continue until 10 years after the date that he shall have ceased to act.",
            None,
        ),
        ("The Employee shall not, for a period of one year, solicit any customer.", None),
        ("This Agreement may be terminated by thirty (30) days notice.", None),
    ],
)
def test_the_term_is_how_long_the_agreement_lasts(text: str, term: str | None) -> None:
    said = read_term(text)
    assert (said and text[said.start : said.end]) == term


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("EX-10 2 a.htm\nCOVENANT NOT TO COMPETE\nAND NON-DISCLOSURE AGREEMENT\nPARTIES:", None),
        ("Dear Sir:\nIn this letter agreement you", "letter agreement"),
        ("Form. This Mutual Confidentiality Agreement (“Agreement”) is", "Mutual Confidentiality Agreement"),
        ("Minutes of the meeting.", ""),
    ],
)
def test_the_title_is_the_heading_else_what_the_agreement_calls_itself(text: str, title: str | None) -> None:
    found = read_title(text)
    expected = "COVENANT NOT TO COMPETE\nAND NON-DISCLOSURE AGREEMENT" if title is None else title
    assert (text[slice(*found)] if found else "") == expected


def test_a_text_that_is_no_agreement_shows_nothing() -> None:
    assert (
        read_wording("Talks between Acme Inc. and Umbrella Inc. were governed by the laws of Norway.") == []
    )


@pytest.mark.parametrize("unit", ["A", "OF ", "OF, ", "A-", "of ", "A B, "])
def test_a_long_line_that_is_nearly_a_title_is_given_up_at_once(unit: str) -> None:
    text = f"{unit * 300}! AGREEMENT\n{unit * 300}!,\nAND LOAN AGREEMENT\n"
    found = read_title(text)
    assert found is not None
    assert text[slice(*found)].endswith("AND LOAN AGREEMENT")


def test_a_witness_signs_for_no_party_and_is_none() -> None:
    text = "By: /s/ Ann Lee\nName: Ann Lee\nWitness\nBy: /s/ Bob Stone\nName: Bob Stone\n"
    assert [text[slice(*each.signer)] for each in read_signatures(text) if each.signer] == ["Ann Lee"]


def test_the_name_of_a_company_above_a_signature_may_take_two_lines() -> None:
    text = "NORTHERN GALVANISING\n& COATING, INC.\nBy: /s/ Ann Lee\n"
    (signature,) = read_signatures(text)
    assert signature.party
    assert text[slice(*signature.party)] == "NORTHERN GALVANISING\n& COATING, INC."


@pytest.mark.parametrize("heading", ["LIST OF PRIOR INVENTIONS", "COMPANY OR PARTNERSHIP"])
def test_a_heading_above_a_signature_is_no_party(heading: str) -> None:
    assert [each.party for each in read_signatures(f"{heading}\nBy: /s/ Ann Lee\n")] == [None]


def test_what_follows_the_opening_words_names_no_party() -> None:
    text = (
        "This Agreement is made between Acme Inc. and Umbrella Corp. under the following terms:\n"
        "Nature and Purpose. The parties agree."
    )
    assert [text[each.start : each.end] for each in agreement_parties(text)] == [
        "Acme Inc.",
        "Umbrella Corp.",
    ]


FORM = """\
CONFIDENTIALITY UNDERTAKING
Date:    3 October 2022
Disclosing Party:    Halden Robotics B.V., Eindhoven
Receiving Party:     Ann Lee
Term:    three (3) years
Governing law:   the laws of Ireland

Signed for Halden Robotics B.V.          Signed for the other party
By: ______________                       By: ______________
Name: Pieter de Groot                    Name: Ann Lee
"""


def test_an_agreement_may_name_its_parties_law_and_term_in_the_fields_of_a_form() -> None:
    said = [(each.type.name, FORM[each.start : each.end], each.role) for each in read_wording(FORM)]
    assert said == [
        ("KIND", "CONFIDENTIALITY UNDERTAKING", ""),
        ("PARTY_TO", "Halden Robotics B.V.", "Disclosing Party"),
        ("PARTY_TO", "Ann Lee", "Receiving Party"),
        ("TERM_OF", "three (3) years", ""),
        ("GOVERNED_BY", "Ireland", ""),
    ]


def test_columns_of_signatures_may_be_set_apart_by_blanks() -> None:
    signers = [FORM[slice(*each.signer)] for each in read_signatures(FORM) if each.signer]
    assert signers == ["Pieter de Groot", "Ann Lee"]


OPENINGS = {
    "This Agreement is made by and between Acme Solutions and R. J. Stone Enterprises. The parties agree.": [
        "Acme Solutions",
        "R. J. Stone Enterprises",
    ],
    "This Agreement is made between Orion International plc, a company (“Orion”), and Ann Lee (“Lee”).": [
        "Orion International plc",
        "Ann Lee",
    ],
    "This Agreement is made between PLAINTIFF/COUNTER-DEFENDANT ACME PHARMA, INC. (“Acme”), and "
    "DEFENDANT ORION LABS, INC. (“Orion”).": ["ACME PHARMA, INC.", "ORION LABS, INC."],
    "This Agreement is made between Acme Inc., a Delaware corporation, and XXXX (the “Employee”).": [
        "Acme Inc."
    ],
    "CONFIDENTIALITY AGREEMENT\nAcme Widgets, Inc., with its seat in Troy (hereinafter called “ACME”), and "
    "JOHN Q. STONE (“Stone”), residing in Troy, agree as follows.": ["Acme Widgets, Inc.", "JOHN Q. STONE"],
    "You agree with Acme Care LP d/b/a Wellness and any of its affiliates (the “Company”) as follows.": [
        "Acme Care LP"
    ],
}


@pytest.mark.parametrize("text", OPENINGS)
def test_a_party_keeps_its_initials_and_form_and_loses_what_it_is_before_the_court(text: str) -> None:
    assert [text[each.start : each.end] for each in agreement_parties(text)] == OPENINGS[text]


def test_a_letter_to_a_person_has_the_one_whom_it_greets_for_a_party() -> None:
    text = "May 4, 2009\nAnn Stone\n12 High Road\nDear Ann:\nYou agree to this agreement.\n"
    assert [(text[each.start : each.end], each.label) for each in agreement_parties(text)] == [
        ("Ann Stone", "PERSON")
    ]


def test_one_signature_may_stand_for_two_companies_above_it_and_a_name_take_two_lines() -> None:
    text = (
        "Ladies and Gentlemen:\nYou agree.\nACME, INC.\nORION CORP.\nBy: /s/ Ann Lee\nTitle: CEO\n"
        "HARBOUR EQUITY\nPARTNERS, L.P.\nBy: /s/ Bob Stone\nName: Bob Stone\nTitle: Manager\n"
    )
    assert [text[each.start : each.end] for each in agreement_parties(text)] == [
        "ACME, INC.",
        "ORION CORP.",
        "HARBOUR EQUITY\nPARTNERS, L.P.",
    ]


def test_who_signs_with_an_office_or_as_a_witness_is_no_party_of_his_own() -> None:
    office = "Company\nBy: /s/ Ann Lee\nAnn Lee\nChief Executive Officer\n"
    assert [each.title for each in read_signatures(office)] == ["Chief Executive Officer"]
    witness = "/s/ Ann Lee\t/s/ Bob Stone\nAnn Lee\tWitness\nPrint Name: Bob Stone\n"
    assert [witness[slice(*each.signer)] for each in read_signatures(witness) if each.signer] == ["Ann Lee"]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("This Agreement shall have a term of eighteen months. It ends", "eighteen months"),
        (
            "The obligations under this letter shall expire upon the execution of a definitive agreement"
            " between you and the company as to the sale named above or, if no such paper"
            " is signed by the two of you within a year, three years from now",
            "three years",
        ),
    ],
)
def test_the_term_may_stand_far_behind_the_words_that_say_so(text: str, term: str) -> None:
    said = read_term(text)
    assert (said and text[said.start : said.end]) == term
