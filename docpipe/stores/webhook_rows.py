"""Webhooks and their events, to rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from docpipe.stores.webhook_port import ClaimedEvent, Delivery, Try, Webhook


def webhook_row(webhook: Webhook) -> dict[str, Any]:
    row = asdict(webhook)
    del row["created_at"]
    return row | {"events": list(webhook.events)}


def webhook_of(row: Mapping[str, Any]) -> Webhook:
    return Webhook(
        row["id"],
        row["url"],
        row["secret"],
        tuple(row["events"]),
        row["project_id"],
        datetime.fromisoformat(row["created_at"]),
    )


def event_of(row: Mapping[str, Any]) -> ClaimedEvent:
    return ClaimedEvent(
        row["id"],
        row["type"],
        datetime.fromisoformat(row["at"]),
        row["data"],
        row["attempt"],
        row["url"],
        row["secret"],
    )


def delivery_of(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        row["event_id"],
        row["type"],
        row["subject"],
        row["state"],
        row["attempt"],
        datetime.fromisoformat(row["at"]),
        Try(row["seconds"], row["status"], row["error"]),
    )


def moment_row(moment: datetime | None) -> str | None:
    """In UTC, as every store compares it."""
    return None if moment is None else moment.astimezone(UTC).isoformat()
