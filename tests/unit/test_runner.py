"""One attempt of one stage: every way it can end, and what the ledger says then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from docpipe import errors
from docpipe.execution.failures import TryAgainError, UnrecordedError
from docpipe.execution.job import Job
from docpipe.execution.plan import OCR
from docpipe.execution.policy import Policy
from docpipe.execution.runner import NothingToDoError, run_stage
from docpipe.models import Ref, StageOutput, StageRun
from docpipe.pipeline.linking import LinkWhenDone
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import NewDocument, Outcome, Part
from tests.engines import doing
from tests.unit.conftest import NewPipeline
from tests.workers import HANG_SECONDS

Work = Callable[[Job], StageOutput]


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def update_document_state(
        self, document_uuid: str, phase: str, status: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.told.append((phase, status))

    def forget(self, document_uuid: str) -> None:
        self.told.append(("deleted", document_uuid))


def _registered(pipeline: Pipeline, file: Path, *, reprocess: bool = False) -> Ref:
    taken = pipeline.sources.take_in(file)
    stages = [stage.planned for stage in pipeline.stages]
    document = NewDocument(
        "6ab4b8f7", None, taken.name, taken.uri, taken.digest, taken.size, {}, stages, reprocess=reprocess
    )
    return pipeline.store.register(document).ref


class Away:
    """A store some of whose methods cannot be reached: the first calls, or all of them."""

    def __init__(self, store: Store, **calls: int) -> None:
        self._store, self._calls = store, calls

    def __getattr__(self, name: str) -> Any:
        if self._calls.get(name, 0) > 0:
            self._calls[name] -= 1
            return self._refuse
        return getattr(self._store, name)

    def _refuse(self, *arguments: Any, **named: Any) -> NoReturn:
        raise errors.StoreUnavailableError("away")


class Bench:
    """One document before its first stage, whose work the test decides."""

    def __init__(self, pipeline: Pipeline, note: Path, progress: Recorder) -> None:
        self.pipeline = pipeline
        self.note = note
        self.progress = progress
        self.ref = _registered(pipeline, note)

    def attempt(self, work: Work, max_retries: int = 0, away: Mapping[str, int] | None = None) -> None:
        """One attempt; `away`: how often each of these methods of the store cannot be reached."""
        runtime = self.pipeline.runtime
        policy = replace(runtime.policy, max_retries=max_retries)
        store = cast("Store", Away(runtime.store, **(away or {})))
        run_stage(replace(runtime, policy=policy, store=store), doing(OCR, work), self.ref, task_id="task")

    def supersede(self) -> Ref:
        """A new run begins."""
        return _registered(self.pipeline, self.note, reprocess=True)

    @property
    def status(self) -> str:
        return self.pipeline.status(self.ref.document_uuid).status

    @property
    def ledger(self) -> StageRun:
        return self.pipeline.status(self.ref.document_uuid).stages[0]


@pytest.fixture
def bench(new_pipeline: NewPipeline, note: Path) -> Bench:
    progress = Recorder()
    return Bench(
        new_pipeline(policy=Policy(lease_seconds=0.3, backoff_seconds=0.01), progress=progress),
        note,
        progress,
    )


def _raising(error: BaseException) -> Work:
    def work(job: Job) -> StageOutput:
        raise error

    return work


def _working_until_stopped(job: Job) -> StageOutput:
    """Reports page after page, as a long document does."""
    end = time.monotonic() + HANG_SECONDS
    while time.monotonic() < end:
        job.report(1, None)
    raise AssertionError("nobody stopped the attempt")


TRANSLATED = [
    (MemoryError(), errors.MemoryExhaustedError),
    (SoftTimeLimitExceeded(), errors.StageTimeoutError),
    (KeyError("number"), errors.BugError),
    (RecursionError(), errors.BugError),
    (errors.CorruptDocumentError("torn"), errors.CorruptDocumentError),
    (errors.RateLimitedError(), errors.RateLimitedError),
]


@pytest.mark.parametrize(("raised", "meaning"), TRANSLATED, ids=lambda value: repr(value)[:40])
def test_what_a_stage_raises_becomes_one_of_docpipe_s_errors(
    bench: Bench, raised: BaseException, meaning: type[errors.DocpipeError]
) -> None:
    with pytest.raises(meaning) as caught:
        bench.attempt(_raising(raised))
    assert (caught.value.stage, caught.value.document_uuid) == ("ocr", bench.ref.document_uuid)
    failure = bench.ledger.error
    assert failure is not None
    assert (failure.code, failure.error_class, failure.message, failure.stage) == (
        meaning.code,
        meaning.__name__,
        str(caught.value),
        "ocr",
    )
    assert (bench.status, bench.ledger.state) == ("error_ocr", "failed")


def test_the_ledger_keeps_the_traceback_of_what_was_raised(bench: Bench) -> None:
    with pytest.raises(errors.BugError):
        bench.attempt(_raising(KeyError("number")))
    failure = bench.ledger.error
    assert failure is not None
    assert "raise error" in failure.traceback
    assert "KeyError: 'number'" in failure.traceback


@pytest.mark.parametrize(("raised", "meaning"), TRANSLATED, ids=lambda value: repr(value)[:40])
def test_only_what_may_work_later_is_left_for_a_retry(
    bench: Bench, raised: BaseException, meaning: type[errors.DocpipeError]
) -> None:
    with pytest.raises(TryAgainError if meaning.retryable else meaning):
        bench.attempt(_raising(raised), max_retries=1)
    expected = ("ocr_processing", "retrying") if meaning.retryable else ("error_ocr", "failed")
    assert (bench.status, bench.ledger.state) == expected


def test_the_ledger_counts_the_retries_whoever_delivers(bench: Bench) -> None:
    for _ in range(2):
        with pytest.raises(TryAgainError):
            bench.attempt(_raising(errors.TransientError()), max_retries=2)
    with pytest.raises(errors.TransientError):
        bench.attempt(_raising(errors.TransientError()), max_retries=2)
    assert (bench.status, bench.ledger.state, bench.ledger.attempt) == ("error_ocr", "failed", 3)


def test_a_retry_that_works_leaves_no_error_behind(bench: Bench) -> None:
    with pytest.raises(TryAgainError):
        bench.attempt(_raising(errors.TransientError()), max_retries=1)
    bench.attempt(lambda job: StageOutput(text="x", pages=()))
    assert (bench.ledger.state, bench.ledger.attempt, bench.ledger.error) == ("complete", 2, None)


@pytest.mark.parametrize("told", [KeyboardInterrupt, SystemExit])
def test_a_process_that_is_told_to_exit_gives_its_stage_back(bench: Bench, told: type[BaseException]) -> None:
    with pytest.raises(told):
        bench.attempt(_raising(told()))
    assert bench.ledger.error is not None
    assert bench.ledger.error.code == "worker_lost"
    assert (bench.status, bench.ledger.state) == ("ocr_processing", "retrying")
    bench.attempt(lambda job: StageOutput(text="x", pages=()))
    assert bench.status == "ocr_complete"


def test_a_stage_that_was_started_too_often_is_poison(bench: Bench) -> None:
    for number in range(5):
        lapsed = Claimant(f"dead-{number}", "task", "dead", lease_seconds=-1.0, max_attempts=5)
        claim = bench.pipeline.store.claim(bench.ref, "ocr", lapsed)
        assert claim.outcome is Outcome.CLAIMED
    with pytest.raises(errors.PoisonDocumentError, match="started 5 times and never ended"):
        bench.attempt(_raising(AssertionError("poison must not be worked on")))
    assert bench.status == "error_ocr"
    assert bench.ledger.error is not None
    assert (bench.ledger.error.code, bench.ledger.attempt) == ("poison", 5)


# --- the store is away --------------------------------------------------------------------------


def test_a_stage_that_cannot_be_claimed_is_not_begun(bench: Bench) -> None:
    with pytest.raises(UnrecordedError, match="was not begun"):
        bench.attempt(_raising(AssertionError("not claimed")), away={"claim": 1})
    assert (bench.ledger.state, bench.ledger.attempt) == ("queued", 0)


@pytest.mark.parametrize(
    ("error", "move"), [(errors.TransientError(), "retry"), (errors.CorruptDocumentError(), "fail")]
)
def test_a_failure_that_cannot_be_written_leaves_the_stage_to_its_lease(
    bench: Bench, error: errors.DocpipeError, move: str
) -> None:
    with pytest.raises(UnrecordedError, match="could not record it"):
        bench.attempt(_raising(error), max_retries=1, away={move: 1})
    assert (bench.ledger.state, bench.ledger.attempt) == ("running", 1)


def test_finished_work_waits_for_the_store(bench: Bench) -> None:
    bench.attempt(lambda job: StageOutput(text="x", pages=()), away={"finish": 2})
    assert (bench.ledger.state, bench.ledger.attempt) == ("complete", 1)


def test_finished_work_is_given_up_after_the_longest_outage(bench: Bench) -> None:
    bench.pipeline.runtime = replace(bench.pipeline.runtime, policy=Policy(outage_seconds=0.0))
    with pytest.raises(TryAgainError, match="away"):
        bench.attempt(lambda job: StageOutput(text="x", pages=()), max_retries=1, away={"finish": 1})
    assert (bench.ledger.state, bench.ledger.attempt) == ("retrying", 1)


# --- told to stop -------------------------------------------------------------------------------


def test_a_cancelled_document_stops_at_its_next_report(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        assert bench.pipeline.cancel(bench.ref.document_uuid)
        return _working_until_stopped(job)

    with pytest.raises(NothingToDoError):
        bench.attempt(work)
    assert (bench.status, bench.ledger.state) == ("cancelled", "cancelled")


def test_an_attempt_that_lost_its_lease_stops_at_its_next_report(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        bench.supersede()
        return _working_until_stopped(job)

    with pytest.raises(NothingToDoError):
        bench.attempt(work)
    assert bench.pipeline.status(bench.ref.document_uuid).run == 2
    assert bench.status == "pending"


def test_an_attempt_that_comes_too_late_changes_nothing(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        bench.supersede()
        return StageOutput(text="late", pages=())

    with pytest.raises(NothingToDoError):
        bench.attempt(work)
    assert bench.pipeline.store.load(bench.ref, [Part.TEXT]).text == ""
    assert bench.status == "pending"


def test_a_failure_that_comes_too_late_changes_nothing(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        bench.supersede()
        raise errors.CorruptDocumentError("torn")

    with pytest.raises(NothingToDoError):
        bench.attempt(work)
    assert (bench.status, bench.ledger.state, bench.ledger.error) == ("pending", "queued", None)


def test_a_lease_lasts_as_long_as_the_work(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        first = bench.ledger.lease_expires_at
        end = time.monotonic() + HANG_SECONDS
        while bench.ledger.lease_expires_at == first:
            assert time.monotonic() < end, "no heartbeat"
        return StageOutput(text="x", pages=())

    bench.attempt(work)
    assert (bench.ledger.state, bench.ledger.lease_expires_at) == ("complete", None)


# --- progress and policy ------------------------------------------------------------------------


def test_progress_is_told_every_change(bench: Bench) -> None:
    def work(job: Job) -> StageOutput:
        job.report(1, None)
        return StageOutput(text="x", pages=())

    bench.attempt(work)
    assert bench.progress.told == [("ocr", "processing"), ("ocr", "processing"), ("ocr", "complete")]


@pytest.mark.parametrize(("max_retries", "said"), [(1, "retrying"), (0, "failed")])
def test_progress_tells_a_retry_from_a_failure(bench: Bench, max_retries: int, said: str) -> None:
    with pytest.raises((TryAgainError, errors.TransientError)):
        bench.attempt(_raising(errors.TransientError()), max_retries)
    assert bench.progress.told == [("ocr", "processing"), ("ocr", said)]


@given(st.integers(0, 10_000), st.floats(0.001, 3600), st.floats(0.001, 86_400))
def test_the_delay_doubles_up_to_the_cap_and_jitter_takes_at_most_half(
    retries: int, first: float, cap: float
) -> None:
    longest = cap if retries > 100 else min(cap, first * 2**retries)
    delay = Policy(backoff_seconds=first, backoff_cap_seconds=cap).delay(retries)
    assert longest / 2 <= delay <= longest


def test_delays_differ_so_that_documents_do_not_come_back_together() -> None:
    assert len({Policy().delay(3) for _ in range(20)}) > 1


def test_a_stage_costs_one_call_before_its_work_and_one_after_it(
    new_pipeline: NewPipeline, note: Path
) -> None:
    pipeline = new_pipeline()
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(pipeline.store, name)

    ref = _registered(pipeline, note)
    completion = replace(cast("LinkWhenDone", pipeline.runtime.completion), store=cast("Store", Counting()))
    runtime = replace(pipeline.runtime, store=cast("Store", Counting()), completion=completion)
    for stage in pipeline.stages:
        run_stage(runtime, stage, ref, task_id="task")
    assert asked == ["claim", "finish"] * 3 + ["claim", "finish_on"]
    assert pipeline.store.unlinked() == []
