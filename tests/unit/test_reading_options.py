"""One document is read otherwise than all others: eagerly, embedded, and in a process of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from celery import Celery
from PIL import Image

from docpipe import errors
from docpipe.execution.options import Options
from docpipe.models.reading import ReadingOptions
from docpipe.pipeline.pipeline import Pipeline
from docpipe.testing import memory_app
from tests.engines import OneLine
from tests.unit.conftest import NewPipeline

WRONG: dict[str, dict[str, Any]] = {
    "no number": {"dpi": "300"},
    "true": {"dpi": True},
    "too coarse": {"dpi": 71},
    "too fine": {"dpi": 601},
    "no fraction": {"dpi": 200.5},
    "no list": {"languages": "eng"},
    "empty": {"languages": []},
    "no text": {"languages": [7]},
    "an option": {"languages": ["-c", "x"]},
    "a path": {"languages": ["../../etc/passwd"]},
    "two in one": {"languages": ["eng+deu"]},
    "one model": {"languages": ["eng"], "engine": "rapidocr"},
    "no engine": {"engine": ""},
    "no such engine": {"engine": "omnipage"},
    "a module": {"engine": "os:system"},
    "no name": {"engine": 7},
}


class Measuring(OneLine):
    """Reads how large the picture is, and which languages it was told."""

    name = "measuring 1"

    def __init__(self, *, languages: str = "none") -> None:
        self._languages = languages

    def read(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> list[Any]:
        (line,) = super().read(pixels)
        text = f"Width {pixels.shape[1]} pixels, languages {self._languages}."
        return [type(line)(text, line.quad, line.confidence)]


HERE = "tests.unit.test_reading_options:Measuring"
OPTIONS = Options(
    ocr_engine="tests.engines:OneLine",
    ocr_second_engine=HERE,
    ocr_min_confidence=0.0,
    ner_engine="tests.engines:Capitals",
    isolate=False,
)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A PDF of one page of 72 x 72 points that holds only a picture."""
    path = tmp_path / "scan.pdf"
    page = Image.new("RGB", (300, 300), "white")
    page.paste("black", (60, 100, 240, 130))
    page.save(path, resolution=300)
    return path


def isolated() -> Options:
    return replace(OPTIONS, isolate=True)


@pytest.fixture(params=["embedded", "eager", "in a child"])
def run(request: pytest.FixtureRequest, new_pipeline: NewPipeline) -> Any:
    """Takes a document through all stages, and returns it."""
    eager = request.param == "eager"
    options = isolated() if request.param == "in a child" else OPTIONS
    pipeline = new_pipeline(memory_app(task_always_eager=True) if eager else None, options=options)

    def taken_through(source: Path, **arguments: Any) -> str:
        if eager:
            return pipeline.submit(source, **arguments).result().text
        return pipeline.process(source, **arguments).text

    yield taken_through
    pipeline.runtime.reader.close()


def test_a_document_is_read_by_the_engine_at_the_resolution_in_the_languages_it_names(
    run: Any, scan: Path
) -> None:
    assert run(scan, project_id="usual") == "Ann met Bob."
    own = run(scan, project_id="own", dpi=144, languages=["deu", "fra"], engine=HERE)
    assert own == "Width 144 pixels, languages deu+fra."
    assert run(scan, project_id="usual again") == "Ann met Bob."
    assert run(scan, project_id="finer", dpi=72, engine=HERE) == "Width 72 pixels, languages none."


def test_what_was_said_holds_for_a_later_run(new_pipeline: NewPipeline, scan: Path) -> None:
    pipeline = new_pipeline(memory_app(task_always_eager=True), options=OPTIONS)
    submission = pipeline.submit(scan, dpi=144, engine=HERE)
    assert submission.result().text == "Width 144 pixels, languages none."
    pipeline.reprocess(submission.document_uuid)
    again = submission.result()
    assert (again.run, again.text) == (2, "Width 144 pixels, languages none.")


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_no_engine_can_be_told_is_refused_before_anything_is_written(
    app: Celery, new_pipeline: NewPipeline, note: Path, wrong: dict[str, Any]
) -> None:
    pipeline: Pipeline = new_pipeline(app)
    with pytest.raises(errors.ConfigurationError):
        pipeline.submit(note, **wrong)
    with pytest.raises(errors.ConfigurationError):
        pipeline.submit_many([note], **wrong)
    with pytest.raises(errors.ConfigurationError):
        pipeline.process(note, **wrong)
    assert pipeline.store.documents() == []


@pytest.mark.parametrize("key", ["", "k" * 256, "a\0b", 7])
def test_a_key_that_no_store_can_hold_is_refused(
    app: Celery, new_pipeline: NewPipeline, note: Path, key: Any
) -> None:
    pipeline = new_pipeline(app)
    with pytest.raises(errors.ConfigurationError, match="idempotency_key"):
        pipeline.submit(note, idempotency_key=key)
    assert pipeline.store.documents() == []


def test_a_repeated_submit_publishes_once(app: Celery, new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline(app)
    first = pipeline.submit(note, idempotency_key="k1", reprocess=True)
    again = pipeline.submit(note, idempotency_key="k1", reprocess=True)
    assert (again.document_uuid, again.task_id, again.created) == (first.document_uuid, first.task_id, False)
    other = note.with_name("other.txt")
    other.write_text("Eve left.")
    with pytest.raises(errors.IdempotencyError, match="k1"):
        pipeline.submit(other, idempotency_key="k1")


def test_what_a_later_docpipe_says_more_is_passed_over() -> None:
    said = {"dpi": 300, "languages": ["eng"], "deskew": "hard"}
    assert ReadingOptions.of_json(said) == ReadingOptions(dpi=300, languages=("eng",))
