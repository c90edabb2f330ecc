"""The wiring: submit, look, process, and a host's own stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from docpipe import errors
from docpipe.execution.plan import BUILT_IN, CHUNK, ENTITIES, GRAPH, OCR, StageSpec, own_stage
from docpipe.models import Document, DocumentStatus, Failure
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission, wait_for
from docpipe.pipeline.submitting import AT_ONCE
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import NewDocument, Part, Registered
from docpipe.testing import memory_app
from tests.engines import OPTIONS, failing
from tests.unit.conftest import NewPipeline, sent, size_of


@pytest.fixture
def pipeline(app: Celery, new_pipeline: NewPipeline) -> Pipeline:
    """Documents stay where `submit` leaves them: nobody consumes the queues."""
    return new_pipeline(app)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.txt"
    path.write_text("Eve left.")
    return path


def _words(pipeline: Pipeline, document_uuid: str) -> list[str]:
    return [word for _, word, _ in pipeline.status(document_uuid).history]


# --- submit -------------------------------------------------------------------------------------


def test_a_submitted_document_waits_for_its_first_stage(app: Celery, pipeline: Pipeline, note: Path) -> None:
    submission = pipeline.submit(note, project_id="p1", metadata={"case": 7})
    status = submission.status()
    assert submission.created
    assert (status.status, status.run, status.task_id) == ("ocr_queued", 1, submission.task_id)
    assert (status.name, status.project_id, status.result_run) == ("note.txt", "p1", None)
    (message,) = sent(app, "ocr")
    assert message.headers["id"] == submission.task_id
    assert submission.result().metadata == {"case": 7}


def test_the_same_bytes_in_the_same_project_are_one_document(
    app: Celery, pipeline: Pipeline, note: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_bytes(note.read_bytes())
    first = pipeline.submit(note, project_id="p1")
    again = pipeline.submit(copy, project_id="p1")
    assert again == Submission(first.document_uuid, first.task_id, False, pipeline.store)
    elsewhere = pipeline.submit(note, project_id="p2")
    nowhere = pipeline.submit(note)
    assert len({first.document_uuid, elsewhere.document_uuid, nowhere.document_uuid}) == 3
    assert len(sent(app, "ocr")) == 3


def test_old_results_stay_readable_until_the_new_run_completes(pipeline: Pipeline, note: Path) -> None:
    first = pipeline.process(note)
    submission = pipeline.submit(note, reprocess=True)
    waiting = submission.result()
    assert (submission.document_uuid, submission.created) == (first.document_uuid, True)
    assert (waiting.run, waiting.status, waiting.text) == (1, "ocr_queued", "Ann met Bob.")
    assert (submission.status().run, submission.status().result_run) == (2, 1)
    pipeline.process(note)
    assert (submission.result().run, submission.result().status) == (2, "completed")
    assert submission.status().result_run == 2


def test_a_failed_new_run_leaves_the_old_results(new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager()
    first = pipeline.submit(note).result()
    note_changed = failing(OCR, errors.CorruptDocumentError("torn"))
    pipeline = new_eager(note_changed, *BUILT_IN[1:], store=pipeline.store)
    document = pipeline.submit(note, reprocess=True).result()
    assert (document.run, document.text, document.mentions) == (1, first.text, first.mentions)
    assert document.status == "error_ocr"
    assert document.error is not None
    assert document.error.code == "corrupt"


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_beyond_0_to_9_is_refused(pipeline: Pipeline, note: Path, priority: int) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"priority is {priority}"):
        pipeline.submit(note, priority=priority)
    assert pipeline.store.documents() == []


def test_the_priority_travels_with_every_message(app: Celery, pipeline: Pipeline, note: Path) -> None:
    pipeline.submit(note, priority=9)
    (message,) = sent(app, "ocr")
    later = [task["options"]["priority"] for task in message.payload[2]["chain"]]
    assert [message.properties["priority"], *later] == [9, 9, 9, 9]


def test_submit_many_goes_on_after_a_failure(pipeline: Pipeline, note: Path, other: Path) -> None:
    gone = note.with_name("gone.txt")
    first, missing, last = pipeline.submit_many([note, gone, other], project_id="p1")
    assert isinstance(missing, errors.SourceNotFoundError)
    assert isinstance(first, Submission)
    assert isinstance(last, Submission)
    assert [first.status().project_id, last.status().name] == ["p1", "other.txt"]


def test_submit_many_reads_as_far_as_it_is_asked(app: Celery, pipeline: Pipeline, tmp_path: Path) -> None:
    read = []

    def papers() -> Iterator[bytes]:
        for number in range(AT_ONCE + 2):
            read.append(number)
            yield f"Paper {number}".encode()

    found = pipeline.submit_many(papers(), name="paper.txt")
    assert read == []
    next(found)
    assert len(read) == AT_ONCE
    assert len(sent(app, "ocr")) == AT_ONCE
    assert len(list(found)) == AT_ONCE + 1


def test_of_many_one_that_the_store_refuses_stops_no_other(
    app: Celery, pipeline: Pipeline, note: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = pipeline.store.register_many

    def picky(documents: Sequence[NewDocument], task_ids: Sequence[str]) -> list[Registered]:
        if any(each.name == "other.txt" for each in documents):
            raise errors.ConfigurationError("The database refuses a value.")
        return register(documents, task_ids)

    monkeypatch.setattr(pipeline.store, "register_many", picky)
    first, refused = pipeline.submit_many([note, other])
    assert isinstance(first, Submission)
    assert isinstance(refused, errors.ConfigurationError)
    assert len(sent(app, "ocr")) == 1


def test_a_wrong_argument_for_many_is_refused_before_anything_is_read(pipeline: Pipeline) -> None:
    with pytest.raises(errors.ConfigurationError, match="priority is 10"):
        pipeline.submit_many(iter([b"x"]), priority=10)
    with pytest.raises(errors.ConfigurationError, match="needs a name"):
        pipeline.submit_many(iter([b"x"]), batch="")


def test_a_batch_is_waited_for_and_reports_its_failures(
    new_eager: NewPipeline, note: Path, other: Path
) -> None:
    torn = failing(OCR, errors.CorruptDocumentError("It is torn."))
    pipeline = new_eager(torn, *BUILT_IN[1:])
    first, second = pipeline.submit_many([note, other], batch="june")
    assert isinstance(first, Submission)
    assert isinstance(second, Submission)
    status = pipeline.batch("june").wait(5)
    assert (status.documents, status.completed, status.failed, status.under_way) == (2, 1, 1, 0)
    (failure,) = pipeline.batch("june").report()
    assert (failure.document_uuid, failure.error_code) == (first.document_uuid, "corrupt")
    assert "It is torn." in str(failure.error_message)


def test_a_batch_that_is_not_done_says_how_much_is_left(pipeline: Pipeline, note: Path, other: Path) -> None:
    assert len(list(pipeline.submit_many([note, other], batch="june"))) == 2
    with pytest.raises(errors.WaitTimeoutError, match="2 of 2 documents of batch 'june'"):
        pipeline.batch("june").wait(0)
    assert pipeline.batch("june").report() == []


def test_a_batch_that_nobody_submitted_is_named(pipeline: Pipeline) -> None:
    with pytest.raises(errors.ConfigurationError, match="no batch 'may'"):
        pipeline.batch("may").status()


def test_the_largest_message_does_not_grow_with_the_document(
    app: Celery, pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "long.txt").write_text("Ann met Bob. " * 100_000)
    pipeline.submit(tmp_path / "long.txt", metadata={"notes": "n" * 10_000})
    (message,) = sent(app, "ocr")
    assert size_of(message) < 4096


def test_a_pipeline_without_an_app_only_processes(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline()
    with pytest.raises(errors.ConfigurationError, match=r"process\(\)"):
        pipeline.submit(note)
    assert pipeline.process(note).status == "completed"


# --- the broker is down -------------------------------------------------------------------------


@pytest.fixture
def cut_off(new_pipeline: NewPipeline) -> Pipeline:
    """A pipeline whose broker does not answer."""
    url = "redis://127.0.0.1:1"
    return new_pipeline(Celery("cut-off", broker=url, backend=url, set_as_current=False))


def test_without_a_broker_the_row_says_why_it_waits(cut_off: Pipeline, note: Path) -> None:
    submission = cut_off.submit(note)
    assert (submission.task_id, submission.created) == (None, True)
    assert submission.status().status == "pending"
    (summary,) = cut_off.store.documents()
    assert summary.error_message is not None
    assert "broker cannot be reached" in summary.error_message


def test_submitting_again_publishes_what_could_not_be_published(
    cut_off: Pipeline, app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    first = cut_off.submit(note)
    second = new_pipeline(app, store=cut_off.store).submit(note)
    (message,) = sent(app, "ocr")
    assert (second.document_uuid, second.created) == (first.document_uuid, False)
    assert message.headers["id"] == second.task_id == second.status().task_id
    assert cut_off.store.documents()[0].error_message is None
    assert _words(cut_off, first.document_uuid) == ["pending", "ocr_queued", "pending", "ocr_queued"]


# --- look ---------------------------------------------------------------------------------------


def test_the_result_holds_everything_that_was_found(new_eager: NewPipeline, note: Path) -> None:
    document = new_eager().submit(note).result()
    assert (document.status, document.text, document.file_type) == ("completed", "Ann met Bob.", "text/plain")
    assert [(page.number, page.start, page.end) for page in document.pages] == [(1, 0, 12)]
    assert [(chunk.start, chunk.end, chunk.text) for chunk in document.chunks] == [(0, 12, "Ann met Bob.")]
    assert [(m.text, m.label, m.start, m.end, m.page) for m in document.mentions] == [
        ("Ann", "PERSON", 0, 3, 1),
        ("Bob", "PERSON", 8, 11, 1),
    ]
    assert [(entity.name, entity.mentions) for entity in document.entities] == [("Ann", (0,)), ("Bob", (1,))]
    assert document.edges != ()


@pytest.mark.parametrize("wanted", [False, True])
def test_entities_that_share_a_sentence_are_related_by_setting(
    new_pipeline: NewPipeline, note: Path, wanted: bool
) -> None:
    pipeline = new_pipeline(options=replace(OPTIONS, co_occurrence=wanted))
    document = pipeline.process(note)
    found = [(one.type, one.source, one.target, one.count) for one in document.relations]
    assert found == [("CO_OCCURS", 0, 1, 1)] * wanted + [("RELATED_TO", 0, 1, 1)]


def test_waiting_ends_after_the_timeout_and_says_where_the_document_is(
    pipeline: Pipeline, note: Path
) -> None:
    submission = pipeline.submit(note)
    with pytest.raises(errors.WaitTimeoutError, match=r"note\.txt .* is still ocr_queued after 0 s"):
        submission.wait(timeout=0)


def test_an_unknown_document_is_named(pipeline: Pipeline) -> None:
    for look in (pipeline.status, pipeline.get, pipeline.wait):
        with pytest.raises(errors.DocumentNotFoundError, match="no document 6ab4b8f7"):
            look("6ab4b8f7")


# --- cancel -------------------------------------------------------------------------------------


def test_a_document_that_waits_is_cancelled_at_once(app: Celery, pipeline: Pipeline, note: Path) -> None:
    submission = pipeline.submit(note)
    assert pipeline.cancel(submission.document_uuid)
    assert submission.status().status == "cancelled"
    assert not pipeline.cancel(submission.document_uuid)
    with pytest.raises(errors.CancelledError, match=r"note\.txt .* was cancelled"):
        submission.wait(timeout=5)


def test_the_message_of_a_cancelled_document_does_nothing(
    app: Celery, pipeline: Pipeline, note: Path
) -> None:
    submission = pipeline.submit(note)
    pipeline.cancel(submission.document_uuid)
    (message,) = sent(app, "ocr")
    result = app.tasks["docpipe.ocr"].apply(args=message.payload[0])
    assert (result.state, submission.status().status) == ("IGNORED", "cancelled")


def test_a_completed_document_cannot_be_cancelled(pipeline: Pipeline, note: Path) -> None:
    document = pipeline.process(note)
    assert not pipeline.cancel(document.document_uuid)
    assert pipeline.status(document.document_uuid).status == "completed"


# --- process ------------------------------------------------------------------------------------


def _counting(calls: list[str]) -> StageSpec:
    def count(document: Document) -> None:
        calls.append(document.document_uuid)

    return own_stage("count", count)


def test_a_document_that_completed_before_is_returned_without_work(
    new_pipeline: NewPipeline, note: Path
) -> None:
    calls: list[str] = []
    pipeline = new_pipeline(None, (*BUILT_IN, _counting(calls)))
    first = pipeline.process(note)
    assert pipeline.process(note) == first
    assert calls == [first.document_uuid]
    assert pipeline.process(note, reprocess=True).run == 2
    assert calls == [first.document_uuid] * 2


def test_a_document_that_failed_before_is_tried_again(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline(None, (failing(OCR, errors.CorruptDocumentError("torn")), *BUILT_IN[1:]))
    with pytest.raises(errors.CorruptDocumentError) as raised:
        pipeline.process(note)
    document = pipeline.process(note)
    assert document.document_uuid == raised.value.document_uuid
    assert (document.status, document.error) == ("completed", None)


def test_a_document_that_was_cancelled_before_is_processed(pipeline: Pipeline, note: Path) -> None:
    submission = pipeline.submit(note)
    pipeline.cancel(submission.document_uuid)
    document = pipeline.process(note)
    assert (document.document_uuid, document.status) == (submission.document_uuid, "completed")


def test_a_document_that_waits_for_workers_may_be_processed_here(pipeline: Pipeline, note: Path) -> None:
    submission = pipeline.submit(note)
    assert pipeline.process(note).status == "completed"
    assert submission.status().status == "completed"


def test_processing_tries_again_what_may_work_later(new_pipeline: NewPipeline, note: Path) -> None:
    away = [errors.SourceUnavailableError("away")] * 3
    pipeline = new_pipeline(None, (failing(OCR, *away), *BUILT_IN[1:]))
    document = pipeline.process(note)
    assert pipeline.status(document.document_uuid).stages[0].attempt == 4


def test_processing_gives_up_after_the_last_retry(new_pipeline: NewPipeline, note: Path) -> None:
    away = [errors.SourceUnavailableError("away")] * 4
    pipeline = new_pipeline(None, (failing(OCR, *away), *BUILT_IN[1:]))
    with pytest.raises(errors.SourceUnavailableError) as raised:
        pipeline.process(note)
    assert (raised.value.stage, pipeline.store.documents()[0].status) == ("ocr", "error_ocr")


def test_submitted_and_processed_results_are_equal(
    new_eager: NewPipeline, new_pipeline: NewPipeline, note: Path
) -> None:
    submitted = new_eager().submit(note).result()
    processed = new_pipeline().process(note)
    assert replace(processed, document_uuid=submitted.document_uuid) == submitted


# --- a stage of one's own -----------------------------------------------------------------------


def _classify(document: Document) -> dict[str, Any]:
    return {"words": len(document.text.split()), "people": len(document.mentions)}


@pytest.mark.parametrize("eager", [False, True])
def test_a_stage_of_ones_own_sees_the_document_and_keeps_its_findings(
    new_pipeline: NewPipeline, note: Path, eager: bool
) -> None:
    stages = (OCR, CHUNK, ENTITIES, own_stage("classify", _classify, queue="mine"), GRAPH)
    pipeline = new_pipeline(memory_app(task_always_eager=True), stages)
    document = pipeline.submit(note).result() if eager else pipeline.process(note)
    assert document.extras == {"classify": {"words": 3, "people": 2}}
    assert document.status == "completed"
    words = _words(pipeline, document.document_uuid)
    mine = ["classify_processing", "classify_complete"]
    assert words[words.index("entity_complete") + 1 : words.index("graph_processing")] == mine


def test_a_stage_of_ones_own_may_find_nothing(new_pipeline: NewPipeline, note: Path) -> None:
    document = new_pipeline(None, (*BUILT_IN, own_stage("notify", lambda document: None))).process(note)
    assert (document.status, document.extras) == ("completed", {"notify": {}})


def test_a_stage_of_ones_own_is_given_only_what_it_needs(new_pipeline: NewPipeline, note: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def look(document: Document) -> None:
        seen.append((document.text, len(document.pages), len(document.chunks)))

    stages = (OCR, CHUNK, own_stage("look", look, needs=[Part.CHUNKS]))
    new_pipeline(None, stages).process(note)
    assert seen == [("", 0, 1)]


class UnsignedError(errors.PermanentError):
    """The contract is not signed."""

    code = "unsigned"


def test_a_stage_of_ones_own_fails_with_its_own_words(new_eager: NewPipeline, note: Path) -> None:
    def check(document: Document) -> None:
        raise UnsignedError

    submission = new_eager(OCR, own_stage("check_signature", check), CHUNK).submit(note)
    with pytest.raises(errors.PermanentError, match="The contract is not signed") as raised:
        submission.wait(timeout=5)
    assert (raised.value.code, raised.value.stage) == ("unsigned", "check_signature")
    assert submission.status().status == "error_check_signature"
    assert isinstance(submission.status().error, Failure)


def test_findings_that_are_not_json_are_a_bug_of_the_stage(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline(None, (OCR, own_stage("mine", lambda document: {"document": document})))
    with pytest.raises(errors.BugError, match=r"TypeError: .*JSON"):
        pipeline.process(note)
    assert pipeline.store.documents()[0].status == "error_mine"


@pytest.mark.parametrize(
    "name",
    ["ocr", "graph", "on_error", "reap", "Mine", "my stage", "my-stage", "", "x" * 40, "text", "entity"],
)
def test_a_stage_s_name_is_a_lower_case_word_of_its_own(name: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        own_stage(name, lambda document: None)


MINE = own_stage("mine", lambda document: None)


@pytest.mark.parametrize(
    "stages",
    [(), (CHUNK,), (MINE, OCR), (OCR, ENTITIES), (OCR, CHUNK, GRAPH), (OCR, CHUNK, OCR), (OCR, MINE, MINE)],
    ids=lambda stages: "-".join(stage.name for stage in stages),
)
def test_stages_that_make_no_pipeline_are_refused(
    new_pipeline: NewPipeline, stages: tuple[StageSpec, ...]
) -> None:
    with pytest.raises(errors.ConfigurationError):
        new_pipeline(None, stages)


def test_a_pipeline_may_end_early(new_pipeline: NewPipeline, note: Path) -> None:
    document = new_pipeline(None, (OCR,)).process(note)
    assert (document.status, document.text, document.chunks) == ("completed", "Ann met Bob.", ())


def test_metadata_that_is_not_json_is_refused(new_pipeline: NewPipeline, note: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="metadata must be a JSON object"):
        new_pipeline().process(note, metadata={"when": object()})


class Away(SqliteStore):
    """Away for the first looks."""

    looks = 0
    absences = 3

    def status(self, document_uuid: str) -> DocumentStatus:
        self.looks += 1
        if self.looks <= self.absences:
            raise errors.StoreUnavailableError("The store cannot be reached.")
        return super().status(document_uuid)


def test_a_wait_goes_on_while_the_store_is_away(pipeline: Pipeline, note: Path) -> None:
    assert isinstance(pipeline.store, SqliteStore)
    document = pipeline.process(note)
    store = Away(pipeline.store.path)
    assert wait_for(store, document.document_uuid).status == "completed"
    assert store.looks == store.absences + 1
    store.looks, store.absences = 0, 1_000
    with pytest.raises(errors.WaitTimeoutError, match="the store is away after 0 s"):
        wait_for(store, document.document_uuid, 0.0)
    store.close()
