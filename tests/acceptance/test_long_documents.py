"""Long documents on real workers: shared, interrupted, lost in part, cancelled, and told twice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from docpipe import Document, Pipeline, Submission
from docpipe.execution.options import Options
from docpipe.models import Ref
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.pipeline import Pipeline as AnyPipeline
from docpipe.pipeline.settings import Settings
from docpipe.sources import Sources
from docpipe.stores import open_store
from docpipe.stores.values import Handover
from tests.acceptance.conftest import Services, without_identity
from tests.numbered import Pages, scan
from tests.terminal import on_terminal
from tests.workers import HANG_SECONDS, Worker, Workers, clean_environment, wait_until

PAGES = 60
ALL = range(1, PAGES + 1)
SETTINGS = {
    "DOCPIPE_OCR_ENGINE": "tests.numbered:Numbered",
    "DOCPIPE_SANDBOX_WAIVE": "environment,files",
    "DOCPIPE_OCR_DPI": "72",
    "DOCPIPE_NER_ENGINE": "tests.engines:Capitals",
    "DOCPIPE_OCR_SPLIT_PAGES": "20",
    "DOCPIPE_OCR_RANGE_PAGES": "5",
    "DOCPIPE_OCR_RANGES_AT_ONCE": "3",
    "DOCPIPE_LEASE_SECONDS": "4",
    "DOCPIPE_GRACE_SECONDS": "1",
}
LARGEST = 4096


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def pipeline(services: Services, pages: Pages) -> Iterator[Pipeline]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (services.env | SETTINGS).items():
            patch.setenv(name, value)
        patch.setenv("PAGES_FOLDER", str(pages.folder))
        pipeline = new_pipeline(Settings())
        yield pipeline
    pipeline.store.close()
    assert pipeline.app is not None
    pipeline.app.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scan(tmp_path_factory.mktemp("scan") / "file.pdf", ALL)


@pytest.fixture(scope="module")
def whole(pipeline: Pipeline, pages: Pages, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The document as one reader makes it, in one go."""
    store = open_store(f"sqlite://{tmp_path_factory.mktemp('whole') / 'docpipe.db'}")
    options = Options(
        ocr_engine="tests.numbered:Numbered", ocr_dpi=72, ner_engine="tests.engines:Capitals", isolate=False
    )
    document = AnyPipeline(store=store, sources=Sources(), options=options).process(file)
    store.close()
    return document


