from __future__ import annotations

import pytest

from docpipe.formats.base import TextLine
from docpipe.stages.ocr.leaders import without_leaders


def page(text: str) -> list[TextLine]:
    """Lines in reading order: rows parted by newlines, the cells of a row by bars."""
    return [
        TextLine(cell, joint="\t" if place else "\n")
        for row in text.splitlines()
        for place, cell in enumerate(row.split("|"))
    ]


def text(lines: list[TextLine]) -> str:
    return "".join(line.joint + line.text for line in lines)[1:]


CONTENTS = """\
Contents
Auditors' report....|.48
Dedication. . . . . . . 1
Planning board|......|...98
Fire dept. . .|.79
Appendix ... xiv"""


def test_the_leaders_of_a_list_become_tabs_whether_or_not_they_are_read_as_part_of_a_word() -> None:
    expected = (
        "Contents\nAuditors' report\t48\nDedication\t1\nPlanning board\t98\nFire dept\t79\nAppendix\txiv"
    )
    assert text(without_leaders(page(CONTENTS))) == expected


def test_on_a_page_with_such_a_list_a_leader_whose_number_was_not_read_goes_too() -> None:
    assert text(without_leaders(page(f"{CONTENTS}\nTown officers....")))[-13:] == "Town officers"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("Total ........ $1,200.50", "Total\t$1,200.50"),
        ("Total…….12,50", "Total\t12,50"),
        ("Total: ..,..:.. 12", "Total:\t12"),
        ("Soup ..... 4.50|Fish ..... 11.00", "Soup\t4.50\tFish\t11.00"),
        ("Location.....Sec. 31, T. 12 N.", "Location\tSec. 31, T. 12 N."),
    ],
)
def test_a_long_leader_needs_no_others_beside_it(row: str, expected: str) -> None:
    assert text(without_leaders(page(row))) == expected


@pytest.mark.parametrize(
    "row",
    [
        "and so ... he left",
        "and so...",
        "a sockeye mouth...a beautiful bird...and more....",
        "He counted ... 12",
        "my order is for ..... copies",
        "Signature ...............",
        "C = {p1, p2, . . . , pM }",
        "See Fig. 3",
    ],
)
def test_an_ellipsis_and_dots_to_write_on_stay(row: str) -> None:
    lines = page(f"{row}\n{row}\nthe rest of the page" if "12" not in row else row)
    assert without_leaders(lines) == lines


def test_the_lines_keep_their_boxes_and_confidence() -> None:
    name = TextLine("Report....", (0, 0, 90, 10), 0.9)
    number = TextLine(".......48", (100, 0, 120, 10), 0.8, " ")
    assert without_leaders([name, number]) == [
        TextLine("Report", (0, 0, 90, 10), 0.9),
        TextLine("48", (100, 0, 120, 10), 0.8, "\t"),
    ]


def test_empty_lines_stay_where_they_are() -> None:
    lines = [TextLine(""), TextLine("Total ....... 12", joint="\t"), TextLine("")]
    assert without_leaders(lines) == [lines[0], TextLine("Total\t12", joint="\t"), lines[2]]


def test_a_page_without_lines_or_dots_is_left_as_it_is() -> None:
    assert without_leaders([]) == []
    assert without_leaders(page("one|two\nthree.")) == page("one|two\nthree.")
