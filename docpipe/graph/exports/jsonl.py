"""JSON Lines: one object per node, then one per edge; `kind` is `node` or `edge`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file."""
    with path.open("w", encoding="utf-8") as file:
        for kind, items in (("node", graph.nodes), ("edge", graph.edges)):
            for item in items:
                file.write(json.dumps({"kind": kind} | asdict(item), ensure_ascii=False) + "\n")
