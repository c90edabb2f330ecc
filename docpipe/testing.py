"""pytest fixtures for hosts: test code that uses docpipe without Redis, Supabase or a worker.

    def test_upload(client, docpipe_eager):
        uuid = client.post("/documents", files={"file": ("note.txt", b"Ann met Bob.")}).json()["uuid"]
        assert docpipe_eager.get(uuid).status == "completed"

`docpipe_eager` runs all stages at once, inside `submit`; `docpipe_queued` runs nothing, so that a
document stays where `submit` left it. Both stand in for `docpipe.submit` and the other module-level
functions, keep everything in a temporary SQLite file, and are on as soon as docpipe is installed. So every
test run of a host loads this file: what the fixtures need is imported when one is used.

`check_ocr_engine` says whether an OCR engine of your own keeps the contract, and `check_reader` whether a
reader does.

Celery's eager mode differs from a worker: docs/how-to/test.md says where.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from celery import Celery

    from docpipe.engines.ports import OcrEngine
    from docpipe.execution.options import Options
    from docpipe.formats.base import RawPage
    from docpipe.formats.plugins import ReaderPlugin
    from docpipe.pipeline.pipeline import Pipeline

# docpipe is imported inside the fixtures: this module is loaded by every pytest run of the host


@pytest.fixture
def docpipe_options() -> Options:
    """How the stages work in these tests; override it to choose other engines."""
    from docpipe.execution.options import Options  # noqa: PLC0415

    return Options()


@pytest.fixture
def docpipe_eager(tmp_path: Path, docpipe_options: Options) -> Iterator[Pipeline]:
    """A pipeline that runs every stage inside `submit`, and answers for `docpipe.submit`."""
    yield from _pipeline(tmp_path, docpipe_options, task_always_eager=True, task_eager_propagates=False)


@pytest.fixture
def docpipe_queued(tmp_path: Path, docpipe_options: Options) -> Iterator[Pipeline]:
    """A pipeline that only publishes, to a broker in memory without a consumer."""
    yield from _pipeline(tmp_path, docpipe_options)


def _pipeline(folder: Path, options: Options, **conf: Any) -> Iterator[Pipeline]:
    from docpipe.execution.policy import Policy  # noqa: PLC0415
    from docpipe.pipeline.default import set_default_pipeline  # noqa: PLC0415
    from docpipe.pipeline.pipeline import Pipeline  # noqa: PLC0415
    from docpipe.sources import Sources  # noqa: PLC0415
    from docpipe.stores.sqlite.store import SqliteStore  # noqa: PLC0415

    store = SqliteStore(folder / "docpipe.db")
    pipeline = Pipeline(
        memory_app(**conf),
        store=store,
        sources=Sources(uploads=folder / "uploads", keep_copies=True),
        options=options,
        policy=Policy(backoff_seconds=0.001),
    )
    set_default_pipeline(pipeline)
    try:
        yield pipeline
    finally:
        set_default_pipeline(None)
        store.close()


def memory_app(**conf: Any) -> Celery:
    """A Celery app whose broker and results live in this process's memory."""
    from celery import Celery  # noqa: PLC0415

    app = Celery("docpipe-test", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.update(conf)
    return app


def check_ocr_engine(engine: OcrEngine) -> None:
    """Try an OCR engine of your own on pictures of text, of nothing and of odd shapes.

    Raises `AssertionError` saying which part of the contract it breaks: docs/how-to/add-an-ocr-engine.md.
    """
    from docpipe.engines.ocr.contract import check  # noqa: PLC0415

    check(engine)


def check_reader(plugin: ReaderPlugin, document: bytes, name: str) -> list[RawPage]:
    """Try a reader of your own on a document of its format that has text, on parts of it, and on others.

    Returns the pages it read. Raises `AssertionError` saying which part of the contract it breaks:
    docs/how-to/add-a-reader.md.
    """
    from docpipe.formats.contract import check  # noqa: PLC0415

    return check(plugin, document, name)
