"""A message that cannot be docpipe's costs itself: the worker goes on, and the next document completes."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial, reduce
from pathlib import Path
from typing import Any

import pytest
import redis

from docpipe import Pipeline
from docpipe.models.status import QUEUES, Stage
from tests.acceptance.conftest import Services
from tests.workers import Worker, Workers, wait_until

LONGEST_LINE = 8_000
LARGEST_MEMORY = 200_000_000
"""More than a worker's main process needs, and a quarter of what the bomb inflates to."""
REF = {"document_uuid": "0" * 8, "run": 1}

pytestmark = pytest.mark.timeout(300)


def _packed(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def _message(*, body: str | None = None, **headers: Any) -> dict[str, Any]:
    """A message as Celery sends it, with other headers or another body."""
    found = {"task": "docpipe.ocr", "id": "some-id", "retries": 0} | headers
    delivery = {"exchange": "", "routing_key": QUEUES[Stage.OCR]}
    return {
        "body": _packed([[REF], {}, {}]) if body is None else body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": found,
        "properties": {"body_encoding": "base64", "delivery_info": delivery, "delivery_tag": "some-tag"},
    }


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in _message().items() if name != key}


@cache
def _bomb(megabytes: int) -> str:
    """So many megabytes of zeros in gzip: one that nothing before it plays a part in, repeated."""
    zeros, packer = bytes(1 << 20), zlib.compressobj(wbits=-zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = reduce(lambda sum_, _: zlib.crc32(zeros, sum_), range(megabytes), 0)
    head, tail = gzip.compress(b"", mtime=0)[:10], struct.pack("<LL", checksum, megabytes << 20)
    return base64.b64encode(head + block * megabytes + packer.flush() + tail).decode()


def _packed_bomb(megabytes: int) -> dict[str, Any]:
    return _message(body=_bomb(megabytes), compression="application/x-gzip")


BAD: dict[str, object] = {
    "no JSON": b"not json",
    "no UTF-8": b"\xff\xfe\x00",
    "nothing": b"",
    "a number": 5,
    "a list": [1, 2],
    "deeply nested": b"[" * 60_000,
    "no properties": _without("properties"),
    "no headers": _without("headers"),
    "no body": _without("body"),
    "properties that are text": _message() | {"properties": "x"},
    "a body that is no base64": _message(body="%"),
    "a body that is a number": _message(body=_packed(5)),
    "a body deeply nested": _message(body=base64.b64encode(b"[" * 40_000).decode()),
    "arguments that are text": _message(body=_packed(["x", {}, {}])),
    "arguments for no stage": _message(body=_packed([[], {}, {}])),
    "a reference that is text": _message(body=_packed([["x"], {}, {}])),
    "a run that is no number": _message(body=_packed([[REF | {"run": "x"}], {}, {}])),
    "a run beyond all numbers": _message(body=_packed([[REF | {"run": 10**300}], {}, {}])),
    "a document id of 30 kB": _message(body=_packed([[REF | {"document_uuid": "x" * 30_000}], {}, {}])),
    "a document id with controls": _message(
        body=_packed([[REF | {"document_uuid": "\x1b[31m\0\ud800"}], {}, {}])
    ),
    "800 MB in gzip": partial(_packed_bomb, 800),
    "40 MB in gzip": partial(_packed_bomb, 40),
    "an id of 5 MB": _message(id="x" * 5_000_000),
    "an id of 50 kB": _message(id="x" * 50_000),
    "an id with controls": _message(id="\x1b[31m\nx"),
    "an id that is a list": _message(id=["x"]),
    "a task that is a list": _message(task=["x"]),
    "a task of another program": _message(task="other.program"),
    "a time that is none": _message(eta="soon"),
    "an end that is none": _message(expires="never"),
    "limits that are none": _message(timelimit="x"),
    "retries that are none": _message(retries="x"),
    "pickle": _message() | {"content-type": "application/x-python-serialize"},
    "YAML": _message() | {"content-type": "application/x-yaml"},
}


@pytest.fixture(scope="module")
def worker(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with Workers(tmp_path_factory.mktemp("worker"), services.env) as workers:
        found = workers.start(*QUEUES.values())
        workers.wait_until_ready()
        yield found


@pytest.mark.parametrize("kind", BAD)
def test_the_worker_goes_on_after(
    kind: str, services: Services, pipeline: Pipeline, worker: Worker, tmp_path: Path
) -> None:
    bad = BAD[kind]
    if callable(bad):
        bad = bad()
    main = worker.processes()[0]
    with redis.Redis.from_url(services.redis_url) as client:
        client.lpush(f"docpipe:{QUEUES[Stage.OCR]}", bad if isinstance(bad, bytes) else json.dumps(bad))
    letter = tmp_path / "letter.txt"
    letter.write_text(f"After {kind} Maria Delgado paid USD 1,000.00.")

    assert pipeline.submit(letter).wait(timeout=60).status == "completed"
    assert worker.processes()[0] == main
    assert main.memory_info().rss < LARGEST_MEMORY
    assert max(map(len, worker.log.read_text(errors="replace").splitlines())) < LONGEST_LINE
    assert "\x1b[31m" not in worker.log.read_text(errors="replace")
    wait_until(lambda: services.idle, "no message is held", seconds=60)


CONTROLS: dict[str, bytes | Callable[[], bytes]] = {
    "bytes": b"\xff\xfe",
    "a number": b"5",
    "deeply nested": b"[" * 60_000,
    "an object deeply nested": b'{"a":' * 60_000,
    "no envelope": b"{}",
    "a body that is no base64": json.dumps(_message(body="%")).encode(),
    "a body deeply nested": json.dumps(_message(body=base64.b64encode(b"[" * 40_000).decode())).encode(),
    "an unknown command": json.dumps(
        _message(body=_packed({"method": "\x1b[31m", "arguments": {}}))
    ).encode(),
    "a command that is a list": json.dumps(_message(body=_packed([1]))).encode(),
    "pickle": json.dumps(_message() | {"content-type": "application/x-python-serialize"}).encode(),
    "800 MB in gzip": lambda: json.dumps(_packed_bomb(800)).encode(),
    "20 MB": b'"' + b"x" * 20_000_000 + b'"',
}


@pytest.mark.parametrize("kind", CONTROLS)
def test_the_worker_goes_on_after_a_remote_control_of(
    kind: str, services: Services, pipeline: Pipeline, worker: Worker, tmp_path: Path
) -> None:
    bad, main = CONTROLS[kind], worker.processes()[0]
    if callable(bad):
        bad = bad()
    with redis.Redis.from_url(services.redis_url) as client:
        number = services.redis_url.rpartition("/")[2]
        names = [f"{prefix}/{number}.celery.pidbox" for prefix in ("", "docpipe:")]
        assert sum(client.publish(name, bad) for name in names) == 1
    letter = tmp_path / "letter.txt"
    letter.write_text(f"After a control of {kind} Maria Delgado paid USD 1,000.00.")
    assert pipeline.submit(letter).wait(timeout=60).status == "completed"
    assert worker.processes()[0] == main
    assert main.memory_info().rss < LARGEST_MEMORY
    assert "\x1b[31m" not in worker.log.read_text(errors="replace")
    assert pipeline.app is not None
    assert pipeline.app.control.ping(timeout=10, limit=1) == [{worker.name: {"ok": "pong"}}]


def test_a_worker_whose_broker_is_read_by_hand_still_answers(pipeline: Pipeline, worker: Worker) -> None:
    assert pipeline.app is not None
    assert pipeline.app.control.ping(timeout=10, limit=1) == [{worker.name: {"ok": "pong"}}]
