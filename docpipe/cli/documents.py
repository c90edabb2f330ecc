"""`docpipe status`: where a document stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from rich.table import Column, Table

from docpipe.cli.console import new_console, shown
from docpipe.cli.terminal import echo
from docpipe.cli.views.story import HEADINGS, story
from docpipe.models import Attempt, DocumentStatus, RangeRun
from docpipe.models.status import PENDING, StageState, is_final
from docpipe.pipeline.default import store_pipeline
from docpipe.stores.pause_port import Pause
from docpipe.stores.share_port import Limit


@click.command(epilog="Example: docpipe status 6f1c0c9e-… --json")
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
        print_table(summaries)
        return
    found, attempts = pipeline.status(document_uuid), pipeline.attempts(document_uuid)
    if as_json:
        told = asdict(found) | {"attempts": [asdict(each) for each in attempts]}
        echo(json.dumps(told, ensure_ascii=False, default=str))
    else:
        _print_timeline(found, pipeline.ranges(document_uuid))
        _print_pauses(found, pipeline.store.paused())
        _print_turn(found, pipeline.store.limits())
        _print_attempts(attempts)
        _print_problems(found)


def print_table(summaries: list[dict[str, Any]]) -> None:
    """Documents as a table: uuid, name, status, project, error."""
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
    if found.parent:
        console.print(f"  found inside {shown(found.parent)}")
    if found.children:
        counts = ", ".join(f"{count} {word}" for word, count in sorted(found.children.items()))
        console.print(f"  found inside it: {counts}  (docpipe list --parent {shown(found.document_uuid)})")
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


def _print_pauses(found: DocumentStatus, pauses: list[Pause]) -> None:
    """Those that the document waits for."""
    following = next((stage.stage for stage in found.stages if stage.state != StageState.COMPLETE), None)
    if following is not None and not is_final(found.status):
        for pause in pauses:
            if pause.holds(following, found.project_id):
                new_console(soft_wrap=True).print(f"[yellow]{shown(str(pause))}[/]")


def _print_turn(found: DocumentStatus, limits: list[Limit]) -> None:
    """Whether the document waits for others to end; one that the broker refused waits for that."""
    if found.status == PENDING and len(found.history) == 1 and any(each.limits for each in limits):
        new_console(soft_wrap=True).print("[yellow]it waits for its share: see docpipe limits[/]")


def _print_attempts(attempts: list[Attempt]) -> None:
    """What was tried and what followed; nothing where every attempt went well."""
    if told := story(attempts):
        table = Table(*HEADINGS, box=None)
        for row in told:
            table.add_row(*map(shown, row))
        new_console(soft_wrap=True).print(table)


def _print_problems(found: DocumentStatus) -> None:
    console = new_console(soft_wrap=True)
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
