"""Webhooks in Postgres: calls of `sql/*_docpipe_webhooks.sql`."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from docpipe.stores import webhook_rows as rows
from docpipe.stores.webhook_port import ClaimedEvent, Delivery, Try, Webhook


@dataclass(frozen=True, slots=True)
class FunctionWebhooks:
    """`docpipe.stores.webhook_port.WebhookStore` over the calls of a `FunctionStore`."""

    rpc: Callable[..., Any]

    def add(self, webhook: Webhook) -> None:
        self.rpc("add_webhook", p_webhook=json.dumps(rows.webhook_row(webhook)))

    def list(self, project_id: str | None = None) -> builtins.list[Webhook]:
        return [rows.webhook_of(row) for row in self.rpc("list_webhooks", p_project=project_id)]

    def remove(self, webhook_id: str) -> bool:
        return bool(self.rpc("remove_webhook", p_id=webhook_id))

    def due(self) -> tuple[str, ...]:
        return tuple(self.rpc("due_webhooks"))

    def claim(self, webhook_id: str, lease_seconds: float) -> ClaimedEvent | None:
        row = self.rpc("claim_event", p_webhook=webhook_id, p_lease_seconds=lease_seconds)
        return None if row is None else rows.event_of(row)

    def note(self, event: ClaimedEvent, outcome: Try, again_seconds: float | None) -> bool:
        noted = self.rpc(
            "note_delivery",
            p_event=event.id,
            p_attempt=event.attempt,
            p_delivery=json.dumps(asdict(outcome)),
            p_again_seconds=again_seconds,
        )
        return bool(noted)

    def log(self, webhook_id: str, *, limit: int = 50) -> tuple[Delivery, ...]:
        found = self.rpc("list_deliveries", p_webhook=webhook_id, p_limit=limit)
        return tuple(rows.delivery_of(row) for row in found)

    def replay(
        self,
        webhook_id: str,
        *,
        event_id: str | None = None,
        since: datetime | None = None,
        given_up: bool = False,
    ) -> int:
        selection = json.dumps({"since": rows.moment_row(since), "given_up": given_up})
        return int(self.rpc("replay_events", p_webhook=webhook_id, p_event=event_id, p_selection=selection))
