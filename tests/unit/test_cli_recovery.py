"""`docpipe cancel|resume|retry|quarantine`: which documents are chosen, and what is said about them."""

from __future__ import annotations

import pytest

from docpipe import errors, set_default_pipeline
from docpipe.models import Ref
from docpipe.pipeline import Pipeline
from docpipe.plan import CHUNK, ENTITIES, GRAPH, OCR
from docpipe.stores.port import Outcome
from tests.engines import failing
from tests.unit.conftest import Docpipe, NewPipeline


@pytest.fixture
def pipeline(new_eager: NewPipeline, docpipe: Docpipe) -> Pipeline:
    """Two documents failed in different ways, one completed; what failed works the next time."""
    chunk = failing(CHUNK, errors.CorruptDocumentError("Torn."), errors.EmptyDocumentError("Nothing."))
    pipeline = new_eager(OCR, chunk, ENTITIES, GRAPH)
    set_default_pipeline(pipeline)
    for name in ("torn.txt", "empty.txt", "good.txt"):
        pipeline.submit(f"Ann met Bob: {name}".encode(), name=name, project_id=name[0])
    return pipeline


def statuses(pipeline: Pipeline) -> dict[str, str]:
    return {each.name: each.status for each in pipeline.store.documents()}


def uuid_of(pipeline: Pipeline, name: str) -> str:
    return next(each.document_uuid for each in pipeline.store.documents() if each.name == name)


def test_a_dry_run_lists_and_changes_nothing(docpipe: Docpipe, pipeline: Pipeline) -> None:
    before = statuses(pipeline)
    done = docpipe("retry", "--failed", "--dry-run")
    assert [line.split()[1:3] for line in done.out.splitlines()] == [
        ["error_text_processing", "empty.txt"],
        ["error_text_processing", "torn.txt"],
    ]
    assert (done.code, statuses(pipeline)) == (0, before)
    assert "2 documents match; nothing was changed" in done.err


def test_failed_documents_are_resumed(docpipe: Docpipe, pipeline: Pipeline) -> None:
    done = docpipe("retry", "--failed")
    assert (done.code, done.out.count(" resumed\n")) == (0, 2)
    assert set(statuses(pipeline).values()) == {"completed"}


def test_only_the_error_class_asked_for_is_resumed(docpipe: Docpipe, pipeline: Pipeline) -> None:
    docpipe("retry", "--error-class", "corrupt")
    assert statuses(pipeline) == {
        "torn.txt": "completed",
        "empty.txt": "error_text_processing",
        "good.txt": "completed",
    }


def test_the_project_and_the_stage_narrow_the_choice(docpipe: Docpipe, pipeline: Pipeline) -> None:
    assert docpipe("retry", "--failed", "--project", "e", "--dry-run").out.count("\n") == 1
    assert docpipe("retry", "--failed", "--stage", "graph", "--dry-run").out == ""
    assert docpipe("retry", "--failed", "--since", "2999-01-01", "--dry-run").out == ""


def test_completed_documents_are_done_again_from_a_stage(docpipe: Docpipe, pipeline: Pipeline) -> None:
    done = docpipe("retry", "--completed", "--engine", "capitals", "--from-stage", "entities")
    uuid = uuid_of(pipeline, "good.txt")
    assert done.out == f"{uuid} begins a new run from entities\n"
    status = pipeline.status(uuid)
    assert (status.run, status.result_run, status.status) == (2, 2, "completed")
    assert [stage.attempt for stage in status.stages] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [((), "Say which"), (("--completed",), "--completed needs --from-stage")],
)
def test_a_retry_must_say_what(docpipe: Docpipe, options: tuple[str, ...], said: str) -> None:
    done = docpipe("retry", *options)
    assert done.code == 2
    assert said in done.err


def test_resume_and_cancel_say_when_there_is_nothing_to_do(docpipe: Docpipe, pipeline: Pipeline) -> None:
    uuid = uuid_of(pipeline, "good.txt")
    assert docpipe("resume", uuid).out == f"{uuid} has nothing to resume\n"
    assert docpipe("cancel", uuid).out == f"{uuid} is final already\n"


def test_quarantine_lists_and_releases_what_was_started_too_often(
    docpipe: Docpipe, pipeline: Pipeline
) -> None:
    failed = pipeline.status(uuid_of(pipeline, "torn.txt"))
    resumed = pipeline.store.resume(failed.document_uuid, "again")
    assert resumed is not None
    ref = Ref(failed.document_uuid, failed.run)
    for _ in range(2):
        taken = pipeline.store.claim(
            ref, "chunk", claim_id="", task_id="", worker="", lease_seconds=-1.0, max_attempts=2
        )
    assert taken.outcome is Outcome.CLAIMED
    pipeline.store.revive(ref, grace_seconds=0.0, max_attempts=1, task_id="t")
    assert docpipe("quarantine", "list").out.startswith(
        f"{ref.document_uuid} error_text_processing torn.txt poison"
    )
    other = uuid_of(pipeline, "good.txt")
    assert docpipe("quarantine", "release", other).out == f"{other} is not in quarantine\n"
    assert docpipe("quarantine", "release", "--all").out == f"{ref.document_uuid} released\n"
    assert pipeline.status(ref.document_uuid).status == "completed"
    assert docpipe("quarantine", "list").out == ""


def test_release_wants_names_or_all(docpipe: Docpipe, pipeline: Pipeline) -> None:
    assert docpipe("quarantine", "release").code == 2
