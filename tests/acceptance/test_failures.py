"""Each stage fails in turn, on a real worker: for good, or twice and then no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pymupdf
import pytest

from docpipe import Pipeline, Submission, errors
from docpipe.models import DocumentStatus, Failure
from docpipe.models.status import QUEUES, WORDS, Stage
from tests.acceptance.conftest import Services
from tests.acceptance.failing import MESSAGE
from tests.workers import HANG_SECONDS, Workers, wait_until

STAGES = [*Stage]
PERMANENT = {
    Stage.OCR: ("CorruptDocumentError", errors.CorruptDocumentError),
    Stage.CHUNK: ("ValueError", errors.BugError),  # what nobody expected
    Stage.ENTITIES: ("ConfigurationError", errors.ConfigurationError),
    Stage.GRAPH: ("DocumentTooLargeError", errors.DocumentTooLargeError),
}
BACKOFF_SECONDS = 0.5
LEAST_WAITS = (BACKOFF_SECONDS / 2, BACKOFF_SECONDS)

each_stage = pytest.mark.parametrize("stage", STAGES)
Submit = Callable[[Stage, str, int], Submission]


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A picture with something on it: the ocr stage asks its engine."""
    pixmap = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 300, 60))  # type: ignore[no-untyped-call]
    pixmap.clear_with(255)  # type: ignore[no-untyped-call]
    pixmap.set_rect(pymupdf.IRect(10, 10, 290, 40), (0,))  # type: ignore[no-untyped-call]
    return bytes(pixmap.tobytes("png"))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def plan(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that tells the worker's tools how to fail; one worker serves all queues meanwhile."""
    folder = tmp_path_factory.mktemp("failing")
    file = folder / "trouble.json"
    env = services.env | {"TROUBLE": str(file), "DOCPIPE_BACKOFF_SECONDS": str(BACKOFF_SECONDS)}
    with Workers(folder, env, app="tests.acceptance.failing_worker") as workers:
        workers.start(*QUEUES.values())
        workers.wait_until_ready()
        yield file


@pytest.fixture
def submit(pipeline: Pipeline, plan: Path, picture: bytes) -> Submit:
    """Submits the picture as a document of its own, after telling the tools to fail."""

    def submit(stage: Stage, error: str, times: int) -> Submission:
        plan.write_text(json.dumps({"stage": stage, "error": error, "times": times}))
        return pipeline.submit(picture, name="picture.png", project_id=f"{stage}-{error}-{times}")

    return submit


@each_stage
def test_a_stage_that_fails_for_good_ends_the_document(
    submit: Submit, services: Services, stage: Stage
) -> None:
    told, expected = PERMANENT[stage]
    submission = submit(stage, told, 99)
    with pytest.raises(expected, match=MESSAGE) as raised:
        submission.wait(timeout=HANG_SECONDS)
    status = submission.status()

    assert (type(raised.value), raised.value.stage) == (expected, stage)
    assert (status.status, status.graph_status) == (WORDS[stage].error, WORDS[stage].error)
    assert _summary(_failure_of(status, stage)) == (expected.code, expected.__name__, stage)
    assert _ledger(status) == _ledger_that_stopped_at(stage)
    assert _error_in_table(services, submission).startswith(_text_of(told))
    wait_until(lambda: services.idle, "no message is left")


def _summary(failure: Failure) -> tuple[str, str, str | None]:
    assert MESSAGE in failure.message
    return failure.code, failure.error_class, failure.stage


def _failure_of(status: DocumentStatus, stage: Stage) -> Failure:
    (failure,) = [row.error for row in status.stages if row.stage == stage]
    assert failure is not None
    assert status.error is not None
    assert _summary(status.error) == _summary(failure)
    return failure


def _ledger(status: DocumentStatus) -> list[tuple[str, str, int]]:
    return [(row.stage, row.state, row.attempt) for row in status.stages]


def _ledger_that_stopped_at(stage: Stage) -> list[tuple[str, str, int]]:
    position = STAGES.index(stage)
    before = [(earlier.value, "complete", 1) for earlier in STAGES[:position]]
    after = [(later.value, "queued", 0) for later in STAGES[position + 1 :]]
    return [*before, (stage.value, "failed", 1), *after]


def _error_in_table(services: Services, submission: Submission) -> str:
    query = "select error_message from source_documents where document_uuid = %s"
    ((message,),) = services.query(query, submission.document_uuid)
    return str(message)


def _text_of(told: str) -> str:
    return f"{told}: {MESSAGE}" if told == "ValueError" else MESSAGE


@each_stage
def test_a_stage_that_fails_twice_and_then_works_completes_after_retries(
    submit: Submit, stage: Stage
) -> None:
    submission = submit(stage, "SourceUnavailableError", 2)
    status = submission.wait(timeout=HANG_SECONDS)

    assert (status.status, status.graph_status, status.error) == ("completed", "completed", None)
    attempts = [(one.value, "complete", 3 if one is stage else 1) for one in STAGES]
    assert _ledger(status) == attempts
    names = [entity.name for entity in submission.result().entities]
    assert names == ["Maria Delgado", "Thomas Whitfield"]
    starts = [at for at, word, _ in status.history if word == WORDS[stage].processing]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(starts)]
    # the wait doubles from retry to retry; jitter takes at most half of it
    assert [wait for wait, least in zip(gaps, LEAST_WAITS, strict=True) if wait < least] == []


@each_stage
def test_a_stage_that_never_works_again_ends_after_the_last_retry(submit: Submit, stage: Stage) -> None:
    submission = submit(stage, "RateLimitedError", 99)
    with pytest.raises(errors.RateLimitedError, match=MESSAGE):
        submission.wait(timeout=HANG_SECONDS)
    status = submission.status()
    assert status.status == WORDS[stage].error
    assert [row.attempt for row in status.stages if row.stage == stage] == [4]
