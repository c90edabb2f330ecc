"""`docpipe cancel|resume|retry|reap|quarantine`: documents that failed, hang, or should stop."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import click

from docpipe.cli.options import as_json, wants_json
from docpipe.cli.terminal import echo
from docpipe.errors import DocpipeError, PoisonDocumentError, TransientError
from docpipe.models.status import CANCELLED, COMPLETED, COMPLETED_WITH_WARNINGS, PENDING
from docpipe.pipeline.default import default_pipeline, store_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.values import Selection, Summary

_EVERY = 100_000
_REAPED = {
    "resume": "resumed",
    "poison": "quarantined",
    "refused": "refused by the database",
    "not_revived": "not resumed, the log says why",
    "released": "held no longer",
    "admitted": "let in, as others had ended",
    "erased": "erased for good",
    "expired": "deleted, past their time",
    "history": "statuses forgotten",
    "delivered": "webhook events delivered",
    "retried": "tries to tell a webhook failed",
    "given_up": "webhook events given up",
    "traced": "runs traced",
}
"""Outcomes of the reaper as people say them; others as they are."""


def _each(uuids: Sequence[str], act: Callable[[str], str]) -> None:
    """Do it for each document; one that fails stops nothing. Exit code 1 if any failed."""
    failed = 0
    for uuid in uuids:
        told, failure = None, None
        try:
            told = act(uuid)
        except DocpipeError as error:
            failed += 1
            failure = {"code": error.code, "message": str(error)}
        _tell(uuid, told, failure)
    sys.exit(1 if failed else 0)


def _tell(uuid: str, told: str | None, failure: Mapping[str, str] | None = None) -> None:
    if wants_json():
        echo(json.dumps({"document_uuid": uuid, "outcome": told, "error": failure}, ensure_ascii=False))
    elif failure:
        echo(f"docpipe: {uuid}: {failure['message']} ({failure['code']})", err=True)
    else:
        echo(f"{uuid} {told}")


@click.command(epilog="Example: docpipe cancel 6f1c0c9e-…")
@click.argument("uuids", nargs=-1, required=True, metavar="UUID…")
@as_json
def cancel(uuids: tuple[str, ...]) -> None:
    """Stop documents: waiting ones now, running ones at their next page."""
    pipeline = store_pipeline()

    def stop(uuid: str) -> str:
        if pipeline.cancel(uuid):
            return "stopping"
        pipeline.status(uuid)  # raises if there is no such document
        return "is final already"

    _each(uuids, stop)


@click.command(epilog="Example: docpipe delete --verify 6f1c0c9e-…")
@click.argument("uuids", nargs=-1, required=True, metavar="UUID…")
@click.option("--with-children", is_flag=True, help="Also what was found inside them and nowhere else.")
@click.option("--verify", is_flag=True, help="List every place and whether it is empty; exit code 1 if not.")
@as_json
def delete(uuids: tuple[str, ...], with_children: bool, verify: bool) -> None:
    """Remove documents with all that was made of them, and the copies that docpipe keeps of their bytes.

    What cannot be removed now, because storage or Redis is away, the reaper removes later. Documents that
    were found inside them stay, and are named, unless --with-children removes them too.
    """
    pipeline = default_pipeline()
    if verify:
        every = [each for uuid in uuids for each in pipeline.in_order(uuid, with_children=with_children)]
        good = [_is_erased(pipeline, uuid) for uuid in every]
        sys.exit(0 if all(good) else 1)

    def remove(uuid: str) -> str:
        for child in () if with_children else pipeline.store.own_children(uuid):
            _tell(child, f"stays; it was found inside {uuid}")
        if pipeline.delete(uuid, with_children=with_children):
            return "deleted"
        return "deleted; storage or Redis is away, and what is left there is removed when it answers"

    _each(uuids, remove)


def _is_erased(pipeline: Pipeline, uuid: str) -> bool:
    places = pipeline.delete_and_verify(uuid)
    for place in places:
        if wants_json():
            echo(json.dumps({"document_uuid": uuid, "place": place.name, "found": place.found}))
            continue
        told = "empty" if place.is_empty else "could not be looked at" if place.found is None else "NOT empty"
        echo(f"{uuid} {place.name}: {told}{f' ({place.found})' if place.found else ''}")
    return all(place.is_empty for place in places)


def _what(command: Callable[..., None]) -> Callable[..., None]:
    """The command with options that say what is paused, as `stage`, `project_id` and `everything`."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Everything."),
        click.option("--project", "project_id", metavar="ID", help="A project; '': documents without one."),
        click.option("--stage", metavar="STAGE", help="A stage: ocr, chunk, entities or graph."),
    ):
        command = option(command)
    return command


