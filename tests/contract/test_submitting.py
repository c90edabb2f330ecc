"""What a submit says about its document: how to read it, and under which key it may be repeated."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from docpipe.errors import IdempotencyError
from docpipe.execution.plan import BUILT_IN
from docpipe.models.reading import ReadingOptions
from docpipe.stores.port import Store
from docpipe.stores.values import NewDocument
from tests.contract.test_store import new, run_all

READING = ReadingOptions(dpi=300, languages=("deu", "fra"), engine="tesseract")


def fresh(**changes: object) -> NewDocument:
    return new(digest=uuid.uuid4().hex * 2, **changes)


def test_how_a_document_is_read_is_kept_with_it(store: Store) -> None:
    usual, own = store.register(fresh()), store.register(fresh(reading=READING))
    assert store.source(usual.ref).reading == ReadingOptions()
    assert store.source(own.ref).reading == READING


def test_it_holds_for_a_later_run_until_a_submit_says_otherwise(store: Store) -> None:
    document = fresh(reading=READING)
    first = store.register(document)
    run_all(store, first.ref)
    again = store.reprocess(first.ref.document_uuid, "ocr", [stage.planned for stage in BUILT_IN])
    assert again is not None
    assert store.source(again.ref).reading == READING
    other = store.register(replace(document, reading=ReadingOptions(dpi=72), reprocess=True))
    assert (other.ref.run, store.source(other.ref).reading) == (3, ReadingOptions(dpi=72))


def test_the_same_key_gives_the_same_document_and_begins_no_run(store: Store) -> None:
    document = fresh(project_id="p1", idempotency_key="k1")
    first = store.register(document)
    repeated = store.register(replace(document, document_uuid=str(uuid.uuid4()), reprocess=True))
    assert (repeated.ref, repeated.created) == (first.ref, False)


def test_a_key_of_a_known_document_counts_too(store: Store) -> None:
    document = fresh()
    first = store.register(document)
    store.register(replace(document, idempotency_key="k1"))
    store.register(replace(document, idempotency_key="k2"))
    for key in ("k1", "k2"):
        with pytest.raises(IdempotencyError, match=f"{key}.*{first.ref.document_uuid}"):
            store.register(fresh(idempotency_key=key))


def test_a_key_with_other_bytes_is_refused_and_registers_nothing(store: Store) -> None:
    store.register(fresh(project_id="p1", idempotency_key="k1"))
    with pytest.raises(IdempotencyError, match="k1"):
        store.register(fresh(project_id="p1", idempotency_key="k1", name="other.pdf"))
    assert [each.name for each in store.documents()] == ["letter.pdf"]


def test_each_project_has_keys_of_its_own(store: Store) -> None:
    refs = {
        store.register(fresh(project_id=project, idempotency_key="k1")).ref for project in (None, "p1", "p2")
    }
    assert len(refs) == 3


def test_a_key_is_free_again_when_its_document_is_deleted(store: Store) -> None:
    first = store.register(fresh(idempotency_key="k1"))
    store.delete(first.ref.document_uuid)
    assert store.register(fresh(idempotency_key="k1")).created


def test_of_submits_at_the_same_moment_one_begins_a_run(store: Store) -> None:
    document = fresh()
    known = store.register(document)
    run_all(store, known.ref)
    wanted = [replace(document, idempotency_key="k1", reprocess=True) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(store.register, wanted))
    assert sorted(each.created for each in found) == [False] * 7 + [True]
    assert {each.ref.run for each in found} == {2}
