from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from docpipe.engines.ports import OcrEngine, Quad, RecognisedLine
from docpipe.errors import (
    CancelledError,
    CorruptDocumentError,
    EmptyDocumentError,
    MemoryExhaustedError,
    PermanentError,
)
from docpipe.formats.base import PageImage, RawPage, TextLine, TextReader
from docpipe.models import Line, Method, Page, StageOutput, Warn
from docpipe.stages.ocr.document import read_document
from docpipe.stages.ocr.legibility import garbage_share
from docpipe.stages.ocr.method import OcrOptions, choose_method
from docpipe.stages.ocr.on_page import OnPage, turn, turn_back
from docpipe.stages.ocr.second_opinion import SecondOpinion

Pixels = NDArray[np.uint8]


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


@dataclass
class ScriptedEngine:
    """Answers each picture with the next item: lines, or an error to raise."""

    answers: Sequence[list[RecognisedLine] | Exception]
    degrees: int = 0
    name: str = "scripted"
    seen: list[Pixels] = field(default_factory=list)

    def read(self, pixels: Pixels) -> list[RecognisedLine]:
        answer = self.answers[len(self.seen)]
        self.seen.append(pixels)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def orientation(self, pixels: Pixels) -> int:
        return self.degrees


def picture(width: int = 200, height: int = 100) -> Pixels:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[0, 0] = 0
    return pixels


def scan(pixels: Pixels | None = None, *lines: TextLine, share: float = 1.0) -> RawPage:
    shown = picture() if pixels is None else pixels
    height, width = shown.shape[:2]
    return RawPage(width / 2, height / 2, lines, lambda dpi: PageImage(shown, 0.5), share)


def read(*pages: RawPage, engine: OcrEngine | None = None, options: OcrOptions | None = None) -> StageOutput:
    return read_document(
        TextReader("pdf", list(pages), {"title": "T"}), engine=engine or ScriptedEngine([]), options=options
    )


def hello(confidence: float = 0.9) -> list[RecognisedLine]:
    return [RecognisedLine("Hello", quad(10, 20, 60, 40), confidence)]


def test_pages_of_a_text_format_become_one_text_with_exact_offsets() -> None:
    first = RawPage(None, None, (TextLine("One"), TextLine(""), TextLine("two")))
    second = RawPage(None, None, (TextLine("three", (1, 2, 3, 4)),), part="notes.txt")
    assert read(first, second) == StageOutput(
        text="One\n\ntwo\n\nthree",
        pages=(
            Page(1, 0, 8, None, None, Method.TEXT, (Line(0, 3), Line(5, 8)), "text format"),
            Page(
                2,
                10,
                15,
                None,
                None,
                Method.TEXT,
                (Line(10, 15, (1, 2, 3, 4)),),
                "text format",
                part="notes.txt",
            ),
        ),
        file_type="pdf",
        metadata={"title": "T"},
    )


def test_a_scanned_page_is_recognised_and_its_boxes_are_in_points() -> None:
    lines = [RecognisedLine("world", quad(10, 60, 60, 80), 0.5), *hello()]
    output = read(scan(), engine=ScriptedEngine([lines]))
    assert output.text == "Hello\nworld"
    assert output.pages == (
        Page(
            1,
            0,
            11,
            100.0,
            50.0,
            Method.OCR,
            (Line(0, 5, (5.0, 10.0, 30.0, 20.0), 0.9), Line(6, 11, (5.0, 30.0, 30.0, 40.0), 0.5)),
            "no text layer",
            0.7,
        ),
    )


