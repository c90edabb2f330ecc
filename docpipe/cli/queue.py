"""`docpipe queue`: hand an old `document_processing_queue` over to docpipe, and close it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from docpipe.cli.database import database_part, dsn
from docpipe.cli.terminal import echo
from docpipe.pipeline.default import default_pipeline


@click.group(epilog="Example: docpipe queue import --dry-run")
def queue() -> None:
    """Leave an existing document_processing_queue."""


@queue.command("import", epilog="Example: docpipe queue import --dry-run")
@click.option("--dry-run", is_flag=True, help="Only list the rows that would be handed over.")
@click.option("--stranded", is_flag=True, help="Also open documents that no row of the queue names.")
@click.option("--batch", type=click.IntRange(1), default=100, show_default=True, help="Rows read at a time.")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that relative paths start from.",
)
@click.option("--bucket", help="The S3 bucket of rows that have a key and no bucket.")
def import_(dry_run: bool, stranded: bool, batch: int, root: Path | None, bucket: str | None) -> None:
    """Submit the pending and interrupted rows to the workers, each once; may be killed and run again."""
    part = database_part("queue.importing")
    if dry_run:
        _list_open(part, stranded)
        return
    where = part.Where(root.absolute() if root else None, bucket)
    outcomes = part.import_rows(
        dsn(), default_pipeline(), batch=batch, with_stranded=stranded, where=where, tell=_tell
    )
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    echo(f"docpipe: {told or 'nothing to import'}", err=True)
    sys.exit(1 if outcomes["unreadable"] or outcomes["no_document"] else 0)


def _tell(done: Any) -> None:
    echo(f"{_name(done)} {done.outcome}{f': {done.note}' if done.note else ''}")


def _name(each: Any) -> str:
    """Row and document; one that has no row is named once."""
    uid = each.document_uuid or "-"
    return str(each.row) if uid in each.row else f"{each.row} {uid}"


def _list_open(part: ModuleType, stranded: bool) -> None:
    rows = part.listed(dsn(), with_stranded=stranded)
    for each in rows:
        echo(f"{_name(each)} {each.work} ({each.status})")
    what = "rows and documents" if stranded else "rows"
    echo(f"docpipe: {len(rows)} {what} would be handed over; nothing was changed", err=True)


@queue.command(epilog="Example: docpipe queue seal")
def seal() -> None:
    """Stop new rows from being added to the old queue."""
    done = database_part("queue.importing").seal(dsn())
    for told in done:
        echo(told)
    if not done:
        echo("nothing to do: the queue is sealed")


@queue.command(epilog="Example: docpipe queue unseal")
def unseal() -> None:
    """Undo `seal`."""
    done = database_part("queue.importing").unseal(dsn())
    echo("the queue takes rows again" if done else "nothing to do: the queue is not sealed")
