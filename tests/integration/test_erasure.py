"""Nothing of a deleted document is found, although storage or Redis was away and the process died."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from docpipe.errors import DocumentNotFoundError
from tests.integration.erasing import Deployment, delete_and_die

NOBODY = "redis://127.0.0.1:1/0"
KILLS = int(os.environ.get("KILLS", "17"))
"""In each store: 51 in all."""
PAGE = "Zebedee Quixworth owes the Marmalade Foundation a plate of herrings. "
WORDS = [b"Zebedee", b"Quixworth", b"zebedee", b"Marmalade", b"herrings", b"quixote.txt"]
FILES = "select current_setting('data_directory'), oid from pg_database where datname = current_database()"
TABLES = (
    "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all temporary files go, but for the socket of the server of processes."""
    forkserver.ensure_running()
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture(params=["sqlite", "postgres", "supabase"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, scratch: Path, redis_url: str) -> Deployment:
    if request.param == "sqlite":
        return Deployment(f"sqlite://{tmp_path / 'docpipe.db'}", {}, tmp_path / "uploads", scratch, redis_url)
    env = request.getfixturevalue("supabase_env")
    return Deployment(request.param, env, tmp_path / "uploads", scratch, redis_url)


def everywhere(deployment: Deployment) -> Iterator[tuple[str, bytes]]:
    """Every file beside the uploads, every value in Redis, every row of every table."""
    for path in deployment.uploads.parent.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes() + path.name.encode()
    with redis.Redis.from_url(deployment.redis_url) as client:
        for key in client.keys("*"):
            yield repr(key), key + (client.dump(key) or b"")
    if dsn := deployment.env.get("SUPABASE_DB_URL"):
        with psycopg.connect(dsn) as db:
            for table in db.execute(TABLES.encode()).fetchall():
                rows = db.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(*table)))
                yield ".".join(table), "\n".join(row for (row,) in rows).encode()


def found(deployment: Deployment, *words: bytes) -> dict[str, list[bytes]]:
    places = {name: [word for word in words if word in data] for name, data in everywhere(deployment)}
    return {name: held for name, held in places.items() if held}


def written(dsn: str) -> Iterator[bytes]:
    """The files of the database, as Postgres has them when it has rewritten all tables."""
    with psycopg.connect(dsn, autocommit=True) as db:
        for statement in ("analyze", "vacuum full", "checkpoint"):
            db.execute(statement.encode())
        row = db.execute(FILES.encode()).fetchone()
    assert row is not None
    for path in Path(row[0], "base", str(row[1])).iterdir():
        with suppress(FileNotFoundError):
            yield path.read_bytes()


@pytest.mark.timeout(120 + 20 * KILLS)
def test_nothing_is_found_of_a_document_whose_deletion_was_killed_while_storage_or_redis_was_away(
    deployment: Deployment, tmp_path: Path
) -> None:
    uploads, away = deployment.uploads, tmp_path / "away"
    pipeline = deployment.pipeline()
    kept = pipeline.process(b"Bob stays.", name="bob.txt", project_id="p")
    steps, deaths, chance = 0, 0, random.Random(KILLS)
    for life in range(KILLS + 1):
        text = f"{PAGE * 40}{life}".encode()
        uuid = pipeline.process(text, name="quixote.txt", project_id="p").document_uuid
        assert found(deployment, b"Quixworth") != {}
        pipeline.runtime.progress.update_document_state(uuid, "ocr", "done", {"name": "quixote.txt"})
        pipeline.store.close()
        if is_away := life % 2 == 1:
            uploads.rename(away)
        crippled = replace(deployment, redis_url=NOBODY) if life % 3 == 2 else deployment
        taken = delete_and_die(crippled, uuid, chance.randint(1, steps) if life else 0)
        steps, deaths = max(steps, taken), deaths + (taken == 0)
        if is_away:
            away.rename(uploads)
        for again in (pipeline.erase, partial(pipeline.delete, uuid)):
            with suppress(DocumentNotFoundError):
                again()
        assert [place for place in pipeline.delete_and_verify(uuid) if not place.is_empty] == []
        copies = {path.name for path in uploads.rglob("*") if path.is_file()}
        assert len(copies) == 1
        assert found(deployment, *WORDS, uuid.encode()) == {}
    assert steps > 100
    assert deaths > KILLS / 2
    assert pipeline.get(kept.document_uuid).text == "Bob stays."
    pipeline.store.close()
    if dsn := deployment.env.get("SUPABASE_DB_URL"):
        assert [word for data in written(dsn) for word in WORDS if word in data] == []
