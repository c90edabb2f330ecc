"""Ranges of a long document's pages, without services: attempts, their ends, and what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore

from docpipe import errors
from docpipe.execution.failures import TryAgainError
from docpipe.execution.job import Job
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options
from docpipe.execution.plan import OCR, StageSpec
from docpipe.execution.policy import Policy
from docpipe.execution.runner import NothingToDoError, run_range, run_stage
from docpipe.models import PageRange, RangeRef, Ref
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import Handover, NewDocument, Outcome
from docpipe.testing import memory_app
from tests.contract.test_store import lost
from tests.engines import OPTIONS, doing
from tests.numbered import Pages, scan
from tests.unit.conftest import sent, size_of

SPLIT = replace(
    OPTIONS, ocr_engine="tests.numbered:Numbered", ocr_dpi=72, ocr_split_pages=3, ocr_range_pages=2
)
NewPipeline = Callable[..., Pipeline]


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pages:
    folder = tmp_path / "pages"
    folder.mkdir()
    monkeypatch.setenv("PAGES_FOLDER", str(folder))
    return Pages(folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five pages: three ranges."""
    return scan(tmp_path / "file.pdf", range(1, 6))


@pytest.fixture
def new(tmp_path: Path, pages: Pages) -> NewPipeline:
    def new(
        app: Celery | None = None, ocr: StageSpec = OCR, options: Options = SPLIT, **policy: Any
    ) -> Pipeline:
        return Pipeline(
            app,
            store=SqliteStore(tmp_path / "docpipe.db"),
            sources=Sources(uploads=tmp_path / "uploads"),
            stages=(ocr,),
            options=options,
            policy=Policy(backoff_seconds=0.001, ranges_at_once=2, **policy),
        )

    return new


def registered(pipeline: Pipeline, file: Path) -> Ref:
    taken = pipeline.sources.take_in(file)
    plan = [stage.planned for stage in pipeline.stages]
    document = NewDocument("6ab4b8f7", None, taken.name, taken.uri, taken.digest, taken.size, {}, plan)
    return pipeline.store.register(document).ref


def split(pipeline: Pipeline, ref: Ref) -> Handover | None:
    return run_stage(pipeline.runtime, pipeline.stages[0], ref, task_id="t", may_split=True)


def read(pipeline: Pipeline, ref: Ref, first_page: int) -> Handover | None:
    return run_range(pipeline.runtime, pipeline.stages[0], RangeRef(ref, first_page), task_id="t")


def states(pipeline: Pipeline, ref: Ref) -> list[tuple[int, str, int]]:
    return [(run.pages.first, run.state, run.attempt) for run in pipeline.ranges(ref.document_uuid)]


def raising(error: BaseException, page: int) -> StageSpec:
    """The ocr stage, whose attempts at a range with that page raise the error."""

    def work(job: Job) -> Any:
        pages = job.request.pages
        if pages is not None and pages.first <= page <= pages.last:
            raise error
        return OCR.load()(job)

    return doing(OCR, work)


# --- attempts -------------------------------------------------------------------------------------------


def test_a_long_document_is_split_read_and_joined(new: NewPipeline, file: Path) -> None:
    pipeline = new()
    ref = registered(pipeline, file)
    assert split(pipeline, ref) == Handover((1, 3), False, 0)
    assert read(pipeline, ref, 1) == Handover((5,), False, 0)
    assert read(pipeline, ref, 5) == Handover((), False, 0)
    assert read(pipeline, ref, 5) is None
    assert read(pipeline, ref, 3) == Handover((), True, 0)
    assert split(pipeline, ref) is None
    assert split(pipeline, ref) is None
    document = pipeline.get(ref.document_uuid)
    assert document.status == "completed"
    assert document.text == "\n\n".join(f"On page {n} Ann Archer met Bob Butler." for n in range(1, 6))
    assert [document.text[page.start : page.end] for page in document.pages] == document.text.split("\n\n")


def test_a_document_that_is_not_long_is_read_at_once(new: NewPipeline, tmp_path: Path) -> None:
    pipeline = new()
    ref = registered(pipeline, scan(tmp_path / "short.pdf", range(1, 4)))
    assert split(pipeline, ref) is None
    assert pipeline.status(ref.document_uuid).status == "completed"


