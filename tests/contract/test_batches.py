"""Documents that are registered many at a time, and looked at by the name of their batch."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from docpipe.models import Failure
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import NewDocument, Outcome, Registered, Selection
from tests.contract.test_store import new

FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr", "Traceback…")


def documents(count: int, batch: str | None = "june") -> list[NewDocument]:
    return [
        new(document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex, name=f"{number}.pdf", batch=batch)
        for number in range(count)
    ]


def registered(store: Store, some: list[NewDocument]) -> list[Registered]:
    return store.register_many(some, [f"task-{each.name}" for each in some])


def test_each_is_registered_and_queued_in_its_place(store: Store) -> None:
    some = documents(5)
    found = registered(store, some)
    assert [each.ref.document_uuid for each in found] == [each.document_uuid for each in some]
    assert all(each.created and each.queued and each.ref.run == 1 for each in found)
    for each, document in zip(found, some, strict=True):
        status = store.status(each.ref.document_uuid)
        assert (status.status, status.name) == ("ocr_queued", document.name)
        assert status.task_id == each.task_id == f"task-{document.name}"
        assert [word for _, word, _ in status.history] == ["pending", "ocr_queued"]


def test_none_are_nothing(store: Store) -> None:
    assert store.register_many([], []) == []


def test_known_documents_are_found_where_they_stand(store: Store) -> None:
    queued, claimed, waiting = documents(3)
    before = registered(store, [queued, claimed])
    ref = before[1].ref
    assert store.claim(ref, "ocr", Claimant("c", "t", "w", 60.0, 5)).outcome is Outcome.CLAIMED
    pending = store.register(waiting)  # never published
    again = store.register_many([queued, claimed, waiting, waiting], ["a", "b", "c", "d"])
    assert [(each.created, each.queued, each.task_id) for each in again] == [
        (False, False, before[0].task_id),
        (False, False, "t"),
        (False, True, "c"),
        (False, False, "c"),
    ]
    assert again[2].ref == again[3].ref == pending.ref


def test_the_same_bytes_twice_in_one_call_are_one_document(store: Store) -> None:
    (one,) = documents(1)
    first, second = store.register_many([one, replace(one, document_uuid=str(uuid.uuid4()))], ["a", "b"])
    assert (first.ref, first.created, first.queued) == (second.ref, True, True)
    assert (second.created, second.queued, second.task_id) == (False, False, "a")


def test_calls_with_the_same_documents_in_other_orders_do_not_deadlock(store: Store) -> None:
    some = documents(40)
    with ThreadPoolExecutor(4) as threads:
        calls = [some, some[::-1], some[20:] + some[:20], some[::2] + some[1::2]]
        found = list(threads.map(lambda each: registered(store, each), calls))
    assert sum(each.queued for answer in found for each in answer) == len(some)


def test_a_batch_counts_its_documents_by_status(store: Store) -> None:
    done = registered(store, documents(3))
    registered(store, documents(2, batch="july"))
    registered(store, documents(1, batch=None))
    store.cancel(done[0].ref.document_uuid)
    claim = store.claim(done[1].ref, "ocr", Claimant("c", "t", "w", 60.0, 5))
    assert store.fail(done[1].ref, "ocr", claim.token, FAILURE)
    assert store.batch("june") == {"cancelled": 1, "error_ocr": 1, "ocr_queued": 1}
    assert store.batch("july") == {"ocr_queued": 2}
    assert store.batch("nobody's") == {}


def test_documents_are_chosen_by_their_batch(store: Store) -> None:
    mine = registered(store, documents(2))
    registered(store, documents(2, batch="july"))
    found = store.documents(Selection(batch="june"))
    assert {each.document_uuid for each in found} == {each.ref.document_uuid for each in mine}


def test_a_document_that_is_processed_again_stays_in_its_batch(store: Store) -> None:
    (one,) = documents(1)
    registered(store, [one])
    (again,) = store.register_many([replace(one, batch="july", reprocess=True)], ["b"])
    assert (again.created, again.ref.run) == (True, 2)
    assert store.batch("june") == store.batch("july") == {"ocr_queued": 1}
