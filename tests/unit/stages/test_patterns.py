from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.stages.entities.patterns import find_patterns


def found(text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in find_patterns(text)]


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("EMAIL", "Write to jane.o'neil+x@mail.acme-corp.co.uk.", "jane.o'neil+x@mail.acme-corp.co.uk"),
        ("URL", "(see https://en.example.org/wiki/A_(b)?q=1).", "https://en.example.org/wiki/A_(b)?q=1"),
        ("URL", "Visit www.example.com, please", "www.example.com"),
        ("PHONE", "call +44 20 7946 0958 now", "+44 20 7946 0958"),
        ("PHONE", "call (212) 555-0143.", "(212) 555-0143"),
        ("PHONE", "call 212-555-0143", "212-555-0143"),
        ("PHONE", "Tel.: 020 7946 0958", "020 7946 0958"),
        ("PHONE", "+49 (0)30 123456-78", "+49 (0)30 123456-78"),
        ("IBAN", "IBAN DE89 3704 0044 0532 0130 00 BIC", "DE89 3704 0044 0532 0130 00"),
        ("IBAN", "GB29NWBK60161331926819", "GB29NWBK60161331926819"),
        ("IBAN", "to BE68 5390 0754 7034 ABCD", "BE68 5390 0754 7034"),
        ("VAT_NUMBER", "VAT no. GB 980 7806 84, paid", "GB 980 7806 84"),
        ("VAT_NUMBER", "USt-IdNr. DE136695976.", "DE136695976"),
        ("VAT_NUMBER", "PL8567346215", "PL8567346215"),
        ("VAT_NUMBER", "TVA FR 40 303 265 045 et", "FR 40 303 265 045"),
        ("VAT_NUMBER", "Tax ID: IE6433435F 20 kg", "IE6433435F"),
        ("VAT_NUMBER", "UID CHE-107.787.577 MWST", "CHE-107.787.577 MWST"),
        ("VAT_NUMBER", "MVA: NO 995 525 828 MVA", "NO 995 525 828 MVA"),
        ("CASE_NUMBER", "Case No. 2:19-cv-01234", "2:19-cv-01234"),
        ("CASE_NUMBER", "in 1:20-cr-00045-ABC, the court", "1:20-cr-00045-ABC"),
        ("CASE_NUMBER", "Docket Number: 23-4455", "23-4455"),
        ("CONTRACT_NUMBER", "Contract No. AB-2024-117.", "AB-2024-117"),
        ("CONTRACT_NUMBER", "Purchase Order # 45001", "45001"),
        ("CONTRACT_NUMBER", "Agreement\u00a0No: 7/2023", "7/2023"),
        ("INVOICE_NUMBER", "INVOICE NO. 2024/0042", "2024/0042"),
        ("INVOICE_NUMBER", "Invoice INV-2024-001", "INV-2024-001"),
        ("DATE", "on 2024-03-14.", "2024-03-14"),
        ("DATE", "on 14 March 2024.", "14 March 2024"),
        ("DATE", "on March 14, 2024.", "March 14, 2024"),
        ("DATE", "on 14.03.2024.", "14.03.2024"),
        ("DATE", "on 03/14/2024.", "03/14/2024"),
        ("DATE", "the 14th day of March, 2024", "14th day of March, 2024"),
        ("DATE", "due in March 2024", "March 2024"),
        ("DATE", "on MARCH 14, 2024", "MARCH 14, 2024"),
        ("DATE", "made on 14 March\n2024", "14 March\n2024"),
        ("DATE", "Installation\t1\tAugust 5, 2024\tyes", "August 5, 2024"),
        ("DATE", "since 2001, they", "2001"),
        ("DATE", "On Monday, Dec. 26, he", "Monday, Dec. 26"),
        ("DATE", "on October 25-26, 2016, an", "October 25-26, 2016"),
        ("DATE", "in about 575 B.C. when", "575 B.C"),
        ("MONEY", "USD 1,250,000.00.", "USD 1,250,000.00"),
        ("MONEY", "for $3.5 million.", "$3.5 million"),
        ("MONEY", "EUR 12.500,00", "EUR 12.500,00"),
        ("MONEY", "costs £400, or", "£400"),
        ("MONEY", "1.234,56 € due", "1.234,56 €"),
        ("MONEY", "CHF 1'250.50", "CHF 1'250.50"),
        ("MONEY", "5 million euros", "5 million euros"),
        ("CONTRACT", "This Master Services Agreement is", "Master Services Agreement"),
        ("ORG", "between Acme & Sons GmbH and me", "Acme & Sons GmbH"),
        ("ORG", "Managing Director of Contoso GmbH.", "Contoso GmbH"),
        ("ORG", "The Northwind Traders, Inc. signed", "Northwind Traders, Inc."),
    ],
)
def test_a_form_is_recognised_exactly(label: str, text: str, expected: str) -> None:
    assert found(text) == [(label, expected)]


@pytest.mark.parametrize(
    "text",
    [
        "She may march on; in august company they sold 2000 units, and 150 pounds of flour in 12.3.4 steps.",
        "Section 4.2 of page 17 lists 300 400 5600 and the ratio 3:2, version 10.11.12, item 1-2-3.",
        "The Agreement and this Contract bind the parties. An Agreement ends. Case by case, no order.",
        "GB29NWBK60161331926818 has a wrong check digit, DE89 3704 is too short.",
        "VAT GB 980 7806 85 has a wrong check digit, flight DE 136 695 976 no cue, IT 2024, BE12, NO 1.",
        "a@b, @handle, me@localhost, user@.com, http://, www., 12/34/5678, 2024-13-45, 99 May",
    ],
)
def test_ordinary_prose_has_no_hits(text: str) -> None:
    assert found(text) == []


def test_an_exact_form_wins_over_a_date_inside_it() -> None:
    assert found("See https://example.org/2024-03-14/x now") == [("URL", "https://example.org/2024-03-14/x")]


@pytest.mark.parametrize("text", ["in Uppsala 1762 – 1770.", "from 1762 to 1770.", "(1762 - 1770)"])
def test_both_years_of_a_range_are_dates(text: str) -> None:
    assert found(text) == [("DATE", "1762"), ("DATE", "1770")]


@pytest.mark.parametrize("text", ["pp. 1762-1770", "2000 to 2500 parts", "1500 - 1600 pages"])
def test_other_ranges_of_numbers_are_not(text: str) -> None:
    assert found(text) == []


def test_two_companies_are_not_one() -> None:
    assert found("Acme GmbH and Contoso Inc.") == [("ORG", "Acme GmbH"), ("ORG", "Contoso Inc.")]


@pytest.mark.parametrize(
    "unit",
    [
        *["a", "@", "a@", "aa@aa.aa.", "1", "1 ", "1,", "123 ", "A ", "Aa and ", "+1 ", "(1)", "Case No. A-"],
        *["http://", "http://a)", "DE89 ", "May ", "1 March", "$1,", "\n", " ", "A&", "a:b/", "12 12 "],
        *["Tel 1234567890 ", "VAT DE 1 ", "DE1", "Of of ", "Director of "],
    ],
)
@pytest.mark.timeout(20)
def test_no_repetition_keeps_the_recognisers_busy(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    assert all(span.end <= len(text) for span in find_patterns(text))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aA1 .,-/:@$€+\n(IBAN)DE89March2024Ltd", max_size=120))
def test_findings_are_sorted_apart_and_not_blank(text: str) -> None:
    spans = find_patterns(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(text[span.start : span.end].strip() == text[span.start : span.end] for span in spans)
