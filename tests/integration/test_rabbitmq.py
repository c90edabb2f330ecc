"""On RabbitMQ documents run through, what is lost comes back by the ledger, and what is unknown is said."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Queue

from docpipe.delivery.monitoring.health import Level, Thresholds
from docpipe.delivery.monitoring.snapshot import Snapshot, look
from docpipe.errors import BrokerUnavailableError
from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from tests.integration.host_app import new_pipeline
from tests.integration.rabbit_server import RabbitServer
from tests.integration.test_health import levels, wrong
from tests.stack.server import free_ports
from tests.workers import HANG_SECONDS, Workers

ALL = list(QUEUES.values())
UNASKED = Thresholds(canary_seconds=0)


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = RabbitServer(Path(folder), free_ports(1)[0])
        server.start()
        yield server
        server.kill()


@pytest.fixture
def pipeline(server: RabbitServer, tmp_path: Path) -> Iterator[Pipeline]:
    made = new_pipeline(server.url, tmp_path)
    assert made.app is not None
    with made.app.connection_for_write() as connection:
        for name in ALL:
            queue = Queue(name).bind(connection.channel())
            queue.declare()
            queue.purge()
    yield made
    _close(made)


def _close(pipeline: Pipeline) -> None:
    assert pipeline.app is not None
    pipeline.app.close()
    pipeline.broker.close()
    pipeline.store.close()


def _submit(pipeline: Pipeline) -> Submission:
    return pipeline.submit(b"Ann met Bob.", name="note.txt")


def _seen(pipeline: Pipeline) -> Snapshot:
    return look(pipeline.deployment, inspect_seconds=None)


def test_a_queue_without_consumers_is_wrong(pipeline: Pipeline) -> None:
    found = wrong(pipeline.health(UNASKED))
    assert found.keys() == {f"queue {queue}" for queue in ALL}
    assert "the broker knows no consumer of it. Restart its workers" in found["queue ocr"]


def test_a_message_that_waits_is_left_alone_and_a_lost_one_sent_again_and_runs_through(
    pipeline: Pipeline, server: RabbitServer, tmp_path: Path
) -> None:
    submission = _submit(pipeline)
    assert pipeline.broker.depths(ALL)["ocr"] == 1
    assert not pipeline.reap()
    assert not _seen(pipeline).stuck
    assert pipeline.app is not None
    with pipeline.app.connection_for_write() as connection:
        Queue("ocr").bind(connection.channel()).purge()
    assert [each.reason for each in _seen(pipeline).stuck or ()] == ["its message is in no queue"]
    assert pipeline.reap() == {"resume": 1}
    assert not pipeline.reap()
    env = {"HOST_BROKER": server.url, "HOST_FOLDER": str(tmp_path)}
    with Workers(tmp_path, env, app="tests.integration.host_app") as workers:
        workers.start(*ALL)
        assert submission.wait(HANG_SECONDS).status == "completed"
        found = pipeline.health(UNASKED)
    assert (found.ok, wrong(found), levels(found)["broker"]) == (True, {}, Level.WARNING)
    assert {levels(found)[f"queue {queue}"] for queue in ALL} == {Level.OK}


def test_what_the_broker_does_not_tell_is_unknown(pipeline: Pipeline) -> None:
    _submit(pipeline)
    queues = _seen(pipeline).queues or {}
    depth = queues["ocr"]
    assert (depth.waiting, depth.unacknowledged, depth.delayed, depth.priorities) == (1, None, None, None)
    assert [each.part for each in _seen(pipeline).problems] == ["redis"]


def test_a_document_that_could_not_be_published_is_later(
    pipeline: Pipeline, server: RabbitServer, tmp_path: Path
) -> None:
    away = new_pipeline("amqp://guest:guest@127.0.0.1:1//", tmp_path)
    assert _submit(away).task_id is None
    assert pipeline.reap() == {"resume": 1}
    assert pipeline.broker.depths(ALL)["ocr"] == 1
    for found in (away.health(UNASKED), away.ready()):
        assert "Start it, or correct" in wrong(found)["broker"]
    with pytest.raises(BrokerUnavailableError):
        away.broker.depths(ALL)
    _close(away)
