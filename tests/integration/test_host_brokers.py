"""On other people's brokers: what submits also sees, counts and sends again, on real servers."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Queue

from docpipe.delivery.monitoring.doctor import examine
from docpipe.errors import BrokerUnavailableError
from docpipe.execution.policy import Policy
from docpipe.models import Ref
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.integration.host_servers import MASTER, PREFIX, USER, HostRedis, Sentinel, Tls
from tests.messages import messages
from tests.stack.server import free_ports

POLICY = Policy(grace_seconds=0.0)
Settings = dict[str, Any]
NewPipeline = Callable[[Settings], Pipeline]


@pytest.fixture(scope="module")
def server() -> Iterator[HostRedis]:
    with tempfile.TemporaryDirectory() as folder:  # a path short enough for a socket
        server = HostRedis(Path(folder), free_ports(1)[0], secrets.token_hex(8))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def tls(server: HostRedis) -> Iterator[Tls]:
    with Tls(server.folder, server.port) as tls:
        yield tls


@pytest.fixture(scope="module")
def sentinel(server: HostRedis) -> Iterator[Sentinel]:
    with tempfile.TemporaryDirectory() as folder:
        sentinel = Sentinel(Path(folder), free_ports(1)[0], server)
        sentinel.start()
        yield sentinel
        sentinel.stop()


@pytest.fixture
def client(server: HostRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def new_pipeline(tmp_path: Path) -> Iterator[NewPipeline]:
    made: list[Pipeline] = []

    def new(settings: Settings) -> Pipeline:
        app = Celery("host", set_as_current=False)
        app.conf.update({"task_publish_retry": False} | settings)
        sources = Sources(uploads=tmp_path / "uploads")
        store = SqliteStore(tmp_path / "docpipe.db")
        made.append(Pipeline(app, store=store, sources=sources, options=OPTIONS, policy=POLICY))
        return made[-1]

    yield new
    for pipeline in made:
        assert pipeline.app is not None
        pipeline.app.close()
        pipeline.broker.close()
        pipeline.store.close()


def _reached(kind: str, request: pytest.FixtureRequest) -> Settings:
    """The settings by which a host reaches the server."""
    server: HostRedis = request.getfixturevalue("server")
    password, address = server.password, f"127.0.0.1:{server.port}"
    if kind == "unix socket":
        return {"broker_url": f"redis+socket://:{password}@{server.socket}"}
    if kind == "access list":
        options = {"global_keyprefix": PREFIX}
        return {"broker_url": f"redis://{USER}:{password}@{address}/0", "broker_transport_options": options}
    if kind == "failover":
        return {"broker_url": f"redis://127.0.0.1:1/0;{server.url}"}
    if kind == "sentinel":
        sentinel: Sentinel = request.getfixturevalue("sentinel")
        options = {"master_name": MASTER, "global_keyprefix": PREFIX}
        url = f"sentinel://:{password}@127.0.0.1:{sentinel.port}"
        return {"broker_url": url, "broker_transport_options": options}
    tls: Tls = request.getfixturevalue("tls")
    secured = f"rediss://:{password}@127.0.0.1:{tls.port}/0"
    if kind == "private certificate":
        ca = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(tls.authority)}
        return {"broker_url": secured, "broker_use_ssl": ca}
    return {"broker_url": f"{secured}?ssl_cert_reqs=CERT_NONE"}


KINDS = [
    "unix socket", "access list", "failover", "sentinel", "private certificate", "certificate not checked"
]  # fmt: skip


def submitted(pipeline: Pipeline) -> set[Ref]:
    return {
        Ref(pipeline.submit(f"text {priority}".encode(), name="a.txt", priority=priority).document_uuid, 1)
        for priority in (0, 4, 9)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_submitted_is_also_seen_and_looked_after(
    new_pipeline: NewPipeline, client: redis.Redis, kind: str, request: pytest.FixtureRequest
) -> None:
    pipeline = new_pipeline(_reached(kind, request))
    refs = submitted(pipeline)
    assert pipeline.broker.depths(["ocr", "text"]) == {"ocr": 3, "text": 0}
    assert messages(pipeline.broker, ["ocr"]) == refs
    assert not pipeline.reap()
    client.flushall()
    assert pipeline.reap() == {"resume": 3}
    assert messages(pipeline.broker, ["ocr"]) == refs
    counts = pipeline.broker.counts(["ocr"])
    assert counts is not None
    assert counts["ocr"].priorities == {0: 1, 3: 1, 6: 0, 9: 1}
    number, new = pipeline.broker.next_canary("ocr", 60.0)
    pipeline.broker.answer_canary("ocr", number)
    assert (new, pipeline.broker.newest_back("ocr")) == (True, number)
    assert {each.check: each.ok for each in examine(pipeline.deployment, consumers=False)}["redis"]


def test_every_key_lies_under_the_prefix_of_the_host(
    new_pipeline: NewPipeline, client: redis.Redis, request: pytest.FixtureRequest
) -> None:
    pipeline = new_pipeline(_reached("access list", request))
    submitted(pipeline)
    pipeline.broker.next_canary("ocr", 60.0)
    pipeline.broker.agreed("this")
    assert {key[: len(PREFIX)] for key in client.keys("*")} == {PREFIX.encode()}


@pytest.mark.parametrize(
    "options",
    [
        {"priority_steps": list(range(10)), "sep": ":", "queue_order_strategy": "priority"},
        {"priority_steps": [0, 5]},
    ],
)
def test_the_hosts_own_priorities_and_separator_are_read(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis, options: Settings
) -> None:
    pipeline = new_pipeline({"broker_url": server.url, "broker_transport_options": options})
    refs = submitted(pipeline)
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 3}
    assert messages(pipeline.broker, ["ocr"]) == refs


FOREIGN: dict[str, Settings] = {
    "pickle": {"task_serializer": "pickle", "accept_content": ["pickle", "json"]},
    "compression": {"task_compression": "gzip"},
    "annotations": {
        "task_annotations": {
            "*": {
                "acks_late": False,
                "reject_on_worker_lost": False,
                "serializer": "pickle",
                "time_limit": 1,
                "soft_time_limit": 1,
                "expires": 5,
                "ignore_result": False,
            }
        }
    },
    "no missing queues": {"task_create_missing_queues": False},
    "routes": {"task_routes": {"docpipe.*": {"queue": "elsewhere"}}},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_messages_are_docpipes_own_whatever_the_host_has_set(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis, kind: str
) -> None:
    pipeline = new_pipeline({"broker_url": server.url} | FOREIGN[kind])
    refs = submitted(pipeline)
    for _ in range(3):
        assert not pipeline.reap()
    assert messages(pipeline.broker, ["ocr"]) == refs
    for message in client.lrange("ocr", 0, -1):
        envelope = json.loads(message)
        headers = envelope["headers"]
        assert (envelope["content-type"], headers.get("compression")) == ("application/json", None)
        limits = [POLICY.hard_time_limit, POLICY.soft_time_limit]
        assert (headers["timelimit"], headers["expires"]) == (limits, None)
    assert pipeline.app is not None
    task = pipeline.app.tasks["docpipe.chunk"]
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)
    assert {each.check: each.ok for each in examine(pipeline.deployment, consumers=False)}["delivery"]


def test_keys_of_other_packages_are_no_misspelled_ones_of_celery(
    new_pipeline: NewPipeline, server: HostRedis
) -> None:
    others = {"beat_dburi": "x", "task_owner_email": "x", "result_backend_db": "x"}
    pipeline = new_pipeline({"broker_url": server.url} | others)
    assert {each.check: each.ok for each in examine(pipeline.deployment, consumers=False)}["celery settings"]


def test_a_visibility_timeout_that_is_no_number_is_named(
    new_pipeline: NewPipeline, server: HostRedis
) -> None:
    options = {"visibility_timeout": None}
    pipeline = new_pipeline({"broker_url": server.url, "broker_transport_options": options})
    found = {each.check: each for each in examine(pipeline.deployment, consumers=False)}
    assert "is None: it is a number of seconds" in found["visibility timeout"].message


@pytest.mark.parametrize("policy", ["volatile-lru", "allkeys-lru"])
def test_a_policy_that_evicts_messages_stops_a_worker_and_one_that_spares_them_is_a_warning(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis, policy: str
) -> None:
    client.config_set("maxmemory-policy", policy)
    try:
        found = examine(new_pipeline({"broker_url": server.url}).deployment, consumers=False)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert [each.fatal for each in found if each.check == "redis eviction"] == [policy == "allkeys-lru"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"task_protocol": 1}, "task_protocol"), ({"accept_content": ["pickle"]}, "accept_content")],
)
def test_settings_that_no_task_can_overrule_stop_a_worker(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis, settings: Settings, named: str
) -> None:
    pipeline = new_pipeline({"broker_url": server.url} | settings)
    found = [each for each in examine(pipeline.deployment, consumers=False) if each.check == "delivery"]
    assert [(each.ok, each.fatal) for each in found] == [(False, True)]
    assert named in found[0].message


@pytest.mark.parametrize(
    "message",
    [
        {"body": "gASVAAAA", "content-type": "application/x-python-serialize",
         "headers": {"task": "docpipe.ocr"}},
        {"body": "eJwDAAAAAAE=", "content-type": "application/json",
         "headers": {"task": "docpipe.pages", "compression": "application/x-gzip"}},
        {"body": "gASVAAAA", "content-type": "application/x-python-serialize", "headers": {}},
    ],
    ids=["pickled", "compressed", "pickled, of protocol 1"],
)  # fmt: skip
def test_a_message_that_cannot_be_read_is_unknown_and_never_gone(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis, message: Settings
) -> None:
    pipeline = new_pipeline({"broker_url": server.url})
    pipeline.submit(b"Ann met Bob.", name="a.txt")
    client.flushall()
    client.lpush("ocr", json.dumps(message))
    looks = pipeline.broker.looks(["ocr"])
    assert not any(0 in look.priorities for look in looks)
    assert not pipeline.reap()
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 1}


def test_a_message_of_the_hosts_own_tasks_hides_nothing(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis
) -> None:
    pipeline = new_pipeline({"broker_url": server.url})
    refs = submitted(pipeline)
    envelope = {
        "body": "gASV",
        "content-type": "application/x-python-serialize",
        "headers": {"task": "host.mail"},
    }
    client.lpush("ocr", json.dumps(envelope))
    assert messages(pipeline.broker, ["ocr"]) == refs


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "rediss://127.0.0.1:1/0?ssl_cert_reqs=CERT_NONE",
        "rediss://127.0.0.1:1/0?ssl_cert_reqs=nonsense",
        "redis+socket:///nowhere/redis.sock",
        "redis://127.0.0.1:1/0;redis://127.0.0.1:2/0",
        "nonsense://127.0.0.1",
    ],
)
def test_a_broker_that_cannot_be_reached_is_said_so_and_never_empty(
    new_pipeline: NewPipeline, url: str
) -> None:
    pipeline = new_pipeline({"broker_url": url})
    for look in (pipeline.broker.depths, pipeline.broker.counts, pipeline.broker.looks):
        with pytest.raises(BrokerUnavailableError):
            look(["ocr"])
    found = {each.check: each for each in examine(pipeline.deployment, consumers=False)}
    assert not found["redis"].ok


def test_a_connection_that_broke_is_opened_anew(
    new_pipeline: NewPipeline, server: HostRedis, client: redis.Redis
) -> None:
    pipeline = new_pipeline({"broker_url": server.url})
    submitted(pipeline)
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 3}
    server.restart()
    assert pipeline.broker.depths(["ocr"]) == {"ocr": 3}


def test_a_broker_that_is_no_redis_is_counted_and_recovered_by_the_ledger(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "docpipe.db")
    sources = Sources(uploads=tmp_path / "uploads")
    pipeline = Pipeline(memory_app(), store=store, sources=sources, options=OPTIONS, policy=POLICY)
    assert pipeline.app is not None
    with pipeline.app.connection_for_write() as connection:  # one memory is shared by all tests of a process
        Queue("ocr").bind(connection.channel()).purge()
    submitted(pipeline)
    assert pipeline.broker.depths(["ocr", "text"]) == {"ocr": 3, "text": 0}
    assert (pipeline.broker.counts(["ocr"]), pipeline.broker.looks(["ocr", "text"])) == (None, [])
    assert not pipeline.reap()
    found = {each.check: each for each in examine(pipeline.deployment, consumers=False)}
    assert (found["redis"].ok, found["redis"].fatal) == (True, False)
    assert "not a Redis" in found["redis"].message
    store.close()
