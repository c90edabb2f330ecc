"""Two OCR engines as one: what the first is unsure of the second reads too; the surer one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from docpipe.engines.ports import FindsLines, OcrEngine, RecognisedLine
from docpipe.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SecondOpinion:
    """An `OcrEngine` that asks `second` about pictures `first` reads with less than `min_confidence`.

    Confidence, 0..1, is the mean over the lines weighted by their length; nothing read counts as 0. The
    first engine decides which way up a picture is, and how crooked.
    """

    def __init__(self, first: OcrEngine, second: OcrEngine, *, min_confidence: float) -> None:
        self.name = f"{first.name}, below {min_confidence:g} {second.name}"
        self._note = ""
        self._first = first
        self._second = second
        self._min_confidence = min_confidence
        if isinstance(first, FindsLines):
            self.find_lines = first.find_lines

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        """The surer reading; the first engine's when both are as sure, or when the second one fails.

        Raises as the first engine does, and the second one's transient errors.
        """
        self._note = ""
        lines = self._first.read(pixels)
        sureness = confidence(lines)
        if sureness >= self._min_confidence:
            return lines
        try:
            others = self._second.read(pixels)
        except PermanentError as error:
            self._note = f"read by {self._first.name} at {sureness:.2f}; {self._second.name} failed: {error}"
            return lines
        return self._surer(lines, others)

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        return self._first.orientation(pixels)

    def take_note(self) -> str:
        """See `note`."""
        note, self._note = self._note, ""
        return note

    def _surer(self, lines: list[RecognisedLine], others: list[RecognisedLine]) -> list[RecognisedLine]:
        first = f"{self._first.name} at {confidence(lines):.2f}"
        second = f"{self._second.name} at {confidence(others):.2f}"
        if confidence(others) > confidence(lines):
            self._note = f"read by {second}, by {first}"
            return others
        self._note = f"read by {first}, by {second}"
        return lines


def confidence(lines: Sequence[RecognisedLine]) -> float:
    """The mean confidence 0..1 of lines, weighted by their length; 0 where nothing was read."""
    if not any(line.text.strip() for line in lines):
        return 0.0
    weights = [letters(line) for line in lines]
    return sum(w * line.confidence for w, line in zip(weights, lines, strict=True)) / sum(weights)


def letters(line: RecognisedLine) -> int:
    """How many it has, or may have where they could not be read: as many as are half as wide as high."""
    if text := line.text.strip():
        return len(text)
    top_left, top_right, _, bottom_left = line.quad
    return max(1, round(2 * math.dist(top_left, top_right) / max(1.0, math.dist(top_left, bottom_left))))


def note(engine: OcrEngine) -> str:
    """Whose reading was kept of the picture read since this was last asked, and why; empty when one
    engine was enough."""
    return engine.take_note() if isinstance(engine, SecondOpinion) else ""
