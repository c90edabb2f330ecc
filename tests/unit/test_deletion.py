"""Deleting a document leaves no trace, in this process and on the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from docpipe import set_default_pipeline
from docpipe.errors import DocumentNotFoundError
from docpipe.execution.progress import NoProgress
from docpipe.pipeline.erasure import Erased
from docpipe.pipeline.factory import embedded_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS
from tests.unit.conftest import Docpipe, NewPipeline


def contents(path: Path) -> dict[str, list[Any]]:
    """All rows of all tables but the counter of tokens; of the index of words, which FTS5 keeps in tables of
    its own, the words and how often each stands where.
    """
    with closing(sqlite3.connect(path)) as db:
        found = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        tables = [each for each in found if "token" not in each and not each.startswith("docpipe_page_words")]
        rows = {name: db.execute(f"select * from {name}").fetchall() for name in tables}
        db.execute("create virtual table temp.words using fts5vocab (main, docpipe_page_words, instance)")
        return rows | {"words": db.execute("select * from temp.words order by term, doc, offset").fetchall()}


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


# --- what cannot be removed now ----------------------------------------------------------------------


def test_a_copy_stays_remembered_while_storage_is_away_and_goes_when_it_is_back(
    new_pipeline: NewPipeline, tmp_path: Path
) -> None:
    pipeline = new_pipeline()
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    uploads, away = tmp_path / "pipeline-0" / "uploads", tmp_path / "away"
    uploads.rename(away)
    assert pipeline.delete(uuid) is False
    assert pipeline.erase() == Erased(0, 1, pipeline.erase().copies)
    away.rename(uploads)
    assert len(files(uploads)) == 1
    assert pipeline.delete(uuid) is True
    assert files(uploads) == set()


def test_a_copy_is_removed_where_it_was_made_although_uploads_are_elsewhere_by_now(
    new_pipeline: NewPipeline, tmp_path: Path
) -> None:
    pipeline = new_pipeline()
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    later = Pipeline(store=pipeline.store, sources=Sources(uploads=tmp_path / "elsewhere"), options=OPTIONS)
    assert later.delete(uuid) is True
    assert files(tmp_path / "pipeline-0" / "uploads") == set()


def test_the_reaper_removes_what_a_deletion_left(
    new_pipeline: NewPipeline, app: Celery, tmp_path: Path
) -> None:
    pipeline = new_pipeline(app)
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    uploads, away = tmp_path / "pipeline-0" / "uploads", tmp_path / "away"
    uploads.rename(away)
    pipeline.delete(uuid)
    assert pipeline.reap() == {}
    away.rename(uploads)
    assert pipeline.reap() == {"erased": 1}
    assert files(uploads) == set()


def test_progress_that_cannot_be_removed_is_remembered(new_pipeline: NewPipeline) -> None:
    answers = [False, True]

    class Progress(NoProgress):
        def forget(self, document_uuid: str) -> bool:
            return answers.pop(0)

    pipeline = new_pipeline(progress=Progress())
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    assert [pipeline.delete(uuid), pipeline.delete(uuid)] == [False, True]


def test_neither_the_store_file_nor_its_log_holds_the_text_of_a_deleted_document(
    new_pipeline: NewPipeline,
) -> None:
    pipeline = new_pipeline()
    assert isinstance(pipeline.store, SqliteStore)
    folder = pipeline.store.path.parent
    uuid = pipeline.process(b"Zebedee met Quixworth. " * 500, name="a.txt").document_uuid
    assert any(b"Zebedee" in path.read_bytes() for path in files(folder))
    pipeline.delete(uuid)
    assert [path for path in files(folder) if b"Zebedee" in path.read_bytes()] == []


def test_what_an_earlier_docpipe_deleted_leaves_the_file_too(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    assert isinstance(pipeline.store, SqliteStore)
    path = pipeline.store.path
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    with closing(sqlite3.connect(path, isolation_level=None)) as earlier:
        earlier.executescript("pragma user_version = 0; pragma secure_delete = off; create table old (text)")
        earlier.execute("insert into old values (?)", ("Zebedee " * 5000,))
        earlier.execute("drop table old")
        earlier.execute("pragma wal_checkpoint(truncate)")
    assert b"Zebedee" in path.read_bytes()
    pipeline.delete(uuid)
    assert b"Zebedee" not in path.read_bytes()


def test_a_log_that_somebody_reads_keeps_the_deletion_open(
    new_pipeline: NewPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docpipe.stores.sqlite.file._BUSY_SECONDS", 0.01)
    pipeline = new_pipeline()
    assert isinstance(pipeline.store, SqliteStore)
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    with closing(sqlite3.connect(pipeline.store.path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from docpipe_runs").fetchone()
        assert pipeline.delete(uuid) is False
    assert pipeline.delete(uuid) is True


def test_a_verified_deletion_lists_every_place(docpipe: Docpipe, tmp_path: Path) -> None:
    pipeline = embedded_pipeline()
    set_default_pipeline(pipeline)
    uuid = pipeline.process(b"Ann met Bob.", name="a.txt").document_uuid
    uploads = next(path for path in tmp_path.rglob("uploads") if path.is_dir())
    (copy,) = files(uploads)
    uploads.rename(tmp_path / "away")
    assert docpipe("delete", "--verify", uuid).code == 1
    (tmp_path / "away").rename(uploads)
    done = docpipe("delete", "--verify", uuid)
    assert done.code == 0
    places = [line.removeprefix(f"{uuid} ") for line in done.out.splitlines()]
    assert {place.rpartition(": ")[2] for place in places} == {"empty"}
    wanted = {"source_documents", "stage_runs", "docpipe_entity_names", "store file", "log"}
    assert {place.rpartition(": ")[0] for place in places} >= {*wanted, f"copy {copy.as_uri()}"}