def _count(stage: str | None, project_id: str | None, everything: bool, *more: object) -> int:
    return sum([stage is not None, project_id is not None, everything, *map(bool, more)])


@click.command(epilog="Example: docpipe pause --stage ocr")
@_what
def pause(stage: str | None, project_id: str | None, everything: bool) -> None:
    """Let no work begin at a stage, at a project's documents, or at anything.

    What works already ends its stage. It holds until docpipe resume, whatever restarts.
    """
    if _count(stage, project_id, everything) != 1:
        raise click.UsageError("Say what: --stage, --project or --all.")
    new = default_pipeline().pause(stage=stage, project_id=project_id)
    echo("paused" if new else "was paused before", err=True)


@click.command(epilog="Example: docpipe resume 6f1c0c9e-…, or docpipe resume --stage ocr")
@click.argument("uuids", nargs=-1, metavar="[UUID…]")
@_what
@as_json
def resume(uuids: tuple[str, ...], stage: str | None, project_id: str | None, everything: bool) -> None:
    """Let failed or cancelled documents go on from their first incomplete stage; or end a pause."""
    if _count(stage, project_id, everything, uuids) != 1:
        raise click.UsageError("Name documents, or what is paused: --stage, --project or --all.")
    pipeline = default_pipeline()
    if not uuids:
        count = pipeline.unpause(stage=stage, project_id=project_id)
        echo(f"{count} documents that were held go on", err=True)
        return

    def go_on(uuid: str) -> str:
        if pipeline.resume(uuid):
            return "resumed"
        pipeline.status(uuid)  # raises if there is no such document
        return "has nothing to resume"

    _each(uuids, go_on)


