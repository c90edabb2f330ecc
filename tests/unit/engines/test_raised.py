"""Marks of notes on scans are told from digits of the number that they stand on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docpipe.engines.ocr.ctc import Line
from docpipe.engines.ocr.raised import with_marks

Part = tuple[str, bool]


def drawn(
    *words: list[Part], fall: float = 0.0, rise: int = 12
) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """A line of these words, parts of them smaller and raised, and where each word begins and ends in it.

    The line comes down by `fall` pixels for each across.
    """
    picture = np.full((64, 900, 3), 250, np.uint8)
    x, places = 10, list[float]()
    for word in words:
        places.append(x - 3)
        for text, raised in word:
            for letter in text:
                scale = 0.75 if raised else 1.2
                at = (x, round(44 + fall * x) - (rise if raised else 0))
                cv2.putText(picture, letter, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (20, 20, 20), 2)
                x += cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0] + 2
        places.append(x + 3)
        x += 18
    return picture, tuple(place / 900 for place in places)


@pytest.mark.parametrize(
    ("words", "read", "right"),
    [
        ([[("EUR", False)], [("1,200", False), ("3", True)]], "EUR 1,2003", "EUR 1,200³"),
        ([[("in", False)], [("2024", False), ("12", True)]], "in 202412", "in 2024¹²"),
        ([[("2024", False), ("5", True), (".", False)]], "20245.", "2024⁵."),
        ([[("Seller", False), ("4", True)], [("agrees", False)]], "Seller4 agrees", "Seller⁴ agrees"),
        ([[("EUR", False)], [("1,2003", False)]], "EUR 1,2003", "EUR 1,2003"),
        ([[("20/09/201", False), ("7", True)]], "20/09/2017", "20/09/2017"),
        ([[("170.0", False), ("0", True)]], "170.00", "170.00"),
        ([[("17,419.75", False)]], "17,419.75", "17,419.75"),
        ([[("1st", False)], [("Q4", False)], [("1177", False)]], "1st Q4 1177", "1st Q4 1177"),
    ],
)
@pytest.mark.parametrize("fall", [0.0, 0.02])
def test_a_raised_figure_is_no_digit_of_the_number(
    words: list[list[Part]], read: str, right: str, fall: float
) -> None:
    picture, places = drawn(*words, fall=fall)
    assert with_marks(picture, Line(read, 0.9, places)) == Line(right, 0.9, places)


def test_a_line_whose_words_are_not_known_or_that_is_empty_stays_as_it_is() -> None:
    blank = np.full((4, 1, 3), 250, np.uint8)
    for line in (Line("EUR 1,2003", 0.9), Line("1,2003", 0.9, (0.0, 1.0)), Line("", 0.0)):
        assert with_marks(blank, line) == line
