"""`docpipe export`: the graph of a document or a project, for other tools."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import click

from docpipe.cli.files import writing
from docpipe.cli.terminal import echo
from docpipe.errors import DocumentNotFoundError, MissingExtraError
from docpipe.graph.exports import FORMATS, export
from docpipe.graph.values import Graph
from docpipe.pipeline.default import store_pipeline


@click.command("export", epilog="Example: docpipe export --project acme --format graphml --out acme.graphml")
@click.argument("document_uuid", required=False, metavar="[UUID]")
@click.option("--project", "project_id", help="All completed documents of this project, and its entities.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file; csv writes two files into this folder."
)
@click.option("--neo4j", "url", metavar="URL", help="Merge into this Neo4j server instead: neo4j://host.")
@click.option("--user", envvar="NEO4J_USERNAME", default="neo4j", show_default=True, help="Of the server.")
@click.option("--password", envvar="NEO4J_PASSWORD", help="Of the user; better in NEO4J_PASSWORD.")
@click.option("--database", help="Of the server, if not its default one.")
def export_command(
    document_uuid: str | None,
    project_id: str | None,
    format_: str,
    out: Path | None,
    url: str | None,
    user: str,
    password: str | None,
    database: str | None,
) -> None:
    """Write the graph of a document, or of a project's documents, to a file, standard output or Neo4j."""
    if (document_uuid is None) == (project_id is None):
        raise click.UsageError("Name either a UUID or --project.")
    if url is None and out is None and format_ == "csv":
        raise click.UsageError("csv writes two files: name a folder with --out.")
    graphs = store_pipeline().graphs
    graph = graphs.whole(document_uuid) if document_uuid else graphs.project_graph(project_id or "")
    if not graph.nodes:
        raise DocumentNotFoundError(f"Nothing to export: project {project_id!r} has no completed document.")
    if url is not None:
        _load(graph, url, None if password is None else (user, password), database)
    elif out is not None:
        with writing(out):
            export(graph, format_, out)
    else:
        _print(graph, format_)
    echo(f"{len(graph.nodes)} nodes, {len(graph.edges)} edges", err=True)


def _print(graph: Graph, format_: str) -> None:
    with tempfile.NamedTemporaryFile() as file:
        export(graph, format_, Path(file.name))
        with Path(file.name).open("rb") as written:
            shutil.copyfileobj(written, sys.stdout.buffer)


def _load(graph: Graph, url: str, auth: tuple[str, str] | None, database: str | None) -> None:
    try:
        load = import_module("docpipe.graph.neo4j").load
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "neo4j", "neo4j") from error
    load(graph, url, auth=auth, database=database)