@pytest.fixture(scope="module")
def workers(services: Services, pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Two workers that read, and one for the rest."""
    env = services.env | SETTINGS | {"PAGES_FOLDER": str(pages.folder)}
    with Workers(tmp_path_factory.mktemp("workers"), env) as workers:
        workers.start("text", "entity", "graph")
        workers.start("ocr")
        workers.start("ocr")
        workers.wait_until_ready()
        yield workers


Submit = Callable[[str], Submission]


@pytest.fixture
def submit(pipeline: Pipeline, pages: Pages, whole: Document, workers: Workers, file: Path) -> Submit:
    """Submits the file as a document of the test's own; nobody has begun a page of it."""
    pages.clear()
    return lambda project: pipeline.submit(file, project_id=project)


def same(submission: Submission, whole: Document) -> None:
    """Text, pages, offsets and all that follows from them are as one reader makes them."""
    found = without_identity(submission.result())
    assert found == replace(without_identity(whole), project_id=found.project_id, run=found.run)


def holder(workers: list[Worker], pid: int) -> Worker:
    """The worker whose family the process belongs to."""
    (found,) = [each for each in workers if pid in {process.pid for process in each.processes()}]
    return found


def kill(worker: Worker) -> None:
    for process in worker.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def reaped_until_final(pipeline: Pipeline, submission: Submission) -> str:
    def final() -> str | None:
        pipeline.reap()
        status = submission.status().status
        return status if status.startswith(("completed", "error", "cancelled")) else None

    return wait_until(final, "the document is final")


def test_a_terminal_that_waits_shows_how_many_pages_are_read(
    services: Services, pages: Pages, workers: Workers, tmp_path: Path
) -> None:
    pages.clear()
    pages.tell("hold", 23)
    other = scan(tmp_path / "other.pdf", range(1, 31))
    command: list[str | Path] = [
        Path(sys.executable).with_name("docpipe"),
        "submit",
        "--wait",
        str(HANG_SECONDS),
        other,
    ]
    env = clean_environment(services.env | SETTINGS)
    with on_terminal(command, env, tmp_path / "printed") as waiting:
        wait_until(lambda: waiting.shows("other.pdf ocr", "25/30 pages"), "all ranges but one are read")
        pages.untell("hold", 23)
        assert waiting.end() == 0
    assert f"docpipe: {other}: completed" in waiting.lines
    assert len((tmp_path / "printed").read_text().split()) == 1


def test_two_workers_share_a_file_and_make_what_one_makes(
    submit: Submit, pipeline: Pipeline, pages: Pages, services: Services, whole: Document
) -> None:
    pages.tell("hold", 3, 8)
    submission = submit("shared")
    wait_until(lambda: pages.begun(3, 8), "two ranges are read at once")
    assert submission.status().status == "ocr_processing"
    states = [(run.pages.first, run.state) for run in pipeline.ranges(submission.document_uuid)]
    assert states[:4] == [(1, "running"), (6, "running"), (11, "queued"), (16, "queued")]
    messages = [message for queue in services.messages().values() for message in queue]
    assert [len(message) < LARGEST for message in messages] == [True]  # three at once, two of them are read
    pages.untell("hold", 3, 8)

    assert submission.wait(timeout=HANG_SECONDS).status == "completed"
    same(submission, whole)
    assert pages.readers(3) != pages.readers(8)
    assert pages.repeated(ALL) == {}
    assert pipeline.ranges(submission.document_uuid) == []
    assert [word for _, word, _ in submission.status().history].count("ocr_processing") == 1
    wait_until(lambda: services.idle, "no message is left")


def test_a_failed_page_costs_the_page_and_is_read_again_on_demand(
    submit: Submit, pipeline: Pipeline, pages: Pages, whole: Document
) -> None:
    pages.tell("fail", 17)
    pages.tell("crash", 22)
    submission = submit("failing")
    status = submission.wait(timeout=HANG_SECONDS)
    assert (status.status, status.failed_pages) == ("completed_with_warnings", (17, 22))
    first = submission.result()
    assert [page.number for page in first.pages if page.start == page.end] == [17, 22]
    assert "page 16 " in first.text and "page 17 " not in first.text and "page 60 " in first.text
    assert [page.number for page in first.pages] == [*ALL]

    pages.clear()
    assert pipeline.retry_pages(submission.document_uuid) is not None
    assert submission.wait(timeout=HANG_SECONDS).status == "completed"
    same(submission, whole)
    assert [number for number in ALL if pages.readers(number)] == [16, 17, 18, 19, 20, 22]
    assert pipeline.retry_pages(submission.document_uuid) is None


def test_a_cancelled_file_stops_and_goes_on_where_it_stopped(
    submit: Submit, pipeline: Pipeline, pages: Pages, whole: Document
) -> None:
    pages.tell("hold", 8, 13)
    submission = submit("cancelled")
    wait_until(lambda: pages.begun(8, 13), "two ranges are read at once")
    assert pipeline.cancel(submission.document_uuid)
    pages.untell("hold", 8, 13)
    wait_until(lambda: submission.status().status == "cancelled", "it is cancelled")
    states = {run.state for run in pipeline.ranges(submission.document_uuid)}
    assert states == {"complete", "cancelled"}

    assert pipeline.resume(submission.document_uuid) is not None
    assert submission.wait(timeout=HANG_SECONDS).status == "completed"
    same(submission, whole)
    assert set(pages.repeated(ALL)) <= {*range(6, 16)}


def test_messages_that_come_twice_change_nothing(
    submit: Submit, pipeline: Pipeline, pages: Pages, services: Services, whole: Document
) -> None:
    pages.tell("hold", 3, 8)
    submission = submit("doubled")
    wait_until(lambda: pages.begun(3, 8), "two ranges are read at once")
    ref = Ref(submission.document_uuid, 1)
    for _ in range(2):
        pipeline.hand_over(ref, Handover((1, 6, 11), complete=True))
    pages.untell("hold", 3, 8)

    assert submission.wait(timeout=HANG_SECONDS).status == "completed"
    wait_until(lambda: services.idle, "no message is left")
    same(submission, whole)
    assert pages.repeated(ALL) == {}
    assert [(row.state, row.attempt) for row in submission.status().stages] == [("complete", 1)] * 4


def test_a_short_document_does_not_wait_for_a_long_one(
    submit: Submit, pipeline: Pipeline, pages: Pages, tmp_path: Path
) -> None:
    pages.tell("hold", 3, 8)
    long = submit("long")
    wait_until(lambda: pages.begun(3, 8), "two ranges are read at once")
    short = pipeline.submit(scan(tmp_path / "letter.pdf", [201, 202]))
    pages.tell("hold", 58)
    pages.untell("hold", 3, 8)
    assert short.wait(timeout=HANG_SECONDS).status == "completed"
    assert long.status().status == "ocr_processing"
    pages.untell("hold", 58)
    assert long.wait(timeout=HANG_SECONDS).status == "completed"


def test_a_killed_worker_costs_its_range(
    submit: Submit, pipeline: Pipeline, pages: Pages, whole: Document, workers: Workers
) -> None:
    pages.tell("hold", 13)
    submission = submit("killed")
    wait_until(lambda: pages.begun(13), "page 13 is being read")
    kill(holder(workers.all, pages.readers(13)[0]))
    pages.untell("hold", 13)

    assert reaped_until_final(pipeline, submission) == "completed"
    same(submission, whole)
    repeated = pages.repeated(ALL)
    assert {11, 12, 13} <= set(repeated) <= {*range(11, 16)}
    assert set(repeated.values()) == {2}
