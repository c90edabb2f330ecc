"""Every way to die that leaves its neighbours alone, at every stage, all at once on the same two workers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from docpipe.cli import cli
from docpipe.delivery.canvas import document_chain
from docpipe.models import DocumentStatus, Ref
from docpipe.models.status import WORDS, Stage
from docpipe.pipeline.submission import Submission
from tests.faults.bombs import ALWAYS, Bomb
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.field import Field
from tests.faults.fleet import Fleet
from tests.faults.proxy import Fault
from tests.faults.verdict import NO_HARM, Verdict
from tests.workers import HANG_SECONDS, REPOSITORY

OUTAGE_SECONDS = LEASE_SECONDS + 2.0
"""Longer than the lease, shorter than the soft time limit."""

Act = Callable[[Field, Submission, Stage], None]


@dataclass(frozen=True)
class Row:
    """A failure, what it is made of, and how the document must end."""

    failure: str
    way: str
    code: str | None = None
    """The error's code; None: the document completes."""
    attempts: tuple[int, ...] = (2,)
    times: int = 1
    act: Act | None = None

    def final(self, stage: Stage) -> str:
        return f"{WORDS[stage].error} ({self.code})" if self.code else "completed"


def _revoke(field: Field, submission: Submission, stage: Stage) -> None:
    field.held(submission)
    assert field.pipeline.app is not None
    running = next(each.task_id for each in submission.status().stages if each.stage == stage)
    assert running is not None
    field.pipeline.app.control.revoke(running, terminate=True, signal="SIGKILL")


def _refuse_the_errback(field: Field, submission: Submission, stage: Stage) -> None:
    field.proxy.add(Fault("503", submission.document_uuid, call="docpipe_fail_task"))


def _cut_off(way: str) -> Act:
    """The API fails for this document, from the middle of the stage until long after its lease."""

    def act(field: Field, submission: Submission, stage: Stage) -> None:
        field.held(submission)
        with field.proxy.fault(Fault(way, submission.document_uuid)):
            field.release(submission)
            time.sleep(OUTAGE_SECONDS)

    return act


def _lose_answers(field: Field, submission: Submission, stage: Stage) -> None:
    field.held(submission)
    with field.proxy.fault(Fault("lost answer", submission.document_uuid)):
        field.release(submission)
        time.sleep(1.0)


ONCE = (1,)
CUT_OFF = (1, 2)
"""The holder may finish as soon as the API is back; the reaper's message may come before it."""
_AT_ONCE = 24


def _away(how: str, way: str) -> Row:
    failure = f"API {how}, longer than the lease"
    return Row(failure, "hold", attempts=CUT_OFF, act=_cut_off(way))


ROWS = [
    Row("exception", "exception", code="corrupt", attempts=ONCE),
    Row(
        "retries exhausted",
        "transient",
        code="source_unavailable",
        attempts=(4,),
        times=ALWAYS,
    ),
    Row("soft time limit", "hang"),
    Row("hard time limit", "hang for good", code="worker_lost", attempts=ONCE),
    Row("MemoryError", "MemoryError"),
    Row("SystemExit", "SystemExit"),
    Row("os._exit in the child", "os._exit"),
    Row("segfault of the child", "segfault"),
    Row("SIGKILL of the child (OOM)", "SIGKILL"),
    Row("SIGKILL of every child", "SIGKILL", code="poison", attempts=(5,), times=ALWAYS),
    Row("Reject", "Reject", code="worker_lost", attempts=ONCE),
    Row("Reject, requeued", "Reject, requeue"),
    Row("Ignore", "Ignore"),
    Row("revoke(terminate=True)", "hold", act=_revoke),
    Row("hard time limit, errback fails", "hang for good", act=_refuse_the_errback),
    _away("answers 500", "500"),
    _away("answers 503", "503"),
    _away("answers 429", "429"),
    _away("is silent", "silence"),
    Row("API does, but its answers are lost", "hold", attempts=ONCE, act=_lose_answers),
]
CASES = [(row, stage) for row in ROWS for stage in Stage]
IDS = [f"{row.failure}-{stage}" for row, stage in CASES]


