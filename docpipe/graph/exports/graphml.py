"""GraphML 1.0 (http://graphml.graphdrawing.org), by networkx; valid by its XML schema."""

from __future__ import annotations

from pathlib import Path

import networkx

from docpipe.graph.exports.network import to_networkx
from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file; `start` and `end` are `start_offset` and `end_offset`, a `/` in an id is a `.`."""
    networkx.write_graphml(to_networkx(graph, _token), path, infer_numeric_types=True)


def _token(id_: str) -> str:
    """GraphML's ids are XML name tokens, in which no `/` may stand."""
    return id_.replace("/", ".")
