"""GEXF 1.2 (https://gexf.net), by networkx: what Gephi reads; valid by its XML schema."""

from __future__ import annotations

from pathlib import Path

from networkx.readwrite.gexf import GEXFWriter

from docpipe.graph.exports.network import to_networkx
from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file. What means something else in GEXF has another name: `type` is `kind`, `label` is
    `entity_label`, `start` and `end` are `start_offset` and `end_offset`.
    """
    network = to_networkx(graph)
    for name, attributes in network.nodes(data=True):
        attributes["kind"] = attributes.pop("type")
        if "label" in attributes:
            attributes["entity_label"] = attributes.pop("label")
        attributes["label"] = str(attributes.get("name") or attributes.get("text") or name)[:60]
    for _, _, key, attributes in network.edges(data=True, keys=True):
        attributes["kind"] = attributes.pop("type")
        attributes["id"] = key
    writer = GEXFWriter(network)
    del writer.graph_element.attrib["name"]  # networkx writes it, the schema forbids it
    with path.open("wb") as file:
        writer.write(file)
