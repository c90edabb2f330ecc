"""What every store reads of a document that is too long to be read whole."""

from __future__ import annotations

import pytest

from docpipe.models import Ref
from docpipe.stores.excerpt import Window
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS
from tests.contract.test_store import new
from tests.dense import dense

PAGES, NAMES = 12, 9


@pytest.mark.parametrize("label", ["", "PERSON", "ORG", "nothing"])
def test_a_window_shows_some_of_each_list_and_how_long_it_is(store: Store, label: str) -> None:
    ref = dense(store, PAGES, NAMES)
    whole = store.load(ref, ALL_PARTS)
    window = Window(
        page=7, pages=5, label=label, skipped_entities=3, entities=20, skipped_relations=2, relations=10,
        nodes=4, arcs=2,
    )  # fmt: skip
    found = store.excerpt(ref, window)
    entities = [each for each in whole.entities if label in ("", each.label)]
    entities.sort(key=lambda each: (-len(each.mentions), each.index))
    wanted = [
        each
        for each in whole.relations
        if label in ("", *(whole.entities[end].label for end in (each.source, each.target)))
    ]
    assert found.pages == whole.pages[5:10]
    assert found.mentions == tuple(
        each for each in whole.mentions if 6 <= each.page <= 10 and label in ("", each.label)
    )
    assert [each.entity.index for each in found.entities] == [each.index for each in entities[3:23]]
    assert found.relations == tuple(wanted[2:12])
    assert (found.page_count, found.relation_count) == (PAGES, len(wanted))
    assert found.labels == {
        each: sum(one.label == each for one in whole.entities) for each in ("DATE", "ORG", "PERSON")
    }
    assert found.related == (len(wanted) + 1 if wanted else 0)
    best = wanted[:3][::-1][
        :2
    ]  # three nodes beside the one in the middle, and the two arcs with the highest count
    assert found.graph == tuple(best)
    ends = {index for each in (*found.relations, *found.graph) for index in (each.source, each.target)}
    assert {index: (each.name, each.label) for index, each in found.ends.items()} == {
        index: (whole.entities[index].name, whole.entities[index].label) for index in ends
    }


def test_an_entity_names_the_first_pages_it_is_on_and_how_often(store: Store) -> None:
    ref = dense(store, PAGES, 2)
    first, second = store.excerpt(ref, Window(entities=2)).entities
    assert (first.times, first.pages) == (PAGES, tuple(range(1, 9)))
    assert (second.entity.name, second.times, second.pages) == ("Name-1-1", 1, (1,))


@pytest.mark.parametrize(("page", "first"), [(0, 1), (1, 1), (5, 1), (6, 6), (12, 11), (99_999_999, 11)])
def test_pages_are_shown_in_groups_and_beyond_the_last_the_last(store: Store, page: int, first: int) -> None:
    found = store.excerpt(dense(store, PAGES, 2), Window(page=page, pages=5))
    assert found.pages[0].number == first


def test_of_what_has_not_been_read_nothing_is_shown(store: Store) -> None:
    for ref in (store.register(new()).ref, Ref("none", 1)):
        found = store.excerpt(ref, Window())
        assert (found.pages, found.mentions, found.entities, found.relations, found.graph) == (
            (),
            (),
            (),
            (),
            (),
        )
        assert (found.page_count, found.labels, found.relation_count, found.related) == (0, {}, 0, 0)
