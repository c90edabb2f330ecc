"""Graphs in the formats of other tools: one file per format."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.graph.values import Graph
from docpipe.models.private_files import make_private_file

FORMATS = ("json", "jsonl", "graphml", "gexf", "csv", "cypher", "jsonld")
"""Each is a module here with a function `write(graph, path)`."""


def export(graph: Graph, format_: str, path: Path) -> None:
    """Write the graph to a file; `csv` writes `nodes.csv` and `relationships.csv` into the folder `path`.

    Only its owner may read what is written.

    Raises:
        ConfigurationError: there is no such format.
        MissingExtraError: GraphML and GEXF need `docpipe-celery[graph]`.
    """
    if format_ not in FORMATS:
        raise ConfigurationError(f"There is no export format {format_!r}. Use one of: {', '.join(FORMATS)}.")
    try:
        write: Callable[[Graph, Path], None] = import_module(f"docpipe.graph.exports.{format_}").write
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "networkx", "graph") from error
    if format_ != "csv":  # two files, made there
        make_private_file(path)
    write(graph, path)
