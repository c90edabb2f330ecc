"""Probes of a real worker that serves every queue alone: busy is alive; hanging or without a queue is not."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from docpipe.delivery.monitoring import liveness
from docpipe.delivery.monitoring.busy import INSPECT_SECONDS
from docpipe.delivery.monitoring.health import Level, Thresholds, examine_liveness
from docpipe.execution.policy import Policy
from docpipe.models.status import QUEUES
from docpipe.pipeline.default import health
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.stores import open_store
from docpipe.stores.sqlite.ledger import now
from tests.integration.test_health import close, levels, new_pipeline, wrong
from tests.numbered import Pages, scan
from tests.unit.conftest import ENGINES, Docpipe
from tests.unit.conftest import docpipe as docpipe_command  # noqa: F401 - a fixture
from tests.workers import HANG_SECONDS, Worker, Workers, wait_until

if TYPE_CHECKING:
    from tests.stack import Stack

SOON = Thresholds(canary_seconds=1.0)
Setting = tuple[str, dict[str, str]]
"""A pool, and what else the worker is set to."""
EACH_BY_ITSELF: Setting = ("prefork", {})
IN_PLACE: Setting = ("prefork", {"DOCPIPE_IN_PLACE_CHARACTERS": "1000"})
POLICY = Policy()
"""The worker's, and that of who looks."""


