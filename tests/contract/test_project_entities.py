"""What every store promises about graphs and entities of projects (docpipe/stores/entity_port.py)."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from docpipe.errors import ConfigurationError, DocumentNotFoundError, EntityNotFoundError
from docpipe.execution.plan import BUILT_IN
from docpipe.graph.build import entity_id, graph_of
from docpipe.graph.linking import link_document
from docpipe.graph.reader import Graphs
from docpipe.graph.values import Graph, GraphEdge, GraphNode
from docpipe.models import Entity, Evidence, Mention, Ref, Relation, StageOutput
from docpipe.stores.functions.calls import Query
from docpipe.stores.functions.store import FunctionStore
from docpipe.stores.port import Store
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import ALL_PARTS
from tests.contract.shortly import shortly
from tests.contract.test_store import OUTPUTS, new, run_all, run_stage

TABLES = ("names", "blocks", "links", "decisions")


def named(*names: tuple[str, str], relations: tuple[Relation, ...] = ()) -> dict[str, StageOutput]:
    """Stage outputs of a document that names `(label, name)` once each."""
    text = "\n".join(name for _, name in names)
    mentions, entities, start = [], [], 0
    for index, (label, name) in enumerate(names):
        mentions.append(Mention(index, name, label, start, start + len(name), 1, None, 1.0, "x", 0))
        entities.append(Entity(index, name, label, (index,)))
        start += len(name) + 1
    graph = StageOutput(entities=tuple(entities), relations=relations, edges=())
    return OUTPUTS | {
        "ocr": replace(OUTPUTS["ocr"], text=text),
        "entities": StageOutput(mentions=tuple(mentions)),
        "graph": graph,
    }


def completed(store: Store, *names: tuple[str, str], project: str | None = "p", **more: Any) -> Ref:
    """A document of the project that names these, completed and not linked yet."""
    digest, direct = uuid.uuid4().hex * 2, shortly(store)
    ref = direct.register(new(project_id=project, digest=digest, uri=f"file:///in/{digest}")).ref
    for stage, output in named(*names, **more).items():
        run_stage(direct, ref, stage, output)
    return ref


def added(store: Store, *names: tuple[str, str], project: str | None = "p", **more: Any) -> Ref:
    """The same, linked."""
    ref = completed(store, *names, project=project, **more)
    assert link_document(store, ref)
    return ref


def rows_of(store: Store, tables: tuple[str, ...] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """What lies in docpipe's tables of entities, without times."""
    found = {table: _table(store, f"docpipe_entity_{table}") for table in tables}
    return {
        table: sorted(tuple(value for name, value in sorted(row.items()) if name != "at") for row in rows)
        for table, rows in found.items()
    }


def _table(store: Store, table: str) -> list[dict[str, Any]]:
    if isinstance(store, SqliteStore):
        return store._rows(f"select * from {table}")
    assert isinstance(store, FunctionStore)
    return list(store._select(Query(table, order="project_id")))


def clusters(store: Store, project: str | None = "p") -> set[tuple[str, ...]]:
    """The names of each entity, whichever documents they came with."""
    graphs = Graphs(store)
    found = pages(lambda after: graphs.entities(project, limit=7, after=after))
    return {tuple(sorted(names_of(store, each.members))) for each in found}


def names_of(store: Store, ids: tuple[str, ...]) -> list[str]:
    found = []
    for each in ids:
        document, _, index = each.partition("/entity:")
        member = store.member(document, int(index))
        assert member is not None
        found.append(member[1].name)
    return found


def pages(read: Any) -> Iterator[Any]:
    after = None
    while True:
        page = read(after)
        yield from page.items
        after = page.next
        if after is None:
            return


# --- one document -------------------------------------------------------------------------------


@pytest.fixture
def ref(store: Store) -> Ref:
    made = shortly(store).register(new(project_id="p")).ref
    run_all(shortly(store), made)
    return made