@pytest.fixture(scope="module")
def fates(battlefield: Field, fleet: Fleet) -> Iterator[dict[str, Future[DocumentStatus]]]:
    """Every document on its way, many side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {
            name: pool.submit(_fate, battlefield, row, stage, name)
            for (row, stage), name in zip(CASES, IDS, strict=True)
        }


def _fate(field: Field, row: Row, stage: Stage, name: str) -> DocumentStatus:
    submission = field.submit(name, Bomb(stage, row.way, row.times))
    if row.act:
        row.act(field, submission, stage)
    return field.final(submission)


@pytest.mark.parametrize(("row", "stage"), CASES, ids=IDS)
def test_a_document_ends_in_the_named_state_whatever_befalls_its_stage(
    fates: dict[str, Future[DocumentStatus]],
    battlefield: Field,
    record: Callable[[Verdict], None],
    row: Row,
    stage: Stage,
) -> None:
    status = fates[f"{row.failure}-{stage}"].result()
    verdict = battlefield.judge(row.failure, stage, status)
    record(verdict)
    assert (verdict.state, verdict.harm) == (row.final(stage), NO_HARM)
    assert verdict.attempts in row.attempts
    _expect_each_attempt_told(battlefield, stage, status)


def _expect_each_attempt_told(field: Field, stage: Stage, status: DocumentStatus) -> None:
    """A row for each attempt that was counted: its worker, its end and, unless it went well, why."""
    told = [each for each in field.pipeline.attempts(status.document_uuid) if each.stage == stage]
    counted = next(each.attempt for each in status.stages if each.stage == stage)
    assert [each.attempt for each in told] == list(range(1, counted + 1))
    assert all(each.worker and each.ended and each.ended_at for each in told)
    assert [each for each in told if each.error is None] == [
        each for each in told if each.ended == "complete"
    ]


def test_a_document_killed_three_times_shows_three_stories(fleet: Fleet, battlefield: Field) -> None:
    submission = battlefield.submit("killed thrice", Bomb(Stage.CHUNK, "SIGKILL", 3))
    assert battlefield.final(submission).status == "completed"
    told = CliRunner().invoke(cli, ["status", submission.document_uuid])
    assert (told.exit_code, len(re.findall(r"run 1 chunk #[123] .* lost +worker_lost: ", told.output))) == (
        0,
        3,
    )
    shown = CliRunner().invoke(cli, ["show", "--no-images", submission.document_uuid])
    stories = re.findall(r'"run 1 chunk #(\d)", "([^"]+)", "[^"]+", "[^"]+", "[^"]+", "lost"', shown.output)
    assert [number for number, _ in stories] == ["1", "2", "3"]
    monitor = CliRunner().invoke(cli, ["monitor", "--once", "--json"])
    failed = json.loads(monitor.output)["statistics"]["failed_attempts"]
    mine = [each for each in failed if each["document_uuid"] == submission.document_uuid]
    assert [(each["attempt"], each["worker"]) for each in reversed(mine)] == [
        (int(number), worker) for number, worker in stories
    ]


def _messages_of(field: Field, submission: Submission) -> Callable[[Stage], None]:
    """Publishes the message of a stage, and with it the rest of its chain, as it was published before."""
    stages = field.pipeline.stages
    ref = Ref(submission.document_uuid, 1)

    def publish(stage: Stage) -> None:
        rest = stages[[spec.name for spec in stages].index(stage) :]
        first = submission.task_id or ""
        task_id = first if stage is Stage.OCR else f"{first}.{stage}"
        assert field.pipeline.app is not None
        document_chain(field.pipeline.app, rest, ref, task_id=task_id).apply_async()

    return publish


@pytest.mark.parametrize("stage", Stage)
def test_a_message_delivered_twice_at_once_is_worked_on_once(
    fleet: Fleet, battlefield: Field, record: Callable[[Verdict], None], stage: Stage
) -> None:
    submission = battlefield.submit(f"twice-{stage}", Bomb(stage, "hold"))
    battlefield.held(submission)
    publish = _messages_of(battlefield, submission)
    for _ in range(4):
        publish(stage)
    battlefield.release(submission)
    _expect_completed_once(battlefield, record, "message delivered five times at once", stage, submission)


@pytest.mark.parametrize("stage", Stage)
def test_a_message_redelivered_after_the_end_changes_nothing(
    fleet: Fleet, battlefield: Field, record: Callable[[Verdict], None], stage: Stage
) -> None:
    submission = battlefield.submit(f"late-{stage}")
    before = battlefield.final(submission)
    _messages_of(battlefield, submission)(stage)
    # the last stage's message goes through the same queues after it: when it is done, so is the late one
    after = battlefield.submit(f"after-late-{stage}")
    battlefield.final(after)
    assert submission.status() == before
    _expect_completed_once(battlefield, record, "message redelivered after days", stage, submission)


def _expect_completed_once(
    field: Field, record: Callable[[Verdict], None], failure: str, stage: Stage, submission: Submission
) -> None:
    verdict = field.judge(failure, stage, field.final(submission))
    record(verdict)
    assert (verdict.state, verdict.attempts, verdict.harm) == ("completed", 1, NO_HARM)


def test_a_host_that_dies_between_row_and_message_loses_nothing(
    fleet: Fleet, battlefield: Field, record: Callable[[Verdict], None]
) -> None:
    host = subprocess.run(
        [sys.executable, "-m", "tests.faults.dying_host"],
        cwd=REPOSITORY,
        env=os.environ | battlefield.env,
        timeout=HANG_SECONDS,
    )
    assert host.returncode == -signal.SIGKILL
    submission = battlefield.known("dying")
    _expect_completed_once(battlefield, record, "host dies before its message", Stage.OCR, submission)


def test_at_the_end_nothing_is_left_in_broker_and_ledger(battlefield: Field, fleet: Fleet) -> None:
    assert battlefield.leftovers_in_the_end() == {}
