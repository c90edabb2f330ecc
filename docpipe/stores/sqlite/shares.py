"""Shares in SQLite: the functions of `sql/*_docpipe_pauses.sql`."""

from __future__ import annotations

import sqlite3
import uuid

from docpipe.models import Ref
from docpipe.stores import rows, share_rules
from docpipe.stores.pause_port import Released
from docpipe.stores.share_port import Limit, Share
from docpipe.stores.share_rows import limit_row
from docpipe.stores.sqlite import ledger, messages
from docpipe.stores.sqlite.file import SqliteFile

_WAITS = "state = 'active' and held_at is not null and admitted_at is null and share is not null"
_IN_FLIGHT = "state = 'active' and (held_at is null or admitted_at is not null or share is null)"
_TODAY = "admitted_at >= strftime('%Y-%m-%d', 'now')"


class SqliteShares(SqliteFile):
    """The part of `SqliteStore` that `ShareStore` describes."""

    def limit(self, limit: Limit) -> None:
        row = limit_row(limit)
        with self._transaction() as db:
            db.execute("delete from docpipe_limits where kind = :kind and name = :name", row)
            if limit.limits or limit.weight != 1:
                ledger.insert(db, "docpipe_limits", row)
            if any(each.limits for each in messages.limits(db)):
                db.execute(
                    "update docpipe_runs set admitted_at = created_at, share ="
                    " (select coalesce(d.project_id, '') from source_documents d"
                    " where d.document_uuid = docpipe_runs.document_uuid)"
                    " where state = 'active' and share is null and document_uuid not in"
                    " (select document_uuid from source_documents where celery_status = 'pending')"
                )

    def limits(self) -> list[Limit]:
        with self._transaction() as db:
            return messages.limits(db)

    def shares(self) -> list[Share]:
        with self._transaction() as db:
            named = {each.project_id for each in messages.limits(db)} - {None}
            counts = [_by_project(db, where) for where in (_IN_FLIGHT, _WAITS, _TODAY)]
        projects = sorted(named.union(*counts), key=lambda each: (each is not None, each or ""))
        return [Share(each, *(count.get(each, 0) for count in counts)) for each in projects]

    def admit(self, *, limit: int = 500) -> list[Released]:
        with self._transaction() as db:
            usage = share_rules.Usage(_by_project(db, _IN_FLIGHT), _by_project(db, _TODAY))
            return [
                _admitted(db, each)
                for each in share_rules.admitted(_waiting(db, limit), messages.limits(db), usage, limit)
            ]


def any_waits(db: sqlite3.Connection) -> bool:
    """Whether a run waits for its share."""
    return db.execute(f"select 1 from docpipe_runs where {_WAITS} limit 1").fetchone() is not None  # noqa: S608


def _by_project(db: sqlite3.Connection, where: str) -> dict[str | None, int]:
    counted = f"select share, count(*) from docpipe_runs where {where} group by share"  # noqa: S608
    return dict(db.execute(counted).fetchall())


def _waiting(db: sqlite3.Connection, most: int) -> list[share_rules.Waiting]:
    """The first of each project that are not paused."""
    found = [
        share_rules.Waiting(
            Ref(row["document_uuid"], row["run"]), row["share"], row["priority"], row["held_at"]
        )
        for (project,) in db.execute(f"select distinct share from docpipe_runs where {_WAITS}").fetchall()  # noqa: S608
        for row in db.execute(
            f"select * from docpipe_runs where {_WAITS} and share = ?"  # noqa: S608
            " order by priority, held_at, document_uuid limit ?",
            (project, most),
        )
    ]
    return [each for each in found if not ledger.is_paused(db, each.ref, _stage(db, each.ref)["stage"])]


def _stage(db: sqlite3.Connection, ref: Ref) -> rows.Row:
    stage = ledger.first_incomplete(db, ref)
    assert stage is not None
    return stage


def _admitted(db: sqlite3.Connection, each: share_rules.Waiting) -> Released:
    stage, task_id, at = _stage(db, each.ref), str(uuid.uuid4()), ledger.now()
    db.execute(
        "update docpipe_runs set held_at = null, admitted_at = ? where document_uuid = ? and run = ?",
        (at, each.ref.document_uuid, each.ref.run),
    )
    ledger.update_stage(db, each.ref, stage["stage"], queued_at=at, task_id=task_id)
    ledger.set_task(db, each.ref, task_id)
    ledger.set_status(db, each.ref, stage["words"]["queued"])
    return Released(each.ref, stage["stage"], each.priority, task_id)