def rendered(asked: list[int]) -> RawPage:
    """100 by 50 points, at any resolution; `asked` is told which."""

    def render(dpi: int) -> PageImage:
        asked.append(dpi)
        return PageImage(picture(100 * dpi // 72, 50 * dpi // 72), 72 / dpi)

    return RawPage(100, 50, (), render, 1.0)


def test_the_page_is_rendered_at_the_wanted_resolution() -> None:
    asked: list[int] = []
    lines = [RecognisedLine("Hello", quad(10, 20, 60, 50), 0.9)]
    read(rendered(asked), engine=ScriptedEngine([lines]), options=OcrOptions(dpi=144))
    assert asked == [144]


@pytest.mark.parametrize(
    ("confidence", "text", "reason"),
    [
        (0.9, "Hello", "no text layer; small print, so rendered at 288 dpi"),
        (0.3, "He11o", "no text layer"),
    ],
)
def test_small_print_is_rendered_larger_and_the_better_reading_kept(
    confidence: float, text: str, reason: str
) -> None:
    asked: list[int] = []
    small = [RecognisedLine("He11o", quad(10, 20, 40, 30), 0.6)]
    large = [RecognisedLine("Hello", quad(20, 40, 80, 60), confidence)]
    output = read(rendered(asked), engine=ScriptedEngine([small, large]), options=OcrOptions(dpi=144))
    [page] = output.pages or ()
    assert (asked, output.text, page.reason) == ([144, 288], text, reason)
    assert page.lines[0].box == (5.0, 10.0, 20.0, 15.0)


def test_recognised_text_is_cleaned_and_blank_lines_are_left_out() -> None:
    lines = [
        RecognisedLine("He\x00llo\ud800 ", quad(0, 0, 50, 10), 1),
        RecognisedLine(" ", quad(0, 50, 50, 60), 1),
    ]
    assert read(scan(), engine=ScriptedEngine([lines])).text == "Hello\ufffd"


def test_leaders_come_out_alike_of_a_picture_and_of_a_text_layer_and_stay_in_a_text_format() -> None:
    row = "The annual report of the auditors and of the board ........... 48"
    engine = ScriptedEngine([[RecognisedLine(row, quad(10, 20, 160, 40), 0.9)]])
    layer = scan(None, TextLine(row, (5, 10, 80, 20)), share=0)
    typed = RawPage(None, None, (TextLine(row),))
    output = read(scan(), layer, typed, engine=engine)
    without = "The annual report of the auditors and of the board\t48"
    assert output.text == f"{without}\n\n{without}\n\n{row}"


def test_digits_that_were_read_as_letters_are_put_right_in_a_picture_but_not_in_a_text_layer() -> None:
    row = "The report ONWI-l09 of l978 on the wells and the holes that were drilled"
    engine = ScriptedEngine([[RecognisedLine(row, quad(10, 20, 160, 40), 0.9)]])
    output = read(scan(), scan(None, TextLine(row, (5, 10, 80, 20)), share=0), engine=engine)
    assert output.text == f"{row.replace('l09', '109').replace('l978', '1978')}\n\n{row}"


def test_a_page_with_a_good_text_layer_is_not_recognised() -> None:
    engine = ScriptedEngine([])
    output = read(
        scan(None, TextLine("A sentence that the file itself holds.", (0, 0, 90, 9)), share=0.0),
        engine=engine,
    )
    assert output.text == "A sentence that the file itself holds."
    assert engine.seen == []


@pytest.mark.parametrize(
    ("page", "options", "method", "reason"),
    [
        (RawPage(None, None), OcrOptions(), Method.TEXT, "text format"),
        (RawPage(9, 9), OcrOptions(), Method.TEXT, "no picture to recognise"),
        (scan(), OcrOptions(), Method.OCR, "no text layer"),
        (scan(None, TextLine("  ")), OcrOptions(), Method.OCR, "no text layer"),
        (
            scan(None, TextLine("\ue001\ue002ab"), share=0.0),
            OcrOptions(),
            Method.OCR,
            "text layer unreadable: 50% unknown characters",
        ),
        (
            scan(None, TextLine("Scanned by X")),
            OcrOptions(),
            Method.BOTH,
            "text layer, and pictures on 100% of the page",
        ),
        (scan(None, TextLine("Page 7"), share=0.1), OcrOptions(), Method.TEXT, "text layer of 6 characters"),
        (
            scan(None, TextLine("w" * 60, (0, 0, 100, 10)), share=0.5),
            OcrOptions(),
            Method.BOTH,
            "text layer, and pictures on 50% of the page",
        ),
        (
            scan(None, TextLine("w" * 60, (0, 0, 100, 10)), share=1.0),
            OcrOptions(),
            Method.BOTH,
            "text layer, and pictures on 100% of the page",
        ),
        (
            scan(None, TextLine("w" * 60, (0, 0, 100, 10)), share=0.5),
            OcrOptions(picture_share=1),
            Method.TEXT,
            "text layer of 60 characters",
        ),
        (scan(None, TextLine("w" * 60)), OcrOptions(force=True), Method.OCR, "recognition was asked for"),
    ],
)
def test_the_method_and_its_reason_follow_from_the_page(
    page: RawPage, options: OcrOptions, method: Method, reason: str
) -> None:
    assert choose_method(page, options) == (method, reason)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("plain text", 0.0),
        ("ab\ufffd\ufffd", 0.5),
        ("(cid:3)(cid:14) a", 2 / 3),
        ("žluťoučký 漢字", 0.0),
    ],
)
def test_garbage_is_counted_among_visible_characters(text: str, share: float) -> None:
    assert garbage_share(text) == pytest.approx(share)


