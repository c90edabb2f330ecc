"""While docpipe is upgraded: messages of an earlier and of a later one, newer and older schemas."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from docpipe.delivery.monitoring.starting import begin_worker
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.execution.policy import Policy
from docpipe.execution.runner import run_stage
from docpipe.models import Ref, StageOutput
from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.sources import Sources
from docpipe.stores import open_store
from docpipe.stores.port import Store
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.integration.test_health import PREFIX, close, new_pipeline
from tests.unit.conftest import ENGINES
from tests.workers import HANG_SECONDS, Workers, wait_until

EARLIER = Path(__file__).with_name("message_20261122.json")
"""The first message of a chain as docpipe sent it on that day, its body unpacked; with another id and run."""
DOCUMENT, TASK = "00000000-0000-4000-8000-000000000000", "11111111-0000-4000-8000-000000000000"
TABLES = ("source_documents", "docpipe_runs", "stage_runs", "docpipe_attempts", "docpipe_history")


def earlier(ref: Ref, task_id: str) -> dict[str, Any]:
    """The recorded message, about this document."""
    text = EARLIER.read_text().replace(DOCUMENT, ref.document_uuid).replace(TASK, task_id)
    found: dict[str, Any] = json.loads(text)
    return found


def later(ref: Ref, task_id: str) -> dict[str, Any]:
    """The message as a docpipe might send it that says more, and has one more stage."""
    message = earlier(ref, task_id)
    arguments, _, embedded = message["body"]
    arguments[0] |= {"tenant": "north", "hints": {"pages": 2}}
    last = embedded["chain"][0]
    options = last["options"] | {"task_id": f"{task_id}.later", "queue": "graph"}
    embedded["chain"].insert(0, last | {"task": "docpipe.later", "options": options})
    message["headers"]["priority_class"] = "bulk"
    return message


def errback(ref: Ref) -> dict[str, Any]:
    """As the first docpipe sent it, which did not name the task."""
    message = earlier(ref, "an-errback")
    message["headers"] |= {"task": "docpipe.on_error"}
    message["body"] = [
        [ref.to_message()],
        {},
        {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
    ]
    return message


def packed(message: dict[str, Any]) -> str:
    return json.dumps(message | {"body": base64.b64encode(json.dumps(message["body"]).encode()).decode()})


@pytest.fixture
def pipeline(redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = new_pipeline(redis_url, open_store(f"sqlite://{tmp_path / 'docpipe.db'}"), tmp_path)
    yield made
    close(made)


def submitted(pipeline: Pipeline, text: bytes, client: redis.Redis) -> tuple[Ref, Submission]:
    """A document that is queued and whose message is gone."""
    submission = pipeline.submit(text, name="note.txt")
    client.delete(f"{PREFIX}ocr")
    return Ref(submission.document_uuid, 1), submission


def test_messages_of_an_earlier_and_of_a_later_docpipe_run_through(
    pipeline: Pipeline, redis_url: str, tmp_path: Path
) -> None:
    env = ENGINES | {
        "REDIS_URL": redis_url,
        "DOCPIPE_STORE": f"sqlite://{tmp_path / 'docpipe.db'}",
        "DOCPIPE_UPLOADS": str(tmp_path / "uploads"),
    }
    with Workers(tmp_path, env) as workers, redis.Redis.from_url(redis_url) as client:
        documents = [submitted(pipeline, text, client) for text in (b"Ann met Bob.", b"Bob met Ann.")]
        for (ref, submission), message in zip(documents, (earlier, later), strict=True):
            client.lpush(f"{PREFIX}ocr", packed(message(ref, submission.task_id or "")))
        client.lpush(f"{PREFIX}ocr", packed(errback(documents[0][0])))
        worker = workers.start(*QUEUES.values())
        for _, submission in documents:
            assert submission.wait(HANG_SECONDS).status == "completed"
        wait_until(
            lambda: "unregistered task of type 'docpipe.later'" in worker.log.read_text(), "it is named"
        )
        wait_until(lambda: "message_refused" in worker.log.read_text(), "the errback is refused")
        assert worker.log.read_text().count("Traceback") == 1  # Celery's own, of the stage it does not know


def test_a_stage_of_a_later_docpipe_stops_no_reap(pipeline: Pipeline, redis_url: str, tmp_path: Path) -> None:
    words = replace(BUILT_IN[-1].words, queued="later_queued")
    stage = StageSpec("later", "graph", words, frozenset(), lambda _: StageOutput())
    stages = (BUILT_IN[0], stage)
    newer = new_pipeline(redis_url, pipeline.store, tmp_path, Policy(grace_seconds=0.0), stages)
    older = new_pipeline(redis_url, pipeline.store, tmp_path, Policy(grace_seconds=0.0))
    submission = newer.submit(b"Ann met Bob.", name="note.txt", priority=0)
    run_stage(newer.runtime, stages[0], Ref(submission.document_uuid, 1), task_id="")
    older.submit(b"Bob met Ann.", name="note.txt", priority=9)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*client.keys(f"{PREFIX}*"))
    assert older.reap() == {"resume": 1}
    assert not older.reap()
    assert newer.reap() == {"resume": 1}
    assert pipeline.broker.depths(["ocr", "graph"]) == {"ocr": 1, "graph": 1}


# --- schemas ----------------------------------------------------------------------------------------


@contextmanager
def schema_of(dsn: str, version: str) -> Iterator[None]:
    """The database says that it is of this version, and a newer one has more columns."""
    define = "create or replace function public.docpipe_schema_version() returns text language sql as"
    with psycopg.connect(dsn, autocommit=True) as connection:
        (now,) = connection.execute("select docpipe_schema_version()").fetchone() or ("",)
        connection.execute(f"{define} $$ select '{version}' $$".encode())
        try:
            if version > now:
                for table in TABLES:
                    connection.execute(f"alter table {table} add column later text default 'more'".encode())
            yield
        finally:
            for table in TABLES:
                connection.execute(f"alter table {table} drop column if exists later".encode())
            connection.execute(f"{define} $$ select '{now}' $$".encode())


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with closing(open_store("postgres", supabase_db_url=database)) as store:
        yield store


def on(store: Store, folder: Path) -> Pipeline:
    app = memory_app(task_always_eager=True)
    return Pipeline(app, store=store, sources=Sources(uploads=folder), options=OPTIONS)


def test_a_newer_schema_serves_the_older_code(store: Store, database: str, tmp_path: Path) -> None:
    with schema_of(database, "20990101000000"):
        pipeline = on(store, tmp_path)
        assert store.check() == []
        assert pipeline.submit(b"Ann met Bob.", name="note.txt").wait().status == "completed"
        begin_worker(pipeline.deployment)


def test_an_older_schema_stops_a_worker_by_name(store: Store, database: str, tmp_path: Path) -> None:
    with schema_of(database, "20261122090000"), pytest.raises(SystemExit) as refused:
        begin_worker(on(store, tmp_path).deployment)
    said = str(refused.value)
    assert "store: the schema is of version 20261122090000, older than" in said
    assert "Run: docpipe db apply" in said
