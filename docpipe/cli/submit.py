"""`docpipe submit`: documents to the workers."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from docpipe.cli.listing import how_they_end
from docpipe.cli.terminal import echo
from docpipe.errors import DocpipeError
from docpipe.models.masking import masked
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.sources.allowed import Trusted


@click.command(epilog="Example: docpipe submit --project acme --wait 600 contract.pdf s3://bucket/scan.pdf")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.option("--project", "project_id", help="Group the documents under this id.")
@click.option("--priority", type=click.IntRange(0, 9), default=0, show_default=True, help="0 goes first.")
@click.option("--reprocess", is_flag=True, help="Start a new run of documents that are known.")
@click.option("--batch", help="Submit them under this name, for `docpipe batch`.")
@click.option("--dpi", type=int, help="Resolution at which scanned pages are read, 72 to 600.")
@click.option("--language", "languages", multiple=True, help="Of the text, as Tesseract names it (again).")
@click.option("--engine", help="The OCR engine, where not the usual one.")
@click.option("--wait", "timeout", type=float, metavar="SECONDS", help="Wait, and say how each ended.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per source and line.")
def submit(
    sources: tuple[str, ...], timeout: float | None, as_json: bool, languages: tuple[str, ...], **options: Any
) -> None:
    """Submit paths and locators (s3://, supabase://, https://) to the workers; prints one uuid per line.

    What DOCPIPE_SOURCES does not name is kept as a copy, because workers do not read it.
    With --wait, standard error says how each ended; exit code 1 unless all completed.
    """
    pipeline = default_pipeline()
    found = pipeline.submit_many(map(Trusted, sources), languages=languages or None, **options)
    submitted = [_said(source, each, quiet=as_json) for source, each in zip(sources, found, strict=True)]
    if timeout is not None:
        _wait(pipeline, submitted, timeout, quiet=as_json)
    if as_json:
        for each in submitted:
            echo(json.dumps(each, ensure_ascii=False))
    sys.exit(1 if any(each["error"] for each in submitted) else 0)


def _said(source: str, each: Submission | DocpipeError, *, quiet: bool) -> dict[str, Any]:
    """One source as `--json` shows it; unless `quiet`, its uuid or its error is printed at once."""
    found: dict[str, Any] = {"source": masked(source), "document_uuid": None, "status": None, "error": None}
    if isinstance(each, DocpipeError):
        found["error"] = {"code": each.code, "message": str(each), "stage": each.stage}
        if not quiet:
            echo(f"docpipe: {masked(source)}: {each} ({each.code})", err=True)
        return found
    found["document_uuid"] = each.document_uuid
    if quiet:
        found["status"] = each.status().status
    else:
        echo(each.document_uuid)
    if each.task_id is None:
        echo(f"docpipe: {masked(source)}: the broker cannot be reached; it is sent later.", err=True)
    return found


def _wait(pipeline: Pipeline, submitted: list[dict[str, Any]], timeout: float, *, quiet: bool) -> None:
    waiting = {each["document_uuid"]: each for each in submitted if each["document_uuid"]}
    for end in how_they_end(pipeline, {uuid: each["source"] for uuid, each in waiting.items()}, timeout):
        found, error = waiting[end["document_uuid"]], end["error"]
        found.update(end)
        if not quiet:
            told = f"{error['message']} ({error['code']})" if error else end["status"]
            echo(f"docpipe: {found['source']}: {told}", err=True)
