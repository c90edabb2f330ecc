from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from docpipe.engines.ports import Span
from docpipe.models import Method, Page
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import PATTERN, find_mentions
from docpipe.stages.entities.times import find_times


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_times(text)]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("It was built in 1936 and sold in 2006.", ["1936", "2006"]),
        (
            "in the 1930s, the late 1950s and the 16th century",
            ["the 1930s", "the late 1950s", "the 16th century"],
        ),
        ("from 1997-98 to late-2003", ["1997-98", "late-2003"]),
        ("after two years and twenty-three days", ["two years", "twenty-three days"]),
        ("Yesterday, last week and this morning", ["Yesterday", "last week", "this morning"]),
        ("on Tuesday evening in April 2004", ["Tuesday evening", "April 2004"]),
        ("in the first quarter of 2009", ["the first quarter of 2009"]),
        ("for the past 24 hours", ["the past 24 hours"]),
        ("in summer 1999, on Christmas Day", ["summer 1999", "Christmas Day"]),
    ],
)
def test_times_in_words_are_found(text: str, times: list[str]) -> None:
    assert found(text) == times


@pytest.mark.parametrize(
    "text",
    [
        "No. 1984 of Section 2001",
        "$2006 for 1999 shares, 1,984 of 2000.5",
        "He may march second; the meeting is to last a while.",
        "Room 1900, Form 1999, p. 2001",
        "1900% of 2000m",
    ],
)
def test_numbers_and_words_that_name_no_time_are_not(text: str) -> None:
    assert found(text) == []


class Titles:
    name = "titles 1"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        return iter([[Span(0, 20, "ORG")] for _ in texts])


class Timeless(Titles):
    leaves_times = True


@pytest.mark.parametrize(("engine", "times"), [(Timeless(), [("Saturday", "DATE", PATTERN)]), (Titles(), [])])
def test_times_are_found_for_an_engine_that_leaves_them_and_never_inside_a_name(
    engine: Titles, times: list[tuple[str, str, str]]
) -> None:
    text = "Saturday Night Trust was founded on a Saturday."
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    output = find_mentions(text, [page], split_text(text, [page]).chunks or (), engine=engine)
    found = [(m.text, m.label, m.source) for m in output.mentions or ()]
    assert found == [("Saturday Night Trust", "ORG", "titles 1"), *times]


class Places(Timeless):
    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        address = "1420 Harbor View Drive"
        return iter([[Span(at := text.index(address), at + len(address), "LOCATION")] for text in texts])


def test_the_number_of_a_house_is_no_year() -> None:
    text = "Our office at 1420 Harbor View Drive opened in 1999."
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    output = find_mentions(text, [page], split_text(text, [page]).chunks or (), engine=Places())
    found = [(m.text, m.label) for m in output.mentions or ()]
    assert found == [("Harbor View Drive", "LOCATION"), ("1999", "DATE")]
