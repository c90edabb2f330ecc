"""Going on in place: a small document's stages in one task, each claimed, fenced and recorded as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore, Retry

from docpipe import errors
from docpipe.delivery.tasks import deliver
from docpipe.execution.job import Job
from docpipe.execution.plan import BUILT_IN, own_stage
from docpipe.execution.policy import Policy
from docpipe.models import Document, DocumentStatus, Ref, StageOutput
from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.values import Outcome
from tests.engines import doing, failing
from tests.unit.conftest import NewPipeline, sent

ON = Policy(in_place_characters=1000, backoff_seconds=0.001)
CHAIN = ["docpipe.graph", "docpipe.entities", "docpipe.chunk"]
"""As Celery keeps what follows the first stage: last task first."""


class Worker:
    """One process of a worker for some queues, and one document that waits for it."""

    def __init__(self, pipeline: Pipeline, note: Path, *queues: str) -> None:
        assert pipeline.app is not None
        self.pipeline, self.app = pipeline, pipeline.app
        self.submission: Submission = pipeline.submit(note)
        self.app.amqp.queues.select(list(queues or QUEUES.values()))

    def deliver(self, *, redelivered: bool = False, chain: list[str] | None = None) -> list[str]:
        """One delivery of the first stage; what it leaves of the chain."""
        task = self.app.tasks["docpipe.ocr"]
        message = {"document_uuid": self.submission.document_uuid, "run": 1}
        request: dict[str, Any] = {"args": (message,), "kwargs": {}, "called_directly": False}
        where = {"exchange": "", "routing_key": "ocr", "redelivered": redelivered}
        left = CHAIN if chain is None else chain
        task.push_request(id="mine", chain=[*left], delivery_info=where, **request)
        try:
            stages, runtime = self.pipeline.stages, self.pipeline.runtime
            given = deliver(task, stages, runtime, message, lambda *_: None, lambda: None)
            assert given == message
            return list(task.request.chain)  # type: ignore[arg-type]  # Celery's type knows no list here
        finally:
            task.pop_request()

    @property
    def status(self) -> DocumentStatus:
        return self.submission.status()

    @property
    def states(self) -> list[tuple[str, int]]:
        return [(stage.state, stage.attempt) for stage in self.status.stages]


@pytest.fixture
def worker(app: Celery, new_pipeline: NewPipeline, note: Path) -> Worker:
    return Worker(new_pipeline(app, policy=ON), note)


def test_a_small_document_costs_one_message(app: Celery, worker: Worker) -> None:
    assert worker.deliver() == []
    assert worker.status.status == "completed"
    assert [len(sent(app, queue)) for queue in QUEUES.values()] == [1, 0, 0, 0]  # the one of submit


def test_each_stage_is_claimed_and_recorded_as_ever(worker: Worker) -> None:
    worker.deliver()
    assert worker.states == [("complete", 1)] * 4
    assert {stage.task_id for stage in worker.status.stages} == {"mine"}
    assert [word for _, word, _ in worker.status.history] == [
        "pending",
        *("ocr_queued", "ocr_processing", "ocr_complete"),
        *("text_processing", "text_complete"),
        *("entity_processing", "entity_complete"),
        *("graph_processing", "graph_complete"),
        "completed",
    ]
    attempts = worker.pipeline.attempts(worker.submission.document_uuid)
    assert [(each.stage, each.ended) for each in attempts] == [(stage.name, "complete") for stage in BUILT_IN]
    tokens = [each.token for each in attempts]
    assert tokens == sorted(set(tokens))


def test_the_document_is_the_one_that_goes_from_queue_to_queue(
    app: Celery, new_pipeline: NewPipeline, worker: Worker, note: Path
) -> None:
    worker.deliver()
    found, other = worker.submission.result(), new_pipeline().process(note)
    assert _results(found) == _results(other)
    assert found.entities


def _results(document: Document) -> tuple[Any, ...]:
    parts = (document.text, document.pages, document.chunks, document.mentions, document.entities)
    return (*parts, document.relations, document.edges, document.facts, document.warnings, document.metadata)


def test_it_is_off_by_default(app: Celery, new_pipeline: NewPipeline, note: Path) -> None:
    worker = Worker(new_pipeline(app), note)
    assert worker.deliver() == CHAIN
    assert worker.states[:2] == [("complete", 1), ("queued", 0)]


def test_a_document_of_just_so_many_characters_is_small(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    characters = len(note.read_text().strip())
    small = Worker(new_pipeline(app, policy=Policy(in_place_characters=characters)), note)
    assert small.deliver() == []


def test_a_longer_document_goes_from_queue_to_queue(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    characters = len(note.read_text().strip()) - 1
    worker = Worker(new_pipeline(app, policy=Policy(in_place_characters=characters)), note)
    assert worker.deliver() == CHAIN
    assert worker.states[:2] == [("complete", 1), ("queued", 0)]


def test_it_goes_as_far_as_the_worker_serves_the_queues(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    worker = Worker(new_pipeline(app, policy=ON), note, "ocr", "text", "graph")
    assert worker.deliver() == ["docpipe.graph", "docpipe.entities"]
    assert worker.states == [("complete", 1), ("complete", 1), ("queued", 0), ("queued", 0)]


def test_it_goes_as_far_as_the_chain(worker: Worker) -> None:
    assert worker.deliver(chain=["docpipe.chunk"]) == []
    assert worker.states == [("complete", 1), ("complete", 1), ("queued", 0), ("queued", 0)]


def test_a_stage_of_the_hosts_own_that_needs_more_reads_it(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    seen: list[Document] = []

    def look(document: Document) -> dict[str, int]:
        seen.append(document)
        return {"chunks": len(document.chunks)}

    stages = (*BUILT_IN[:2], own_stage("look", look, queue="text"), *BUILT_IN[2:])
    worker = Worker(new_pipeline(app, stages, policy=ON), note)
    assert worker.deliver(chain=["docpipe.graph", "docpipe.entities", "docpipe.look", "docpipe.chunk"]) == []
    assert worker.states == [("complete", 1)] * 5
    assert (len(seen), len(seen[0].chunks)) == (1, 1)
    assert worker.submission.result().extras == {"look": {"chunks": 1}}


def test_a_failure_in_place_is_retried_from_the_same_message(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    stages = [BUILT_IN[0], failing(BUILT_IN[1], errors.TransientError("away")), *BUILT_IN[2:]]
    worker = Worker(new_pipeline(app, stages, policy=ON), note)
    with pytest.raises(Retry):
        worker.deliver()
    assert worker.states[:2] == [("complete", 1), ("retrying", 1)]
    assert [message.headers["task"] for message in sent(app, "ocr")][-1] == "docpipe.ocr"
    assert worker.deliver() == []
    assert worker.states == [("complete", 1), ("complete", 2), ("complete", 1), ("complete", 1)]


def test_a_failure_for_good_fails_the_stage_in_which_it_came(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    stages = [*BUILT_IN[:2], failing(BUILT_IN[2], errors.PermanentError("no")), BUILT_IN[3]]
    worker = Worker(new_pipeline(app, stages, policy=ON), note)
    with pytest.raises(errors.PermanentError):
        worker.deliver()
    assert worker.status.status == "error_entity_extraction"
    assert [state for state, _ in worker.states] == ["complete", "complete", "failed", "queued"]


def test_after_a_death_in_place_the_message_waits_for_the_dead_ones_lease(
    app: Celery, worker: Worker
) -> None:
    """Celery delivers it again; the stage that died is still leased."""
    store, ref = worker.pipeline.store, Ref(worker.submission.document_uuid, 1)
    for stage in BUILT_IN[:2]:
        claim = store.claim(ref, stage.name, Claimant(stage.name, "mine", "dead:1", 60.0, 5))
        assert claim.outcome is Outcome.CLAIMED
        assert claim.token is not None
        if stage is BUILT_IN[0]:
            assert store.finish(ref, stage.name, claim.token, StageOutput(text="Ann", pages=()))
    with pytest.raises(Ignore):
        worker.deliver(redelivered=True)
    assert worker.states[:2] == [("complete", 1), ("running", 1)]
    again = sent(app, "ocr")[-1]
    assert (again.headers["id"], again.headers["task"]) == ("mine", "docpipe.ocr")
    assert again.headers["eta"] is not None


def test_the_errback_of_a_death_in_place_fails_the_stage_that_died(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    """As the message is refused for good, its errback names the one task that ran them all."""
    seen: list[bool] = []

    def die(job: Job) -> StageOutput:
        errback = app.tasks["docpipe.on_error"]
        errback({"document_uuid": job.document.document_uuid, "run": 1, "task_id": "mine"})
        seen.append(True)
        return StageOutput(chunks=())

    stages = [BUILT_IN[0], doing(BUILT_IN[1], die), *BUILT_IN[2:]]
    worker = Worker(new_pipeline(app, stages, policy=ON), note)
    with pytest.raises(Ignore):
        worker.deliver()
    assert seen == [True]
    assert worker.status.status == "error_text_processing"
    assert worker.states[2:] == [("queued", 0), ("queued", 0)]


def test_a_cancelled_document_stops_between_two_stages(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    def cancel(job: Job) -> StageOutput:
        assert serving.pipeline.cancel(job.document.document_uuid)
        return StageOutput(text="Ann", pages=())

    serving = Worker(new_pipeline(app, [doing(BUILT_IN[0], cancel), *BUILT_IN[1:]], policy=ON), note)
    assert serving.deliver() == CHAIN, "whose next task finds the run over"
    assert serving.status.status == "cancelled"
    assert [attempt for _, attempt in serving.states] == [1, 0, 0, 0]
