"""`docpipe search`: which page says it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.text import Text

from docpipe.cli.console import new_console
from docpipe.cli.terminal import echo
from docpipe.models.visible import visible
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.text_search import By, Passage


@click.command(epilog="Example: docpipe search '\"governing law\" Oregon -draft'")
@click.argument("query")
@click.option("--project", "project_id", help="The project; without it, all documents.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="The most pages.")
@click.option("--meaning", "by", flag_value="meaning", help="Find what says the same in other words.")
@click.option("--hybrid", "by", flag_value="hybrid", help="By words and meaning, both rankings made one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per page and line.")
def search(query: str, project_id: str | None, limit: int, by: By | None, as_json: bool) -> None:
    """Search the text of completed documents, and print the pages that hold all words of QUERY.

    "Several words" in double quotes are found in that order; -word leaves out pages that hold it. With
    --meaning or --hybrid QUERY is a question or sentence; DOCPIPE_EMBED_ENGINE says what reads it.
    """
    found = default_pipeline().search_text(query, project_id=project_id, limit=limit, by=by or "text")
    if as_json:
        for each in found:
            echo(json.dumps(asdict(each), ensure_ascii=False))
        return
    console = new_console()
    for each in found:
        echo(f"{each.document_uuid}  page {each.page}  {each.name}")
        console.print(_snippet(each))
    if not found:
        echo(f"docpipe: {_NOTHING[by or 'text']}", err=True)


_NOTHING: dict[By, str] = {
    "text": "no page of a completed document holds all of these words.",
    "meaning": "no completed document has vectors of the engine that is set. Send older ones again:"
    " docpipe retry --completed --from-stage embed",
    "hybrid": "no page of a completed document holds all of these words, and none has vectors of the engine"
    " that is set.",
}


def _snippet(passage: Passage) -> Text:
    told = Text("    ")
    place = 0
    for start, end in passage.marks:
        told.append(visible(passage.snippet[place:start])).append(visible(passage.snippet[start:end]), "bold")
        place = end
    return told.append(visible(passage.snippet[place:]))
