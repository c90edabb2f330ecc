"""A SQLite store opened by several at once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from docpipe.stores.sqlite.store import SqliteStore


def test_a_new_file_that_another_writes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docpipe.db"
    waits = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")

        def done_meanwhile(seconds: float) -> None:
            waits.append(seconds)
            other.execute("commit")

        monkeypatch.setattr(time, "sleep", done_meanwhile)
        store = SqliteStore(path)
        assert store.documents() == []
        store.close()
    assert len(waits) == 1
