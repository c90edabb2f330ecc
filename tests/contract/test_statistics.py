"""What every store counts for the monitor, health and metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Failure, Ref
from docpipe.stores.port import Store
from docpipe.stores.statistics import DocumentCount, FailureCount, StageCount, Statistics
from docpipe.stores.values import Heartbeat
from tests.contract.test_ranges import split, take
from tests.contract.test_store import FAILURE, claim, new, run_all, run_stage, token_of

NOTHING = Statistics((), (), (), (), 0, 0)


def register(store: Store, number: int, project_id: str | None = None) -> Ref:
    return store.register(new(digest=f"{number:064x}", project_id=project_id)).ref


def counts(store: Store) -> list[StageCount]:
    """The stages without their times."""
    return [
        replace(
            stage,
            oldest_waiting_seconds=None,
            p50_seconds=None,
            p95_seconds=None,
            wait_p50_seconds=None,
            wait_p95_seconds=None,
        )
        for stage in store.statistics().stages
    ]


def test_an_empty_store_counts_nothing(store: Store) -> None:
    assert store.statistics() == NOTHING


def test_documents_are_counted_per_status_and_project(store: Store) -> None:
    for number, project in enumerate((None, "a", "a", "b")):
        ref = register(store, number, project)
        if project == "b":
            store.queue(ref, "ocr", "t")
    assert set(store.statistics().documents) == {
        DocumentCount("ocr_queued", "b", 1),
        DocumentCount("pending", None, 1),
        DocumentCount("pending", "a", 2),
    }


def test_each_active_run_is_counted_at_the_stage_whose_turn_it_is(store: Store) -> None:
    waiting, running, retrying = (register(store, number) for number in range(3))
    store.queue(waiting, "ocr", "t")
    run_stage(store, running, "ocr")
    claim(store, running, "chunk")
    token = token_of(claim(store, retrying, "ocr"))
    store.retry(retrying, "ocr", token, FAILURE, 60.0)
    assert counts(store) == [
        StageCount("ocr", waiting=1, retrying=1, completed=1),
        StageCount("chunk", running=1),
    ]


def test_the_oldest_waiting_is_told_and_a_delay_ahead_is_no_age(store: Store) -> None:
    store.queue(register(store, 1), "ocr", "t")
    (ocr,) = store.statistics().stages
    assert ocr.oldest_waiting_seconds is not None
    assert 0 <= ocr.oldest_waiting_seconds < 60
    retrying = store.register(new(digest="f" * 64, stages=[BUILT_IN[0].planned])).ref
    store.retry(retrying, "ocr", token_of(claim(store, retrying, "ocr")), FAILURE, 3600.0)
    (again,) = store.statistics().stages
    assert again.oldest_waiting_seconds is not None
    assert again.oldest_waiting_seconds < 60


def oldest(store: Store) -> float:
    (ocr,) = store.statistics().stages
    return ocr.oldest_waiting_seconds or 0.0


def test_who_waits_for_a_message_that_is_sent_again_waits_since_the_first(store: Store) -> None:
    ref = store.register(new(stages=[BUILT_IN[0].planned])).ref
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, -7200.0)
    for _ in range(2):
        assert store.revive(ref, grace_seconds=-1.0, max_attempts=9, task_id="t").outcome == "resume"
        assert oldest(store) > 7190
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
    assert oldest(store) < 600
    store.revive(ref, grace_seconds=-1.0, max_attempts=9, task_id="t")
    assert store.cancel(ref.document_uuid)
    assert store.resume(ref.document_uuid, "again")
    assert oldest(store) < 600


def test_a_stage_whose_worker_fell_silent_waits_once_its_message_is_sent_again(store: Store) -> None:
    ref = store.register(new(stages=[BUILT_IN[0].planned])).ref
    store.queue(ref, "ocr", "t")
    token = token_of(claim(store, ref, "ocr", lease_seconds=-600.0))
    assert counts(store) == [StageCount("ocr", running=1)]
    assert store.revive(ref, grace_seconds=-1.0, max_attempts=9, task_id="t").outcome == "resume"
    assert (counts(store), store.statistics().running) == ([StageCount("ocr", waiting=1)], ())
    assert oldest(store) > 590
    store.heartbeat(ref, "ocr", token, 60.0)  # it was cut off, and lives
    assert (counts(store), len(store.statistics().running)) == ([StageCount("ocr", running=1)], 1)


def test_pages_whose_reader_fell_silent_wait_once_their_message_is_sent_again(store: Store) -> None:
    ref = store.register(new()).ref
    split(store, ref)
    token = token_of(take(store, ref, 1, lease_seconds=-600.0))
    revived = store.ranges.revive(ref, 1, grace_seconds=-1.0, max_attempts=9, at_once=2)
    assert revived.outcome == "resume"
    assert (store.statistics().running, oldest(store) > 590) == ((), True)
    store.ranges.retry(ref, token_of(take(store, ref, 1)), FAILURE, 0.0)
    assert oldest(store) < 600
    assert store.ranges.heartbeat(ref, token, 60.0) is Heartbeat.LOST


def test_running_stages_are_listed_lapsed_leases_first(store: Store) -> None:
    alive, silent = register(store, 1), register(store, 2)
    claim(store, alive, "ocr", worker="host:1", lease_seconds=60.0)
    claim(store, silent, "ocr", worker="host:2", lease_seconds=-30.0)
    first, second = store.statistics().running
    assert (first.document_uuid, first.worker, first.attempt) == (silent.document_uuid, "host:2", 1)
    assert (second.document_uuid, second.name, second.stage) == (alive.document_uuid, "letter.pdf", "ocr")
    assert first.lease_seconds < 0 < second.lease_seconds
    assert 0 <= first.running_seconds < 60
    assert len(store.statistics(limit=1).running) == 1


def test_pages_that_are_read_are_listed_by_their_readers(store: Store) -> None:
    ref = register(store, 1)
    split(store, ref)
    take(store, ref, 4, worker="host:1", lease_seconds=30.0)
    take(store, ref, 1, worker="host:2", lease_seconds=60.0)
    assert [(each.first_page, each.last_page, each.worker) for each in store.statistics().running] == [
        (4, 6, "host:1"),
        (1, 3, "host:2"),
    ]
    assert [stage.running for stage in store.statistics().stages] == [1]


def test_completed_stages_have_times_and_runs_are_counted(store: Store) -> None:
    run_all(store, register(store, 1))
    found = store.statistics()
    assert found.completed == 1
    assert [(stage.stage, stage.completed, stage.waiting) for stage in found.stages] == [
        (name, 1, 0) for name in ("ocr", "chunk", "entities", "graph")
    ]
    for stage in found.stages:
        assert stage.p50_seconds == stage.p95_seconds
        assert stage.p50_seconds is not None
        assert 0 <= stage.p50_seconds < 60
    assert found.stages[0].wait_p50_seconds is None  # nobody sent a message: it was claimed at once
    assert found.stages[1].wait_p50_seconds is not None


def test_what_ended_before_the_window_is_not_counted(store: Store) -> None:
    run_all(store, register(store, 1))
    found = store.statistics(window_seconds=-60.0)
    assert (found.completed, found.stages) == (0, ())
    assert found.documents == (DocumentCount("completed", None, 1),)


def test_stages_that_a_new_run_kept_are_not_counted_again(store: Store) -> None:
    ref = register(store, 1)
    run_all(store, ref)
    store.reprocess(ref.document_uuid, "graph", [stage.planned for stage in BUILT_IN])
    assert counts(store) == [
        StageCount("ocr", completed=1),
        StageCount("chunk", completed=1),
        StageCount("entities", completed=1),
        StageCount("graph", waiting=1, completed=1),
    ]


def test_failures_are_counted_by_stage_and_class(store: Store) -> None:
    for number in range(3):
        ref = register(store, number)
        failure = FAILURE if number else Failure("empty", "EmptyDocumentError", "No text.")
        store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), failure)
    found = store.statistics()
    assert found.failures == (
        FailureCount("ocr", "corrupt", "CorruptDocumentError", 2),
        FailureCount("ocr", "empty", "EmptyDocumentError", 1),
    )
    assert counts(store) == [StageCount("ocr", failed=3)]


def test_failed_attempts_are_told_the_newest_first_whatever_followed(store: Store) -> None:
    ref, other = register(store, 1), register(store, 2)
    claim(store, ref, "ocr", worker="host:1", lease_seconds=0.0)
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr", worker="host:2")), FAILURE, 0.0)
    run_all(store, ref)
    store.fail(other, "ocr", token_of(claim(store, other, "ocr", worker="host:3")), FAILURE)
    found = store.statistics()
    assert [
        (each.document_uuid, each.stage, each.attempt, each.worker, each.ended, each.code)
        for each in found.failed_attempts
    ] == [
        (other.document_uuid, "ocr", 1, "host:3", "failed", "corrupt"),
        (ref.document_uuid, "ocr", 2, "host:2", "retried", "corrupt"),
        (ref.document_uuid, "ocr", 1, "host:1", "lost", "worker_lost"),
    ]
    newest = found.failed_attempts[0]
    assert (newest.name, newest.run, newest.first_page, newest.message) == (
        "letter.pdf",
        1,
        None,
        FAILURE.message,
    )
    assert 0 <= newest.worked_seconds <= newest.worked_seconds + newest.ago_seconds < 60
    assert len(store.statistics(limit=1).failed_attempts) == 1
    assert store.statistics(window_seconds=-60.0).failed_attempts == ()


@pytest.mark.parametrize(("code", "quarantined"), [("poison", 1), ("corrupt", 0)])
def test_quarantine_is_counted_until_it_is_released(store: Store, code: str, quarantined: int) -> None:
    ref = register(store, 1)
    failure = Failure(code, "PoisonDocumentError", "Started too often.")
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), failure)
    assert store.statistics(window_seconds=0.0).quarantined == quarantined
    store.resume(ref.document_uuid, "t")
    assert store.statistics().quarantined == 0
