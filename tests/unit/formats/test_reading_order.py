"""Lines of columns do not mix."""

from __future__ import annotations

from docpipe.formats.base import TextLine
from docpipe.formats.reading_order import in_reading_order


def line(text: str, x0: float, y: float, x1: float) -> TextLine:
    return TextLine(text, (x0, y, x1, y + 10))


def texts(lines: list[TextLine]) -> list[str]:
    return [item.text for item in lines]


def columns(count: int, rows: int, top: float = 100) -> list[TextLine]:
    """Lines of running text drawn row by row across all columns."""
    width = 600 / count
    return [
        line(f"{column}{row}", column * width, top + row * 12, (column + 1) * width - 15)
        for row in range(rows)
        for column in range(count)
    ]


def test_two_columns_drawn_row_by_row_are_read_column_by_column() -> None:
    title, footer = line("title", 0, 50, 580), line("footer", 0, 400, 580)
    ordered = in_reading_order([title, *columns(2, 6), footer])
    expected = ["title", *(f"0{row}" for row in range(6)), *(f"1{row}" for row in range(6)), "footer"]
    assert texts(ordered) == expected


def test_three_columns_are_read_one_after_the_other() -> None:
    expected = [f"{column}{row}" for column in range(3) for row in range(8)]
    assert texts(in_reading_order(columns(3, 8))) == expected


def test_short_cells_of_a_table_stay_in_rows() -> None:
    table = [line(f"{row}{x}", x, 100 + row * 12, x + 40) for row in range(8) for x in (0, 200, 400)]
    assert in_reading_order(table) == table


def test_one_column_stays_as_drawn() -> None:
    lines = [line(str(row), 50, 100 + row * 12, 550) for row in range(20)]
    assert in_reading_order(lines) == lines
