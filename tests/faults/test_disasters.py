"""What strikes everybody at once: workers, Redis or the API die while a document stands at each stage.

OUTAGE_SECONDS (6) says how long a server is away; `make soak` makes it a minute.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import psutil
import pytest

from docpipe.models.status import Stage
from tests.faults.bombs import Bomb
from tests.faults.field import Field, opened_pipeline
from tests.faults.fleet import Fleet
from tests.faults.verdict import NO_HARM, Verdict
from tests.workers import HANG_SECONDS, wait_until

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "6"))

Strike = Callable[[Field, Fleet], AbstractContextManager[None]]


@dataclass(frozen=True)
class Disaster:
    """What strikes; the held stages go on in the middle of it."""

    failure: str
    strike: Strike
    attempts: tuple[int, ...]
    """The numbers of attempts that are right."""


@contextmanager
def _kill_workers(field: Field, fleet: Fleet) -> Iterator[None]:
    for worker in fleet.workers:
        worker.kill()
    yield


@contextmanager
def _stop_workers_warmly(field: Field, fleet: Fleet) -> Iterator[None]:
    ending = [worker.signal(signal.SIGTERM) for worker in fleet.workers]
    yield
    _wait_for_the_end(ending)


@contextmanager
def _stop_workers_softly(field: Field, fleet: Fleet) -> Iterator[None]:
    """As SIGTERM does under REMAP_SIGTERM=SIGQUIT: a while for the tasks, and then the end."""
    _wait_for_the_end([worker.signal(signal.SIGQUIT) for worker in fleet.workers])
    yield


def _wait_for_the_end(processes: Iterable[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(list(processes), timeout=HANG_SECONDS)
    assert alive == []


@contextmanager
def _restart_redis(field: Field, fleet: Fleet) -> Iterator[None]:
    field.stack.redis.kill()
    field.stack.redis.start()
    yield


@contextmanager
def _lose_redis(field: Field, fleet: Fleet) -> Iterator[None]:
    redis = field.stack.redis
    redis.kill()
    shutil.rmtree(redis.folder / "data" / "appendonlydir")
    redis.start()
    yield


@contextmanager
def _cut_the_broker_off(field: Field, fleet: Fleet) -> Iterator[None]:
    field.stack.redis.pause()
    yield
    time.sleep(OUTAGE_SECONDS)
    field.stack.redis.resume()


@contextmanager
def _silence_the_api(field: Field, fleet: Fleet) -> Iterator[None]:
    field.stack.api.pause()
    yield
    time.sleep(OUTAGE_SECONDS)
    field.stack.api.resume()


@contextmanager
def _take_the_api_down(field: Field, fleet: Fleet) -> Iterator[None]:
    field.stack.api.kill()
    yield
    time.sleep(OUTAGE_SECONDS)
    field.stack.api.start()


LONG = f"{OUTAGE_SECONDS:g} s"
DISASTERS = [
    Disaster("SIGKILL of the whole worker", _kill_workers, (2,)),
    Disaster("SIGTERM, warm shutdown", _stop_workers_warmly, (1,)),
    Disaster("SIGQUIT, soft shutdown", _stop_workers_softly, (2,)),
    Disaster("Redis restarted, with AOF", _restart_redis, (1, 2)),
    Disaster("Redis restarted, data lost", _lose_redis, (1, 2)),
    Disaster(f"broker cut off for {LONG}", _cut_the_broker_off, (1, 2)),
    Disaster(f"API down for {LONG}", _take_the_api_down, (1, 2)),
    Disaster(f"API silent for {LONG}", _silence_the_api, (1, 2)),
]


@pytest.mark.parametrize("disaster", DISASTERS, ids=lambda disaster: str(disaster.failure))
def test_a_document_at_each_stage_survives(
    battlefield: Field, fleet: Fleet, record: Callable[[Verdict], None], disaster: Disaster
) -> None:
    held = {stage: battlefield.submit(f"{disaster.failure}-{stage}", Bomb(stage, "hold")) for stage in Stage}
    for submission in held.values():
        battlefield.held(submission)
    with disaster.strike(battlefield, fleet):
        for submission in held.values():
            battlefield.release(submission)
    verdicts = [
        battlefield.judge(disaster.failure, stage, battlefield.final(submission))
        for stage, submission in held.items()
    ]
    for verdict in verdicts:
        record(verdict)
    assert [(each.state, each.harm) for each in verdicts] == [("completed", NO_HARM)] * 4
    assert {each.attempts for each in verdicts} <= set(disaster.attempts)


def test_a_stage_longer_than_the_visibility_time_out_is_worked_on_once(
    battlefield: Field, fleet: Fleet, record: Callable[[Verdict], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCPIPE_KEY_PREFIX", "impatient:")  # or the other workers would be impatient too
    env = battlefield.env | {"DOCPIPE_KEY_PREFIX": "impatient:", "VISIBILITY_TIMEOUT": "1"}
    folder = battlefield.logs / "impatient"
    folder.mkdir()
    with opened_pipeline() as pipeline, Fleet(folder, env) as impatient:
        field = replace(battlefield, pipeline=pipeline)
        for _ in range(2):
            impatient.start_worker("ocr,text,entity,graph", concurrency=4)
        impatient.wait_until_ready()
        held = {stage: field.submit(f"impatient-{stage}", Bomb(stage, "hold")) for stage in Stage}
        for submission in held.values():
            field.held(submission)
        refused = "stage_not_claimed"  # what the second delivery says
        wait_until(lambda: refused in impatient.tails(4000), "the messages come again")
        for submission in held.values():
            field.release(submission)
        for stage, submission in held.items():
            verdict = field.judge("longer than the visibility time-out", stage, field.final(submission))
            record(verdict)
            assert (verdict.state, verdict.attempts, verdict.harm) == ("completed", 1, NO_HARM)
        # nobody else would take the deliveries that still wait for their second turn
        wait_until(lambda: not field.waiting("impatient:"), "every delivery has come and gone")


def test_at_the_end_nothing_is_left_in_broker_and_ledger(battlefield: Field, fleet: Fleet) -> None:
    assert battlefield.leftovers_in_the_end() == {}
