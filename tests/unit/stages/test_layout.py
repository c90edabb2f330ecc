from __future__ import annotations

import math

import pytest

from docpipe.engines.ports import Quad, RecognisedLine
from docpipe.formats.base import TextLine
from docpipe.stages.ocr.reading_order import in_reading_order, level, skew


def line(text: str, x: float, y: float, width: float = 200, height: float = 20) -> RecognisedLine:
    quad: Quad = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return RecognisedLine(text, quad, 1.0)


def turned(given: RecognisedLine, degrees: float) -> RecognisedLine:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in given.quad)
    return RecognisedLine(given.text, (a, b, c, d), given.confidence)


def ordered(lines: list[RecognisedLine]) -> list[TextLine]:
    pieces = [TextLine(given.text, (0, 0, 0, 0), given.confidence) for given in lines]
    return in_reading_order(pieces, level([given.quad for given in lines]))


def texts(lines: list[RecognisedLine]) -> list[str]:
    """The page's text, line by line as a reader sees them."""
    return "".join(piece.joint + piece.text for piece in ordered(lines)).split("\n")[1:]


def column(name: str, x: float, count: int, y: float = 100) -> list[RecognisedLine]:
    return [
        line(f"{name} line {n} of running prose text", x, y + 30 * n, width=400 - n % 3) for n in range(count)
    ]


def names(found: list[str]) -> list[str]:
    return [text.removesuffix(" of running prose text") for text in found]


def test_no_lines_give_no_lines() -> None:
    assert in_reading_order([]) == []


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


def test_lines_that_stand_beside_each_other_keep_their_boxes_and_confidence() -> None:
    lines = [TextLine("d", (400, 0, 420, 20), 0.2), TextLine("abc", (0, 0, 60, 20))]
    assert in_reading_order(lines) == [
        TextLine("abc", (0, 0, 60, 20)),
        TextLine("d", (400, 0, 420, 20), 0.2, "\t"),
    ]


def test_lines_without_a_place_stay_as_they_are() -> None:
    lines = [TextLine("b", (0, 50, 9, 60)), TextLine("a"), TextLine("c", (0, 0, 9, 10))]
    assert in_reading_order(lines) == lines


def test_boxes_given_apart_decide_the_order_and_the_lines_keep_their_own() -> None:
    lines = [TextLine("last", (0, 0, 9, 9)), TextLine("first", (0, 50, 9, 59))]
    assert in_reading_order(lines, [(0, 90, 9, 99), (0, 10, 9, 19)]) == lines[::-1]


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


def test_three_narrow_columns_of_a_newspaper_under_a_headline_are_read_one_after_the_other() -> None:
    headline = line("MAN BITES DOG", 0, 0, width=900, height=60)
    columns = [
        line(f"{name}{n} says the paper", x, 100 + 24 * n, width=270 - 60 * (n % 5 == 4))
        for name, x in (("a", 0), ("b", 300), ("c", 600))
        for n in range(12)
    ]
    found = [text.split()[0] for text in texts([*columns[::-1], headline])]
    assert found == ["MAN", *(f"{name}{n}" for name in "abc" for n in range(12))]


def test_line_numbers_do_not_hide_the_columns_of_a_transcript() -> None:
    page = [
        piece
        for name, x in (("left", 0), ("right", 600))
        for n in range(1, 13)
        for piece in (
            line(f"{n}", x, 30 * n, width=20),
            line(f"{name} {n} Q. And what did you do then?", x + 60, 30 * n, width=420 - 9 * (n % 7)),
        )
    ]
    found = texts(page[::-1])
    assert [text.split("\t")[0] for text in found] == [str(n) for n in range(1, 13)] * 2
    assert [text.split("\t")[1].split()[0] for text in found] == ["left"] * 12 + ["right"] * 12


def test_a_band_of_few_lines_between_two_headings_still_has_the_columns_of_the_page() -> None:
    page = [
        *column("a", 0, 6, y=0),
        *column("b", 450, 6, y=0),
        line("Heading across the whole page", 0, 200, width=850),
        *column("c", 0, 3, y=250),
        *column("d", 450, 3, y=250),
    ]
    assert [text[0] for text in texts(page[::-1])] == [*"aaaaaabbbbbbHcccddd"]


