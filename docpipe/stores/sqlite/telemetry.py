"""What happened, in SQLite: the functions of `sql/*_docpipe_telemetry.sql`."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from docpipe.models.status import AttemptEnd
from docpipe.stores.sqlite import ledger
from docpipe.stores.telemetry_port import EndedAttempt, EndedAttempts, EndedRun
from docpipe.stores.telemetry_rows import ended_run_of

_UNTRACED = """
select r.document_uuid, r.run, r.state, d.original_file_name as name, d.project_id, r.trace_parent,
       r.created_at, r.finished_at, r.traced_until, e.trace_parent as earlier
  from docpipe_runs r join source_documents d using (document_uuid)
  left join docpipe_runs e on e.document_uuid = r.document_uuid and e.run = r.run - 1
 where r.finished_at > ? and r.traced_until is not r.finished_at
 order by r.finished_at limit ?
"""
_ATTEMPTS = """
select * from docpipe_attempts
 where document_uuid = :document_uuid and run = :run and ended_at is not null
   and started_at >= coalesce(:traced_until, :created_at)
 order by token
"""
_TRACED = """
update docpipe_runs set traced_until = finished_at where document_uuid = ? and run = ? and finished_at = ?
"""
_ENDED = """
select a.stage, a.ended, coalesce(a.error_code, '') as code, a.started_at, a.ended_at,
       a.document_uuid, r.trace_parent
  from docpipe_attempts a join docpipe_runs r using (document_uuid, run)
 where a.ended_at > ? and a.ended_at <= ?
 order by r.trace_parent is not null, a.ended_at, a.token
"""


@dataclass(frozen=True, slots=True)
class SqliteTelemetry:
    """`docpipe.stores.telemetry_port.Telemetry` in the file of a `SqliteStore`."""

    transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]

    def untraced(self, *, seconds: float, limit: int = 100) -> list[EndedRun]:
        with self.transaction() as db:
            found = [dict(row) for row in db.execute(_UNTRACED, (ledger.now(-seconds), limit)).fetchall()]
            return [
                ended_run_of(row | {"attempts": [dict(each) for each in db.execute(_ATTEMPTS, row)]})
                for row in found
            ]

    def traced(self, run: EndedRun) -> bool:
        values = (run.ref.document_uuid, run.ref.run, run.finished_at.isoformat())
        with self.transaction() as db:
            return db.execute(_TRACED, values).rowcount > 0

    def ended(
        self, after: datetime | None, bounds: Sequence[float], *, lag_seconds: float = 10.0
    ) -> tuple[datetime, list[EndedAttempts]]:
        until = ledger.now(-lag_seconds)
        if after is None:
            return datetime.fromisoformat(until), []
        until = max(until, after.isoformat())
        with self.transaction() as db:
            found = db.execute(_ENDED, (after.isoformat(), until)).fetchall()
        return datetime.fromisoformat(until), _counted(found, bounds)


def _counted(found: Sequence[sqlite3.Row], bounds: Sequence[float]) -> list[EndedAttempts]:
    kinds: dict[tuple[str, str, str, int], list[EndedAttempt]] = defaultdict(list)
    for row in found:
        seconds = _seconds(row["started_at"], row["ended_at"])
        kind = (row["stage"], row["ended"], row["code"], bisect_left(bounds, seconds))
        at = datetime.fromisoformat(row["ended_at"])
        kinds[kind].append(EndedAttempt(row["document_uuid"], row["trace_parent"], seconds, at))
    return [
        EndedAttempts(
            stage, AttemptEnd(ended), code, bucket, len(each), sum(one.seconds for one in each), each[-1]
        )
        for (stage, ended, code, bucket), each in sorted(kinds.items())
    ]


def _seconds(start: str, end: str) -> float:
    """SQLite's own functions know milliseconds only."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
