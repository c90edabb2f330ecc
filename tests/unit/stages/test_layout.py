from __future__ import annotations

import math

import pytest

from docpipe.stages.layout import reading_order, skew
from docpipe.stages.ports import Quad, RecognisedLine


def line(text: str, x: float, y: float, width: float = 200, height: float = 20) -> RecognisedLine:
    quad: Quad = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return RecognisedLine(text, quad, 1.0)


def turned(given: RecognisedLine, degrees: float) -> RecognisedLine:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in given.quad)
    return RecognisedLine(given.text, (a, b, c, d), given.confidence)


def texts(lines: list[RecognisedLine]) -> list[str]:
    return [found.text for found in reading_order(lines)]


def column(name: str, x: float, count: int, y: float = 100) -> list[RecognisedLine]:
    return [
        line(f"{name} line {n} of running prose text", x, y + 30 * n, width=400 - n % 3) for n in range(count)
    ]


def names(found: list[str]) -> list[str]:
    return [text.removesuffix(" of running prose text") for text in found]


def test_no_lines_give_no_lines() -> None:
    assert reading_order([]) == []


def test_lines_are_read_from_top_to_bottom_whatever_order_the_engine_gives() -> None:
    assert texts([line("third", 0, 200), line("first", 0, 0), line("second", 0, 100)]) == [
        "first",
        "second",
        "third",
    ]


def test_pieces_close_together_on_one_line_are_joined_by_a_space() -> None:
    assert texts([line("world", 210, 2, width=50), line("Hello", 0, 0)]) == ["Hello world"]


def test_cells_of_one_table_row_are_joined_by_a_tab_and_rows_stay_together() -> None:
    cells = [
        line(text, x, y, width=80, height=20)
        for y, row in (
            (0, ("Item", "Qty", "Price")),
            (30, ("Bolt", "12", "3.40")),
            (60, ("Nut", "7", "1.10")),
        )
        for text, x in zip(row, (0, 300, 600), strict=True)
    ]
    assert texts(cells[::-1]) == ["Item\tQty\tPrice", "Bolt\t12\t3.40", "Nut\t7\t1.10"]


def test_a_joined_line_keeps_its_pieces_boxes_and_their_confidence_weighted_by_length() -> None:
    sure, unsure = line("abc", 0, 0, width=60), line("d", 400, 0, width=20)
    unsure = RecognisedLine("d", unsure.quad, 0.2)
    (joined,) = reading_order([unsure, sure])
    assert joined.quads == (sure.quad, unsure.quad)
    assert joined.confidence == pytest.approx((3 * 1.0 + 1 * 0.2) / 4)


def test_two_columns_of_prose_are_read_one_after_the_other() -> None:
    left, right = column("left", 0, 6), column("right", 450, 6)
    shuffled = [piece for pair in zip(right, left, strict=True) for piece in pair]
    assert names(texts(shuffled)) == [f"{side} line {n}" for side in ("left", "right") for n in range(6)]


def test_a_title_across_two_columns_comes_first_and_a_footer_last() -> None:
    page = [
        line("Footer across the whole page", 0, 400, width=850),
        *column("right", 450, 6),
        *column("left", 0, 6),
        line("Title across the whole page", 0, 70, width=850),
    ]
    assert names(texts(page)) == [
        "Title across the whole page",
        *(f"{side} line {n}" for side in ("left", "right") for n in range(6)),
        "Footer across the whole page",
    ]


def test_a_heading_between_two_bands_of_columns_parts_them() -> None:
    page = [
        *column("a", 0, 5, y=0),
        *column("b", 450, 5, y=0),
        line("Heading across the whole page", 0, 155, width=850),
        *column("c", 0, 5, y=180),
        *column("d", 450, 5, y=180),
    ]
    assert [text[0] for text in texts(page[::-1])] == [*"aaaaabbbbbHcccccddddd"]


def test_three_columns_are_read_one_after_the_other() -> None:
    page = [piece for n, name in enumerate("abc") for piece in column(name, 450 * n, 5)]
    assert [text[0] for text in texts(page[::-1])] == [*"aaaaabbbbbccccc"]


def test_full_width_prose_above_columns_is_read_before_them() -> None:
    above = [
        line(f"wide {n} running over the whole width of the page", 0, 30 * n, width=850) for n in range(8)
    ]
    page = [*above, *column("left", 0, 5, y=300), *column("right", 450, 5, y=300)]
    assert [text.split()[0] for text in texts(page[::-1])] == ["wide"] * 8 + ["left"] * 5 + ["right"] * 5


def test_a_sidebar_of_short_lines_is_not_taken_for_a_column() -> None:
    rows = [(f"Advisor number {n}, department", f"Mon. {n}-12") for n in range(6)]
    page = [
        piece
        for n, (advisor, hours) in enumerate(rows)
        for piece in (line(advisor, 0, 30 * n, 300), line(hours, 400, 30 * n, 110))
    ]
    assert texts(page) == [f"{advisor}\t{hours}" for advisor, hours in rows]


@pytest.mark.parametrize("degrees", [-3.0, 3.0, 10.0])
def test_columns_of_a_skewed_page_are_read_as_if_it_were_level(degrees: float) -> None:
    page = [*column("left", 0, 8), *column("right", 450, 8)]
    crooked = [turned(piece, degrees) for piece in page]
    assert names(texts(crooked[::-1])) == [f"{side} line {n}" for side in ("left", "right") for n in range(8)]


def test_skew_is_the_common_angle_of_the_long_lines() -> None:
    crooked = [turned(piece, 3.0) for piece in column("left", 0, 5)]
    assert math.degrees(skew(crooked)) == pytest.approx(3.0)


def test_a_level_page_and_one_with_few_lines_have_no_skew() -> None:
    assert skew(column("left", 0, 5)) == 0.0
    assert skew([turned(piece, 3.0) for piece in column("left", 0, 3)]) == 0.0


def test_no_line_is_lost_or_repeated_on_a_crowded_page() -> None:
    page = [
        line(f"{x}/{y} {'w' * (x % 40)}", (x * 137) % 900, (y * 61) % 1200, width=20 + (x * y) % 300)
        for x in range(20)
        for y in range(10)
    ]
    found = [quad for visual in reading_order(page) for quad in visual.quads]
    assert sorted(found) == sorted(piece.quad for piece in page)
