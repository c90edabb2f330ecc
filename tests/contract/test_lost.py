"""Lost messages are found by the order of a list: what was sent before its oldest message is not in it."""

from __future__ import annotations

import uuid

from docpipe.execution.plan import CHUNK, OCR
from docpipe.models import Failure, PageRange, RangeRef, Ref, StageOutput
from docpipe.models.status import StageState
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import PRIORITIES, Look, NewDocument, Stalled

ALL = tuple(PRIORITIES)


def sent(store: Store, priority: int = 0) -> tuple[Ref, str]:
    """A document whose first message was sent just now, and the message."""
    own, task_id = str(uuid.uuid4()), str(uuid.uuid4())
    digest, plan = uuid.uuid4().hex * 2, [OCR.planned, CHUNK.planned]
    new = NewDocument(own, None, "a.txt", "file:///a.txt", digest, 1, {}, plan, priority=priority)
    ref = store.register(new).ref
    assert store.queue(ref, "ocr", task_id)
    return ref, task_id


def token_of(store: Store, ref: Ref, stage: str, task_id: str, lease_seconds: float = 60.0) -> int:
    token = store.claim(ref, stage, Claimant(uuid.uuid4().hex, task_id, "host:1", lease_seconds, 5)).token
    assert token is not None
    return token


def lost(store: Store, *looks: Look) -> list[Stalled]:
    return store.lost(looks, grace_seconds=0.0)


def look(*oldest: tuple[Ref | RangeRef, str], queue: str = "ocr", whole: bool = False) -> Look:
    return Look(queue, ALL, oldest, whole)


def test_what_was_sent_before_the_head_of_its_list_and_is_not_there_is_lost(store: Store) -> None:
    gone, head, behind = sent(store), sent(store), sent(store)
    assert lost(store, look(head)) == [Stalled(gone[0], "ocr", StageState.QUEUED)]
    assert lost(store, look(head, behind, whole=True)) == [Stalled(gone[0], "ocr", StageState.QUEUED)]
    assert lost(store, look(gone)) == []
    assert lost(store) == []


def test_the_grace_allows_for_messages_that_overtake_each_other(store: Store) -> None:
    sent(store)
    assert store.lost([look(sent(store))], grace_seconds=60.0) == []


def test_all_that_is_missing_in_a_list_that_was_seen_whole_is_lost(store: Store) -> None:
    refs = [sent(store)[0] for _ in range(3)]
    assert [each.ref for each in lost(store, look(whole=True))] == refs
    assert lost(store, look(queue="text", whole=True)) == []


def test_a_list_tells_nothing_of_other_priorities(store: Store) -> None:
    urgent, late = sent(store, priority=0), sent(store, priority=9)
    first, last = Look("ocr", (0, 1, 2), (), True), Look("ocr", (9,), (), True)
    assert [each.ref for each in lost(store, first)] == [urgent[0]]
    assert [each.ref for each in lost(store, last)] == [late[0]]


def test_a_message_that_was_given_up_for_lost_and_comes_back_is_no_measure(store: Store) -> None:
    sent(store)
    head = sent(store)[0], "another task"
    assert lost(store, look(head)) == []
    newer = sent(store)
    assert [each.ref for each in lost(store, look(head, newer))][1:] == []


def test_what_a_chain_has_sent_is_known_by_the_chain_and_its_stage(store: Store) -> None:
    gone, head = sent(store), sent(store)
    for ref, task_id in (gone, head):
        store.finish(ref, "ocr", token_of(store, ref, "ocr", task_id), StageOutput(text="Ann.", pages=()))
    message = head[0], f"{head[1]}.chunk"
    assert lost(store, look(message, queue="text")) == [Stalled(gone[0], "chunk", StageState.QUEUED)]


def test_a_retry_was_sent_when_its_attempt_ended_and_not_when_it_is_due(store: Store) -> None:
    gone, head = sent(store), sent(store)
    token = token_of(store, *head[:1], "ocr", head[1])
    store.retry(head[0], "ocr", token, Failure("transient", "TransientError", "away"), 3600.0)
    behind = sent(store)
    assert [each.ref for each in lost(store, look(head))] == [gone[0]]
    assert behind[0] not in {each.ref for each in lost(store, look(head))}


def test_a_worker_that_is_silent_is_found_whatever_waits(store: Store) -> None:
    ref, task_id = sent(store)
    token_of(store, ref, "ocr", task_id, lease_seconds=0.0)
    assert lost(store) == [Stalled(ref, "ocr", StageState.RUNNING)]


def test_a_silent_workers_document_waits_for_its_new_message_like_all_others(store: Store) -> None:
    ref, task_id = sent(store)
    token_of(store, ref, "ocr", task_id, lease_seconds=0.0)
    assert store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="new").outcome == "resume"
    assert lost(store) == []
    assert lost(store, look((ref, "new"), whole=True)) == []
    assert lost(store, look(sent(store))) == [Stalled(ref, "ocr", StageState.RUNNING)]


def test_a_document_that_was_never_sent_is_found_whatever_waits(store: Store) -> None:
    ref, _ = sent(store)
    assert store.publish_failed(ref, "ocr", "no broker")
    assert lost(store) == [Stalled(ref, "ocr", StageState.QUEUED)]


def test_a_later_stage_that_could_not_be_sent_is_due_at_once(store: Store) -> None:
    ref, task_id = sent(store)
    head = sent(store)
    store.finish(ref, "ocr", token_of(store, ref, "ocr", task_id), StageOutput(text="Ann.", pages=()))
    store.finish(head[0], "ocr", token_of(store, *head[:1], "ocr", head[1]), StageOutput(text="B", pages=()))
    assert store.publish_failed(head[0], "chunk", "no broker")
    message = ref, f"{task_id}.chunk"
    assert lost(store, look(message, queue="text")) == [Stalled(head[0], "chunk", StageState.QUEUED)]


def test_the_ranges_of_a_long_document_are_missed_one_by_one(store: Store) -> None:
    ref, task_id = sent(store)
    token = token_of(store, ref, "ocr", task_id)
    store.ranges.split(ref, "ocr", token, [PageRange(1, 2), PageRange(3, 4)], 8)
    there = RangeRef(ref, 1), "range"
    found = lost(store, look(there, sent(store)))
    assert found == [Stalled(ref, "ocr", StageState.QUEUED, 3)]
