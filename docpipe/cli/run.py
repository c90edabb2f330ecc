"""`docpipe run FILE…`: documents through all stages in this machine, without services."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from docpipe.cli.chosen import chosen_files
from docpipe.cli.console import new_console, shown
from docpipe.cli.page_progress import PageProgress, Step, Steps
from docpipe.cli.terminal import echo
from docpipe.cli.views.document_json import failed_json, to_json
from docpipe.cli.views.fact_lines import fact_lines
from docpipe.errors import DocpipeError
from docpipe.models import Document
from docpipe.models.status import Stage
from docpipe.pipeline.factory import embedded_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings, read_settings
from docpipe.sources.allowed import Trusted

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

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
    with PageProgress(len(files), list(Stage)) as progress:
        for result in chain.from_iterable(_results(files, request, jobs, progress)):
            failed += result["error"] is not None
            with progress.aside():
                echo(json.dumps(result, ensure_ascii=False)) if as_json else _print_summary(result)
    sys.exit(1 if failed else 0)


def _results(
    files: Sequence[str], request: Request, jobs: int, progress: PageProgress
) -> Iterator[Iterable[dict[str, Any]]]:
    """What `--json` prints of each file, as it comes; the progress is told of every step."""
    if jobs == 1:
        one = _Process(request, progress.tell)
        for file in files:
            yield one.processed(file)
            progress.end(file)
        return
    spawn = get_context("spawn")  # engines with threads of their own must not cross a fork
    steps = spawn.SimpleQueue()
    with (
        ProcessPoolExecutor(jobs, spawn, _start_process, (request, steps)) as pool,
        _told_by(steps, progress.tell),
    ):
        waiting = {pool.submit(_process_here, file): file for file in files}
        for future in as_completed(waiting):
            progress.end(waiting[future])
            yield future.result()


class _Process:
    """Takes one file after the other through the stages."""

    def __init__(self, request: Request, tell: Callable[[Step], None]) -> None:
        self._steps, self._request = Steps(tell), request
        self._pipeline = embedded_pipeline(request.settings, self._steps)

    def processed(self, file: str) -> Iterator[dict[str, Any]]:
        self._steps.document = file
        return processed(self._pipeline, file, self._request)


_here: dict[str, _Process] = {}
"""That of a `--jobs` process, made once when it starts."""


def _start_process(request: Request, steps: SimpleQueue[Step | None]) -> None:
    _here["process"] = _Process(request, steps.put)


def _process_here(file: str) -> list[dict[str, Any]]:
    return list(_here["process"].processed(file))


@contextmanager
def _told_by(steps: SimpleQueue[Step | None], tell: Callable[[Step], None]) -> Iterator[None]:
    """Hands on what comes from other processes meanwhile."""

    def hand_on() -> None:
        for step in iter(steps.get, None):
            tell(step)

    thread = threading.Thread(target=hand_on, name="docpipe-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        steps.put(None)
        thread.join()


def processed(pipeline: Pipeline, file: str, request: Request) -> Iterator[dict[str, Any]]:
    """What `--json` prints of one file, also where it fails, and then of each document found inside it."""
    shown = click.format_filename(file)  # a name that is not UTF-8 cannot be printed
    try:
        document = pipeline.process(Trusted(file), project_id=request.project_id, reprocess=request.reprocess)
    except DocpipeError as error:
        uuid = error.document_uuid
        status = pipeline.status(uuid).status if uuid else "not_submitted"
        yield failed_json(error, shown, uuid, status)
    else:
        yield to_json(document, shown)
        yield from _found_inside(pipeline, document, shown, {document.document_uuid})


def _found_inside(
    pipeline: Pipeline, document: Document, source: str, seen: set[str]
) -> Iterator[dict[str, Any]]:
    """Each document at any depth, once; `seen` grows."""
    for child in document.children:
        if child.document_uuid is not None and child.document_uuid not in seen:
            seen.add(child.document_uuid)
            found, name = pipeline.get(child.document_uuid), f"{source}/{child.name}"
            yield to_json(found, name)
            yield from _found_inside(pipeline, found, name, seen)


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
    inside = f", {len(result['children'])} found inside it" if result["children"] else ""
    console.print(f"[green]{result['status']}[/] {source}: {counts}{inside}")
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
