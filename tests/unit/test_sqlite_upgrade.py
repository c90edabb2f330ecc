"""A SQLite store made by an earlier docpipe gets the columns that came later."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from docpipe.stores.sqlite.store import SqliteStore

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
