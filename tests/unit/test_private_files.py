"""What docpipe writes can be read by its owner alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from docpipe.graph.exports import FORMATS, export
from docpipe.graph.values import Graph, GraphEdge, GraphNode
from docpipe.models.private_files import make_private_file, make_private_folder
from docpipe.pipeline.intake.journal import Journal
from docpipe.sources import Sources
from docpipe.stores import open_store

GRAPH = Graph(
    (GraphNode("a", "Entity", {"name": "A"}), GraphNode("b", "Entity", {"name": "B"})),
    (GraphEdge("e", "KNOWS", "a", "b"),),
)


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: _mode(path) for path in folder.iterdir()}


def test_a_new_store_its_log_and_its_folder(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/data/docpipe/docpipe.db")
    store.documents(limit=1)
    assert _modes(tmp_path / "data" / "docpipe") == {
        "docpipe.db": 0o600,
        "docpipe.db-wal": 0o600,
        "docpipe.db-shm": 0o600,
    }
    assert (_mode(tmp_path / "data"), _mode(tmp_path / "data" / "docpipe")) == (0o700, 0o700)
    store.close()


def test_a_store_that_others_could_read_until_now(tmp_path: Path) -> None:
    path = tmp_path / "docpipe.db"
    path.touch(0o644)
    store = open_store(f"sqlite://{path}")
    store.documents(limit=1)
    assert set(_modes(tmp_path).values()) == {0o600}
    store.close()


def test_the_journal_of_what_was_taken_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "docpipe" / "journal.db")
    assert set(_modes(tmp_path / "docpipe").values()) == {0o600}
    journal.close()


@pytest.mark.parametrize("format_", sorted(set(FORMATS) - {"csv"}))
def test_an_export(format_: str, tmp_path: Path) -> None:
    export(GRAPH, format_, tmp_path / "graph")
    assert _mode(tmp_path / "graph") == 0o600


def test_an_export_into_a_folder(tmp_path: Path) -> None:
    export(GRAPH, "csv", tmp_path / "graph")
    assert _mode(tmp_path / "graph") == 0o700
    assert _modes(tmp_path / "graph") == {"nodes.csv": 0o600, "relationships.csv": 0o600}


def test_a_file_that_is_there_keeps_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"kept")
    make_private_file(path)
    assert (path.read_bytes(), _mode(path)) == (b"kept", 0o600)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    make_private_folder(shared / "one" / "two")
    assert [_mode(path) for path in (shared, shared / "one", shared / "one" / "two")] == [0o755, 0o700, 0o700]


def test_what_is_no_file_stays_as_it_is() -> None:
    before = _mode(Path("/dev/null"))
    make_private_file(Path("/dev/null"))
    assert _mode(Path("/dev/null")) == before


def test_a_copy_among_the_uploads(tmp_path: Path) -> None:
    Sources(uploads=tmp_path / "new" / "uploads").take_in(b"secret", "a.txt")
    made = {path: path.is_dir() for path in (tmp_path / "new").rglob("*")}
    assert {_mode(path) for path, is_folder in made.items() if is_folder} == {0o700}
    assert {_mode(path) for path, is_folder in made.items() if not is_folder} == {0o600}
    assert _mode(tmp_path / "new") == 0o700
