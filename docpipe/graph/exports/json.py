"""One JSON object with `nodes` (`{id, type, properties}`) and `edges` (also with `source` and `target`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from docpipe.graph.values import Graph


def write(graph: Graph, path: Path) -> None:
    """Write the file."""
    found = {"nodes": list(map(asdict, graph.nodes)), "edges": list(map(asdict, graph.edges))}
    path.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
