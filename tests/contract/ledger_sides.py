"""The two stores side by side: their moves, all that their ledgers hold of a document, and a clock to move.

A jump of the clock is made by moving every time that the ledger keeps back by as much: whatever compares one
of them with the present finds that the jump has passed. So no store needs a clock of the test's.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import Claim

HOUR = 3600.0
TIMES = {
    "docpipe_runs": ("created_at", "finished_at"),
    "stage_runs": ("lease_expires_at", "queued_at", "started_at", "finished_at"),
    "docpipe_page_ranges": ("lease_expires_at", "queued_at", "started_at", "finished_at"),
    "docpipe_attempts": ("started_at", "ended_at"),
}
_ATTEMPT = (
    "run, stage, first_page, last_page, attempt, token, task_id, worker, started_at, ended_at, ended,"
    " error_code, error_class, error_message"
)
_ROW = (
    "run, stage, state, attempt, token, claim_id, task_id, worker, lease_expires_at, queued_at, started_at,"
    " finished_at, error_code, error_class, error_message"
)
QUERIES = {
    "runs": "select run, state, cancel_requested, priority, created_at, finished_at"
    " from docpipe_runs where document_uuid = {} order by run",
    "stages": f"select {_ROW}, position, engine from stage_runs where document_uuid = {{}}"
    " order by run, position",
    "ranges": f"select {_ROW}, first_page, last_page, output is not null as is_read from docpipe_page_ranges"
    " where document_uuid = {} order by run, first_page",
    "attempts": f"select {_ATTEMPT} from docpipe_attempts where document_uuid = {{}} order by token",
    "document": "select docpipe_run, docpipe_result_run, celery_status, initial_processing_status,"
    " celery_task_id, error_message from source_documents where document_uuid = {}",
    "graph": 'select "processingStatus" from neo4j_documents where "sourceDocumentUuid" = {}',
    "history": "select run, status, graph_status from docpipe_history where document_uuid = {} order by id",
}

Snapshot = dict[str, list[dict[str, Any]]]


def hours(time: Any, now: datetime) -> int | None:
    """From now, to the next whole hour: the machine moves by hours, so a slow minute makes no difference."""
    if time is None:
        return None
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return round((at - now).total_seconds() / HOUR)


class Side(ABC):
    """A store, and the test's own names for the tokens it gave: 1, 2, … in the order of the claims."""

    name: str
    store: Store

    def __init__(self) -> None:
        self._named: dict[int, int] = {}
        self._real: dict[int, int] = {}

    def forget_tokens(self) -> None:
        self._named, self._real = {}, {}

    def real(self, token: int) -> int:
        return self._real[token]

    def claimed(self, answer: Claim) -> Claim:
        """The answer with the test's name of its token. A new token must be above all others."""
        token = answer.token
        if token is None:
            return replace(answer, lease_seconds=round(answer.lease_seconds / HOUR) * HOUR)
        if token not in self._named:
            assert all(token > other for other in self._named), (
                f"{self.name}: token {token} is not the newest"
            )
            self._named[token] = len(self._named) + 1
            self._real[self._named[token]] = token
        return replace(answer, token=self._named[token])

    def snapshot(self, document_uuid: str) -> Snapshot:
        """All that the ledger holds of the document; times in hours from now."""
        now = datetime.now(UTC)
        return {
            what: [self._row(row, now) for row in rows] for what, rows in self.read(document_uuid).items()
        }

    def _row(self, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        plain = {key: hours(value, now) if key.endswith("_at") else value for key, value in row.items()}
        if plain.get("token") is not None:
            plain["token"] = self._named[cast("int", plain["token"])]
        return plain

    @abstractmethod
    def read(self, document_uuid: str) -> Mapping[str, Sequence[Mapping[str, Any]]]: ...
    @abstractmethod
    def jump(self, document_uuid: str, by_hours: int) -> None: ...
    @abstractmethod
    def remove(self, document_uuid: str) -> None: ...
    @abstractmethod
    def close(self) -> None: ...


class SqliteSide(Side):
    name = "SQLite"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.store = SqliteStore(path)
        self.store.check()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma foreign_keys = on")
        self._db.create_function("earlier", 2, _earlier)

    def read(self, document_uuid: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return {what: self._rows(query, document_uuid) for what, query in QUERIES.items()}

    def _rows(self, query: str, document_uuid: str) -> Sequence[Mapping[str, Any]]:
        found = map(dict, self._db.execute(query.format("?"), (document_uuid,)))
        return [{key: bool(row[key]) if key in _FLAGS else row[key] for key in row} for row in found]

    def jump(self, document_uuid: str, by_hours: int) -> None:
        for table, columns in TIMES.items():
            changes = ", ".join(f"{column} = earlier({column}, {by_hours})" for column in columns)
            self._db.execute(f"update {table} set {changes} where document_uuid = ?", (document_uuid,))

    def remove(self, document_uuid: str) -> None:
        self._db.execute("delete from source_documents where document_uuid = ?", (document_uuid,))

    def close(self) -> None:
        self._db.close()
        self.store.close()


_FLAGS = {"cancel_requested", "is_read"}


def _earlier(time: str | None, by_hours: int) -> str | None:
    return None if time is None else (datetime.fromisoformat(time) - timedelta(hours=by_hours)).isoformat()


_AT_ONCE = (
    "select jsonb_build_object("
    + ", ".join(
        f"'{what}', (select coalesce(jsonb_agg(to_jsonb(found)), '[]')"
        f" from ({query.format('%(document)s')}) found)"
        for what, query in QUERIES.items()
    )
    + ") as everything"
)
"""All in one round trip."""


class PostgresSide(Side):
    name = "Postgres"

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._db = psycopg.connect(
            dsn, autocommit=True, row_factory=dict_row, options="-c synchronous_commit=off"
        )
        self.store = PostgresStore(make_conninfo(dsn, options="-c synchronous_commit=off"))

    def read(self, document_uuid: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        found = self._db.execute(cast("Any", _AT_ONCE), {"document": document_uuid}).fetchone()
        assert found is not None
        return cast("dict[str, list[dict[str, Any]]]", found["everything"])

    def jump(self, document_uuid: str, by_hours: int) -> None:
        for table, columns in TIMES.items():
            changes = ", ".join(f"{column} = {column} - interval '{by_hours} hours'" for column in columns)
            query = f"update {table} set {changes} where document_uuid = %s"
            self._db.execute(cast("Any", query), (document_uuid,))

    def remove(self, document_uuid: str) -> None:
        self._db.execute("delete from source_documents where document_uuid = %s", (document_uuid,))
        self._db.execute('delete from neo4j_documents where "sourceDocumentUuid" = %s', (document_uuid,))

    def close(self) -> None:
        self._db.close()
        self.store.close()
