"""What people did is written down once, on each store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docpipe.errors import ConfigurationError
from docpipe.models import Ref
from docpipe.stores.port import Store
from docpipe.stores.values import Action, Selection
from tests.contract.test_erasures import added
from tests.contract.test_store import OUTPUTS, PAGES, new, run_stage


def action(number: str, target: str | None = None, project: str | None = "p") -> Action:
    return Action(number, "ann", "retry", target, project, "it was the network")


def test_an_action_is_written_once(store: Store) -> None:
    assert [store.record_action(action("1")), store.record_action(action("1"))] == [True, False]
    (written,) = store.actions()
    assert written.at is not None
    assert replace(written, at=None) == action("1")


def test_the_newest_come_first_and_a_project_sees_its_own(store: Store) -> None:
    for number, project in enumerate(["p", "q", None]):
        store.record_action(action(str(number), project=project))
    assert [each.id for each in store.actions()] == ["2", "1", "0"]
    assert [each.id for each in store.actions(limit=1)] == ["2"]
    assert [each.id for each in store.actions("q")] == ["1"]


def test_the_action_outlives_its_document_without_naming_it(store: Store) -> None:
    ref = added(store)
    store.record_action(action("1", ref.document_uuid))
    store.record_action(action("2", f"other/entity:1 {ref.document_uuid}/entity:0"))
    assert store.traces(ref.document_uuid)["docpipe_actions"] == 2
    store.delete(ref.document_uuid)
    store.erased(ref.document_uuid)
    assert [each.target for each in store.actions()] == [None, None]
    assert set(store.traces(ref.document_uuid).values()) == {0}


@pytest.fixture
def three(store: Store) -> list[Ref]:
    names = ["One.pdf", "two.pdf", "ONCE.txt"]
    return [store.register(new(name=name, digest=f"{n}a" * 32)).ref for n, name in enumerate(names)]


def test_a_list_goes_on_after_its_last_document(store: Store, three: list[Ref]) -> None:
    uuids = [ref.document_uuid for ref in reversed(three)]
    first = [each.document_uuid for each in store.documents(limit=2)]
    rest = [each.document_uuid for each in store.documents(Selection(before=first[-1]))]
    assert (first, rest) == (uuids[:2], uuids[2:])
    assert store.documents(Selection(before="nobody")) == []


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["ONCE.txt", "One.pdf", "two.pdf"]),
        ("changed", ["two.pdf", "ONCE.txt", "One.pdf"]),
        ("status", ["One.pdf", "two.pdf", "ONCE.txt"]),
        ("pages", ["two.pdf", "ONCE.txt", "One.pdf"]),
    ],
)
def test_a_list_is_sorted_and_goes_on_in_its_order(
    store: Store, three: list[Ref], sort: str, names: list[str]
) -> None:
    for stage, output in OUTPUTS.items():  # "completed" comes before "pending"
        run_stage(store, three[0], stage, output)
    for way in (1, -1):
        asked = Selection(sort=sort if way == 1 else f"-{sort}")
        found = [each.name for each in store.documents(asked)]
        assert found == names[::way]
        for place in range(3):
            before = replace(asked, before=store.documents(asked)[place].document_uuid)
            assert [each.name for each in store.documents(before)] == found[place + 1 :]
    assert [each.pages for each in store.documents(Selection(sort="pages"))] == [None, None, len(PAGES)]
    waits = Selection(sort="-name", stage="ocr")
    assert [each.name for each in store.documents(waits, limit=1)] == ["two.pdf"]


def test_there_is_no_other_order() -> None:
    with pytest.raises(ConfigurationError, match="sorted by changed, -changed, name"):
        Selection(sort="size; drop table")


def test_documents_are_chosen_by_a_part_of_their_name(store: Store, three: list[Ref]) -> None:
    assert [each.name for each in store.documents(Selection(name="on"))] == ["ONCE.txt", "One.pdf"]
    assert [each.name for each in store.documents(Selection(name="%"))] == []
