"""The facts as a person reads them in a terminal."""

from __future__ import annotations

from docpipe.cli.views.document_json import facts_json
from docpipe.cli.views.fact_lines import fact_lines
from docpipe.models import Evidence, Fact, Facts, FactType, Kind

HERE = Evidence(0, 1, 1)
LONG = "Northwind Harbour Logistics and Engineering Services Limited of Portland"
FACTS = Facts(
    Kind.AGREEMENT,
    None,
    "SERVICES AGREEMENT",
    None,
    (
        Fact(FactType.PARTY_TO, LONG, HERE, 1.0, "Client", entity=0),
        Fact(FactType.PARTY_TO, "Ann Lee", HERE, 1.0, "Contractor", entity=1),
        Fact(FactType.NUMBERED, "N-1", HERE, 1.0),
        Fact(FactType.DATED, "1 May 2024", HERE, 1.0, "effective"),
        Fact(FactType.DATED, "2 May 2024", HERE, 1.0, "signing"),
        Fact(FactType.AMOUNT_OF, "$5", HERE, 1.0, "fee"),
        Fact(FactType.SIGNED_BY, "Bob Stone", HERE, 1.0, "President", holder=0),
        Fact(FactType.SIGNED_BY, "Ann Lee", HERE, 1.0, entity=1, holder=1),
        *(Fact(FactType.GOVERNED_BY, f"Place number {number}", HERE, 1.0) for number in range(20)),
    ),
)


def test_the_lines_say_parties_dates_number_amounts_and_signatories_within_the_width() -> None:
    assert list(fact_lines(facts_json(FACTS) | {"entities": []})) == [
        "  agreement SERVICES AGREEMENT, N-1",
        "  parties   Northwind Harbour Logistics and Engineering Services Limited of",
        "            Portland (Client); Ann Lee (Contractor)",
        "  dates     1 May 2024 effective",
        "  amounts   $5 fee",
        "  signed by Bob Stone for Client; Ann Lee",
        "  law, term Place number 0; Place number 1; Place number 2; Place number 3;",
        "            Place number 4; Place number 5; Place number 6; Place number 7; …",
    ]


def test_a_document_without_facts_has_no_lines() -> None:
    assert list(fact_lines(facts_json(Facts(Kind.OTHER)))) == []
