from __future__ import annotations

import numpy as np
import pytest

from docpipe.engines import load_ocr
from docpipe.engines.ocr.contract import TEXT, page
from docpipe.engines.ocr.tesseract import TesseractEngine
from docpipe.errors import ConfigurationError, PermanentError
from tests.needs import unavailable

needs_tesseract = pytest.mark.usefixtures("tesseract")


def test_without_the_command_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="apt install tesseract-ocr"):
        load_ocr("tesseract")


@needs_tesseract
def test_lines_are_read_with_the_boxes_of_their_words() -> None:
    lines = TesseractEngine().read(page(TEXT))
    assert [line.text for line in lines] == list(TEXT)
    for row, line in enumerate(lines):
        (x0, y0), (x1, _), (_, y1), _ = line.quad
        assert 55 <= x0 <= 70
        assert 700 <= x1 <= 1000
        assert 36 + 108 * row <= y0 < y1 <= 36 + 108 * row + 54


@needs_tesseract
def test_words_below_the_least_score_are_left_out() -> None:
    assert TesseractEngine(min_score=1.01).read(page(TEXT)) == []


@needs_tesseract
def test_the_orientation_is_what_brings_the_page_upright() -> None:
    engine, upright = TesseractEngine(), page(TEXT * 4)
    found = [engine.orientation(np.rot90(upright, turns).copy()) for turns in range(4)]
    if not any(found):
        unavailable("tesseract has no data for orientation. Run: apt-get install tesseract-ocr-osd")
    assert found == [0, 270, 180, 90]


@needs_tesseract
def test_a_language_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigurationError, match="apt install tesseract-ocr-xyz"):
        load_ocr("tesseract", languages="eng+xyz")


@needs_tesseract
def test_a_picture_it_cannot_take_is_a_permanent_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docpipe.engines.ocr.tesseract._as_bmp", lambda pixels: b"no picture")
    with pytest.raises(PermanentError, match="Tesseract cannot read this picture"):
        TesseractEngine().read(page(TEXT))
