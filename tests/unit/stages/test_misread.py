from __future__ import annotations

import pytest

from docpipe.formats.base import TextLine
from docpipe.stages.ocr.misread import put_right

FRENCH = "Les statuts de la société sont lus par le président, qui est dans la salle avec le trésorier"
ENGLISH = "It is the aim of this report to say what was done and by whom"


def mended(text: str, *around: str) -> str:
    return put_right([*(TextLine(line) for line in around), TextLine(text)])[-1].text


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("in l970, l978) and 2l-23", "in 1970, 1978) and 21-23"),
        ("Section 6.3.l.l.5 of ONWI-l09", "Section 6.3.1.1.5 of ONWI-109"),
        ("between -l05 and ll.0, Guide 1.lll", "between -105 and 11.0, Guide 1.111"),
        ("holes HH-l, J-l2 and WM-l.", "holes HH-1, J-12 and WM-1."),
        ("at l:30 to $3,O0O or O.7 g", "at 1:30 to $3,000 or 0.7 g"),
        ("EUR 12.450.00 and $1.234.567.89", "EUR 12,450.00 and $1,234,567.89"),
        ("section 12.450.00 of EUR 1.234.567", "section 12.450.00 of EUR 1.234.567"),
    ],
)
def test_letters_in_numbers_become_digits_in_any_language(read: str, printed: str) -> None:
    assert mended(read) == printed


@pytest.mark.parametrize(
    "text",
    [
        "5l of water, 0.5l of milk, 5 l/100 km",
        "the l2 norm, all ill, l. and ll.",
        "Fe2O3, H2O and 18O/16O",
        "a2l3b c/l10n W-lan",
        "l'eau, Il est",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mended(text) == text


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("so l'd like, and l have", "so I'd like, and I have"),
        ("Richard Il, and World War Il on", "Richard II, and World War II on"),
        ("lncome of lan Curtis, lowa, lBM lnc.", "Income of Ian Curtis, Iowa, IBM Inc."),
        ("the oríginal and includíng", "the original and including"),
    ],
)
def test_misread_letters_of_english_words_are_put_right_on_english_pages_only(
    read: str, printed: str
) -> None:
    assert mended(read, ENGLISH) == printed
    assert mended(read, "Le rapport de la commission") == read


@pytest.mark.parametrize(
    "text", ["Il Trovatore by García", "under Kim Jong Il", "lbs, ltd, ln x, a wireless lan"]
)
def test_foreign_names_and_abbreviations_stay_on_english_pages(text: str) -> None:
    assert mended(text, ENGLISH) == text


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("de 1'AFSOA, à 1'orgue et d'1'Hôtel", "de l'AFSOA, à l'orgue et d'1'Hôtel"),
        ("Bibliothèque de I'Arsenal, (I’État)", "Bibliothèque de l'Arsenal, (l’État)"),
    ],
)
def test_the_french_article_is_put_right_on_french_pages_only(read: str, printed: str) -> None:
    assert mended(read, FRENCH) == printed
    assert mended(read, ENGLISH) == read
    assert mended(read, "Madde 1'in hükmü saklıdır, 1'inci fıkra ve Bölüm I'in sonu") == read


@pytest.mark.parametrize("text", ["1'30 de plus, 2,1'un", "de 1' à 2'", "XI'Est, FI'un", "Albert I'e"])
def test_what_is_no_article_stays_on_french_pages(text: str) -> None:
    assert mended(text, FRENCH) == text


def test_a_line_keeps_its_box_confidence_and_length() -> None:
    line = TextLine("in l970", (1, 2, 3, 4), 0.9, "\t")
    assert put_right([line]) == [TextLine("in 1970", (1, 2, 3, 4), 0.9, "\t")]