def test_pictures_beside_text_add_only_the_lines_the_text_layer_lacks() -> None:
    layer = TextLine("The text layer of this page: a whole sentence, at its top.", (5, 10, 30, 20))
    stamp = RecognisedLine("RECEIVED", quad(100, 60, 180, 80), 0.8)
    page = scan(None, layer, share=0.5)
    output = read(page, engine=ScriptedEngine([[*hello(), stamp]]))
    assert output.text == f"{layer.text}\nRECEIVED"
    assert output.pages is not None
    assert output.pages[0].method is Method.BOTH
    assert output.pages[0].lines[1] == Line(59, 67, (50.0, 30.0, 90.0, 40.0), 0.8)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_boxes_of_a_turned_picture_lie_where_the_text_is_on_the_page(degrees: int) -> None:
    pixels = picture(200, 100)
    pixels[30:40, 150:170] = 7
    upright = turn(pixels, degrees)
    ys, xs = np.nonzero(upright[:, :, 0] == 7)
    box = quad(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    engine = ScriptedEngine([[RecognisedLine("mark", box, 1.0)]], degrees)
    output = read(scan(pixels), engine=engine)
    assert np.array_equal(engine.seen[0], np.rot90(pixels, degrees // 90))
    assert output.pages is not None
    assert output.pages[0].lines[0].box == (75.0, 15.0, 85.0, 20.0)
    assert output.pages[0].reason.endswith(f"turned by {degrees} degrees") is (degrees != 0)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turning_a_point_back_undoes_the_turn(degrees: int) -> None:
    pixels = np.zeros((3, 5, 3), np.uint8)
    pixels[1, 4] = 1
    y, x = (int(axis[0]) for axis in np.nonzero(turn(pixels, degrees)[:, :, 0]))
    assert turn_back(x + 0.5, y + 0.5, degrees, 5, 3) == (4.5, 1.5)


SLOPE = math.tan(math.radians(3))


def sloping() -> list[RecognisedLine]:
    fall = 400 * SLOPE
    return [
        RecognisedLine(str(n), ((100, y), (500, y + fall), (500, y + fall + 20), (100, y + 20)), 1)
        for n, y in enumerate((100, 140, 180, 220))
    ]


class Finder(ScriptedEngine):
    """It knows where the lines of the page are before it reads them."""

    def find_lines(self, pixels: Pixels) -> list[Quad]:
        return [line.quad for line in sloping()]


@pytest.mark.parametrize("second", [False, True], ids=["alone", "with a second engine"])
def test_a_crooked_page_is_read_but_once_by_an_engine_that_finds_lines_first(second: bool) -> None:
    engine = Finder([[RecognisedLine("straight", quad(200, 150, 400, 170), 1)]])
    asked = SecondOpinion(engine, ScriptedEngine([]), min_confidence=0.5) if second else engine
    assert read(scan(picture(600, 400)), engine=asked).text == "straight"
    (seen,) = engine.seen
    assert seen.shape[0] > 400


def test_a_crooked_page_is_read_again_straight_and_its_boxes_lie_on_the_page_as_it_is() -> None:
    pixels = picture(600, 400)
    slope, crooked = SLOPE, sloping()
    engine = ScriptedEngine([crooked, [RecognisedLine("straight", quad(200, 150, 400, 170), 1)]])
    output = read(scan(pixels), engine=engine)
    assert output.text == "straight"
    height, width = engine.seen[1].shape[:2]
    assert (width, height) == pytest.approx((600 + 400 * slope, 400 + 600 * slope), abs=4)
    assert output.pages is not None
    box = output.pages[0].lines[0].box
    assert box is not None
    middle = (box[0] + box[2], box[1] + box[3])  # in pixels: two to the point
    away_x, away_y = 300 - width / 2, 160 - height / 2
    assert middle == pytest.approx((300 + away_x - away_y * slope, 200 + away_x * slope + away_y), abs=1)


def test_a_page_without_a_result_is_warned_about_and_keeps_its_number() -> None:
    output = read(scan(), scan(), engine=ScriptedEngine([[], hello()]))
    assert output.text == "\n\nHello"
    assert output.warnings == (
        Warn("page_empty", "The page has a picture, but no text was recognised on it.", 1),
    )
    assert output.pages is not None
    assert [(page.number, page.start, page.end, page.confidence) for page in output.pages] == [
        (1, 0, 0, None),
        (2, 2, 7, 0.9),
    ]


def test_a_blank_sheet_is_neither_recognised_nor_warned_about() -> None:
    blank = np.full((100, 200, 3), 250, np.uint8)
    engine = ScriptedEngine([hello()])
    output = read(scan(blank), scan(), engine=engine)
    assert (output.text, output.warnings, len(engine.seen)) == ("\n\nHello", (), 1)


def test_a_page_read_with_doubt_is_warned_about() -> None:
    output = read(scan(), engine=ScriptedEngine([hello(0.55)]))
    assert output.warnings == (Warn("low_confidence", "Recognised with a mean confidence of 0.55.", 1),)


def test_a_page_of_which_little_could_be_read_is_warned_about() -> None:
    unread = RecognisedLine("", quad(10, 50, 110, 60), 0.2)  # as long as 20 letters
    output = read(scan(), engine=ScriptedEngine([[*hello(), unread]]))
    assert output.text == "Hello"
    assert output.warnings == (Warn("low_confidence", "Recognised with a mean confidence of 0.34.", 1),)


def test_a_page_that_fails_leaves_the_others_standing() -> None:
    output = read(scan(), scan(), engine=ScriptedEngine([PermanentError("broken"), hello()]))
    assert output.text == "\n\nHello"
    assert output.warnings == (Warn("page_failed", "The page's picture could not be read: broken", 1),)


def test_when_recognition_beside_a_text_layer_fails_the_text_layer_stays() -> None:
    layer = TextLine("The text layer of this page, which is good enough.", (0, 0, 50, 5))
    output = read(scan(None, layer, share=0.5), engine=ScriptedEngine([PermanentError("broken")]))
    assert output.text == layer.text
    assert [warning.code for warning in output.warnings] == ["page_failed"]


def test_a_document_whose_pages_all_fail_raises_the_first_failure() -> None:
    first, second = PermanentError("first"), PermanentError("second")
    with pytest.raises(PermanentError, match="first"):
        read(scan(), scan(), engine=ScriptedEngine([first, second]))


def test_an_error_that_may_pass_stops_the_document() -> None:
    with pytest.raises(MemoryExhaustedError):
        read(scan(), scan(), engine=ScriptedEngine([MemoryExhaustedError(), hello()]))


@pytest.mark.parametrize("pages", [[], [RawPage(None, None, (TextLine(" \n"),))], [RawPage(9, 9)]])
def test_a_document_without_text_is_an_explicit_error(pages: list[RawPage]) -> None:
    with pytest.raises(EmptyDocumentError):
        read(*pages)


def test_each_page_is_reported_once_it_is_read() -> None:
    reported: list[int] = []
    reader = TextReader("txt", [RawPage(None, None, (TextLine("a"),))] * 3)
    read_document(reader, engine=ScriptedEngine([]), on_page=reported.append)
    assert reported == [1, 2, 3]


def test_the_report_may_stop_the_document() -> None:
    engine = ScriptedEngine([hello(), hello()])

    def cancel(number: int) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        read_document(TextReader("pdf", [scan(), scan()]), engine=engine, on_page=cancel)
    assert len(engine.seen) == 1


def test_the_readers_own_warnings_come_first() -> None:
    damaged = Warn("damaged", "Something may be missing.")
    reader = TextReader("pdf", [scan(), scan()], {"a\x00": "b\x00"}, [damaged])
    output = read_document(reader, engine=ScriptedEngine([[], hello()]))
    assert [warning.code for warning in output.warnings] == ["damaged", "page_empty"]
    assert output.metadata == {"a": "b"}


def test_every_line_lies_inside_its_page_and_reproduces_its_text() -> None:
    pages = [
        RawPage(None, None, tuple(TextLine(f"p{p} l{n} žé漢\U0001f600") for n in range(p))) for p in range(4)
    ]
    output = read(*pages)
    assert output.text is not None and output.pages is not None
    for page, raw in zip(output.pages, pages, strict=True):
        assert [output.text[line.start : line.end] for line in page.lines] == [
            line.text for line in raw.lines
        ]
        assert output.text[page.start : page.end] == "\n".join(line.text for line in raw.lines)


# --- nothing recognised -------------------------------------------------------------------------


LAYER = TextLine("Page 7", (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("pixels", "why"),
    [(None, "nothing recognised"), (np.full((9, 9, 3), 255, np.uint8), "the page is blank")],
    ids=["picture", "blank"],
)
def test_a_text_layer_is_kept_where_nothing_is_recognised(pixels: Pixels | None, why: str) -> None:
    output = read(scan(pixels, LAYER), engine=ScriptedEngine([[]]))
    assert output.pages is not None
    assert (output.text, output.pages[0].method) == ("Page 7", Method.TEXT)
    assert output.pages[0].lines == (Line(0, 6, LAYER.box),)
    assert output.pages[0].reason == (
        f"text layer, and pictures on 100% of the page; {why}, so the text layer was kept"
    )


def test_a_text_layer_is_kept_where_recognition_fails() -> None:
    output = read(scan(None, LAYER), engine=ScriptedEngine([PermanentError("Too odd.")]))
    assert output.pages is not None
    assert (output.text, output.pages[0].method) == ("Page 7", Method.TEXT)
    assert [warn.code for warn in output.warnings] == ["page_failed"]


@pytest.mark.parametrize("mark", [0, 255], ids=["something drawn", "a blank sheet"])
def test_a_page_that_shows_no_text_is_read_by_the_names_of_its_form_fields(mark: int) -> None:
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[:20, :20] = mark
    page = replace(scan(pixels), fields=(TextLine("signature", (1, 2, 3, 4)),))
    output = read_document(TextReader("pdf", [page]), engine=ScriptedEngine([[]]))
    assert output.pages is not None
    (line,) = output.pages[0].lines
    assert (output.text, output.pages[0].method, line.box) == ("signature", Method.TEXT, (1, 2, 3, 4))
    assert [warn.code for warn in output.warnings][-1] == "field_names_only"


def test_a_document_whose_content_is_lost_is_damaged_and_not_empty() -> None:
    lost = Warn("content_lost", "The page's content cannot be unpacked.", 1)
    reader = TextReader("pdf", [RawPage(9, 9)], warnings=[lost])
    with pytest.raises(CorruptDocumentError, match=r"No text could be read\. The page's content cannot"):
        read_document(reader, engine=ScriptedEngine([]))
    reader = TextReader("pdf", [RawPage(9, 9)], warnings=[Warn("damaged", "It was repaired.")])
    with pytest.raises(EmptyDocumentError):
        read_document(reader, engine=ScriptedEngine([]))


@pytest.mark.parametrize(("degrees", "slope"), [(0, 0.05), (90, -0.05), (180, 0.05), (270, -0.05)])
def test_the_slope_of_a_line_is_that_of_its_letters_on_the_page_as_it_is_shown(
    degrees: int, slope: float
) -> None:
    quad = ((100.0, 100.0), (300.0, 110.0), (300.0, 130.0), (100.0, 120.0))
    line = RecognisedLine("Ann Archer", quad, 0.9, words=(0.0, 0.3, 0.4, 1.0))
    assert OnPage(degrees, 1000, 1000, 0.5).letters(line)[2] == pytest.approx(slope)
