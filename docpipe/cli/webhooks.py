"""`docpipe webhooks`: who is told when documents end."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime

import click
from rich.table import Column, Table

from docpipe.cli.console import new_console, shown
from docpipe.cli.terminal import echo
from docpipe.errors import TransientError
from docpipe.models.masking import masked
from docpipe.pipeline.default import store_pipeline
from docpipe.pipeline.webhooks import EVENTS, Webhooks
from docpipe.stores.webhook_port import Delivery, Webhook

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


@click.group(epilog="Example: docpipe webhooks add https://example.com/docpipe --project acme")
def webhooks() -> None:
    """Addresses that are told when documents end, by signed messages (standardwebhooks.com)."""


@webhooks.command(epilog="Example: docpipe webhooks add https://example.com/docpipe --event document.failed")
@click.argument("url")
@click.option(
    "--event", "events", type=click.Choice(EVENTS), multiple=True, help="Only this; again for more. Else all."
)
@click.option("--project", "project_id", help="Only of documents of this project.")
@click.option("--secret", metavar="SECRET", help="One that you have already, whsec_…; else one is made.")
@as_json
def add(url: str, events: tuple[str, ...], project_id: str | None, secret: str | None, as_json: bool) -> None:
    """Tell URL of what ends from now on. The secret, by which it knows us, is shown this once."""
    added = store_pipeline().webhooks.add(url, events=events or EVENTS, project_id=project_id, secret=secret)
    if as_json:
        echo(json.dumps({"id": added.id, "secret": added.secret}))
    else:
        echo(added.id)
        echo(f"secret: {added.secret}")


@webhooks.command("list", epilog="Example: docpipe webhooks list --project acme")
@click.option("--project", "project_id", help="Only those of this project.")
@as_json
def list_(project_id: str | None, as_json: bool) -> None:
    """List them, without their secrets."""
    found = store_pipeline().webhooks.list(project_id)
    if as_json:
        for each in found:
            echo(json.dumps(_told(each), ensure_ascii=False, default=str))
        return
    table = Table(Column("webhook", no_wrap=True), "address", "project", "events", box=None)
    for each in found:
        events = "all" if set(each.events) == set(EVENTS) else " ".join(each.events)
        table.add_row(each.id, shown(masked(each.url)), shown(each.project_id or ""), shown(events))
    new_console().print(table)


def _told(webhook: Webhook) -> dict[str, object]:
    row = asdict(webhook) | {"url": masked(webhook.url)}
    del row["secret"]
    return row


@webhooks.command(epilog="Example: docpipe webhooks remove 0c1e…")
@click.argument("webhook_id", metavar="WEBHOOK")
def remove(webhook_id: str) -> None:
    """Remove one, with what it was still to be told and its log."""
    _desk_of(webhook_id).remove(webhook_id)
    echo(f"{webhook_id} removed")


def _desk_of(webhook_id: str) -> Webhooks:
    desk = store_pipeline().webhooks
    if all(each.id != webhook_id for each in desk.list()):
        raise click.UsageError(f"there is no webhook {webhook_id}. See: docpipe webhooks list")
    return desk


@webhooks.command(epilog="Example: docpipe webhooks log 0c1e… --limit 10")
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The most lines.")
@as_json
def log(webhook_id: str, limit: int, as_json: bool) -> None:
    """Show the newest tries to tell it, newest first."""
    for each in _desk_of(webhook_id).log(webhook_id, limit=limit):
        if as_json:
            echo(json.dumps(_tried(each), ensure_ascii=False, default=str))
        else:
            outcome = each.outcome.error or f"delivered ({each.outcome.status})"
            when = each.at.astimezone().isoformat(sep=" ", timespec="seconds")
            echo(f"{when} {each.event_id} {each.type} {each.subject} try {each.attempt}: {outcome}")


def _tried(delivery: Delivery) -> dict[str, object]:
    row = asdict(delivery)
    outcome: dict[str, object] = row.pop("outcome")
    return row | outcome


@webhooks.command(epilog="Example: docpipe webhooks replay 0c1e… --given-up")
@click.argument("webhook_id", metavar="WEBHOOK")
@click.argument("event_id", metavar="[EVENT]", required=False)
@click.option("--since", type=click.DateTime(), help="Events of this time (local) and later.")
@click.option("--given-up", is_flag=True, help="Only events that could not be delivered.")
def replay(webhook_id: str, event_id: str | None, since: datetime | None, given_up: bool) -> None:
    """Tell again what has been told or given up: one event, or all that the options leave."""
    if not (event_id or since or given_up):
        raise click.UsageError("Say which: EVENT, --since or --given-up.")
    moment = since and since.astimezone()
    number = _desk_of(webhook_id).replay(webhook_id, event_id=event_id, since=moment, given_up=given_up)
    echo(f"{number} due again")


@webhooks.command(epilog="Example: docpipe webhooks deliver --every 1")
@click.option(
    "--every", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Go on, with this pause; else once."
)
def deliver(every: float | None) -> None:
    """Deliver what is due. The reaper does so too; this is for those who cannot wait for it."""
    desk = store_pipeline().webhooks
    while True:
        try:
            _print_outcomes(desk.deliver(seconds=60.0), quiet=every is not None)
        except TransientError as error:
            if every is None:
                raise
            echo(f"docpipe: {error} Trying again in {every:g} s.", err=True)
        if every is None:
            return
        time.sleep(every)


def _print_outcomes(outcomes: Counter[str], *, quiet: bool) -> None:
    told = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in sorted(outcomes.items()))
    if told or not quiet:
        echo(told or "nothing is due", err=quiet)
