"""Cypher: one statement per node and edge, each a `MERGE`, so that running the file again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from docpipe.graph.values import Graph, GraphEdge, GraphNode, Scalar

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write(graph: Graph, path: Path) -> None:
    """Write the file: constraints first, so that ids are unique and looked up by index."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{statement};\n" for statement in statements(graph))


def statements(graph: Graph) -> Iterator[str]:
    """Every statement, without its semicolon."""
    types = {node.id: node.type for node in graph.nodes}
    yield from (constraint(type_) for type_ in sorted(set(types.values())))
    yield from map(_node, graph.nodes)
    yield from (_edge(edge, types) for edge in graph.edges)


def constraint(type_: str) -> str:
    """Ids of nodes of this type are unique."""
    return f"CREATE CONSTRAINT IF NOT EXISTS FOR (n:{name(type_)}) REQUIRE n.id IS UNIQUE"


def _node(node: GraphNode) -> str:
    return f"MERGE (n:{name(node.type)} {{id: {literal(node.id)}}}) SET n += {_map(node.properties)}"


def _edge(edge: GraphEdge, types: Mapping[str, str]) -> str:
    ends = " ".join(
        f"MATCH ({letter}:{name(types[end])} {{id: {literal(end)}}})"
        for letter, end in (("a", edge.source), ("b", edge.target))
    )
    key = literal(edge.id)
    return f"{ends} MERGE (a)-[r:{name(edge.type)} {{id: {key}}}]->(b) SET r += {_map(edge.properties)}"


def name(text: str) -> str:
    """A label, type or property as Cypher writes it. A backslash becomes a `_`: Neo4j reads `\\u0060` as the
    backtick that would end the name.
    """
    return "`" + text.replace("\\", "_").replace("`", "``") + "`"


def literal(value: Scalar) -> str:
    """A value as Cypher writes it; control characters as `\\uXXXX`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + "".join(map(_escaped, value)) + "'" if isinstance(value, str) else repr(value)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() or ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


def _map(properties: Mapping[str, Scalar]) -> str:
    return "{" + ", ".join(f"{name(key)}: {literal(value)}" for key, value in properties.items()) + "}"
