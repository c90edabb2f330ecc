"""Reading graphs: documents, entities of projects, their neighbours; page by page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from docpipe.errors import ConfigurationError, EntityNotFoundError
from docpipe.graph import build
from docpipe.graph.clusters import Clusters, Verdict
from docpipe.graph.values import (
    Entities,
    Explanation,
    Graph,
    GraphEdge,
    GraphNode,
    Neighbour,
    Neighbours,
    ProjectEntity,
    Reason,
)
from docpipe.models import EntityDecision, EntityMember, Ref, own_key
from docpipe.models.status import COMPLETED, COMPLETED_WITH_WARNINGS
from docpipe.stores.ids import may_be_stored
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, Found, Part, Selection, Ties

_NODES: tuple[tuple[Part, Callable[[str, Any], GraphNode]], ...] = (
    (Part.PAGES, build.page_node),
    (Part.CHUNKS, build.chunk_node),
    (Part.MENTIONS, build.mention_node),
    (Part.ENTITIES, build.entity_node),
)
_EDGES: tuple[tuple[Part, Callable[[str, int, Any], Iterable[GraphEdge]]], ...] = (
    (Part.EDGES, lambda *edge: [build.structural_edge(*edge)]),
    (Part.RELATIONS, lambda *relation: [build.relation_edge(*relation)]),
    (Part.FACTS, build.fact_edges),
)
_ALL = 1_000_000_000
_AT_ONCE = 500
_NUMBER = "[0-9]{1,9}"
_ORDER = [part for part, _ in (*_NODES, *_EDGES)]
_NODE_OF, _EDGE_OF = dict(_NODES), dict(_EDGES)


class Graphs:
    """The graphs in a store. Reads never change anything; `merge` and `split` are the only ones that do.

    Every list comes in pages: hand `next` of one page in as `after` for the following one, until it is None.
    Ids are those of docs/reference/graph.md; an entity is named by the id of any of its members.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- one document ---------------------------------------------------------------------------

    def document_graph(self, document_uuid: str, *, limit: int = 1000, after: str | None = None) -> Graph:
        """The graph of a document's newest completed run (or, while none has, of what there is): its own
        node first, then pages, chunks, mentions, entities, structural edges, relations and facts.

        Args:
            limit: the most nodes and edges of this page.

        Raises:
            DocumentNotFoundError: the store knows no such document, or no longer.
            ConfigurationError: `after` is not the `next` of an earlier page, or `limit` is below 1.
        """
        _check_limit(limit)
        ref, position, start = self._place(document_uuid, after)
        nodes: list[GraphNode] = [] if after else [self._document_node(ref)]
        edges: list[GraphEdge] = []
        while position < len(_ORDER):
            part, room = _ORDER[position], limit - len(nodes) - len(edges)
            if room <= 0:
                return Graph(tuple(nodes), tuple(edges), f"{ref.run}.{position}.{start}")
            found = self._store.slice(ref, part, start=start, limit=room)
            if part in _NODE_OF:
                nodes += [_NODE_OF[part](document_uuid, each) for each in found]
            else:
                edges += chain.from_iterable(
                    _EDGE_OF[part](document_uuid, start + i, each) for i, each in enumerate(found)
                )
            position, start = (position, start + room) if len(found) == room else (position + 1, 0)
        return Graph(tuple(nodes), tuple(edges))

    def _place(self, document_uuid: str, after: str | None) -> tuple[Ref, int, int]:
        """The run, the part and how much of it was read; a run stays the same from page to page."""
        status = self._store.status(document_uuid)
        if after is None:
            return Ref(document_uuid, status.result_run or status.run), 0, 0
        run, position, start = _numbers(after, 3)
        if run > status.run or position >= len(_ORDER):
            raise _not_a_next(after)
        return Ref(document_uuid, run), position, start

    def _document_node(self, ref: Ref) -> GraphNode:
        return build.document_node(self._store.load(ref, (Part.FACTS,)))

    def whole(self, document_uuid: str) -> Graph:
        """The same graph in one piece. Raises `DocumentNotFoundError`."""
        ref, _, _ = self._place(document_uuid, None)
        return build.graph_of(self._store.load(ref, ALL_PARTS))

    def project_graph(self, project_id: str) -> Graph:
        """The graphs of a project's completed documents, and the entities that join them: nodes of type
        `ProjectEntity`, edges `SAME_AS`. All of it is held in memory.
        """
        graphs = [self.whole(uuid) for uuid in sorted(self._completed(project_id))]
        joined = list(self._joined(project_id))
        nodes = [node for graph in graphs for node in graph.nodes]
        known = {node.id for node in nodes}
        edges = [edge for graph in graphs for edge in graph.edges]
        return Graph(
            (*nodes, *(build.project_entity_node(each) for each in joined)),
            (*edges, *(edge for each in joined for edge in build.same_as(each) if edge.source in known)),
        )

    def _completed(self, project_id: str) -> Iterator[str]:
        selection = Selection(project_id=project_id, status=(COMPLETED, COMPLETED_WITH_WARNINGS))
        yield from (each.document_uuid for each in self._store.documents(selection, limit=_ALL))

    def _joined(self, project_id: str) -> Iterator[ProjectEntity]:
        after: str | None = None
        while True:
            page = self.entities(project_id, limit=_AT_ONCE, after=after)
            yield from page.items
            if page.next is None:
                return
            after = page.next

    # --- entities of a project; pages: ConfigurationError as for `document_graph` ---------------

    def entity(self, entity_id: str) -> ProjectEntity:
        """The thing that an entity of a document is, across its project.

        Raises:
            EntityNotFoundError: there is no such entity, or its document is not linked yet.
        """
        project, key = self._key(entity_id)
        found = self._entities(project, [key])
        if not found:  # its document was deleted just now
            raise _unknown(entity_id)
        return found[0]

    def entities(
        self, project_id: str | None = None, *, limit: int = 100, after: str | None = None
    ) -> Entities:
        """The entities of a project (None: of the documents without one), by label and name."""
        return self.search("", project_id=project_id, limit=limit, after=after)

    def search(
        self, text: str, *, project_id: str | None = None, limit: int = 100, after: str | None = None
    ) -> Entities:
        """The entities of a project one of whose spellings holds `text`, in any case."""
        _check_limit(limit)
        project, wanted = project_id or "", " ".join(text.lower().split())
        if not may_be_stored(project, wanted, after or ""):
            return Entities(())
        keys = self._store.keys(project, text=wanted, after=after or "", limit=limit)
        found = self._entities(project, keys, wanted)
        return Entities(tuple(found), keys[-1] if len(keys) == limit else None)

    def neighbours(self, entity_id: str, *, limit: int = 100, after: str | None = None) -> Neighbours:
        """The relations of an entity in all documents of its project, each with its evidence.

        Raises:
            EntityNotFoundError: as for `entity`.
        """
        _check_limit(limit)
        (skip,) = (0,) if after is None else _numbers(after, 1)
        project, key = self._key(entity_id)
        own = self._store.members(project, self._clusters(project, [key]).members(key))
        found = self._store.relations_of(own, skip=skip, limit=limit)
        following = str(skip + limit) if len(found) == limit else None
        return Neighbours(tuple(self._neighbours(project, own, found)), following)

    def _neighbours(
        self, project: str, own: Sequence[EntityMember], found: Sequence[Found]
    ) -> Iterator[Neighbour]:
        mine = {(each.document_uuid, each.index) for each in own}
        for each in found:
            relation, uuid = each.relation, each.ref.document_uuid
            outgoing = (uuid, relation.source) in mine
            other = self._store.member(uuid, relation.target if outgoing else relation.source)
            joined = self._entities(project, [other[1].key]) if other else []
            if not joined:  # as in `entity`
                continue
            yield Neighbour(
                type=relation.type,
                outgoing=outgoing,
                entity=joined[0],
                document_uuid=uuid,
                page=relation.evidence.page,
                start=relation.evidence.start,
                end=relation.evidence.end,
                score=relation.score,
            )

    # --- deciding -------------------------------------------------------------------------------

    def merge(self, one: str, other: str, *, who: str = "", why: str = "") -> ProjectEntity:
        """Say that two entities of a project are one thing; takes an earlier `split` of the two back.

        Args:
            who: the person who says so.
            why: what they know it from; `explain` shows both.

        Raises:
            EntityNotFoundError: as for `entity`.
            ConfigurationError: they belong to different projects.
        """
        self._decide(one, other, EntityDecision("", "", True, who, why))
        return self.entity(one)

    def split(self, one: str, other: str, *, who: str = "", why: str = "") -> ProjectEntity:
        """Say that two entities of a project are two things; takes an earlier `merge` of the two back.

        Args and raises: as `merge`.
            ConfigurationError: also if they are one entity of one document.
        """
        self._decide(one, other, EntityDecision("", "", False, who, why))
        return self.entity(one)

    def _decide(self, one: str, other: str, said: EntityDecision) -> None:
        """Write down what was `said`, of the keys that the two ids stand for."""
        same = said.same
        (project, key), (elsewhere, rival) = self._key(one), self._key(other)
        if project != elsewhere:
            raise ConfigurationError(f"{one} and {other} belong to different projects.")
        home, place = one.partition("/")[0], other.partition("/")[0]
        if key == rival and not same:
            if home == place:
                raise ConfigurationError(f"{one} and {other} are one entity of one document.")
            apart = replace(said, key_a=key, key_b=own_key(key, place))
            return self._store.set_apart(place, key, apart)
        for plain, own, document in ((key, rival, place), (rival, key, home)):
            if own == own_key(plain, document):
                return self._decide_apart(project, replace(said, key_a=plain, key_b=own), document)
        if key == rival:
            return None
        pair = (min(key, rival), max(key, rival))
        ties = self._store.ties(project, [key])
        if any((each.key_a, each.key_b) == pair and each.same != same for each in ties.decisions):
            self._store.decide(project, None, pair)
        linked = any((each.key_a, each.key_b) == pair for each in ties.links)
        together = rival in self._clusters(project, [key]).members(key)
        if together != same or (linked and not same):
            self._store.decide(project, replace(said, key_a=pair[0], key_b=pair[1]), pair)

    def _decide_apart(self, project: str, decision: EntityDecision, document: str) -> None:
        """About two of one name that were split: what else was decided about the second stays with it."""
        known = self._store.ties(project, [decision.key_b]).decisions
        if decision.same and len(known) == 1:
            self._store.set_apart(document, decision.key_a, None)
        elif decision not in known:
            self._store.decide(project, decision, (decision.key_a, decision.key_b))

    def explain(self, entity_id: str) -> Explanation:
        """An entity, and for every pair of names that was compared and found alike: by which rule, and
        whether it holds.

        Raises:
            EntityNotFoundError: as for `entity`.
        """
        project, key = self._key(entity_id)
        clusters = self._clusters(project, [key])
        inside = clusters.members(key)
        reasons = tuple(
            _reason(each) for each in clusters.verdicts if {each.link.key_a, each.link.key_b} & inside
        )
        return Explanation(self.entity(entity_id), reasons)

    # --- keys and clusters ----------------------------------------------------------------------

    def _key(self, entity_id: str) -> tuple[str, str]:
        uuid, _, index = entity_id.partition("/entity:")
        sound = re.fullmatch(_NUMBER, index) and may_be_stored(uuid)
        found = self._store.member(uuid, int(index)) if sound else None
        if found is None:
            raise _unknown(entity_id)
        return found[0], found[1].key

    def _clusters(self, project: str, keys: Collection[str]) -> Clusters:
        """The clusters of `keys`, from all that is tied to them however indirectly."""
        seen: set[str] = set()
        links, decisions = set(), set()
        reached = set(keys)
        while reached - seen:
            ties = self._store.ties(project, reached - seen)
            seen |= reached
            links |= set(ties.links)
            decisions |= set(ties.decisions)
            reached = _ends(ties)
        return Clusters(links, decisions)

    def _entities(self, project: str, keys: Sequence[str], text: str | None = None) -> list[ProjectEntity]:
        """The entities that `keys` belong to, in the order of `keys`.

        Args:
            text: `keys` are one page of all keys with this text: an entity whose first such key stands on
                another page is left to that page.
        """
        clusters = self._clusters(project, keys)
        wanted = {key for each in keys for key in clusters.members(each)}
        by_root: dict[str, list[EntityMember]] = defaultdict(list)
        for member in self._store.members(project, wanted):
            by_root[clusters.root(member.key)].append(member)
        groups = [by_root[root] for root in dict.fromkeys(map(clusters.root, keys)) if by_root[root]]
        return [
            _entity(project, group) for group in groups if text is None or _first_key(group, text) in keys
        ]


