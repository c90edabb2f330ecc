"""Health over real servers and workers: each way to be ill has its own message."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
from celery import Celery

import docpipe
from docpipe.delivery.monitoring.health import Check, Health, Level, Thresholds
from docpipe.delivery.tasks import celery_defaults
from docpipe.errors import CancelledError, StoreUnavailableError
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.execution.policy import Policy
from docpipe.models import Failure
from docpipe.models.status import QUEUES
from docpipe.pipeline.default import health
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.sources import Sources
from docpipe.stores import open_store
from docpipe.stores.port import Store
from docpipe.stores.sqlite.ledger import now
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.integration.test_recovery import claim, ref_of
from tests.unit.conftest import ENGINES, Docpipe
from tests.unit.conftest import docpipe as docpipe_command  # noqa: F401 - a fixture
from tests.workers import HANG_SECONDS, Workers, wait_until

if TYPE_CHECKING:
    from tests.stack import Stack

PREFIX = "docpipe:"
QUICK = Thresholds(canary_seconds=0.2)
UNASKED = Thresholds(canary_seconds=0)
PATIENT = Thresholds(canary_seconds=HANG_SECONDS)


def new_pipeline(
    url: str,
    store: Store,
    folder: Path,
    policy: Policy | None = None,
    stages: Sequence[StageSpec] = BUILT_IN,
) -> Pipeline:
    app = Celery("host", broker=url, set_as_current=False)
    app.conf.update(celery_defaults(prefix=PREFIX))
    return Pipeline(
        app,
        store=store,
        sources=Sources(uploads=folder / "uploads"),
        stages=stages,
        options=OPTIONS,
        policy=policy or Policy(),
    )


@pytest.fixture
def environment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Of workers that share a store with `pipeline`."""
    return ENGINES | {
        "REDIS_URL": redis_url,
        "DOCPIPE_STORE": f"sqlite://{tmp_path / 'docpipe.db'}",
        "DOCPIPE_UPLOADS": str(tmp_path / "uploads"),
    }


