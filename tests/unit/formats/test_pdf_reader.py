"""PDF: text with boxes as the page is shown, pictures within limits, damage as warnings."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pymupdf
import pytest

from docpipe.errors import (
    CorruptDocumentError,
    EncryptedDocumentError,
    ExpansionLimitError,
    TooManyPagesError,
)
from docpipe.formats import open_document
from docpipe.formats.base import Limits, RawPage, TextLine
from docpipe.models import Box

AES_256 = 5  # pymupdf.PDF_ENCRYPT_AES_256, which its type information lacks
BUTTON, TEXT_FIELD = 1, 7  # pymupdf.PDF_WIDGET_TYPE_BUTTON and _TEXT, which it lacks too
UNREADABLE = b"q 0 0 9 9 re W n " * 100_000
"""Clips nested deeper than MuPDF goes."""


def pdf(draw: Callable[[pymupdf.Page], object], pages: int = 1, **save: object) -> bytes:
    document = pymupdf.open()
    for _ in range(pages):
        draw(document.new_page(width=300, height=200))
    data: bytes = document.tobytes(**save)
    return data


def hello(page: pymupdf.Page) -> None:
    page.insert_text((40, 60), "Hello office", fontsize=20)


def gray() -> pymupdf.Pixmap:
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 30, 20))
    picture.clear_with(230)
    return picture


def only_page(data: bytes) -> RawPage:
    (page,) = open_document(data, "a.pdf").pages()
    return page


def ink_box(page: RawPage, dpi: int = 72) -> tuple[float, ...]:
    """The bounds of everything drawn, in points."""
    assert page.image is not None
    image = page.image(dpi)
    ys, xs = np.nonzero(image.pixels.min(axis=2) < 128)
    return tuple(float(v) * image.points_per_pixel for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_boxes_lie_where_the_page_shows_the_text(rotation: int, cropped: bool) -> None:
    def draw(page: pymupdf.Page) -> None:
        hello(page)
        page.set_rotation(rotation)
        if cropped:
            page.set_cropbox(pymupdf.Rect(20, 10, 280, 190))

    page = only_page(pdf(draw))
    (line,) = page.lines
    assert line.text == "Hello office"
    size = (260.0, 180.0) if cropped else (300.0, 200.0)
    assert (page.width, page.height) == (size if rotation % 180 == 0 else size[::-1])
    ink = ink_box(page)
    assert line.box is not None
    assert line.box[0] - 1 <= ink[0] and line.box[1] - 1 <= ink[1]
    assert ink[2] <= line.box[2] + 1 and ink[3] <= line.box[3] + 1
    assert (line.box[2] - line.box[0]) * (line.box[3] - line.box[1]) < 110 * 31


def test_hidden_text_over_a_scan_is_kept_and_the_scan_counts_as_picture() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_image(pymupdf.Rect(0, 0, 300, 100), pixmap=gray(), keep_proportion=False)
        page.insert_text((40, 60), "hidden", render_mode=3)

    page = only_page(pdf(draw))
    assert [line.text for line in page.lines] == ["hidden"]
    assert page.image_share == pytest.approx(0.5, abs=0.01)


def test_a_scan_in_strips_counts_as_one_picture() -> None:
    def draw(page: pymupdf.Page) -> None:
        for top in range(0, 200, 20):
            page.insert_image(pymupdf.Rect(0, top, 300, top + 20), pixmap=gray(), keep_proportion=False)

    page = only_page(pdf(draw))
    assert page.lines == ()
    assert page.image_share == pytest.approx(1, abs=0.01)


def test_words_far_apart_on_one_line_are_cells() -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((10, 20), "Total due" + " " * 8 + "12.40")

    assert [line.text for line in only_page(pdf(draw)).lines] == ["Total due", "12.40"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("drawn", [0, 90, 180, 270])
def test_the_page_tells_how_far_to_turn_it_until_its_text_is_upright(drawn: int, rotation: int) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_text((150, 100), "two words", rotate=drawn)
        page.set_rotation(rotation)

    # Drawn text is turned counter-clockwise, a page clockwise.
    assert only_page(pdf(draw)).turned == (rotation - drawn) % 360


@pytest.mark.parametrize(("render_mode", "hidden"), [(0, False), (3, True)])
def test_a_text_layer_that_is_not_drawn_over_a_scan_is_hidden(render_mode: int, hidden: bool) -> None:
    def draw(page: pymupdf.Page) -> None:
        page.insert_image(page.rect, pixmap=gray(), keep_proportion=False)
        page.insert_text((40, 60), "over the scan", render_mode=render_mode)

    assert only_page(pdf(draw)).hidden_text is hidden


def filled_in(page: pymupdf.Page) -> None:
    """A field, a button, a note written on the page, and one that stands beside it."""
    field, button = pymupdf.Widget(), pymupdf.Widget()
    field.field_type, field.rect = TEXT_FIELD, pymupdf.Rect(20, 20, 200, 40)
    field.field_name, field.field_value = "name", "Ann Miller"
    button.field_type, button.rect = BUTTON, pymupdf.Rect(20, 50, 200, 70)
    button.field_name, button.button_caption = "send", "Send the form"
    page.add_widget(field)
    page.add_widget(button)
    page.add_freetext_annot(pymupdf.Rect(20, 80, 200, 110), "Agreed by both")
    page.add_text_annot((20, 150), "Said in private")


def without_appearances(data: bytes) -> bytes:
    """The fields and notes as programs leave them that only write down what they hold."""
    document = pymupdf.open(stream=data)
    page = document[0]
    for one in [*page.widgets(), *page.annots()]:
        document.xref_set_key(one.xref, "AP", "null")
    changed: bytes = document.tobytes()
    return changed


@pytest.mark.parametrize("change", [bytes, without_appearances], ids=["drawn", "only written down"])
def test_what_is_written_into_a_form_and_on_a_page_is_read_as_the_page_shows_it(
    change: Callable[[bytes], bytes],
) -> None:
    page = only_page(change(pdf(filled_in)))
    assert sorted(line.text for line in page.lines) == ["Agreed by both", "Ann Miller", "Send the form"]


@pytest.mark.parametrize(("rotation", "box"), [(0, (20, 50, 200, 70)), (90, (130, 20, 150, 200))])
def test_empty_form_fields_of_a_page_without_text_are_named(rotation: int, box: Box) -> None:
    def draw(page: pymupdf.Page) -> None:
        button = pymupdf.Widget()
        button.field_type, button.rect, button.field_name = BUTTON, pymupdf.Rect(20, 50, 200, 70), "send"
        page.add_widget(button)
        page.set_rotation(rotation)

    page = only_page(pdf(draw))
    assert (page.lines, page.fields) == ((), (TextLine("send", box),))


def test_pictures_are_blue_green_red_at_the_dpi_wished_for() -> None:
    page = only_page(pdf(lambda page: page.draw_rect(page.rect, fill=(1, 0, 0))))
    assert page.image is not None
    image = page.image(144)
    assert image.pixels.shape == (400, 600, 3)
    assert image.pixels[200, 300].tolist() == [0, 0, 255]
    assert image.points_per_pixel == 0.5


@pytest.mark.parametrize("limits", [Limits(max_render_pixels=15_000), Limits(max_render_side=150)])
def test_the_render_limits_win_over_the_dpi(limits: Limits) -> None:
    (page,) = open_document(pdf(hello), "a.pdf", limits).pages()
    assert page.image is not None
    image = page.image(1200)
    assert image.pixels.shape == (100, 150, 3)
    assert image.points_per_pixel == pytest.approx(2.0)


def test_a_password_is_asked_to_be_removed() -> None:
    data = pdf(hello, encryption=AES_256, owner_pw="o", user_pw="u")
    with pytest.raises(EncryptedDocumentError, match=r"a\.pdf .*Remove the password"):
        open_document(data, "a.pdf")


def test_an_owner_password_alone_is_no_obstacle() -> None:
    data = pdf(hello, encryption=AES_256, owner_pw="o")
    assert [line.text for line in only_page(data).lines] == ["Hello office"]


def test_no_pages_is_corrupt() -> None:
    with pytest.raises(CorruptDocumentError):
        open_document(b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj trailer <</Root 1 0 R>>", "a.pdf")


def test_more_pages_than_the_limit_are_refused_at_once() -> None:
    with pytest.raises(TooManyPagesError, match="3 pages; the limit is 2"):
        open_document(pdf(hello, pages=3), "a.pdf", Limits(max_pages=2))


def test_a_page_with_too_much_text_is_refused() -> None:
    reader = open_document(pdf(hello), "a.pdf", Limits(max_page_characters=5))
    with pytest.raises(ExpansionLimitError):
        list(reader.pages())


def test_a_damaged_page_is_a_warning_and_the_others_are_read() -> None:
    document = pymupdf.open(stream=pdf(hello, pages=3))
    document.update_stream(document[1].get_contents()[0], UNREADABLE)
    reader = open_document(document.tobytes(), "a.pdf")
    pages = list(reader.pages())
    assert [[line.text for line in page.lines] for page in pages] == [["Hello office"], [], ["Hello office"]]
    assert [(warn.code, warn.page) for warn in reader.warnings if warn.page] == [("page_unreadable", 2)]


def test_a_file_with_damaged_pages_only_is_corrupt() -> None:
    document = pymupdf.open(stream=pdf(hello))
    document.update_stream(document[0].get_contents()[0], UNREADABLE)
    with pytest.raises(CorruptDocumentError):
        list(open_document(document.tobytes(), "a.pdf").pages())


def test_a_repaired_file_says_so_once() -> None:
    reader = open_document(pdf(hello).replace(b"startxref", b"startxxxx"), "a.pdf")
    assert [line.text for page in reader.pages() for line in page.lines] == ["Hello office"]
    assert [warn.code for warn in reader.warnings] == ["damaged"]
    assert "repaired" in reader.warnings[0].message


def test_files_inside_are_named_as_unread() -> None:
    document = pymupdf.open(stream=pdf(hello))
    document.embfile_add("inner.txt", b"text")
    reader = open_document(document.tobytes(), "a.pdf")
    assert [warn.code for warn in reader.warnings] == ["attachments_not_read"]


def test_metadata_is_clean() -> None:
    document = pymupdf.open(stream=pdf(hello))
    document.set_metadata({"title": "AB\nC", "author": "Ann"})
    metadata = open_document(document.tobytes(), "a.pdf").metadata
    assert (metadata["title"], metadata["author"]) == ("AB C", "Ann")


def broken(change: Callable[[pymupdf.Document, int], object], draw: Callable[..., object] = hello) -> bytes:
    """A PDF of one page after `change(document, number of the page's content)`."""
    document = pymupdf.open(stream=pdf(draw))
    change(document, document[0].get_contents()[0])
    data: bytes = document.tobytes()
    return data


def garbled(document: pymupdf.Document, content: int) -> None:
    document.update_stream(content, b"no zlib data", compress=0)
    document.xref_set_key(content, "Filter", "/FlateDecode")


def outside(document: pymupdf.Document, content: int) -> None:
    document.update_stream(content, b"BT /helv 9 Tf 9000 9000 Td (far away) Tj ET")


def elsewhere(document: pymupdf.Document, content: int) -> None:
    document.update_stream(content, b" ")
    document.xref_set_key(content, "F", "(/etc/passwd)")


@pytest.mark.parametrize(
    ("change", "reason"),
    [(garbled, "cannot be unpacked"), (outside, "stands outside"), (elsewhere, "stand in another file")],
)
def test_a_page_that_shows_nothing_because_it_is_broken_says_so(
    change: Callable[[pymupdf.Document, int], object], reason: str
) -> None:
    reader = open_document(broken(change), "a.pdf")
    assert [page.lines for page in reader.pages()] == [()]
    assert [(warn.code, warn.page) for warn in reader.warnings if warn.code != "damaged"] == [
        ("content_lost", 1)
    ]
    assert reason in reader.warnings[0].message


def test_a_blank_page_is_no_loss() -> None:
    reader = open_document(pdf(lambda page: page.insert_text((9, 9), " ")), "a.pdf")
    assert ([page.lines for page in reader.pages()], reader.warnings) == ([()], [])


def test_content_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    def bomb(document: pymupdf.Document, content: int) -> None:
        document.update_stream(content, b" " * 2_000_000)

    with pytest.raises(ExpansionLimitError, match="unpacks to more than 1,000,000 bytes"):
        list(open_document(broken(bomb), "a.pdf", Limits(max_expanded_bytes=1_000_000)).pages())
    list(open_document(broken(bomb), "a.pdf", Limits(max_expanded_bytes=2_000_000)).pages())
