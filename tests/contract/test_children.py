"""Documents found inside another one: noted, registered with the end of the stage, deleted, on each store."""

from __future__ import annotations

import uuid
from dataclasses import replace

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Child, DocumentStatus, NewChild, Ref
from docpipe.models.status import PENDING
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, Copy, Due, Part, Selection
from tests.contract.test_store import OUTPUTS, claim, new, run_all, token_of

ONE = NewChild("one.txt", "text/plain", 3, "1a" * 32, f"file:///up/1a/{'1a' * 32}")
MANY = 1_000
TWO = NewChild("two.eml", "message/rfc822", 4, "2b" * 32, f"file:///up/2b/{'2b' * 32}")


def container(store: Store, digest: str = "ab" * 32, *, depth: int = 0, priority: int = 3) -> Ref:
    document = new(document_uuid=str(uuid.uuid4()), digest=digest, depth=depth, project_id="p")
    return store.register(replace(document, priority=priority, batch="b")).ref


def found_inside(store: Store, ref: Ref, *children: NewChild) -> list[str | None]:
    """Let the first stage of the run end with these; the documents that they are."""
    token = token_of(claim(store, ref, "ocr"))
    assert store.note_children(ref, "ocr", token, children, MANY) == len(children)
    assert store.finish(ref, "ocr", token, replace(OUTPUTS["ocr"], children=children))
    return [each.document_uuid for each in store.load(ref, [Part.CHILDREN]).children]


def status(store: Store, document: str | None) -> DocumentStatus:
    assert document is not None
    return store.status(document)


def test_what_was_found_is_registered_with_the_end_of_the_stage_on_the_terms_of_the_other(
    store: Store,
) -> None:
    ref = container(store)
    one, two = found_inside(store, ref, ONE, TWO)
    loaded = store.load(ref, ALL_PARTS)
    assert loaded.children == (
        Child("one.txt", "text/plain", 3, one),
        Child("two.eml", "message/rfc822", 4, two),
    )
    assert (status(store, ref.document_uuid).children, status(store, one).parent) == (
        {PENDING: 2},
        ref.document_uuid,
    )
    assert one is not None
    child = store.load(Ref(one, 1), ())
    assert (child.name, child.project_id, child.metadata, child.depth) == ("one.txt", "p", new().metadata, 1)
    assert [stage.stage for stage in status(store, one).stages] == [spec.name for spec in BUILT_IN]
    assert store.source(Ref(one, 1)).uri == ONE.uri
    assert {each.document_uuid for each in store.documents(Selection(parent=ref.document_uuid))} == {one, two}
    assert store.batch("b") == {PENDING: 2, "ocr_complete": 1}


def test_their_messages_are_due_until_they_are_queued(store: Store) -> None:
    ref = container(store)
    one, two = found_inside(store, ref, ONE, TWO)
    assert one is not None
    assert two is not None
    assert store.children_due(ref) == [Due(Ref(one, 1), 3), Due(Ref(two, 1), 3)]
    assert store.queue(Ref(one, 1), "ocr", "task")
    assert store.children_due(ref) == [Due(Ref(two, 1), 3)]


def test_they_go_through_all_stages_by_themselves(store: Store) -> None:
    ref = container(store)
    one, _ = found_inside(store, ref, ONE, TWO)
    assert one is not None
    run_all(store, Ref(one, 1))
    assert status(store, ref.document_uuid).children == {"completed": 1, PENDING: 1}


def test_the_same_bytes_are_one_document_however_often_they_are_found(store: Store) -> None:
    known = store.register(new(digest=ONE.digest, project_id="p")).ref.document_uuid
    ref = container(store)
    one, two, again = found_inside(store, ref, ONE, TWO, replace(TWO, name="copy.eml"))
    assert (one, two) == (known, again)
    assert store.load(Ref(known, 1), ()).name == "letter.pdf"
    other = container(store, "cd" * 32)
    assert found_inside(store, other, TWO) == [two]
    assert status(store, two).parent == min(ref.document_uuid, other.document_uuid)


def test_a_repeated_or_late_end_registers_nothing_more(store: Store) -> None:
    ref = container(store)
    token = token_of(claim(store, ref, "ocr", lease_seconds=0))
    newer = token_of(claim(store, ref, "ocr"))
    output = replace(OUTPUTS["ocr"], children=(ONE, TWO))
    assert store.note_children(ref, "ocr", token, [ONE], MANY) is None
    assert not store.finish(ref, "ocr", token, output)
    assert store.load(ref, [Part.CHILDREN]).children == ()
    assert [store.note_children(ref, "ocr", newer, [ONE, TWO], MANY) for _ in range(2)] == [2, 2]
    assert [store.finish(ref, "ocr", newer, output) for _ in range(2)] == [True, True]
    assert store.note_children(ref, "ocr", newer, [ONE], MANY) is None
    assert store.status(ref.document_uuid).children == {PENDING: 2}


