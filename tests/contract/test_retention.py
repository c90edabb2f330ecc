"""What is older than it may be leaves the store, and nothing else does, on each store."""

from __future__ import annotations

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Failure, Ref
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, Copy, Erasure
from tests.contract.test_erasures import COPY, added
from tests.contract.test_store import claim, new, run_all, token_of

HOUR = 3600.0
PLAN = [stage.planned for stage in BUILT_IN]


def known(store: Store) -> set[str]:
    return {each.document_uuid for each in store.documents()}


def failed(store: Store, project: str) -> Ref:
    ref = added(store, project=project)
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), Failure("bug", "BugError", "no", ""))
    return ref


def cancelled(store: Store, project: str) -> Ref:
    ref = added(store, project=project)
    assert store.cancel(ref.document_uuid)
    return ref


def test_documents_that_ended_longer_ago_are_deleted_however_they_ended(store: Store) -> None:
    done = added(store, project="done")
    run_all(store, done)
    ended = [done, failed(store, "failed"), cancelled(store, "cancelled")]
    waiting = added(store, project="waiting")
    working = added(store, project="working")
    claim(store, working, "ocr")
    assert store.expire(HOUR) == []
    assert store.expire(0.0) == [each.document_uuid for each in ended]
    assert known(store) == {waiting.document_uuid, working.document_uuid}
    assert store.expire(0.0) == []


def test_the_oldest_go_first_and_no_more_than_asked_for(store: Store) -> None:
    ended = [cancelled(store, project).document_uuid for project in "pqr"]
    assert store.expire(0.0, limit=2) == ended[:2]
    assert store.expire(0.0, limit=2) == ended[2:]


def test_a_document_that_is_processed_again_stays(store: Store) -> None:
    ref = added(store)
    run_all(store, ref)
    assert store.reprocess(ref.document_uuid, "graph", PLAN)
    resumed = failed(store, "resumed")
    assert store.resume(resumed.document_uuid, "task")
    assert store.expire(0.0) == []
    assert known(store) == {ref.document_uuid, resumed.document_uuid}


def test_what_has_expired_leaves_what_a_deletion_leaves(store: Store) -> None:
    ref = added(store)
    run_all(store, ref)
    store.expire(0.0)
    assert store.erasures() == [Erasure(ref.document_uuid, (Copy(COPY, True),))]
    store.erased(ref.document_uuid)
    assert set(store.traces(ref.document_uuid).values()) == {0}


def test_history_and_attempts_are_forgotten_but_not_of_a_document_at_work(store: Store) -> None:
    done, working = added(store, project="done"), added(store, project="working")
    run_all(store, done)
    claim(store, working, "ocr")
    before, kept = (store.status(each.document_uuid) for each in (done, working))
    lines = len(before.history) + len(store.attempts(done.document_uuid))
    assert store.forget_history(HOUR) == 0
    assert (store.forget_history(0.0, limit=2), store.forget_history(0.0)) == (2, lines - 2)
    after = store.status(done.document_uuid)
    assert (after.status, after.graph_status, after.history) == (before.status, before.graph_status, ())
    assert store.status(working.document_uuid).history == kept.history
    assert store.attempts(done.document_uuid) == []
    assert len(store.attempts(working.document_uuid)) == 1
    assert store.load(done, ALL_PARTS).chunks


def test_a_document_without_history_can_be_processed_again(store: Store) -> None:
    ref = added(store)
    run_all(store, ref)
    store.forget_history(0.0)
    again = store.register(new(reprocess=True)).ref
    run_all(store, again)
    assert store.status(ref.document_uuid).history[0][1] == "pending"
