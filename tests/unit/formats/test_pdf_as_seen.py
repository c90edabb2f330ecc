"""PDF: the lines are what a person sees on the page, each once; what is not seen or not read is a warning."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise

import pymupdf
import pytest
from PIL import Image

from docpipe.formats import open_document
from docpipe.formats.base import RawPage
from docpipe.models import Method, Warn
from docpipe.stages.ocr.method import OcrOptions, choose_method

CHECK_BOX, RADIO_BUTTON = 2, 5  # pymupdf.PDF_WIDGET_TYPE_CHECKBOX and _RADIOBUTTON, which its types lack


def read(
    draw: Callable[[pymupdf.Page], object], change: Callable[[pymupdf.Document], object] = bool
) -> tuple[list[str], list[Warn], RawPage]:
    document = pymupdf.open()
    draw(document.new_page(width=400, height=300))
    change(document)
    reader = open_document(document.tobytes(), "a.pdf")
    (page,) = reader.pages()
    warnings = reader.warnings
    reader.close()
    return [line.text for line in page.lines], warnings, page


def texts(draw: Callable[[pymupdf.Page], object]) -> list[str]:
    lines, warnings, _ = read(draw)
    assert warnings == []
    return lines


# --- drawn, but not seen --------------------------------------------------------------------------


def white_on_white(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.", color=(1, 1, 1))


def not_drawn(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.", render_mode=3)


def under_paper(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.")
    page.draw_rect(pymupdf.Rect(30, 40, 300, 70), color=None, fill=(1, 1, 1))


def too_small(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.", fontsize=0.4)


def switched_off(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.", oc=page.parent.add_ocg("internal", on=False))


@pytest.mark.parametrize("draw", [white_on_white, not_drawn, under_paper, too_small, switched_off])
def test_text_that_nobody_sees_is_left_out_and_named(draw: Callable[[pymupdf.Page], None]) -> None:
    def both(page: pymupdf.Page) -> None:
        draw(page)
        page.insert_text((40, 100), "In plain sight.")

    lines, warnings, _ = read(both)
    assert lines == ["In plain sight."]
    message = "Text that the page does not show was left out: “Nobody sees this.”."
    assert warnings == [Warn("hidden_text", message, 1)]


def noise(mode: str = "RGB") -> bytes:
    """A picture with ink everywhere, as a photograph; see-through in mode RGBA."""
    picture = Image.effect_noise((90, 20), 90).convert(mode)
    if mode == "RGBA":
        picture.putalpha(60)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def behind_a_photograph(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Nobody sees this.")
    page.insert_image(pymupdf.Rect(30, 40, 300, 70), stream=noise(), keep_proportion=False)


def on_a_photograph(page: pymupdf.Page) -> None:
    page.insert_image(pymupdf.Rect(30, 40, 300, 70), stream=noise(), keep_proportion=False)
    page.insert_text((40, 60), "Everybody sees this.")


def behind_glass(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Everybody sees this.")
    page.insert_image(pymupdf.Rect(30, 40, 300, 70), stream=noise("RGBA"), keep_proportion=False)


def behind_a_pale_photograph(page: pymupdf.Page) -> None:
    behind_a_photograph(page)
    document = page.parent
    state = document.get_new_xref()
    document.update_object(state, "<</ca .2>>")
    resources = int(document.xref_get_key(page.xref, "Resources")[1].split()[0])
    document.xref_set_key(resources, "ExtGState", f"<</pale {state} 0 R>>")
    (picture,) = (xref for xref in page.get_contents() if b" Do" in document.xref_stream(xref))
    document.update_stream(picture, b"q /pale gs " + document.xref_stream(picture) + b" Q")


def test_text_behind_a_photograph_is_hidden_by_it() -> None:
    lines, warnings, _ = read(behind_a_photograph)
    assert (lines, [warn.code for warn in warnings]) == (["█"], ["redaction_not_real"])


@pytest.mark.parametrize("draw", [on_a_photograph, behind_glass, behind_a_pale_photograph])
def test_text_on_a_photograph_or_behind_one_that_is_see_through_is_seen(
    draw: Callable[[pymupdf.Page], None],
) -> None:
    lines, warnings, _ = read(draw)
    assert (len(lines), "sees this." in lines[0], warnings) == (1, True, [])


def test_text_that_was_painted_over_and_written_anew_is_left_out() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 60), "Old price EUR 10")
        page.draw_rect(pymupdf.Rect(30, 45, 200, 66), color=None, fill=(1, 1, 1))
        page.insert_text((40, 60), "New price EUR 20")

    lines, warnings, _ = read(draw)
    assert (lines, [warn.code for warn in warnings]) == (["New price EUR 20"], ["hidden_text"])


def test_white_text_on_a_dark_ground_and_marked_text_are_seen() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.draw_rect(pymupdf.Rect(30, 40, 300, 70), color=None, fill=(0, 0, 0.5))
        page.insert_text((40, 60), "A heading in white", color=(1, 1, 1))
        page.insert_text((40, 100), "marked by hand")
        page.add_highlight_annot(pymupdf.Rect(38, 88, 130, 104))

    assert texts(draw) == ["A heading in white", "marked by hand"]


@pytest.mark.parametrize("rotation", [0, 90])
def test_words_under_a_bar_are_no_text_and_the_warning_does_not_tell_them(rotation: int) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 60), "The informant is Greta Lindqvist of Malmo.", fontname="cour", fontsize=10)
        page.draw_rect(pymupdf.Rect(142, 48, 237, 65), fill=(0, 0, 0))  # 17 to 32 characters of 6 points
        page.set_rotation(rotation)

    lines, warnings, _ = read(draw)
    assert lines == ["The informant is █ of Malmo."]
    assert [(warn.code, warn.page, "Greta" in warn.message) for warn in warnings] == [
        ("redaction_not_real", 1, False)
    ]


# --- from right to left -----------------------------------------------------------------------------

HEBREW = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
1 begincodespacerange <00> <ff> endcodespacerange
1 beginbfrange <61> <7a> <05d0> endbfrange
1 beginbfchar <7e> <05dc05d0> endbfchar
endcmap end end"""
"""Small Latin letters are Hebrew ones, in their order; the tilde is two in one glyph."""