def paged(store: Store, ref: Ref, limit: int) -> Graph:
    graphs, after = Graphs(store), None
    nodes: list[GraphNode] = []
    edges: list[GraphEdge] = []
    for _ in range(1000):
        page = graphs.document_graph(ref.document_uuid, limit=limit, after=after)
        assert len(page.nodes) + len(page.edges) <= limit
        nodes += page.nodes
        edges += page.edges
        if (after := page.next) is None:
            return Graph(tuple(nodes), tuple(edges))
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_a_graph_read_in_pages_is_the_whole_graph(store: Store, ref: Ref, limit: int) -> None:
    assert paged(store, ref, limit) == graph_of(store.load(ref, ALL_PARTS))


@pytest.mark.parametrize("after", ["x", "1", "1.0.x", "1.7.0", "2.0.0", "1.0.-1", f"{10**30}.0.0", "²", ""])
def test_an_invented_place_to_go_on_is_refused(store: Store, ref: Ref, after: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the `next` of a page"):
        Graphs(store).document_graph(ref.document_uuid, after=after)
    link_document(store, ref)
    if after != "1":
        with pytest.raises(ConfigurationError, match="is not the `next` of a page"):
            Graphs(store).neighbours(entity_id(ref.document_uuid, 0), after=after)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_without_room_is_refused(store: Store, ref: Ref, limit: int) -> None:
    graphs = Graphs(store)
    link_document(store, ref)
    readers: tuple[Any, ...] = (
        lambda: graphs.document_graph(ref.document_uuid, limit=limit),
        lambda: graphs.entities("p", limit=limit),
        lambda: graphs.search("a", project_id="p", limit=limit),
        lambda: graphs.neighbours(entity_id(ref.document_uuid, 0), limit=limit),
    )
    for read in readers:
        with pytest.raises(ConfigurationError, match="at least"):
            read()


def test_a_document_deleted_between_two_pages_is_not_taken_for_a_short_one(store: Store, ref: Ref) -> None:
    graphs = Graphs(store)
    following = graphs.document_graph(ref.document_uuid, limit=2).next
    store.delete(ref.document_uuid)
    with pytest.raises(DocumentNotFoundError):
        graphs.document_graph(ref.document_uuid, after=following)


def test_a_graph_holds_what_was_found(store: Store, ref: Ref) -> None:
    uuid_ = ref.document_uuid
    graph = Graphs(store).document_graph(uuid_)
    assert [node.type for node in graph.nodes] == [
        "Document", "Page", "Page", "Chunk", "Chunk", "Mention", "Mention", "Entity", "Entity",
    ]  # fmt: skip
    assert graph.nodes[5] == GraphNode(
        f"{uuid_}/mention:0",
        "Mention",
        {
            **{"value": "a value"},
            **{"index": 0, "text": "Ann", "label": "PERSON", "start": 0, "end": 3, "page": 1, "score": 0.75},
            **{"source": "spacy:x", "chunk": 0, "x0": 72.0, "y0": 70.5, "x1": 100.0, "y1": 84.0},
            **{"boxes": "[[72.0, 70.5, 100.0, 84.0], [72.0, 70.5, 100.0, 84.0]]"},
        },
    )
    assert graph.edges == (
        GraphEdge(f"{uuid_}/edge:0", "PART_OF", f"{uuid_}/page:1", uuid_),
        GraphEdge(f"{uuid_}/edge:1", "REFERS_TO", f"{uuid_}/mention:0", f"{uuid_}/entity:0"),
        GraphEdge(
            f"{uuid_}/relation:0",
            "RELATED_TO",
            f"{uuid_}/entity:0",
            f"{uuid_}/entity:1",
            {
                **{"start": 0, "end": 32, "page": 1, "score": 0.5, "verb": "pays", "count": 2},
                **{"boxes": "[[1, [72.0, 70.5, 100.0, 84.0]], [2, [1.5, 2.0, 3.0, 4.25]]]"},
            },
        ),
        GraphEdge(
            f"{uuid_}/fact:0",
            "IS",
            uuid_,
            f"{uuid_}/entity:1",
            {
                **{"text": "INVOICE 5", "score": 1.0, "value": "invoice", "start": 0, "end": 12, "page": 1},
                **{"boxes": "[[1, [72.0, 70.5, 100.0, 84.0]]]"},
            },
        ),
        GraphEdge(
            f"{uuid_}/fact:1",
            "SIGNED_BY",
            uuid_,
            f"{uuid_}/entity:0",
            {
                **{"text": "Ann", "score": 0.9, "role": "Director", "value": "a value"},
                **{"start": 0, "end": 3, "page": 1},
            },
        ),
    )


def test_the_graph_of_an_unknown_document_is_not_found(store: Store) -> None:
    with pytest.raises(DocumentNotFoundError):
        Graphs(store).document_graph("nobody")


def test_an_after_that_is_none_of_ours_is_refused(store: Store, ref: Ref) -> None:
    with pytest.raises(ConfigurationError, match="next"):
        Graphs(store).document_graph(ref.document_uuid, after="page two")


# --- entities of a project ------------------------------------------------------------------------


def test_equal_names_of_two_documents_are_one_entity(store: Store) -> None:
    one = added(store, ("ORG", "Acme Corp."), ("PERSON", "Ann Lee"))
    two = added(store, ("PERSON", "Dr. Ann Lee"), ("ORG", "Acme"))
    ids = (entity_id(one.document_uuid, 0), entity_id(two.document_uuid, 1))
    found = Graphs(store).entity(ids[0])
    assert (found, set(found.members), found.documents, found.mentions, found.label) == (
        Graphs(store).entity(ids[1]), set(ids), 2, 2, "ORG",
    )  # fmt: skip
    assert clusters(store) == {("Acme", "Acme Corp."), ("Ann Lee", "Dr. Ann Lee")}


def test_what_may_be_another_in_each_document_stays_apart(store: Store) -> None:
    for _ in range(2):
        added(store, ("PERSON", "Smith"), ("MONEY", "5 €"), ("EMAIL", "a@b.example"))
    listed = list(pages(lambda after: Graphs(store).entities("p", limit=2, after=after)))
    assert sorted((each.label, each.documents) for each in listed) == [
        ("EMAIL", 2), ("MONEY", 1), ("MONEY", 1), ("PERSON", 1), ("PERSON", 1),
    ]  # fmt: skip


def test_projects_share_nothing(store: Store) -> None:
    for project in ("p", "q", None):
        added(store, ("ORG", "Acme"), project=project)
    assert [clusters(store, project) for project in ("p", "q", None)] == [{("Acme",)}] * 3


CORPUS = [
    [("PERSON", "John Henry Smith"), ("ORG", "United Nations")],
    [("PERSON", "J. H. Smith"), ("ORG", "UN")],
    [("PERSON", "John Hnery Smith"), ("ORG", "Untied Nations")],
    [("PERSON", "Jane Miller"), ("PERSON", "James Miller"), ("ORG", "Universal Networks")],
    [("PERSON", "J. Miller"), ("ORG", "Microsoft"), ("ORG", "Mircosoft")],
    [("ORG", "Deutsche Bank AG"), ("ORG", "Deutsche Bank"), ("LOCATION", "Frankfurt am Main")],
    [("ORG", "DeutscheBank"), ("LOCATION", "Frankfurt am Mein"), ("PERSON", "Smith")],
    [("PERSON", "John Henry Smyth"), ("ORG", "Microsoft Corporation")],
]


def test_the_order_of_documents_plays_no_part(store: Store) -> None:
    results = []
    orders = random.Random(7)
    turns = 20 if isinstance(store, SqliteStore) else 3  # a turn is some 200 statements
    for turn in range(turns):
        documents = list(CORPUS)
        orders.shuffle(documents)
        for names in documents:
            added(store, *names, project=f"p{turn}")
        results.append((clusters(store, f"p{turn}"), _links(store, f"p{turn}")))
    assert results == [results[0]] * turns
    assert {group for group in results[0][0] if len(group) > 1} == {
        ("J. H. Smith", "John Henry Smith", "John Henry Smyth", "John Hnery Smith"),
        ("Deutsche Bank", "Deutsche Bank AG", "DeutscheBank"),
        ("Microsoft", "Microsoft Corporation", "Mircosoft"),
        ("Frankfurt am Main", "Frankfurt am Mein"),
        ("United Nations", "Untied Nations"),
    }


def _links(store: Store, project: str) -> set[Any]:
    return set(store.ties(project, store.keys(project, limit=1000)).links)


def test_workers_at_the_same_time_find_every_link(store: Store) -> None:
    for project in ("alone", "together"):
        refs = [completed(store, *names, project=project) for names in CORPUS * 2]
        with ThreadPoolExecutor(8 if project == "together" else 1) as pool:
            assert all(pool.map(lambda ref: link_document(store, ref), refs))
    assert clusters(store, "together") == clusters(store, "alone")
    assert _links(store, "together") == _links(store, "alone")


def test_linking_again_changes_nothing(store: Store) -> None:
    ref = added(store, *CORPUS[0])
    added(store, *CORPUS[1])
    before = rows_of(store)
    assert link_document(store, ref)
    assert rows_of(store) == before


def test_a_document_waits_for_its_link_until_it_is_done(store: Store) -> None:
    ref = completed(store, ("ORG", "Acme"))
    assert store.unlinked() == store.unlinked("p") == store.unlinked(seconds=60) == [ref]
    assert store.unlinked("q") == []
    link_document(store, ref)
    assert store.unlinked() == []


def test_a_run_whose_results_are_not_read_is_not_linked(store: Store) -> None:
    ref = store.register(new()).ref
    assert not link_document(store, ref)
    assert rows_of(store)["names"] == []


# --- decisions ------------------------------------------------------------------------------------


@pytest.fixture
def pair(store: Store) -> tuple[str, str]:
    """Two entities of two documents that have nothing in common."""
    one, two = added(store, ("ORG", "Acme")), added(store, ("ORG", "Umbrella Trading"))
    return entity_id(one.document_uuid, 0), entity_id(two.document_uuid, 0)


def decided(graphs: Graphs, entity: str) -> list[tuple[str, str, str]]:
    return [(each.rule, each.who, each.why) for each in graphs.explain(entity).reasons]


def test_a_decision_keeps_who_took_it_and_why(store: Store, pair: tuple[str, str]) -> None:
    graphs = Graphs(store)
    graphs.merge(*pair, who="Ann Lee", why="one VAT number")
    assert decided(graphs, pair[0]) == [("merge", "Ann Lee", "one VAT number")]
    (reason,) = graphs.explain(pair[1]).reasons
    assert reason.at is not None
    graphs.split(*pair, who="Bob", why="no: two towns")
    assert decided(graphs, pair[0]) == []


def test_who_split_namesakes_and_why_outlives_the_first_of_the_name(store: Store) -> None:
    graphs = Graphs(store)
    first, second, third = (added(store, ("ORG", "Acme" if i < 2 else "Umbrella")) for i in range(3))
    one, two, three = (entity_id(each.document_uuid, 0) for each in (first, second, third))
    graphs.split(one, two, who="Ann Lee", why="two towns")
    assert decided(graphs, two) == [("split", "Ann Lee", "two towns")]
    graphs.merge(two, three, who="Bob", why="one director")
    store.delete(first.document_uuid)
    assert decided(graphs, two) == [("merge", "Bob", "one director")]


def test_merging_makes_one_and_splitting_restores_all(store: Store, pair: tuple[str, str]) -> None:
    graphs = Graphs(store)
    before = rows_of(store)
    merged = graphs.merge(*pair)
    assert (merged, set(merged.members)) == (graphs.entity(pair[1]), set(pair))
    assert [reason.rule for reason in graphs.explain(pair[0]).reasons] == ["merge"]
    assert graphs.split(*pair).members == (pair[0],)
    assert rows_of(store) == before


def test_splitting_overrides_a_link_and_merging_restores_all(store: Store) -> None:
    refs = [added(store, *names) for names in CORPUS]
    graphs = Graphs(store)
    one, other = entity_id(refs[4].document_uuid, 1), entity_id(refs[4].document_uuid, 2)
    before, whole = rows_of(store), clusters(store)
    graphs.split(one, other)
    assert clusters(store) - whole == {("Microsoft", "Microsoft Corporation"), ("Mircosoft",)}
    reasons = {(reason.rule, reason.holds) for reason in graphs.explain(one).reasons}
    assert reasons == {("spelling", False), ("split", True)}
    graphs.merge(one, other)
    assert (rows_of(store), clusters(store)) == (before, whole)


def test_two_people_of_one_name_can_be_split_and_merged_again(store: Store) -> None:
    refs = [added(store, ("PERSON", "Ann Lee")) for _ in range(3)]
    graphs, ids = Graphs(store), [entity_id(ref.document_uuid, 0) for ref in refs]
    before = rows_of(store)
    graphs.split(ids[0], ids[1])
    assert set(graphs.entity(ids[0]).members) == {ids[0], ids[2]}
    assert link_document(store, refs[1])
    assert graphs.entity(ids[1]).members == (ids[1],)
    assert [reason.rule for reason in graphs.explain(ids[1]).reasons] == ["split"]
    graphs.merge(ids[1], ids[2])
    assert set(graphs.entity(ids[1]).members) == set(ids)
    assert rows_of(store) == before
    with pytest.raises(ConfigurationError, match="one document"):
        graphs.split(ids[0], ids[0])


def test_merging_namesakes_keeps_what_was_decided_about_either(store: Store) -> None:
    refs = [added(store, ("PERSON", name)) for name in ("Ann Lee", "Ann Lee", "Carla Gomez")]
    graphs, ids = Graphs(store), [entity_id(ref.document_uuid, 0) for ref in refs]
    graphs.split(ids[0], ids[1])
    graphs.merge(ids[1], ids[2])
    before = rows_of(store)
    assert set(graphs.merge(ids[0], ids[1]).members) == set(ids)
    assert link_document(store, refs[1])
    assert set(graphs.entity(ids[0]).members) == set(ids)
    graphs.split(ids[0], ids[1])
    assert rows_of(store) == before
    graphs.split(ids[0], ids[1])
    assert rows_of(store) == before


def test_a_short_form_that_may_be_two_people_is_neither(store: Store) -> None:
    ids = [
        entity_id(added(store, ("PERSON", name)).document_uuid, 0)
        for name in ("Jane Miller", "James Miller", "J. Miller")
    ]
    graphs = Graphs(store)
    assert len(clusters(store)) == 3
    assert {(reason.rule, reason.holds) for reason in graphs.explain(ids[2]).reasons} == {("initials", False)}
    graphs.split(ids[2], ids[1])
    assert clusters(store) == {("J. Miller", "Jane Miller"), ("James Miller",)}


def test_entities_of_two_projects_cannot_be_merged(store: Store, pair: tuple[str, str]) -> None:
    elsewhere = added(store, ("ORG", "Acme"), project="q")
    with pytest.raises(ConfigurationError, match="different projects"):
        Graphs(store).merge(pair[0], entity_id(elsewhere.document_uuid, 0))


@pytest.mark.parametrize(
    "entity",
    [
        *("", "nobody", "nobody/entity:0", "nobody/entity:x", "nobody/entity:²", f"nobody/entity:{10**30}"),
        *("\0/entity:0", "\udcff/entity:0"),
    ],
    ids=ascii,
)
def test_an_unknown_entity_is_not_found(store: Store, entity: str) -> None:
    with pytest.raises(EntityNotFoundError):
        Graphs(store).entity(entity)


# --- neighbours and search ------------------------------------------------------------------------


def test_neighbours_come_from_all_documents_with_their_evidence(store: Store) -> None:
    works = Relation("WORK_FOR", 0, 1, Evidence(0, 12, 1), 0.9)
    first = added(store, ("PERSON", "Ann Lee"), ("ORG", "Acme"), relations=(works,))
    second = added(
        store, ("ORG", "Umbrella"), ("PERSON", "Ann Lee"), relations=(replace(works, source=1, target=0),)
    )
    graphs = Graphs(store)
    person = entity_id(first.document_uuid, 0)
    found = list(pages(lambda after: graphs.neighbours(person, limit=1, after=after)))
    assert {(each.type, each.outgoing, each.entity.name, each.document_uuid) for each in found} == {
        ("WORK_FOR", True, "Acme", first.document_uuid),
        ("WORK_FOR", True, "Umbrella", second.document_uuid),
    }
    assert {(each.page, each.start, each.end, each.score) for each in found} == {(1, 0, 12, 0.9)}
    back = graphs.neighbours(entity_id(first.document_uuid, 1))
    assert [(each.outgoing, each.entity) for each in back.items] == [(False, graphs.entity(person))]


def test_a_search_finds_each_entity_once_by_any_of_its_spellings(store: Store) -> None:
    for names in CORPUS:
        added(store, *names)
    graphs = Graphs(store)

    def found(text: str, limit: int) -> list[str]:
        return [
            each.name
            for each in pages(lambda after: graphs.search(text, project_id="p", limit=limit, after=after))
        ]

    assert found("SMITH", 1) == found("smith", 100)
    assert len(found("deutsche", 1)) == len(found("bank", 2)) == 1
    assert found("nothing of it", 5) == found("bank\0", 5) == found("bank\udcff", 5) == []


# --- removal ----------------------------------------------------------------------------------------


def test_a_deleted_document_leaves_no_trace(store: Store) -> None:
    for names in CORPUS[:4]:
        added(store, *names)
    before, whole = rows_of(store), clusters(store)
    bridge = added(store, ("PERSON", "John Henry Smyth"), ("ORG", "Deutsche Bank"), ("PERSON", "J. Miller"))
    Graphs(store).merge(entity_id(bridge.document_uuid, 1), entity_id(bridge.document_uuid, 0))
    assert rows_of(store) != before
    assert store.delete(bridge.document_uuid) == []
    assert store.erased(bridge.document_uuid)
    assert (rows_of(store), clusters(store)) == (before, whole)
    with pytest.raises(DocumentNotFoundError):
        store.status(bridge.document_uuid)
    assert store.delete(bridge.document_uuid) is None


@pytest.mark.parametrize("merged", [False, True])
def test_who_was_split_from_a_deleted_namesake_has_the_name_again(store: Store, merged: bool) -> None:
    kept, other = added(store, ("PERSON", "Ann Lee")), added(store, ("PERSON", "Ann Leigh-Smith"))
    ids = [entity_id(ref.document_uuid, 0) for ref in (kept, other)]
    before = rows_of(store)
    graphs, gone = Graphs(store), added(store, ("PERSON", "Ann Lee"))
    graphs.split(entity_id(gone.document_uuid, 0), ids[0])
    if merged:
        graphs.merge(*ids)
    store.delete(gone.document_uuid)
    store.erased(gone.document_uuid)
    if merged:
        graphs.split(*ids)
    assert rows_of(store) == before
    added(store, ("PERSON", "Ann Lee"))
    assert graphs.entity(ids[0]).documents == 2


def test_who_was_split_has_the_name_again_when_a_new_run_no_longer_says_it(store: Store) -> None:
    kept, again = added(store, ("PERSON", "Ann Lee")), added(store, ("PERSON", "Ann Lee"))
    Graphs(store).split(entity_id(again.document_uuid, 0), entity_id(kept.document_uuid, 0))
    second = store.reprocess(again.document_uuid, "ocr", [stage.planned for stage in BUILT_IN])
    assert second is not None
    for stage, output in named(("PERSON", "Bob Ray")).items():
        run_stage(store, second.ref, stage, output)
    assert link_document(store, second.ref)
    assert rows_of(store)["decisions"] == []
    assert store.keys("p") == ["PERSON ann lee", "PERSON bob ray"]


def test_a_reprocessed_document_gives_what_its_new_run_names(store: Store) -> None:
    added(store, *CORPUS[0])
    ref = added(store, ("PERSON", "John Hnery Smith"), ("ORG", "Acme"))
    document = store.status(ref.document_uuid)
    assert document.result_run == 1
    again = store.reprocess(ref.document_uuid, "ocr", [stage.planned for stage in BUILT_IN])
    assert again is not None
    for stage, output in named(("ORG", "Acme Ltd"), ("ORG", "Umbrella")).items():
        run_stage(store, again.ref, stage, output)
    assert clusters(store) == {("John Henry Smith", "John Hnery Smith"), ("United Nations",), ("Acme",)}
    assert not link_document(store, ref)
    assert link_document(store, again.ref)
    assert clusters(store) == {("John Henry Smith",), ("United Nations",), ("Acme Ltd",), ("Umbrella",)}
    assert rows_of(store)["links"] == []


def test_every_pair_of_orders_gives_the_same(store: Store) -> None:
    names = [("ORG", "Microsoft"), ("ORG", "Mircosoft"), ("ORG", "Microsofd")]
    results = []
    for turn, order in enumerate(itertools.permutations(names)):
        for name in order:
            added(store, name, project=f"o{turn}")
        results.append(clusters(store, f"o{turn}"))
    assert results == [results[0]] * 6
