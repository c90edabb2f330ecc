"""The live copy in Redis: complete while Redis is there, and never missed when it is not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from docpipe.execution.redis_progress import RedisProgress
from tests.unit.conftest import NewPipeline

if TYPE_CHECKING:
    from tests.stack.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    from tests.stack.redis_server import RedisServer
    from tests.stack.server import free_ports

    server = RedisServer(tmp_path_factory.mktemp("redis"), free_ports(1)[0], "secret")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    redis_server.flush(0)
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def progress(redis_server: RedisServer, client: redis.Redis) -> RedisProgress:
    return RedisProgress.from_url(redis_server.url, prefix="mine:")


def test_a_change_is_written_with_time_and_metadata(progress: RedisProgress) -> None:
    progress.update_document_state("6ab4b8f7", "ocr", "processing", {"done": 3})
    found = progress.read("6ab4b8f7")
    at = datetime.fromisoformat(found.pop("ocr_timestamp"))
    assert at.utcoffset() == timedelta(0)
    assert found == {"ocr_status": "processing", "ocr_metadata": json.dumps({"done": 3})}


def test_every_phase_keeps_its_newest_state(progress: RedisProgress) -> None:
    progress.update_document_state("6ab4b8f7", "ocr", "processing")
    progress.update_document_state("6ab4b8f7", "ocr", "complete")
    progress.update_document_state("6ab4b8f7", "chunk", "processing")
    found = progress.read("6ab4b8f7")
    assert {key: value for key, value in found.items() if key.endswith("_status")} == {
        "ocr_status": "complete",
        "chunk_status": "processing",
    }


def test_every_key_has_the_prefix_and_a_time_to_live(progress: RedisProgress, client: redis.Redis) -> None:
    progress.update_document_state("6ab4b8f7", "ocr", "complete")
    assert client.keys("*") == ["mine:state:6ab4b8f7"]
    assert 7 * 24 * 3600 - 60 < client.ttl("mine:state:6ab4b8f7") <= 7 * 24 * 3600


def test_an_unknown_document_has_no_progress(progress: RedisProgress) -> None:
    assert progress.read("6ab4b8f7") == {}


def test_a_run_leaves_the_last_state_of_every_stage(
    new_pipeline: NewPipeline, progress: RedisProgress, note: Path
) -> None:
    document = new_pipeline(progress=progress).process(note)
    found = progress.read(document.document_uuid)
    assert [found[f"{stage}_status"] for stage in ("ocr", "chunk", "entities", "graph")] == ["complete"] * 4


def test_without_redis_progress_is_logged_and_forgotten(
    new_pipeline: NewPipeline, note: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="docpipe")
    cut_off = RedisProgress.from_url("redis://127.0.0.1:1")
    assert new_pipeline(progress=cut_off).process(note).status == "completed"
    assert {record.getMessage() for record in caplog.records} == {"progress_not_written"}


def test_a_wrong_password_costs_nothing_but_the_progress(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    stranger = RedisProgress.from_url(f"redis://:wrong@127.0.0.1:{redis_server.port}/0")
    stranger.update_document_state("6ab4b8f7", "ocr", "processing")
    assert client.keys("*") == []