def _reason(verdict: Verdict) -> Reason:
    link, by = verdict.link, verdict.decision
    shown = (link.key_a, link.key_b, link.rule, link.score, verdict.holds)
    return Reason(*shown, by.who, by.why, by.at) if by else Reason(*shown)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ConfigurationError(f"limit={limit}: a page holds one item at least.")


def _numbers(after: str, count: int) -> tuple[int, ...]:
    numbers = after.split(".", count)
    if len(numbers) != count or not all(re.fullmatch(_NUMBER, number) for number in numbers):
        raise _not_a_next(after)
    return tuple(map(int, numbers))


def _not_a_next(after: str) -> ConfigurationError:
    return ConfigurationError(f"after={after!r} is not the `next` of a page.")


def _unknown(entity_id: str) -> EntityNotFoundError:
    return EntityNotFoundError(f"The store knows no entity {entity_id!r}.")


def _first_key(members: Sequence[EntityMember], text: str) -> str:
    return min(member.key for member in members if text in member.spellings)


def _ends(ties: Ties) -> set[str]:
    links = {key for link in ties.links for key in (link.key_a, link.key_b)}
    return links | {key for each in ties.decisions for key in (each.key_a, each.key_b)}


def _entity(project: str, members: Sequence[EntityMember]) -> ProjectEntity:
    """Named as most of its documents name it; of two such names by the longer."""
    mentions: dict[tuple[str, str], int] = defaultdict(int)
    for each in members:
        mentions[each.name, each.label] += 1
    name, label = min(mentions, key=lambda each: (-mentions[each], -len(each[0]), each))
    return ProjectEntity(
        id=build.entity_id(members[0].document_uuid, members[0].index),
        name=name,
        label=label,
        project_id=project or None,
        members=tuple(build.entity_id(each.document_uuid, each.index) for each in members),
        documents=len({each.document_uuid for each in members}),
        mentions=sum(each.mention_count for each in members),
    )
