"""Each attempt is a row that says how it ended, through retries, joins and reprocessing, on each store."""

from __future__ import annotations

from typing import Any

import pytest

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Failure, PageRange, Ref
from docpipe.models.status import AttemptEnd
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from tests.contract.test_store import OUTPUTS, claim, new, run_all, run_stage, token_of

PLAN = [stage.planned for stage in BUILT_IN]
BROKEN = Failure("timeout", "StageTimeoutError", "It took too long.", "ocr", "Traceback…")


@pytest.fixture
def ref(store: Store) -> Ref:
    return store.register(new()).ref


def story(store: Store, ref: Ref) -> list[tuple[Any, ...]]:
    """Run, stage, first page, attempt, worker, end and error code of each attempt."""
    return [
        (
            each.run,
            each.stage,
            each.pages and each.pages.first,
            each.attempt,
            each.worker,
            each.ended,
            each.error and each.error.code,
        )
        for each in store.attempts(ref.document_uuid)
    ]


def begin(store: Store, ref: Ref, stage: str, number: int, **changes: Any) -> int:
    return token_of(claim(store, ref, stage, worker=f"host:{number}", task_id=f"task-{number}", **changes))


def test_an_attempt_is_a_row_from_its_claim_on(store: Store, ref: Ref) -> None:
    token = begin(store, ref, "ocr", 1)
    (working,) = store.attempts(ref.document_uuid)
    assert (working.token, working.task_id, working.ended, working.ended_at) == (token, "task-1", None, None)
    store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    (done,) = store.attempts(ref.document_uuid)
    assert (done.started_at, done.ended, done.error) == (working.started_at, AttemptEnd.COMPLETE, None)
    assert done.ended_at is not None
    assert done.ended_at >= done.started_at


def test_a_document_killed_three_times_has_three_stories(store: Store, ref: Ref) -> None:
    for number in range(1, 4):
        begin(store, ref, "ocr", number, lease_seconds=0.0)
    assert store.revive(ref, grace_seconds=0.0, max_attempts=3, task_id="again").outcome == "poison"
    assert story(store, ref) == [
        (1, "ocr", None, number, f"host:{number}", "lost", "worker_lost") for number in range(1, 4)
    ]
    status = store.status(ref.document_uuid)
    assert status.error is not None
    assert status.error.code == "poison"


def test_what_was_tried_outlives_retries_and_the_success_after_them(store: Store, ref: Ref) -> None:
    store.retry(ref, "ocr", begin(store, ref, "ocr", 1), BROKEN, 0.0)
    begin(store, ref, "ocr", 2, lease_seconds=0.0)
    store.finish(ref, "ocr", begin(store, ref, "ocr", 3), OUTPUTS["ocr"])
    assert story(store, ref) == [
        (1, "ocr", None, 1, "host:1", "retried", "timeout"),
        (1, "ocr", None, 2, "host:2", "lost", "worker_lost"),
        (1, "ocr", None, 3, "host:3", "complete", None),
    ]
    assert store.attempts(ref.document_uuid)[0].error == BROKEN


def test_a_late_twin_changes_no_story(store: Store, ref: Ref) -> None:
    old = begin(store, ref, "ocr", 1, lease_seconds=0.0)
    begin(store, ref, "ocr", 2)
    store.finish(ref, "ocr", old, OUTPUTS["ocr"])
    store.fail(ref, "ocr", old, BROKEN)
    assert [end for *_, end, _ in story(store, ref)] == ["lost", None]


def test_a_holder_that_was_only_cut_off_ends_its_own_story(store: Store, ref: Ref) -> None:
    token = begin(store, ref, "ocr", 1, lease_seconds=0.0)
    store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="again")
    assert store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    assert [end for *_, end, _ in story(store, ref)] == ["complete"]


def test_a_failure_resumed_counts_anew_and_keeps_what_was(store: Store, ref: Ref) -> None:
    store.fail(ref, "ocr", begin(store, ref, "ocr", 1), BROKEN)
    store.resume(ref.document_uuid, "again")
    run_stage(store, ref, "ocr")
    assert [(attempt, end) for *_, attempt, _, end, _ in story(store, ref)] == [
        (1, "failed"),
        (1, "complete"),
    ]


def test_a_cancelled_attempt_and_one_of_a_superseded_run_say_so(store: Store, ref: Ref) -> None:
    store.cancel(ref.document_uuid)
    again = store.register(new(reprocess=True)).ref
    token = begin(store, again, "ocr", 1)
    store.retry(again, "ocr", token, Failure("cancelled", "CancelledError", "It was cancelled."), 0.0)
    third = store.register(new(reprocess=True)).ref
    begin(store, third, "ocr", 2)
    store.register(new(reprocess=True))
    assert [(run, end) for run, *_, end, _ in story(store, ref)] == [(2, "cancelled"), (3, "stopped")]


def test_ranges_have_attempts_of_their_own_and_keep_them_when_they_are_joined(store: Store, ref: Ref) -> None:
    split = begin(store, ref, "ocr", 1)
    store.ranges.split(ref, "ocr", split, [PageRange(1, 2), PageRange(3, 4)], 2)
    for number, first in enumerate((1, 3), start=2):
        token = token_of(store.ranges.claim(ref, first, _claimant(number)))
        if first == 1:
            store.ranges.retry(ref, token, BROKEN, 0.0)
            token = token_of(store.ranges.claim(ref, first, _claimant(9)))
        store.ranges.finish(ref, token, OUTPUTS["ocr"], 2)
    store.finish(ref, "ocr", begin(store, ref, "ocr", 4), OUTPUTS["ocr"])
    assert store.ranges.runs(ref) == []
    assert story(store, ref) == [
        (1, "ocr", None, 1, "host:1", "split", None),
        (1, "ocr", 1, 1, "host:2", "retried", "timeout"),
        (1, "ocr", 1, 2, "host:9", "complete", None),
        (1, "ocr", 3, 1, "host:3", "complete", None),
        (1, "ocr", None, 1, "host:4", "complete", None),
    ]


def test_reprocessing_keeps_the_attempts_of_the_run_before(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    store.reprocess(ref.document_uuid, "graph", PLAN)
    run_stage(store, Ref(ref.document_uuid, 2), "graph")
    assert [(run, stage) for run, stage, *_ in story(store, ref)] == [
        *((1, stage.name) for stage in BUILT_IN),
        (2, "graph"),
    ]


def test_only_the_newest_attempts_are_told_and_a_deletion_leaves_none(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    assert [each.stage for each in store.attempts(ref.document_uuid, limit=2)] == ["entities", "graph"]
    store.delete(ref.document_uuid)
    assert store.attempts(ref.document_uuid) == []


def _claimant(number: int) -> Claimant:
    return Claimant(f"claim-{number}", f"task-{number}", f"host:{number}", 60.0, 5)
