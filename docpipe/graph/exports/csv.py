"""CSV for `neo4j-admin database import`: header fields `:ID`, `:LABEL`, `:START_ID`, `:END_ID`, `:TYPE`.

https://neo4j.com/docs/operations-manual/current/tools/neo4j-admin/neo4j-admin-import/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from docpipe.graph.values import Graph, Scalar
from docpipe.models.private_files import make_private_file, make_private_folder

_NODE = ("id:ID", ":LABEL")
_EDGE = ("id", ":START_ID", ":END_ID", ":TYPE")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet takes for a formula; the wide signs count in East Asia."""
_STARTS = re.compile(r"[\s\x00-\x1f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
"""What spreadsheets leave out at the beginning of a cell, or nobody sees there."""
_TYPES = {str: "", int: ":long", float: ":double", bool: ":boolean"}


def write(graph: Graph, path: Path) -> None:
    """Write `nodes.csv` and `relationships.csv` into the folder `path`, which is made when missing.

    Text that a spreadsheet would run as a formula has a `'` before it
    (https://owasp.org/www-community/attacks/CSV_Injection). Other formats hold it as it is.
    """
    make_private_folder(path)
    nodes = [((node.id, node.type), node.properties) for node in graph.nodes]
    edges = [((edge.id, edge.source, edge.target, edge.type), edge.properties) for edge in graph.edges]
    _write(path / "nodes.csv", _NODE, nodes)
    _write(path / "relationships.csv", _EDGE, edges)


def _write(
    path: Path, head: Sequence[str], rows: Sequence[tuple[Sequence[str], Mapping[str, Scalar]]]
) -> None:
    columns = _columns(properties for _, properties in rows)
    make_private_file(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*head, *(_cell(f"{name}{type_}") for name, type_ in columns.items())])
        for first, properties in rows:
            writer.writerow([*map(_cell, first), *(_cell(properties.get(name)) for name in columns)])


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
    if isinstance(value, str) and _is_formula(value):
        return f"'{value}"
    return "" if value is None else str(value)


def _is_formula(text: str) -> bool:
    start = _STARTS.match(text)
    return text.startswith(_FORMULA, start.end() if start else 0) or text.startswith(_FORMULA)
