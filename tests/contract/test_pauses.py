"""Pauses: what begins nowhere, what is held for it, and how that goes on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from docpipe.execution.plan import CHUNK, OCR
from docpipe.models import PageRange, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.pause_port import Pause, Paused
from docpipe.stores.port import Store
from docpipe.stores.values import Claim, Look, NewDocument, Outcome

EVERYTHING, READING = Pause(), Pause(Paused.STAGE, "ocr")


@pytest.fixture(autouse=True)
def unpaused(store: Store) -> Iterator[None]:
    yield
    for pause in store.paused():
        store.unpause(pause)


def sent(store: Store, project_id: str | None = None, priority: int = 0) -> Ref:
    """A document whose first message was sent."""
    own, digest, plan = str(uuid.uuid4()), uuid.uuid4().hex * 2, [OCR.planned, CHUNK.planned]
    new = NewDocument(own, project_id, "a.txt", "file:///a", digest, 1, {}, plan, priority=priority)
    ref = store.register(new).ref
    store.queue(ref, "ocr", str(uuid.uuid4()))
    return ref


def claimant(**changes: str) -> Claimant:
    return Claimant(changes.get("claim_id", uuid.uuid4().hex), "task", "host:1", 60.0, 5)


def claim(store: Store, ref: Ref, stage: str = "ocr") -> Claim:
    return store.claim(ref, stage, claimant())


def released(store: Store) -> list[Ref]:
    return [each.ref for each in store.release()]


@pytest.mark.parametrize("pause", [EVERYTHING, READING, Pause(Paused.PROJECT, "")], ids=str)
def test_what_is_paused_is_not_claimed_and_goes_on_when_it_is_released(store: Store, pause: Pause) -> None:
    ref = sent(store)
    assert (store.pause(pause), store.pause(pause)) == (True, False)
    assert claim(store, ref).outcome is Outcome.PAUSED
    assert released(store) == []
    assert (store.unpause(pause), store.unpause(pause)) == (True, False)
    (found,) = store.release()
    assert (found.ref, found.stage, found.first_pages) == (ref, "ocr", None)
    assert store.status(ref.document_uuid).task_id == found.task_id
    assert store.status(ref.document_uuid).status == "ocr_queued"
    assert released(store) == []
    assert claim(store, ref).attempt == 1


def test_a_pause_of_one_project_or_stage_leaves_others_alone(store: Store) -> None:
    ours, theirs = sent(store, "ours"), sent(store, "theirs")
    store.pause(Pause(Paused.PROJECT, "ours"))
    store.pause(Pause(Paused.STAGE, "chunk"))
    assert claim(store, ours).outcome is Outcome.PAUSED
    token = claim(store, theirs).token
    assert token is not None
    assert store.finish(theirs, "ocr", token, StageOutput(text="Ann.", pages=()))
    assert claim(store, theirs, "chunk").outcome is Outcome.PAUSED
    assert [(each.kind, each.name) for each in store.paused()] == [
        (Paused.PROJECT, "ours"), (Paused.STAGE, "chunk"),
    ]  # fmt: skip
    store.unpause(Pause(Paused.STAGE, "chunk"))
    assert [(each.ref, each.stage) for each in store.release()] == [(theirs, "chunk")]
    assert store.status(theirs.document_uuid).status == "text_queued"


def test_what_works_already_ends_its_stage(store: Store) -> None:
    ref, asked = sent(store), claimant()
    taken = store.claim(ref, "ocr", asked)
    store.pause(EVERYTHING)
    assert store.claim(ref, "ocr", asked) == taken
    assert claim(store, ref).outcome is Outcome.BUSY
    assert taken.token is not None
    assert store.heartbeat(ref, "ocr", taken.token, 60.0) == "ok"
    assert store.finish(ref, "ocr", taken.token, StageOutput(text="Ann.", pages=()))


def test_the_reaper_leaves_alone_what_is_held_though_it_has_no_message(store: Store) -> None:
    ref = sent(store)
    store.pause(READING)
    assert claim(store, ref).outcome is Outcome.PAUSED
    assert store.lost([Look("ocr", tuple(range(10)), (), True)], grace_seconds=0.0) == []
    assert store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="x").outcome == "none"


def test_those_of_higher_priority_go_on_first_and_then_those_held_for_longest(store: Store) -> None:
    refs = [sent(store, priority=priority) for priority in (5, 5, 0)]
    store.pause(EVERYTHING)
    for ref in refs:
        claim(store, ref)
    store.unpause(EVERYTHING)
    assert [each.ref for each in store.release(limit=2)] == [refs[2], refs[0]]
    assert released(store) == [refs[1]]


def test_ranges_that_are_held_are_handed_out_again(store: Store) -> None:
    ref = sent(store)
    token = claim(store, ref).token
    assert token is not None
    store.ranges.split(ref, "ocr", token, [PageRange(1, 2), PageRange(3, 4)], 2)
    store.pause(READING)
    assert [store.ranges.claim(ref, page, claimant()).outcome for page in (1, 3)] == [Outcome.PAUSED] * 2
    store.unpause(READING)
    (found,) = store.release(ranges_at_once=2)
    assert found.first_pages == (1, 3)
    assert store.ranges.claim(ref, 1, claimant()).outcome is Outcome.CLAIMED


def test_a_held_document_can_be_cancelled_and_resumed(store: Store) -> None:
    ref = sent(store)
    store.pause(EVERYTHING)
    claim(store, ref)
    assert store.cancel(ref.document_uuid)
    assert store.status(ref.document_uuid).status == "cancelled"
    store.unpause(EVERYTHING)
    assert released(store) == []
    assert store.resume(ref.document_uuid, "again") is not None
    assert claim(store, ref).outcome is Outcome.CLAIMED
