"""Where words stand: against the glyphs' own boxes, which MuPDF gives one by one."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import pymupdf
import pytest

from docpipe.engines.ports import RecognisedLine
from docpipe.formats import open_document
from docpipe.models import Box, StageOutput
from docpipe.stages.ocr.document import read_document
from docpipe.stages.text.places import locate

PROSE = (
    "The Supplier, Ostmark Freight GmbH (“Ostmark”), shall pay Illinois Timber Ltd. EUR 12,450.00 within "
    "thirty days of WWW's notice; William Weber of Wismar signs for it. " * 3
)


class Nothing:
    name = "nothing"

    def read(self, _: object) -> list[RecognisedLine]:
        raise AssertionError("the text layer is good")

    orientation = read


def read(document: pymupdf.Document) -> StageOutput:
    reader = open_document(document.tobytes(), "page.pdf")
    output = read_document(reader, engine=Nothing())  # type: ignore[arg-type]
    reader.close()
    return output


def justified(rotation: int = 0) -> pymupdf.Document:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_textbox((57, 60, 400, 500), PROSE, fontsize=11, fontname="tiro", align=3)
    page.set_rotation(rotation)
    return document


def glyphs(page: pymupdf.Page) -> list[tuple[str, pymupdf.Rect]]:
    blocks = page.get_text("rawdict", flags=0)["blocks"]
    spans = (span for block in blocks for line in block["lines"] for span in line["spans"])
    chars = (char for span in spans for char in span["chars"] if not char["c"].isspace())
    return [(char["c"], (pymupdf.Rect(char["bbox"]) * page.rotation_matrix).normalize()) for char in chars]


def glyph_box(document: pymupdf.Document, words: str) -> pymupdf.Rect:
    found, sought = glyphs(document[0]), "".join(words.split())
    start = "".join(char for char, _ in found).index(sought)
    box = pymupdf.Rect()
    for _, glyph in found[start : start + len(sought)]:
        box |= glyph
    return box


def overlap(one: Box, other: pymupdf.Rect) -> float:
    """Common area by the area of both."""
    box = pymupdf.Rect(one)
    common = (box & other).get_area()
    return float(common / (box.get_area() + other.get_area() - common))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("words", ["Ostmark Freight GmbH", "EUR 12,450.00", "Timber", "William", "Supplier"])
def test_words_of_a_justified_page_stand_where_their_glyphs_do(words: str, rotation: int) -> None:
    document = justified(rotation)
    output = read(document)
    start = (output.text or "").index(words)
    _, boxes = locate(output.text or "", output.pages or (), start, start + len(words))
    assert len(boxes) == 1
    assert overlap(boxes[0], glyph_box(document, words)) > 0.97


def test_a_mention_over_two_lines_has_a_box_on_each() -> None:
    output = read(justified())
    text = output.text or ""
    end = text.index("\n")
    start, stop = text.rindex(" ", 0, end) + 1, text.index(" ", end)
    _, boxes = locate(text, output.pages or (), start, stop)
    assert len(boxes) == 2
    assert boxes[0][2] == pytest.approx(400, abs=1)
    assert boxes[1][0] == pytest.approx(57, abs=1)


def test_blocks_that_are_no_text_do_not_shift_the_places_of_those_that_are() -> None:
    document = pymupdf.open()
    page = document.new_page()
    page.draw_rect((50, 50, 400, 70), fill=(0.9, 0.9, 0.9))
    page.insert_text((57, 64), "Shaded heading of the page")
    page.insert_image((57, 80, 107, 100), pixmap=pymupdf.Pixmap(pymupdf.csRGB, (0, 0, 9, 9), False))
    page.insert_text((57, 130), "Ostmark Freight GmbH ........ 12")
    output = read(document)
    start = (output.text or "").index("Freight")
    _, boxes = locate(output.text or "", output.pages or (), start, start + len("Freight"))
    assert overlap(boxes[0], glyph_box(document, "Freight")) > 0.97
