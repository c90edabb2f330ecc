"""Ways to die while the worker's child reads, as users have it: each document in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest

from docpipe.models.status import Stage
from docpipe.pipeline.submission import Submission
from tests.faults import bombs, mined
from tests.faults.field import Field
from tests.faults.fleet import Fleet
from tests.faults.verdict import NO_HARM, Verdict
from tests.workers import HANG_SECONDS


@dataclass(frozen=True)
class Row:
    """A failure, the number of its mine, and how the document must end."""

    failure: str
    mine: int
    state: str
    attempts: int = 1


ROWS = [
    Row("reader: segfault", 0, "error_ocr (reading_crash)"),
    Row("reader: os._exit", 1, "error_ocr (reading_crash)"),
    Row("reader: hang in native code", 2, "error_ocr (reading_timeout)"),
    Row("reader: beyond its memory", 3, "error_ocr (reading_memory)"),
    Row("reader: SIGKILL (OOM)", 4, "completed", attempts=2),
    Row("reader: SIGKILL, each time", 5, "error_ocr (worker_lost)", attempts=4),
]
_KILL_THE_TASK = Row("worker's child, SIGKILL while it reads", 6, "completed", attempts=2)
_KILL_THE_WORKER = Row("whole worker, SIGKILL while it reads", 7, "completed", attempts=2)


def _judged(field: Field, row: Row, submission: Submission) -> Verdict:
    return field.judge(row.failure, Stage.OCR, field.final(submission))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.failure))
def test_a_reader_that_dies_costs_its_document_at_most(
    battlefield: Field, readers: Fleet, record: Callable[[Verdict], None], row: Row
) -> None:
    workers = _processes(readers)
    verdict = _judged(battlefield, row, battlefield.show(row.failure, row.mine))
    record(verdict)
    assert (verdict.state, verdict.attempts) == (row.state, row.attempts)
    assert verdict.harm == NO_HARM
    assert _processes(readers) == workers


def _is_reader(process: psutil.Process) -> bool:
    return "isolation/child.py" in " ".join(process.cmdline())


def _processes(fleet: Fleet) -> set[int]:
    """All processes of the workers but those that read."""
    return {each.pid for worker in fleet.workers for each in worker.family() if not _is_reader(each)}


def _reading(field: Field, row: Row) -> tuple[Submission, psutil.Process, psutil.Process]:
    """A document that is being read, the worker's child that waits for it, and the process that reads."""
    submission = field.show(row.failure, row.mine)
    field.gone_off(mined.mark(row.mine))
    worker = submission.status().stages[0].worker
    assert worker is not None
    child = psutil.Process(int(worker.rpartition(":")[2]))
    (reader,) = child.children()
    assert _is_reader(reader)
    return submission, child, reader


@pytest.mark.parametrize("row", [_KILL_THE_TASK, _KILL_THE_WORKER], ids=lambda row: str(row.failure))
def test_a_worker_that_is_killed_takes_its_reader_along_and_loses_nothing(
    battlefield: Field, readers: Fleet, record: Callable[[Verdict], None], row: Row
) -> None:
    submission, child, reader = _reading(battlefield, row)
    if row is _KILL_THE_WORKER:
        main = child.parent()
        assert main is not None
        main.kill()
    child.kill()
    assert (
        psutil.wait_procs([reader], timeout=HANG_SECONDS)[1] == []
    )  # by the kernel: it cannot know by itself
    bombs.release(battlefield.marks, mined.mark(row.mine))
    verdict = _judged(battlefield, row, submission)
    record(verdict)
    assert (verdict.state, verdict.attempts) == (row.state, row.attempts)
    assert verdict.harm == NO_HARM


def test_at_the_end_nothing_is_left_in_broker_and_ledger(battlefield: Field, readers: Fleet) -> None:
    assert battlefield.leftovers_in_the_end() == {}
