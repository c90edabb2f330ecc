"""What hosts hand over is taken or refused alike, eagerly, embedded, and by workers on Supabase."""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from docpipe.errors import DocpipeError
from docpipe.execution.policy import Policy
from docpipe.models import Document
from docpipe.models.status import QUEUES
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import read_settings
from docpipe.pipeline.submission import Submission
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.integration.odd_inputs import Odd, odd_inputs
from tests.unit.conftest import ENGINES
from tests.workers import HANG_SECONDS, Workers

INPUTS = odd_inputs()
Outcome = Document | tuple[str, str | None, str]
"""The document, or the error's class, its stage if a stage raised it, and what it says."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files lie that are handed over; the current one."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    return tmp_path / "in"


def _outcome(act: Callable[[], Any]) -> Any:
    try:
        found = act()
    except DocpipeError as error:
        return type(error).__name__, error.stage, str(error)
    return _without_ids(found) if isinstance(found, Document) else found


def _without_ids(document: Document) -> Document:
    children = tuple(replace(child, document_uuid="") for child in document.children)
    return replace(document, document_uuid="", parent=None, children=children)


def _handed(take: Callable[..., Any], odd: Odd, folder: Path) -> Any:
    source = odd.source(folder)
    try:
        return take(source, **odd.told)
    finally:
        if isinstance(source, io.IOBase | mmap.mmap):
            source.close()


def _processed(pipeline: Pipeline, folder: Path) -> list[Outcome]:
    return [_outcome(partial(_handed, pipeline.process, odd, folder)) for odd in INPUTS]


def _submitted(pipeline: Pipeline, folder: Path) -> list[Outcome]:
    """All are submitted before the first is waited for."""
    found = [_outcome(partial(_handed, pipeline.submit, odd, folder)) for odd in INPUTS]
    return [_outcome(partial(_result, each)) if isinstance(each, Submission) else each for each in found]


def _result(submission: Submission) -> Document:
    submission.wait(HANG_SECONDS)
    return submission.result()


def _on_sqlite(app: Celery | None, place: Path) -> Pipeline:
    return Pipeline(
        app,
        store=SqliteStore(place.with_suffix(".db")),
        sources=Sources(uploads=place),
        options=OPTIONS,
        policy=Policy(backoff_seconds=0.001),
    )


def _by_workers(env: Mapping[str, str], folder: Path, place: Path) -> list[Outcome]:
    pipeline = new_pipeline(read_settings())
    with Workers(place, env) as workers, closing(pipeline.store), closing(pipeline.broker):
        workers.start(*QUEUES.values())
        return _submitted(pipeline, folder)


def test_each_of_two_hundred_odd_inputs_ends_alike_on_every_way(
    supabase_env: dict[str, str],
    redis_url: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = ENGINES | supabase_env | {"REDIS_URL": redis_url, "DOCPIPE_UPLOADS": str(tmp_path / "c")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    embedded = _processed(_on_sqlite(None, tmp_path / "a"), folder)
    eager = _submitted(_on_sqlite(memory_app(task_always_eager=True), tmp_path / "b"), folder)
    workers = _by_workers(env, folder, tmp_path)
    assert len(INPUTS) > 200
    ends = zip(INPUTS, embedded, eager, workers, strict=True)
    assert [(odd.what, *each) for odd, *each in ends if not each[0] == each[1] == each[2]] == []
    assert 80 < sum(isinstance(each, Document) for each in embedded) < 120
