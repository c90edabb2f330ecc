from __future__ import annotations

import pytest

from docpipe.engines.ports import Span
from docpipe.stages.entities.dates import dates_within


@pytest.mark.parametrize(
    ("piece", "times"),
    [
        ("1998 – 2006", ["1998", "2006"]),
        ("1991–92", ["1991–92"]),
        ("the early 1990s", ["1990s"]),
        ("1950s and 1960s", ["1950s", "1960s"]),
        ("March 15, 2024", ["March 15, 2024"]),
        ("less than two weeks", ["two weeks"]),
        ("two months later", ["two months"]),
        ("last year", ["last year"]),
        ("yesterday", ["yesterday"]),
        ("the same day", []),
        ("weekly", []),
        ("annual", []),
        ("last three monthly", []),
        ("rest thirty days", ["thirty days"]),
        ("ten years old", []),
        ("age of 36", []),
        ("the mid-1970s", ["mid-1970s"]),
        ("the mid 1970s", ["1970s"]),
        ("mid January", ["mid January"]),
        ("the mid-19th century", ["mid-19th century"]),
        ("the next 23 years", ["23 years"]),
        ("next two weeks", ["two weeks"]),
        ("next year", ["next year"]),
        ("last 45 minutes", ["last 45 minutes"]),
        ("the eve of", []),
        ("47′N", []),
        ("12,300.00", []),
        ("10:15:32", []),
        ("6:30 p.m.", []),
    ],
)
def test_of_an_engines_date_the_times_it_names_are_kept(piece: str, times: list[str]) -> None:
    spans = dates_within(piece, Span(0, len(piece), "DATE", 0.5))
    assert [piece[span.start : span.end] for span in spans] == times


def test_last_is_a_verb_after_to_and_will() -> None:
    text = "The call is to last 45 minutes."
    assert list(dates_within(text, Span(15, 30, "DATE"))) == [Span(20, 30, "DATE")]


def test_a_time_of_the_day_is_kept_as_such() -> None:
    span = Span(0, 9, "TIME")
    assert list(dates_within("6:30 p.m.", span)) == [span]


def test_other_labels_stay_as_they_are() -> None:
    span = Span(0, 4, "ORG", 0.5)
    assert list(dates_within("1998", span)) == [span]
