from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from docpipe.stages.entities.cldr import LANGUAGES, fraction_digits, months
from docpipe.stages.entities.patterns import find_patterns
from docpipe.stages.entities.values import _FORMS, DateOrder, amount, date_order, iso_date, value_of
from docpipe.stages.graph.spellings import LITERAL

CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY", "PLN", "KWD", "INR", "BRL")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-03-14", "2024-03-14"),
        ("2024/06/30", "2024-06-30"),
        ("2024. 06. 07.", "2024-06-07"),
        ("2024年3月14日", "2024-03-14"),
        ("March 15, 2024", "2024-03-15"),
        ("12 January 2024", "2024-01-12"),
        ("Thursday, 14th March 2024", "2024-03-14"),
        ("Monday, Dec. 26, 2016", "2016-12-26"),
        ("Mon, 26 Dec 2016", "2016-12-26"),
        ("1st day of\nMay, 2023", "2023-05-01"),
        ("Sept. 3rd 1999", "1999-09-03"),
        ("30-Jun-2024", "2024-06-30"),
        ("02-JUL-24", "2024-07-02"),
        ("1er mars 2024", "2024-03-01"),
        ("2º de março de 2024", "2024-03-02"),
        ("14 fevrier 2024", "2024-02-14"),
        ("mar 3 dic 2024", "2024-12-03"),
        ("3 d’abril del 2024", "2024-04-03"),
        ("2024 m. birželio 7 d.", "2024-06-07"),
        ("7 listopada 2024 r.", "2024-11-07"),
        ("7 listopada 2024", "2024-11-07"),
        ("7. listopada 2024.", "2024-10-07"),
        ("7 юни 2024 г.", "2024-06-07"),
        ("March 2024", "2024-03"),
        ("gennaio 2024", "2024-01"),
        ("14 March", "--03-14"),
        ("Feb 29", "--02-29"),
        ("1998", "1998"),
        ("1990s", "199X"),
        ("the 1990's", "199X"),
        ("the 19th century", "18XX"),
        ("31.12.2023", "2023-12-31"),
        ("31st day of May , 2005", "2005-05-31"),
        ("11 DAY OF October, 2007", "2007-10-11"),
        ("5 th day of May, 2003", "2003-05-05"),
        ("12.6.24", "2024-06-12"),
        ("12.6.69", "1969-06-12"),
        ("25/12/2023", "2023-12-25"),
        ("12/25/2023", "2023-12-25"),
        ("25-12-2023", "2023-12-25"),
        ("05/05/2023", "2023-05-05"),
        ("03/14/24", "2024-03-14"),
        ("03/04/2023", None),
        ("3.26.01", "2001-03-26"),
        ("10 day of th January, 2007", "2007-01-10"),
        ("03-04-2023", None),
        ("30 February 2024", None),
        ("2024-13-01", None),
        ("0000-01-01", None),
        ("yesterday", None),
        ("May", None),
        ("Thursday 2024", None),
        ("1998 to 2006", None),
        ("October 25-26, 2016", None),
        ("March or April 2024", None),
        ("quarter ended March 31, 2024", None),
        ("mid-1970s", None),
    ],
)
def test_a_date_has_its_iso_value_where_it_is_plain(text: str, iso: str | None) -> None:
    assert iso_date(" ".join(text.split())) == iso
    assert value_of("DATE", text) == iso


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("USD 18,500.00", "USD 18500"),
        ("$18,500", "USD 18500"),
        ("$18,500.5", "USD 18500.50"),
        ("$1,250,000", "USD 1250000"),
        ("more than $4 million", "USD 4000000"),
        ("£59.5 million", "GBP 59500000"),
        ("EUR 42.750,00", "EUR 42750"),
        ("42\u00a0750,5 €", "EUR 42750.50"),
        ("12\u202f450,00 €", "EUR 12450"),
        ("CHF 1'250.--", "CHF 1250"),
        ("12.450,-- €", "EUR 12450"),
        ("₹ 1,25,000.50", "INR 125000.50"),
        ("¥5,000", "JPY 5000"),
        ("1,250,000円", "JPY 1250000"),
        ("KWD 1.5", "KWD 1.500"),
        ("$0.1255", "USD 0.1255"),
        ("$0.125", "USD 0.125"),
        ("1.500 euros", "EUR 1500"),
        ("C$5", "CAD 5"),
        ("S$5", "SGD 5"),
        ("12 Swiss francs", "CHF 12"),
        ("12 złotych polskich", "PLN 12"),
        ("5 zł", "PLN 5"),
        ("US$ 3bn", "USD 3000000000"),
        ("5 millions d'euros", "EUR 5000000"),
        ("3,5 Mrd. EUR", "EUR 3500000000"),
        ("$3 billion", "USD 3000000000"),
        ("$1.2345 million", "USD 1234500"),
        ("-$300.00", "USD -300"),
        ("USD −0.5", "USD -0.50"),
        ("(1,250.00) USD", "USD -1250"),
        ("EUR 1.300,00-", "EUR -1300"),
        ("-$0.00", "USD 0"),
        ("$5 mil", None),
        ("12 450 kr", None),
        ("$4 to $5 million", None),
        ("$" + "9" * 60, None),
        ("millions of dollars", None),
        ("twelve pounds", None),
    ],
)
def test_an_amount_has_currency_and_number(text: str, value: str | None) -> None:
    assert amount(text) == value
    assert value_of("MONEY", text) == value


