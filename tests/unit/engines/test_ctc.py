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
    assert ctc.text(best, space, CHARACTERS) == text
