"""`docpipe list` and `docpipe wait`: which documents there are, and how they end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

import click

from docpipe.cli.documents import print_table
from docpipe.cli.page_progress import PageProgress, live_step
from docpipe.cli.terminal import echo
from docpipe.errors import DocpipeError
from docpipe.models import DocumentStatus
from docpipe.models.status import CANCELLED, COMPLETED, COMPLETED_WITH_WARNINGS, PENDING
from docpipe.pipeline.default import store_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.values import Selection

_FAILED = "failed"


@click.command("list", epilog="Example: docpipe list --status failed --project acme --json")
@click.option("--status", "words", multiple=True, metavar="STATUS", help="A status, or failed: any error.")
@click.option("--project", "project_id", help="Of this project.")
@click.option("--parent", metavar="UUID", help="Found inside this document.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per document and line.")
def list_documents(
    words: tuple[str, ...], project_id: str | None, parent: str | None, limit: int, as_json: bool
) -> None:
    """List documents, those that changed last first."""
    pipeline = store_pipeline()
    statuses = tuple(each for word in words for each in _statuses(pipeline, word)) or None
    selection = Selection(status=statuses, project_id=project_id, parent=parent)
    found = pipeline.store.documents(selection, limit=limit)
    if as_json:
        for summary in found:
            echo(json.dumps(asdict(summary), ensure_ascii=False, default=str))
    else:
        print_table([asdict(summary) for summary in found])


def _statuses(pipeline: Pipeline, word: str) -> Sequence[str]:
    words = [stage.words for stage in pipeline.stages]
    errors = [each.error for each in words]
    if word == _FAILED:
        return errors
    passing = [status for each in words for status in (each.queued, each.processing, each.complete)]
    known = [PENDING, *passing, COMPLETED, COMPLETED_WITH_WARNINGS, CANCELLED, *errors]
    if word in known:
        return [word]
    near = get_close_matches(word, [_FAILED, *known], n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join([_FAILED, *known])}."
    raise click.BadParameter(f"{word!r} is no status. {hint}", param_hint="--status")


@click.command(epilog="Example: docpipe wait $(docpipe submit *.pdf) --timeout 600")
@click.argument("uuids", nargs=-1, required=True, metavar="UUID…")
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="For all; for ever if not given."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per document and line.")
def wait(uuids: tuple[str, ...], timeout: float | None, as_json: bool) -> None:
    """Wait until documents are final, and say how each ended; exit code 1 unless all completed."""
    failed = False
    for end in how_they_end(store_pipeline(), {uuid: uuid for uuid in uuids}, timeout):
        error = end["error"]
        failed = failed or error is not None
        told = f": {error['message']} ({error['code']})" if error else ""
        text = f"{end['document_uuid']} {end['status'] or 'unknown'}{told}"
        echo(json.dumps(end, ensure_ascii=False) if as_json else text)
    sys.exit(1 if failed else 0)


def how_they_end(
    pipeline: Pipeline, names: Mapping[str, str], timeout: float | None
) -> Iterator[dict[str, Any]]:
    """`document_uuid`, `status` and `error` (null, or code, message and stage) of each document.

    A terminal shows how far they are meanwhile.

    Args:
        names: the documents by their ids, as they are to be shown.
    """
    with PageProgress(len(names), [stage.name for stage in pipeline.stages]) as progress:
        for end in _ends(pipeline, names, timeout, progress):
            progress.end(names[end["document_uuid"]])
            with progress.aside():
                yield end


def _ends(
    pipeline: Pipeline, names: Mapping[str, str], timeout: float | None, progress: PageProgress
) -> Iterator[dict[str, Any]]:
    def on_look(status: DocumentStatus) -> None:
        if progress.shows and (step := live_step(pipeline, names[status.document_uuid], status)):
            progress.tell(step)

    deadline = None if timeout is None else time.monotonic() + timeout
    for uuid in names:
        rest = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            yield {"document_uuid": uuid, "status": pipeline.wait(uuid, rest, on_look).status, "error": None}
        except DocpipeError as error:
            failure = {"code": error.code, "message": str(error), "stage": error.stage}
            yield {"document_uuid": uuid, "status": _status(pipeline, uuid), "error": failure}


def _status(pipeline: Pipeline, uuid: str) -> str | None:
    try:
        return pipeline.status(uuid).status
    except DocpipeError:
        return None  # the error that is told says why
