"""`docpipe facts`: what a document is and says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from docpipe.cli.run import Request, processed
from docpipe.cli.terminal import echo
from docpipe.cli.views.document_json import to_json
from docpipe.cli.views.fact_lines import fact_lines
from docpipe.errors import DocpipeError
from docpipe.pipeline.default import store_pipeline
from docpipe.pipeline.factory import embedded_pipeline
from docpipe.pipeline.settings import read_settings

_KEYS = ("source", "document_uuid", "kind", "subject", "title", "facts")


@click.command(epilog="Example: docpipe facts contract.pdf --json")
@click.argument("document", metavar="FILE|UUID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def facts(document: str, as_json: bool) -> None:
    """Show what kind of document it is, and its parties, dates, number, amounts, signatories.

    A FILE is taken through all stages in this process, as by `docpipe run`; a UUID is looked up in the store.
    """
    found = _of_file(document) if Path(document).exists() else _of_uuid(document)
    if as_json:
        named = {"subject_name": _subject_name(found)}
        echo(json.dumps({key: found[key] for key in _KEYS} | named, ensure_ascii=False))
        return
    lines = list(fact_lines(found))
    for line in lines or [f"  {found['kind'] or 'no facts were looked for: run the graph stage again'}"]:
        echo(line)


def _of_file(file: str) -> dict[str, Any]:
    settings = read_settings()
    found = next(processed(embedded_pipeline(settings), file, Request(settings, None, False)))
    if error := found["error"]:
        raise DocpipeError(f"{found['source']}: {error['message']}")
    return found


def _of_uuid(document_uuid: str) -> dict[str, Any]:
    document = store_pipeline().get(document_uuid)
    return to_json(document, document.name)


def _subject_name(found: dict[str, Any]) -> str | None:
    return None if found["subject"] is None else str(found["entities"][found["subject"]]["name"])
