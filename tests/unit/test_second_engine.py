"""A page below the least confidence is read by the second engine, all the way to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docpipe.execution.options import Options
from docpipe.models import Document
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS

Process = Callable[[Options], Document]

UNSURE = replace(OPTIONS, ocr_engine="tests.engines:Unsure")
SECOND = "tests.engines:OneLine"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    sheet = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(sheet).text((20, 40), "Ann met Bob.", "black")
    sheet.save(tmp_path / "note.png")
    return tmp_path / "note.png"


@pytest.fixture
def process(tmp_path: Path, picture: Path) -> Process:
    """Takes the picture through all stages."""

    def run(options: Options) -> Document:
        store, sources = SqliteStore(tmp_path / "docpipe.db"), Sources(uploads=tmp_path / "uploads")
        return Pipeline(store=store, sources=sources, options=options).process(picture)

    return run


def kept(document: Document) -> tuple[str, float | None, str]:
    (page,) = document.pages
    return document.text, page.confidence, page.reason


def test_the_surer_reading_is_stored_with_which_engine_it_is_from(process: Process) -> None:
    document = process(replace(UNSURE, ocr_second_engine=SECOND))
    text, confidence, reason = kept(document)
    assert (text, confidence) == ("Ann met Bob.", 0.9)
    assert reason.endswith("; read by one-line 1 at 0.90, by unsure 1 at 0.30")
    assert document.status == "completed"


def test_without_a_second_engine_a_doubtful_page_is_a_warning(process: Process) -> None:
    document = process(UNSURE)
    assert kept(document)[:2] == ("Anm rnet 8ob.", 0.3)
    assert [(warn.code, warn.page) for warn in document.warnings] == [("low_confidence", 1)]


def test_a_page_above_the_least_confidence_is_read_once(process: Process) -> None:
    text, _, reason = kept(process(replace(UNSURE, ocr_second_engine=SECOND, ocr_min_confidence=0.2)))
    assert text == "Anm rnet 8ob."
    assert "read by" not in reason
