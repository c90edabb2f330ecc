"""A part of a document that may be too long to be read whole: some of its pages with what is named on them,
and some of what its lists hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from docpipe.models import Entity, Mention, Page, Ref, Relation
from docpipe.stores.result_rows import mention_of, page_of, relation_of

MOST_PLACES = 8
"""Pages that are named of an entity: the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to read of a document."""

    page: int = 1
    """One of a group of `pages`, all of which are read; beyond the last it is the last."""
    pages: int = 5
    label: str = ""
    """Of mentions, entities, and one end of relations; empty: any."""
    skipped_entities: int = 0
    entities: int = 100
    """The most that are listed, and so below."""
    skipped_relations: int = 0
    relations: int = 50
    nodes: int = 60
    """Of the graph: those with the most relations."""
    arcs: int = 200
    """Of the graph: the relations that are stated most often."""


@dataclass(frozen=True, slots=True)
class ListedEntity:
    """An entity, without its mentions; how many they are, and the first pages that they are on."""

    entity: Entity
    times: int
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a `Window` shows, and how much there is of all."""

    pages: tuple[Page, ...]
    mentions: tuple[Mention, ...]
    """On these pages."""
    entities: tuple[ListedEntity, ...]
    """Those with the most mentions come first."""
    relations: tuple[Relation, ...]
    graph: tuple[Relation, ...]
    """Relations between the entities that have the most of them."""
    ends: Mapping[int, Entity]
    """By their indexes the entities of all these relations, without their mentions."""
    page_count: int
    labels: Mapping[str, int]
    """How many entities have which label, whichever is asked for."""
    relation_count: int
    related: int
    """How many entities have relations to others."""


class Excerpts(Protocol):
    """The part of the store that reads excerpts."""

    def excerpt(self, ref: Ref, window: Window) -> Excerpt:
        """What the window shows of the run's results; of a document that is not there it is empty."""
        ...


def first_of(window: Window, page_count: int) -> int:
    """How many pages stand before those of the window."""
    return max(0, min(window.page, page_count) - 1) // window.pages * window.pages


def excerpt_of(row: Mapping[str, Any]) -> Excerpt:
    """Of what `docpipe_excerpt` answers."""
    return Excerpt(
        pages=tuple(map(page_of, row["pages"])),
        mentions=tuple(map(mention_of, row["mentions"])),
        entities=tuple(
            ListedEntity(_entity_of(each), each["times"], tuple(each["pages"])) for each in row["entities"]
        ),
        relations=tuple(map(relation_of, row["relations"])),
        graph=tuple(map(relation_of, row["graph"])),
        ends={each["index"]: _entity_of(each) for each in row["ends"]},
        page_count=row["page_count"],
        labels={each["label"]: each["entities"] for each in row["labels"]},
        relation_count=row["relation_count"],
        related=row["related"],
    )


def _entity_of(row: Mapping[str, Any]) -> Entity:
    return Entity(row["index"], row["name"], row["label"], ())
