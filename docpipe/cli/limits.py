"""`docpipe limits`: how many documents are in flight, and whose turn it is."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import click
from rich.table import Table

from docpipe.cli.console import new_console, shown
from docpipe.cli.options import as_json, wants_json
from docpipe.cli.terminal import echo
from docpipe.pipeline.default import default_pipeline, store_pipeline
from docpipe.stores.share_port import Limit, Share, limit_of


@click.command(
    epilog="Example: docpipe limits --all --in-flight 5000; docpipe limits --project acme --weight 3"
)
@click.option("--all", "everything", is_flag=True, help="Limit all documents together.")
@click.option("--project", "project_id", metavar="ID", help="Limit a project; '': documents without one.")
@click.option("--in-flight", type=click.IntRange(1), metavar="N", help="So many are published at a time.")
@click.option(
    "--per-day", type=click.IntRange(1), metavar="N", help="So many are let in during a day of UTC."
)
@click.option("--weight", type=float, metavar="W", help="The project's part where several wait. At first 1.")
@click.option("--off", is_flag=True, help="Take the limit and the weight away.")
@as_json
def limits(
    everything: bool,
    project_id: str | None,
    in_flight: int | None,
    per_day: int | None,
    weight: float | None,
    off: bool,
) -> None:
    """Show how many documents are in flight and wait; or limit that.

    Beyond a limit, documents stay pending and are published as others end: by priority, and among equals the
    project that has the least in flight for its weight. What is not named stays as it was.
    """
    changes = {"in_flight": in_flight, "per_day": per_day, "weight": weight}
    named: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    if not everything and project_id is None:
        if named or off:
            raise click.UsageError("Say of what: --all or --project ID.")
        _show()
        return
    if (everything and project_id is not None) or bool(named) == off:
        raise click.UsageError("Name --all or --project, and --in-flight, --per-day or --weight, or --off.")
    pipeline = default_pipeline()
    present = limit_of(pipeline.limits(), project_id)
    count = pipeline.limit(Limit(project_id) if off else replace(present, **named))
    echo(f"{count} documents that waited go on", err=True)


def _show() -> None:
    pipeline = store_pipeline()
    found, shares = pipeline.store.limits(), pipeline.store.shares()
    if wants_json():
        for row in (*map(_limit_row, found), *map(asdict, shares)):
            echo(json.dumps(row, ensure_ascii=False))
        return
    table = Table("project", "in flight", "at most", "waiting", "today", "at most", "weight", box=None)
    by_project = {each.project_id: each for each in found}
    counts = zip(*((each.in_flight, each.waiting, each.today) for each in shares), strict=True)
    _add(table, "all", Share(None, *map(sum, counts)), by_project.get(None, Limit()))
    for share in shares:
        if share.project_id is not None:
            _add(table, share.project_id or "(none)", share, by_project.get(share.project_id, Limit()))
    new_console().print(table)


def _limit_row(limit: Limit) -> dict[str, object]:
    return {"limit": asdict(limit)}


def _add(table: Table, name: str, share: Share, limit: Limit) -> None:
    cells = (share.in_flight, limit.in_flight, share.waiting, share.today, limit.per_day, f"{limit.weight:g}")
    table.add_row(shown(name), *("" if cell is None else str(cell) for cell in cells))
