from __future__ import annotations

import re
from itertools import pairwise, product
from string import ascii_uppercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, numdb

from docpipe.stages.entities.patterns import find_patterns
from docpipe.stages.entities.values import value_of
from tests.clocks import at_most_cpu_seconds


def found(text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in find_patterns(text)]


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("DATE", "as of the 10 day of th\nJanuary, 2007, by", "10 day of th\nJanuary, 2007"),
        ("DATE", "as of\tApril 6th\t, 2005, in", "April 6th\t, 2005"),
        ("DATE", "DATE: 3.26.01", "3.26.01"),
        ("MONEY", "1 Latte 4.25\nTOTAL:   15.70\nthank you", "15.70"),
        ("INVOICE_NUMBER", "Receipt # 88213\n", "88213"),
        ("PHONE", "Tel. 089 / 4567-890, Fax", "089 / 4567-890"),
        ("INVOICE_NUMBER", "Factura núm. A/2291", "A/2291"),
        ("ORG", "and so Bianchi S.r.l. signed", "Bianchi S.r.l."),
        ("ORG", "Jr. Vice President ARC COMMUNICATIONS, INC. BY:", "ARC COMMUNICATIONS, INC."),
        ("EMAIL", "Write to jane.o'neil+x@mail.acme-corp.co.uk.", "jane.o'neil+x@mail.acme-corp.co.uk"),
        ("URL", "(see https://en.example.org/wiki/A_(b)?q=1).", "https://en.example.org/wiki/A_(b)?q=1"),
        ("URL", "Visit www.example.com, please", "www.example.com"),
        ("PHONE", "call +44 20 7946 0958 now", "+44 20 7946 0958"),
        ("PHONE", "call (212) 555-0143.", "(212) 555-0143"),
        ("PHONE", "call 212-555-0143", "212-555-0143"),
        ("PHONE", "Tel.: 020 7946 0958", "020 7946 0958"),
        ("PHONE", "+49 (0)30 123456-78", "+49 (0)30 123456-78"),
        ("PHONE", "Tél. 01 42 68 53 00, ouvert", "01 42 68 53 00"),
        ("PHONE", "Handy 0171 2345678", "0171 2345678"),
        ("PHONE", "Ruf: 030/12345678.", "030/12345678"),
        ("PHONE", "Teléfono: 91 123 45 67 y", "91 123 45 67"),
        ("PHONE", "тел. 8 495 123-45-67", "8 495 123-45-67"),
        ("EMAIL", "to müller@bücher.example now", "müller@bücher.example"),
        ("IBAN", "IBAN DE89 3704 0044 0532 0130 00 BIC", "DE89 3704 0044 0532 0130 00"),
        ("IBAN", "GB29NWBK60161331926819", "GB29NWBK60161331926819"),
        ("IBAN", "iban de89 3704 0044 0532 0130 00 bic", "de89 3704 0044 0532 0130 00"),
        ("IBAN", "to DE89-3704-0044-0532-0130-00.", "DE89-3704-0044-0532-0130-00"),
        ("IBAN", "to BE68 5390 0754 7034 ABCD", "BE68 5390 0754 7034"),
        ("VAT_NUMBER", "VAT no. GB 980 7806 84, paid", "GB 980 7806 84"),
        ("VAT_NUMBER", "USt-IdNr. DE136695976.", "DE136695976"),
        ("VAT_NUMBER", "PL8567346215", "PL8567346215"),
        ("VAT_NUMBER", "TVA FR 40 303 265 045 et", "FR 40 303 265 045"),
        ("VAT_NUMBER", "Tax ID: IE6433435F 20 kg", "IE6433435F"),
        ("VAT_NUMBER", "UID CHE-107.787.577 MWST", "CHE-107.787.577 MWST"),
        ("VAT_NUMBER", "MVA: NO 995 525 828 MVA", "NO 995 525 828 MVA"),
        ("VAT_NUMBER", "NIP 856-734-62-15, REGON", "856-734-62-15"),
        ("VAT_NUMBER", "NIP PL 856-734-62-15", "PL 856-734-62-15"),
        ("VAT_NUMBER", "P.IVA 00743110157", "00743110157"),
        ("VAT_NUMBER", "NIF: B58378431", "B58378431"),
        ("CASE_NUMBER", "Az.: 12 O 345/23, LG", "12 O 345/23"),
        ("CASE_NUMBER", "Urteil vom Montag – VIII ZR 123/20.", "VIII ZR 123/20"),
        ("CASE_NUMBER", "Sygn. akt I C 123/24", "I C 123/24"),
        ("CASE_NUMBER", "N° RG 22/04567 - Portalis", "22/04567"),
        ("CASE_NUMBER", "civ. 1re, n° 21-12.345", "21-12.345"),
        ("CASE_NUMBER", "in [2023] EWHC 123 (Ch) it", "[2023] EWHC 123 (Ch)"),
        ("CASE_NUMBER", "Claim No. CL-2023-000456", "CL-2023-000456"),
        ("CASE_NUMBER", "affaire C-311/18, point 5", "C-311/18"),
        ("CASE_NUMBER", "see 410 U.S. 113 (1973) and", "410 U.S. 113 (1973)"),
        ("CASE_NUMBER", "cf. 598 F. Supp. 2d 1102", "598 F. Supp. 2d 1102"),
        ("LAW", "under 42 U.S.C. § 1983, the", "42 U.S.C. § 1983"),
        ("LAW", "nach § 433 Abs. 1 BGB ist", "§ 433 Abs. 1 BGB"),
        ("LAW", "Regulation (EU) 2016/679 and", "Regulation (EU) 2016/679"),
        ("LAW", "article 1240 du Code civil dispose", "article 1240 du Code civil"),
        ("LAW", "section 21 of the Housing Act 1988", "section 21 of the Housing Act 1988"),
        ("CASE_NUMBER", "Case No. 2:19-cv-01234", "2:19-cv-01234"),
        ("CASE_NUMBER", "in 1:20-cr-00045-ABC, the court", "1:20-cr-00045-ABC"),
        ("CASE_NUMBER", "Docket Number: 23-4455", "23-4455"),
        ("CONTRACT_NUMBER", "Contract No. AB-2024-117.", "AB-2024-117"),
        ("CONTRACT_NUMBER", "Purchase Order # 45001", "45001"),
        ("CONTRACT_NUMBER", "Agreement\u00a0No: 7/2023", "7/2023"),
        ("CONTRACT_NUMBER", "Vertrags-Nr. V-2231", "V-2231"),
        ("CONTRACT_NUMBER", "contrat n° 2024-AB-17", "2024-AB-17"),
        ("INVOICE_NUMBER", "Inv. no. 99881", "99881"),
        ("INVOICE_NUMBER", "Rechnungsnummer: RE-2024/0815", "RE-2024/0815"),
        ("INVOICE_NUMBER", "Facture n° F2024-0012", "F2024-0012"),
        ("INVOICE_NUMBER", "Faktura nr FV/12/06/2024", "FV/12/06/2024"),
        ("INVOICE_NUMBER", "INVOICE NO. 2024/0042", "2024/0042"),
        ("INVOICE_NUMBER", "Invoice INV-2024-001", "INV-2024-001"),
        ("DATE", "on 2024-03-14.", "2024-03-14"),
        ("DATE", "on 14 March 2024.", "14 March 2024"),
        ("DATE", "on March 14, 2024.", "March 14, 2024"),
        ("DATE", "on 14.03.2024.", "14.03.2024"),
        ("DATE", "on 03/14/2024.", "03/14/2024"),
        ("DATE", "the 14th day of March, 2024", "14th day of March, 2024"),
        ("DATE", "this 31st day of May , 2005 by", "31st day of May , 2005"),
        ("DATE", "AGREED TO THIS 11 DAY OF October, 2007. BY", "11 DAY OF October, 2007"),
        ("DATE", "due in March 2024", "March 2024"),
        ("DATE", "on MARCH 14, 2024", "MARCH 14, 2024"),
        ("DATE", "made on 14 March\n2024", "14 March\n2024"),
        ("DATE", "the Q3 2024 results", "Q3 2024"),
        ("DATE", "im 3. Quartal 2024.", "3. Quartal 2024"),
        ("DATE", "the FY2023 accounts", "FY2023"),
        (
            "DATE",
            "as of the twelfth day of June, two thousand and twenty-four",
            "twelfth day of June, two thousand and twenty-four",
        ),
        ("DATE", "le douze juin deux mille vingt-quatre, à", "douze juin deux mille vingt-quatre"),
        ("MONEY", "one hundred and fifty thousand euros", "one hundred and fifty thousand euros"),
        ("MONEY", "von fünfzigtausend Euro,", "fünfzigtausend Euro"),
        ("DATE", "Installation\t1\tAugust 5, 2024\tyes", "August 5, 2024"),
        ("DATE", "since 2001, they", "2001"),
        ("DATE", "On Monday, Dec. 26, he", "Monday, Dec. 26"),
        ("DATE", "on October 25-26, 2016, an", "October 25-26, 2016"),
        ("DATE", "in about 575 B.C. when", "575 B.C"),
        ("DATE", "Frist am 3. März 2024.", "3. März 2024"),
        ("DATE", "dal 15 gennaio 2024.", "15 gennaio 2024"),
        ("DATE", "dal 15 Gennaio 2024.", "15 Gennaio 2024"),
        ("DATE", "z dnia 7 czerwca 2024 r.", "7 czerwca 2024"),
        ("DATE", "le 1er FÉVRIER 2024 à", "1er FÉVRIER 2024"),
        ("DATE", "le 3 fevrier 2024 à", "3 fevrier 2024"),
        ("DATE", "el 14 de marzo de 2024,", "14 de marzo de 2024"),
        ("DATE", "kelt: 2024. június 7. napján", "2024. június 7"),
        ("DATE", "im März 2024 und", "März 2024"),
        ("DATE", "bis 3. März zu", "3. März"),
        ("DATE", "on 2024/06/30 at", "2024/06/30"),
        ("DATE", "on 14. 3. 2024 at", "14. 3. 2024"),
        ("DATE", "on 14-03-2024 at", "14-03-2024"),
        ("DATE", "due 30-Jun-2024,", "30-Jun-2024"),
        ("DATE", "due 02-JUL-24,", "02-JUL-24"),
        ("DATE", "due 12.6.24 at", "12.6.24"),
        ("DATE", "paid 12.06.24 at", "12.06.24"),
        ("DATE", "Date: Mon, 26 Dec 2016 at", "Mon, 26 Dec 2016"),
        ("DATE", "契約日2024年3月14日から", "2024年3月14日"),
        ("MONEY", "USD 1,250,000.00.", "USD 1,250,000.00"),
        ("MONEY", "12\u202f450,00 € TTC", "12\u202f450,00 €"),
        ("MONEY", "12.450,-- € zzgl.", "12.450,-- €"),
        ("MONEY", "12 450 kr inkl.", "12 450 kr"),
        ("MONEY", "cena 5 zł za", "5 zł"),
        ("MONEY", "of -$300.00 and", "-$300.00"),
        ("MONEY", "of (1,250.00) USD and", "(1,250.00) USD"),
        ("MONEY", "金1,250,000円とする", "1,250,000円"),
        ("MONEY", "5 millions d'euros", "5 millions d'euros"),
        ("MONEY", "3,5 Mrd. EUR.", "3,5 Mrd. EUR"),
        ("MONEY", "100 złotych polskich.", "100 złotych polskich"),
        ("MONEY", "KES 12,500 due", "KES 12,500"),
        ("MONEY", "ára 5.000 Ft volt", "5.000 Ft"),
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
        ("ORG", "for Acme Holdings (UK) Ltd now", "Acme Holdings (UK) Ltd"),
        ("ORG", "wobec Kowalski Sp. z o.o. jest", "Kowalski Sp. z o.o."),
        ("ORG", "et Société Générale S.A., dont", "Société Générale S.A."),
        ("ORG", "med Hansen ApS og", "Hansen ApS"),
        ("ORG", "to J.P. Morgan Chase & Co. and", "J.P. Morgan Chase & Co."),
        ("ORG", "Ostmark Freight GmbH & Co. KG is", "Ostmark Freight GmbH & Co. KG"),
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
        "section 12.6.2024 of the manual, version 3.12.2020, § 3.12.2020, clause 3.4.12 and 3.4.12 The Buyer",
        "ALL 12 parties, TOP 10, PHP 8.1, CVE 2024, BOB 5 and RON 7 ate 5 Ft 3 in, 20 KM on.",
        "JOHN SMITH AS TRUSTEE, the Company and Limited Partners; Regulation AB; ad hoc, at a co. and so.",
        "the first may be one, no one in US dollars, the second March meeting, millions of dollars",
        "12 Rue 34, 4 C 12, Art. 5, no. 12-34, 5 St. 12, call it a day, mob of 300 400 5600 and the Ruf",
        "a@b, @handle, me@localhost, user@.com, http://, www., 12/34/5678, 2024-13-45, 99 May",
    ],
)
def test_ordinary_prose_has_no_hits(text: str) -> None:
    assert found(text) == []


