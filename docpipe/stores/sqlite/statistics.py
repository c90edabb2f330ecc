"""The counts of `docpipe_statistics` in SQLite, inside the transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from docpipe.stores import rows
from docpipe.stores.sqlite.ledger import now

# Counted in an index, by its own columns: a function of them for each row would take nine times as long.
DOCUMENTS = """
select document_status(celery_status, initial_processing_status) as status, project_id,
       sum(documents) as documents
  from (select celery_status, initial_processing_status, project_id, count(*) as documents
          from source_documents group by 1, 2, 3)
 group by 1, 2 order by 1, 2
"""

_RESENT = "(s.state = 'running' and s.waits_since is not null and s.lease_expires_at < :now)"
"""Its worker fell silent, and its message was sent again: it waits."""

# Ages are computed here, on the clock that wrote the times.
_TURNS = f"""
select s.stage, min(s.position) as position,
       sum(s.state = 'queued' or {_RESENT}) as waiting,
       sum(s.state = 'retrying') as retrying,
       sum(s.state = 'running' and not {_RESENT}) as running,
       max(case when s.state in ('queued', 'retrying') or {_RESENT}
                then max(0.0, 86400.0 * (julianday(:now) -
                                         julianday(coalesce(s.waits_since, s.queued_at, r.created_at))))
           end) as oldest_waiting_seconds
  from stage_runs s join docpipe_runs r using (document_uuid, run)
 where r.state = 'active' and s.state in ('queued', 'running', 'retrying') and (
       s.queued_at is not null or s.document_uuid in (
           select d.document_uuid from source_documents d where d.celery_status = 'pending')
       and s.position = (select min(e.position) from stage_runs e where e.state <> 'complete'
                            and e.document_uuid = s.document_uuid and e.run = s.run))
 group by s.stage
"""  # noqa: S608

# A reprocessed run holds copies of the stages it kept, which ended before it began; a first run has none.
ENDED = """
select s.stage, s.position, s.state, s.error_code, s.error_class,
       86400.0 * (julianday(s.finished_at) - julianday(s.started_at)) as seconds,
       max(0.0, 86400.0 * (julianday(s.started_at) - julianday(s.queued_at))) as wait
  from stage_runs s
 where s.finished_at >= ? and s.state in ('complete', 'failed')
   and (s.run = 1 or s.finished_at >= (select r.created_at from docpipe_runs r
                                        where r.document_uuid = s.document_uuid and r.run = s.run))
"""

# The list of open states says to SQLite that the index of open stages holds all that run.
RUNNING = f"""
select s.document_uuid, s.run, d.original_file_name as name, s.stage, g.first_page, g.last_page,
       coalesce(g.attempt, s.attempt) as attempt, coalesce(g.worker, s.worker) as worker,
       86400.0 * (julianday(:now) - julianday(coalesce(g.started_at, s.started_at))) as running_seconds,
       86400.0 * (julianday(coalesce(g.lease_expires_at, s.lease_expires_at)) - julianday(:now))
           as lease_seconds
  from stage_runs s
  join docpipe_runs r using (document_uuid, run)
  join source_documents d using (document_uuid)
  left join docpipe_page_ranges g on g.document_uuid = s.document_uuid and g.run = s.run
                                 and g.stage = s.stage and g.state = 'running'
 where s.state in ('queued', 'running', 'retrying') and s.state = 'running' and r.state = 'active'
   and not {_RESENT} and (g.run is null or g.queued_at <= g.lease_expires_at)
 order by coalesce(g.lease_expires_at, s.lease_expires_at), g.first_page limit :limit
"""  # noqa: S608

_FAILED_ATTEMPTS = """
select a.document_uuid, a.run, d.original_file_name as name, a.stage, a.first_page, a.last_page,
       a.attempt, a.worker, a.ended,
       86400.0 * (julianday(a.ended_at) - julianday(a.started_at)) as worked_seconds,
       86400.0 * (julianday(:now) - julianday(a.ended_at)) as ago_seconds,
       coalesce(a.error_code, '') as code, coalesce(a.error_message, '') as message
  from docpipe_attempts a join source_documents d using (document_uuid)
 where a.ended in ('retried', 'failed', 'lost') and a.ended_at >= :since
 order by a.ended_at desc, a.token desc limit :limit
"""

_COMPLETED = "select count(*) from docpipe_runs where state = 'completed' and finished_at >= ?"

_QUARANTINED = """
select count(*) from source_documents d
  join stage_runs s on s.document_uuid = d.document_uuid and s.run = d.docpipe_run
 where s.state = 'failed' and s.error_code = 'poison'
"""


def statistics(db: sqlite3.Connection, window_seconds: float, limit: int) -> rows.Row:
    """The object that the SQL function of the same name returns."""
    time, since = now(), now(-window_seconds)
    ended = db.execute(ENDED, (since,)).fetchall()
    return {
        "documents": _dicts(db.execute(DOCUMENTS)),
        "stages": _stages(_dicts(db.execute(_TURNS, {"now": time})), ended),
        "running": _dicts(db.execute(RUNNING, {"now": time, "limit": limit})),
        "failures": _failures(ended),
        "failed_attempts": _dicts(
            db.execute(_FAILED_ATTEMPTS, {"now": time, "since": since, "limit": limit})
        ),
        "completed": db.execute(_COMPLETED, (since,)).fetchone()[0],
        "quarantined": db.execute(_QUARANTINED).fetchone()[0],
    }


def _dicts(found: Iterable[sqlite3.Row]) -> list[rows.Row]:
    return [dict(row) for row in found]


def _stages(turns: list[rows.Row], ended: list[sqlite3.Row]) -> list[rows.Row]:
    positions = {row["stage"]: row["position"] for row in ended}
    positions |= {row["stage"]: row["position"] for row in turns}
    now_at = {turn.pop("stage"): turn for turn in turns}
    counted = []
    for stage in sorted(positions, key=lambda name: (positions[name], name)):
        mine = [row for row in ended if row["stage"] == stage]
        counted.append({"stage": stage} | _without_position(now_at.get(stage, {})) | _ends(mine))
    return counted


def _without_position(turn: rows.Row) -> rows.Row:
    return {key: value for key, value in turn.items() if key != "position"}


def _ends(ended: list[sqlite3.Row]) -> rows.Row:
    complete = [row for row in ended if row["state"] == "complete"]
    seconds, waits = _values(complete, "seconds"), _values(complete, "wait")
    return {
        "completed": len(complete),
        "failed": len(ended) - len(complete),
        "p50_seconds": _quantile(seconds, 0.5),
        "p95_seconds": _quantile(seconds, 0.95),
        "wait_p50_seconds": _quantile(waits, 0.5),
        "wait_p95_seconds": _quantile(waits, 0.95),
    }


def _values(found: list[sqlite3.Row], column: str) -> list[float]:
    return sorted(row[column] for row in found if row[column] is not None)


def _quantile(ordered: Sequence[float], fraction: float) -> float | None:
    """Linear interpolation between the closest ranks, as Postgres' `percentile_cont`."""
    if not ordered:
        return None
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _failures(ended: list[sqlite3.Row]) -> list[rows.Row]:
    counts: dict[tuple[Any, ...], int] = {}
    for row in ended:
        if row["state"] == "failed":
            key = (row["stage"], row["error_code"] or "", row["error_class"] or "")
            counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        {"stage": stage, "code": code, "error_class": error_class, "failures": count}
        for (stage, code, error_class), count in ordered
    ]
