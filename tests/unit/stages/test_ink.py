"""Ink that was not read is told from ruling, pictures and dust."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docpipe.engines.ports import RecognisedLine
from docpipe.formats.base import PageImage, RawPage, TextReader
from docpipe.models import Warn
from docpipe.stages.ocr.document import read_document
from docpipe.stages.ocr.ink import _ink, unread_ink
from tests.engines import OneLine

LINES = [(100.0, 100.0 + 60 * row, 900.0, 130.0 + 60 * row) for row in range(5)]
STAMP = (500, 500, 800, 540)


def page(*drawn: str) -> NDArray[np.uint8]:
    picture = Image.new("RGB", (1200, 800), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(28)
    for x0, y0, _, _ in LINES:
        draw.text((x0, y0), "the committee met to consider the accounts", font=font, fill="black")
    if "stamp" in drawn:
        draw.text(STAMP[:2], "PAID 14.06.2024", font=ImageFont.load_default(40), fill=(200, 0, 0))
    if "rules" in drawn:
        draw.rectangle((60, 60, 1100, 700), outline="black", width=3)
        draw.line((60, 450, 1100, 450), fill="black", width=3)
    if "picture" in drawn:
        draw.rectangle((700, 560, 1000, 680), fill=(40, 60, 90))
    if "barcode" in drawn:
        rng = np.random.default_rng(7)
        x = 300
        while x < 600:
            draw.rectangle((x, 600, x + int(rng.integers(1, 7)), 660), fill="black")
            x += int(rng.integers(8, 14))
    if "dust" in drawn:
        for n in range(40):
            draw.point((37 * n % 1200, 480 + 53 * n % 300), fill="black")
    return np.asarray(picture)[:, :, ::-1].copy()


def test_a_stamp_beside_the_lines_is_found_where_it_stands() -> None:
    ((x0, y0, x1, y1),) = unread_ink(page("stamp", "rules", "dust"), LINES)
    assert abs(x0 - STAMP[0]) < 30 and abs(x1 - STAMP[2]) < 30
    assert y0 > STAMP[1] - 20 and y1 < STAMP[3] + 40


@pytest.mark.parametrize("colour", [(0, 0, 200), (200, 0, 0), (0, 200, 0), (0, 0, 0)])
@pytest.mark.parametrize("paper", [255, 90])
def test_ink_differs_from_the_paper_in_its_darkest_colour(colour: tuple[int, int, int], paper: int) -> None:
    page = np.full((21, 33, 3), paper, np.uint8)
    page[4:9, 7:30] = colour
    expected = np.zeros((21, 33), bool)
    expected[4:9, 7:30] = True
    assert np.array_equal(_ink(page), expected)


def test_words_in_capitals_and_upright_strokes_are_no_barcode() -> None:
    picture = Image.fromarray(page()[:, :, ::-1])
    ImageDraw.Draw(picture).text(
        (300, 600), "ILLINOIS HILL MILL", font=ImageFont.load_default(40), fill="black"
    )
    assert len(unread_ink(np.asarray(picture)[:, :, ::-1], LINES)) == 1


def test_a_line_that_was_not_read_is_found() -> None:
    ((x0, y0, x1, y1),) = unread_ink(page(), LINES[:-1])
    assert (x0 < 120, x1 > 600, y0 > 320, y1 < 400) == (True, True, True, True)


@pytest.mark.parametrize(
    "drawn", [(), ("rules",), ("picture",), ("dust",), ("barcode",), ("rules", "picture", "dust")]
)
def test_ruling_pictures_and_dust_are_no_writing(drawn: tuple[str, ...]) -> None:
    assert unread_ink(page(*drawn), LINES) == []


@pytest.mark.parametrize("turned", [False, True])
def test_ruling_is_ink_in_runs_of_a_length_also_at_the_edge(turned: bool) -> None:
    from docpipe.stages.ocr.ink import _without_ruling

    rows = ["####...", "...####", "###.###", "#######", "..####."]
    left = [".......", ".......", "###.###", ".......", "......."]

    def mask(drawn: list[str]) -> NDArray[np.bool_]:
        ink = np.array([[sign == "#" for sign in row] for row in drawn]).repeat(2, axis=0)
        ink[1::2] = False  # so that nothing stands in a run down
        return ink.T if turned else ink

    assert (_without_ruling(mask(rows), 4) == mask(left)).all()
    assert not _without_ruling(mask(rows[3:4]), 7).any()


class Reads(OneLine):
    """Every line but the stamp."""

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        return [
            RecognisedLine(
                "the committee met to consider the accounts", ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), 0.95
            )
            for x0, y0, x1, y1 in LINES
        ]


@pytest.mark.parametrize("drawn", [(), ("stamp",)])
def test_unread_ink_is_a_warning_with_its_place_and_lowers_the_confidence(drawn: tuple[str, ...]) -> None:
    raw = RawPage(600, 400, (), lambda _: PageImage(page(*drawn), 0.5), image_share=1.0)
    output = read_document(TextReader("image/png", [raw]), engine=Reads())
    assert output.pages is not None and output.pages[0].confidence is not None
    assert (output.pages[0].confidence < 0.94) is bool(drawn)
    assert [warn.code for warn in output.warnings] == ["ink_not_read"] * bool(drawn)
    assert all(isinstance(warn, Warn) and "at (25" in warn.message for warn in output.warnings if drawn)
