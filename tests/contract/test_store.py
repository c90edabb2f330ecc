"""What every store promises, move by move (docpipe/stores/port.py)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest

from docpipe import __version__
from docpipe.errors import DocumentNotFoundError
from docpipe.execution.plan import BUILT_IN, CHUNK, OCR, own_stage
from docpipe.models import (
    Chunk,
    Edge,
    Entity,
    Evidence,
    Fact,
    Facts,
    FactType,
    Failure,
    Kind,
    Line,
    Mention,
    Merge,
    Method,
    Page,
    PageBox,
    Ref,
    Relation,
    Role,
    StageOutput,
    Warn,
)
from docpipe.models.status import StageState
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import (
    ALL_PARTS,
    PRIORITIES,
    Claim,
    Heartbeat,
    Look,
    NewDocument,
    Outcome,
    Part,
    Resumption,
    Revival,
    Selection,
    SourceRecord,
    Stalled,
)

TEXT = "Ann met Bob.\n\nThey signed — 5 €."
PAGES = (
    Page(
        1,
        0,
        12,
        612.0,
        792.0,
        Method.TEXT,
        (
            Line(
                *(0, 12, (72.0, 70.5, 200.0, 84.0)),
                role=Role.HEADER,
                words=(72.0, 100.0, 103.5, 200.0),
                slope=-0.0123,
            ),
        ),
        "text layer",
    ),
    Page(2, 14, 32, 595.0, 842.0, Method.OCR, (Line(14, 32, None, 0.5),), "no text", 0.5, "scan.pdf"),
)
BOX = (72.0, 70.5, 100.0, 84.0)
PLACES = (PageBox(1, BOX), PageBox(2, (1.5, 2.0, 3.0, 4.25)))
CHUNKS = (Chunk(0, 0, 12, 1, 1, TEXT[0:12], PLACES), Chunk(1, 14, 32, 2, 2, TEXT[14:32]))
MENTIONS = (
    Mention(0, "Ann", "PERSON", 0, 3, 1, BOX, 0.75, "spacy:x", 0, "a value", (BOX, BOX)),
    Mention(1, "5 €", "MONEY", 28, 31, 2, None, 1.0, "pattern", 1),
)
ENTITIES = (
    Entity(0, "Ann", "PERSON", (0,), (Merge("part", 0.8, (0, 0)),)),
    Entity(1, "5 €", "MONEY", (1,)),
)
RELATIONS = (Relation("RELATED_TO", 0, 1, Evidence(0, 32, 1, PLACES), 0.5, "pays", 2),)
EDGES = (Edge("PART_OF", "page:1", "document"), Edge("REFERS_TO", "mention:0", "entity:0"))
FACTS = Facts(
    Kind.INVOICE,
    1,
    "INVOICE 5",
    Evidence(0, 12, 1, PLACES[:1]),
    (
        Fact(FactType.SIGNED_BY, "Ann", Evidence(0, 3, 1), 0.9, "Director", "a value", 0, 1),
        Fact(FactType.NUMBERED, "5", Evidence(28, 31, 2), 0.75),
    ),
)
FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr", "Traceback…")

OUTPUTS = {
    "ocr": StageOutput(text=TEXT, pages=PAGES, file_type="application/pdf", metadata={"title": "A — B"}),
    "chunk": StageOutput(chunks=CHUNKS),
    "entities": StageOutput(mentions=MENTIONS),
    "graph": StageOutput(entities=ENTITIES, relations=RELATIONS, edges=EDGES, facts=FACTS),
}


def new(**changes: Any) -> NewDocument:
    document = NewDocument(
        document_uuid=str(uuid.uuid4()),
        project_id=None,
        name="letter.pdf",
        uri="file:///in/letter.pdf",
        digest="ab" * 32,
        size=1234,
        metadata={"case": "A-1", "nested": {"n": [1, None]}},
        stages=[stage.planned for stage in BUILT_IN],
    )
    return replace(document, **changes)


def lost(store: Store, grace_seconds: float = 0.0) -> list[Stalled]:
    """What is lost where the broker has no message at all."""
    queues = dict.fromkeys(stage.queue for stage in BUILT_IN)
    looks = [Look(queue, tuple(PRIORITIES), (), True) for queue in queues]
    return store.lost(looks, grace_seconds=grace_seconds)


def claim(store: Store, ref: Ref, stage: str, **changes: Any) -> Claim:
    values: dict[str, Any] = {
        "claim_id": uuid.uuid4().hex,
        "task_id": "task",
        "worker": "host:1",
        "lease_seconds": 60.0,
        "max_attempts": 5,
    }
    return store.claim(ref, stage, Claimant(**(values | changes)))


def token_of(taken: Claim) -> int:
    assert taken.outcome is Outcome.CLAIMED
    assert taken.token is not None
    return taken.token


def run_stage(store: Store, ref: Ref, stage: str, output: StageOutput | None = None) -> None:
    assert store.finish(ref, stage, token_of(claim(store, ref, stage)), output or OUTPUTS[stage])


def run_all(store: Store, ref: Ref) -> None:
    for stage in OUTPUTS:
        run_stage(store, ref, stage)


@pytest.fixture
def ref(store: Store) -> Ref:
    return store.register(new()).ref


def words(store: Store, ref: Ref) -> list[str]:
    return [word for _, word, _ in store.status(ref.document_uuid).history]


# --- register and queue ------------------------------------------------------------------------------


def test_a_registered_document_is_pending_with_every_stage_queued(store: Store) -> None:
    document = new(project_id="P 1")
    registered = store.register(document)
    status = store.status(document.document_uuid)
    assert (registered.ref, registered.created) == (Ref(document.document_uuid, 1), True)
    assert (status.status, status.graph_status, status.project_id) == ("pending", None, "P 1")
    assert [(run.stage, run.state, run.attempt) for run in status.stages] == [
        (stage.name, "queued", 0) for stage in BUILT_IN
    ]
    assert store.source(registered.ref) == SourceRecord(document.uri, "letter.pdf", document.digest, 1234)


def test_the_same_bytes_in_the_same_project_are_one_document(store: Store, ref: Ref) -> None:
    again = store.register(new())
    elsewhere = store.register(new(project_id="other"))
    assert (again.ref, again.created, again.status) == (ref, False, "pending")
    assert elsewhere.created
    assert elsewhere.ref.document_uuid != ref.document_uuid


def test_registering_the_same_bytes_at_once_makes_one_document(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.register(new()), range(16)))
    assert len({each.ref for each in found}) == 1
    assert sum(each.created for each in found) == 1


def test_queueing_sets_the_task_and_the_word(store: Store, ref: Ref) -> None:
    assert store.queue(ref, "ocr", "task-1")
    status = store.status(ref.document_uuid)
    assert (status.status, status.task_id, status.stages[0].task_id) == ("ocr_queued", "task-1", "task-1")


def test_a_failed_publication_is_written_on_the_row(store: Store, ref: Ref) -> None:
    store.queue(ref, "ocr", "task-1")
    assert store.publish_failed(ref, "ocr", "no broker")
    assert store.status(ref.document_uuid).status == "pending"
    assert [each.error_message for each in store.documents()] == ["no broker"]


def test_queueing_a_stage_that_has_begun_changes_nothing(store: Store, ref: Ref) -> None:
    claim(store, ref, "ocr")
    assert not store.queue(ref, "ocr", "late")
    assert not store.publish_failed(ref, "ocr", "late")
    assert store.status(ref.document_uuid).status == "ocr_processing"


# --- claim -------------------------------------------------------------------------------------------


def test_a_claim_counts_the_attempt_before_any_work(store: Store, ref: Ref) -> None:
    taken = claim(store, ref, "ocr")
    run = store.status(ref.document_uuid).stages[0]
    assert (taken.outcome, taken.attempt) == (Outcome.CLAIMED, 1)
    assert (run.state, run.attempt, run.worker) == ("running", 1, "host:1")
    assert run.lease_expires_at is not None


def test_a_rival_claim_is_refused_while_the_lease_lives(store: Store, ref: Ref) -> None:
    claim(store, ref, "ocr")
    rival = claim(store, ref, "ocr")
    assert rival.outcome is Outcome.BUSY
    assert 0 < rival.lease_seconds <= 60


def test_a_claim_asked_for_again_is_the_same_claim(store: Store, ref: Ref) -> None:
    first = claim(store, ref, "ocr", claim_id="mine")
    assert claim(store, ref, "ocr", claim_id="mine") == first


def test_one_of_many_claims_at_the_same_moment_wins(store: Store, ref: Ref) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = [each.outcome for each in pool.map(lambda _: claim(store, ref, "ocr"), range(16))]
    assert sorted(outcomes) == [Outcome.BUSY] * 15 + [Outcome.CLAIMED]


def test_a_lapsed_lease_is_taken_over_with_a_higher_token(store: Store, ref: Ref) -> None:
    first = claim(store, ref, "ocr", lease_seconds=0.0)
    second = claim(store, ref, "ocr")
    assert token_of(second) > token_of(first)
    assert second.attempt == 2


def test_a_stage_waits_for_the_ones_before_it(store: Store, ref: Ref) -> None:
    assert claim(store, ref, "chunk").outcome is Outcome.NOT_READY


def test_a_complete_stage_is_handed_on_even_when_the_run_is_over(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    assert claim(store, ref, "ocr").outcome is Outcome.COMPLETE


def test_unknown_documents_runs_and_stages_are_said_to_be_unknown(store: Store, ref: Ref) -> None:
    for wrong, stage in [(Ref("nobody", 1), "ocr"), (Ref(ref.document_uuid, 9), "ocr"), (ref, "paint")]:
        assert claim(store, wrong, stage).outcome is Outcome.UNKNOWN


def test_more_than_the_allowed_attempts_is_poison(store: Store, ref: Ref) -> None:
    for _ in range(3):
        claim(store, ref, "ocr", lease_seconds=0.0, max_attempts=3)
    poison = claim(store, ref, "ocr", max_attempts=3)
    assert (poison.outcome, poison.attempt) == (Outcome.POISON, 3)


# --- heartbeat ---------------------------------------------------------------------------------------


def test_a_heartbeat_extends_the_lease(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr", lease_seconds=1.0))
    before = store.status(ref.document_uuid).stages[0].lease_expires_at
    assert store.heartbeat(ref, "ocr", token, 90.0) is Heartbeat.OK
    after = store.status(ref.document_uuid).stages[0].lease_expires_at
    assert before is not None and after is not None and after > before


def test_a_heartbeat_learns_that_the_lease_is_lost(store: Store, ref: Ref) -> None:
    old = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    claim(store, ref, "ocr")
    assert store.heartbeat(ref, "ocr", old, 60.0) is Heartbeat.LOST


# --- finish ------------------------------------------------------------------------------------------


def test_after_a_stage_complete_is_what_the_row_says_until_the_next_one_starts(
    store: Store, ref: Ref
) -> None:
    said = []
    for stage in BUILT_IN:
        token = token_of(claim(store, ref, stage.name))
        said.append(store.status(ref.document_uuid).status)
        assert store.finish(ref, stage.name, token, OUTPUTS[stage.name])
        said.append(store.status(ref.document_uuid).status)
    steps = [word for stage in BUILT_IN for word in (stage.words.processing, stage.words.complete)]
    assert said == [*steps[:-1], "completed"]


def test_the_task_of_a_document_is_that_of_the_stage_that_runs(store: Store, ref: Ref) -> None:
    store.queue(ref, "ocr", "task")
    tasks = [store.status(ref.document_uuid).task_id]
    for name, output in OUTPUTS.items():
        answer = claim(store, ref, name, task_id=f"task.{name}")
        tasks.append(store.status(ref.document_uuid).task_id)
        store.finish(ref, name, token_of(answer), output)
    assert tasks == ["task", "task.ocr", "task.chunk", "task.entities", "task.graph"]


def test_a_stage_whose_message_is_published_again_waits_for_it(store: Store, ref: Ref) -> None:
    run_stage(store, ref, "ocr")
    claim(store, ref, "chunk", lease_seconds=0.0)
    store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="again")
    store.revive(ref, grace_seconds=0.0, max_attempts=5, task_id="and again")
    status = store.status(ref.document_uuid)
    assert (status.status, status.task_id) == ("text_queued", "and again")
    assert words(store, ref)[-2:] == ["text_processing", "text_queued"]


def test_statuses_move_forward_through_every_word(store: Store, ref: Ref) -> None:
    store.queue(ref, "ocr", "task")
    run_all(store, ref)
    status = store.status(ref.document_uuid)
    expected = ["pending", "ocr_queued"]
    for stage in BUILT_IN:
        expected += [stage.words.processing, stage.words.complete]
    assert words(store, ref) == [*expected, "completed"]
    assert [graph for _, _, graph in status.history if graph] == [
        "text_processing_started",
        "text_processing_completed",
        "entity_processing_started",
        "entity_processing_completed",
        "graph_processing_started",
        "graph_processing_completed",
        "completed",
    ]
    assert (status.graph_status, status.result_run) == ("completed", 1)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(status.history))


def test_everything_that_was_found_is_read_back_exactly(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    document = store.load(ref, ALL_PARTS)
    assert (document.text, document.pages, document.chunks) == (TEXT, PAGES, CHUNKS)
    assert (document.mentions, document.entities) == (MENTIONS, ENTITIES)
    assert (document.relations, document.edges, document.facts) == (RELATIONS, EDGES, FACTS)
    assert document.metadata == {"case": "A-1", "nested": {"n": [1, None]}, "title": "A — B"}
    assert (document.file_type, document.status, document.warnings) == ("application/pdf", "completed", ())


def test_only_the_parts_asked_for_are_loaded(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    document = store.load(ref, {Part.CHUNKS})
    assert (document.text, document.pages, document.chunks) == ("", (), CHUNKS)


def test_more_rows_than_one_answer_holds_are_all_read(store: Store, ref: Ref) -> None:
    text = "ab " * 2500
    chunks = tuple(Chunk(i, 3 * i, 3 * i + 2, 1, 1, "ab") for i in range(2500))
    run_stage(store, ref, "ocr", StageOutput(text=text, pages=PAGES[:1]))
    run_stage(store, ref, "chunk", StageOutput(chunks=chunks))
    assert store.load(ref, {Part.CHUNKS}).chunks == chunks


def test_an_output_larger_than_one_request_arrives_whole(store: Store, ref: Ref) -> None:
    text = "".join(f"line {i} — äöü\n" for i in range(60_000))
    lines = tuple(Line(i, i + 1, (1.5, 2.5, 3.5, 4.5), 0.25) for i in range(400))
    pages = tuple(Page(n, n, n + 1, 612.0, 792.0, Method.OCR, lines) for n in range(1, 61))
    run_stage(store, ref, "ocr", StageOutput(text=text, pages=pages, file_type="text/plain"))
    document = store.load(ref, {Part.TEXT, Part.PAGES})
    assert document.text == text
    assert document.pages == pages


def test_an_old_token_changes_nothing(store: Store, ref: Ref) -> None:
    old = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    current = token_of(claim(store, ref, "ocr"))
    assert not store.finish(ref, "ocr", old, StageOutput(text="old", pages=()))
    assert not store.retry(ref, "ocr", old, FAILURE, 1.0)
    assert not store.fail(ref, "ocr", old, FAILURE)
    assert store.finish(ref, "ocr", current, OUTPUTS["ocr"])
    assert store.load(ref, {Part.TEXT}).text == TEXT


def test_a_finish_that_the_database_refuses_halfway_changes_nothing(store: Store, ref: Ref) -> None:
    run_stage(store, ref, "ocr")
    token = token_of(claim(store, ref, "chunk"))
    before = store.status(ref.document_uuid)
    bad = replace(CHUNKS[1], text=cast("str", None))
    with pytest.raises(Exception, match=r"(?i)null"):
        store.finish(ref, "chunk", token, StageOutput(chunks=(CHUNKS[0], bad)))
    assert store.status(ref.document_uuid) == before
    assert store.load(ref, {Part.CHUNKS}).chunks == ()
    assert store.finish(ref, "chunk", token, OUTPUTS["chunk"])


def test_a_finish_repeated_with_its_own_token_is_answered_alike_and_adds_nothing(
    store: Store, ref: Ref
) -> None:
    token = token_of(claim(store, ref, "ocr"))
    assert store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    history = words(store, ref)
    assert store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    assert words(store, ref) == history
    assert store.load(ref, {Part.PAGES}).pages == PAGES


def test_warnings_of_all_stages_make_the_end_completed_with_warnings(store: Store, ref: Ref) -> None:
    first, second = Warn("low_confidence", "Page 2 is hard to read.", 2), Warn("odd", "Odd.")
    run_stage(store, ref, "ocr", replace(OUTPUTS["ocr"], warnings=(first,)))
    run_stage(store, ref, "chunk")
    run_stage(store, ref, "entities", replace(OUTPUTS["entities"], warnings=(second,)))
    run_stage(store, ref, "graph")
    status = store.status(ref.document_uuid)
    assert (status.status, status.graph_status) == ("completed_with_warnings", "completed_with_warnings")
    assert status.warnings == (first, second)
    assert store.load(ref, set()).warnings == (first, second)


def test_a_stage_of_the_hosts_own_keeps_its_words_and_what_it_returned(store: Store) -> None:
    stages = [stage.planned for stage in (OCR, own_stage("classify", lambda _: None), CHUNK)]
    ref = store.register(new(stages=stages)).ref
    run_stage(store, ref, "ocr")
    run_stage(store, ref, "classify", StageOutput(extra={"kind": "contract", "n": [1]}))
    run_stage(store, ref, "chunk")
    assert store.load(ref, {Part.EXTRAS}).extras == {"classify": {"kind": "contract", "n": [1]}}
    assert words(store, ref)[3:5] == ["classify_processing", "classify_complete"]


# --- retry and fail ----------------------------------------------------------------------------------


def test_a_retry_keeps_the_status_and_says_why_in_the_ledger(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    assert store.retry(ref, "ocr", token, FAILURE, 1.0)
    status = store.status(ref.document_uuid)
    assert (status.status, status.stages[0].state, status.stages[0].error) == (
        "ocr_processing",
        "retrying",
        FAILURE,
    )
    assert claim(store, ref, "ocr").attempt == 2


def test_a_success_after_a_retry_leaves_no_error_behind(store: Store, ref: Ref) -> None:
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 1.0)
    run_stage(store, ref, "ocr")
    assert store.status(ref.document_uuid).stages[0].error is None


def test_a_failure_is_final_and_says_everything(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    assert store.fail(ref, "ocr", token, FAILURE)
    status = store.status(ref.document_uuid)
    assert (status.status, status.graph_status, status.error) == ("error_ocr", "error_ocr", FAILURE)
    assert [run.state for run in status.stages] == ["failed", "queued", "queued", "queued"]
    assert [each.error_message for each in store.documents()] == [FAILURE.message]
    assert claim(store, ref, "ocr").outcome is Outcome.OVER
    assert claim(store, ref, "chunk").outcome is Outcome.OVER


def test_a_failure_may_follow_a_retry_that_could_not_be_published(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    store.retry(ref, "ocr", token, FAILURE, 1.0)
    assert store.fail(ref, "ocr", token, FAILURE)
    assert store.fail(ref, "ocr", token, FAILURE)
    assert words(store, ref).count("error_ocr") == 1


def test_an_errback_fails_the_stage_that_runs_under_its_task(store: Store, ref: Ref) -> None:
    store.queue(ref, "ocr", "task")
    assert not store.fail_task(ref, "task", FAILURE)
    run_stage(store, ref, "ocr")
    assert not store.fail_task(ref, "task", FAILURE)
    claim(store, ref, "chunk")
    assert store.fail_task(ref, "task", FAILURE)
    status = store.status(ref.document_uuid)
    assert (status.status, status.error) == ("error_text_processing", replace(FAILURE, stage="chunk"))


def test_an_errback_fails_a_stage_that_its_dying_task_gave_back(store: Store, ref: Ref) -> None:
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
    assert store.fail_task(ref, "task", FAILURE)
    assert store.status(ref.document_uuid).status == "error_ocr"


def test_an_errback_leaves_a_stage_alone_that_another_task_runs(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    assert not store.fail_task(ref, "another", FAILURE)
    assert store.finish(ref, "ocr", token, OUTPUTS["ocr"])


def test_an_errback_after_the_end_changes_nothing(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    assert not store.fail_task(ref, "task", FAILURE)
    assert store.status(ref.document_uuid).status == "completed"


# --- cancel and reprocess ----------------------------------------------------------------------------


def test_a_waiting_document_is_cancelled_at_once(store: Store, ref: Ref) -> None:
    assert store.cancel(ref.document_uuid)
    assert store.status(ref.document_uuid).status == "cancelled"
    assert claim(store, ref, "ocr").outcome is Outcome.OVER
    assert not store.cancel(ref.document_uuid)


def test_a_running_stage_learns_of_the_cancellation_by_its_heartbeat(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    assert store.cancel(ref.document_uuid)
    assert store.status(ref.document_uuid).status == "ocr_processing"
    assert store.heartbeat(ref, "ocr", token, 60.0) is Heartbeat.CANCELLED


def test_a_cancelled_document_goes_no_further_than_the_running_stage(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    store.cancel(ref.document_uuid)
    store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    assert claim(store, ref, "chunk").outcome is Outcome.OVER
    assert store.status(ref.document_uuid).status == "cancelled"


def test_reprocessing_starts_a_second_run_and_keeps_the_first_ones_results(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    again = store.register(new(reprocess=True))
    assert (again.ref, again.created, again.status) == (Ref(ref.document_uuid, 2), True, "pending")
    assert store.status(ref.document_uuid).result_run == 1
    assert store.load(ref, {Part.MENTIONS}).mentions == MENTIONS
    run_all(store, again.ref)
    assert store.status(ref.document_uuid).result_run == 2


def test_a_run_that_was_superseded_can_do_nothing_more(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    new_run = store.register(new(reprocess=True)).ref
    assert not store.finish(ref, "ocr", token, OUTPUTS["ocr"])
    assert store.heartbeat(ref, "ocr", token, 60.0) is Heartbeat.LOST
    assert claim(store, ref, "ocr").outcome is Outcome.OVER
    assert store.status(ref.document_uuid).run == new_run.run == 2
    assert store.status(ref.document_uuid).status == "pending"


# --- taking up again ---------------------------------------------------------------------------------


def revive(store: Store, ref: Ref, max_attempts: int = 5) -> Revival:
    return store.revive(ref, grace_seconds=0.0, max_attempts=max_attempts, task_id="revived")


def test_work_in_progress_is_not_stalled(store: Store, ref: Ref) -> None:
    claim(store, ref, "ocr")
    assert lost(store) == []
    assert revive(store, ref) == Revival("none")


def test_a_document_that_was_never_published_is_stalled_after_the_grace(store: Store, ref: Ref) -> None:
    assert lost(store, 60.0) == []
    assert lost(store) == [Stalled(ref, "ocr", StageState.QUEUED)]
    assert revive(store, ref) == Revival("resume", "ocr", 0)
    status = store.status(ref.document_uuid)
    assert (status.status, status.task_id) == ("ocr_queued", "revived")


def test_a_lapsed_lease_is_revived_and_waits_for_its_message(store: Store, ref: Ref) -> None:
    run_stage(store, ref, "ocr")
    claim(store, ref, "chunk", lease_seconds=0.0)
    assert lost(store) == [Stalled(ref, "chunk", StageState.RUNNING)]
    assert revive(store, ref) == Revival("resume", "chunk", 0)
    status = store.status(ref.document_uuid)
    assert (status.status, status.stages[1].state) == ("text_queued", "running")
    assert claim(store, ref, "chunk").attempt == 2


def test_a_run_is_revived_once_for_each_grace(store: Store, ref: Ref) -> None:
    claim(store, ref, "ocr", lease_seconds=0.0)
    assert revive(store, ref) == Revival("resume", "ocr", 0)
    assert lost(store, 60.0) == []


def test_the_holder_of_a_revived_lease_may_go_on_until_the_next_claim(store: Store, ref: Ref) -> None:
    cut_off = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    revive(store, ref)
    assert store.heartbeat(ref, "ocr", cut_off, 60.0) is Heartbeat.OK
    assert claim(store, ref, "ocr").outcome is Outcome.BUSY
    assert store.finish(ref, "ocr", cut_off, OUTPUTS["ocr"])


def test_the_holder_of_a_revived_lease_loses_it_to_the_next_claim(store: Store, ref: Ref) -> None:
    late = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    revive(store, ref)
    claim(store, ref, "ocr")
    assert store.heartbeat(ref, "ocr", late, 60.0) is Heartbeat.LOST
    assert not store.finish(ref, "ocr", late, OUTPUTS["ocr"])


def test_what_has_begun_is_taken_up_before_what_still_waits(store: Store, ref: Ref) -> None:
    later = store.register(new(digest="later")).ref
    claim(store, later, "ocr", lease_seconds=0.0)
    assert [each.ref for each in lost(store)] == [later, ref]


def test_a_later_stage_that_cannot_be_published_steps_not_back(store: Store, ref: Ref) -> None:
    run_stage(store, ref, "ocr")
    assert store.publish_failed(ref, "chunk", "no broker")
    assert store.status(ref.document_uuid).status == "ocr_complete"


def test_a_stage_that_never_ends_is_quarantined(store: Store, ref: Ref) -> None:
    for _ in range(2):
        claim(store, ref, "ocr", lease_seconds=0.0)
    assert revive(store, ref, max_attempts=2) == Revival("poison")
    status = store.status(ref.document_uuid)
    assert status.error is not None
    assert (status.status, status.error.code) == ("error_ocr", "poison")
    assert lost(store) == []


def test_a_cancelled_run_whose_worker_died_ends_as_cancelled(store: Store, ref: Ref) -> None:
    token = token_of(claim(store, ref, "ocr"))
    store.cancel(ref.document_uuid)
    assert store.status(ref.document_uuid).status == "ocr_processing"
    store.heartbeat(ref, "ocr", token, 0.0)  # its last: the lease lapses
    assert lost(store)
    assert revive(store, ref) == Revival("cancelled")
    assert store.status(ref.document_uuid).status == "cancelled"


def test_a_waiting_retry_is_stalled_only_after_its_delay_and_the_grace(store: Store, ref: Ref) -> None:
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 3600.0)
    assert lost(store) == []


def test_a_failed_run_resumes_from_its_first_incomplete_stage(store: Store, ref: Ref) -> None:
    run_stage(store, ref, "ocr")
    store.fail(ref, "chunk", token_of(claim(store, ref, "chunk")), FAILURE)
    assert store.resume(ref.document_uuid, "again") == Resumption(ref, "chunk", 0)
    status = store.status(ref.document_uuid)
    assert (status.status, status.task_id, status.error) == ("text_queued", "again", None)
    assert (status.stages[1].state, status.stages[1].attempt) == ("queued", 0)
    for stage in ("chunk", "entities", "graph"):
        run_stage(store, ref, stage)
    assert store.status(ref.document_uuid).status == "completed"


def test_a_cancelled_run_resumes(store: Store, ref: Ref) -> None:
    store.cancel(ref.document_uuid)
    assert store.resume(ref.document_uuid, "again") == Resumption(ref, "ocr", 0)
    run_all(store, ref)


def test_there_is_nothing_to_resume_in_a_run_that_works_or_completed(store: Store, ref: Ref) -> None:
    assert store.resume(ref.document_uuid, "again") is None
    run_all(store, ref)
    assert store.resume(ref.document_uuid, "again") is None
    assert store.resume("nobody", "again") is None


def test_reprocessing_from_a_stage_keeps_what_the_earlier_ones_made(store: Store, ref: Ref) -> None:
    warning = Warn("low_confidence", "Page 2.", 2)
    run_stage(store, ref, "ocr", replace(OUTPUTS["ocr"], warnings=(warning,)))
    for stage in ("chunk", "entities", "graph"):
        run_stage(store, ref, stage)
    plan = [stage.planned for stage in BUILT_IN]
    begun = store.reprocess(ref.document_uuid, "entities", plan)
    second = Ref(ref.document_uuid, 2)
    assert begun == Resumption(second, "entities", 0)
    document = store.load(second, ALL_PARTS)
    assert (document.text, document.pages, document.chunks) == (TEXT, PAGES, CHUNKS)
    assert (document.mentions, document.entities, document.edges) == ((), (), ())
    assert document.warnings == (warning,)
    assert [run.state for run in store.status(ref.document_uuid).stages] == [
        "complete",
        "complete",
        "queued",
        "queued",
    ]
    for stage in ("entities", "graph"):
        run_stage(store, second, stage)
    assert store.load(second, ALL_PARTS).mentions == MENTIONS
    assert store.status(ref.document_uuid).result_run == 2


def test_a_stage_cannot_be_redone_before_the_earlier_ones_are_done(store: Store, ref: Ref) -> None:
    plan = [stage.planned for stage in BUILT_IN]
    assert store.reprocess(ref.document_uuid, "entities", plan) is None
    assert store.reprocess("nobody", "ocr", plan) is None
    assert store.reprocess(ref.document_uuid, "paint", plan) is None


# --- reads -------------------------------------------------------------------------------------------


def test_a_document_nobody_knows_is_an_error(store: Store) -> None:
    reads: list[Callable[[], object]] = [
        lambda: store.status("nobody"),
        lambda: store.load(Ref("nobody", 1), ALL_PARTS),
        lambda: store.source(Ref("nobody", 1)),
    ]
    for read in reads:
        with pytest.raises(DocumentNotFoundError, match="nobody"):
            read()


def test_the_newest_documents_are_listed_first(store: Store) -> None:
    for number in range(3):
        store.register(new(digest=f"{number}" * 64, name=f"{number}.txt", project_id="P"))
    assert [each.name for each in store.documents(limit=2)] == ["2.txt", "1.txt"]


def names(store: Store, selection: Selection) -> list[str]:
    return [each.name for each in store.documents(selection)]


def test_documents_are_chosen_by_status_error_stage_project_engine_and_time(store: Store) -> None:
    failed, done, _ = (
        store.register(new(digest=f"{number}" * 64, name=name, project_id=project)).ref
        for number, (name, project) in enumerate([("failed", "P"), ("done", "Q"), ("waiting", "P")])
    )
    store.fail(failed, "ocr", token_of(claim(store, failed, "ocr")), FAILURE)
    run_stage(store, done, "ocr", replace(OUTPUTS["ocr"], engine="rapidocr:v6@3.10"))
    for stage in ("chunk", "entities", "graph"):
        run_stage(store, done, stage)
    now = datetime.now(UTC)
    assert names(store, Selection()) == ["waiting", "done", "failed"]
    assert names(store, Selection(status=("completed", "error_ocr"))) == ["done", "failed"]
    assert names(store, Selection(error_code="corrupt")) == ["failed"]
    assert names(store, Selection(stage="ocr")) == ["waiting", "failed"]
    assert names(store, Selection(project_id="P")) == ["waiting", "failed"]
    assert names(store, Selection(engine="rapidocr:v6")) == ["done"]
    assert names(store, Selection(engine="v6")) == []
    assert names(store, Selection(since=now - timedelta(hours=1))) == ["waiting", "done", "failed"]
    assert names(store, Selection(since=now + timedelta(hours=1))) == []
    assert names(store, Selection(until=now - timedelta(hours=1))) == []
    assert names(store, Selection(project_id="P", status=("pending",))) == ["waiting"]


def test_documents_are_chosen_by_type_confidence_and_version(store: Store) -> None:
    scan, mail, unread, other = (
        store.register(new(digest=f"{number}" * 64, name=name)).ref
        for number, name in enumerate(["scan.bin", "letter.pdf", "late.PDF", "xpdf"])
    )
    assert unread != other
    page = replace(OUTPUTS["ocr"].pages[0], confidence=0.4)  # type: ignore[index]
    run_stage(store, scan, "ocr", replace(OUTPUTS["ocr"], file_type="application/pdf", pages=(page,)))
    run_stage(store, mail, "ocr", replace(OUTPUTS["ocr"], file_type="message/rfc822"))
    for stage in ("chunk", "entities", "graph"):
        run_stage(store, scan, stage)
    assert names(store, Selection(file_type="PDF")) == ["late.PDF", "letter.pdf"]
    assert names(store, Selection(file_type="application/PDF")) == ["scan.bin"]
    assert names(store, Selection(confidence_below=0.5)) == ["scan.bin"]
    assert names(store, Selection(confidence_below=0.4)) == []
    assert names(store, Selection(docpipe_version=__version__)) == ["letter.pdf", "scan.bin"]
    assert names(store, Selection(docpipe_version=__version__[:2], file_type="pdf")) == ["letter.pdf"]
    assert names(store, Selection(docpipe_version="9")) == []


def test_the_version_stays_with_the_results_that_a_new_run_keeps(store: Store, ref: Ref) -> None:
    run_all(store, ref)
    again = store.reprocess(ref.document_uuid, "graph", [stage.planned for stage in BUILT_IN])
    assert again is not None
    assert names(store, Selection(docpipe_version=__version__)) == ["letter.pdf"]


def test_a_summary_says_where_and_why_a_document_failed(store: Store, ref: Ref) -> None:
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE)
    (summary,) = store.documents()
    assert (summary.document_uuid, summary.run, summary.status) == (ref.document_uuid, 1, "error_ocr")
    assert (summary.stage, summary.error_code, summary.error_message) == ("ocr", "corrupt", FAILURE.message)


def test_a_store_that_is_set_up_lacks_nothing(store: Store) -> None:
    assert store.check() == []
