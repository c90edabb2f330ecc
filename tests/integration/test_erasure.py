"""Nothing of a deleted document is found, although storage or Redis was away and the process died."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import redis

from docpipe.errors import DocumentNotFoundError
from tests.integration.erasing import eraser

NOBODY = "redis://127.0.0.1:1/0"
KILLS = int(os.environ.get("KILLS", "50"))
PAGE = "Zebedee Quixworth owes the Marmalade Foundation a plate of herrings. "
WORDS = [b"Zebedee", b"Quixworth", b"zebedee", b"Marmalade", b"herrings", b"quixote.txt"]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def everywhere(folder: Path, redis_url: str) -> Iterator[tuple[str, bytes]]:
    """Every file below the folder, and every value in Redis."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes() + path.name.encode()
    with redis.Redis.from_url(redis_url) as client:
        for key in client.keys("*"):
            yield repr(key), key + (client.dump(key) or b"")


def found(folder: Path, redis_url: str, *words: bytes) -> dict[str, list[bytes]]:
    places = {name: [word for word in words if word in data] for name, data in everywhere(folder, redis_url)}
    return {name: held for name, held in places.items() if held}


def delete_and_die(folder: Path, redis_url: str, uuid: str, step: int) -> int:
    """In a process of its own; how many steps it took, 0 if it was killed."""
    arguments = [str(folder / "docpipe.db"), str(folder / "uploads"), redis_url, uuid, str(step)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.erasing", *arguments],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr
    return int(done.stdout or 0)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_nothing_is_found_of_a_document_whose_deletion_was_killed_while_storage_or_redis_was_away(
    tmp_path: Path, scratch: Path, redis_url: str
) -> None:
    uploads, away = tmp_path / "uploads", tmp_path / "away"
    pipeline = eraser(tmp_path / "docpipe.db", uploads, redis_url)
    kept = pipeline.process(b"Bob stays.", name="bob.txt", project_id="p")
    steps, chance = 0, random.Random(KILLS)
    for life in range(KILLS + 1):
        text = f"{PAGE * 40}{life}".encode()
        uuid = pipeline.process(text, name="quixote.txt", project_id="p").document_uuid
        pipeline.runtime.progress.update_document_state(uuid, "ocr", "done", {"name": "quixote.txt"})
        pipeline.store.close()
        if is_away := life % 2 == 1:
            uploads.rename(away)
        redis_there = NOBODY if life % 3 == 2 else redis_url
        taken = delete_and_die(tmp_path, redis_there, uuid, chance.randint(1, steps) if life else 0)
        steps = max(steps, taken)
        if is_away:
            away.rename(uploads)
        for again in (pipeline.erase, partial(pipeline.delete, uuid)):
            with suppress(DocumentNotFoundError):
                again()
        assert [place for place in pipeline.delete_and_verify(uuid) if not place.is_empty] == []
        copies = {path.name for path in uploads.rglob("*") if path.is_file()}
        assert len(copies) == 1
        assert found(tmp_path, redis_url, *WORDS, uuid.encode()) == {}
    assert steps > 100
    assert pipeline.get(kept.document_uuid).text == "Bob stays."
