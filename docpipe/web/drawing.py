"""The graph of a document as a drawing: a row for each entity, an arc for each relation.

Every name has a row of its own, so no two of them can overlap, however many there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from docpipe.models import Entity, Relation

MOST_NODES = 60
"""Entities that are drawn: those with the most relations."""
_ROW, _NEAREST, _FARTHEST = 26.0, 30.0, 330.0
_LETTERS, _LETTER = 32, 7.6
"""Of a name: how many are shown, and how wide one is."""
_TYPE, _LINE = 120.0, 15.0
"""The room of a relation's type."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entity in its row."""

    entity: Entity
    name: str
    y: float


@dataclass(frozen=True, slots=True)
class Arc:
    """A relation, from the row of its source to that of its target."""

    relation: Relation
    path: str
    title: str
    outmost: float
    """How far to the right it comes."""
    label: tuple[float, float] | None
    """Where its type is written; None where there is no room."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it, in units of its own."""

    width: float
    height: float
    names: float
    """Where names end and arcs begin."""
    nodes: list[Node]
    arcs: list[Arc]
    left_out: int
    """Entities with relations that are not drawn."""


def drawn(entities: Mapping[int, Entity], relations: Sequence[Relation], related: int) -> Drawing:
    """The drawing of these relations, whose ends are among the `entities`.

    Args:
        related: how many entities have relations, drawn or not.
    """
    relations = [each for each in relations if each.source != each.target]
    counted = Counter(end for each in relations for end in (each.source, each.target))
    kept = {index for index, _ in counted.most_common(MOST_NODES)}
    shown = [each for each in relations if {each.source, each.target} <= kept]
    rows = {index: _ROW * (place + 0.5) for place, index in enumerate(_order(kept, shown, counted))}
    nodes = [Node(entities[index], _short(entities[index].name), y) for index, y in rows.items()]
    names = 12 + _LETTER * max((len(node.name) for node in nodes), default=0)
    arcs = list(_arcs(entities, shown, rows, names))
    width = _TYPE + max((arc.outmost for arc in arcs), default=names)
    return Drawing(round(width), _ROW * len(rows), names, nodes, arcs, related - len(kept))


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _order(kept: set[int], relations: Sequence[Relation], counted: Counter[int]) -> list[int]:
    """What is related stands close together: from the best connected one on, its neighbours come next."""
    near: dict[int, set[int]] = defaultdict(set)
    for each in relations:
        near[each.source].add(each.target)
        near[each.target].add(each.source)

    def weight(index: int) -> tuple[int, int]:
        return counted[index], -index

    found: list[int] = []
    waiting = sorted(kept, key=weight)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.append(index)
            waiting += sorted(near[index], key=weight)
    return found


def _arcs(
    entities: Mapping[int, Entity], relations: Sequence[Relation], rows: dict[int, float], names: float
) -> Iterator[Arc]:
    parallel: Counter[frozenset[int]] = Counter()
    written: list[float] = []
    for each in sorted(relations, key=lambda one: abs(rows[one.source] - rows[one.target])):
        pair = frozenset((each.source, each.target))
        start, end = rows[each.source], rows[each.target]
        out = min(_FARTHEST, _NEAREST + abs(start - end) * 0.6 + 14 * parallel[pair])
        parallel[pair] += 1
        x = names + 12
        path = f"M{x:.0f} {start:.0f}C{x + out:.0f} {start:.0f} {x + out:.0f} {end:.0f} {x:.0f} {end:.0f}"
        place = x + out * 0.75, (start + end) / 2
        free = all(abs(place[1] - y) >= _LINE for y in written)
        if free:
            written.append(place[1])
        yield Arc(each, path, _title(entities, each), place[0], place if free else None)


def _title(entities: Mapping[int, Entity], relation: Relation) -> str:
    source, target = entities[relation.source].name, entities[relation.target].name
    return f"{source} {relation.verb or relation.type} {target}, page {relation.evidence.page}"