def test_an_embedded_run_reads_in_one_go(new: NewPipeline, file: Path, pages: Pages) -> None:
    assert new().process(file).status == "completed"
    assert pages.repeated(range(1, 6)) == {}


def test_the_stage_waits_for_its_ranges(new: NewPipeline, file: Path) -> None:
    pipeline = new()
    ref = registered(pipeline, file)
    split(pipeline, ref)
    with pytest.raises(NothingToDoError) as nothing:
        split(pipeline, ref)
    assert nothing.value.outcome is Outcome.NOT_READY


def test_a_range_is_tried_again_and_then_falls_into_its_pages(new: NewPipeline, file: Path) -> None:
    pipeline = new(ocr=raising(errors.MemoryExhaustedError(), 4), max_retries=1)
    ref = registered(pipeline, file)
    split(pipeline, ref)
    with pytest.raises(TryAgainError):
        read(pipeline, ref, 3)
    assert states(pipeline, ref)[1] == (3, "retrying", 1)
    assert read(pipeline, ref, 3) == Handover((3,), False, 0)
    assert [each[:2] for each in states(pipeline, ref)] == [
        (1, "queued"),
        (3, "queued"),
        (4, "queued"),
        (5, "queued"),
    ]


def test_a_range_that_was_started_too_often_costs_its_page(new: NewPipeline, file: Path) -> None:
    pipeline = new(ocr=raising(SystemExit(), 5), max_attempts=4)
    ref = registered(pipeline, file)
    split(pipeline, ref)
    read(pipeline, ref, 1)
    read(pipeline, ref, 3)
    for _ in range(4):
        with pytest.raises(SystemExit):
            read(pipeline, ref, 5)
    assert read(pipeline, ref, 5) == Handover((), True, 0)
    split(pipeline, ref)
    status = pipeline.status(ref.document_uuid)
    assert (status.status, status.failed_pages) == ("completed_with_warnings", (5,))
    (lost,) = [run for run in pipeline.ranges(ref.document_uuid) if run.state == "failed"]
    assert (lost.pages, lost.error and lost.error.code) == (PageRange(5, 5), "poison")


@pytest.mark.parametrize(
    "error",
    [
        errors.SourceNotFoundError("Gone."),
        errors.MissingExtraError("No engine."),
        errors.RefusedByDatabaseError("A trigger says no."),
    ],
)
def test_what_is_not_about_pages_stops_the_document(
    new: NewPipeline, file: Path, error: errors.DocpipeError
) -> None:
    pipeline = new(ocr=raising(error, 1))
    ref = registered(pipeline, file)
    split(pipeline, ref)
    with pytest.raises(type(error)):
        read(pipeline, ref, 1)
    status = pipeline.status(ref.document_uuid)
    assert status.error is not None
    assert (status.status, status.error.code) == ("error_ocr", error.code)
    with pytest.raises(NothingToDoError):
        read(pipeline, ref, 3)


def test_lost_pages_of_a_short_document_are_read_again_with_all_others(
    new: NewPipeline, tmp_path: Path, pages: Pages
) -> None:
    pages.tell("fail", 2)
    pipeline = new(memory_app(task_always_eager=True))
    submission = pipeline.submit(scan(tmp_path / "short.pdf", [1, 2]))
    assert (submission.status().status, submission.status().failed_pages) == ("completed_with_warnings", (2,))
    pages.untell("fail", 2)
    assert pipeline.retry_pages(submission.document_uuid) is not None
    assert submission.wait().status == "completed"
    assert pipeline.retry_pages(submission.document_uuid) is None


# --- a page that ends the process which reads it -----------------------------------------------------------

APART = replace(
    SPLIT,
    ocr_split_pages=50,
    isolate=True,
    sandbox=Sandbox(env=("PAGES_FOLDER",), waive=frozenset({"files"})),
)


