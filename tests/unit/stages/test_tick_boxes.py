"""Boxes of forms on a picture are read with their state; letters, comb fields and QR codes are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docpipe.engines.ports import RecognisedLine
from docpipe.formats.base import PageImage, RawPage, TextReader
from docpipe.stages.ocr.document import read_document
from docpipe.stages.ocr.tick_boxes import tick_boxes
from tests.engines import OneLine

SIDE = 28
POINTS = 72 / 200
Draw = Callable[[ImageDraw.ImageDraw, int, int], None]


def cross(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.line((x + 4, y + 4, x + SIDE - 4, y + SIDE - 4), fill=0, width=3)
    draw.line((x + 4, y + SIDE - 4, x + SIDE - 4, y + 4), fill=0, width=3)


def tick(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """One that reaches over the frame, as a hand draws it."""
    draw.line((x + 5, y + 15, x + 11, y + 23), fill=0, width=4)
    draw.line((x + 11, y + 23, x + 36, y - 8), fill=0, width=4)


def blot(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.rectangle((x + 6, y + 6, x + SIDE - 6, y + SIDE - 6), fill=0)


def nothing(_draw: ImageDraw.ImageDraw, _x: int, _y: int) -> None:
    pass


def picture(*places: tuple[int, int, Draw], turned: float = 0.0) -> NDArray[np.uint8]:
    page = Image.new("L", (900, 400), 255)
    draw = ImageDraw.Draw(page)
    draw.text((60, 30), "DOHn QDBO o0 Declaration", font=ImageFont.load_default(34), fill=0)
    for x, y, mark in places:
        draw.rectangle((x, y, x + SIDE, y + SIDE), outline=0, width=3)
        mark(draw, x, y)
    grey = np.asarray(page.rotate(turned, fillcolor=255, resample=Image.Resampling.BICUBIC))
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2).copy()


@pytest.mark.parametrize("turned", [0.0, 0.6])
@pytest.mark.parametrize("mark", [cross, tick, blot, nothing])
def test_a_box_is_found_with_its_state(mark: Draw, turned: float) -> None:
    (box,) = tick_boxes(picture((450, 180, mark), turned=turned), POINTS)
    assert box.is_ticked is (mark is not nothing)
    assert abs(box.x0 - 450) <= 4 and abs(box.x1 - 450 - SIDE) <= 4


def test_a_box_inside_a_frame_is_found_and_the_frame_is_none() -> None:
    page = picture((450, 180, cross))
    page[170:173, 440:620] = page[227:230, 440:620] = page[170:230, 440:443] = page[170:230, 617:620] = 0
    (box,) = tick_boxes(page, POINTS)
    assert box.is_ticked and abs(box.x0 - 450) <= 4


def test_boxes_that_hold_a_letter_each_are_no_answers() -> None:
    comb = [(100 + 36 * n, 200, cross) for n in range(5)]
    assert [box.x0 for box in tick_boxes(picture(*comb, (600, 200, cross)), POINTS)] == [600]


def test_the_corners_of_a_qr_code_are_none() -> None:
    page = picture()
    for inset, grey in ((0, 0), (6, 255), (12, 0)):
        page[200 + inset : 242 - inset, 300 + inset : 342 - inset] = grey
    assert tick_boxes(page, POINTS) == []


class Reads(OneLine):
    """The words of a form, and the boxes that it was shown."""

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        seen = [] if pixels[180 : 180 + SIDE, 450 : 450 + SIDE].min() > 250 else ["3"]
        words = {"Insured": 300, "yes": 490, "no": 640}
        return [
            RecognisedLine(word, ((x, 178), (x + 60, 178), (x + 60, 210), (x, 210)), 0.95)
            for word, x in {**words, **dict.fromkeys(seen, 450)}.items()
        ]


def test_boxes_stand_in_the_text_where_they_stand_on_the_page() -> None:
    pixels = picture((450, 180, tick), (600, 180, nothing))
    raw = RawPage(324, 144, (), lambda _: PageImage(pixels, POINTS), image_share=1.0)
    output = read_document(TextReader("image/png", [raw]), engine=Reads())
    assert (output.text or "").split() == ["Insured", "☑", "yes", "☐", "no"]
