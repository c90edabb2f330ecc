"""The graph as networkx has it: a directed graph with parallel edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import Any

import networkx

from docpipe.graph.values import Graph, Scalar

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold (XML 1.0, production 2)."""


def to_networkx(graph: Graph, spelt: Callable[[str], str] = str) -> networkx.MultiDiGraph[str]:
    """Nodes by id, edges by their ids as keys; `type` and all properties are attributes.

    Args:
        spelt: an id as the format can hold it.
    """
    fractions = {
        name
        for properties in (
            *(node.properties for node in graph.nodes),
            *(edge.properties for edge in graph.edges),
        )
        for name, value in properties.items()
        if isinstance(value, float)
    }
    network: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for node in graph.nodes:
        network.add_node(spelt(node.id), **_attributes(node.type, node.properties, fractions))
    for edge in graph.edges:
        attributes = _attributes(edge.type, edge.properties, fractions)
        network.add_edge(spelt(edge.source), spelt(edge.target), key=spelt(edge.id), **attributes)
    return network


def _attributes(type_: str, properties: Mapping[str, Scalar], fractions: Set[str]) -> dict[str, Any]:
    """Text without what XML cannot hold, and one type of number for each name of a property."""
    names = {"start": "start_offset", "end": "end_offset"}  # words of GEXF's own: times
    found: dict[str, Any] = {"type": type_}
    for name, value in properties.items():
        found[names.get(name, name)] = float(value) if name in fractions else _text(value)
    return found


def _text(value: Scalar) -> Scalar:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value
