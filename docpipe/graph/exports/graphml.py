"""GraphML (http://graphml.graphdrawing.org), by networkx."""

from __future__ import annotations

from pathlib import Path

import networkx

from docpipe.graph.exports.network import to_networkx
from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file; `start` and `end` are `start_offset` and `end_offset`."""
    networkx.write_graphml(to_networkx(graph), path, infer_numeric_types=True, named_key_ids=True)