def drawn_backwards(text: str) -> RawPage:
    def in_hebrew(document: pymupdf.Document) -> None:
        (font,) = document.get_page_fonts(0)
        xref = document.get_new_xref()
        document.update_object(xref, "<<>>")
        document.update_stream(xref, HEBREW)
        document.xref_set_key(font[0], "ToUnicode", f"{xref} 0 R")

    _, _, page = read(lambda page: page.insert_text((40, 60), text), in_hebrew)
    return page


@pytest.mark.parametrize(
    ("drawn", "as_read"),
    [
        (".14.03.2024 dcb 12,450.00 a", "א 12,450.00 בגד 14.03.2024."),
        ("20% gfe -- dcba", "אבגד -- הוז 20%"),
        ("gfedcba AB C. 2024", "AB C. 2024 אבגדהוז"),
        ("(dcb) a", "א (בגד)"),
        ("c~b", "בלאג"),
        ("dcba", "אבגד"),
        ("AB CD EF ba", "AB CD EF אב"),
    ],
)
def test_a_line_from_right_to_left_is_read_as_a_reader_does_with_its_figures_in_place(
    drawn: str, as_read: str
) -> None:
    page = drawn_backwards(drawn)
    assert [line.text for line in page.lines] == [as_read]


def test_the_words_of_a_line_from_right_to_left_stand_where_they_are_drawn() -> None:
    (line,) = drawn_backwards("4711 dcba").lines
    assert line.text == "אבגד 4711"
    left, right, left_of_number, right_of_number = line.words
    assert 40 == left_of_number < right_of_number < left < right == line.box[2]  # type: ignore[index]


# --- drawn in several parts, or several times -------------------------------------------------------


def test_a_line_drawn_several_times_is_read_once() -> None:
    def draw(page: pymupdf.Page) -> None:
        for shift in (0.0, 0.25, 0.5, 1.5):
            page.insert_text((40 + shift, 60 + shift), "Charter agreement", fontsize=14)
        page.insert_text((40, 100), "Charter agreement", fontsize=14)

    assert texts(draw) == ["Charter agreement", "Charter agreement"]


def test_a_line_underlined_word_by_word_stays_one_line() -> None:
    assert texts(underlined) == ["The underlined word"]


