"""The delivery: Celery tasks on the host's app, retries, and what an attempt leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, Task
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded
from kombu import Producer

from docpipe import errors
from docpipe.delivery.tasks import celery_defaults, deliver, fail_if_running
from docpipe.execution.job import Job
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.execution.policy import Policy
from docpipe.models import DocumentStatus, Ref, StageOutput
from docpipe.models.status import Stage
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.values import Outcome
from docpipe.testing import memory_app
from tests.engines import doing, failing
from tests.unit.conftest import NewPipeline, sent

TASKS = ["docpipe.ocr", "docpipe.chunk", "docpipe.entities", "docpipe.graph"]


def _with(stage: StageSpec) -> list[StageSpec]:
    """The built-in stages, with `stage` in the place of its name."""
    return [stage if stage.name == built_in.name else built_in for built_in in BUILT_IN]


def _states(status: DocumentStatus) -> list[tuple[str, int]]:
    return [(stage.state, stage.attempt) for stage in status.stages]


def _words(submission: Submission) -> list[str]:
    return [word for _, word, _ in submission.status().history]


# --- on the host's app --------------------------------------------------------------------------


def test_two_pipelines_on_two_apps_do_not_see_each_others_documents(
    new_eager: NewPipeline, note: Path
) -> None:
    one, other = new_eager(), new_eager()
    submission = one.submit(note)
    assert submission.wait().status == "completed"
    assert [summary.document_uuid for summary in one.store.documents()] == [submission.document_uuid]
    assert other.store.documents() == []
    message = {"document_uuid": submission.document_uuid, "run": 1}
    result = other.app.tasks["docpipe.ocr"].apply(args=(message,))  # type: ignore[union-attr]
    assert result.state == "IGNORED"


def test_the_tasks_exist_on_this_app_alone(new_pipeline: NewPipeline) -> None:
    app, other = memory_app(), memory_app()
    new_pipeline(app)
    assert sorted(name for name in app.tasks if name.startswith("docpipe.")) == sorted(
        [*TASKS, "docpipe.canary", "docpipe.on_error", "docpipe.pages", "docpipe.reap"]
    )
    assert [name for name in other.tasks if name.startswith("docpipe.")] == []


def test_a_second_pipeline_on_the_same_app_is_refused(new_pipeline: NewPipeline, note: Path) -> None:
    app = memory_app(task_always_eager=True)
    first = new_pipeline(app)
    with pytest.raises(errors.ConfigurationError, match="one app carries one pipeline"):
        new_pipeline(app)
    assert first.submit(note).wait().status == "completed"


def test_the_host_s_own_task_class_stays_the_base(new_pipeline: NewPipeline) -> None:
    class HostTask(Task[Any, Any]):
        pass

    app = Celery("host", task_cls=HostTask, broker="memory://", set_as_current=False)
    new_pipeline(app)
    assert all(isinstance(app.tasks[name], HostTask) for name in [*TASKS, "docpipe.on_error"])


def test_the_host_s_settings_stay_as_they_are(new_pipeline: NewPipeline) -> None:
    app = memory_app(task_serializer="json", worker_prefetch_multiplier=7)
    before = dict(app.conf)
    new_pipeline(app)
    assert dict(app.conf) == before


def test_a_batch_has_its_queue_declared_once(
    app: Celery, new_pipeline: NewPipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared: list[str] = []
    declare = Producer.maybe_declare

    def counting(producer: Producer, entity: Any, *args: Any, **options: Any) -> Any:
        declared.append(entity.name)
        return declare(producer, entity, *args, **options)

    monkeypatch.setattr(Producer, "maybe_declare", counting)
    notes = [note.with_name(f"{number}.txt") for number in range(3)]
    for number, each in enumerate(notes):
        each.write_text(f"Note {number}")
    submitted = list(new_pipeline(app).submit_many(notes))
    assert [len(submitted), len(sent(app, "ocr")), declared.count("ocr")] == [3, 3, 1]


def test_the_tasks_acknowledge_late_and_leave_no_result(new_pipeline: NewPipeline) -> None:
    app = memory_app()
    new_pipeline(app, policy=Policy(max_retries=2, soft_time_limit=30, hard_time_limit=40))
    found = [
        (task.acks_late, task.reject_on_worker_lost, task.ignore_result)
        for task in map(app.tasks.__getitem__, TASKS)
    ]
    limits = [(app.tasks[name].soft_time_limit, app.tasks[name].time_limit) for name in TASKS]
    assert (found, limits) == ([(True, True, True)] * 4, [(30, 40)] * 4)


def test_a_task_whose_child_died_comes_back_when_its_lease_has_lapsed(new_pipeline: NewPipeline) -> None:
    app = memory_app()
    new_pipeline(app, policy=Policy(lease_seconds=45))
    assert [app.tasks[name].default_retry_delay for name in TASKS] == [46] * 4


def test_the_offered_settings_outlast_the_longest_stage() -> None:
    policy = Policy(hard_time_limit=7200, backoff_cap_seconds=600)
    defaults = celery_defaults(policy, prefix="mine:")
    transport = defaults["broker_transport_options"]
    assert transport["visibility_timeout"] > 7200 + 600
    assert transport["global_keyprefix"] == "mine:"
    app = memory_app(**defaults)
    assert {name: app.conf[name] for name in defaults} == defaults


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", BUILT_IN, ids=lambda stage: str(stage.name))
def test_a_permanent_failure_ends_the_document_in_its_stage(
    new_eager: NewPipeline, note: Path, stage: StageSpec
) -> None:
    broken = failing(stage, errors.CorruptDocumentError("note.txt is torn."))
    submission = new_eager(*_with(broken)).submit(note)
    with pytest.raises(errors.CorruptDocumentError, match=r"note.txt is torn") as raised:
        submission.wait(timeout=5)
    status, place = submission.status(), [*Stage].index(Stage(stage.name))
    assert (raised.value.stage, raised.value.document_uuid) == (stage.name, submission.document_uuid)
    assert (status.status, status.graph_status) == (stage.words.error, stage.words.error)
    assert _states(status) == [("complete", 1)] * place + [("failed", 1)] + [("queued", 0)] * (3 - place)
    assert status.error is not None
    assert (status.error.code, status.error.error_class, status.error.stage) == (
        "corrupt",
        "CorruptDocumentError",
        stage.name,
    )
    assert "CorruptDocumentError: note.txt is torn." in status.error.traceback


@pytest.mark.parametrize("stage", BUILT_IN, ids=lambda stage: str(stage.name))
def test_a_stage_that_fails_twice_for_a_while_completes_at_the_third_attempt(
    new_eager: NewPipeline, note: Path, stage: StageSpec
) -> None:
    shaky = failing(stage, errors.TransientError("away"), errors.TransientError("still away"))
    submission = new_eager(*_with(shaky)).submit(note)
    assert submission.wait(timeout=5).status == "completed"
    attempts = [3 if name == stage.name else 1 for name in Stage]
    assert _states(submission.status()) == [("complete", attempt) for attempt in attempts]
    assert submission.status().error is None


def test_the_status_moves_forward_only(new_eager: NewPipeline, note: Path) -> None:
    assert _words(new_eager().submit(note)) == [
        "pending",
        *("ocr_queued", "ocr_processing", "ocr_complete"),
        *("text_processing", "text_complete"),
        *("entity_processing", "entity_complete"),
        *("graph_processing", "graph_complete"),
        "completed",
    ]


def test_when_the_retries_are_used_up_the_last_error_is_kept(new_eager: NewPipeline, note: Path) -> None:
    away = [errors.SourceUnavailableError(f"away {number}") for number in range(9)]
    submission = new_eager(*_with(failing(BUILT_IN[0], *away))).submit(note)
    with pytest.raises(errors.SourceUnavailableError, match="away 3"):
        submission.wait(timeout=5)
    status = submission.status()
    assert _states(status) == [("failed", 4), ("queued", 0), ("queued", 0), ("queued", 0)]
    assert status.error is not None
    assert (status.error.error_class, status.error.message) == ("SourceUnavailableError", "away 3")
    assert "raise waiting.pop(0)" in status.error.traceback


@pytest.mark.parametrize("propagates", [False, True])
def test_submit_does_not_raise_what_an_eager_stage_raised(
    new_eager: NewPipeline, note: Path, propagates: bool
) -> None:
    broken = failing(BUILT_IN[1], KeyError("number"))
    submission = new_eager(*_with(broken), task_eager_propagates=propagates).submit(note)
    with pytest.raises(errors.BugError, match="KeyError: 'number'"):
        submission.wait(timeout=5)


@pytest.mark.parametrize("propagates", [False, True])
def test_a_stage_that_learns_of_its_cancelling_ends_the_eager_run(
    new_eager: NewPipeline, note: Path, propagates: bool
) -> None:
    def work(job: Job) -> StageOutput:
        raise errors.CancelledError()

    submission = new_eager(*_with(doing(BUILT_IN[0], work)), task_eager_propagates=propagates).submit(note)
    assert submission.status().status == "cancelled"
    with pytest.raises(errors.CancelledError):
        submission.wait(timeout=5)


# --- deliveries ---------------------------------------------------------------------------------


@pytest.fixture
def queued(app: Celery, new_pipeline: NewPipeline, note: Path) -> tuple[Pipeline, Submission]:
    """A document that waits for its first stage."""
    pipeline = new_pipeline(app)
    return pipeline, pipeline.submit(note)


def _message(submission: Submission) -> dict[str, Any]:
    return {"document_uuid": submission.document_uuid, "run": 1}


def _ref(submission: Submission) -> Ref:
    return Ref(submission.document_uuid, 1)


def _hold(pipeline: Pipeline, submission: Submission) -> int:
    """Claim the first stage, as another worker would. Gives the token."""
    claimant = Claimant("theirs", "theirs", "elsewhere:1", lease_seconds=60.0, max_attempts=5)
    claim = pipeline.store.claim(_ref(submission), "ocr", claimant)
    assert claim.outcome is Outcome.CLAIMED
    assert claim.token is not None
    return claim.token


def _seconds(retry: Retry) -> float:
    """How long the retry waits; Celery's type knows only points in time."""
    when: Any = retry.when
    assert isinstance(when, float)
    return when


