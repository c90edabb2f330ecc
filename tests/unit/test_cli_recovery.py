"""`docpipe cancel|resume|retry|quarantine`: which documents are chosen, and what is said about them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from docpipe import errors, set_default_pipeline
from docpipe.execution.job import Job
from docpipe.execution.plan import CHUNK, ENTITIES, GRAPH, OCR
from docpipe.models import PageRange, Ref, StageOutput, Warn
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.values import NewDocument, Outcome
from tests.engines import doing, failing
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


def test_the_type_the_version_and_the_confidence_narrow_the_choice(
    docpipe: Docpipe, pipeline: Pipeline
) -> None:
    def count(*options: str) -> int:
        return docpipe("retry", "--failed", *options, "--dry-run").out.count("\n")

    failed = count()
    assert failed > 0
    assert (count("--file-type", "txt"), count("--file-type", "pdf")) == (failed, 0)
    assert (count("--docpipe-version", "9."), count("--confidence-below", "0.9")) == (0, 0)


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
        taken = pipeline.store.claim(ref, "chunk", Claimant("", "", "", lease_seconds=-1.0, max_attempts=2))
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


@pytest.fixture
def lost(new_eager: NewPipeline, docpipe: Docpipe) -> Pipeline:
    """A document that lacks its second page, which is read the next time, and one that lacks none."""

    def work(job: Job) -> StageOutput:
        warnings = (Warn("page_failed", "Torn.", 2),) if first.pop("time", False) else ()
        return replace(OCR.load()(job), warnings=warnings)

    first = {"time": True}
    pipeline = new_eager(doing(OCR, work), CHUNK, ENTITIES, GRAPH)
    set_default_pipeline(pipeline)
    for name in ("torn.txt", "good.txt"):
        pipeline.submit(f"Ann met Bob: {name}".encode(), name=name)
    return pipeline


def test_pages_that_failed_are_listed_and_read_again(docpipe: Docpipe, lost: Pipeline) -> None:
    torn = uuid_of(lost, "torn.txt")
    assert "page_failed page 2: Torn." in docpipe("status", torn).out
    listed = docpipe("retry", "--failed-pages", "--dry-run")
    assert [line.split()[:3] for line in listed.out.splitlines()] == [
        [torn, "completed_with_warnings", "torn.txt"]
    ]
    assert docpipe("retry", "--failed-pages").out == f"{torn} reads its failed pages again\n"
    assert statuses(lost) == {"torn.txt": "completed", "good.txt": "completed"}
    assert docpipe("retry", "--failed-pages").out == ""


def test_the_status_shows_how_far_the_ranges_of_a_document_are(docpipe: Docpipe, pipeline: Pipeline) -> None:
    taken = pipeline.sources.take_in(b"of four pages", "long.txt")
    plan = [stage.planned for stage in pipeline.stages]
    store = pipeline.store
    new = NewDocument("6ab4b8f7", None, taken.name, taken.uri, taken.digest, taken.size, {}, plan)
    ref = store.register(new).ref
    claimant = Claimant("c", "t", "w", lease_seconds=60.0, max_attempts=5)
    token = store.claim(ref, "ocr", claimant).token
    assert token is not None
    store.ranges.split(ref, "ocr", token, (PageRange(1, 3), PageRange(4, 4)), 2)
    taken_range = store.ranges.claim(ref, 1, claimant).token
    assert taken_range is not None
    assert "pages: 0 of 4 read, 3 in work" in docpipe("status", ref.document_uuid).out
    store.ranges.finish(ref, taken_range, StageOutput(text="", pages=()), 2)
    assert "pages: 3 of 4 read, 0 in work" in docpipe("status", ref.document_uuid).out


def test_a_pause_holds_documents_and_resume_lets_them_go_on(docpipe: Docpipe, pipeline: Pipeline) -> None:
    assert docpipe("pause", "--stage", "ocr").err == "paused\n"
    assert docpipe("pause", "--stage", "ocr").err == "was paused before\n"
    held = pipeline.submit(b"Ann met Bob: later", name="later.txt")
    assert pipeline.status(held.document_uuid).status == "ocr_queued"
    assert "stage ocr is paused since" in docpipe("status", held.document_uuid).out
    with pytest.raises(errors.PausedError, match="Stage ocr of this document is paused"):
        pipeline.process(b"Ann met Bob: now", name="now.txt")
    assert docpipe("resume", "--stage", "ocr").err == "2 documents that were held go on\n"
    assert {statuses(pipeline)[name] for name in ("later.txt", "now.txt")} == {"completed"}


def test_limits_are_set_shown_and_taken_away(docpipe: Docpipe, pipeline: Pipeline) -> None:
    docpipe("limits", "--all", "--per-day", "1")
    assert docpipe("limits", "--project", "acme", "--weight", "2.5").err == "0 documents that waited go on\n"
    first, second = (pipeline.submit(text, name="a.txt", project_id="acme") for text in (b"one", b"two"))
    assert "it waits for its share" in docpipe("status", second.document_uuid).out
    assert "it waits" not in docpipe("status", first.document_uuid).out
    told = [json.loads(line) for line in docpipe("limits", "--json").out.splitlines()]
    assert told == [
        {"limit": {"project_id": None, "in_flight": None, "per_day": 1, "weight": 1.0}},
        {"limit": {"project_id": "acme", "in_flight": None, "per_day": None, "weight": 2.5}},
        {"project_id": "acme", "in_flight": 0, "waiting": 1, "today": 1},
    ]
    assert [line.split() for line in docpipe("limits").out.splitlines()[1:]] == [
        ["all", "0", "1", "1", "1", "1"],
        ["acme", "0", "1", "1", "2.5"],
    ]
    assert docpipe("limits", "--all", "--off").err == "1 documents that waited go on\n"


@pytest.mark.parametrize("options", [("--in-flight", "1"), ("--all",), ("--all", "--project", "a", "--off")])
def test_a_limit_is_of_one_thing_and_says_something(docpipe: Docpipe, options: tuple[str, ...]) -> None:
    assert docpipe("limits", *options).code == 2


@pytest.mark.parametrize("command", ["pause", "resume"])
@pytest.mark.parametrize("options", [(), ("--all", "--stage", "ocr"), ("--project", "a", "--stage", "ocr")])
def test_a_pause_is_of_one_thing(docpipe: Docpipe, command: str, options: tuple[str, ...]) -> None:
    assert docpipe(command, *options).code == 2