def underlined(page: pymupdf.Page) -> None:
    for x, text in ((40, "The under"), (94, "lined"), (130, "word")):
        page.insert_text((x, 60), text, fontname="cour", fontsize=10)
        page.draw_rect(pymupdf.Rect(x, 62, x + 6 * len(text), 63), color=None, fill=(0, 0, 0))


def test_a_drop_cap_begins_its_word() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 90), "T", fontsize=52)
        for row, text in enumerate(
            ("he supply of sawn timber", "to the harbour of Rostock", "has grown in every year")
        ):
            page.insert_text((76, 60 + 15 * row), text, fontsize=12)
        page.insert_text((40, 110), "and will go on to grow.", fontsize=12)

    assert texts(draw)[0] == "The supply of sawn timber"


def test_a_heading_of_spaced_letters_is_read_as_its_words() -> None:
    def draw(page: pymupdf.Page) -> None:
        x = 40.0
        for letter in "SERVICE AGREEMENT":
            page.insert_text((x, 60), letter, fontsize=14, fontname="cour")
            x += 14 if letter != " " else 6
        page.insert_text((40, 100), "A B C are three letters.")

    assert texts(draw) == ["SERVICE AGREEMENT", "A B C are three letters."]


def test_the_ideographs_of_a_column_are_one_line_and_columns_run_from_right_to_left() -> None:
    def draw(page: pymupdf.Page) -> None:
        for column, text in enumerate(("契約書は東京都", "の山田商事と大")):
            for row, sign in enumerate(text):
                page.insert_text((300 - 30 * column, 50 + 20 * row), sign, fontname="japan", fontsize=16)

    lines, _, page = read(draw)
    assert lines == ["契約書は東京都", "の山田商事と大"]
    assert page.turned == 90


def test_a_watermark_stands_apart() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 60), "A line of the page.")
        where = pymupdf.Point(150, 200)
        page.insert_text(where, "DRAFT", fontsize=40, morph=(where, pymupdf.Matrix(45)))

    _, _, page = read(draw)
    assert [(line.text, line.apart) for line in page.lines] == [
        ("A line of the page.", False),
        ("DRAFT", True),
    ]


# --- marks ------------------------------------------------------------------------------------------


def line_with_mark(mark: str, rise: float, size: float = 6) -> Callable[[pymupdf.Page], None]:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 60), "Paid EUR 1,200", fontname="cour", fontsize=10)
        page.insert_text((124, 60 - rise), mark, fontname="cour", fontsize=size)
        page.insert_text((124 + 0.6 * size * len(mark), 60), " in June", fontname="cour", fontsize=10)

    return draw


@pytest.mark.parametrize(
    ("mark", "rise", "text"),
    [
        ("3", 4, "Paid EUR 1,200³ in June"),
        ("12", 4, "Paid EUR 1,200¹² in June"),
        ("3", -2, "Paid EUR 1,200₃ in June"),
        ("a", 4, "Paid EUR 1,200 a in June"),
        ("th", 4, "Paid EUR 1,200th in June"),
    ],
)
def test_a_mark_is_no_figure_of_the_number_it_stands_on(mark: str, rise: float, text: str) -> None:
    assert texts(line_with_mark(mark, rise)) == [text]


def test_a_mark_is_one_at_the_size_that_browsers_give_it() -> None:
    assert texts(line_with_mark("3", 3.4, 8.3)) == ["Paid EUR 1,200³ in June"]


def test_ticks_are_ticks() -> None:
    assert texts(lambda page: page.insert_text((40, 60), "34ln", fontname="zadb")) == ["✓✔●■"]


@pytest.mark.parametrize(("ticked", "sign"), [(True, "☑"), (False, "☐")])
def test_the_state_of_a_form_s_box_that_shows_no_sign_is_read(ticked: bool, sign: str) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 60), "Dangerous goods:")
        box = pymupdf.Widget()
        box.field_type, box.rect, box.field_name = CHECK_BOX, pymupdf.Rect(200, 48, 214, 62), "dangerous"
        box.field_value = ticked
        page.add_widget(box)

    def without_appearance(document: pymupdf.Document) -> None:
        for field in document[0].widgets():
            for state in ("Yes", "Off"):
                kind, value = document.xref_get_key(field.xref, f"AP/N/{state}")
                if kind == "xref":
                    document.update_stream(int(value.split()[0]), b" ")

    lines, warnings, _ = read(draw, without_appearance)
    assert (lines, warnings) == (["Dangerous goods:", sign], [])


