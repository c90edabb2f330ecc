"""Deleting a document leaves no trace, in this process and on the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docpipe.errors import DocumentNotFoundError
from docpipe.stores.sqlite.store import SqliteStore
from tests.unit.conftest import NewPipeline


def contents(path: Path) -> dict[str, list[Any]]:
    """All rows of all tables but the counter of tokens."""
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        return {
            name: db.execute(f"select * from {name}").fetchall() for name in tables if "token" not in name
        }


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_deleted_document_leaves_no_row_and_no_file(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    assert isinstance(pipeline.store, SqliteStore)
    uploads = pipeline.store.path.parent / "uploads"
    pipeline.process(b"Ann Lee met Bob.", name="one.txt", project_id="p")
    before, kept = contents(pipeline.store.path), files(uploads)
    document = pipeline.process(b"Ann Lea met Carl.", name="two.txt", project_id="p")
    assert contents(pipeline.store.path) != before
    pipeline.delete(document.document_uuid)
    assert (contents(pipeline.store.path), files(uploads)) == (before, kept)
    with pytest.raises(DocumentNotFoundError):
        pipeline.delete(document.document_uuid)


def test_bytes_that_another_document_has_too_stay(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    one, two = (pipeline.process(b"Ann Lee met Bob.", name="n.txt", project_id=p) for p in ("p", "q"))
    pipeline.delete(one.document_uuid)
    assert pipeline.process(b"Ann Lee met Bob.", name="n.txt", project_id="q", reprocess=True).run == 2
    assert pipeline.get(two.document_uuid).text == "Ann Lee met Bob."


def test_a_file_of_the_hosts_stays(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline()
    pipeline.delete(pipeline.process(note).document_uuid)
    assert note.exists()
