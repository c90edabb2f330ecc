"""Webhooks in SQLite: the functions of `sql/*_docpipe_webhooks.sql`, each one transaction."""

from __future__ import annotations

import builtins
import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docpipe.stores import webhook_rows as rows
from docpipe.stores.sqlite import ledger
from docpipe.stores.webhook_port import ClaimedEvent, Delivery, Try, Webhook

_DUE = """
select distinct webhook_id from docpipe_webhook_events where state = 'due' and due_at <= ? order by 1
"""
_NEXT = """
select e.*, w.url, w.secret from docpipe_webhook_events e join docpipe_webhooks w on w.id = e.webhook_id
 where e.webhook_id = ? and e.state = 'due' and e.due_at <= ?
   and not exists (select 1 from docpipe_webhook_events o
                    where o.webhook_id = e.webhook_id and o.subject = e.subject
                      and o.state = 'due' and o.place < e.place)
 order by e.due_at, e.place limit 1
"""
_NOTED = """
update docpipe_webhook_events set state = :state, settled_at = :settled_at, due_at = :due_at
 where id = :id and attempt = :attempt and state = 'due'
"""
_LOG = """
select e.id as event_id, e.type, e.subject, e.state, t.attempt, t.at, t.seconds, t.status, t.error
  from docpipe_webhook_deliveries t join docpipe_webhook_events e on e.id = t.event_id
 where e.webhook_id = ? order by t.id desc limit ?
"""
_REPLAY = """
update docpipe_webhook_events set state = 'due', attempt = 0, due_at = :now, settled_at = null
 where webhook_id = :webhook and state <> 'due' and coalesce(:event, id) = id
   and at >= coalesce(:since, at) and (state = 'given_up' or not :given_up)
"""


@dataclass(frozen=True, slots=True)
class SqliteWebhooks:
    """`docpipe.stores.webhook_port.WebhookStore` in the file of a `SqliteStore`."""

    transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def add(self, webhook: Webhook) -> None:
        row = rows.webhook_row(webhook) | {"events": json.dumps(webhook.events), "created_at": ledger.now()}
        with self.transaction() as db:
            ledger.insert(db, "docpipe_webhooks", row)

    def list(self, project_id: str | None = None) -> builtins.list[Webhook]:
        query = (
            "select * from docpipe_webhooks where coalesce(?, project_id) is project_id"
            " order by created_at, id"
        )
        with self.transaction() as db:
            found = db.execute(query, (project_id,)).fetchall()
        return [rows.webhook_of(_decoded(row, "events")) for row in found]

    def remove(self, webhook_id: str) -> bool:
        with self.transaction() as db:
            return db.execute("delete from docpipe_webhooks where id = ?", (webhook_id,)).rowcount > 0

    def due(self) -> tuple[str, ...]:
        with self.transaction() as db:
            return tuple(row["webhook_id"] for row in db.execute(_DUE, (ledger.now(),)))

    def claim(self, webhook_id: str, lease_seconds: float) -> ClaimedEvent | None:
        with self.transaction() as db:
            row = db.execute(_NEXT, (webhook_id, ledger.now())).fetchone()
            if row is None:
                return None
            db.execute(
                "update docpipe_webhook_events set attempt = attempt + 1, due_at = ? where id = ?",
                (ledger.now(lease_seconds), row["id"]),
            )
            return rows.event_of(_decoded(row, "data") | {"attempt": row["attempt"] + 1})

    def note(self, event: ClaimedEvent, outcome: Try, again_seconds: float | None) -> bool:
        state = "delivered" if outcome.error is None else "given_up" if again_seconds is None else "due"
        told = {
            "id": event.id,
            "attempt": event.attempt,
            "state": state,
            "settled_at": None if state == "due" else ledger.now(),
            "due_at": ledger.now(again_seconds or 0.0),
        }
        with self.transaction() as db:
            if db.execute(_NOTED, told).rowcount == 0:
                return False
            _log(db, event, outcome)
            return True

    def log(self, webhook_id: str, *, limit: int = 50) -> tuple[Delivery, ...]:
        with self.transaction() as db:
            return tuple(rows.delivery_of(row) for row in db.execute(_LOG, (webhook_id, limit)))

    def replay(
        self,
        webhook_id: str,
        *,
        event_id: str | None = None,
        since: datetime | None = None,
        given_up: bool = False,
    ) -> int:
        wanted = {
            "now": ledger.now(),
            "webhook": webhook_id,
            "event": event_id,
            "since": rows.moment_row(since),
            "given_up": given_up,
        }
        with self.transaction() as db:
            return db.execute(_REPLAY, wanted).rowcount


def _log(db: sqlite3.Connection, event: ClaimedEvent, outcome: Try) -> None:
    row = {"event_id": event.id, "attempt": event.attempt, "at": ledger.now(), "seconds": outcome.seconds}
    ledger.insert(db, "docpipe_webhook_deliveries", row | {"status": outcome.status, "error": outcome.error})


def _decoded(row: sqlite3.Row, column: str) -> dict[str, Any]:
    return {**dict(row), column: json.loads(row[column])}
