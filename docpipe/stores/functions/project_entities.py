"""Graphs and the entities of projects in Postgres: calls of `sql/*_docpipe_entities.sql`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from docpipe.models import EntityDecision, EntityLink, EntityMember, EntityName, Ref
from docpipe.stores import result_rows, rows
from docpipe.stores.functions.calls import Query, keys, rows_of
from docpipe.stores.values import Found, Linking, Ties

T = TypeVar("T")

_AT_ONCE = 1000
"""Names, links or keys in one request, so that no proxy's body limit is met."""


class FunctionGraph(ABC):
    """The part of `FunctionStore` that `GraphStore` describes."""

    @abstractmethod
    def _rpc(self, function: str, **arguments: Any) -> Any: ...

    @abstractmethod
    def _select(self, query: Query, *, start: int = 0, limit: int | None = None) -> Iterator[rows.Row]: ...

    def slice(self, ref: Ref, part: str, *, start: int, limit: int) -> Sequence[Any]:
        return [
            result_rows.VALUE_OF[part](row)
            for row in self._select(rows_of(part, ref), start=start, limit=limit)
        ]

    def link(self, ref: Ref, names: Sequence[EntityName]) -> Linking | None:
        """In slices: a later one finds the keys of those before it, so no pair is missed."""
        slices = list(_batches(names)) or [[]]
        whole, found = len(slices) == 1, []
        for some in slices:
            told = json.dumps([asdict(name) for name in some])
            answer = self._rpc("link", **keys(ref), p_names=told, p_whole=whole)
            if answer is None:
                return None
            found.append(linking_of(answer))
        return found[0] if whole else _joined(found)

    def link_by(self, ref: Ref, links: Sequence[EntityLink]) -> bool:
        slices = [json.dumps([asdict(link) for link in some]) for some in list(_batches(links)) or [[]]]
        return all(
            self._rpc("link_by", **keys(ref), p_links=some, p_last=number == len(slices))
            for number, some in enumerate(slices, 1)
        )

    def unlinked(
        self, project_id: str | None = None, *, seconds: float | None = None, limit: int = 100
    ) -> list[Ref]:
        found = self._rpc("unlinked", p_project=project_id, p_seconds=seconds, p_limit=limit)
        return [Ref(document_uuid, run) for document_uuid, run in found]

    def ties(self, project_id: str, keys: Collection[str]) -> Ties:
        links: set[EntityLink] = set()
        decisions: set[EntityDecision] = set()
        for some in _batches(sorted(keys)):
            found = self._rpc("ties", p_project=project_id, p_keys=json.dumps(some))
            links |= set(map(rows.link_of, found["links"]))
            decisions |= set(map(rows.decision_of, found["decisions"]))
        return Ties(tuple(links), tuple(decisions))

    def keys(self, project_id: str, *, text: str = "", after: str = "", limit: int = 100) -> list[str]:
        return list(self._rpc("keys", p_project=project_id, p_text=text, p_after=after, p_limit=limit))

    def members(self, project_id: str, keys: Collection[str]) -> list[EntityMember]:
        found = [
            rows.member_of(row)
            for some in _batches(sorted(keys))
            for row in self._rpc("members", p_project=project_id, p_keys=json.dumps(some))
        ]
        return sorted(found, key=lambda each: (each.document_uuid, each.index))

    def member(self, document_uuid: str, index: int) -> tuple[str, EntityMember] | None:
        row = self._rpc("member", p_document=document_uuid, p_index=index)
        return None if row is None else (row["project_id"], rows.member_of(row))

    def relations_of(self, members: Sequence[EntityMember], *, skip: int, limit: int) -> list[Found]:
        asked = json.dumps([[each.document_uuid, each.run, each.index] for each in members])
        found = self._rpc("relations_of", p_entities=asked, p_skip=skip, p_limit=limit)
        return [rows.found_of(row) for row in found]

    def decide(self, project_id: str, decision: EntityDecision | None, pair: tuple[str, str]) -> None:
        same = None if decision is None else decision.same
        self._rpc(
            "decide", p_project=project_id, p_key_a=pair[0], p_key_b=pair[1], p_same=same, **_taken(decision)
        )

    def set_apart(self, document_uuid: str, key: str, split: EntityDecision | None) -> None:
        apart = split is not None
        self._rpc("set_apart", p_document=document_uuid, p_key=key, p_apart=apart, **_taken(split))


def _taken(decision: EntityDecision | None) -> dict[str, str]:
    """By whom, and why."""
    return {"p_who": decision.who if decision else "", "p_why": decision.why if decision else ""}


def linking_of(answer: Mapping[str, Any]) -> Linking:
    """What `docpipe_link` answers."""
    rivals: dict[str, list[str]] = defaultdict(list)
    for block, key in answer["rivals"]:
        rivals[block].append(key)
    return Linking(rivals, frozenset(answer["apart"]), answer["linked"])


def _joined(parts: Sequence[Linking]) -> Linking:
    rivals: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        for block, found in part.rivals.items():
            rivals[block] += found
    return Linking(rivals, frozenset().union(*(part.apart for part in parts)), linked=False)


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield list(items[start : start + _AT_ONCE])
