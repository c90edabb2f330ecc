"""GEXF 1.2 (https://gexf.net), by networkx: what Gephi reads."""

from __future__ import annotations

from pathlib import Path

import networkx

from docpipe.graph.exports.network import to_networkx
from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file. What means something else in GEXF has another name: `type` is `kind`, `start` and
    `end` are `start_offset` and `end_offset`.
    """
    network = to_networkx(graph)
    for name, attributes in network.nodes(data=True):
        attributes["kind"] = attributes.pop("type")
        attributes["label"] = str(attributes.get("name") or attributes.get("text") or name)[:60]
    for _, _, attributes in network.edges(data=True):
        attributes["kind"] = attributes.pop("type")
    networkx.write_gexf(network, path)