@click.command(epilog="Example: docpipe retry --failed --stage ocr --since 2026-01-31 --dry-run")
@click.option("--failed", is_flag=True, help="Documents whose status is an error.")
@click.option("--cancelled", is_flag=True, help="Documents that were cancelled.")
@click.option("--pending", is_flag=True, help="Documents that could not be published.")
@click.option("--completed", is_flag=True, help="Documents that completed; needs --from-stage.")
@click.option("--failed-pages", is_flag=True, help="Completed documents with pages that could not be read.")
@click.option("--error-class", "error_code", metavar="CODE", help="Failed with this error code.")
@click.option("--stage", help="Failed in, or waiting for, this stage.")
@click.option("--project", "project_id", help="Of this project.")
@click.option("--engine", help="Worked on by this engine (the beginning of its name).")
@click.option("--docpipe-version", metavar="VERSION", help="Worked on by this docpipe (its beginning).")
@click.option("--file-type", metavar="TYPE", help="Of this MIME type, or name ending: pdf.")
@click.option(
    "--confidence-below", type=click.FloatRange(0, 1), help="A page was recognised with less than this."
)
@click.option("--since", type=click.DateTime(), help="Changed at or after this time (local).")
@click.option("--until", type=click.DateTime(), help="Changed before this time (local).")
@click.option("--from-stage", metavar="STAGE", help="Begin a new run from this stage instead of resuming.")
@click.option("--limit", type=click.IntRange(1), default=_EVERY, help="At most this many, newest first.")
@click.option("--dry-run", is_flag=True, help="Only list what would be retried.")
@as_json
def retry(dry_run: bool, **options: Any) -> None:
    """Retry the documents that match: resume them, or process them again from a stage.

    With --failed-pages, read again only the pages that could not be read.
    """
    wanted = _Wanted(**options)
    wanted.check()
    pipeline = default_pipeline()
    found = wanted.found(pipeline)
    if dry_run:
        _list(found)
        echo(f"docpipe: {len(found)} documents match; nothing was changed", err=True)
        return
    _each([summary.document_uuid for summary in found], lambda uuid: wanted.again(pipeline, uuid))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which documents `retry` resumes, and how: its options."""

    failed: bool
    cancelled: bool
    pending: bool
    completed: bool
    failed_pages: bool
    error_code: str | None
    stage: str | None
    project_id: str | None
    engine: str | None
    docpipe_version: str | None
    file_type: str | None
    confidence_below: float | None
    since: datetime | None
    until: datetime | None
    from_stage: str | None
    limit: int

    def check(self) -> None:
        """Raises `click.UsageError` for options that make no sense together."""
        kinds = self.failed or self.cancelled or self.pending or self.completed or self.error_code
        if self.failed_pages and (self.from_stage or kinds):
            raise click.UsageError(
                "--failed-pages stands alone: it takes only --project, --since, --until, --limit."
            )
        if self.completed and not self.from_stage:
            raise click.UsageError("--completed needs --from-stage: a completed run has nothing to resume.")
        if not (kinds or self.failed_pages):
            raise click.UsageError(
                "Say which: --failed, --error-class, --cancelled, --pending, --completed or --failed-pages."
            )

    def found(self, pipeline: Pipeline) -> list[Summary]:
        selection = Selection(
            status=tuple(self._statuses(pipeline)),
            error_code=self.error_code,
            stage=self.stage,
            project_id=self.project_id,
            engine=self.engine,
            docpipe_version=self.docpipe_version,
            file_type=self.file_type,
            confidence_below=self.confidence_below,
            since=self.since and self.since.astimezone(),
            until=self.until and self.until.astimezone(),
        )
        found = pipeline.store.documents(selection, limit=self.limit)
        if self.failed_pages:
            return [each for each in found if pipeline.status(each.document_uuid).failed_pages]
        return found

    def _statuses(self, pipeline: Pipeline) -> Iterator[str]:
        if self.failed or self.error_code:
            yield from (spec.words.error for spec in pipeline.stages)
        if self.cancelled:
            yield CANCELLED
        if self.pending:
            yield PENDING
        if self.completed:
            yield COMPLETED
        if self.completed or self.failed_pages:
            yield COMPLETED_WITH_WARNINGS

    def again(self, pipeline: Pipeline, uuid: str) -> str:
        """Do it for one document, and say what was done."""
        if self.failed_pages:
            return "reads its failed pages again" if pipeline.retry_pages(uuid) else "has no failed pages"
        if self.from_stage:
            pipeline.reprocess(uuid, from_stage=self.from_stage)
            return f"begins a new run from {self.from_stage}"
        return "resumed" if pipeline.resume(uuid) else "has nothing to resume"


def _list(found: Sequence[Summary]) -> None:
    for each in found:
        if wants_json():
            echo(json.dumps(asdict(each), ensure_ascii=False, default=str))
            continue
        why = f" {each.error_code}: {each.error_message}" if each.error_code else ""
        echo(f"{each.document_uuid} {each.status} {each.name}{why}")


@click.command(epilog="Example: docpipe reap --every 30")
@click.option("--every", type=float, metavar="SECONDS", help="Go on, with this pause; else look once.")
@as_json
def reap(every: float | None) -> None:
    """Resume documents that lost their worker or message. Celery beat does the same (docpipe.reap)."""
    pipeline = default_pipeline()
    while True:
        try:
            outcomes = pipeline.reap()
            told = ", ".join(f"{count} {_REAPED.get(each, each)}" for each, count in sorted(outcomes.items()))
            if wants_json():
                echo(json.dumps({_REAPED.get(each, each): count for each, count in sorted(outcomes.items())}))
            elif told or not every:
                echo(told or "nothing to resume", err=bool(every))
        except TransientError as error:
            if not every:
                raise
            echo(f"docpipe: {error} Trying again in {every:g} s.", err=True)
        if not every:
            return
        time.sleep(every)


@click.group(epilog="Example: docpipe quarantine release --all")
def quarantine() -> None:
    """Documents that were started too often and never ended."""


def _poisoned(limit: int = _EVERY) -> list[Summary]:
    return default_pipeline().store.documents(Selection(error_code=PoisonDocumentError.code), limit=limit)


@quarantine.command("list", epilog="Example: docpipe quarantine list --json")
@as_json
def list_() -> None:
    """List them with their last error."""
    _list(_poisoned())


@quarantine.command(epilog="Example: docpipe quarantine release 6f1c0c9e-…")
@click.argument("uuids", nargs=-1, metavar="[UUID…]")
@click.option("--all", "everything", is_flag=True, help="Release all of them.")
@as_json
def release(uuids: tuple[str, ...], everything: bool) -> None:
    """Let them go on, with their attempts counted from zero."""
    if bool(uuids) == everything:
        raise click.UsageError("Name the documents, or give --all.")
    pipeline = default_pipeline()
    poisoned = [summary.document_uuid for summary in _poisoned()]

    def act(uuid: str) -> str:
        if uuid not in poisoned:
            return "is not in quarantine"
        return "released" if pipeline.resume(uuid) else "has nothing to resume"

    _each(poisoned if everything else uuids, act)
