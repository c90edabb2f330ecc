"""Limits of what is in flight, and whose turn it is."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from docpipe.execution.plan import CHUNK, OCR
from docpipe.models import Failure, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.pause_port import Pause, Paused
from docpipe.stores.port import Store
from docpipe.stores.share_port import Limit, Share
from docpipe.stores.values import Claim, NewDocument, Outcome

FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr", "Traceback…")


def document(project_id: str | None = None, priority: int = 0) -> NewDocument:
    own, digest, plan = str(uuid.uuid4()), uuid.uuid4().hex * 2, [OCR.planned, CHUNK.planned]
    return NewDocument(own, project_id, "a.txt", "file:///a", digest, 1, {}, plan, priority=priority)


def submitted(store: Store, count: int, project_id: str | None = None, priority: int = 0) -> list[Ref]:
    some = [document(project_id, priority) for _ in range(count)]
    return [each.ref for each in store.register_many(some, [str(uuid.uuid4()) for _ in some])]


def claim(store: Store, ref: Ref) -> Claim:
    return store.claim(ref, "ocr", Claimant(uuid.uuid4().hex, "task", "host:1", 60.0, 5))


def fail(store: Store, ref: Ref) -> None:
    assert store.fail(ref, "ocr", claim(store, ref).token, FAILURE)


def admitted(store: Store, limit: int = 500) -> list[Ref]:
    return [each.ref for each in store.admit(limit=limit)]


def in_flight(store: Store) -> dict[str | None, int]:
    return {each.project_id: each.in_flight for each in store.shares() if each.in_flight}


def test_without_a_limit_nothing_waits(store: Store) -> None:
    store.limit(Limit("a", weight=2))
    (ref,) = submitted(store, 1, "a")
    assert store.status(ref.document_uuid).status == "ocr_queued"
    assert admitted(store) == []
    assert store.limits() == [Limit("a", weight=2)]


def test_beyond_the_limit_documents_stay_pending_until_others_end(store: Store) -> None:
    store.limit(Limit(in_flight=2))
    refs = submitted(store, 5)
    assert {store.status(each.document_uuid).status for each in refs} == {"pending"}
    first = store.admit()
    assert [each.ref for each in first] == sorted(refs, key=lambda ref: ref.document_uuid)[:2] or len(
        first
    ) == 2
    found = store.status(first[0].ref.document_uuid)
    assert (found.status, found.task_id, first[0].stage) == ("ocr_queued", first[0].task_id, "ocr")
    assert admitted(store) == []
    assert store.shares() == [Share("", in_flight=2, waiting=3, today=2)]
    assert store.lost([], grace_seconds=-1) == []  # what waits has lost nothing
    fail(store, first[0].ref)
    assert len(admitted(store)) == 1


def test_one_that_waits_waits_on_when_it_is_submitted_again(store: Store) -> None:
    store.limit(Limit(in_flight=1))
    (ref,) = submitted(store, 1)
    assert not store.queue(ref, "ocr", "t1")
    assert admitted(store) == [ref]
    assert claim(store, ref).outcome is Outcome.CLAIMED
    assert not store.queue(ref, "ocr", "t2")  # it is under way
    assert in_flight(store) == {"": 1}


def test_every_end_makes_room(store: Store) -> None:
    store.limit(Limit(in_flight=3))
    submitted(store, 9)
    failed, cancelled, deleted = admitted(store)
    fail(store, failed)
    store.cancel(cancelled.document_uuid)
    store.delete(deleted.document_uuid)
    assert len(admitted(store)) == 3


def test_what_was_cancelled_while_it_waited_is_never_let_in(store: Store) -> None:
    store.limit(Limit(in_flight=1))
    one, other = submitted(store, 2)
    store.cancel(one.document_uuid)
    assert admitted(store) == [other]


def test_projects_have_shares_by_their_weight(store: Store) -> None:
    store.limit(Limit(in_flight=8))
    store.limit(Limit("large", weight=3))
    submitted(store, 40, "large")
    submitted(store, 10, "small")
    taken: Counter[str | None] = Counter()
    for _ in range(4):
        for each in admitted(store):
            taken[store.status(each.document_uuid).project_id] += 1
        assert in_flight(store) == {"large": 6, "small": 2}
        for each in _under_way(store):
            fail(store, each)
    assert taken == {"large": 24, "small": 8}


def _under_way(store: Store) -> list[Ref]:
    found = store.documents(limit=1000)
    return [Ref(each.document_uuid, each.run) for each in found if each.status == "ocr_queued"]


def test_priority_comes_before_shares(store: Store) -> None:
    store.limit(Limit(in_flight=3))
    submitted(store, 5, "a", priority=5)
    urgent = submitted(store, 2, "b", priority=1)
    assert set(admitted(store)[:2]) == set(urgent)
    assert in_flight(store) == {"a": 1, "b": 2}


def test_a_project_has_limits_of_its_own(store: Store) -> None:
    store.limit(Limit("a", in_flight=2, per_day=3))
    submitted(store, 9, "a")
    others = submitted(store, 4, "b")
    first = admitted(store)
    assert (len(first), set(others) <= set(first)) == (6, True)
    assert in_flight(store) == {"a": 2, "b": 4}
    for each in set(first) - set(others):
        fail(store, each)
    assert len(admitted(store)) == 1  # the third of its day
    store.limit(Limit("a"))
    assert len(admitted(store)) == 6
    assert store.limits() == []


def test_a_limit_counts_what_was_under_way_before(store: Store) -> None:
    submitted(store, 2, "a")
    store.limit(Limit("a", in_flight=3))
    submitted(store, 2, "a")
    assert len(admitted(store)) == 1
    assert in_flight(store) == {"a": 3}


@pytest.mark.parametrize("pause", [Pause(), Pause(Paused.STAGE, "ocr"), Pause(Paused.PROJECT, "a")], ids=str)
def test_what_is_paused_is_not_let_in(store: Store, pause: Pause) -> None:
    store.limit(Limit(in_flight=2))
    submitted(store, 2, "a")
    store.pause(pause)
    assert admitted(store) == []
    assert store.release() == []  # a pause does not hold them
    store.unpause(pause)
    assert len(admitted(store)) == 2


def test_the_last_finish_says_whether_others_wait(store: Store) -> None:
    store.limit(Limit(in_flight=1))
    submitted(store, 2)
    answers = []
    while refs := admitted(store):
        token = claim(store, refs[0]).token
        assert token is not None
        assert store.finish(refs[0], "ocr", token, StageOutput(text="a", pages=()))
        last = store.claim(refs[0], "chunk", Claimant(uuid.uuid4().hex, "task", "host:1", 60.0, 5))
        assert last.token is not None
        answers.append(store.finish_on(refs[0], "chunk", last.token, StageOutput(chunks=()), ()).others_wait)
    assert answers == [True, False]
