"""Who is told in Python when a document is complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from docpipe.delivery.signals import document_completed
from tests.unit.conftest import NewPipeline

Told = list[tuple[Any, str, int]]


@pytest.fixture
def told() -> Iterator[Told]:
    found: Told = []

    def receiver(sender: Any, document_uuid: str, run: int, **_: Any) -> None:
        found.append((sender, document_uuid, run))

    document_completed.connect(receiver)
    yield found
    document_completed.disconnect(receiver)


def test_a_receiver_is_told_once_of_each_completed_run(new_eager: NewPipeline, told: Told) -> None:
    pipeline = new_eager()
    uuid = pipeline.submit(b"Ann met Bob.", name="note.txt").document_uuid
    pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf")
    pipeline.reprocess(uuid, from_stage="graph")
    assert told == [(pipeline, uuid, 1), (pipeline, uuid, 2)]


def test_what_a_receiver_raises_holds_nothing_up(
    new_pipeline: NewPipeline, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(**_: Any) -> None:
        raise ValueError("the index is away")

    document_completed.connect(failing)
    try:
        document = new_pipeline().process(b"Ann met Bob.", name="note.txt")
    finally:
        document_completed.disconnect(failing)
    assert document.status == "completed"
    assert [uuid for _, uuid, _ in told] == [document.document_uuid]
    assert "the index is away" in caplog.text


def test_a_hosts_function_is_called_once_of_each_completed_run(new_eager: NewPipeline) -> None:
    told: list[tuple[str, int]] = []
    pipeline = new_eager(on_complete=lambda document_uuid, run: told.append((document_uuid, run)))
    uuid = pipeline.submit(b"Ann met Bob.", name="note.txt").document_uuid
    pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf")
    pipeline.reprocess(uuid, from_stage="graph")
    assert told == [(uuid, 1), (uuid, 2)]


def test_what_a_hosts_function_raises_is_a_warning_and_others_are_told(
    new_pipeline: NewPipeline, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(document_uuid: str, run: int) -> None:
        raise ValueError(f"run {run} is not wanted")

    document = new_pipeline(on_complete=failing).process(b"Ann met Bob.", name="note.txt")
    assert document.status == "completed"
    assert [uuid for _, uuid, _ in told] == [document.document_uuid]
    assert "run 1 is not wanted" in caplog.text
