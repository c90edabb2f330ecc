"""What a claim brings along and a finish does besides (docpipe/stores/port.py), on every store."""

from __future__ import annotations

import uuid
from dataclasses import replace
from itertools import pairwise

from docpipe.execution.in_place import InHand
from docpipe.execution.plan import BUILT_IN
from docpipe.graph.linking import end_linking, names_in
from docpipe.models import Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, Claim, Finished, Linking, NextClaim, Outcome, StageInput
from tests.contract.test_project_entities import completed, named
from tests.contract.test_store import FAILURE, OUTPUTS, claim, new, run_stage, token_of, words


def claimant(**changes: object) -> Claimant:
    asked = Claimant(uuid.uuid4().hex, "task", "host:1", 60.0, 5)
    return replace(asked, **changes)  # type: ignore[arg-type]  # fields of any type, by name


def test_a_claim_brings_what_the_stage_works_on(store: Store) -> None:
    ref = store.register(new(project_id="P 1")).ref
    for spec in BUILT_IN:
        taken = store.claim(ref, spec.name, claimant(), spec.needs)
        assert taken.input == StageInput(store.load(ref, spec.needs), store.source(ref))
        assert store.finish(ref, spec.name, token_of(taken), OUTPUTS[spec.name])
    assert store.load(ref, ALL_PARTS).entities == OUTPUTS["graph"].entities


def test_a_claim_brings_every_part_that_is_asked_for(store: Store) -> None:
    ref = store.register(new()).ref
    for stage in ("ocr", "chunk", "entities"):
        run_stage(store, ref, stage)
    taken = store.claim(ref, "graph", claimant(), ALL_PARTS)
    assert taken.input == StageInput(store.load(ref, ALL_PARTS), store.source(ref))


def test_a_claim_that_is_refused_brings_nothing(store: Store) -> None:
    ref = store.register(new()).ref
    assert store.claim(ref, "chunk", claimant(), ALL_PARTS) == Claim(Outcome.NOT_READY)


def test_a_claim_asked_for_twice_brings_the_same(store: Store) -> None:
    ref, asked = store.register(new()).ref, claimant()
    first = store.claim(ref, "ocr", asked, frozenset())
    assert store.claim(ref, "ocr", asked, frozenset()) == first


def test_a_finish_claims_the_next_stage_in_the_same_step(store: Store) -> None:
    ref = store.register(new()).ref
    token = token_of(claim(store, ref, "ocr"))
    then = NextClaim("chunk", claimant(task_id="the same task", worker="host:2"))
    finished = store.finish_on(ref, "ocr", token, OUTPUTS["ocr"], then)
    assert finished.in_time
    assert finished.claim is not None
    assert token_of(finished.claim) > token
    assert store.finish_on(ref, "ocr", token, OUTPUTS["ocr"], then) == finished, "its answer was lost"
    ocr, chunk, *_ = store.status(ref.document_uuid).stages
    assert (ocr.state, chunk.state) == ("complete", "running")
    assert (chunk.attempt, chunk.task_id, chunk.worker) == (1, "the same task", "host:2")
    assert words(store, ref) == ["pending", "ocr_processing", "ocr_complete", "text_processing"]
    assert [(each.stage, each.ended) for each in store.attempts(ref.document_uuid)] == [
        ("ocr", "complete"),
        ("chunk", None),
    ]
    assert store.finish(ref, "chunk", token_of(finished.claim), OUTPUTS["chunk"])


def test_a_finish_that_comes_too_late_claims_nothing(store: Store) -> None:
    ref = store.register(new()).ref
    late = token_of(claim(store, ref, "ocr", lease_seconds=0.0))
    claim(store, ref, "ocr")
    then = NextClaim("chunk", claimant())
    assert store.finish_on(ref, "ocr", late, OUTPUTS["ocr"], then) == Finished(in_time=False)
    assert [stage.attempt for stage in store.status(ref.document_uuid).stages] == [2, 0, 0, 0]


