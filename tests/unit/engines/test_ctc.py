from __future__ import annotations

import numpy as np
import pytest

from docpipe.engines.ocr import ctc

CHARACTERS = ["a", "b", "'", " "]


@pytest.mark.parametrize(
    ("steps", "spaces", "text"),
    [
        ("a_a_bb_b", "", "aabb"),  # a blank parts equal letters
        ("a_b_ _a", "", "ab a"),
        ("a_b_'___a_b", "......._...", "ab' ab"),  # a likely space in a wide gap
        ("a_b_'___a_b", "...........", "ab'ab"),
        ("a_b_'___a_b", "......~....", "ab' ab"),  # beside a quote a less likely one is enough
        ("a_b_b___a_b", "......~....", "abbab"),
        ("a___b___a___b", "._.._...._...", "abab"),  # letters spaced evenly are one word
        ("a_b_ ___a_b", "......._...", "ab ab"),  # beside a space there is no second one
        ("____", "____", ""),
        ("a", ".", "a"),
    ],
)
def test_the_text_is_the_letters_and_the_spaces_that_were_seen_or_nearly_seen(
    steps: str, spaces: str, text: str
) -> None:
    best = np.array(["_ab' ".index(step) for step in steps])
    space = np.array(
        [{"_": -1.0, "~": -3.0, ".": -9.0}[mark] for mark in spaces.ljust(len(steps), ".")], np.float32
    )
    assert ctc.line(best, space, CHARACTERS, 0.5).text == text


@pytest.mark.parametrize("steps", ["__a_b_ _a_b___", "__a_bb ba_a_b_", "a", "____"])
def test_words_begin_and_end_around_the_steps_of_their_letters(steps: str) -> None:
    best = np.array(["_ab' ".index(step) for step in steps])
    line = ctc.line(best, np.full(len(steps), -9.0, np.float32), CHARACTERS, 0.5).within(len(steps))
    places = [place * len(steps) for place in line.words]
    assert len(places) == 2 * len(line.text.split())
    assert places == sorted(places)
    for begin, end, letters in zip(places[::2], places[1::2], steps.split(), strict=False):
        seen = steps.index(letters)
        middles = [seen + n for n, step in enumerate(letters) if step != "_"]
        assert begin <= middles[0]
        assert middles[-1] <= end