@pytest.mark.parametrize(
    ("text", "after", "value"),
    [
        ("$1.234", " per litre", "USD 1.234"),
        ("1,739 €", "/l", "EUR 1.739"),
        ("$3.459", " a gallon", "USD 3.459"),
        ("$1.234", " per tonne", "USD 1234"),
        ("$1.234", " plus tax", "USD 1234"),
    ],
)
def test_prices_by_the_litre_have_tenths_of_cents(text: str, after: str, value: str) -> None:
    assert value_of("MONEY", text, after=after) == value


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("DATE", "twelfth day of June, two thousand and twenty-four", "2024-06-12"),
        ("DATE", "zwölften Juni zweitausendvierundzwanzig", "2024-06-12"),
        ("DATE", "dodici giugno duemilaventiquattro", "2024-06-12"),
        ("DATE", "second quarter", None),
        ("MONEY", "one hundred and fifty thousand euros", "EUR 150000"),
        ("MONEY", "cent cinquante mille euros", "EUR 150000"),
        ("MONEY", "a million dollars", "USD 1000000"),
        ("MONEY", "a few million dollars", None),
    ],
)
def test_numbers_may_be_words(label: str, text: str, value: str | None) -> None:
    assert value_of(label, text) == value


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("PERCENT", "12,50 %", "12.5%"),
        ("PERCENT", "-3 percent", "-3%"),
        ("PERCENT", "a third", None),
        ("PHONE", "+44 (0)20 7946 0958 ext. 12", "+442079460958;ext=12"),
        ("PHONE", "00491701234567", "+491701234567"),
        ("PHONE", "(212) 555-0143", "2125550143"),
        ("IBAN", "de89-3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("VAT_NUMBER", "CHE-107.787.577 MWST", "CHE107787577"),
        ("EMAIL", "Ann@X.org", "ann@x.org"),
        ("CASE_NUMBER", "2:19–cv- 01234", "2:19-CV-01234"),
        ("ORG", "1998", None),
        ("URL", "https://x.org/A", None),
    ],
)
def test_other_values_are_without_what_makes_them_easier_to_read(
    label: str, text: str, value: str | None
) -> None:
    assert value_of(label, text) == value


def test_only_labels_of_values_have_one() -> None:
    assert set(_FORMS) <= LITERAL


amounts = st.decimals(min_value=0, max_value=10**12, places=3)


def shown(number: Decimal, code: str) -> Decimal:
    """The number as Babel prints it: rounded to the currency's digits."""
    return number.quantize(Decimal(1).scaleb(-fraction_digits(code)), rounding=ROUND_HALF_EVEN)


def parts(value: str | None) -> tuple[str, Decimal] | None:
    return (value.split()[0], Decimal(value.split()[1])) if value else None


days = st.dates(min_value=date(1000, 1, 1), max_value=date(2199, 12, 31))


@settings(deadline=None)
@given(days, st.sampled_from(LANGUAGES), st.sampled_from(["full", "long"]))
def test_a_date_in_any_language_is_its_iso_date(day: date, language: str, form: str) -> None:
    printed = " ".join(format_date(day, form, language).split())
    assert iso_date(printed) == day.isoformat()