@pytest.fixture
def pipeline(redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = new_pipeline(redis_url, open_store(f"sqlite://{tmp_path / 'docpipe.db'}"), tmp_path)
    yield made
    close(made)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker and this process have their temporary files, and nobody else."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def _environment(redis_url: str, folder: Path) -> dict[str, str]:
    return ENGINES | {
        "REDIS_URL": redis_url,
        "DOCPIPE_STORE": f"sqlite://{folder / 'docpipe.db'}",
        "DOCPIPE_UPLOADS": str(folder / "uploads"),
    }


@pytest.fixture
def busy(
    redis_url: str, pipeline: Pipeline, temporary: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Worker]:
    """One worker with one process for all queues, which is in the middle of a document."""
    setting: Setting = getattr(request, "param", EACH_BY_ITSELF)
    pool, more = setting
    gate = tmp_path / "gate"
    environment = _environment(redis_url, tmp_path) | {
        "DOCPIPE_NER_ENGINE": "tests.engines:Gated",
        "DOCPIPE_NER_OPTIONS": json.dumps({"gate": str(gate)}),
        "TMPDIR": str(temporary),
    }
    with Workers(tmp_path, environment | more) as workers:
        worker = workers.start(*QUEUES.values(), pool=pool)
        workers.wait_until_ready()
        submission: Submission = pipeline.submit(b"Ann met Bob.", name="note.txt")
        wait_until(lambda: submission.status().status == "entity_processing", "the worker is busy")
        yield worker
        gate.touch()
        wait_until(lambda: submission.status().status == "completed", "the document is done")


@pytest.mark.parametrize("busy", [EACH_BY_ITSELF, IN_PLACE], indirect=True, ids=["", "in place"])
def test_a_busy_worker_for_all_queues_is_well(busy: Worker, pipeline: Pipeline) -> None:
    found = health(pipeline, limits=SOON)
    assert wrong(found) == {}
    said = {each.check: each.message for each in found.checks}
    assert {said[f"queue {queue}"] for queue in QUEUES.values()} == {
        "consumed: all its workers are busy, the canary waits"
    }


def test_each_worker_that_reads_pages_of_a_long_document_is_busy(
    redis_url: str, pipeline: Pipeline, temporary: Path, tmp_path: Path
) -> None:
    pages = Pages(tmp_path / "pages")
    pages.folder.mkdir()
    pages.tell("hold", 1, 2)
    environment = _environment(redis_url, tmp_path) | {
        "DOCPIPE_OCR_ENGINE": "tests.numbered:Numbered",
        "DOCPIPE_OCR_DPI": "72",
        "DOCPIPE_OCR_SPLIT_PAGES": "2",
        "DOCPIPE_OCR_RANGE_PAGES": "1",
        "PAGES_FOLDER": str(pages.folder),
        "TMPDIR": str(temporary),
    }
    with Workers(tmp_path, environment) as workers:
        workers.start(*QUEUES.values())
        workers.wait_until_ready()
        submission = pipeline.submit(scan(tmp_path / "file.pdf", range(1, 5)).read_bytes(), name="file.pdf")
        wait_until(lambda: pages.begun(1), "the worker for all queues reads a page")
        workers.start("ocr")
        wait_until(lambda: pages.begun(2), "another one reads the next")
        try:
            assert wrong(health(pipeline, limits=SOON)) == {}
            assert [each.first_page for each in pipeline.store.statistics().running] == [1, 2]
        finally:
            pages.untell("hold", 1, 2)
        wait_until(lambda: submission.status().status == "completed", "the document is done")


def test_a_busy_worker_that_lost_a_queue_is_not(busy: Worker, pipeline: Pipeline) -> None:
    assert pipeline.app is not None
    pipeline.app.control.cancel_consumer("text", reply=True, timeout=HANG_SECONDS, limit=1)
    wait_until(lambda: wrong(health(pipeline, limits=SOON)).keys() == {"queue text"}, "text is missed")
    pipeline.app.control.add_consumer("text", reply=True, timeout=HANG_SECONDS, limit=1)


@pytest.mark.parametrize("hangs", ["the worker", "its process that works"])
def test_a_worker_that_hangs_in_a_document_is_missed_while_its_lease_is_live(
    busy: Worker, pipeline: Pipeline, tmp_path: Path, hangs: str
) -> None:
    """Two heartbeats stayed away. One that merely works sends the next, and is well again."""
    family = busy.processes() if hangs == "the worker" else busy.processes()[1:]
    for process in family:
        process.suspend()
    try:
        left = POLICY.lease_seconds - 2 * POLICY.heartbeat_seconds - 1.0
        with sqlite3.connect(tmp_path / "docpipe.db") as database:
            database.execute(
                "update stage_runs set lease_expires_at = ? where state = 'running'", [now(left)]
            )
        assert wrong(health(pipeline, limits=SOON)).keys() >= {f"queue {each}" for each in QUEUES.values()}
    finally:
        for process in family:
            process.resume()
    wait_until(lambda: wrong(health(pipeline, limits=SOON)) == {}, "its next heartbeat")


def test_a_busy_worker_is_alive_and_one_without_a_queue_or_broker_is_not(
    busy: Worker, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    main: psutil.Process = busy.processes()[0]
    found = examine_liveness()
    assert levels(found) == {f"worker {main.pid}": Level.OK}
    file = liveness.folder() / str(main.pid)
    os.utime(file, (0, 0))
    wait_until(lambda: examine_liveness().ok, "its loop has turned again while it is busy")
    assert pipeline.app is not None
    pipeline.app.control.cancel_consumer("text", reply=True, timeout=HANG_SECONDS, limit=1)
    wait_until(lambda: not examine_liveness().ok, "it says what it lost")
    assert wrong(examine_liveness()) == {f"worker {main.pid}": "it no longer consumes text. Restart it."}
    pipeline.app.control.add_consumer("text", reply=True, timeout=HANG_SECONDS, limit=1)
    wait_until(lambda: examine_liveness().ok, "it has its queue again")
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 0.0)  # as a loop that hangs is seen, later
    assert "its main loop stands still" in wrong(examine_liveness())[f"worker {main.pid}"]


@pytest.mark.parametrize("busy", [("solo", {})], indirect=True)
def test_a_worker_whose_loop_does_the_work_is_alive_until_its_time_limit(
    busy: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    main: psutil.Process = busy.processes()[0]
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 0.0)
    assert levels(examine_liveness()) == {f"worker {main.pid}": Level.OK}
    os.utime(liveness.folder() / str(main.pid), (0, 0))  # as when that time is over
    assert "its main loop stands still" in wrong(examine_liveness())[f"worker {main.pid}"]


def test_a_worker_that_lost_its_broker_is_not_alive_until_it_is_back(
    redis_url: str, stack: Stack, temporary: Path, tmp_path: Path
) -> None:
    with Workers(tmp_path, _environment(redis_url, tmp_path) | {"TMPDIR": str(temporary)}) as workers:
        worker = workers.start("ocr")
        workers.wait_until_ready()
        wait_until(lambda: examine_liveness().ok, "it says that it lives")
        stack.redis.kill()
        wait_until(lambda: "Cannot connect to" in worker.log.read_text(), "it has noticed")
        os.utime(liveness.folder() / str(worker.processes()[0].pid), (0, 0))
        wait_until(lambda: worker.log.read_text().count("Cannot connect to") > 2, "it tries again")
        assert not examine_liveness().ok
        stack.redis.start()
        wait_until(lambda: examine_liveness().ok, "it lives again")


# --- within a minute ----------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
SHIPPED = [
    ROOT / "deploy" / "compose" / "compose.yaml",
    ROOT / "deploy" / "kubernetes" / "docpipe.yaml",
    ROOT / "docs" / "how-to" / "monitor.md",
]
PERIOD = re.compile(r"health(?:, | )--live\b.*?(?:interval|periodSeconds): (\d+)", re.S)
"""Seconds between two probes, in what is shipped."""
MINUTE = 60.0


def longest_period() -> float:
    found = {path: PERIOD.findall(path.read_text(encoding="utf-8")) for path in SHIPPED}
    assert all(found.values()), found
    return max(float(each) for periods in found.values() for each in periods)


def test_what_is_wrong_with_a_worker_is_seen_within_a_minute_wherever_a_probe_is_shipped() -> None:
    """The time until the file is old, or says what is lost, and until it is looked at next."""
    assert liveness.BEAT_SECONDS * 3 < liveness.SILENT_SECONDS
    assert liveness.SILENT_SECONDS + longest_period() < MINUTE
    assert liveness.BEAT_SECONDS + longest_period() < MINUTE
    asked = Thresholds().canary_seconds + INSPECT_SECONDS
    for lease_seconds in (1.0, POLICY.lease_seconds, 3600.0):
        silent = 2 * Policy(lease_seconds=lease_seconds).heartbeat_seconds
        assert silent + asked < MINUTE
        assert silent < lease_seconds


def probes_until_red(file: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many probes are green, one each period from the worker's last sign of life on."""
    last = file.stat().st_mtime
    for number in range(100):
        with monkeypatch.context() as patched:
            now = SimpleNamespace(time=partial(float, last + number * longest_period()))
            patched.setattr(liveness, "time", now)
            if not examine_liveness().ok:
                return number
    raise AssertionError("it is never red")


@pytest.fixture
def idle(redis_url: str, temporary: Path, tmp_path: Path) -> Iterator[Worker]:
    """One worker with one process for all queues, which has nothing to do."""
    with Workers(tmp_path, _environment(redis_url, tmp_path) | {"TMPDIR": str(temporary)}) as workers:
        worker = workers.start(*QUEUES.values())
        workers.wait_until_ready()
        wait_until(lambda: examine_liveness().ok, "it says that it lives")
        yield worker


def test_a_worker_that_hangs_is_red_in_time(idle: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    main: psutil.Process = idle.processes()[0]
    main.suspend()
    try:
        probes = probes_until_red(liveness.folder() / str(main.pid), monkeypatch)
    finally:
        main.resume()
    assert 0 < probes * longest_period() < MINUTE


@pytest.mark.parametrize("hangs", ["the worker", "its process that works"])
def test_a_worker_that_hangs_right_after_a_document_is_missed(
    idle: Worker, pipeline: Pipeline, hangs: str
) -> None:
    """Nothing waits and no lease is live: it is the next canary that does not come back."""
    pipeline.submit(b"Ann met Bob.", name="note.txt").wait(HANG_SECONDS)
    wait_until(lambda: wrong(health(pipeline, limits=SOON)) == {}, "all canaries are back")
    main, *children = idle.processes()
    family = [main] if hangs == "the worker" else children
    for process in family:
        process.suspend()
    try:
        assert wrong(health(pipeline, limits=SOON)).keys() == {f"queue {each}" for each in QUEUES.values()}
    finally:
        for process in family:
            process.resume()


def test_a_worker_that_lost_its_broker_is_red_in_time(
    idle: Worker, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = liveness.folder() / str(idle.processes()[0].pid)
    stack.redis.kill()
    try:
        wait_until(lambda: "Cannot connect to" in idle.log.read_text(), "it has noticed")
        last = file.stat().st_mtime
        wait_until(lambda: idle.log.read_text().count("Cannot connect to") > 2, "it tries again")
        assert file.stat().st_mtime == last  # no sign of life meanwhile
        assert 0 < probes_until_red(file, monkeypatch) * longest_period() < MINUTE
    finally:
        stack.redis.start()


def test_a_worker_that_lost_a_queue_is_red_at_its_next_sign_of_life(idle: Worker, pipeline: Pipeline) -> None:
    file = liveness.folder() / str(idle.processes()[0].pid)
    assert pipeline.app is not None
    pipeline.app.control.cancel_consumer("text", reply=True, timeout=HANG_SECONDS, limit=1)
    seen = set()

    def is_red() -> bool:
        seen.add(file.stat().st_mtime)
        return not examine_liveness().ok

    wait_until(is_red, "it says what it lost")
    assert len(seen) <= 3  # as it was found; and the next, emptied and written


# --- without a worker ---------------------------------------------------------------------------


def test_where_no_worker_runs_none_is_alive(temporary: Path) -> None:
    assert wrong(examine_liveness()).keys() == {"worker"}


def test_the_file_of_a_worker_that_was_killed_counts_for_nobody(temporary: Path) -> None:
    liveness.folder().mkdir()
    ended = psutil.Popen(["true"])
    ended.wait()
    (liveness.folder() / str(ended.pid)).touch()
    assert wrong(examine_liveness()).keys() == {"worker"}


def test_a_folder_that_somebody_else_made_is_not_used(temporary: Path, tmp_path: Path) -> None:
    liveness.folder().symlink_to(tmp_path)
    beat = liveness.Beat()
    beat.say(())
    assert not (tmp_path / str(os.getpid())).exists()
    assert not examine_liveness().ok


def test_a_temporary_folder_that_is_full_or_gone_ends_no_worker(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "file" / "below"))
    (temporary / "file").touch()
    liveness.Beat().say(())
    assert not examine_liveness().ok
    assert not liveness.refuse("ocr", "permission denied")


def test_what_any_process_of_a_worker_is_refused_its_loop_is_told_by_queue(temporary: Path) -> None:
    beat = liveness.Beat()
    assert not liveness.refuse("ocr", "no worker has this process")
    beat.say(())
    for queue in ("ocr", "text", "ocr"):
        assert liveness.refuse(queue, f"no right to {queue},\nsays the database.")
    assert beat.refused() == {"ocr", "text"}
    (told,) = wrong(examine_liveness()).values()
    assert told == "the store lets it begin nothing: no right to ocr,\nsays the database. Restart it."
    assert liveness.Beat().refused() == set()  # a worker that is started again


def test_the_command_says_whether_workers_here_live(docpipe_command: Docpipe, temporary: Path) -> None:  # noqa: F811
    beat = liveness.Beat()
    beat.say(())
    assert docpipe_command("health", "--live") == (0, f"ok      worker {os.getpid()}: alive\n", "")
    beat.say(["ocr"])
    assert docpipe_command("health", "--live").code == 1
    beat.end()
    assert docpipe_command("health", "--live", "--json").code == 1


def test_ready_asks_broker_store_and_schema_and_no_worker(pipeline: Pipeline, tmp_path: Path) -> None:
    found = pipeline.ready()
    assert levels(found) == {"broker": Level.OK, "store": Level.OK, "schema": Level.OK}
    assert found.ok
    away = new_pipeline("redis://127.0.0.1:1/0", open_store(f"sqlite://{tmp_path / 'a.db'}"), tmp_path)
    assert wrong(away.ready()).keys() == {"broker"}
    close(away)


def test_probes_are_quick_enough_for_an_orchestrator() -> None:
    started = time.process_time()
    examine_liveness()
    assert time.process_time() - started < 1