@pytest.fixture
def pipeline(redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = new_pipeline(redis_url, open_store(f"sqlite://{tmp_path / 'docpipe.db'}"), tmp_path)
    yield made
    close(made)


def close(pipeline: Pipeline) -> None:
    assert pipeline.app is not None
    pipeline.app.close()
    pipeline.broker.close()
    pipeline.store.close()


@pytest.fixture
def command(docpipe_command: Docpipe) -> Iterator[Docpipe]:  # noqa: F811
    """Runs the command, and gives its connections back."""
    yield docpipe_command
    close(docpipe.default_pipeline())


def wrong(found: Health) -> dict[str, str]:
    return {each.check: each.message for each in found.checks if each.level is Level.WRONG}


def levels(found: Health) -> dict[str, Level]:
    return {each.check: each.level for each in found.checks}


def test_queues_nobody_consumes_are_wrong_each_with_its_remedy(pipeline: Pipeline) -> None:
    found = health(pipeline, limits=QUICK)
    assert not found.ok
    assert wrong(found) == {
        f"queue {queue}": f"nobody consumes queue {queue}: a canary sent there did not come back"
        f" within 0.2 s. Restart its workers, or start one: docpipe worker -Q {queue}"
        for queue in QUEUES.values()
    }


def test_a_canary_that_stays_away_is_noticed_within_a_minute() -> None:
    assert Thresholds().canary_seconds < 60


def test_looking_again_and_again_sends_one_canary_only(pipeline: Pipeline) -> None:
    for _ in range(5):
        assert not health(pipeline, limits=QUICK).ok
    assert pipeline.broker.depths(QUEUES.values()) == dict.fromkeys(QUEUES.values(), 1)


def test_every_key_of_a_canary_expires(pipeline: Pipeline, redis_url: str) -> None:
    health(pipeline, limits=QUICK)
    pipeline.broker.answer_canary("ocr", 1)
    with redis.Redis.from_url(redis_url) as client:
        keys = client.keys(f"{PREFIX}canary:*")
        assert len(keys) == 4
        assert all(client.ttl(key) > 0 for key in keys)


def test_workers_that_consume_bring_canaries_back(
    pipeline: Pipeline, environment: Mapping[str, str], tmp_path: Path
) -> None:
    with Workers(tmp_path, environment) as workers:
        workers.start(*QUEUES.values())
        workers.wait_until_ready()
        found = health(pipeline, limits=PATIENT)
        assert wrong(found) == {}
        assert found.ok
        assert pipeline.app is not None
        # alive, and answers a ping, but consumes nothing: as after a reconnect that went wrong
        pipeline.app.control.cancel_consumer("ocr", reply=True, timeout=HANG_SECONDS, limit=1)
        assert pipeline.app.control.inspect(timeout=HANG_SECONDS, limit=1).ping()
        limits = Thresholds(canary_seconds=3.0)  # a busy worker may need more than one of them
        wait_until(lambda: wrong(health(pipeline, limits=limits)).keys() == {"queue ocr"}, "only ocr waits")


def test_a_queue_whose_workers_are_busy_is_consumed(pipeline: Pipeline) -> None:
    submission = pipeline.submit(b"Ann met Bob.", name="note.txt")
    claim(pipeline, ref_of(submission), "ocr", lease_seconds=60.0)
    found = health(pipeline, limits=QUICK)
    assert (
        Check("queue ocr", Level.OK, "consumed: all its workers are busy, the canary waits") in found.checks
    )
    assert wrong(found).keys() == {"queue text", "queue entity", "queue graph"}


def test_a_worker_that_begins_while_the_canary_waits_is_busy(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ref_of(pipeline.submit(b"Ann met Bob.", name="note.txt"))
    look = pipeline.store.paused

    def begin() -> object:
        claim(pipeline, ref, "ocr", lease_seconds=60.0)
        return look()

    monkeypatch.setattr(pipeline.store, "paused", begin)  # the last thing that is asked before the wait
    assert levels(health(pipeline, limits=QUICK))["queue ocr"] is Level.OK


def test_a_redis_that_is_away_is_said_and_nothing_is_counted(tmp_path: Path) -> None:
    away = new_pipeline("redis://127.0.0.1:1/0", open_store(f"sqlite://{tmp_path / 'a.db'}"), tmp_path)
    found = health(away)
    assert wrong(found).keys() == {"broker"}
    assert wrong(found)["broker"].startswith("Redis cannot be reached")
    assert "Start it, or" in wrong(found)["broker"]
    assert "depth" not in levels(found)
    close(away)


def test_a_broker_that_is_no_redis_is_a_warning(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path / 'a.db'}")
    other = Pipeline(memory_app(), store=store)
    found = health(other)
    assert (found.ok, levels(found)["broker"]) == (True, Level.WARNING)
    store.close()


def test_a_deep_queue_is_wrong_from_the_limit_on(pipeline: Pipeline) -> None:
    for number in range(3):
        pipeline.submit(b"text %d" % number, name="a.txt", priority=3 * number)
    assert wrong(health(pipeline, limits=Thresholds(depth=3, canary_seconds=0))) == {}
    assert wrong(health(pipeline, limits=Thresholds(depth=2, canary_seconds=0))) == {
        "depth": "3 messages wait in queue ocr, more than 2. Add workers: docpipe worker -Q ocr"
    }


def test_a_document_that_waits_too_long_is_wrong(pipeline: Pipeline) -> None:
    pipeline.submit(b"Ann met Bob.", name="a.txt")
    assert levels(health(pipeline, limits=UNASKED))["age"] is Level.OK
    found = wrong(health(pipeline, limits=Thresholds(age_seconds=0.0, canary_seconds=0)))
    assert found["age"].startswith("a document waits for stage ocr since 0 s, longer than 0 s.")


def test_a_message_that_is_lost_again_and_again_is_wrong(pipeline: Pipeline, tmp_path: Path) -> None:
    ref = ref_of(pipeline.submit(b"Ann met Bob.", name="a.txt"))
    with sqlite3.connect(tmp_path / "docpipe.db") as database:
        database.execute("update stage_runs set queued_at = ? where stage = 'ocr'", [now(-7200.0)])
    assert pipeline.store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="t").outcome == "resume"
    assert wrong(health(pipeline, limits=UNASKED)).keys() == {"age"}


def test_a_lease_that_nobody_takes_up_is_wrong(pipeline: Pipeline) -> None:
    submission = pipeline.submit(b"Ann met Bob.", name="a.txt")
    claim(pipeline, ref_of(submission), "ocr", lease_seconds=-1000.0)
    message = wrong(health(pipeline, limits=UNASKED))["leases"]
    assert message.startswith("1 stages are held by workers that are silent, the first (a.txt) since 1,000 s")
    assert message.endswith("Run: docpipe reap --every 30")


def test_quarantine_is_a_warning(pipeline: Pipeline) -> None:
    submission = pipeline.submit(b"Ann met Bob.", name="a.txt")
    ref = ref_of(submission)
    poison = Failure("poison", "PoisonDocumentError", "Started too often.")
    pipeline.store.fail(ref, "ocr", claim(pipeline, ref, "ocr", 60.0), poison)
    found = health(pipeline, limits=UNASKED)
    assert (found.ok, levels(found)["quarantine"]) == (True, Level.WARNING)


def test_a_pipeline_without_an_app_has_no_health(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path / 'a.db'}")
    with pytest.raises(docpipe.ConfigurationError, match="no Celery app"):
        docpipe.health(Pipeline(store=store))


# --- Supabase ------------------------------------------------------------------------------------


@pytest.fixture
def hosted(redis_url: str, supabase_env: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    store = open_store(
        "supabase",
        supabase_url=supabase_env["SUPABASE_URL"],
        supabase_key=supabase_env["SUPABASE_SECRET_KEY"],
    )
    made = new_pipeline(redis_url, store, tmp_path)
    yield made
    close(made)


def test_a_supabase_that_is_up_to_date_is_well(hosted: Pipeline) -> None:
    assert wrong(health(hosted, limits=UNASKED)) == {}


def test_a_redis_that_is_stopped_is_said(hosted: Pipeline, stack: Stack) -> None:
    assert wrong(health(hosted, limits=UNASKED)) == {}
    stack.redis.kill()
    found = wrong(health(hosted))
    assert found.keys() == {"broker"}
    assert "Start it, or" in found["broker"]


def test_an_api_that_is_stopped_is_said(hosted: Pipeline, stack: Stack) -> None:
    stack.api.kill()
    found = wrong(health(hosted, limits=UNASKED))
    assert found.keys() == {"store"}
    assert "correct SUPABASE_URL" in found["store"]


def test_a_wait_outlasts_an_api_that_is_away(
    hosted: Pipeline, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    submission = hosted.submit(b"Ann met Bob.", name="note.txt")
    stack.api.kill()
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(submission.wait, HANG_SECONDS)
        try:
            wait_until(lambda: caplog.text.count("wait_goes_on") > 1, "it has asked in vain, twice")
            assert not waiting.done()
        finally:
            stack.api.start()
        wait_until(lambda: cancelled(hosted, submission), "the store is back")
        with pytest.raises(CancelledError):
            waiting.result(HANG_SECONDS)


def cancelled(pipeline: Pipeline, submission: Submission) -> bool:
    try:
        return pipeline.cancel(submission.document_uuid)
    except StoreUnavailableError:
        return False


def test_an_older_schema_is_said_with_its_remedy(hosted: Pipeline, supabase_env: dict[str, str]) -> None:
    define = "create or replace function public.docpipe_schema_version() returns text language sql as"
    with psycopg.connect(supabase_env["SUPABASE_DB_URL"], autocommit=True) as connection:
        (now,) = connection.execute("select docpipe_schema_version()").fetchone() or ("",)
        connection.execute(f"{define} $$ select '20200101000000' $$")
        try:
            found = wrong(health(hosted, limits=UNASKED))
        finally:
            connection.execute(f"{define} $$ select '{now}' $$")
    assert found.keys() == {"schema"}
    assert "20200101000000, older than" in found["schema"]
    assert "docpipe db apply" in found["schema"]


# --- the command ---------------------------------------------------------------------------------


def test_the_command_tells_all_and_exits_with_one(
    command: Docpipe,
    monkeypatch: pytest.MonkeyPatch,
    redis_url: str,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    done = command("health", "--canary-seconds", "0.2")
    assert done.code == 1
    assert "ok      broker: Redis answers" in done.out
    assert "wrong   queue ocr: nobody consumes queue ocr" in done.out


def test_the_command_as_json_without_canaries_is_well(
    command: Docpipe,
    monkeypatch: pytest.MonkeyPatch,
    redis_url: str,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    done = command("health", "--json", "--canary-seconds", "0")
    assert (done.code, json.loads(done.out)["ok"]) == (0, True)
    assert {each["level"] for each in json.loads(done.out)["checks"]} == {"ok"}
    assert os.environ["REDIS_URL"] == redis_url
