"""The vote on which way up a page is."""

from __future__ import annotations

import numpy as np
import pytest

from docpipe.engines.ocr import ctc
from docpipe.engines.ocr.detect_and_read import Boxes, DetectAndRead, Pixels


class _Shades(DetectAndRead[None]):
    """Takes a line for upside down by how light it is."""

    name = "shades"

    def __init__(self) -> None:
        super().__init__(detection_pixels=1_000_000, min_score=0.5)
        self.asked = 0

    def _load(self) -> None: ...

    def _detect(self, pixels: Pixels) -> Boxes:
        rows = np.flatnonzero(pixels[:, 5, 0])[::10]
        return np.array([[[0, y], [400, y], [400, y + 10], [0, y + 10]] for y in rows], np.float32)

    def _recognise(self, crop: Pixels) -> ctc.Line:
        raise NotImplementedError

    def _upside_down(self, crop: Pixels) -> float:
        self.asked += 1
        return float(crop.mean()) / 255


def lines(shades: list[int]) -> Pixels:
    """A page of at most twelve lines, ten rows each."""
    shades = [*shades, *[0] * (16 - len(shades))]
    return np.repeat(np.repeat(np.array(shades, np.uint8), 10)[:, np.newaxis, np.newaxis], 416, 1).repeat(
        3, 2
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_page_is_turned_where_the_median_of_its_lines_says_so(seed: int) -> None:
    chance = np.random.default_rng(seed)
    shades = (chance.integers(1, 255, chance.integers(1, 13)) // 2 + chance.choice([1, 64, 127])).tolist()
    engine = _Shades()
    assert engine.orientation(lines(shades)) == (180 if np.median(shades) / 255 > 0.5 else 0)


@pytest.mark.parametrize("shade", [30, 220])
def test_no_more_lines_are_asked_than_it_takes_to_know(shade: int) -> None:
    engine = _Shades()
    engine.orientation(lines([shade] * 12))
    assert engine.asked == 3 * 7
