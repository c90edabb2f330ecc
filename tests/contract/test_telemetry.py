"""What happened is read from attempts that ended, once for traces and counted for metrics, on each store."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Failure, Ref
from docpipe.models.status import AttemptEnd, RunState
from docpipe.stores.port import Store
from docpipe.stores.telemetry_port import EndedRun
from tests.contract.test_store import claim, new, run_all, token_of

DAY = 86_400.0
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAILURE = Failure("network", "NetworkError", "no", "ocr")
PLAN = [stage.planned for stage in BUILT_IN]


def added(store: Store, *, parent: str | None = PARENT, reprocess: bool = False, digest: str = "ab") -> Ref:
    document = new(
        document_uuid=str(uuid.uuid4()), digest=digest * 32, trace_parent=parent, reprocess=reprocess
    )
    return store.register(document).ref


def taken(store: Store) -> list[EndedRun]:
    """The runs that are to be traced, and now were."""
    found = store.telemetry.untraced(seconds=DAY)
    assert all(store.telemetry.traced(each) for each in found)
    return found


def test_a_run_is_traced_once_it_has_ended_with_each_attempt(store: Store) -> None:
    ref = added(store)
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
    claim(store, ref, "ocr", lease_seconds=0.0)  # its worker is killed
    assert taken(store) == []
    run_all(store, ref)
    (run,) = taken(store)
    assert (run.ref, run.state, run.name, run.trace_parent) == (ref, RunState.COMPLETED, "letter.pdf", PARENT)
    assert (run.traced_until, run.earlier) == (None, None)
    assert run.created_at <= run.attempts[0].started_at <= run.finished_at
    assert [(each.stage, each.ended) for each in run.attempts] == [
        ("ocr", AttemptEnd.RETRIED),
        ("ocr", AttemptEnd.LOST),
        ("ocr", AttemptEnd.COMPLETE),
        ("chunk", AttemptEnd.COMPLETE),
        ("entities", AttemptEnd.COMPLETE),
        ("graph", AttemptEnd.COMPLETE),
    ]
    assert list(run.attempts) == store.attempts(ref.document_uuid)
    assert taken(store) == []


def test_a_run_that_is_resumed_is_traced_again_with_what_is_new(store: Store) -> None:
    ref = added(store, parent=None)
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE)
    (before,) = taken(store)
    store.resume(ref.document_uuid, "task")
    assert not store.telemetry.traced(before)
    assert store.telemetry.untraced(seconds=DAY) == []
    run_all(store, ref)
    (after,) = taken(store)
    assert (after.traced_until, after.trace_parent) == (before.finished_at, None)
    assert [each.ended for each in before.attempts] == [AttemptEnd.FAILED]
    assert [each.stage for each in after.attempts] == ["ocr", "chunk", "entities", "graph"]


def test_a_later_run_knows_the_trace_of_the_one_before(store: Store) -> None:
    ref = added(store)
    run_all(store, ref)
    store.reprocess(ref.document_uuid, "graph", PLAN)
    other = PARENT.replace("b7", "c8")
    again = added(store, parent=other, reprocess=True)
    store.cancel(again.document_uuid)
    found = [(each.ref.run, each.state.value, each.trace_parent, each.earlier) for each in taken(store)]
    assert sorted(found) == [
        (1, "completed", PARENT, None),
        (2, "superseded", PARENT, PARENT),
        (3, "cancelled", other, PARENT),
    ]


def test_what_ended_long_ago_is_traced_no_more_and_no_more_than_asked_for(store: Store) -> None:
    for digest in ("ab", "cd", "ef"):
        store.cancel(added(store, digest=digest).document_uuid)
    assert store.telemetry.untraced(seconds=0.0) == []
    assert len(store.telemetry.untraced(seconds=DAY, limit=2)) == 2


def test_ended_attempts_are_counted_from_one_look_to_the_next(store: Store) -> None:
    since, nothing = store.telemetry.ended(None, [3600.0], lag_seconds=0.0)
    assert nothing == []
    ref = added(store)
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
    run_all(store, ref)
    long_ago = since - timedelta(days=1)
    assert store.telemetry.ended(since, [3600.0], lag_seconds=3600.0) == (since, [])
    until, found = store.telemetry.ended(long_ago, [0.0, 3600.0], lag_seconds=0.0)
    kinds = [(each.stage, each.ended.value, each.code, each.bucket, each.attempts) for each in found]
    assert sorted(kinds) == [
        ("chunk", "complete", "", 1, 1),
        ("entities", "complete", "", 1, 1),
        ("graph", "complete", "", 1, 1),
        ("ocr", "complete", "", 1, 1),
        ("ocr", "retried", "network", 1, 1),
    ]
    assert all(0.0 < each.seconds < 3600.0 for each in found)
    assert {(each.newest.document_uuid, each.newest.trace_parent) for each in found} == {
        (ref.document_uuid, PARENT)
    }
    assert all(each.newest.seconds == each.seconds and each.newest.ended_at <= until for each in found)
    assert isinstance(until, datetime)
    assert store.telemetry.ended(until, [], lag_seconds=0.0)[1] == []


def test_of_the_ended_attempts_the_newest_that_has_a_trace_is_told(store: Store) -> None:
    since, _ = store.telemetry.ended(None, [], lag_seconds=0.0)
    first, traced, last = (
        added(store, parent=parent, digest=digest)
        for digest, parent in (("ab", None), ("cd", PARENT), ("ef", None))
    )
    for ref in (first, traced, last):
        run_all(store, ref)
    _, found = store.telemetry.ended(since - timedelta(days=1), [], lag_seconds=0.0)
    assert {(each.attempts, each.newest.document_uuid) for each in found} == {(3, traced.document_uuid)}
