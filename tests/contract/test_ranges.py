"""What every store promises about the pages of long documents (docpipe/stores/range_port.py)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from docpipe.execution.plan import BUILT_IN
from docpipe.models import (
    Failure,
    Line,
    Method,
    Page,
    PageRange,
    Ref,
    StageOutput,
    Warn,
)
from docpipe.models.status import StageState
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import Claim, Handover, Heartbeat, Outcome, ReadRange, Resumption, Revival, Stalled
from tests.contract.test_store import FAILURE, OUTPUTS, claim, lost, new, run_stage, token_of, words

RANGES = (PageRange(1, 3), PageRange(4, 6), PageRange(7, 8))
PLAN = [stage.planned for stage in BUILT_IN]
LOST = Warn("page_failed", "The page's picture could not be read.", 5)


def read(pages: PageRange, *warnings: Warn) -> StageOutput:
    """What reading these pages gives."""
    numbers = range(pages.first, pages.last + 1)
    return StageOutput(
        text="\n\n".join(f"page {number} — ü" for number in numbers),
        pages=tuple(
            Page(
                number,
                0,
                10,
                612.0,
                792.0,
                Method.OCR,
                (Line(0, 10, (1.0, 2.0, 3.0, 4.0), 0.5),),
                "scan",
                0.5,
            )
            for number in numbers
        ),
        file_type="application/pdf",
        metadata={"title": "A — B"},
        warnings=warnings,
        engine="one-line 1",
    )


def split(store: Store, ref: Ref, at_once: int = 2) -> Handover | None:
    return store.ranges.split(ref, "ocr", token_of(claim(store, ref, "ocr")), RANGES, at_once)


def take(store: Store, ref: Ref, first_page: int, **changes: Any) -> Claim:
    values: dict[str, Any] = {
        "claim_id": uuid.uuid4().hex,
        "task_id": "task",
        "worker": "host:2",
        "lease_seconds": 60.0,
        "max_attempts": 5,
    }
    return store.ranges.claim(ref, first_page, Claimant(**(values | changes)))


def finish(store: Store, ref: Ref, pages: PageRange, *warnings: Warn, at_once: int = 2) -> Handover | None:
    token = token_of(take(store, ref, pages.first))
    return store.ranges.finish(ref, token, read(pages, *warnings), at_once)


def finish_rest(store: Store, ref: Ref) -> None:
    """The stage joins its ranges, and the others run."""
    for stage in OUTPUTS:
        run_stage(store, ref, stage)


def states(store: Store, ref: Ref) -> list[tuple[int, int, str, int]]:
    return [(run.pages.first, run.pages.last, run.state, run.attempt) for run in store.ranges.runs(ref)]


def ocr(store: Store, ref: Ref) -> tuple[str, str, int]:
    status = store.status(ref.document_uuid)
    return status.status, status.stages[0].state, status.stages[0].attempt


def revive(store: Store, ref: Ref, first_page: int, max_attempts: int = 5) -> Revival:
    return store.ranges.revive(ref, first_page, grace_seconds=0.0, max_attempts=max_attempts, at_once=2)


@pytest.fixture
def ref(store: Store) -> Ref:
    return store.register(new(priority=4)).ref


# --- split -------------------------------------------------------------------------------------------


def test_a_split_hands_out_the_first_ranges_and_the_document_stays_in_its_status(
    store: Store, ref: Ref
) -> None:
    assert split(store, ref, at_once=2) == Handover((1, 4), False, 4)
    assert states(store, ref) == [(1, 3, "queued", 0), (4, 6, "queued", 0), (7, 8, "queued", 0)]
    assert ocr(store, ref) == ("ocr_processing", "queued", 0)


def test_a_split_asked_for_again_is_answered_alike(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    first = store.ranges.split(ref, "ocr", token, RANGES, 2)
    assert store.ranges.split(ref, "ocr", token, RANGES, 2) == first
    assert len(states(store, ref)) == 3


def test_a_split_with_an_old_token_changes_nothing(store: Store, ref: Ref) -> None:
    old = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    claim(store, ref, "ocr")
    assert store.ranges.split(ref, "ocr", old, RANGES, 2) is None
    assert states(store, ref) == []


def test_the_stage_cannot_be_claimed_while_a_range_is_open(store: Store, ref: Ref) -> None:
    split(store, ref)
    assert claim(store, ref, "ocr").outcome is Outcome.NOT_READY
    take(store, ref, 1)
    assert claim(store, ref, "ocr").outcome is Outcome.NOT_READY
    assert claim(store, ref, "chunk").outcome is Outcome.NOT_READY


def test_a_late_errback_of_the_task_that_split_changes_nothing(store: Store, ref: Ref) -> None:
    split(store, ref)
    take(store, ref, 1, task_id="another")
    assert not store.fail_task(ref, "task", FAILURE)


# --- claim, heartbeat, finish --------------------------------------------------------------------------


def test_a_claim_of_a_range_counts_the_attempt_and_shows_in_the_stage(store: Store, ref: Ref) -> None:
    split(store, ref)
    taken = take(store, ref, 4)
    assert (taken.outcome, taken.attempt, taken.last_page) == (Outcome.CLAIMED, 1, 6)
    stage = store.status(ref.document_uuid).stages[0]
    assert (stage.state, stage.worker) == ("running", "host:2")
    assert stage.lease_expires_at is not None
    assert words(store, ref) == ["pending", "ocr_processing"]


def test_one_of_many_claims_of_a_range_wins(store: Store, ref: Ref) -> None:
    split(store, ref)
    with ThreadPoolExecutor(8) as pool:
        outcomes = [each.outcome for each in pool.map(lambda _: take(store, ref, 1), range(16))]
    assert sorted(outcomes) == [Outcome.BUSY] * 15 + [Outcome.CLAIMED]


def test_a_claim_of_a_range_asked_for_again_is_the_same_claim(store: Store, ref: Ref) -> None:
    split(store, ref)
    first = take(store, ref, 1, claim_id="mine")
    assert take(store, ref, 1, claim_id="mine") == first


def test_ranges_nobody_knows_are_said_to_be_unknown(store: Store, ref: Ref) -> None:
    split(store, ref)
    assert take(store, ref, 2).outcome is Outcome.UNKNOWN
    assert take(store, Ref("nobody", 1), 1).outcome is Outcome.UNKNOWN


def test_a_range_started_too_often_is_poison(store: Store, ref: Ref) -> None:
    split(store, ref)
    for _ in range(2):
        take(store, ref, 1, lease_seconds=0.0)
    poison = take(store, ref, 1, max_attempts=2)
    assert (poison.outcome, poison.attempt, poison.last_page) == (Outcome.POISON, 2, 3)


def test_a_heartbeat_extends_the_lease_of_a_range_or_learns_that_it_is_lost(store: Store, ref: Ref) -> None:
    split(store, ref)
    old = token_of(take(store, ref, 1, lease_seconds=0.0))
    assert store.ranges.heartbeat(ref, old, 60.0) is Heartbeat.OK
    assert take(store, ref, 1).outcome is Outcome.BUSY
    assert store.ranges.heartbeat(ref, old, 0.0) is Heartbeat.OK
    take(store, ref, 1)
    assert store.ranges.heartbeat(ref, old, 60.0) is Heartbeat.LOST
    store.cancel(ref.document_uuid)
    assert store.ranges.heartbeat(ref, old, 60.0) is Heartbeat.LOST


def test_the_end_of_a_range_hands_out_the_next(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=2)
    assert finish(store, ref, RANGES[0]) == Handover((7,), False, 4)
    assert finish(store, ref, RANGES[1]) == Handover((), False, 4)
    assert ocr(store, ref) == ("ocr_processing", "queued", 0)
    assert finish(store, ref, RANGES[2]) == Handover((), True, 4)
    joined = claim(store, ref, "ocr")
    assert (joined.outcome, joined.attempt, joined.joins) == (Outcome.CLAIMED, 1, True)
    assert words(store, ref) == ["pending", "ocr_processing"]


def test_of_ranges_that_end_at_the_same_moment_one_is_the_last(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=3)
    tokens = [token_of(take(store, ref, pages.first)) for pages in RANGES]
    with ThreadPoolExecutor(3) as pool:
        ends = list(
            pool.map(
                lambda each: store.ranges.finish(ref, each[1], read(each[0]), 3),
                zip(RANGES, tokens, strict=True),
            )
        )
    assert sorted(end.complete for end in ends if end) == [False, False, True]


def test_what_ranges_have_read_is_given_back_exactly_and_in_order(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=3)
    for pages in reversed(RANGES):
        finish(store, ref, pages, LOST)
    assert list(store.ranges.outputs(ref)) == [ReadRange(pages, read(pages, LOST)) for pages in RANGES]


def test_a_range_larger_than_one_request_arrives_whole(store: Store, ref: Ref) -> None:
    split(store, ref)
    text = "".join(f"line {i} — äöü\n" for i in range(60_000))
    lines = tuple(Line(i, i + 1, (1.5, 2.5, 3.5, 4.5), 0.25) for i in range(20_000))
    pages = tuple(Page(n, n, n + 1, 612.0, 792.0, Method.OCR, lines) for n in (1, 2, 3))
    output = StageOutput(text=text, pages=pages, file_type="application/pdf", metadata={})
    store.ranges.finish(ref, token_of(take(store, ref, 1)), output, 2)
    assert next(iter(store.ranges.outputs(ref))) == ReadRange(RANGES[0], output)


def test_a_late_or_repeated_end_of_a_range_changes_nothing(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=3)
    old = token_of(take(store, ref, 1, lease_seconds=0.0))
    token = token_of(take(store, ref, 1))
    assert store.ranges.finish(ref, old, read(PageRange(1, 1)), 3) is None
    assert not store.ranges.retry(ref, old, FAILURE, 1.0)
    assert store.ranges.fail(ref, old, FAILURE, 3) is None
    assert not store.ranges.fail_stage(ref, old, FAILURE)
    assert store.ranges.finish(ref, token, read(RANGES[0]), 3) == Handover((), False, 4)
    assert store.ranges.finish(ref, token, read(RANGES[1]), 3) == Handover((), False, 4)
    assert take(store, ref, 1).outcome is Outcome.COMPLETE
    assert next(iter(store.ranges.outputs(ref))) == ReadRange(RANGES[0], read(RANGES[0]))


def test_the_last_end_repeated_is_the_last_again_until_the_stage_is_claimed(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=3)
    finish(store, ref, RANGES[0])
    finish(store, ref, RANGES[1])
    token = token_of(take(store, ref, 7))
    for _ in range(2):
        assert store.ranges.finish(ref, token, read(RANGES[2]), 3) == Handover((), True, 4)
    joining = token_of(claim(store, ref, "ocr"))
    assert store.ranges.finish(ref, token, read(RANGES[2]), 3) == Handover((), False, 4)
    assert store.finish(ref, "ocr", joining, OUTPUTS["ocr"])


def test_ranges_are_put_away_when_their_stage_is_complete(store: Store, ref: Ref) -> None:
    split(store, ref)
    for pages in RANGES:
        finish(store, ref, pages)
    finish_rest(store, ref)
    assert store.status(ref.document_uuid).status == "completed"
    assert states(store, ref) == []
    assert store.ranges.replay(ref.document_uuid, PLAN, 2) is None


# --- failing -----------------------------------------------------------------------------------------


def test_a_range_that_is_retried_keeps_the_status_and_says_why(store: Store, ref: Ref) -> None:
    split(store, ref)
    assert store.ranges.retry(ref, token_of(take(store, ref, 1)), FAILURE, 1.0)
    assert ocr(store, ref) == ("ocr_processing", "retrying", 0)
    run = store.ranges.runs(ref)[0]
    assert (run.state, run.error) == ("retrying", FAILURE)
    assert take(store, ref, 1).attempt == 2


def test_a_range_of_several_pages_that_fails_falls_into_its_pages(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=2)
    token = token_of(take(store, ref, 1))
    assert store.ranges.fail(ref, token, FAILURE, 2) == Handover((1,), False, 4)
    assert states(store, ref) == [
        (1, 1, "queued", 0),
        (2, 2, "queued", 0),
        (3, 3, "queued", 0),
        (4, 6, "queued", 0),
        (7, 8, "queued", 0),
    ]
    assert store.ranges.finish(ref, token, read(RANGES[0]), 2) is None


def test_a_page_that_fails_is_lost_and_the_rest_goes_on(store: Store, ref: Ref) -> None:
    store.ranges.split(ref, "ocr", token_of(claim(store, ref, "ocr")), (PageRange(1, 1), PageRange(2, 3)), 2)
    finish(store, ref, PageRange(2, 3))
    token = token_of(take(store, ref, 1))
    assert store.ranges.fail(ref, token, FAILURE, 2) == Handover((), True, 4)
    assert store.ranges.fail(ref, token, FAILURE, 2) == Handover((), True, 4)
    assert list(store.ranges.outputs(ref)) == [
        ReadRange(PageRange(1, 1), FAILURE),
        ReadRange(PageRange(2, 3), read(PageRange(2, 3))),
    ]
    assert take(store, ref, 1).outcome is Outcome.COMPLETE


def test_what_stops_the_whole_document_fails_its_stage(store: Store, ref: Ref) -> None:
    split(store, ref)
    token = token_of(take(store, ref, 1))
    other = token_of(take(store, ref, 4))
    assert store.ranges.fail_stage(ref, token, FAILURE)
    status = store.status(ref.document_uuid)
    assert (status.status, status.error) == ("error_ocr", FAILURE)
    assert store.ranges.heartbeat(ref, other, 60.0) is Heartbeat.LOST
    assert store.ranges.finish(ref, other, read(RANGES[1]), 2) is None
    assert take(store, ref, 7).outcome is Outcome.OVER


# --- cancel, supersede -------------------------------------------------------------------------------


def test_a_document_whose_ranges_wait_is_cancelled_at_once(store: Store, ref: Ref) -> None:
    split(store, ref)
    finish(store, ref, RANGES[0])
    assert store.cancel(ref.document_uuid)
    assert ocr(store, ref)[:2] == ("cancelled", "cancelled")
    assert [state for *_, state, _ in states(store, ref)] == ["complete", "cancelled", "cancelled"]
    assert take(store, ref, 4).outcome is Outcome.OVER


def test_running_ranges_learn_of_the_cancellation_and_the_last_ends_the_run(store: Store, ref: Ref) -> None:
    split(store, ref)
    tokens = [token_of(take(store, ref, pages.first)) for pages in RANGES[:2]]
    store.cancel(ref.document_uuid)
    for token, after in zip(tokens, ["ocr_processing", "cancelled"], strict=True):
        assert store.ranges.heartbeat(ref, token, 60.0) is Heartbeat.CANCELLED
        assert store.ranges.retry(ref, token, FAILURE, 0.0)
        store.cancel(ref.document_uuid)
        assert ocr(store, ref)[0] == after


def test_a_newer_run_ends_the_ranges_of_the_older(store: Store, ref: Ref) -> None:
    split(store, ref)
    token = token_of(take(store, ref, 1))
    second = store.register(new(reprocess=True)).ref
    assert store.ranges.heartbeat(ref, token, 60.0) is Heartbeat.LOST
    assert store.ranges.finish(ref, token, read(RANGES[0]), 2) is None
    assert take(store, ref, 4).outcome is Outcome.OVER
    run_stage(store, second, "ocr")
    assert states(store, ref) == []


# --- taking up again ---------------------------------------------------------------------------------


def test_a_lost_range_is_stalled_while_the_others_work(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=3)
    take(store, ref, 1)
    take(store, ref, 4, lease_seconds=0.0)
    assert lost(store, 60.0) == []
    assert lost(store) == [
        Stalled(ref, "ocr", StageState.RUNNING, 4),
        Stalled(ref, "ocr", StageState.QUEUED, 7),
    ]
    assert store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="x") == Revival("none")
    assert revive(store, ref, 1) == Revival("none")
    assert revive(store, ref, 4) == Revival("resume", handover=Handover((4,), False, 4))
    assert take(store, ref, 4).attempt == 2


def test_a_range_that_is_not_due_yet_is_not_stalled(store: Store, ref: Ref) -> None:
    split(store, ref, at_once=1)
    assert [each.first_page for each in lost(store)] == [1]
    assert revive(store, ref, 4) == Revival("none")


def test_a_range_that_never_ends_is_given_up_by_the_reaper(store: Store, ref: Ref) -> None:
    store.ranges.split(ref, "ocr", token_of(claim(store, ref, "ocr")), (PageRange(1, 1), PageRange(2, 2)), 2)
    finish(store, ref, PageRange(2, 2))
    for _ in range(2):
        take(store, ref, 1, lease_seconds=0.0)
    assert revive(store, ref, 1, max_attempts=2) == Revival("resume", handover=Handover((), True, 4))
    (given_up, _) = store.ranges.outputs(ref)
    assert isinstance(given_up.output, Failure)
    assert given_up.output.code == "poison"
    assert "begun 2 times" in given_up.output.message


def test_the_joining_of_ranges_is_stalled_like_a_stage(store: Store, ref: Ref) -> None:
    split(store, ref)
    for pages in RANGES:
        finish(store, ref, pages)
    assert lost(store) == [Stalled(ref, "ocr", StageState.QUEUED)]
    assert store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="x") == Revival("resume", "ocr", 4)
    assert store.status(ref.document_uuid).status == "ocr_queued"


def test_a_cancelled_document_whose_range_was_lost_ends_as_cancelled(store: Store, ref: Ref) -> None:
    split(store, ref)
    token = token_of(take(store, ref, 1))
    store.cancel(ref.document_uuid)
    store.ranges.heartbeat(ref, token, 0.0)  # its last: the lease lapses
    assert 1 in {each.first_page for each in lost(store)}
    assert revive(store, ref, 1) == Revival("cancelled")
    assert store.status(ref.document_uuid).status == "cancelled"


def test_a_resumed_run_keeps_the_ranges_that_were_read(store: Store, ref: Ref) -> None:
    split(store, ref)
    finish(store, ref, RANGES[1])
    store.cancel(ref.document_uuid)
    resumed = store.resume(ref.document_uuid, "again", ranges_at_once=1)
    assert resumed == Resumption(ref, "ocr", 4, (1,))
    assert states(store, ref) == [(1, 3, "queued", 0), (4, 6, "complete", 1), (7, 8, "queued", 0)]
    assert store.status(ref.document_uuid).status == "ocr_queued"
    finish(store, ref, RANGES[0])
    assert store.status(ref.document_uuid).status == "ocr_processing"
    finish(store, ref, RANGES[2])
    finish_rest(store, ref)
    assert store.status(ref.document_uuid).status == "completed"


def test_a_run_that_failed_after_its_ranges_resumes_without_them(store: Store, ref: Ref) -> None:
    split(store, ref)
    for pages in RANGES:
        finish(store, ref, pages, LOST)
    run_stage(store, ref, "ocr")
    store.fail(ref, "chunk", token_of(claim(store, ref, "chunk")), FAILURE)
    assert store.resume(ref.document_uuid, "again", ranges_at_once=2) == Resumption(ref, "chunk", 4)


# --- reading failed pages again ------------------------------------------------------------------------


def test_only_what_failed_is_read_again_in_a_new_run(store: Store, ref: Ref) -> None:
    ranges = (PageRange(1, 1), PageRange(2, 3), PageRange(4, 6))
    store.ranges.split(ref, "ocr", token_of(claim(store, ref, "ocr")), ranges, 3)
    store.ranges.fail(ref, token_of(take(store, ref, 1)), FAILURE, 3)
    finish(store, ref, ranges[1])
    finish(store, ref, ranges[2], LOST)
    finish_rest(store, ref)
    assert [state for *_, state, _ in states(store, ref)] == ["failed", "complete", "complete"]

    second = Ref(ref.document_uuid, 2)
    assert store.ranges.replay(ref.document_uuid, PLAN, 1) == Resumption(second, "ocr", 4, (1,))
    assert states(store, second) == [(1, 1, "queued", 0), (2, 3, "complete", 1), (4, 6, "queued", 0)]
    assert store.status(ref.document_uuid).status == "pending"
    assert store.queue(second, "ocr", "again")
    assert finish(store, second, ranges[0], at_once=1) == Handover((4,), False, 4)
    assert finish(store, second, ranges[2], at_once=1) == Handover((), True, 4)
    assert list(store.ranges.outputs(second)) == [ReadRange(pages, read(pages)) for pages in ranges]
    assert store.status(ref.document_uuid).result_run == 1
    finish_rest(store, second)
    assert store.status(ref.document_uuid).result_run == 2
    assert states(store, second) == []


def test_nothing_is_read_again_in_a_run_that_works_or_lost_no_page(store: Store, ref: Ref) -> None:
    assert store.ranges.replay(ref.document_uuid, PLAN, 2) is None
    split(store, ref)
    assert store.ranges.replay(ref.document_uuid, PLAN, 2) is None
    assert store.ranges.replay("nobody", PLAN, 2) is None