PLACES = {"n": "0123456789", "a": "ABCXYZ", "c": "0123456789ABCXYZ"}
REGISTRY = numdb.get("iban")
COUNTRIES = [
    code for code in map("".join, product(ascii_uppercase, repeat=2)) if REGISTRY.info(f"{code}00")[0][1]
]


@pytest.mark.parametrize("country", COUNTRIES)
def test_the_accounts_of_every_country_are_found(country: str) -> None:
    form = REGISTRY.info(f"{country}00")[0][1]["bban"]
    places = [PLACES[kind] for count, kind in re.findall(r"(\d+)!(\w)", form) for _ in range(int(count))]
    for turn in range(3):
        account = "".join(place[(turn + 3 * index) % len(place)] for index, place in enumerate(places))
        number = country + iban.calc_check_digits(f"{country}00{account}") + account
        for shown in (number, " ".join(number[start : start + 4] for start in range(0, len(number), 4))):
            assert found(f"IBAN: {shown}, BIC") == [("IBAN", shown)]


def test_the_registry_has_its_countries() -> None:
    assert len(COUNTRIES) >= 89


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        *["a", "@", "a@", "aa@aa.aa.", "1", "1 ", "1,", "123 ", "A ", "Aa and ", "+1 ", "(1)", "Case No. A-"],
        *["http://", "http://a)", "DE89 ", "May ", "1 March", "$1,", "\n", " ", "A&", "a:b/", "12 12 "],
        *["Tel 1234567890 ", "VAT DE 1 ", "DE1", "Of of ", "Director of "],
        *["12.", "12.06.", "section 1.", "2024. ", "1. ", "1 de ", "-$", "(1,", "1 mil ", "kr ", "März "],
    ],
)
def test_no_repetition_keeps_the_recognisers_busy(unit: str) -> None:
    text = (unit * 40_000)[:40_000]
    with at_most_cpu_seconds(8):
        assert all(span.end <= len(text) for span in find_patterns(text))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aA1 .,-/:@$€+\n(IBAN)DE89March2024Ltd", max_size=120))