@pytest.mark.parametrize(("page", "ranges"), [(1, [1, 2]), (3, [1, 3, 4]), (5, [1, 5])])
def test_a_page_that_ends_its_reader_costs_the_page(
    new: NewPipeline, file: Path, pages: Pages, page: int, ranges: list[int]
) -> None:
    pages.tell("crash", page)
    pipeline = new(options=APART)
    document = pipeline.process(file)
    assert document.status == "completed_with_warnings"
    assert [warn.page for warn in document.warnings] == [page]
    assert [each.number for each in document.pages if each.start == each.end] == [page]
    assert pipeline.status(document.document_uuid).failed_pages == (page,)
    assert [run.pages.first for run in pipeline.ranges(document.document_uuid)] == ranges


def test_only_the_page_that_failed_is_read_again(new: NewPipeline, file: Path, pages: Pages) -> None:
    pages.tell("crash", 3)
    pipeline = new(memory_app(task_always_eager=True), options=APART)
    submission = pipeline.submit(file)
    assert submission.wait(timeout=5).status == "completed_with_warnings"
    pages.untell("crash", 3)
    read_before = {page: len(pages.readers(page)) for page in range(1, 6)}
    assert pipeline.retry_pages(submission.document_uuid) is not None
    assert submission.wait(timeout=5).status == "completed"
    again = {page: len(pages.readers(page)) - read_before[page] for page in range(1, 6)}
    assert again == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0}
    assert pipeline.get(submission.document_uuid).text.count("Ann Archer") == 5


def test_a_document_of_one_page_fails_with_its_page(new: NewPipeline, tmp_path: Path, pages: Pages) -> None:
    pages.tell("crash", 7)
    with pytest.raises(errors.ReadingCrashError):
        new(options=APART).process(scan(tmp_path / "one.pdf", [7]))


# --- delivery, on a host's own app -----------------------------------------------------------------------


def messages(app: Celery) -> list[tuple[str, Any]]:
    """Task and arguments of what waits in `ocr`; each is small."""
    found = []
    for message in sent(app, "ocr"):
        assert size_of(message) < 4096
        found.append((message.headers["task"], message.payload[0]))
    return found


def deliver(app: Celery, task: str, message: dict[str, Any]) -> None:
    """As a worker does, without the eager mode."""
    made = app.tasks[task]
    made.push_request(id="mine", args=(message,), kwargs={}, called_directly=False, is_eager=False)
    try:
        made.run(message)
    finally:
        made.pop_request()


def test_each_end_publishes_what_is_due_and_the_last_the_stage(
    new: NewPipeline, file: Path, app: Celery
) -> None:
    pipeline = new(app)
    submission = pipeline.submit(file, priority=6)
    ref = {"document_uuid": submission.document_uuid, "run": 1}
    assert messages(app) == [("docpipe.ocr", [ref])]
    with pytest.raises(Ignore):
        deliver(app, "docpipe.ocr", ref)
    assert messages(app) == [("docpipe.pages", [ref | {"first_page": page}]) for page in (1, 3)]
    deliver(app, "docpipe.pages", ref | {"first_page": 1})
    assert messages(app) == [("docpipe.pages", [ref | {"first_page": 5}])]
    deliver(app, "docpipe.pages", ref | {"first_page": 1})
    deliver(app, "docpipe.pages", ref | {"first_page": 5})
    assert messages(app) == []
    deliver(app, "docpipe.pages", ref | {"first_page": 3})
    assert messages(app) == [("docpipe.ocr", [ref])]
    deliver(app, "docpipe.ocr", ref)
    assert submission.wait(timeout=5).status == "completed"


def test_eagerly_a_long_document_is_read_in_one_go(new: NewPipeline, file: Path, pages: Pages) -> None:
    submission = new(memory_app(task_always_eager=True)).submit(file)
    assert submission.wait(timeout=5).status == "completed"
    assert [row.attempt for row in submission.status().stages] == [1]
    assert pages.repeated(range(1, 6)) == {}


def test_a_broker_that_is_away_leaves_the_ranges_to_the_reaper(new: NewPipeline, file: Path) -> None:
    pipeline = new(
        memory_app(broker_url="redis://127.0.0.1:1/0", broker_transport_options={"max_retries": 0})
    )
    ref = registered(pipeline, file)
    handover = split(pipeline, ref)
    assert handover is not None
    pipeline.hand_over(ref, handover)
    assert pipeline.status(ref.document_uuid).status == "ocr_processing"
    assert [each.first_page for each in lost(pipeline.store)] == [1, 3]
