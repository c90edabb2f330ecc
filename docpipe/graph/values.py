"""Nodes and edges as they are read and exported. What each type holds: docs/reference/graph.md.

Ids are the same in every form: a document's node is its uuid, others stand below it
(`UUID/page:1`, `UUID/chunk:0`, `UUID/mention:0`, `UUID/entity:0`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node; properties that are not known are left out."""

    id: str
    type: str
    properties: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One edge, from node to node."""

    id: str
    type: str
    source: str
    target: str
    properties: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges, or one page of them.

    `next` is what to pass as `after` for the next page; None: this is the last one.
    """

    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mention stands."""

    document_uuid: str
    mention: int
    text: str
    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ProjectEntity:
    """One thing that the documents of a project name.

    `id` is that of its first member; the ids of all members lead to it.
    """

    id: str
    name: str
    label: str
    project_id: str | None
    members: tuple[str, ...]
    """Ids of the documents' entities that it is made of, in order."""
    documents: int
    mentions: int


@dataclass(frozen=True, slots=True)
class Entities:
    """A page of entities; `next` as in `Graph`."""

    items: tuple[ProjectEntity, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A relation of an entity with another one, and the text that shows it."""

    type: str
    outgoing: bool
    """Whether the entity that was asked for is the relation's source."""
    entity: ProjectEntity
    document_uuid: str
    page: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A page of neighbours; `next` as in `Graph`."""

    items: tuple[Neighbour, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two names of a project are, or are not, one thing; `rule` is `merge` or `split` when decided."""

    name_a: str
    name_b: str
    rule: str
    score: float
    holds: bool
    """False: it was set aside, for a decision against it or because it is ambiguous."""
    who: str = ""
    """Of a decision: the person who took it, as they gave their name."""
    why: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """An entity with its members and the reasons that hold them together."""

    entity: ProjectEntity
    reasons: tuple[Reason, ...]
