"""What stands on the broker: ids, and nothing that grows with the document."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from docpipe import Pipeline
from docpipe.models.status import QUEUES
from tests.acceptance.conftest import Services
from tests.workers import HANG_SECONDS, Workers, wait_until

LARGEST = 4096
PAGES = 60
SENTENCE = "Page {}. On 3 May 2024 Maria Delgado paid USD 1,{:03}.00 to Harwick Port Authority."


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PDF of 60 short pages, whose text alone is larger than a message may be."""
    path = tmp_path_factory.mktemp("minutes") / "minutes.pdf"
    with pymupdf.open() as document:  # type: ignore[no-untyped-call]
        for number in range(1, PAGES + 1):
            document.new_page().insert_text((72, 72), SENTENCE.format(number, number))
        document.save(path)
    return path


@pytest.fixture
def workers(services: Services, tmp_path: Path) -> Iterator[Workers]:
    """One worker that listens to no stage's queue yet."""
    with Workers(tmp_path, services.env) as workers:
        workers.start("nothing")
        workers.wait_until_ready()
        yield workers


def test_every_message_of_a_long_document_is_small_and_holds_only_ids(
    services: Services, pipeline: Pipeline, minutes: Path, workers: Workers
) -> None:
    submission = pipeline.submit(minutes)
    messages = [message for queue in QUEUES.values() for message in _let_go(queue, pipeline, services)]
    assert submission.wait(timeout=HANG_SECONDS).status == "completed"
    assert len(submission.result().pages) == PAGES

    assert len(messages) == len(QUEUES)
    assert max(map(len, messages)) < LARGEST
    ref = {"document_uuid": submission.document_uuid, "run": 1}
    assert [_arguments(message) for message in messages] == [[ref]] * len(messages)


def _let_go(queue: str, pipeline: Pipeline, services: Services) -> list[bytes]:
    """The messages that wait in the queue, all there are; then the worker gets them."""
    key = f"docpipe:{queue}"
    wait_until(lambda: list(services.messages()) == [key], f"a message waits in {queue} alone")
    waiting = services.messages()[key]
    assert pipeline.app is not None
    pipeline.app.control.add_consumer(queue, reply=True, timeout=HANG_SECONDS, limit=1)
    return waiting


def _arguments(message: bytes) -> Any:
    arguments, keywords, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert keywords == {}
    return arguments
