"""A PDF of every kind of page: recognition runs on exactly the pages that need it, and each page says why."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray

from docpipe.cli.views.document_json import to_json
from docpipe.engines.ports import RecognisedLine
from docpipe.formats import open_document
from docpipe.models import Method, Page, StageOutput
from docpipe.stages.ocr.document import read_document
from tests.engines import OneLine
from tests.unit.conftest import NewPipeline

PROSE = (
    "The committee met on Tuesday to consider the annual report.",
    "It found that the accounts had been kept with care, and that",
    "no further questions were open. The chair thanked everybody",
    "who had taken part in the work of the past twelve months.",
)
POOR = (
    "Tne c0mm1ttee rnet 0n Tue5day t0 c0ns1der tne annua1 rep0rt.",
    "1t f0und tnat tne acc0unt5 nad been kept w1tn care, and tnat",
    "n0 furtner que5t10n5 were 0pen. Tne cna1r tnanked every60dy",
)
WIDTH, HEIGHT = 595, 842


class Counting(OneLine):
    """Counts the pictures it is asked to read."""

    def __init__(self) -> None:
        self.pictures = 0

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        self.pictures += 1
        return super().read(pixels)


def write(page: pymupdf.Page, lines: tuple[str, ...], render_mode: int = 0) -> None:
    for row, text in enumerate(lines):
        page.insert_text((60, 80 + 20 * row), text, render_mode=render_mode)


def scan(page: pymupdf.Page, where: tuple[float, ...] = (0, 0, WIDTH, HEIGHT)) -> None:
    """Prose as a picture."""
    source = pymupdf.open()
    write(source.new_page(width=WIDTH, height=HEIGHT), PROSE)
    page.insert_image(pymupdf.Rect(where), pixmap=source[0].get_pixmap(dpi=72), keep_proportion=False)


def shifted(text: str) -> str:
    """What a font with a wrong character map says: every letter is another."""
    return re.sub("[a-z]", lambda letter: chr((ord(letter[0]) - ord("a") + 5) % 26 + ord("a")), text.lower())


def born_digital(page: pymupdf.Page) -> None:
    write(page, PROSE)


def born_digital_and_turned(page: pymupdf.Page) -> None:
    write(page, PROSE)
    page.set_rotation(90)


def good_hidden_layer(page: pymupdf.Page) -> None:
    scan(page)
    write(page, PROSE, render_mode=3)


def poor_hidden_layer(page: pymupdf.Page) -> None:
    scan(page)
    write(page, POOR, render_mode=3)


def stamp_over_scan(page: pymupdf.Page) -> None:
    scan(page)
    page.insert_text((60, 800), "Scanned by Example 1.0")


def header_over_scan(page: pymupdf.Page) -> None:
    """As courts stamp what is filed: as long as a short letter."""
    scan(page)
    write(page, tuple(f"Case 2:24-cv-00117 Document {n} Filed 06/12/24 Page 1 of 20" for n in range(9)))


def wrong_character_map(page: pymupdf.Page) -> None:
    write(page, tuple(shifted(text) for text in PROSE))


def text_and_figure(page: pymupdf.Page) -> None:
    write(page, PROSE)
    scan(page, (60, 300, 535, 700))


def text_and_logo(page: pymupdf.Page) -> None:
    write(page, PROSE)
    scan(page, (500, 20, 560, 60))


def text_and_note(page: pymupdf.Page) -> None:
    write(page, PROSE)
    source = pymupdf.open().new_page(width=330, height=110)
    source.insert_text((10, 20), list(PROSE), fontsize=11)
    page.insert_image(pymupdf.Rect(60, 300, 390, 410), pixmap=source.get_pixmap(dpi=150))


def text_and_photograph(page: pymupdf.Page) -> None:
    write(page, PROSE)
    shades = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    shades = np.repeat(np.repeat(shades, 20, axis=0), 20, axis=1)
    picture = pymupdf.Pixmap(pymupdf.csRGB, 320, 240, shades.tobytes(), False)
    page.insert_image(pymupdf.Rect(60, 300, 220, 420), pixmap=picture)


def turned_scan(page: pymupdf.Page) -> None:
    scan(page)
    page.set_rotation(180)


def blank(page: pymupdf.Page) -> None:
    page.draw_rect(page.rect, color=None, fill=(1, 1, 1))


PAGES: list[tuple[Callable[[pymupdf.Page], None], Method, str]] = [
    (born_digital, Method.TEXT, "text layer of 235 characters"),
    (born_digital_and_turned, Method.TEXT, "text layer of 235 characters"),
    (scan, Method.OCR, "no text layer"),
    (turned_scan, Method.OCR, "no text layer"),
    (good_hidden_layer, Method.TEXT, "text layer of an earlier recognition, 235 characters"),
    (poor_hidden_layer, Method.OCR, "text layer of an earlier recognition is poor: 48% words"),
    (stamp_over_scan, Method.BOTH, "text layer, and pictures on 100% of the page"),
    (header_over_scan, Method.BOTH, "text layer, and pictures on 100% of the page"),
    (
        wrong_character_map,
        Method.OCR,
        "text layer unreadable: its letters make no language (score 2.1 of 9)",
    ),
    (text_and_figure, Method.BOTH, "text layer, and pictures on 38% of the page"),
    (text_and_logo, Method.TEXT, "text layer of 235 characters"),
    (text_and_note, Method.BOTH, "text layer, and a picture with about 4 lines of text"),
    (text_and_photograph, Method.TEXT, "text layer of 235 characters"),
    (blank, Method.TEXT, "no text layer; the page is blank"),
]


def pdf_of(*draw: Callable[[pymupdf.Page], None]) -> bytes:
    document = pymupdf.open()
    for one in draw:
        one(document.new_page(width=WIDTH, height=HEIGHT))
    data: bytes = document.tobytes()
    return data


def read(data: bytes, engine: OneLine) -> tuple[StageOutput, tuple[Page, ...]]:
    reader = open_document(data, "mixed.pdf")
    output = read_document(reader, engine=engine)
    reader.close()
    assert output.pages is not None
    return output, output.pages


def test_each_page_is_read_the_way_it_needs_and_says_why() -> None:
    engine = Counting()
    output, pages = read(pdf_of(*(draw for draw, _, _ in PAGES)), engine)
    assert [(page.method, page.reason) for page in pages] == [(method, reason) for _, method, reason in PAGES]
    assert engine.pictures == sum(method is not Method.TEXT for _, method, _ in PAGES)
    assert output.warnings == ()


def test_the_reason_is_kept_in_the_store_and_shown_in_the_export(
    new_pipeline: NewPipeline, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.pdf"
    path.write_bytes(pdf_of(born_digital, scan))
    document = new_pipeline().process(path)
    assert [(page["method"], page["reason"]) for page in to_json(document, "mixed.pdf")["pages"]] == [
        ("text", "text layer of 235 characters"),
        ("ocr", "no text layer"),
    ]


def test_a_garbled_text_layer_that_nothing_replaces_is_kept_with_a_warning() -> None:
    class Blind(OneLine):
        def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
            return []

    output, pages = read(pdf_of(wrong_character_map), Blind())
    assert pages[0].method is Method.TEXT
    assert [warn.code for warn in output.warnings] == ["page_empty", "text_unreadable"]


def test_text_found_in_a_figure_stands_where_the_figure_does() -> None:
    def draw(page: pymupdf.Page) -> None:
        write(page, PROSE)
        scan(page, (60, 300, 535, 700))
        page.insert_text((60, 780), "The last line of the page.")

    class InTheFigure(OneLine):
        def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
            y = pixels.shape[0] * 0.6
            return [RecognisedLine("FIGURE", ((200, y), (600, y), (600, y + 40), (200, y + 40)), 0.9)]

    output, _ = read(pdf_of(draw), InTheFigure())
    assert output.text == "\n".join((*PROSE, "FIGURE", "The last line of the page."))


def test_a_stamp_over_a_scan_is_kept_and_the_scan_is_read_too() -> None:
    class WithTheStamp(OneLine):
        def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
            unit = pixels.shape[0] / HEIGHT
            rows = {
                "The committee met on Tuesday.": (60, 80),
                "The report. Scanned by Example 1.0": (10, 802),
            }
            return [
                RecognisedLine(
                    text,
                    (
                        (x * unit, (y - 10) * unit),
                        (300 * unit, (y - 10) * unit),
                        (300 * unit, y * unit),
                        (x * unit, y * unit),
                    ),
                    0.9,
                )
                for text, (x, y) in rows.items()
            ]

    output, _ = read(pdf_of(stamp_over_scan), WithTheStamp())
    assert output.text == "The committee met on Tuesday.\nThe report. Scanned by Example 1.0"


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_columns_drawn_at_any_angle_are_read_one_after_the_other(rotate: int) -> None:
    def draw(page: pymupdf.Page) -> None:
        shape = page.rect if rotate % 180 == 0 else pymupdf.Rect(0, 0, HEIGHT, WIDTH)
        source = pymupdf.open()
        upright = source.new_page(width=shape.width, height=shape.height)
        for row in range(8):
            upright.insert_text((40, 60 + 14 * row), f"left column of running text {row}")
            upright.insert_text((300, 60 + 14 * row), f"right column of running text {row}")
        page.show_pdf_page(page.rect, source, 0, rotate=rotate)

    output, _ = read(pdf_of(draw), Counting())
    assert output.text == "\n".join(
        f"{side} column of running text {row}" for side in ("left", "right") for row in range(8)
    )


def test_rows_of_a_table_stay_together_with_tabs_between_their_cells() -> None:
    rows = (("Item", "Count", "Price"), ("Bolt", "12", "3.40"), ("Washer, zinc plated", "200", "11.00"))

    def draw(page: pymupdf.Page) -> None:
        for column, x in enumerate((60, 250, 400)):  # drawn column by column
            for row, cells in enumerate(rows):
                page.insert_text((x, 100 + 20 * row), cells[column])

    output, pages = read(pdf_of(draw), Counting())
    assert output.text == "\n".join("\t".join(cells) for cells in rows)
    boxes = [line.box for line in pages[0].lines]
    assert len(boxes) == 9 and all(box and box[2] - box[0] < 120 for box in boxes)
