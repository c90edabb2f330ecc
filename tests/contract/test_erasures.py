"""What is left of a deleted document elsewhere is remembered until it is gone, on each store."""

from __future__ import annotations

import uuid

import pytest

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Ref, StageOutput
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, Copy, Erasure, Part
from tests.contract.test_store import claim, new, run_all, token_of

COPY = f"file:///up/ab/{'ab' * 32}"


def added(store: Store, *, project: str | None = None, uri: str = COPY, copied: bool = True) -> Ref:
    document = new(document_uuid=str(uuid.uuid4()), project_id=project, uri=uri, copied=copied)
    return store.register(document).ref


def test_a_deletion_remembers_the_copy_that_docpipe_made(store: Store) -> None:
    ref = added(store)
    assert store.delete(ref.document_uuid) == [COPY]
    expected = [Erasure(ref.document_uuid, (Copy(COPY, True),))]
    assert store.erasures() == store.erasures(ref.document_uuid) == expected
    assert store.erasures(str(uuid.uuid4())) == []
    assert [store.erased(ref.document_uuid), store.erased(ref.document_uuid)] == [True, False]
    assert store.erasures() == []


def test_a_source_of_the_hosts_is_no_copy(store: Store) -> None:
    ref = added(store, uri="file:///home/ann/letter.txt", copied=False)
    assert store.delete(ref.document_uuid) == []
    assert store.erasures() == [Erasure(ref.document_uuid, ())]


def test_the_copies_of_all_runs_are_remembered_once(store: Store) -> None:
    ref = added(store)
    run_all(store, ref)
    again = store.reprocess(ref.document_uuid, "graph", [stage.planned for stage in BUILT_IN])
    assert again is not None
    store.register(new(uri="file:///home/ann/letter.txt", reprocess=True))
    assert store.delete(ref.document_uuid) == [COPY]


def test_a_copy_that_another_document_has_too_is_left_to_it(store: Store) -> None:
    one, two = added(store, project="p"), added(store, project="q")
    store.delete(one.document_uuid)
    assert store.erasures() == [Erasure(one.document_uuid, ())]
    store.delete(two.document_uuid)
    left = {each.document_uuid: each.copies for each in store.erasures()}
    assert left[two.document_uuid] == (Copy(COPY, True),)


def test_a_copy_of_bytes_that_were_submitted_again_is_left_to_the_new_document(store: Store) -> None:
    ref = added(store)
    store.delete(ref.document_uuid)
    added(store)
    assert store.erasures() == [Erasure(ref.document_uuid, ())]


def test_the_longest_untried_comes_first(store: Store) -> None:
    uuids = [added(store, project=name).document_uuid for name in "pqr"]
    for each in uuids:
        store.delete(each)
    assert [store.erasures(limit=1)[0].document_uuid for _ in range(4)] == [*uuids, uuids[0]]


def test_every_place_is_empty_after_a_deletion_and_was_not_before(store: Store) -> None:
    ref = store.register(new(idempotency_key="k1")).ref
    run_all(store, ref)
    before = store.traces(ref.document_uuid)
    results = {f"docpipe_{part}" for part in ALL_PARTS - {Part.TEXT, Part.EXTRAS, Part.CHILDREN}}
    full = {
        "source_documents",
        "neo4j_documents",
        "docpipe_runs",
        "stage_runs",
        "docpipe_history",
        "docpipe_idempotency_keys",
        "docpipe_attempts",
        "docpipe_page_search",
    } | results
    assert {name for name, count in before.items() if count} - {"store file", "log"} == full
    store.delete(ref.document_uuid)
    assert store.traces(ref.document_uuid)["docpipe_erasures"] == 1
    store.erased(ref.document_uuid)
    assert set(store.traces(ref.document_uuid).values()) == {0}


def test_an_output_on_its_way_when_its_document_is_deleted_leaves_nothing(store: Store) -> None:
    ref = added(store)
    token = token_of(claim(store, ref, "ocr"))
    store.delete(ref.document_uuid)
    large = StageOutput(text="secret " * 200_000)
    assert not store.finish(ref, "ocr", token, large)
    store.erased(ref.document_uuid)
    assert set(store.traces(ref.document_uuid).values()) == {0}


@pytest.mark.parametrize("odd", ["nobody", "a\0b", "a\udcff"])
def test_nothing_is_left_of_nobody(store: Store, odd: str) -> None:
    assert store.erasures(odd) == []
    assert not store.erased(odd)
    assert set(store.traces(odd).values()) <= {0}
