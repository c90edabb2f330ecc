"""The index of pages in SQLite: what `docpipe_index_pages` in `sql/*_docpipe_search.sql` does."""

from __future__ import annotations

import sqlite3

from docpipe.models import Ref
from docpipe.stores.text_search import searchable

SLICE = 500
"""So many pages a move may index beside its own work; of a longer document, others are indexed before."""
PAUSE_SECONDS = 0.025
"""Between two slices: who waits for the file looks again after as long, and would else wait for them all."""
UNINDEXED = """
select (select count(*) from docpipe_pages where document_uuid = ? and run = ?)
       - (select count(*) from docpipe_page_search where document_uuid = ? and run = ?) as pages
"""


def index_all(db: sqlite3.Connection, ref: Ref) -> None:
    """Let searches find the pages of this run of the document, and of no other."""
    others = "delete from docpipe_page_search where document_uuid = ? and run <> ?"
    db.execute(others, (ref.document_uuid, ref.run))
    _index(db, ref, -1)


def index_some(db: sqlite3.Connection, ref: Ref) -> None:
    """Index some pages of a run that is about to complete."""
    _index(db, ref, SLICE)


def _index(db: sqlite3.Connection, ref: Ref, limit: int) -> None:
    """Index pages that follow on those that are; -1: all."""
    keys = (ref.document_uuid, ref.run)
    run = db.execute("select text from docpipe_runs where document_uuid = ? and run = ?", keys).fetchone()
    text = (run["text"] if run else None) or ""
    pages = db.execute(
        "select number, start_offset, end_offset from docpipe_pages where document_uuid = ? and run = ?"
        " and number > (select coalesce(max(number), 0) from docpipe_page_search"
        " where document_uuid = ? and run = ?) order by number limit ?",
        (*keys, *keys, limit),
    ).fetchall()
    db.executemany(
        "insert into docpipe_page_search (document_uuid, run, number, text) values (?, ?, ?, ?)",
        [
            (*keys, page["number"], searchable(text[page["start_offset"] : page["end_offset"]]))
            for page in pages
        ],
    )


def index_earlier(db: sqlite3.Connection) -> None:
    """Index the results of a file made by a docpipe that had no index."""
    found = db.execute(
        "select document_uuid, docpipe_result_run as run from source_documents d"
        " where docpipe_result_run is not null and not exists"
        " (select 1 from docpipe_page_search s where s.document_uuid = d.document_uuid)"
    ).fetchall()
    for row in found:
        index_all(db, Ref(row["document_uuid"], row["run"]))


def forget_words(db: sqlite3.Connection) -> None:
    """Write the index anew without the words of pages that are deleted: FTS5 only marks them as such."""
    db.execute("insert into docpipe_page_words (docpipe_page_words) values ('optimize')")
