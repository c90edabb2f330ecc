from __future__ import annotations

import pytest

from docpipe.models import Box, Line, Method, Page, PageBox
from docpipe.stages.text.places import around, boxes_of, locate, page_at


def page(number: int, start: int, end: int, *lines: Line) -> Page:
    return Page(number, start, end, 600.0, 800.0, Method.OCR, lines)


TEXT = "Ann Archer\nsigned it.\n\nBob Butler"
FIRST = page(
    1,
    0,
    21,
    Line(0, 10, (100.0, 50.0, 200.0, 60.0), words=(100.0, 130.0, 140.0, 200.0)),
    Line(11, 21, (100.0, 70.0, 300.0, 82.0), words=(100.0, 220.0, 250.0, 300.0)),
)
SECOND = page(2, 23, 33, Line(23, 33, (0.0, 0.0, 50.0, 10.0)))
PAGES = [FIRST, SECOND]


def test_a_span_within_a_line_reaches_from_its_first_word_to_its_last() -> None:
    assert locate(TEXT, PAGES, 4, 10) == (1, ((140.0, 50.0, 200.0, 60.0),))


def test_part_of_a_word_gets_its_share_of_the_word_where_a_sign_is_half_a_letter_wide() -> None:
    assert locate(TEXT, PAGES, 18, 20) == (1, ((250.0, 70.0, 290.0, 82.0),))


def test_a_span_over_two_lines_has_a_box_on_each() -> None:
    _, boxes = locate(TEXT, PAGES, 4, 17)
    assert boxes == ((140.0, 50.0, 200.0, 60.0), (100.0, 70.0, 220.0, 82.0))
    assert around(boxes) == (100.0, 50.0, 220.0, 82.0)


def test_a_span_over_two_pages_is_located_on_the_first_and_has_boxes_on_both() -> None:
    assert locate(TEXT, PAGES, 18, 33) == (1, ((250.0, 70.0, 300.0, 82.0),))
    second = PageBox(2, (0.0, 0.0, 50.0, 10.0))
    assert boxes_of(TEXT, PAGES, 18, 33) == (PageBox(1, (250.0, 70.0, 300.0, 82.0)), second)


def test_without_the_places_of_its_words_a_line_is_shared_by_its_letters() -> None:
    (box,) = locate("abcdefghij", [page(1, 0, 10, Line(0, 10, (100.0, 50.0, 200.0, 60.0)))], 2, 5)[1]
    assert box == (120.0, 50.0, 150.0, 60.0)


def test_an_upright_line_is_taken_whole_where_its_words_are_not_known() -> None:
    upright = page(1, 0, 10, Line(0, 10, (10.0, 10.0, 20.0, 110.0)))
    assert locate(TEXT, [upright], 3, 5) == (1, ((10.0, 10.0, 20.0, 110.0),))


def test_the_words_of_an_upright_line_stand_below_each_other_in_either_direction() -> None:
    upwards = Line(0, 10, (10.0, 10.0, 20.0, 110.0), words=(110.0, 80.0, 70.0, 10.0))
    assert locate(TEXT, [page(1, 0, 10, upwards)], 0, 3) == (1, ((10.0, 80.0, 20.0, 110.0),))


@pytest.mark.parametrize(
    ("slope", "first", "second"),
    [
        (0.1, (100.0, 50.0, 130.0, 63.0), (140.0, 54.0, 200.0, 70.0)),
        (-0.1, (100.0, 57.0, 130.0, 70.0), (140.0, 50.0, 200.0, 66.0)),
        (0.9, (100.0, 50.0, 130.0, 70.0), (140.0, 50.0, 200.0, 70.0)),
    ],
    ids=["down", "up", "said wrongly"],
)
def test_words_of_a_sloping_line_are_as_high_as_they_are_and_not_as_the_line(
    slope: float, first: Box, second: Box
) -> None:
    line = Line(0, 10, (100.0, 50.0, 200.0, 70.0), words=(100.0, 130.0, 140.0, 200.0), slope=slope)
    pages = [page(1, 0, 10, line)]
    assert locate(TEXT, pages, 0, 3) == (1, (first,))
    assert locate(TEXT, pages, 4, 10) == (1, (second,))


@pytest.mark.parametrize("lines", [(), (Line(0, 10),)])
def test_a_page_without_geometry_gives_no_box(lines: tuple[Line, ...]) -> None:
    assert locate(TEXT, [page(4, 0, 10, *lines)], 3, 5) == (4, ())
    assert around(()) is None


def test_a_document_without_pages_is_page_one() -> None:
    assert locate(TEXT, [], 3, 5) == (1, ())
    assert boxes_of(TEXT, [], 3, 5) == ()


def test_an_empty_page_holds_no_character() -> None:
    pages = [page(1, 0, 5), page(2, 7, 7), page(3, 9, 12)]
    assert [page_at(pages, offset) for offset in (0, 4, 9, 11)] == [0, 0, 2, 2]
