"""A SQLite store made by an earlier docpipe gets the columns that came later."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from docpipe.pipeline.text_search import search_text
from docpipe.stores.sqlite.store import SqliteStore
from tests.contract.test_text_search import completed

LATER = {"docpipe_entities": ["merges"], "docpipe_relations": ["verb", "count"]}


def columns(path: Path) -> dict[str, set[str]]:
    with closing(sqlite3.connect(path)) as db:
        return {table: {row[1] for row in db.execute(f"pragma table_info({table})")} for table in LATER}


def opened(path: Path) -> None:
    store = SqliteStore(path)
    store.documents()
    store.close()


def test_an_older_store_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "docpipe.db"
    opened(path)
    complete = columns(path)
    with closing(sqlite3.connect(path)) as db:
        for table, names in LATER.items():
            for name in names:
                db.execute(f"alter table {table} drop column {name}")
    assert columns(path) != complete
    opened(path)
    assert columns(path) == complete


def test_the_results_in_an_older_store_can_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "docpipe.db"
    store = SqliteStore(path)
    ref = completed(store, "a page of long ago")
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript("drop table docpipe_page_words; drop table docpipe_page_search;")
    (passage,) = search_text(SqliteStore(path), "long ago", None, 20)
    assert (passage.document_uuid, passage.page) == (ref.document_uuid, 1)
