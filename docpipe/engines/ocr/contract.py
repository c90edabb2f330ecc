"""What every OCR engine keeps to, as a check to run on any: `docpipe.testing.check_ocr_engine`."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docpipe.engines.ports import FindsLines, OcrEngine, Quad, RecognisedLine
from docpipe.errors import DocpipeError

Pixels = NDArray[np.uint8]

TEXT = (
    "The parties to this agreement are named below.",
    "Payment is due within thirty days of delivery.",
    "Notices shall be sent to the registered office.",
)
_LETTERS = 36
_STEP = 3 * _LETTERS
"""Pixels: the size of the letters, and from one line to the next."""
_LIKENESS = 0.9
_ODD_SHAPES = ((1, 1), (1, 2000), (2000, 1), (7, 3))
"""Height and width of pictures that cannot hold a line."""


def check(engine: OcrEngine) -> None:
    """Raise `AssertionError` with a sentence when the engine breaks the contract of `OcrEngine`."""
    assert engine.name.strip(), "The name is empty: it is stored with the results."
    picture = page(TEXT)
    before = picture.copy()
    lines = engine.read(picture)
    degrees = engine.orientation(picture)
    assert np.array_equal(picture, before), "The picture was changed: others look at it afterwards."
    assert degrees == 0, f"An upright picture is said to be turned by {degrees} degrees."
    _check_text(lines)
    for line in lines:
        assert 0 <= line.confidence <= 1, f"The confidence {line.confidence} is not between 0 and 1."
    quads = [line.quad for line in lines]
    if isinstance(engine, FindsLines):
        found = engine.find_lines(picture)
        assert len(found) >= len(TEXT), f"Of {len(TEXT)} lines that are read only {len(found)} are found."
        quads += found
    for quad in quads:
        _check_quad(quad, picture)
    assert engine.read(before) == lines, "The same picture was read differently the second time."
    _check_blank(engine)
    for shape in _ODD_SHAPES:
        _check_shape(engine, shape)


def page(lines: Sequence[str]) -> Pixels:
    """Black text on white paper, blue-green-red."""
    sheet = Image.new("RGB", (1100, _STEP * (len(lines) + 1)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, text in enumerate(lines):
        pen.text((60, _top(row)), text, "black", ImageFont.load_default(_LETTERS))
    return np.ascontiguousarray(np.asarray(sheet)[:, :, ::-1])


def _top(row: int) -> int:
    return _LETTERS + row * _STEP


def _check_text(lines: Sequence[RecognisedLine]) -> None:
    for row, expected in enumerate(TEXT):
        here = [line for line in lines if _top(row) <= _middle(line.quad) < _top(row) + _STEP // 2]
        found = " ".join(line.text for line in sorted(here, key=lambda line: line.quad[0][0]))
        assert SequenceMatcher(None, expected, found).ratio() >= _LIKENESS, (
            f"Where {expected!r} is printed, the engine found {found!r}."
        )


def _middle(quad: Quad) -> float:
    return sum(y for _, y in quad) / 4


def _check_quad(quad: Quad, picture: Pixels) -> None:
    height, width = picture.shape[:2]
    assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in quad), (
        f"The corners {quad} lie outside the picture of {width} x {height} pixels."
    )
    top_left, top_right, bottom_right, bottom_left = quad
    assert top_left[0] < top_right[0] and bottom_left[0] < bottom_right[0], f"{quad}: left is not left."
    assert top_left[1] < bottom_left[1] and top_right[1] < bottom_right[1], f"{quad}: top is not on top."


def _check_blank(engine: OcrEngine) -> None:
    blank = np.full((600, 800, 3), 255, np.uint8)
    assert engine.read(blank) == [], "Text was found on a blank page."
    assert engine.orientation(blank) == 0, "A blank page is said to be turned."


def _check_shape(engine: OcrEngine, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 255, np.uint8)
    try:
        lines = engine.read(picture)
    except DocpipeError:
        return
    except Exception as error:  # whatever it is, it is the engine's fault
        raise AssertionError(
            f"A picture of {shape[1]} x {shape[0]} pixels raised {type(error).__name__}, not a docpipe error."
        ) from error
    assert lines == [], f"Text was found on a blank picture of {shape[1]} x {shape[0]} pixels."
