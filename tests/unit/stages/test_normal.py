from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docpipe.stages.text.reading_text import normalised, reading_text, without_marks


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("Ann\nLee", "Ann Lee"),
        ("Ann \t Lee\r\nDoe", "Ann Lee Doe"),
        ("one\n\ntwo \n \n three", "one\n\ntwo\n\nthree"),
        ("Micro-\nsoft and Jean-\nPaul", "Microsoft and Jean- Paul"),
        ("soft\u00adware of\ufb01ce \u200bhere", "software office here"),
        ("NORTHWIND HARBOUR LLC of USA", "Northwind Harbour LLC of USA"),
        ("the IBM PC", "the IBM PC"),
        ("2020 - 2024", "2020 - 2024"),
        ("EUR 1,200³ and $320¹² million; Freight GmbH¹", "EUR 1,200 and $320 million; Freight GmbH"),
        ("20 m² and 10³ kg", "20 m² and 10³ kg"),
    ],
)
def test_what_typesetting_did_is_undone(text: str, better: str) -> None:
    assert normalised(text).text == better


def test_text_to_read_on_keeps_its_capitals() -> None:
    assert reading_text("NORTHWIND HARBOUR LLC\nagrees to a pay-\nment.").text == (
        "NORTHWIND HARBOUR LLC agrees to a payment."
    )


def test_a_span_leads_back_to_the_words_as_they_stand() -> None:
    text = "The  of\ufb01ce of Micro-\nsoft  here"
    normal = normalised(text)
    start = normal.text.index("Microsoft")
    low, high = normal.original(start, start + len("Microsoft"))
    assert text[low:high] == "Micro-\nsoft"
    start = normal.text.index("office")
    low, high = normal.original(start, start + len("office"))
    assert text[low:high] == "of\ufb01ce"


@given(
    st.lists(st.sampled_from(["Ann", "-\n", "\ufb03", "\u00ad", "  ", "\n", "\n\n", "x", " ", "IBM", "\t"]))
)
def test_every_letter_leads_back_to_itself(parts: list[str]) -> None:
    text = "".join(parts)
    normal = normalised(text)
    places = [normal.original(at, at + 1) for at in range(len(normal.text))]
    assert all(0 <= low < high <= len(text) for low, high in places)
    assert places == sorted(places)
    letters = [(normal.text[at], place) for at, place in enumerate(places) if normal.text[at] in "Anx"]
    assert all(text[low:high] in (letter, "\ufb03") for letter, (low, high) in letters)


def test_marks_of_notes_and_of_endnotes_go_from_figures() -> None:
    assert without_marks("$320 ⁱᵛ million, EUR 5¹ and 10³ kg").text == "$320 million, EUR 5 and 10³ kg"


def test_marks_that_nobody_sees_go_from_inside_words() -> None:
    text = (
        "Anlagen\u00ad\nbau GmbH, Ost\u200bmark, Fre\u00adight, 1\u2060200 EUR, an end\u00ad\n\nand \u200b on"
    )
    assert without_marks(text).text == (
        "Anlagenbau GmbH, Ostmark, Freight, 1200 EUR, an end\u00ad\n\nand \u200b on"
    )