# --- beside the pages -------------------------------------------------------------------------------


Mark = Callable[[pymupdf.Page], object]


def outline(page: pymupdf.Page) -> None:
    page.draw_rect(pymupdf.Rect(40, 50, 50, 60))


def four_lines(page: pymupdf.Page) -> None:
    corners = [(40, 50), (50, 50), (50, 60), (40, 60), (40, 50)]
    for start, end in pairwise(corners):
        page.draw_line(start, end)


def two_areas(page: pymupdf.Page) -> None:
    page.draw_rect(pymupdf.Rect(40, 50, 50, 60), color=None, fill=(0, 0, 0))
    page.draw_rect(pymupdf.Rect(41, 51, 49, 59), color=None, fill=(1, 1, 1))


def on_paper(page: pymupdf.Page) -> None:
    page.draw_rect(pymupdf.Rect(40.2, 50.2, 49.8, 59.8), color=None, fill=(1, 1, 1), radius=0.2)
    page.draw_rect(pymupdf.Rect(40, 50, 50, 60), radius=0.2)


def cross(page: pymupdf.Page) -> None:
    page.draw_line((41, 51), (49, 59))
    page.draw_line((49, 51), (41, 59))


def tick(page: pymupdf.Page) -> None:
    page.draw_polyline([(42, 55), (45, 58), (52, 47)], width=1.5)


def blot(page: pymupdf.Page) -> None:
    page.draw_rect(pymupdf.Rect(42, 52, 48, 58), color=None, fill=(0, 0, 0))


@pytest.mark.parametrize("frame", [outline, four_lines, two_areas, on_paper])
@pytest.mark.parametrize(("mark", "sign"), [(bool, "☐"), (cross, "☑"), (tick, "☑"), (blot, "☑")])
def test_a_box_that_is_drawn_is_read_with_its_state(frame: Mark, mark: Mark, sign: str) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((60, 59), "insured")
        frame(page)
        mark(page)

    lines, warnings, page = read(draw)
    assert (lines, warnings) == (["insured", sign], [])
    assert page.lines[1].box == pytest.approx((40, 50, 50, 60), abs=0.6)


def test_a_round_button_is_one_where_one_of_its_size_has_a_dot() -> None:
    def draw(page: pymupdf.Page) -> None:
        for row in range(2):
            page.insert_text((60, 59 + 20 * row), f"answer {row}")
            page.draw_circle((45, 55 + 20 * row), 5)
        page.draw_circle((45, 75), 2, fill=(0, 0, 0))
        page.draw_circle((300, 55), 9)

    assert texts(draw) == ["answer 0", "answer 1", "○", "◉"]


def test_buttons_on_paper_of_their_own_are_told_from_boxes_by_the_dot_in_their_row() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((60, 59), "insured")
        on_paper(page)
        for place in (45, 145):
            page.insert_text((place + 15, 99), f"answer {place}")
            page.draw_circle((place, 95), 4.9, color=None, fill=(1, 1, 1))
            page.draw_circle((place, 95), 5)
        page.draw_circle((145, 95), 2, color=None, fill=(0, 0, 0))

    assert texts(draw) == ["insured", "answer 45", "answer 145", "☐", "○", "◉"]


def test_samples_of_a_colour_combs_boxes_with_a_letter_and_boxes_without_words_are_no_answers() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.draw_rect(pymupdf.Rect(40, 50, 50, 60), fill=(0.8, 0, 0))
        page.insert_text((60, 59), "sales of 2024")
        for n in range(5):
            page.draw_rect(pymupdf.Rect(120 + 14 * n, 90, 134 + 14 * n, 104))
        page.insert_text((40, 101), "Postcode")
        page.draw_rect(pymupdf.Rect(40, 130, 50, 140))
        page.insert_text((42, 139), "X", fontsize=9)
        page.draw_rect(pymupdf.Rect(40, 230, 50, 240))

    assert texts(draw) == ["sales of 2024", "Postcode", "X"]