@settings(deadline=None)
@given(days, st.sampled_from(LANGUAGES))
def test_a_date_in_any_language_is_found_whole(day: date, language: str) -> None:
    text = f"({format_date(day, 'long', language)})"
    found = [text[span.start : span.end] for span in find_patterns(text)]
    assert [iso_date(" ".join(each.split())) for each in found] == [day.isoformat()]


@settings(deadline=None)
@given(amounts, st.sampled_from(LANGUAGES), st.sampled_from(CURRENCIES))
def test_an_amount_in_any_language_is_its_code_and_number(number: Decimal, language: str, code: str) -> None:
    printed = format_currency(number, code, locale=language)
    assert parts(amount(" ".join(printed.split()))) == (code, shown(number, code))


@settings(deadline=None)
@given(amounts, st.sampled_from(LANGUAGES), st.sampled_from(CURRENCIES))
def test_an_amount_in_any_language_is_found_whole(number: Decimal, language: str, code: str) -> None:
    text = f"x: {format_currency(number, code, locale=language)}\n"
    found = [text[span.start : span.end] for span in find_patterns(text) if span.label == "MONEY"]
    assert [parts(value_of("MONEY", each)) for each in found] == [(code, shown(number, code))]


@settings(deadline=None)
@given(amounts, st.sampled_from(LANGUAGES), st.sampled_from(["EUR", "USD", "GBP", "CHF"]))
def test_the_name_of_a_currency_is_its_code(number: Decimal, language: str, code: str) -> None:
    assume(code in Locale.parse(language).currencies)
    printed = format_currency(number, code, locale=language, format_type="name")
    assert parts(amount(" ".join(printed.split()))) == (code, shown(number, code))


@settings(deadline=None)
@given(amounts, st.sampled_from(CURRENCIES))
def test_a_value_is_its_own_value(number: Decimal, code: str) -> None:
    value = amount(f"{code} {shown(number, code):,}")
    assert value is not None
    assert amount(value) == value


def test_no_name_of_a_month_is_read_as_another() -> None:
    for name, meanings in months().items():
        expected = {f"2024-{number:02d}-07" for number, _ in meanings}
        read = {iso_date(f"7 {name} 2024"), iso_date(f"7. {name} 2024")} - {None}
        assert read <= expected
        assert len(expected) > 1 or read == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("two (2) years", "P2Y"),
        ("2 years", "P2Y"),
        ("twenty-four months", "P24M"),
        ("eighteen (18)\nmonths", "P18M"),
        ("two weeks", "P2W"),
        ("second (2nd) anniversary", "P2Y"),
        ("3rd anniversary", "P3Y"),
        ("ninety days’", "P90D"),
        ("a few years", None),
    ],
)
def test_a_length_of_time_has_its_iso_value(text: str, value: str | None) -> None:
    assert value_of("DATE", text) == value


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["8/11/08", "August 6, 2008"], DateOrder.MONTH_FIRST),
        (["8/11/08", "6 August 2008", "Friday, 8 August 2008"], DateOrder.DAY_FIRST),
        (["3/4/2024", "le 3 avril 2024"], None),
        (["3/4/2024", "3 avril 2024"], DateOrder.DAY_FIRST),
        (["3/4/2024", "12/25/2023", "25 December 2023", "26 December 2023"], DateOrder.MONTH_FIRST),
        (["3/4/2024", "25/12/2023", "12/25/2023"], None),
        (["the 6th day of May, 2005", "May 7, 2005"], DateOrder.MONTH_FIRST),
        (["May 7, 2005", "7 May 2005"], None),
        (["2024-03-04", "May 2024", "8/11/08"], None),
    ],
)
def test_a_document_shows_whether_the_day_or_the_month_comes_first(
    dates: list[str], order: DateOrder | None
) -> None:
    assert date_order(dates) == order


@pytest.mark.parametrize(
    ("order", "value"),
    [(DateOrder.MONTH_FIRST, "2008-08-11"), (DateOrder.DAY_FIRST, "2008-11-08"), (None, None)],
)
def test_a_date_of_numbers_that_says_no_order_has_that_of_its_document(
    order: DateOrder | None, value: str | None
) -> None:
    assert value_of("DATE", "8/11/08", order) == value


def test_numbers_that_show_their_order_have_it_whatever_the_document_writes() -> None:
    assert value_of("DATE", "25/12/2023", DateOrder.MONTH_FIRST) == "2023-12-25"
    assert value_of("DATE", "4.3.2024", DateOrder.MONTH_FIRST) == "2024-03-04"
