"""`docpipe batch`: documents that were submitted under one name."""

from __future__ import annotations

import json
import sys

import click

from docpipe.cli.terminal import echo
from docpipe.errors import WaitTimeoutError
from docpipe.pipeline.batch import Batch, BatchStatus
from docpipe.pipeline.default import store_pipeline


@click.command(epilog="Example: docpipe batch monday --report")
@click.argument("name")
@click.option("--wait", "timeout", type=float, metavar="SECONDS", help="Wait until all are final.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Failures to list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def batch(name: str, timeout: float | None, limit: int, as_json: bool) -> None:
    """Show how far the documents of a batch are, and each that failed with its reason.

    Exit code 1: some failed, were cancelled, or are not final after --wait.
    """
    found = store_pipeline().batch(name)
    in_time = timeout is None or _ended(found, timeout)
    status = found.status()
    (_print_json if as_json else _print)(found, status, limit)
    sys.exit(0 if in_time and not status.failed + status.cancelled else 1)


def _ended(found: Batch, timeout: float) -> bool:
    try:
        found.wait(timeout)
    except WaitTimeoutError as error:
        echo(f"docpipe: {error}", err=True)
        return False
    return True


def _print(found: Batch, status: BatchStatus, limit: int) -> None:
    counts = ", ".join(f"{count} {word}" for word, count in sorted(status.statuses.items()))
    echo(f"{status.documents} documents: {counts}")
    for each in found.report(limit=limit):
        reason = f"{each.error_message} ({each.error_code})" if each.error_code else each.status
        echo(f"{each.document_uuid}  {each.name}: {reason}")


def _print_json(found: Batch, status: BatchStatus, limit: int) -> None:
    failures = [
        {
            "document_uuid": each.document_uuid,
            "name": each.name,
            "status": each.status,
            "code": each.error_code,
            "message": each.error_message,
        }
        for each in found.report(limit=limit)
    ]
    told = {"batch": status.name, "documents": status.documents, "statuses": dict(status.statuses)}
    echo(json.dumps(told | {"failures": failures}, ensure_ascii=False))
