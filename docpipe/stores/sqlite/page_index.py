"""The index of pages in SQLite: what `docpipe_index_pages` in `sql/*_docpipe_search.sql` does."""

from __future__ import annotations

import sqlite3

from docpipe.models import Ref
from docpipe.stores.text_search import searchable


def index_pages(db: sqlite3.Connection, ref: Ref) -> None:
    """Let searches find the pages of this run of the document, and of no other."""
    keys = (ref.document_uuid, ref.run)
    run = db.execute("select text from docpipe_runs where document_uuid = ? and run = ?", keys).fetchone()
    text = (run["text"] if run else None) or ""
    pages = db.execute(
        "select number, start_offset, end_offset from docpipe_pages where document_uuid = ? and run = ?", keys
    ).fetchall()
    db.execute("delete from docpipe_page_search where document_uuid = ?", (ref.document_uuid,))
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
        index_pages(db, Ref(row["document_uuid"], row["run"]))


def forget_words(db: sqlite3.Connection) -> None:
    """Write the index anew without the words of pages that are deleted: FTS5 only marks them as such."""
    db.execute("insert into docpipe_page_words (docpipe_page_words) values ('optimize')")