@pytest.mark.parametrize("degrees", [-3.0, 3.0, 10.0])
def test_columns_of_a_skewed_page_are_read_as_if_it_were_level(degrees: float) -> None:
    page = [*column("left", 0, 8), *column("right", 450, 8)]
    crooked = [turned(piece, degrees) for piece in page]
    assert names(texts(crooked[::-1])) == [f"{side} line {n}" for side in ("left", "right") for n in range(8)]


def test_skew_is_the_common_angle_of_the_long_lines() -> None:
    crooked = [turned(piece, 3.0).quad for piece in column("left", 0, 5)]
    assert math.degrees(skew(crooked)) == pytest.approx(3.0)


def test_a_level_page_and_one_with_few_lines_have_no_skew() -> None:
    assert skew([piece.quad for piece in column("left", 0, 5)]) == 0.0
    assert skew([turned(piece, 3.0).quad for piece in column("left", 0, 3)]) == 0.0


def test_no_line_is_lost_or_repeated_on_a_crowded_page() -> None:
    page = [
        line(f"{x}/{y} {'w' * (x % 40)}", (x * 137) % 900, (y * 61) % 1200, width=20 + (x * y) % 300)
        for x in range(20)
        for y in range(10)
    ]
    assert sorted(piece.text for piece in ordered(page)) == sorted(piece.text for piece in page)


def test_a_row_whose_letters_run_from_right_to_left_is_read_so() -> None:
    lines = [TextLine("ישולם עד", (50, 10, 120, 20)), TextLine("הסכום", (140, 10, 180, 20))]
    assert [line.text for line in in_reading_order(lines)] == ["הסכום", "ישולם עד"]


def test_a_line_that_stands_apart_comes_last_whatever_it_lies_on() -> None:
    lines = [
        TextLine("first", (50, 10, 120, 20)),
        TextLine("DRAFT", (60, 5, 200, 100), apart=True),
        TextLine("second", (50, 40, 120, 50)),
    ]
    assert [(line.text, line.joint) for line in in_reading_order(lines)] == [
        ("first", "\n"),
        ("second", "\n"),
        ("DRAFT", "\n"),
    ]


def numbered(texts: list[str]) -> list[TextLine]:
    return [
        line
        for row, text in enumerate(texts)
        for line in (
            TextLine(str(row + 1), (20, 20 * row, 28, 20 * row + 10)),
            TextLine(text, (50, 20 * row, 300, 20 * row + 10)),
        )
    ]


def test_numbers_that_count_the_lines_of_running_text_come_last() -> None:
    texts = ["The supplier of Calder", *["timber shall deliver it to"] * 8, "the end."]
    lines = in_reading_order(numbered(texts))
    assert "".join(line.joint + line.text for line in lines).strip().split("\n") == [
        *texts,
        "1 2 3 4 5 6 7 8 9 10",
    ]


def test_rows_that_begin_with_names_are_running_text_where_the_row_before_goes_on() -> None:
    texts = ["Plaintiff Redwood Marine alleges that on", "March 3 the defendant, Tidewater"] * 6
    assert [line.text for line in in_reading_order(numbered(texts))][:12] == texts
    rows = ["Oak boards, planed, of 48 mm", "Pallets for crates of 12 kg"] * 6
    assert [line.text for line in in_reading_order(numbered(rows))][:2] == ["1", rows[0]]


def test_numbers_of_every_fifth_line_come_last() -> None:
    texts = ["The supplier of Calder", *["timber shall deliver it to"] * 20]
    lines = [line for n, line in enumerate(numbered(texts)) if n % 2 or n % 10 == 8]
    assert [line.text for line in in_reading_order(lines)] == [*texts, "5", "10", "15", "20"]


def test_fives_in_each_row_of_a_table_are_no_line_numbers() -> None:
    rows = [(str(5 * n), "percent of the price") for n in range(1, 7)]
    lines = [
        TextLine(text, (x, 20 * n, x + 60, 20 * n + 10))
        for n, row in enumerate(rows)
        for text, x in zip(row, (20, 120), strict=True)
    ]
    assert [line.text for line in in_reading_order(lines)] == [text for row in rows for text in row]


def test_numbers_of_a_list_stay_with_what_they_number() -> None:
    lines = in_reading_order(numbered(["Deliver the goods."] * 10))
    assert [line.text for line in lines[:2]] == ["1", "Deliver the goods."]
