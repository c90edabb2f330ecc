from __future__ import annotations

import pytest

from docpipe.stages.entities.values import amount, iso_date, value_of


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-03-14", "2024-03-14"),
        ("March 15, 2024", "2024-03-15"),
        ("12 January 2024", "2024-01-12"),
        ("1st day of\nMay, 2023", "2023-05-01"),
        ("Sept. 3rd 1999", "1999-09-03"),
        ("March 2024", "2024-03"),
        ("14 March", "--03-14"),
        ("Feb 29", "--02-29"),
        ("1998", "1998"),
        ("1990s", "199X"),
        ("the 19th century", "18XX"),
        ("31.12.2023", "2023-12-31"),
        ("25/12/2023", "2023-12-25"),
        ("12/25/2023", "2023-12-25"),
        ("05/05/2023", "2023-05-05"),
        ("03/04/2023", None),
        ("03/14/24", None),
        ("30 February 2024", None),
        ("2024-13-01", None),
        ("yesterday", None),
        ("May", None),
        ("1998 to 2006", None),
        ("two weeks", None),
    ],
)
def test_a_date_has_its_iso_value_where_it_is_plain(text: str, iso: str | None) -> None:
    assert iso_date(" ".join(text.split())) == iso
    assert value_of("DATE", text) == iso


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("USD 18,500.00", "USD 18500.00"),
        ("$1,250,000", "USD 1250000"),
        ("more than $4 million", "USD 4000000"),
        ("£59.5 million", "GBP 59500000"),
        ("EUR 42.750,00", "EUR 42750.00"),
        ("42\u00a0750,5 €", "EUR 42750.5"),
        ("CHF 1'250.--", "CHF 1250"),
        ("1.500 euros", "EUR 1500"),
        ("C$5", "CAD 5"),
        ("12 Swiss francs", "CHF 12"),
        ("US$ 3bn", "USD 3000000000"),
        ("$1.2345 million", "USD 1234500"),
        ("millions of dollars", None),
        ("twelve pounds", None),
    ],
)
def test_an_amount_has_currency_and_number(text: str, value: str | None) -> None:
    assert amount(text) == value


def test_other_labels_have_no_value() -> None:
    assert value_of("ORG", "1998") is None
