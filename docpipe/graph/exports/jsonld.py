"""JSON-LD 1.1: nodes are resources, edges are `rdf:Statement`s with properties, and plain triples too."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docpipe.graph.values import Graph, GraphEdge, GraphNode

VOCABULARY = "https://docpipe.dev/graph#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_CONTEXT = {"@vocab": VOCABULARY, "rdf": _RDF, "id": "@id", "type": "@type"}


def write(graph: Graph, path: Path) -> None:
    """Write the file. Ids are `urn:docpipe:` and the node's id; terms are those of `VOCABULARY`."""
    out: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for edge in graph.edges:
        out[edge.source][edge.type].append({"id": _iri(edge.target)})
    nodes = [_node(node) | out[node.id] for node in graph.nodes]
    found = {"@context": _CONTEXT, "@graph": [*nodes, *map(_statement, graph.edges)]}
    path.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")


def _iri(id_: str) -> str:
    return f"urn:docpipe:{quote(id_, safe='/:')}"


def _node(node: GraphNode) -> dict[str, Any]:
    return {"id": _iri(node.id), "type": node.type, **node.properties}


def _statement(edge: GraphEdge) -> dict[str, Any]:
    return {
        "id": _iri(edge.id),
        "type": "rdf:Statement",
        "rdf:subject": {"id": _iri(edge.source)},
        "rdf:predicate": {"id": VOCABULARY + quote(edge.type)},
        "rdf:object": {"id": _iri(edge.target)},
        **edge.properties,
    }
