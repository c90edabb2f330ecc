"""CSV for `neo4j-admin database import`: header fields `:ID`, `:LABEL`, `:START_ID`, `:END_ID`, `:TYPE`.

https://neo4j.com/docs/operations-manual/current/tools/neo4j-admin/neo4j-admin-import/
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from docpipe.graph.values import Graph, Scalar

_TYPES = {str: "", int: ":long", float: ":double", bool: ":boolean"}


def write(graph: Graph, path: Path) -> None:
    """Write `nodes.csv` and `relationships.csv` into the folder `path`, which is made when missing."""
    path.mkdir(parents=True, exist_ok=True)
    nodes = [({"id:ID": node.id, ":LABEL": node.type}, node.properties) for node in graph.nodes]
    edges = [
        (
            {"id": edge.id, ":START_ID": edge.source, ":END_ID": edge.target, ":TYPE": edge.type},
            edge.properties,
        )
        for edge in graph.edges
    ]
    _write(path / "nodes.csv", nodes)
    _write(path / "relationships.csv", edges)


def _write(path: Path, items: list[tuple[dict[str, str], Mapping[str, Scalar]]]) -> None:
    columns = _columns(properties for _, properties in items)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [*(items[0][0] if items else ()), *(f"{name}{type_}" for name, type_ in columns.items())]
        )
        for head, properties in items:
            writer.writerow([*head.values(), *(_cell(properties.get(name)) for name in columns)])


def _columns(found: Iterable[Mapping[str, Scalar]]) -> dict[str, str]:
    """Every property with its type; one that is a whole number here and a fraction there is a fraction."""
    columns: dict[str, str] = {}
    for properties in found:
        for name, value in properties.items():
            type_ = _TYPES[type(value)]
            columns[name] = ":double" if {type_, columns.get(name)} == {":long", ":double"} else type_
    return columns


def _cell(value: Scalar | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
