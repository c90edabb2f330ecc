"""`docpipe run FILE…`: documents through all stages in this machine, without services."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from docpipe.cli.chosen import chosen_files
from docpipe.cli.terminal import echo, new_console, shown
from docpipe.cli.views.document_json import failed_json, to_json
from docpipe.cli.views.fact_lines import fact_lines
from docpipe.errors import DocpipeError
from docpipe.pipeline.factory import embedded_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings, read_settings
from docpipe.sources.allowed import Trusted

_SHOWN = ("PERSON", "ORG", "LOCATION", "DATE", "MONEY", "EMAIL", "PHONE", "IBAN", "VAT_NUMBER", "URL")
_PER_LABEL = 12
_COUNTED = {"pages": "page", "chunks": "chunk", "entities": "entity", "relations": "relation"}


@dataclass(frozen=True, slots=True)
class Request:
    """What each process needs to know; small, because it crosses to the processes."""

    settings: Settings
    project_id: str | None
    reprocess: bool


@click.command(epilog="Example: docpipe run --recursive --project acme --json contracts/ > found.jsonl")
@click.argument("files", nargs=-1, required=True, metavar="FILE|FOLDER…")
@click.option("-r", "--recursive", is_flag=True, help="Folders below a FOLDER, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per document and line.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--project", "project_id", help="Group the documents under this id.")
@click.option("--reprocess", is_flag=True, help="Run again what completed before.")
@click.option("-v", "--verbose", is_flag=True, help="Show the log.")
def run(
    files: tuple[str, ...],
    recursive: bool,
    as_json: bool,
    jobs: int,
    project_id: str | None,
    reprocess: bool,
    verbose: bool,
) -> None:
    """Take documents through all stages in this process, without any service."""
    if verbose:
        from docpipe.execution.logs import configure_logging  # noqa: PLC0415 - only on request

        configure_logging(logging.INFO)
    files = tuple(chosen_files(files, recursive=recursive))
    request = Request(read_settings(), project_id, reprocess)
    failed = 0
    for result in _shown_progress(files, _results(files, request, jobs)):
        failed += result["error"] is not None
        if as_json:
            echo(json.dumps(result, ensure_ascii=False))
        else:
            _print_summary(result)
    sys.exit(1 if failed else 0)


def _results(files: Sequence[str], request: Request, jobs: int) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        pipeline = embedded_pipeline(request.settings)
        yield from (processed(pipeline, file, request) for file in files)
        return
    # spawn: engines with threads of their own must not cross a fork
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start_process, (request,)) as pool:
        for future in as_completed([pool.submit(_process_here, file) for file in files]):
            yield future.result()


_here: dict[str, Any] = {}
"""The pipeline of a `--jobs` process, made once when it starts."""


def _start_process(request: Request) -> None:
    _here["pipeline"] = embedded_pipeline(request.settings)
    _here["request"] = request


def _process_here(file: str) -> dict[str, Any]:
    return processed(_here["pipeline"], file, _here["request"])


def processed(pipeline: Pipeline, file: str, request: Request) -> dict[str, Any]:
    """What `--json` prints of one file, also where it fails."""
    shown = click.format_filename(file)  # a name that is not UTF-8 cannot be printed
    try:
        document = pipeline.process(Trusted(file), project_id=request.project_id, reprocess=request.reprocess)
    except DocpipeError as error:
        uuid = error.document_uuid
        status = pipeline.status(uuid).status if uuid else "not_submitted"
        return failed_json(error, shown, uuid, status)
    return to_json(document, shown)


def _shown_progress(files: Sequence[str], results: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results, with a bar on standard error while they come (none when that is not a terminal)."""
    console = new_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("documents", total=len(files))
        for result in results:
            bar.advance(task)
            yield result


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _print_summary(result: dict[str, Any]) -> None:
    console = new_console(soft_wrap=True)
    error, source = result["error"], shown(result["source"])
    if error:
        where = f" in stage {error['stage']}" if error["stage"] else ""
        console.print(f"[red]failed[/] {source}: {shown(error['message'])} ({error['code']}{where})")
        return
    counts = ", ".join(_count(len(result[many]), one, many) for many, one in _COUNTED.items())
    console.print(f"[green]{result['status']}[/] {source}: {counts}")
    for warning in result["warnings"]:
        page = f"page {warning['page']}: " if warning["page"] else ""
        console.print(f"  [yellow]warning[/] {page}{shown(warning['message'])} ({warning['code']})")
    for line in fact_lines(result):
        console.print(shown(line))
    table = Table("label", "entity", "mentions", "first on", "at x0, y0, x1, y1 (points)", box=None)
    for row in _entity_rows(result):
        table.add_row(*row)
    if table.row_count:
        console.print(table)
    console.print(f"  document {result['document_uuid']}")


def _entity_rows(result: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for label in _SHOWN:
        entities = [entity for entity in result["entities"] if entity["label"] == label]
        for entity in entities[:_PER_LABEL]:
            first = result["mentions"][entity["mentions"][0]]
            box = ", ".join(f"{side:.0f}" for side in first["bbox"]) if first["bbox"] else ""
            yield label, shown(entity["name"]), str(len(entity["mentions"])), f"page {first['page']}", box
        if len(entities) > _PER_LABEL:
            yield label, f"… and {len(entities) - _PER_LABEL} more", "", "", ""
