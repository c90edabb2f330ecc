from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from docpipe.engines import load_ocr
from docpipe.engines.ocr.contract import TEXT
from docpipe.engines.ports import OcrEngine, Quad, RecognisedLine
from docpipe.errors import PermanentError
from docpipe.testing import check_ocr_engine

Pixels = NDArray[np.uint8]
Lines = list[RecognisedLine]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rapidocr", {"inference": "onnxruntime"}),
        ("rapidocr", {"inference": "openvino"}),
        ("tesseract", {}),
    ],
)
def test_a_built_in_engine_keeps_the_contract(
    name: str, options: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if name == "tesseract":
        request.getfixturevalue(name)
    check_ocr_engine(load_ocr(name, **options))


class Exemplary:
    """Knows the lines of the picture it is checked with, and no others."""

    name = "exemplary 1"

    def read(self, pixels: Pixels) -> Lines:
        if min(pixels.shape[:2]) < 8:
            raise PermanentError("Too small.")
        if pixels.min() == 255:
            return []
        corners = [((60.0, y), (900.0, y), (900.0, y + 40), (60.0, y + 40)) for y in (36.0, 144.0, 252.0)]
        return [RecognisedLine(text, quad, 0.9) for text, quad in zip(TEXT, corners, strict=True)]

    def orientation(self, pixels: Pixels) -> int:
        return 0


def test_an_engine_that_keeps_the_contract_passes() -> None:
    check_ocr_engine(Exemplary())


def test_an_engine_that_finds_fewer_lines_than_it_reads_is_told_so() -> None:
    class ShortSighted(Exemplary):
        def find_lines(self, pixels: Pixels) -> list[Quad]:
            return [line.quad for line in self.read(pixels)[:2]]

    with pytest.raises(AssertionError, match="Of 3 lines that are read only 2 are found"):
        check_ocr_engine(ShortSighted())


def broken(how: Callable[[Pixels, Lines], Lines], degrees: int = 0) -> OcrEngine:
    class Broken(Exemplary):
        def read(self, pixels: Pixels) -> Lines:
            return how(pixels, super().read(pixels))

        def orientation(self, pixels: Pixels) -> int:
            return degrees

    return Broken()


def first_with(lines: Lines, **changes: object) -> Lines:
    return [dataclasses.replace(line, **changes) for line in lines[:1]] + lines[1:]  # type: ignore[arg-type]


def inks(pixels: Pixels, lines: Lines) -> Lines:
    pixels[:] = 0
    return lines


MIRRORED = ((900.0, 36.0), (60.0, 36.0), (60.0, 76.0), (900.0, 76.0))
OUTSIDE = ((60.0, 36.0), (4000.0, 36.0), (4000.0, 76.0), (60.0, 76.0))


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (broken(lambda _, lines: lines[1:]), "Where 'The parties .*' is printed, the engine found ''"),
        (broken(lambda _, lines: lines, degrees=90), "An upright picture is said to be turned by 90 degrees"),
        (
            broken(lambda _, lines: first_with(lines, confidence=93.0)),
            "confidence 93.0 is not between 0 and 1",
        ),
        (
            broken(lambda _, lines: first_with(lines, quad=OUTSIDE)),
            "outside the picture of 1100 x 432 pixels",
        ),
        (broken(lambda _, lines: first_with(lines, quad=MIRRORED)), "left is not left"),
        (broken(inks), "The picture was changed"),
        (broken(lambda _, lines: lines or [RecognisedLine("?", MIRRORED, 1)]), "found on a blank page"),
    ],
)
def test_an_engine_that_breaks_the_contract_is_told_how(engine: OcrEngine, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_ocr_engine(engine)


def test_an_engine_that_lets_errors_of_its_library_through_is_told_so() -> None:
    class Untranslated(Exemplary):
        def read(self, pixels: Pixels) -> Lines:
            if min(pixels.shape[:2]) < 8:
                raise ValueError("cannot reshape")
            return super().read(pixels)

    with pytest.raises(AssertionError, match="1 x 1 pixels raised ValueError, not a docpipe error"):
        check_ocr_engine(Untranslated())


def test_an_engine_that_changes_its_mind_is_told_so() -> None:
    class Fickle(Exemplary):
        score = 0.5

        def read(self, pixels: Pixels) -> Lines:
            self.score += 0.01
            return first_with(super().read(pixels), confidence=self.score)

    with pytest.raises(AssertionError, match="read differently the second time"):
        check_ocr_engine(Fickle())