def test_a_later_run_finds_the_same_documents(store: Store) -> None:
    ref = container(store)
    children = found_inside(store, ref, ONE, TWO)
    plan = [spec.planned for spec in BUILT_IN]
    kept = store.reprocess(ref.document_uuid, "chunk", plan)
    assert kept is not None
    assert [each.document_uuid for each in store.load(kept.ref, [Part.CHILDREN]).children] == children
    anew = store.reprocess(ref.document_uuid, "ocr", plan)
    assert anew is not None
    assert found_inside(store, anew.ref, TWO, ONE) == children[::-1]


def test_a_deletion_removes_the_copies_that_were_only_noted(store: Store) -> None:
    ref = container(store)
    token = token_of(claim(store, ref, "ocr"))
    store.note_children(ref, "ocr", token, [ONE, TWO], MANY)
    assert store.traces(ref.document_uuid)["docpipe_children"] == 2
    store.delete(ref.document_uuid)
    (left,) = store.erasures(ref.document_uuid)
    assert set(left.copies) == {Copy(ONE.uri, True), Copy(TWO.uri, True)}
    store.erased(ref.document_uuid)
    assert set(store.traces(ref.document_uuid).values()) == {0}


def test_a_deletion_leaves_what_was_found_and_its_copies(store: Store) -> None:
    ref = container(store)
    one, two = found_inside(store, ref, ONE, TWO)
    store.delete(ref.document_uuid)
    assert [each.copies for each in store.erasures(ref.document_uuid)] == [()]
    assert (status(store, one).parent, status(store, two).parent) == (None, None)


def test_a_deleted_child_stays_in_the_list_without_its_document(store: Store) -> None:
    ref = container(store)
    one, two = found_inside(store, ref, ONE, TWO)
    assert one is not None
    assert store.delete(one) == [ONE.uri]
    assert [each.document_uuid for each in store.load(ref, ALL_PARTS).children] == [None, two]
    store.erased(one)
    assert set(store.traces(one).values()) == {0}


def test_own_are_those_found_nowhere_else_and_never_submitted(store: Store) -> None:
    ref, other = container(store), container(store, "cd" * 32)
    three = replace(ONE, digest="3c" * 32, name="three.txt")
    one, two, _ = found_inside(store, ref, ONE, TWO, three)
    found_inside(store, other, TWO)
    store.register(new(digest=three.digest, project_id="p"))
    assert store.own_children(ref.document_uuid) == [one]
    store.delete(other.document_uuid)
    assert store.own_children(ref.document_uuid) == [one, two]


def test_a_document_inside_itself_is_not_its_own_child(store: Store) -> None:
    ref = container(store)
    itself = replace(ONE, digest="ab" * 32)
    assert found_inside(store, ref, itself) == [ref.document_uuid]
    assert (store.own_children(ref.document_uuid), store.status(ref.document_uuid).parent) == ([], None)


def test_the_depth_is_the_least_at_which_a_document_was_found(store: Store) -> None:
    deep, flat = container(store, depth=4), container(store, "cd" * 32, depth=1)
    (one,) = found_inside(store, deep, ONE)
    assert one is not None
    assert store.load(Ref(one, 1), ()).depth == 5
    found_inside(store, flat, ONE)
    assert store.load(Ref(one, 1), ()).depth == 2


def numbered(*numbers: int) -> list[NewChild]:
    return [replace(ONE, digest=f"{number:064x}", uri=f"file:///up/{number}") for number in numbers]


def test_all_that_is_inside_one_submitted_document_has_one_limit(store: Store) -> None:
    root, other = container(store), container(store, "cd" * 32)
    first, second = found_inside(store, root, *numbered(1, 2))
    assert first is not None and second is not None
    token = token_of(claim(store, Ref(first, 1), "ocr"))

    def noted(*numbers: int, most: int) -> int | None:
        return store.note_children(Ref(first, 1), "ocr", token, numbered(*numbers), most)

    assert noted(3, 4, 5, most=4) == 2
    assert noted(3, 3, 4, 2, 4, 1, 5, 3, most=4) == 6  # equal bytes are one, those of before too
    assert noted(1, 2, 3, most=1) == 2
    assert noted(3, 1, most=2) == 0
    assert noted(3, 4, most=4) == 2
    output = replace(OUTPUTS["ocr"], children=tuple(numbered(3, 4)))
    assert store.finish(Ref(first, 1), "ocr", token, output)
    deeper = token_of(claim(store, Ref(second, 1), "ocr"))
    store.delete(root.document_uuid)
    assert store.note_children(Ref(second, 1), "ocr", deeper, numbered(5), 3) == 1  # the root's are gone
    assert store.note_children(Ref(second, 1), "ocr", deeper, numbered(5, 6), 3) == 1
    elsewhere = token_of(claim(store, other, "ocr"))
    assert store.note_children(other, "ocr", elsewhere, numbered(7, 8), 2) == 2


def test_what_is_submitted_itself_begins_a_limit_of_its_own(store: Store) -> None:
    (inner,) = found_inside(store, container(store), *numbered(1))
    assert inner is not None
    store.register(new(digest=numbered(1)[0].digest, project_id="p"))
    token = token_of(claim(store, Ref(inner, 1), "ocr"))
    assert store.note_children(Ref(inner, 1), "ocr", token, numbered(2, 3), 1) == 1