def test_findings_are_sorted_apart_and_not_blank(text: str) -> None:
    spans = find_patterns(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(text[span.start : span.end].strip() == text[span.start : span.end] for span in spans)


def test_the_marks_of_notes_on_figures_are_no_part_of_them() -> None:
    text = "From $320¹ million in 2022¹² to EUR 1,200³ on 12 June 2024 ⁴ in March.\n1 Unaudited: 10⁶ EUR 5."
    found = [span for span in find_patterns(text) if span.label in {"MONEY", "DATE"}]
    assert [text[span.start : span.end] for span in found] == [
        "$320¹ million",
        "2022",
        "EUR 1,200",
        "12 June 2024",
        "EUR 5",
    ]
    assert value_of("MONEY", "$320¹ million") == "USD 320000000"


def test_a_company_and_an_amount_with_marks_inside_that_nobody_sees_are_found_whole() -> None:
    text = (
        "mit der Kraftwerk Anlagen\u00ad\nbau GmbH und der Ost\u200bmark Fracht GmbH über 1\u2060200,00 EUR."
    )
    found = {text[span.start : span.end] for span in find_patterns(text)}
    assert found == {
        "Kraftwerk Anlagen\u00ad\nbau GmbH",
        "Ost\u200bmark Fracht GmbH",
        "1\u2060200,00 EUR",
    }
