"""The monitor agrees with what Redis and the database say themselves."""

from __future__ import annotations

import contextlib
import io
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from kombu.utils.json import dumps
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from docpipe.cli.monitor import to_json
from docpipe.delivery.monitoring import metrics
from docpipe.delivery.monitoring.deployment import NOT_REDIS
from docpipe.delivery.monitoring.snapshot import Problem, StuckStage, look
from docpipe.delivery.monitoring.tables import screen, seconds
from docpipe.errors import MissingExtraError
from docpipe.models import Failure
from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores import open_store
from docpipe.stores.statistics import StageCount
from docpipe.testing import memory_app
from tests.integration.test_health import close, command, new_pipeline  # noqa: F401 - a fixture
from tests.integration.test_recovery import POLICY, claim, lose_messages, ref_of
from tests.unit.conftest import ENGINES, Docpipe
from tests.unit.conftest import docpipe as docpipe_command  # noqa: F401 - a fixture
from tests.workers import Workers, wait_until

PREFIX = "docpipe:"
STAGES = ("ocr", "chunk", "entities", "graph")


@pytest.fixture
def pipeline(redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = new_pipeline(redis_url, open_store(f"sqlite://{tmp_path / 'docpipe.db'}"), tmp_path, POLICY)
    yield made
    close(made)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def shown(pipeline: Pipeline) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    console.print(screen(look(pipeline.deployment, inspect_seconds=None)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# --- 500 documents, three workers stopped in mid-work ----------------------------------------------


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (200, 100), (255, 255, number)).save(file, "PNG")
    return file.getvalue()


def in_redis(client: redis.Redis, queue: str) -> int:
    """Counted by hand: every list whose key begins with the queue's name."""
    keys = [key for key in client.keys(f"{PREFIX}{queue}*") if client.type(key) == b"list"]
    return sum(client.llen(key) for key in keys)


def in_postgres(dsn: str, sql: str) -> dict[Any, int]:
    with psycopg.connect(dsn) as connection:
        return {tuple(key): count for *key, count in connection.execute(sql).fetchall()}


@contextlib.contextmanager
def stopped_in_mid_work(pipeline: Pipeline, environment: dict[str, str], folder: Path) -> Iterator[None]:
    """Three workers, each in the middle of a picture, do nothing any more."""
    for number in range(3):
        pipeline.submit(picture(number), name=f"{number}.png", project_id="pictures")
    with Workers(folder, environment) as workers:
        family: list[psutil.Process] = []
        try:
            started = [workers.start("ocr") for _ in range(3)]
            wait_until(lambda: len(pipeline.store.statistics().running) == 3, "three pictures are being read")
            family = [process for worker in started for process in worker.processes()]
            for process in family:
                process.suspend()
            yield
        finally:
            for process in reversed(family):  # children first: nothing would reap them later
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


def test_500_documents_and_three_stopped_workers_are_counted_as_redis_and_postgres_count_them(
    redis_url: str,
    supabase_env: dict[str, str],
    command: Docpipe,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    client: redis.Redis,
) -> None:
    environment = supabase_env | ENGINES | {"DOCPIPE_OCR_ENGINE": "tests.integration.waiting:Waiting"}
    environment |= {"REDIS_URL": redis_url, "DOCPIPE_UPLOADS": str(tmp_path / "uploads")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(
        "supabase",
        supabase_url=supabase_env["SUPABASE_URL"],
        supabase_key=supabase_env["SUPABASE_SECRET_KEY"],
    )
    pipeline = new_pipeline(redis_url, store, tmp_path)
    with stopped_in_mid_work(pipeline, environment, tmp_path):
        for number in range(500):
            pipeline.submit(
                b"text %d" % number, name="a.txt", project_id=f"p{number % 3}", priority=number % 10
            )
        done = command("monitor", "--once", "--json")
        lists, taken = in_redis(client, "ocr"), client.hlen(f"{PREFIX}unacked")
    (found,) = done.objects
    assert (lists, taken) == (500, 3)
    assert found["queues"]["ocr"]["waiting"] == lists
    assert found["queues"]["ocr"]["unacknowledged"] == taken
    assert Counter(number // 3 * 3 for number in range(10) for _ in range(50)) == {
        int(step): count for step, count in found["queues"]["ocr"]["priorities"].items()
    }
    assert {
        queue: depth["waiting"] for queue, depth in found["queues"].items() if queue != "ocr"
    } == dict.fromkeys(("text", "entity", "graph"), 0)
    by_status = "select initial_processing_status, project_id, count(*) from source_documents group by 1, 2"
    dsn = supabase_env["SUPABASE_DB_URL"]
    assert {
        (each["status"], each["project_id"]): each["documents"] for each in found["statistics"]["documents"]
    } == in_postgres(dsn, by_status)
    by_state = "select stage, state, count(*) from stage_runs where position = 0 group by 1, 2"
    ocr = found["statistics"]["stages"][0]
    assert in_postgres(dsn, by_state) == {
        ("ocr", "queued"): ocr["waiting"],
        ("ocr", "running"): ocr["running"],
    }
    assert {each["name"] for each in found["statistics"]["running"]} == {"0.png", "1.png", "2.png"}
    assert [each["part"] for each in found["problems"]] == ["workers"]  # stopped: they answer nothing
    close(pipeline)


# --- queues --------------------------------------------------------------------------------------


def held(queue: str, eta: datetime | None) -> str:
    """A message as kombu keeps it for the worker that took it."""
    headers = {"eta": eta and eta.isoformat()}
    return dumps([{"body": "", "headers": headers, "properties": {}}, "", queue])


def test_messages_that_workers_hold_are_counted_and_those_that_wait_for_their_time(
    pipeline: Pipeline, client: redis.Redis
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    for tag, message in enumerate(
        (held("ocr", None), held("ocr", later), held("ocr", earlier), held("text", later), "not json", "[1]")
    ):
        client.hset(f"{PREFIX}unacked", str(tag), message)
    depths = look(pipeline.deployment, inspect_seconds=None).queues
    assert depths is not None
    assert {queue: (depth.unacknowledged, depth.delayed) for queue, depth in depths.items()} == {
        "ocr": (3, 1),
        "text": (1, 1),
        "entity": (0, 0),
        "graph": (0, 0),
    }


def test_a_redis_that_is_away_is_said_and_never_shown_as_nought(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path / 'a.db'}")
    away = new_pipeline("redis://127.0.0.1:1/0", store, tmp_path)
    found = look(away.deployment)
    assert [problem.part for problem in found.problems] == ["redis"]
    assert (found.queues, found.workers, found.stuck) == (None, None, None)
    assert json.loads(to_json(found))["queues"] is None
    assert "Queues  ?" in shown(away)
    assert found.statistics is not None
    close(away)


def test_a_broker_that_is_no_redis_is_said(tmp_path: Path) -> None:
    with contextlib.closing(open_store(f"sqlite://{tmp_path / 'a.db'}")) as store:
        found = look(Pipeline(memory_app(), store=store).deployment, inspect_seconds=None)
    assert found.problems == (Problem("redis", NOT_REDIS),)
    assert found.queues is None


def test_a_store_that_is_away_is_said(redis_url: str, tmp_path: Path) -> None:
    store = open_store("supabase", supabase_url="http://127.0.0.1:1", supabase_key="sb_secret_x")
    away = new_pipeline(redis_url, store, tmp_path)
    found = look(away.deployment, inspect_seconds=None)
    assert [problem.part for problem in found.problems] == ["store"]
    assert (found.statistics, found.stuck) == (None, None)
    assert found.queues is not None
    close(away)


# --- stages and documents --------------------------------------------------------------------------


def test_every_stage_is_listed_without_work_too(pipeline: Pipeline) -> None:
    found = look(pipeline.deployment, inspect_seconds=None).statistics
    assert found is not None
    assert found.stages == tuple(StageCount(stage) for stage in STAGES)


def test_a_status_that_docpipe_does_not_know_is_shown(pipeline: Pipeline) -> None:
    pipeline.submit(b"Ann met Bob.", name="a.txt")
    with pipeline.store._transaction() as db:  # type: ignore[attr-defined]  # another program wrote this word
        db.execute("update source_documents set celery_status = 'initiating'")
    assert look(pipeline.deployment, inspect_seconds=None).unknown_statuses == ("initiating",)
    assert "initiating (unknown)" in shown(pipeline)


def test_a_lost_message_and_a_silent_worker_are_stuck(pipeline: Pipeline, client: redis.Redis) -> None:
    silent, lost, waiting = (pipeline.submit(b"text %d" % n, name="a.txt") for n in range(3))
    claim(pipeline, ref_of(silent), "ocr", lease_seconds=-90.0)
    lose_messages(client)
    assert pipeline.app is not None
    stuck = look(pipeline.deployment, inspect_seconds=None).stuck
    assert stuck is not None
    assert {each.document_uuid for each in stuck} == {each.document_uuid for each in (silent, lost, waiting)}
    reasons = {each.document_uuid: (each.state, each.reason) for each in stuck}
    assert reasons[lost.document_uuid] == ("queued", "its message is in no queue")
    state, reason = reasons[silent.document_uuid]
    assert state == "running"
    assert reason.startswith("worker dead:1 is silent since its lease lapsed 9")


def test_documents_that_wait_in_redis_are_not_stuck(pipeline: Pipeline) -> None:
    pipeline.submit(b"Ann met Bob.", name="a.txt")
    assert look(pipeline.deployment, inspect_seconds=None).stuck == ()


def test_the_screen_shows_what_runs_what_failed_and_why(pipeline: Pipeline) -> None:
    running, failed = (pipeline.submit(b"text %d" % n, name=f"{n}[red].txt") for n in range(2))
    claim(pipeline, ref_of(running), "ocr", lease_seconds=60.0)
    ref = ref_of(failed)
    failure = Failure("corrupt", "CorruptDocumentError", "It is damaged.")
    pipeline.store.fail(ref, "ocr", claim(pipeline, ref, "ocr", 60.0), failure)
    text = shown(pipeline)
    for part in ("Queues", "Stages", "Documents", "Running", "0[red].txt", "dead:1", "error_ocr", "Failures"):
        assert part in text
    assert "CorruptDocumentError" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.5, "0.50 s"),
        (15.2, "15 s"),
        (300, "5 min"),
        (7260, "2 h 01 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_lengths_of_time_are_short(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_workers_are_counted_per_queue(pipeline: Pipeline, redis_url: str, tmp_path: Path) -> None:
    environment = ENGINES | {"REDIS_URL": redis_url, "DOCPIPE_STORE": f"sqlite://{tmp_path / 'docpipe.db'}"}
    with Workers(tmp_path, environment) as workers:
        workers.start("ocr", "text")
        workers.wait_until_ready()
        found = look(pipeline.deployment, inspect_seconds=10.0)
    assert (found.problems, found.workers) == ((), {"ocr": 1, "text": 1})


def test_a_stage_that_a_stuck_row_names_is_in_the_json(pipeline: Pipeline) -> None:
    found = replace(
        look(pipeline.deployment, inspect_seconds=None),
        stuck=(StuckStage("u", 1, "ocr", "queued", "its message"),),
    )
    assert json.loads(to_json(found))["stuck"] == [
        {"document_uuid": "u", "run": 1, "stage": "ocr", "state": "queued", "reason": "its message"}
    ]


# --- the command -----------------------------------------------------------------------------------


def test_the_command_shows_tables_once_into_a_pipe(
    command: Docpipe,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    redis_url: str,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    done = command("monitor", "--once")
    assert done.code == 1  # no worker answered
    assert "workers: No worker answered within 1 s." in done.out
    assert "unacknowledged" in done.out


# --- Prometheus ------------------------------------------------------------------------------------


def scraped(url: str) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scrape() -> Callable[[Pipeline], dict[tuple[str, ...], float]]:
    from tests.stack.server import free_ports

    def scrape_(pipeline: Pipeline) -> dict[tuple[str, ...], float]:
        (port,) = free_ports(1)
        with metrics.serve(pipeline.deployment, port):
            return scraped(f"http://127.0.0.1:{port}/metrics")

    return scrape_


def test_prometheus_gets_the_numbers_of_the_monitor(
    pipeline: Pipeline, scrape: Callable[[Pipeline], dict[tuple[str, ...], float]]
) -> None:
    for number in range(3):
        pipeline.submit(b"text %d" % number, name="a.txt", project_id="p", priority=3 * number)
    found = scrape(pipeline)
    assert found["docpipe_up", "redis"] == found["docpipe_up", "store"] == 1
    assert found["docpipe_queue_messages", "ocr", "waiting"] == 3
    assert found["docpipe_queue_messages", "graph", "waiting"] == 0
    assert found["docpipe_documents", "p", "ocr_queued"] == 3
    assert found["docpipe_stages", "ocr", "waiting"] == 3
    assert found["docpipe_oldest_waiting_seconds", "ocr"] >= 0
    assert ("docpipe_stage_seconds", "0.5", "ocr") not in found  # nothing completed: no time, not nought
    assert {name for name, *_ in found} >= {"docpipe_quarantined", "docpipe_stuck_stages"}


def test_what_cannot_be_read_has_no_sample(
    tmp_path: Path, scrape: Callable[[Pipeline], dict[tuple[str, ...], float]]
) -> None:
    away = new_pipeline("redis://127.0.0.1:1/0", open_store(f"sqlite://{tmp_path / 'a.db'}"), tmp_path)
    found = scrape(away)
    assert (found["docpipe_up", "redis"], found["docpipe_up", "store"]) == (0, 1)
    assert [key for key in found if key[0] == "docpipe_queue_messages"] == []
    close(away)


def test_every_queue_of_the_pipeline_is_counted(pipeline: Pipeline) -> None:
    queues = look(pipeline.deployment, inspect_seconds=None).queues
    assert queues is not None
    assert [*queues] == [*QUEUES.values()]
    assert MissingExtraError.for_module("prometheus_client", "metrics").message.endswith("[metrics]'")
