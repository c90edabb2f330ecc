"""What webhooks are to be told stands in the store with what it tells, on each store."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from docpipe.models import Failure, Ref, StageOutput, Warn
from docpipe.stores.port import Store
from docpipe.stores.webhook_port import ClaimedEvent, Try, Webhook
from tests.contract.test_erasures import added
from tests.contract.test_store import claim, new, run_all, token_of

EVERY = (
    "document.completed",
    "document.completed_with_warnings",
    "document.failed",
    "document.cancelled",
    "batch.completed",
)
LEASE = 60.0
DELIVERED = Try(0.25, 204, None)
REFUSED = Try(0.5, 503, "it answers 503")


def listening(
    store: Store, *, project: str | None = None, events: tuple[str, ...] = EVERY, name: str = "hook"
) -> Webhook:
    webhook = Webhook(name, "https://example.com/hook", "whsec_c2VjcmV0", events, project)
    store.webhooks.add(webhook)
    return webhook


def batched(store: Store, batch: str, project: str | None = "p") -> Ref:
    document = new(
        document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex * 2, project_id=project, batch=batch
    )
    return store.register(document).ref


def fail(store: Store, ref: Ref) -> None:
    store.fail(
        ref, "ocr", token_of(claim(store, ref, "ocr")), Failure("corrupt", "CorruptError", "no", "ocr")
    )


def drained(store: Store, webhook_id: str = "hook") -> list[ClaimedEvent]:
    """Every event that is due, delivered one after the other."""
    found = []
    while event := store.webhooks.claim(webhook_id, LEASE):
        assert store.webhooks.note(event, DELIVERED, None)
        found.append(event)
    return found


def test_a_webhook_is_listed_until_it_is_removed(store: Store) -> None:
    one, two = listening(store), listening(store, project="p", name="other")
    (first, second) = store.webhooks.list()
    assert (first.id, first.url, first.secret, first.events, first.project_id) == (
        one.id, one.url, one.secret, EVERY, None,
    )  # fmt: skip
    assert [each.id for each in store.webhooks.list("p")] == [second.id] == [two.id]
    assert [store.webhooks.remove("hook"), store.webhooks.remove("hook")] == [True, False]
    assert [each.id for each in store.webhooks.list()] == ["other"]


def test_each_end_of_a_document_is_told_in_order(store: Store) -> None:
    listening(store)
    ref = added(store, project="p")
    fail(store, ref)
    store.resume(ref.document_uuid, "task")
    store.cancel(ref.document_uuid)
    store.resume(ref.document_uuid, "task")
    run_all(store, ref)
    told = drained(store)
    statuses = ["error_ocr", "cancelled", "completed"]
    types = ["document.failed", "document.cancelled", "document.completed"]
    assert [each.type for each in told] == types
    failed = {
        "document_uuid": ref.document_uuid, "run": 1, "name": "letter.pdf", "project_id": "p",
        "batch": None, "stage": "ocr", "error_code": "corrupt", "status": "error_ocr",
    }  # fmt: skip
    assert told[0].data == failed
    ends = [failed | {"status": status, "stage": None, "error_code": None} for status in statuses[1:]]
    assert [each.data for each in told[1:]] == ends
    assert len({each.id for each in told}) == 3


def test_nobody_is_told_what_was_before(store: Store) -> None:
    run_all(store, added(store))
    listening(store)
    assert store.webhooks.due() == ()
    assert store.webhooks.claim("hook", LEASE) is None


def test_a_project_hears_of_its_documents_only_and_of_what_it_asked_for(store: Store) -> None:
    listening(store, project="p", name="own")
    listening(store, project="q", name="other")
    listening(store, events=("document.cancelled",), name="few")
    run_all(store, added(store, project="p"))
    run_all(store, added(store))
    assert store.webhooks.due() == ("own",)
    assert [each.data["project_id"] for each in drained(store, "own")] == ["p"]


def test_an_event_waits_for_those_of_its_document_and_for_no_others(store: Store) -> None:
    listening(store)
    one, two = added(store, project="p"), added(store, project="q")
    fail(store, one)
    store.resume(one.document_uuid, "task")
    store.cancel(one.document_uuid)
    fail(store, two)
    first, other = store.webhooks.claim("hook", LEASE), store.webhooks.claim("hook", LEASE)
    assert first and other
    assert [first.data["document_uuid"], other.data["document_uuid"]] == [
        one.document_uuid, two.document_uuid,
    ]  # fmt: skip
    assert store.webhooks.claim("hook", LEASE) is None
    assert store.webhooks.note(first, REFUSED, 0.0)
    again = store.webhooks.claim("hook", LEASE)
    assert again and (again.id, again.attempt) == (first.id, 2)
    assert store.webhooks.note(again, REFUSED, None)
    last = store.webhooks.claim("hook", LEASE)
    assert last and last.type == "document.cancelled"


def test_whoever_dies_with_an_event_leaves_it_to_another(store: Store) -> None:
    listening(store)
    fail(store, added(store))
    dead = store.webhooks.claim("hook", 0.0)
    assert dead and store.webhooks.due() == ("hook",)
    taken = store.webhooks.claim("hook", LEASE)
    assert taken and (taken.id, taken.attempt) == (dead.id, 2)
    assert not store.webhooks.note(dead, DELIVERED, None)
    assert store.webhooks.note(taken, DELIVERED, None)
    assert not store.webhooks.note(taken, DELIVERED, None)


def test_the_log_tells_each_try_the_newest_first(store: Store) -> None:
    listening(store)
    ref = added(store)
    fail(store, ref)
    for outcome, again in ((REFUSED, 0.0), (DELIVERED, None)):
        event = store.webhooks.claim("hook", LEASE)
        assert event and store.webhooks.note(event, outcome, again)
    found = store.webhooks.log("hook")
    assert [(each.attempt, each.outcome) for each in found] == [(2, DELIVERED), (1, REFUSED)]
    assert {(each.subject, each.type, each.state) for each in found} == {
        (ref.document_uuid, "document.failed", "delivered")
    }
    assert store.webhooks.log("hook", limit=1) == found[:1]
    assert store.webhooks.log("nobody") == ()


def test_what_was_given_up_or_delivered_can_be_replayed(store: Store) -> None:
    listening(store)
    for project, outcome in (("p", REFUSED), ("q", DELIVERED)):
        fail(store, added(store, project=project))
        event = store.webhooks.claim("hook", LEASE)
        assert event and store.webhooks.note(event, outcome, None)
    lost, had = (each.event_id for each in reversed(store.webhooks.log("hook")))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert store.webhooks.replay("nobody") == store.webhooks.replay("hook", since=tomorrow) == 0
    assert store.webhooks.replay("hook", given_up=True) == 1
    assert [(each.id, each.attempt) for each in drained(store)] == [(lost, 1)]
    assert store.webhooks.replay("hook", event_id=had) == 1
    assert store.webhooks.replay("hook", since=tomorrow - timedelta(days=2)) == 1
    assert {each.id for each in drained(store)} == {lost, had}


def test_a_batch_has_ended_with_the_last_of_its_documents(store: Store) -> None:
    listening(store, events=("batch.completed",))
    one, two, other = (batched(store, "june", project) for project in ("p", "p", "q"))
    run_all(store, one)
    assert drained(store) == []
    fail(store, two)
    (told,) = drained(store)
    assert told.type == "batch.completed"
    counts = {"completed": 1, "error_ocr": 1}
    assert told.data == {"batch": "june", "project_id": "p", "documents": counts}
    store.cancel(other.document_uuid)
    (told,) = drained(store)
    assert told.data == {"batch": "june", "project_id": "q", "documents": {"cancelled": 1}}


def test_a_deleted_document_is_not_told_of(store: Store) -> None:
    listening(store)
    ref = added(store)
    fail(store, ref)
    event = store.webhooks.claim("hook", 0.0)
    assert event and store.webhooks.note(event, REFUSED, 0.0)
    traces = store.traces(ref.document_uuid)
    assert (traces["docpipe_webhook_events"], traces["docpipe_webhook_deliveries"]) == (1, 1)
    store.delete(ref.document_uuid)
    store.erased(ref.document_uuid)
    assert store.webhooks.due() == ()
    assert set(store.traces(ref.document_uuid).values()) == {0}


def test_what_was_told_long_ago_is_forgotten_and_what_is_due_is_not(store: Store) -> None:
    listening(store, events=("document.failed",))
    for project in "pqr":
        fail(store, added(store, project=project))
    for _ in "pq":
        event = store.webhooks.claim("hook", LEASE)
        assert event and store.webhooks.note(event, DELIVERED, None)
    store.forget_history(3600.0)
    assert len(store.webhooks.log("hook")) == 2
    store.forget_history(0.0)
    assert store.webhooks.log("hook") == ()
    assert len(drained(store)) == 1


def test_a_run_that_goes_wrong_twice_tells_of_warnings_once(store: Store) -> None:
    listening(store, events=("document.completed_with_warnings",))
    ref = added(store)
    token = token_of(claim(store, ref, "ocr"))
    output = StageOutput(text="", pages=(), warnings=(Warn("page_failed", "no", 1),))
    assert [store.finish(ref, "ocr", token, output) for _ in range(2)] == [True, True]
    for stage in ("chunk", "entities", "graph"):
        token = token_of(claim(store, ref, stage))
        assert [store.finish(ref, stage, token, StageOutput()) for _ in range(2)] == [True, True]
    assert [each.type for each in drained(store)] == ["document.completed_with_warnings"]
