from __future__ import annotations

import pytest

from docpipe.models import Line, Method, Page
from docpipe.stages.text.places import locate, page_at


def page(number: int, start: int, end: int, *lines: Line) -> Page:
    return Page(number, start, end, 600.0, 800.0, Method.OCR, lines)


FIRST = page(1, 0, 21, Line(0, 10, (100.0, 50.0, 200.0, 60.0)), Line(11, 21, (100.0, 70.0, 300.0, 82.0)))
SECOND = page(2, 23, 33, Line(23, 33, (0.0, 0.0, 50.0, 10.0)))


def test_a_span_within_a_line_gets_its_share_of_the_line() -> None:
    assert locate([FIRST, SECOND], 2, 5) == (1, (120.0, 50.0, 150.0, 60.0))


def test_a_span_over_two_lines_gets_the_box_around_both_pieces() -> None:
    assert locate([FIRST, SECOND], 8, 13) == (1, (100.0, 50.0, 200.0, 82.0))


def test_a_span_over_two_pages_stands_on_the_first() -> None:
    assert locate([FIRST, SECOND], 16, 30) == (1, (200.0, 70.0, 300.0, 82.0))


def test_a_span_on_the_second_page_is_found_there() -> None:
    assert locate([FIRST, SECOND], 23, 33) == (2, (0.0, 0.0, 50.0, 10.0))


def test_a_line_of_vertical_text_is_taken_whole() -> None:
    upright = page(1, 0, 10, Line(0, 10, (10.0, 10.0, 20.0, 110.0)))
    assert locate([upright], 3, 5) == (1, (10.0, 10.0, 20.0, 110.0))


@pytest.mark.parametrize("lines", [(), (Line(0, 10),)])
def test_a_page_without_geometry_gives_no_box(lines: tuple[Line, ...]) -> None:
    assert locate([page(4, 0, 10, *lines)], 3, 5) == (4, None)


def test_a_document_without_pages_is_page_one() -> None:
    assert locate([], 3, 5) == (1, None)


def test_an_empty_page_holds_no_character() -> None:
    pages = [page(1, 0, 5), page(2, 7, 7), page(3, 9, 12)]
    assert [page_at(pages, offset) for offset in (0, 4, 9, 11)] == [0, 0, 2, 2]
