"""`docpipe watch` and `docpipe s3`: documents that come by themselves."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import click

from docpipe.cli.terminal import echo
from docpipe.errors import MissingExtraError
from docpipe.execution.logs import configure_logging
from docpipe.models.masking import masked
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.intake.choose import DOCUMENTS, IMAGES, UNFINISHED, Choice
from docpipe.pipeline.intake.folder import Folder, Watcher
from docpipe.pipeline.intake.journal import Journal
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import data_folder, read_settings

_PATTERNS = (*DOCUMENTS, *IMAGES)


def _module(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or name, extra) from error


def _told_to_stop() -> Event:
    """Set at SIGTERM and SIGINT; a log line per document is shown from now on."""
    configure_logging(logging.INFO, as_json=read_settings().log_json)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that all ways of intake have."""
    for option in reversed(
        (
            click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Names to take."),
            click.option("--ignore", "ignored", multiple=True, metavar="GLOB", help="Names to leave, too."),
            click.option("--project", "project_id", help="Group the documents under this id."),
            click.option("--priority", type=click.IntRange(0, 9), help="0 goes first."),
        )
    ):
        command = option(command)
    return command


def _choice(patterns: tuple[str, ...], ignored: tuple[str, ...]) -> Choice:
    return Choice(patterns or _PATTERNS, (*UNFINISHED, *ignored))


def _journal(pipeline: Pipeline, place: str, project_id: str | None) -> Path:
    """One per store, project and place, in the user's data folder: the place itself may be read-only."""
    told = "\n".join((pipeline.store.fingerprint, project_id or "", place))
    name = sha256(told.encode(errors="surrogateescape")).hexdigest()[:16]
    return data_folder() / "intake" / f"{name}.db"


@click.command(epilog="Example: docpipe watch incoming/ --recursive --project acme")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-r", "--recursive", is_flag=True, help="Folders below it, too.")
@click.option("--in-place", is_flag=True, help="Leave files where they are, and remember them.")
@click.option("--done", type=click.Path(path_type=Path), help="Where taken files go. Default: FOLDER/done.")
@click.option("--failed", type=click.Path(path_type=Path), help="Files that cannot be taken. FOLDER/failed.")
@click.option("--stable", type=click.FloatRange(0), default=5.0, show_default=True, metavar="SECONDS")
@click.option("--poll", type=click.FloatRange(0.1), metavar="SECONDS", help="For network drives.")
@click.option("--once", is_flag=True, help="Take what is there, and exit.")
@_choosing
def watch(
    folder: Path,
    recursive: bool,
    in_place: bool,
    done: Path | None,
    failed: Path | None,
    stable: float,
    poll: float | None,
    once: bool,
    patterns: tuple[str, ...],
    ignored: tuple[str, ...],
    project_id: str | None,
    priority: int | None,
) -> None:
    """Submit the files of a folder, those that are there and those that come."""
    if in_place and (done or failed):
        raise click.UsageError("--in-place leaves files where they are: --done and --failed make no sense.")
    pipeline, path = default_pipeline(), folder.resolve()
    wanted = Folder(
        path,
        done=None if in_place else (done or path / "done").resolve(),
        failed=None if in_place else (failed or path / "failed").resolve(),
        journal=_journal(pipeline, str(path), project_id) if in_place else None,
        recursive=recursive,
        stable_seconds=stable,
        choice=_choice(patterns, ignored),
        project_id=project_id,
        priority=priority,
    )
    watching = _module("docpipe.pipeline.intake.watch", "watch")
    stop = _told_to_stop()
    watcher = Watcher(pipeline, wanted)
    try:
        if once:
            _until_empty(watcher, stop)
        else:
            echo(f"docpipe: watching {path}", err=True)
            watching.watch(watcher, wanted, stop, poll_seconds=poll)
    finally:
        watcher.close()


def _until_empty(watcher: Watcher, stop: Event) -> None:
    """Look until no file waits to become whole; one that cannot be taken now is left."""
    seen = 0
    while (wait := watcher.look()) is not None and seen < 2 and not stop.is_set():
        seen += 1
        stop.wait(wait)


@click.group(epilog="Example: docpipe s3 sync s3://bucket/contracts/")
def s3() -> None:
    """Submit objects from S3."""


@s3.command("sync", epilog="Example: docpipe s3 sync s3://bucket/contracts/ --pattern '*.pdf'")
@click.argument("uri", metavar="s3://BUCKET/PREFIX")
@_choosing
def sync(uri: str, patterns: tuple[str, ...], ignored: tuple[str, ...], **options: Any) -> None:
    """Submit what lies below a prefix and is new or changed; prints one uuid per line."""
    taking = _module("docpipe.pipeline.intake.s3", "s3")
    intake = taking.Intake(_choice(patterns, ignored), **options)
    pipeline = default_pipeline()
    journal = Journal(_journal(pipeline, uri, intake.project_id))
    failed = 0
    try:
        for taken in taking.sync(pipeline, uri, intake, journal):
            if taken.error is None:
                echo(taken.document_uuid)
            else:
                failed += 1
                echo(f"docpipe: {masked(taken.uri)}: {taken.error}", err=True)
    finally:
        journal.close()
    sys.exit(1 if failed else 0)


@s3.command("listen", epilog="Example: docpipe s3 listen document-events")
@click.argument("queue", metavar="QUEUE")
@_choosing
def listen(queue: str, patterns: tuple[str, ...], ignored: tuple[str, ...], **options: Any) -> None:
    """Submit what the S3 event messages of an SQS queue name; QUEUE is its name or address."""
    taking = _module("docpipe.pipeline.intake.s3", "s3")
    stop = _told_to_stop()
    listener = taking.Listener(
        default_pipeline(), queue, taking.Intake(_choice(patterns, ignored), **options)
    )
    echo(f"docpipe: listening to {queue}", err=True)
    if not listener.has_dead_letters:
        echo(
            "docpipe: the queue has no dead-letter queue: a message that can never be taken is logged and"
            f" given up after {taking.ATTEMPTS} attempts.",
            err=True,
        )
    listener.listen(stop)