def _deliver(
    pipeline: Pipeline, submission: Submission, *, redelivered: bool = False, retries: int = 0
) -> dict[str, Any]:
    """One delivery of the first stage, as a worker makes it."""
    assert pipeline.app is not None
    task = pipeline.app.tasks["docpipe.ocr"]
    message = _message(submission)
    where = {"exchange": "", "routing_key": "ocr", "redelivered": redelivered}
    task.push_request(
        id="mine", args=(message,), kwargs={}, retries=retries, called_directly=False, delivery_info=where
    )
    try:
        return deliver(task, pipeline.stages, pipeline.runtime, message, pipeline.hand_over, lambda: None)
    finally:
        task.pop_request()


def test_a_delivery_hands_on_the_message_it_was_given(queued: tuple[Pipeline, Submission]) -> None:
    pipeline, submission = queued
    assert _deliver(pipeline, submission) == _message(submission)
    assert _states(submission.status())[:2] == [("complete", 1), ("queued", 0)]


def test_a_redelivery_of_a_complete_stage_hands_on_without_working(
    queued: tuple[Pipeline, Submission],
) -> None:
    pipeline, submission = queued
    _deliver(pipeline, submission)
    before = submission.status()
    assert _deliver(pipeline, submission, redelivered=True) == _message(submission)
    assert submission.status() == before


