"""`docpipe submit` and `docpipe status`: the same as the Python API, for shells."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click
from rich.table import Column, Table

from docpipe.cli.terminal import echo, new_console, shown
from docpipe.errors import DocpipeError
from docpipe.models import DocumentStatus, RangeRun
from docpipe.models.masking import masked
from docpipe.pipeline.default import default_pipeline, store_pipeline
from docpipe.sources.allowed import Trusted


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.option("--project", "project_id", help="Group the documents under this id.")
@click.option("--priority", type=click.IntRange(0, 9), default=0, show_default=True, help="0 goes first.")
@click.option("--reprocess", is_flag=True, help="Start a new run of documents that are known.")
@click.option("--wait", "timeout", type=float, metavar="SECONDS", help="Wait until each is final.")
def submit(
    sources: tuple[str, ...], project_id: str | None, priority: int, reprocess: bool, timeout: float | None
) -> None:
    """Submit paths and locators (s3://, supabase://, https://) to the workers; prints one uuid per line.

    What DOCPIPE_SOURCES does not name is kept as a copy, because workers do not read it.
    """
    failed = 0
    for source in sources:
        try:
            submission = default_pipeline().submit(
                Trusted(source), project_id=project_id, priority=priority, reprocess=reprocess
            )
            echo(submission.document_uuid)
            if submission.task_id is None:
                later = "the broker cannot be reached; it is sent later."
                echo(f"docpipe: {masked(source)}: {later}", err=True)
            if timeout is not None:
                submission.wait(timeout)
        except DocpipeError as error:
            failed += 1
            echo(f"docpipe: {masked(source)}: {error} ({error.code})", err=True)
    sys.exit(1 if failed else 0)


@click.command()
@click.argument("document_uuid", required=False, metavar="[UUID]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per document and line.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Newest documents.")
def status(document_uuid: str | None, as_json: bool, limit: int) -> None:
    """Show where one document stands, or list the newest ones."""
    pipeline = store_pipeline()
    if document_uuid is None:
        summaries = [asdict(summary) for summary in pipeline.store.documents(limit=limit)]
        if as_json:
            for summary in summaries:
                echo(json.dumps(summary, ensure_ascii=False, default=str))
            return
        _print_table(summaries)
        return
    found = pipeline.status(document_uuid)
    if as_json:
        echo(json.dumps(asdict(found), ensure_ascii=False, default=str))
    else:
        _print_timeline(found, pipeline.ranges(document_uuid))


def _print_table(summaries: list[dict[str, Any]]) -> None:
    uuid = Column("document", no_wrap=True, min_width=36)  # whole: it is there to be copied
    table = Table(uuid, "name", "status", "project", "error", box=None)
    for summary in summaries:
        columns = ("document_uuid", "name", "status", "project_id", "error_message")
        table.add_row(*(shown(str(summary[key] or "")) for key in columns))
    console = new_console()
    console.print(table)


def _print_timeline(found: DocumentStatus, ranges: list[RangeRun]) -> None:
    console = new_console(soft_wrap=True)
    console.print(
        f"{shown(found.name)}  [bold]{found.status}[/]  run {found.run}  task {found.task_id or '-'}"
    )
    for at, word, graph_word in found.history:
        console.print(f"  {at:%Y-%m-%d %H:%M:%S}  {word}{f'  ({graph_word})' if graph_word else ''}")
    table = Table("stage", "state", "attempts", "worker", "seconds", box=None)
    for stage in found.stages:
        seconds = ""
        if stage.started_at and stage.finished_at:
            seconds = f"{(stage.finished_at - stage.started_at).total_seconds():.1f}"
        table.add_row(stage.stage, stage.state, str(stage.attempt), shown(stage.worker or ""), seconds)
    console.print(table)
    if ranges:
        console.print(_progress_of(ranges))
    for warn in found.warnings:
        page = f"page {warn.page}: " if warn.page else ""
        console.print(f"[yellow]{warn.code}[/] {page}{shown(warn.message)}")
    if found.error:
        message = shown(found.error.message)
        console.print(f"[red]{found.error.error_class}[/] in {found.error.stage}: {message}")
        console.print(found.error.traceback, style="dim", markup=False)


def _progress_of(ranges: list[RangeRun]) -> str:
    """How far a document is that is read in ranges of pages."""

    def pages(*states: str) -> int:
        return sum(run.pages.last - run.pages.first + 1 for run in ranges if run.state in states)

    lost = pages("failed")
    read, running, every = pages("complete"), pages("running", "retrying"), ranges[-1].pages.last
    return f"pages: {read} of {every} read, {running} in work" + (f", {lost} failed" if lost else "")
