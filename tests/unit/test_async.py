"""Coroutines: submit, wait and get while the event loop goes on; submissions that are pickled."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

import docpipe
from docpipe import errors
from docpipe.models import DocumentStatus
from docpipe.pipeline import open_stores
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.sqlite.store import SqliteStore
from tests.unit.conftest import NewPipeline

TICKS = 20


class Ticks:
    """A task of the event loop that counts its turns; `enough` is set after some of them."""

    def __init__(self) -> None:
        self.enough = threading.Event()

    async def __call__(self) -> None:
        for _ in range(TICKS):
            await asyncio.sleep(0)
        self.enough.set()


def held_until(ticks: Ticks, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which ends only after the event loop has had its turns; fails where the loop stands still."""

    def held(*arguments: Any, **named: Any) -> Any:
        assert ticks.enough.wait(30), "the event loop stood still"
        return call(*arguments, **named)

    return held


def in_a_loop(ticks: Ticks, job: Callable[[], Any]) -> Any:
    async def both() -> Any:
        done, _ = await asyncio.gather(job(), ticks())
        return done

    return asyncio.run(both())


def test_the_event_loop_goes_on_while_the_store_registers(
    docpipe_queued: Pipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks()
    register = docpipe_queued.store.register
    monkeypatch.setattr(docpipe_queued.store, "register", held_until(ticks, register))
    submission = in_a_loop(ticks, lambda: docpipe.asubmit(note, project_id="p1", metadata={"case": 7}))
    assert (submission.created, submission.status().project_id) == (True, "p1")
    assert submission.result().metadata == {"case": 7}


def test_the_event_loop_goes_on_while_a_document_is_loaded(
    docpipe_eager: Pipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks()
    submission = docpipe_eager.submit(note)
    monkeypatch.setattr(docpipe_eager.store, "load", held_until(ticks, docpipe_eager.store.load))
    assert in_a_loop(ticks, lambda: docpipe.aget(submission.document_uuid)) == submission.result()


def test_the_event_loop_goes_on_while_a_document_is_waited_for(
    docpipe_queued: Pipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look is held until the loop has had its turns, no pause blocks, and the third look finds the end."""
    ticks, submission = Ticks(), docpipe_queued.submit(note)
    looked: list[DocumentStatus] = []
    status = docpipe_queued.store.status

    def look(document_uuid: str) -> DocumentStatus:
        if len(looked) == 2:
            docpipe_queued.cancel(document_uuid)
        looked.append(status(document_uuid))
        return looked[-1]

    monkeypatch.setattr(docpipe_queued.store, "status", held_until(ticks, look))
    monkeypatch.delattr("docpipe.pipeline.submission.time.sleep")
    with pytest.raises(errors.CancelledError):
        in_a_loop(ticks, submission.wait_async)
    assert [each.status for each in looked] == ["ocr_queued", "ocr_queued", "cancelled"]


def test_a_wait_ends_with_its_own_timeout_and_not_with_an_outage(
    docpipe_queued: Pipeline, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = docpipe_queued.submit(note)
    with pytest.raises(errors.WaitTimeoutError, match="is still ocr_queued after 0 s"):
        asyncio.run(submission.wait_async(timeout=0))

    def away(_: str) -> DocumentStatus:
        raise errors.StoreUnavailableError("gone")

    monkeypatch.setattr(docpipe_queued.store, "status", away)
    with pytest.raises(errors.WaitTimeoutError, match=r"the store is away after 0\.1 s"):
        asyncio.run(submission.wait_async(timeout=0.1))


def test_a_wait_can_be_given_up(docpipe_queued: Pipeline, note: Path) -> None:
    submission = docpipe_queued.submit(note)

    async def give_up() -> None:
        async with asyncio.timeout(0.01):
            await submission.wait_async()

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())


@pytest.mark.parametrize("wrong", [{"priority": 10}, {"metadata": [1]}, {"project_id": 7}])
def test_a_wrong_argument_is_refused_as_by_submit(
    docpipe_queued: Pipeline, note: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(errors.ConfigurationError):
        asyncio.run(docpipe_queued.asubmit(note, **wrong))


# --- pickled ------------------------------------------------------------------------------------


def test_a_pickled_submission_finds_the_pipeline_of_its_process(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    pipeline = new_pipeline(app)
    submission = pipeline.submit(note)
    again = pickle.loads(pickle.dumps(submission))
    assert again == submission
    assert again.store is pipeline.store


def test_a_pickled_submission_holds_no_connection_and_no_key(
    app: Celery, new_pipeline: NewPipeline, note: Path
) -> None:
    submission = new_pipeline(app).submit(note)
    told = pickle.dumps(submission)
    assert submission.store.fingerprint.encode() in told
    assert b"SqliteStore" not in told


def test_a_pickled_submission_finds_the_store_of_the_settings(
    app: Celery, new_pipeline: NewPipeline, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in another process, in which no pipeline was built yet."""
    submission = new_pipeline(app).submit(note)
    assert isinstance(submission.store, SqliteStore)
    told, status = pickle.dumps(submission), submission.status()
    monkeypatch.setattr(open_stores, "_open", {})
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{submission.store.path}")
    again = pickle.loads(told)
    assert again.store is not submission.store
    assert again.status() == status
    again.store.close()


def test_a_pickled_submission_of_another_store_says_so(
    app: Celery, new_pipeline: NewPipeline, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = pickle.dumps(new_pipeline(app).submit(note))
    monkeypatch.setattr(open_stores, "_open", {})
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{tmp_path / 'other.db'}")
    with pytest.raises(errors.ConfigurationError, match=r"its\s+settings name sqlite:///.*other\.db"):
        pickle.loads(told)