def hello(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Hello office")


def test_a_file_attached_to_a_page_is_named() -> None:
    def draw(page: pymupdf.Page) -> None:
        hello(page)
        page.add_file_annot((300, 50), b"text", "contract.txt")

    _, warnings, _ = read(draw)
    assert warnings == [
        Warn("attachments_not_read", "A file attached at (300, 50) was not read: contract.txt.", 1)
    ]


def test_a_comment_is_named_with_its_words() -> None:
    def draw(page: pymupdf.Page) -> None:
        hello(page)
        page.add_text_annot((300, 50), "Is this still right?")
        page.add_highlight_annot(pymupdf.Rect(38, 48, 110, 64))  # says nothing

    lines, warnings, _ = read(draw)
    assert lines == ["Hello office"]
    message = "A comment at (300, 50) is not in the text: “Is this still right?”."
    assert warnings == [Warn("comment_not_read", message, 1)]


@pytest.mark.parametrize(("fields", "codes"), [("[]", ["xfa_not_read"]), ("[99 0 R]", [])])
def test_a_form_whose_content_is_in_xfa_alone_says_so(fields: str, codes: list[str]) -> None:
    def change(document: pymupdf.Document) -> None:
        document.xref_set_key(
            document.pdf_catalog(), "AcroForm", f"<</Fields{fields}/XFA[(template) 98 0 R]>>"
        )

    _, warnings, _ = read(lambda page: page.insert_text((40, 60), "Please wait..."), change)
    assert [warn.code for warn in warnings if warn.code != "damaged"] == codes


@pytest.mark.parametrize(
    ("remark", "is_warned"),
    [
        ("bogus font ascent/descent values (0 / 0)", False),
        ("cannot load ICC profile", False),
        ("invalid link destination", False),
        ("unknown keyword: 'foo'", True),
    ],
)
def test_remarks_that_cost_no_text_are_no_damage(remark: str, is_warned: bool) -> None:
    document = pymupdf.open()
    hello(document.new_page())
    reader = open_document(document.tobytes(), "a.pdf")
    pymupdf.mupdf.fz_warn(remark)
    assert len(list(reader.pages())) == 1
    assert [warn.code for warn in reader.warnings] == ["damaged"] * is_warned


# --- small pictures beside the text -----------------------------------------------------------------


@pytest.mark.parametrize(("top", "lines"), [(20, [4, 0]), (250, [4, 4])])
def test_pictures_that_show_lines_of_text_are_counted_and_a_letterhead_s_once(
    top: float, lines: list[int]
) -> None:
    source = pymupdf.open().new_page(width=330, height=80)
    source.insert_text((10, 20), [f"Line {n} of what the picture shows" for n in range(4)], fontsize=11)
    picture = source.get_pixmap(dpi=150)
    document = pymupdf.open()
    for _ in range(2):
        page = document.new_page(width=595, height=842)
        page.insert_text((40, 400), "Text beside it")
        page.insert_image(pymupdf.Rect(60, top, 390, top + 80), pixmap=picture)
    reader = open_document(document.tobytes(), "a.pdf")
    assert [page.picture_lines for page in reader.pages()] == lines


def outlined(page: pymupdf.Page, y: float, widths: Sequence[float], height: float = 8) -> None:
    """Filled shapes beside each other, as letters are that were turned into paths."""
    x = 40.0
    for width in widths:
        points = [pymupdf.Point(x, y), pymupdf.Point(x + width / 2, y - height), pymupdf.Point(x + width, y)]
        page.draw_polyline(points, color=None, fill=(0, 0, 0), closePath=True)
        x += width + 1.5


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([[5, 6, 3, 7, 5, 6, 2, 5, 6, 4]] * 3, 3),
        ([[200]] * 2, 2),
        ([[5] * 12] * 3, 0),
        ([[5, 6, 3]] * 3, 0),
    ],
    ids=["letters", "lines in one path", "marks of a chart", "signs"],
)
def test_lines_of_letters_that_are_drawn_as_outlines_are_counted(rows: list[list[float]], lines: int) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((40, 280), "Page 1 of 1")
        for number, widths in enumerate(rows):
            outlined(page, 60 + 30 * number, widths)

    _, _, page = read(draw)
    assert page.picture_lines == lines


def test_a_page_of_outlines_alone_is_recognised() -> None:
    _, _, page = read(lambda page: outlined(page, 60, [5, 6, 3, 7, 5, 6, 2, 5, 6, 4]))
    assert choose_method(page, OcrOptions()) == (Method.OCR, "no text layer")
