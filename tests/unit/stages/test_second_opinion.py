from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from docpipe.engines.ports import RecognisedLine
from docpipe.errors import PermanentError, WorkerLostError
from docpipe.stages.ocr.second_opinion import SecondOpinion, confidence, note

Pixels = NDArray[np.uint8]
PAPER: Pixels = np.zeros((10, 10, 3), np.uint8)


def line(text: str, score: float) -> RecognisedLine:
    return RecognisedLine(text, ((0, 0), (9, 0), (9, 9), (0, 9)), score)


class Says:
    """Reads what it is told to, or raises it."""

    def __init__(self, name: str, *lines: RecognisedLine, error: Exception | None = None) -> None:
        self.name = name
        self.asked = 0
        self._lines = list(lines)
        self._error = error

    def read(self, pixels: Pixels) -> list[RecognisedLine]:
        self.asked += 1
        if self._error:
            raise self._error
        return self._lines

    def orientation(self, pixels: Pixels) -> int:
        return 90


def test_a_sure_reading_is_kept_and_the_second_engine_not_asked() -> None:
    second = Says("b 1", line("No", 1.0))
    both = SecondOpinion(Says("a 1", line("Yes", 0.6)), second, min_confidence=0.6)
    assert (both.read(PAPER), note(both), second.asked) == ([line("Yes", 0.6)], "", 0)


def test_the_second_engines_reading_is_kept_where_it_is_surer() -> None:
    both = SecondOpinion(Says("a 1", line("N0", 0.4)), Says("b 1", line("No", 0.5)), min_confidence=0.6)
    assert both.read(PAPER) == [line("No", 0.5)]
    assert note(both) == "read by b 1 at 0.50, by a 1 at 0.40"


@pytest.mark.parametrize("others", [[], [line("other", 0.4)], [line("other", 0.3)]])
def test_the_first_engines_reading_is_kept_where_it_is_as_sure(others: list[RecognisedLine]) -> None:
    both = SecondOpinion(Says("a 1", line("one", 0.4)), Says("b 1", *others), min_confidence=0.6)
    assert both.read(PAPER) == [line("one", 0.4)]
    assert note(both) == f"read by a 1 at 0.40, by b 1 at {confidence(others):.2f}"


def test_a_page_on_which_nothing_was_read_is_read_by_the_second_engine() -> None:
    both = SecondOpinion(Says("a 1"), Says("b 1", line("faint", 0.3)), min_confidence=0.6)
    assert both.read(PAPER) == [line("faint", 0.3)]


def test_where_the_second_engine_fails_the_first_reading_is_kept() -> None:
    failing = Says("b 1", error=PermanentError("Too large."))
    both = SecondOpinion(Says("a 1", line("one", 0.4)), failing, min_confidence=0.6)
    assert both.read(PAPER) == [line("one", 0.4)]
    assert note(both) == "read by a 1 at 0.40; b 1 failed: Too large."


def test_what_may_pass_is_raised_so_that_the_stage_is_tried_again() -> None:
    both = SecondOpinion(Says("a 1"), Says("b 1", error=WorkerLostError()), min_confidence=0.6)
    with pytest.raises(WorkerLostError):
        both.read(PAPER)


def test_a_note_is_of_one_page_only() -> None:
    both = SecondOpinion(Says("a 1"), Says("b 1", line("x", 0.5)), min_confidence=0.6)
    both.read(PAPER)
    assert (bool(note(both)), note(both)) == (True, "")


def test_the_name_says_both_engines_and_the_first_turns_the_page() -> None:
    both = SecondOpinion(Says("a 1"), Says("b 1"), min_confidence=0.6)
    assert (both.name, both.orientation(PAPER)) == ("a 1, below 0.6 b 1", 90)


def test_confidence_is_weighted_by_length() -> None:
    assert confidence([line("abc", 1.0), line("d", 0.2)]) == pytest.approx(0.8)
    assert confidence([]) == 0


def test_an_engine_alone_has_no_note() -> None:
    assert note(Says("a 1")) == ""
