"""What a host may hand over: taken or refused with a clear error, before any store is asked."""

from __future__ import annotations

import io
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from docpipe.errors import ConfigurationError, DocpipeError, SourceRejectedError, SourceUnavailableError
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.testing import memory_app
from tests.unit.conftest import NewPipeline

TEXT = b"Ann met Bob."
PROJECT = uuid.UUID("6ab4b8f7-0000-4000-8000-000000000000")


@dataclass
class Upload:
    """As web frameworks have it: read by awaiting, with the file itself beside."""

    file: io.BytesIO
    filename: str

    async def read(self, size: int = -1) -> bytes:
        return self.file.read(size)


class Entry:
    """A path-like object that is no `Path`."""

    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return os.fspath(self.path) if isinstance(self.path, Path) else self.path


@pytest.fixture
def pipeline(new_pipeline: NewPipeline) -> Pipeline:
    return new_pipeline(memory_app())


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "path-like", "upload", "file"])
def test_a_source_of_every_kind_is_the_same_document(pipeline: Pipeline, note: Path, kind: str) -> None:
    first = pipeline.submit(note)
    source: Any = {
        "bytes": TEXT,
        "bytearray": bytearray(TEXT),
        "memoryview": memoryview(TEXT),
        "path-like": Entry(note),
        "upload": Upload(io.BytesIO(TEXT), "note.txt"),
        "file": io.BytesIO(TEXT),
    }[kind]
    name = None if kind in {"path-like", "upload"} else PurePosixPath("note.txt")
    submission = pipeline.submit(source, name=name)
    assert (submission.document_uuid, submission.created) == (first.document_uuid, False)


@pytest.mark.parametrize(
    "source", [None, 7, object(), ["a.txt"], {"a": 1}], ids=lambda one: type(one).__name__
)
def test_what_is_no_source_is_refused(pipeline: Pipeline, source: Any) -> None:
    with pytest.raises(SourceRejectedError, match="cannot be read"):
        pipeline.submit(source)


def test_an_upload_that_can_only_be_awaited_is_refused(pipeline: Pipeline) -> None:
    upload: Any = Upload(io.BytesIO(TEXT), "note.txt")
    del upload.file
    with pytest.raises(SourceRejectedError, match="A Upload cannot be read"):
        pipeline.submit(upload)


class Stream:
    """Gives one block, and then breaks."""

    name = "note.txt"

    def __init__(self, *blocks: Any) -> None:
        self._blocks = [b"", TEXT, *blocks]

    def read(self, size: int = -1) -> Any:
        block = self._blocks.pop(0)
        if isinstance(block, Exception):
            raise block
        return block


BROKEN: dict[str, tuple[Any, type[DocpipeError], str]] = {
    "closed": (ValueError("I/O operation on closed file"), SourceRejectedError, "closed file.*open\\(path"),
    "for writing": (io.UnsupportedOperation("read"), SourceRejectedError, "cannot be read: read"),
    "text": ("text", SourceRejectedError, "gives a str where its bytes are read"),
    "nothing yet": (None, SourceRejectedError, "gives a NoneType"),
    "reset": (ConnectionResetError("reset"), SourceUnavailableError, "broke off while it was read: reset"),
    "of a library": (KeyError(), SourceUnavailableError, "broke off while it was read: KeyError"),
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_a_stream_that_breaks_is_no_raw_exception(pipeline: Pipeline, how: str) -> None:
    block, kind, said = BROKEN[how]
    with pytest.raises(kind, match=said):
        pipeline.submit(Stream(block))  # type: ignore[arg-type]


def test_paths_of_bytes_and_views_with_gaps_are_read(pipeline: Pipeline, note: Path) -> None:
    first = pipeline.submit(note)
    entry: Any = Entry(os.fsencode(note))
    gaps = memoryview(bytes(byte for pair in zip(TEXT, TEXT, strict=True) for byte in pair))[::2]
    assert {pipeline.submit(entry).document_uuid, pipeline.submit(gaps, name="a.txt").document_uuid} == {
        first.document_uuid
    }


@pytest.mark.parametrize("source", [Entry(7), "a" * 300], ids=["no path", "too long"])
def test_a_path_that_is_none_is_refused(pipeline: Pipeline, source: Any) -> None:
    with pytest.raises(SourceRejectedError):
        pipeline.submit(source)


def test_one_bad_item_never_ends_a_batch(pipeline: Pipeline, note: Path) -> None:
    broken = Stream(RuntimeError("of a host's own"))
    sources: list[Any] = [note, None, object(), broken, bytearray(b"Bob met Ann."), "gone.txt"]
    found = list(pipeline.submit_many(sources, name="a.txt"))
    assert [type(each) is Submission for each in found] == [True, False, False, False, True, False]
    assert all(isinstance(each, Submission | DocpipeError) for each in found)


def test_a_batch_whose_results_nobody_asks_for_is_warned_of(pipeline: Pipeline, note: Path) -> None:
    with pytest.warns(RuntimeWarning, match="submitted nothing"):
        pipeline.submit_many([note])
    assert pipeline.store.documents() == []


def test_a_project_may_be_a_uuid(pipeline: Pipeline, note: Path) -> None:
    submission = pipeline.submit(note, project_id=PROJECT)
    assert submission.status().project_id == str(PROJECT)
    assert pipeline.submit(note, project_id=str(PROJECT)).document_uuid == submission.document_uuid


@pytest.mark.parametrize("project", [7, b"p", Path("p")], ids=repr)
def test_a_project_that_is_neither_text_nor_uuid_is_refused(
    pipeline: Pipeline, note: Path, project: Any
) -> None:
    with pytest.raises(ConfigurationError, match="it must be a string"):
        pipeline.submit(note, project_id=project)


def test_metadata_comes_back_as_every_store_gives_it_back(pipeline: Pipeline, note: Path) -> None:
    given = {
        "day": date(2026, 1, 2),
        "at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "id": PROJECT,
        "from": PurePosixPath("/a/b"),
        "sum": Decimal("1.50"),
        "pair": (1, 2),
        7: None,
    }
    submission = pipeline.submit(note, metadata=given)  # type: ignore[arg-type]
    assert submission.result().metadata == {
        "day": "2026-01-02",
        "at": "2026-01-02T03:04:00+00:00",
        "id": str(PROJECT),
        "from": "/a/b",
        "sum": "1.50",
        "pair": [1, 2],
        "7": None,
    }


_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)


@pytest.mark.parametrize(
    "metadata",
    [
        [1], "text", {"x": float("nan")}, {"x": float("inf")}, {"x": {1, 2}}, {"x": b"y"}, {"x": "\0"},
        {"x": "\ud800"}, {"x": _ENDLESS}, {(1, 2): "x"},
    ],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_metadata_that_a_store_would_refuse_is_refused_before(
    pipeline: Pipeline, note: Path, metadata: Any
) -> None:
    with pytest.raises(ConfigurationError, match="metadata"):
        pipeline.submit(note, metadata=metadata)


@pytest.mark.parametrize("priority", [-1, 10, "3", 3.0], ids=repr)
def test_a_priority_that_is_none_is_refused(pipeline: Pipeline, note: Path, priority: Any) -> None:
    with pytest.raises(ConfigurationError, match="priority is"):
        pipeline.submit(note, priority=priority)


def test_a_name_that_is_no_text_is_refused(pipeline: Pipeline) -> None:
    name: Any = 7
    with pytest.raises(SourceRejectedError, match="A name is a string"):
        pipeline.submit(TEXT, name=name)
