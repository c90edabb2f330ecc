"""What the acceptance tests share: the example documents, their embedded run, and a set of real servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from docpipe import Document, Pipeline
from docpipe.models import Ref
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.settings import Settings
from docpipe.stores import open_store
from docpipe.stores.values import ALL_PARTS
from tests.stack import Stack
from tests.workers import HANG_SECONDS, REPOSITORY, clean_environment

FOLDER = REPOSITORY / "examples" / "documents"
FACTS: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / "facts.json").read_text("utf-8"))
DOCUMENTS = [FOLDER / name for name in FACTS]

_REDIS_DATABASE = 15  # the module's own: function-scoped `redis_url` empties whichever it gets


@dataclass(frozen=True)
class EmbeddedRun:
    """What `docpipe run --json` printed about the example documents, and the store it left."""

    store: Path
    results: dict[str, dict[str, Any]]

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The same as values, without their uuids, by name."""
        store = open_store(f"sqlite://{self.store}")
        try:
            return {
                name: without_identity(store.load(Ref(result["document_uuid"], 1), ALL_PARTS))
                for name, result in self.results.items()
            }
        finally:
            store.close()


def without_identity(document: Document) -> Document:
    """The document as any run of the same bytes must give it."""
    return replace(document, document_uuid="")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedRun:
    """`docpipe run --json` over all example documents, once for all tests."""
    store = tmp_path_factory.mktemp("embedded") / "docpipe.db"
    program = Path(sys.executable).with_name("docpipe")
    run = subprocess.run(
        [program, "run", "--json", "--store", store, *DOCUMENTS],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG_SECONDS,
    )
    assert run.returncode == 0, f"docpipe run ended with {run.returncode}: {run.stdout}{run.stderr}"
    results = [json.loads(line) for line in run.stdout.splitlines()]
    return EmbeddedRun(store, {Path(result["source"]).name: result for result in results})


@dataclass(frozen=True)
class Services:
    """The real servers as one test module uses them: empty tables and a Redis database of its own."""

    env: dict[str, str]
    dsn: str
    redis_url: str

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def messages(self) -> dict[str, list[bytes]]:
        """Every list in Redis by its key: the queues that hold messages."""
        with redis.Redis.from_url(self.redis_url) as client:
            keys = sorted(key.decode() for key in client.scan_iter())
            return {key: client.lrange(key, 0, -1) for key in keys if client.type(key) == b"list"}

    def unacknowledged(self) -> int:
        """How many messages a worker holds."""
        with redis.Redis.from_url(self.redis_url) as client:
            return sum(client.hlen(key) for key in client.keys("*unacked") if client.type(key) == b"hash")

    @property
    def idle(self) -> bool:
        """Whether no message waits or is held."""
        return not self.messages() and not self.unacknowledged()


@pytest.fixture(scope="module")
def services(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Redis, Postgres and the API, emptied; `env` leads docpipe to them."""
    stack.mend()
    stack.postgres.empty()
    stack.redis.flush(_REDIS_DATABASE)
    url = stack.redis.database_url(_REDIS_DATABASE)
    uploads = tmp_path_factory.mktemp("uploads")
    env = stack.env | {"REDIS_URL": url, "DOCPIPE_UPLOADS": str(uploads), "DOCPIPE_BACKOFF_SECONDS": "0.5"}
    yield Services(env, stack.postgres.url, url)
    stack.mend()
    stack.redis.flush(_REDIS_DATABASE)


@pytest.fixture(scope="module")
def pipeline(services: Services) -> Iterator[Pipeline]:
    """The stand-alone pipeline over the services, in this process: to submit, to look, to wait."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in services.env.items():
            patch.setenv(name, value)
        pipeline = new_pipeline(Settings())
    yield pipeline
    pipeline.store.close()
    assert pipeline.app is not None
    pipeline.app.close()
