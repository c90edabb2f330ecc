"""Taking up again what lost its message or its worker: a real Redis, nobody consuming."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import redis
from celery import Celery
from celery.exceptions import Ignore

from docpipe.delivery.tasks import celery_defaults
from docpipe.errors import BrokerUnavailableError, ConfigurationError, DocumentNotFoundError
from docpipe.execution.policy import Policy, Retention
from docpipe.models import Failure, RangeRef, Ref, StageOutput
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.sources import Sources
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.pause_port import Pause
from docpipe.stores.share_port import Limit
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import Handover, Outcome, Selection
from tests.engines import OPTIONS
from tests.messages import messages
from tests.workers import HANG_SECONDS

PREFIX = "recovery:"
POLICY = Policy(lease_seconds=60.0, grace_seconds=0.0, max_attempts=5)
NewPipeline = Callable[..., Pipeline]
EQUAL = 16


@pytest.fixture
def new_pipeline(redis_url: str, tmp_path: Path) -> Iterator[NewPipeline]:
    made: list[Pipeline] = []

    def new(url: str = redis_url, store: str = "docpipe.db", policy: Policy = POLICY) -> Pipeline:
        app = Celery("host", broker=url, set_as_current=False)
        app.conf.update(celery_defaults(policy, prefix=PREFIX))
        app.conf.task_publish_retry = False
        pipeline = Pipeline(
            app,
            store=SqliteStore(tmp_path / store),
            sources=Sources(uploads=tmp_path / "uploads"),
            options=OPTIONS,
            policy=policy,
        )
        made.append(pipeline)
        return pipeline

    yield new
    for pipeline in made:
        assert pipeline.app is not None
        pipeline.app.close()
        pipeline.broker.close()
        pipeline.store.close()


@pytest.fixture
def pipeline(new_pipeline: NewPipeline) -> Pipeline:
    return new_pipeline()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def submission(pipeline: Pipeline) -> Submission:
    return pipeline.submit(b"Ann met Bob.", name="note.txt")


def ref_of(submission: Submission) -> Ref:
    return Ref(submission.document_uuid, submission.status().run)


def lose_messages(client: redis.Redis) -> None:
    client.flushdb()


def claim(pipeline: Pipeline, ref: Ref, stage: str, lease_seconds: float = 0.0) -> int:
    claimant = Claimant(os.urandom(8).hex(), "t", "dead:1", lease_seconds, max_attempts=5)
    taken = pipeline.store.claim(ref, stage, claimant)
    assert taken.outcome is Outcome.CLAIMED
    assert taken.token is not None
    return taken.token


# --- what waits ----------------------------------------------------------------------------------


def test_the_broker_tells_depth_and_documents_of_every_priority(pipeline: Pipeline) -> None:
    refs = set()
    for priority in (0, 4, 9):
        submission = pipeline.submit(f"text {priority}".encode(), name="a.txt", priority=priority)
        refs.add(ref_of(submission))
    assert pipeline.broker.depths(["ocr", "graph"]) == {"ocr": 3, "graph": 0}
    assert messages(pipeline.broker, ["ocr", "graph"]) == refs


def test_the_broker_tells_the_ranges_of_a_long_document_apart(
    pipeline: Pipeline, submission: Submission
) -> None:
    ref = ref_of(submission)
    pipeline.hand_over(ref, Handover((1, 11), priority=4))
    assert messages(pipeline.broker, ["ocr"]) == {ref, RangeRef(ref, 1), RangeRef(ref, 11)}


def test_submits_of_equal_bytes_at_once_send_one_message(pipeline: Pipeline) -> None:
    together = Barrier(EQUAL)

    def submit(number: int) -> Submission:
        together.wait(HANG_SECONDS)
        return pipeline.submit(b"Ann met Bob.", name=f"{number}.txt")

    with ThreadPoolExecutor(EQUAL) as threads:
        found = list(threads.map(submit, range(EQUAL)))
    (sent,) = {(each.document_uuid, each.task_id) for each in found}
    assert sent[1]
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 1}
    assert pipeline.store.statistics().documents[0].documents == 1


def test_foreign_messages_are_counted_and_not_understood(pipeline: Pipeline, client: redis.Redis) -> None:
    client.lpush(f"{PREFIX}ocr", b"not json", b'{"body": "!!"}', b'{"body": "W10="}')
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 3}
    assert messages(pipeline.broker, ["ocr"]) == set()


def test_a_broker_that_is_away_is_an_error(new_pipeline: NewPipeline) -> None:
    away = new_pipeline("redis://127.0.0.1:1/0")
    with pytest.raises(BrokerUnavailableError, match="cannot be reached"):
        away.reap()


# --- reap ----------------------------------------------------------------------------------------


def test_a_message_that_waits_is_left_alone(pipeline: Pipeline, submission: Submission) -> None:
    assert not pipeline.reap()
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 1}


def test_a_lost_message_is_sent_again_once(
    pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    lose_messages(client)
    assert pipeline.reap() == {"resume": 1}
    assert not pipeline.reap()
    assert messages(pipeline.broker, ["ocr"]) == {ref_of(submission)}


def test_a_dead_workers_stage_is_sent_again_from_there(
    pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    ref = ref_of(submission)
    lose_messages(client)  # the worker had taken it
    token = claim(pipeline, ref, "ocr", 60.0)
    pipeline.store.finish(ref, "ocr", token, StageOutput(text="Ann met Bob.", pages=()))
    claim(pipeline, ref, "chunk")
    assert pipeline.reap() == {"resume": 1}
    assert messages(pipeline.broker, ["text"]) == {ref}
    assert not pipeline.reap()


def test_many_documents_are_published_together(pipeline: Pipeline, client: redis.Redis) -> None:
    """Redis reads 16 kB at once; a round trip for each message of four would be a read for each."""
    list(pipeline.submit_many([b"first"], name="a.txt"))
    before = client.info("stats")["total_reads_processed"]
    sent = list(pipeline.submit_many([f"text {number}".encode() for number in range(200)], name="a.txt"))
    assert client.info("stats")["total_reads_processed"] - before < 100
    assert all(isinstance(each, Submission) and each.task_id for each in sent)
    assert client.llen(f"{PREFIX}ocr") == 201


def test_no_more_documents_are_published_than_may_be_in_flight(
    pipeline: Pipeline, client: redis.Redis
) -> None:
    """One that ended makes room at once; for what nobody was there to follow, the reaper does."""
    pipeline.limit(Limit(in_flight=10))
    sent = list(pipeline.submit_many([f"text {number}".encode() for number in range(30)], name="a.txt"))
    waiting = [each for each in sent if isinstance(each, Submission) and each.task_id is None]
    assert (client.llen(f"{PREFIX}ocr"), len(waiting)) == (10, 20)
    single = pipeline.submit(b"one more", name="a.txt")
    assert (single.task_id, single.status().status) == (None, "pending")
    assert not pipeline.reap()
    failed, cancelled, *_ = (
        each for each in messages(pipeline.broker, ["ocr"]) or () if isinstance(each, Ref)
    )
    task_id = pipeline.store.status(failed.document_uuid).task_id
    pipeline.store.claim(failed, "ocr", Claimant("c", str(task_id), "w", 60.0, 5))
    assert pipeline.app is not None
    pipeline.app.tasks["docpipe.on_error"](failed.to_message() | {"task_id": task_id})
    assert client.llen(f"{PREFIX}ocr") == 11  # nobody takes the message of what failed
    pipeline.cancel(cancelled.document_uuid)
    assert pipeline.reap() == {"admitted": 1}
    assert client.llen(f"{PREFIX}ocr") == 12
    assert pipeline.limit(Limit()) == 19
    assert client.llen(f"{PREFIX}ocr") == 31


def test_a_lost_message_is_found_behind_a_backlog_that_nobody_reads(
    pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    lose_messages(client)
    sent = pipeline.submit_many([f"text {number}".encode() for number in range(300)], name="a.txt")
    waiting = [each.document_uuid for each in sent if isinstance(each, Submission)]
    gone = waiting.pop(250)
    (place,) = (
        place
        for place, each in enumerate(client.lrange(f"{PREFIX}ocr", 0, -1))
        if gone.encode() in base64.b64decode(json.loads(each)["body"])
    )
    client.lset(f"{PREFIX}ocr", place, "gone")
    assert pipeline.reap() == {"resume": 1}  # the one before them all; nobody has come to the other's place
    client.ltrim(f"{PREFIX}ocr", 0, 300 - 260)  # workers have taken those before it, and some more
    looks = pipeline.broker.looks(["ocr"])
    lost = pipeline.store.lost(looks, grace_seconds=0.0)
    assert gone in {each.ref.document_uuid for each in lost}
    assert not {each.ref.document_uuid for each in lost} & set(waiting[260:])


def test_a_retry_whose_message_waits_in_a_backlog_is_not_sent_again(
    pipeline: Pipeline, submission: Submission
) -> None:
    ref = ref_of(submission)
    token = claim(pipeline, ref, "ocr", 60.0)
    pipeline.store.retry(ref, "ocr", token, Failure("transient", "TransientError", "away"), -1.0)
    assert not pipeline.reap()
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 1}


def test_a_document_that_could_not_be_published_is_published_later(
    new_pipeline: NewPipeline, pipeline: Pipeline
) -> None:
    away = new_pipeline("redis://127.0.0.1:1/0")
    submission = away.submit(b"Ann met Bob.", name="note.txt")
    assert (submission.task_id, submission.status().status) == (None, "pending")
    assert pipeline.reap() == {"resume": 1}
    status = pipeline.status(submission.document_uuid)
    assert status.status == "ocr_queued"
    assert status.task_id is not None
    assert messages(pipeline.broker, ["ocr"]) == {ref_of(submission)}


def test_a_stage_that_kills_its_workers_ends_in_quarantine_and_can_be_released(
    pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    ref = ref_of(submission)
    lose_messages(client)
    for _ in range(5):
        claim(pipeline, ref, "ocr")
    assert pipeline.reap() == {"poison": 1}
    (poisoned,) = pipeline.store.documents(Selection(error_code="poison"))
    assert (poisoned.document_uuid, poisoned.status) == (ref.document_uuid, "error_ocr")
    assert pipeline.resume(ref.document_uuid) is not None
    assert pipeline.status(ref.document_uuid).stages[0].attempt == 0


# --- pause ----------------------------------------------------------------------------------------


def test_a_pause_outlives_redis_and_what_it_held_is_sent_when_it_ends(
    new_pipeline: NewPipeline, pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    ref = ref_of(submission)
    assert pipeline.pause(stage="ocr")
    asked = Claimant("c", "t", "host:1", 60.0, max_attempts=5)
    assert pipeline.store.claim(ref, "ocr", asked).outcome is Outcome.PAUSED  # its message is let go
    client.flushall()
    restarted = new_pipeline()
    for _ in range(3):
        assert not restarted.reap()
    assert messages(restarted.broker, ["ocr"]) == set()
    assert [str(pause).partition(" since ")[0] for pause in restarted.paused()] == ["stage ocr is paused"]
    told = [each.message for each in restarted.examine(consumers=False) if each.check == "paused"]
    assert [each.startswith("stage ocr is paused") for each in told] == [True]
    assert restarted.unpause(stage="ocr") == 1
    assert messages(restarted.broker, ["ocr"]) == {ref}
    assert restarted.unpause(stage="ocr") == 0


def test_a_message_of_a_paused_stage_goes_round_no_more_than_once(
    pipeline: Pipeline, submission: Submission, client: redis.Redis
) -> None:
    pipeline.pause()
    lose_messages(client)  # a worker has taken it
    assert pipeline.app is not None
    with pytest.raises(Ignore):
        pipeline.app.tasks["docpipe.ocr"](ref_of(submission).to_message())
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 0}
    pipeline.reap()
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 0}
    pipeline.store.unpause(Pause())
    assert pipeline.reap() == {"released": 1}
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 1}


def test_a_pause_names_a_stage_or_a_project(pipeline: Pipeline) -> None:
    with pytest.raises(ConfigurationError, match="There is no stage 'read'; it is one of ocr, chunk"):
        pipeline.pause(stage="read")
    with pytest.raises(ConfigurationError, match="not both"):
        pipeline.unpause(stage="ocr", project_id="p")


# --- resume and reprocess ------------------------------------------------------------------------


def test_a_failed_document_is_resumed_where_it_failed(pipeline: Pipeline, submission: Submission) -> None:
    ref = ref_of(submission)
    pipeline.store.finish(ref, "ocr", claim(pipeline, ref, "ocr", 60.0), StageOutput(text="Ann.", pages=()))
    failure = Failure("corrupt", "CorruptDocumentError", "Damaged.")
    pipeline.store.fail(ref, "chunk", claim(pipeline, ref, "chunk", 60.0), failure)
    task_id = pipeline.resume(ref.document_uuid)
    assert task_id == pipeline.status(ref.document_uuid).task_id
    assert pipeline.broker.depths(["text"]) == {"text": 1}


def test_a_document_that_did_not_fail_has_nothing_to_resume(
    pipeline: Pipeline, submission: Submission
) -> None:
    assert pipeline.resume(submission.document_uuid) is None


def test_reprocessing_from_a_stage_publishes_that_stage(pipeline: Pipeline, submission: Submission) -> None:
    ref = ref_of(submission)
    pipeline.store.finish(ref, "ocr", claim(pipeline, ref, "ocr", 60.0), StageOutput(text="Ann.", pages=()))
    assert pipeline.reprocess(ref.document_uuid, from_stage="chunk")
    assert messages(pipeline.broker, ["text"]) == {Ref(ref.document_uuid, 2)}
    assert pipeline.status(ref.document_uuid).status == "text_queued"


def test_a_stage_whose_input_is_missing_cannot_be_redone(pipeline: Pipeline, submission: Submission) -> None:
    with pytest.raises(ConfigurationError, match="from 'graph': no run has completed"):
        pipeline.reprocess(submission.document_uuid, from_stage="graph")
    with pytest.raises(DocumentNotFoundError):
        pipeline.reprocess("nobody", from_stage="ocr")


# --- configuration that cannot lie ---------------------------------------------------------------


def wrong(pipeline: Pipeline) -> dict[str, str]:
    return {each.check: each.message for each in pipeline.examine(consumers=False) if not each.ok}


def test_a_sound_setup_has_nothing_wrong(pipeline: Pipeline) -> None:
    assert wrong(pipeline) == {}


def test_a_visibility_timeout_shorter_than_the_work_is_found(pipeline: Pipeline) -> None:
    assert pipeline.app is not None
    pipeline.app.conf.broker_transport_options = {"visibility_timeout": 60, "global_keyprefix": PREFIX}
    found = wrong(pipeline)["visibility timeout"]
    assert "60 s, shorter than the longest stage" in found
    assert "4320" in found


def test_a_misspelt_setting_is_found(pipeline: Pipeline) -> None:
    assert pipeline.app is not None
    pipeline.app.conf.worker_prefetch_multiplyer = 1
    assert "worker_prefetch_multiplyer" in wrong(pipeline)["celery settings"]


def test_a_redis_that_evicts_is_found(pipeline: Pipeline, client: redis.Redis) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "Set it to noeviction" in wrong(pipeline)["redis eviction"]
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_a_worker_of_another_store_is_found_until_it_is_accepted(new_pipeline: NewPipeline) -> None:
    first, second = new_pipeline(), new_pipeline(store="other.db")
    assert wrong(first) == {}
    assert "others on this Redis use" in wrong(second)["fingerprint"]
    second.accept_fingerprint()
    assert wrong(second) == {}
    assert "fingerprint" in wrong(first)


def test_queues_that_nobody_consumes_are_named(pipeline: Pipeline) -> None:
    found = [each.message for each in pipeline.examine() if each.check == "consumers"]
    assert [message.split(":")[0] for message in found] == [
        f"nobody consumes queue {queue}" for queue in ("entity", "graph", "ocr", "text")
    ]


def test_a_worker_refuses_to_start_on_a_wrong_setup(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "host_app.py").write_text(
        "from docpipe.pipeline.factory import new_pipeline\n"
        "app = new_pipeline().app\n"
        "app.conf.broker_transport_options['visibility_timeout'] = 60\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "host_app", "worker", "--pool", "solo", "-Q", "ocr"]
    env = {"CELERY_BROKER_URL": redis_url, "DOCPIPE_STORE": f"sqlite://{tmp_path / 'a.db'}"}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "docpipe: the worker does not start:" in done.stderr
    assert "visibility_timeout is 60 s" in done.stderr


# --- retention ---------------------------------------------------------------------------------------


def test_nothing_is_removed_unless_a_time_is_set(pipeline: Pipeline, submission: Submission) -> None:
    pipeline.cancel(submission.document_uuid)
    assert pipeline.reap() == {}
    assert len(pipeline.status(submission.document_uuid).history) > 1


def test_the_reaper_removes_what_is_older_than_it_may_be(new_pipeline: NewPipeline, tmp_path: Path) -> None:
    pipeline = new_pipeline(policy=replace(POLICY, keep=Retention(documents=1e-6, history=1e-6)))
    ended = pipeline.submit(b"Ann met Bob.", name="note.txt")
    waiting = pipeline.submit(b"Ann met Carl.", name="other.txt")
    pipeline.cancel(ended.document_uuid)
    assert pipeline.reap() == {"expired": 1, "erased": 1}
    assert pipeline.reap() == {}
    assert pipeline.status(waiting.document_uuid).history
    with pytest.raises(DocumentNotFoundError):
        pipeline.status(ended.document_uuid)
    copies = [path.read_bytes() for path in (tmp_path / "uploads").rglob("*") if path.is_file()]
    assert copies == [b"Ann met Carl."]