def test_a_twin_of_a_stage_at_work_changes_nothing(app: Celery, queued: tuple[Pipeline, Submission]) -> None:
    pipeline, submission = queued
    _hold(pipeline, submission)
    before = submission.status()
    with pytest.raises(Ignore):
        _deliver(pipeline, submission)
    assert submission.status() == before
    assert len(sent(app, "ocr")) == 1  # the one of submit


def test_a_redelivered_twin_comes_back_when_the_lease_has_lapsed(
    app: Celery, queued: tuple[Pipeline, Submission]
) -> None:
    pipeline, submission = queued
    _hold(pipeline, submission)
    with pytest.raises(Ignore):
        _deliver(pipeline, submission, redelivered=True)
    _, again = sent(app, "ocr")
    wait = datetime.fromisoformat(again.headers["eta"]) - datetime.now(UTC)
    assert 59 < wait.total_seconds() <= 61
    assert again.headers["id"] == "mine"
    assert str(again.headers["retries"]) == "0"  # nothing failed: no retry is used up


def test_a_transient_failure_is_sent_again_with_the_delay_of_the_policy(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    stages = _with(failing(BUILT_IN[0], errors.TransientError("away")))
    pipeline = new_pipeline(app, stages, policy=Policy(backoff_seconds=100))
    submission = pipeline.submit(note)
    with pytest.raises(Retry) as retry:
        _deliver(pipeline, submission)
    assert 50 <= _seconds(retry.value) <= 100
    assert submission.status().status == "ocr_processing"
    assert _states(submission.status())[0] == ("retrying", 1)
    assert len(sent(app, "ocr")) == 2


def test_a_stage_that_cannot_be_recorded_is_left_to_the_reaper_after_the_retries(
    queued: tuple[Pipeline, Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise errors.StoreUnavailableError("away")

    pipeline, submission = queued
    monkeypatch.setattr(pipeline.store, "claim", away)
    with pytest.raises(Retry):
        _deliver(pipeline, submission)
    with pytest.raises(Ignore):  # and no errback
        _deliver(pipeline, submission, retries=3)
    assert submission.status().status == "ocr_queued"


def test_a_time_limit_outside_the_work_is_left_to_the_reaper(
    queued: tuple[Pipeline, Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise SoftTimeLimitExceeded

    pipeline, submission = queued
    monkeypatch.setattr(pipeline.store, "claim", slow)
    with pytest.raises(Ignore):
        _deliver(pipeline, submission)
    assert submission.status().status == "ocr_queued"


def test_a_retry_that_cannot_be_sent_is_left_to_the_reaper(
    app: Celery, new_pipeline: NewPipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Reject("no broker", requeue=False)

    pipeline = new_pipeline(app, _with(failing(BUILT_IN[0], errors.TransientError("away"))))
    submission = pipeline.submit(note)
    monkeypatch.setattr(app.tasks["docpipe.ocr"], "retry", away)
    with pytest.raises(Ignore):
        _deliver(pipeline, submission)
    assert _states(submission.status())[0] == ("retrying", 1)


def test_a_message_about_an_unknown_document_is_dropped(queued: tuple[Pipeline, Submission]) -> None:
    pipeline, _ = queued
    stranger = {"document_uuid": "00000000-0000-0000-0000-000000000000", "run": 1}
    result = pipeline.app.tasks["docpipe.ocr"].apply(args=(stranger,))  # type: ignore[union-attr]
    assert result.state == "IGNORED"


def test_a_later_stage_that_comes_too_early_changes_nothing(queued: tuple[Pipeline, Submission]) -> None:
    pipeline, submission = queued
    before = submission.status()
    result = pipeline.app.tasks["docpipe.graph"].apply(  # type: ignore[union-attr]
        args=(_message(submission),)
    )
    assert (result.state, submission.status()) == ("IGNORED", before)


# --- the errback --------------------------------------------------------------------------------


def test_the_errback_fails_the_stage_that_still_runs_under_its_task(
    queued: tuple[Pipeline, Submission],
) -> None:
    pipeline, submission = queued
    _hold(pipeline, submission)
    assert fail_if_running(pipeline.runtime, _ref(submission), "theirs")
    with pytest.raises(errors.WorkerLostError) as raised:
        submission.wait(timeout=5)
    assert raised.value.stage == "ocr"
    assert submission.status().status == "error_ocr"


def test_the_errback_leaves_a_stage_alone_that_another_task_has_taken_up(
    queued: tuple[Pipeline, Submission],
) -> None:
    pipeline, submission = queued
    _hold(pipeline, submission)
    before = submission.status()
    assert not fail_if_running(pipeline.runtime, _ref(submission), "an earlier one")
    assert submission.status() == before


def test_the_errback_leaves_a_document_alone_that_is_not_its_own_or_has_ended(
    queued: tuple[Pipeline, Submission],
) -> None:
    pipeline, submission = queued
    assert submission.task_id is not None
    assert not fail_if_running(pipeline.runtime, _ref(submission), submission.task_id)
    pipeline.cancel(submission.document_uuid)
    before = submission.status()
    assert not fail_if_running(pipeline.runtime, _ref(submission), submission.task_id)
    assert submission.status() == before
