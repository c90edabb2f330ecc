"""How far documents are: shown on a terminal page by page, and nowhere else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from docpipe.cli.page_progress import Step, Steps, live_step
from docpipe.execution.progress import NoProgress
from docpipe.models import Ref
from docpipe.stores.ledger_terms import Claimant
from docpipe.testing import memory_app
from tests.numbered import Pages, scan
from tests.terminal import COLUMNS, on_terminal
from tests.unit.conftest import ROOT, NewPipeline
from tests.workers import wait_until

COMMAND = (sys.executable, "-c", "from docpipe.cli import main; main()")


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(tmp_path / "home"),
        "PAGES_FOLDER": str(tmp_path),
        "DOCPIPE_OCR_ENGINE": "tests.numbered:Numbered",
        "DOCPIPE_OCR_DPI": "72",
        "DOCPIPE_NER_ENGINE": "tests.engines:Capitals",
        "DOCPIPE_SANDBOX_WAIVE": "environment,files",
    }


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_terminal_shows_page_after_page_and_what_is_printed_goes_where_it_should(
    jobs: str, env: dict[str, str], pages: Pages, tmp_path: Path
) -> None:
    short = scan(tmp_path / "short.pdf", [20])
    long = scan(tmp_path / "a name that is far too long for a line.pdf", range(1, 13))
    pages.tell("hold", 8)
    found = tmp_path / "found.jsonl"
    with on_terminal([*COMMAND, "run", "--json", "--jobs", jobs, short, long], env, found) as run:
        wait_until(
            lambda: run.shows("a name that is …line.pdf ocr", "7/12 pages", "pages/s"), "page 7 is done"
        )
        wait_until(lambda: run.shows("1 of 2 documents", "8 pages", "pages/s"), "one document is done")
        pages.untell("hold", 8)
        assert run.end() == 0
    assert max(map(len, run.lines)) <= COLUMNS
    documents = [json.loads(line) for line in found.read_text().splitlines()]
    assert sorted(len(each["pages"]) for each in documents) == [1, 12]


def test_each_stage_that_takes_long_tells_its_pages(new_pipeline: NewPipeline, tmp_path: Path) -> None:
    told: list[Step] = []
    steps = Steps(told.append)
    steps.document = "three.pdf"
    with pymupdf.open() as document:  # type: ignore[no-untyped-call]
        for name in ("Ann", "Bob", "Eve"):
            document.new_page().insert_text((72, 72), f"{name} left the house and went to town.")
        document.save(tmp_path / "three.pdf")
    new_pipeline(progress=steps).process(tmp_path / "three.pdf")
    assert [(step.done, step.pages) for step in told if step.stage == "ocr"] == [
        *((0, 0), (0, 3), (1, 3), (2, 3), (3, 3))
    ]
    assert [(step.done, step.pages) for step in told if step.stage == "entities"] == [
        *((0, 0), (0, 3), (1, 3), (2, 3))  # a page is passed when a name behind it comes
    ]


class Told(NoProgress):
    """A live copy that holds this of every stage."""

    def __init__(self, **metadata: int) -> None:
        self._metadata = metadata

    def told(self, document_uuid: str, phase: str) -> dict[str, Any]:
        return self._metadata


def test_a_wait_shows_the_stage_that_runs_and_its_pages(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline(memory_app(), progress=Told(done=3, total=12))
    submission = pipeline.submit(note)
    assert live_step(pipeline, "note.txt", submission.status()) is None
    claimant = Claimant("c", "t", "w", lease_seconds=60.0, max_attempts=5)
    pipeline.store.claim(Ref(submission.document_uuid, 1), "ocr", claimant)
    assert live_step(pipeline, "note.txt", submission.status()) == Step("note.txt", "ocr", 3, 12)


def test_without_a_live_copy_a_wait_shows_the_stage(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline(memory_app())
    submission = pipeline.submit(note)
    claimant = Claimant("c", "t", "w", lease_seconds=60.0, max_attempts=5)
    pipeline.store.claim(Ref(submission.document_uuid, 1), "ocr", claimant)
    assert live_step(pipeline, "note.txt", submission.status()) == Step("note.txt", "ocr")