def test_a_finish_of_a_run_that_is_to_stop_does_not_claim_on(store: Store) -> None:
    ref = store.register(new()).ref
    token = token_of(claim(store, ref, "ocr"))
    assert store.cancel(ref.document_uuid)
    finished = store.finish_on(ref, "ocr", token, OUTPUTS["ocr"], NextClaim("chunk", claimant()))
    assert finished == Finished(in_time=True, claim=Claim(Outcome.OVER))
    assert store.status(ref.document_uuid).status == "cancelled"


def test_the_next_stage_is_claimed_as_often_as_any_and_no_more(store: Store) -> None:
    ref = store.register(new()).ref
    run_stage(store, ref, "ocr")
    assert store.retry(ref, "chunk", token_of(claim(store, ref, "chunk")), FAILURE, 0.0)
    again = store.claim(ref, "chunk", claimant(max_attempts=1))
    assert (again.outcome, again.attempt) == (Outcome.POISON, 1)


def test_a_document_in_hand_is_the_one_that_the_store_gives_back(store: Store) -> None:
    """Going on in place spares the reading, and must not change what is read."""
    ref = store.register(new(project_id="P 1")).ref
    taken = store.claim(ref, "ocr", claimant(), BUILT_IN[0].needs)
    assert taken.input is not None
    in_hand = InHand(taken.input.document, BUILT_IN[0].needs)
    for spec, following in pairwise(BUILT_IN):
        then = NextClaim(following.name, claimant())
        finished = store.finish_on(ref, spec.name, token_of(taken), OUTPUTS[spec.name], then)
        begun = in_hand.after(OUTPUTS[spec.name]).begun(following)
        assert begun is not None
        assert begun.document == store.load(ref, begun.parts)
        assert finished.claim is not None
        taken, in_hand = finished.claim, begun


def finished_with_names(
    store: Store, outputs: dict[str, StageOutput], project: str = "p"
) -> tuple[Ref, Finished]:
    """A document of project `p` whose last finish takes its names along."""
    digest = uuid.uuid4().hex * 2
    ref = store.register(new(project_id=project, digest=digest, uri=f"file:///in/{digest}")).ref
    *first, last = outputs
    for stage in first:
        run_stage(store, ref, stage, outputs[stage])
    document = InHand(store.load(ref, ALL_PARTS), ALL_PARTS).after(outputs[last]).document
    token = token_of(claim(store, ref, last))
    return ref, store.finish_on(ref, last, token, outputs[last], names_in(document))


def test_the_last_finish_links_a_document_whose_names_nobody_else_has(store: Store) -> None:
    ref, finished = finished_with_names(store, named(("PERSON", "Ann Smith"), ("ORG", "Acme Ltd")))
    assert finished == Finished(in_time=True, linking=Linking({}, frozenset(), linked=True))
    assert store.unlinked("p") == []
    assert store.status(ref.document_uuid).status == "completed"
    assert store.keys("p") == ["ORG acme", "PERSON ann smith"]


def test_the_last_finish_says_whom_the_names_are_to_be_compared_with(store: Store) -> None:
    completed(store, ("PERSON", "Jonathan Smith"))
    first = store.unlinked("p")[0]
    assert store.link(first, names_in(store.load(first, ALL_PARTS))) is not None
    ref, finished = finished_with_names(store, named(("PERSON", "Jonathon Smith")))
    assert finished.linking is not None
    assert {key for keys in finished.linking.rivals.values() for key in keys} == {
        "PERSON jonathon smith",
        "PERSON jonathan smith",
    }
    assert store.unlinked("p") == [ref], "until they are compared"
    names = names_in(store.load(ref, ALL_PARTS))
    assert end_linking(store, ref, names, finished.linking)
    assert store.unlinked("p") == []
    assert [(link.key_a, link.key_b) for link in store.ties("p", {"PERSON jonathan smith"}).links] == [
        ("PERSON jonathan smith", "PERSON jonathon smith")
    ]


def test_names_are_not_linked_before_the_last_stage(store: Store) -> None:
    ref = store.register(new(project_id="p")).ref
    token = token_of(claim(store, ref, "ocr"))
    assert store.finish_on(ref, "ocr", token, OUTPUTS["ocr"], ()) == Finished(in_time=True)
    assert store.keys("p") == []
