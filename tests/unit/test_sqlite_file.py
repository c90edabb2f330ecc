"""A SQLite store opened by several at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import Action


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


def test_a_process_that_ends_leaves_the_log_to_the_threads_of_another(tmp_path: Path) -> None:
    file = tmp_path / "docpipe.db"
    store = SqliteStore(file)
    store.record_action(Action("1", "ann", "look", None, None))
    thread = threading.Thread(target=store.documents)
    thread.start()
    thread.join()
    log = file.with_name("docpipe.db-wal").stat().st_ino
    read = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('select * from stage_runs').fetchall()"
    subprocess.run([sys.executable, "-I", "-c", read, str(file)], check=True)
    assert file.with_name("docpipe.db-wal").stat().st_ino == log  # else what this process writes now is lost
    store.close()
