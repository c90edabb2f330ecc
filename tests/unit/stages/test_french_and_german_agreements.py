"""Facts of agreements in French and German, for which the default engine has no names."""

from __future__ import annotations

import pytest

from docpipe.models import Kind
from docpipe.stages.text.wording.wording import is_agreement
from tests.unit.stages.test_facts import facts_of, said

BAIL = """BAIL COMMERCIAL

Entre les soussignés :

La société Imprimerie Duval SAS, société par actions simplifiée au capital de 20 000 euros, dont le siège
social est situé 4 rue Haute, 67000 Strasbourg, représentée par Madame Anne Roche, présidente,
ci-après dénommée « le Bailleur »,

d'une part,

ET

Monsieur Hugo Lemaire, demeurant 7 quai des Bateliers, 67000 Strasbourg, ci-après dénommé « le Preneur »,

d'autre part,

Il a été convenu ce qui suit :

Article 1. Le présent bail est conclu pour une durée de neuf (9) ans et prend effet le 1er mai 2024.
Article 2. Le loyer annuel est de 18 000 €. Le préavis est de six mois.
Article 3. Le présent bail est régi par le droit français.

Fait à Strasbourg, le 12 avril 2024, en deux exemplaires.
"""
KAUFVERTRAG = """KAUFVERTRAG

zwischen

der Mühlbach Druckmaschinen GmbH, Werkstraße 8, 70173 Stuttgart, vertreten durch die Geschäftsführerin,
– nachfolgend „Verkäuferin“ genannt –

und

Herrn Dr. Erik Sommer, Am Ufer 3, 24103 Kiel (Käufer)

§ 1 Dieser Vertrag tritt am 1. Juni 2024 in Kraft und hat eine Laufzeit von zwei (2) Jahren.
§ 2 Der Kaufpreis beträgt 48.500,00 EUR. Die Kündigungsfrist beträgt drei Monate.
§ 3 Anwendbares Recht
Dieser Vertrag unterliegt deutschem Recht.

Stuttgart, den 15. Mai 2024                Kiel, den 18. Mai 2024
"""


def test_a_french_lease_has_its_parties_term_date_rent_and_law() -> None:
    found = facts_of(BAIL)
    assert (found.kind, found.title) == (Kind.AGREEMENT, "BAIL COMMERCIAL")
    assert said(found) == [
        ("PARTY_TO", "Imprimerie Duval SAS", "Bailleur"),
        ("PARTY_TO", "Hugo Lemaire", "Preneur"),
        ("TERM_OF", "neuf (9) ans", ""),
        ("DATED", "1er mai 2024", "effective"),
        ("AMOUNT_OF", "18 000 €", "loyer"),
        ("GOVERNED_BY", "droit français", ""),
        ("DATED", "12 avril 2024", "signing"),
    ]


def test_a_german_sale_has_its_parties_term_dates_price_and_law() -> None:
    found = facts_of(KAUFVERTRAG)
    assert (found.kind, found.title) == (Kind.AGREEMENT, "KAUFVERTRAG")
    assert said(found) == [
        ("PARTY_TO", "Mühlbach Druckmaschinen GmbH", "Verkäuferin"),
        ("PARTY_TO", "Erik Sommer", "Käufer"),
        ("TERM_OF", "zwei (2) Jahren", ""),
        ("DATED", "1. Juni 2024", "effective"),
        ("AMOUNT_OF", "48.500,00 EUR", "kaufpreis"),
        ("GOVERNED_BY", "deutschem Recht", ""),
        ("DATED", "15. Mai 2024", "signing"),
        ("DATED", "18. Mai 2024", "signing"),
    ]


def test_lengths_of_time_have_their_value_in_french_and_german() -> None:
    values = {fact.text: fact.value for text in (BAIL, KAUFVERTRAG) for fact in facts_of(text).items}
    assert (values["neuf (9) ans"], values["zwei (2) Jahren"]) == ("P9Y", "P2Y")


@pytest.mark.parametrize(
    ("text", "parties"),
    [
        (
            "ACCORD DE CONFIDENTIALITÉ\n\nLe présent accord est conclu le 3 mars 2025 entre :\n\n"
            "1. Voltelec S.A., société anonyme de droit belge, ayant son siège à Namur (« Voltelec ») ; et\n"
            "2. Helvaco Sàrl, ayant son siège à Genève (« Helvaco »),\n\nensemble les « Parties ».",
            ["Voltelec S.A.", "Helvaco Sàrl"],
        ),
        (
            "Geheimhaltungsvereinbarung\n\nDiese Vereinbarung wird am 7. Mai 2025 zwischen der"
            " Alpin Medizin GmbH mit Sitz in Innsbruck („Alpin“) und der Rheinpharm AG mit Sitz in Basel"
            " („Rheinpharm“, gemeinsam die „Parteien“) geschlossen.",
            ["Alpin Medizin GmbH", "Rheinpharm AG"],
        ),
        (
            "ARBEITSVERTRAG\n\nzwischen\nBäckerei Lorenz e.K., Marktplatz 2, 18055 Rostock, im Folgenden"
            " „Arbeitgeber“,\nund\nLena Fischer, Am Kanal 11, 18057 Rostock, im Folgenden „Arbeitnehmerin“\n",
            ["Bäckerei Lorenz e.K.", "Lena Fischer"],
        ),
    ],
)
def test_the_parties_stand_in_the_ways_of_either_language(text: str, parties: list[str]) -> None:
    assert [text for kind, text, _ in said(facts_of(text)) if kind == "PARTY_TO"] == parties


@pytest.mark.parametrize(
    "text",
    [
        "Le contrat entre la France et la Suisse a été signé. Les parties sont contentes.",
        "Der Zug fährt zwischen Hamburg und Berlin. Der Vertrag wurde gestern erwähnt.",
        "Madame,\n\nVotre contrat arrive à échéance le 3 mai 2024.\n\nCordialement",
    ],
)
def test_who_only_speaks_of_a_contract_has_made_none(text: str) -> None:
    assert not is_agreement(text)


def test_a_letter_about_a_lease_is_none() -> None:
    text = (
        "4. März 2024\n\nMietvertrag Nr. 4711\n\nSehr geehrter Herr Adler,\n\n"
        "der Mietvertrag läuft weiter. Nach § 4 des Mietvertrages steigt die Miete. Kopien des Mietvertrages"
        " und des Nachtrags liegen bei.\n"
    )
    assert facts_of(text).kind is Kind.LETTER
