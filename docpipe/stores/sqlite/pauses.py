"""Pauses in SQLite: the functions of `sql/*_docpipe_pauses.sql`."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import datetime

from docpipe.models import Ref
from docpipe.stores import ledger_rules as rules
from docpipe.stores import rows
from docpipe.stores.pause_port import Pause, Paused, Released
from docpipe.stores.sqlite import ledger, ranges
from docpipe.stores.sqlite.file import SqliteFile

_HELD = """
select document_uuid, run, priority from docpipe_runs
 where held_at is not null and state = 'active' and (admitted_at is not null or share is null)
 order by priority, held_at, document_uuid
"""


class SqlitePauses(SqliteFile):
    """The part of `SqliteStore` that `PauseStore` describes."""

    def pause(self, pause: Pause) -> bool:
        with self._transaction() as db:
            changed = db.execute(
                "insert into docpipe_pauses (kind, name, at) values (?, ?, ?) on conflict do nothing",
                (pause.kind, pause.name, ledger.now()),
            )
            return changed.rowcount == 1

    def unpause(self, pause: Pause) -> bool:
        with self._transaction() as db:
            changed = db.execute(
                "delete from docpipe_pauses where kind = ? and name = ?", (pause.kind, pause.name)
            )
            return changed.rowcount == 1

    def paused(self) -> list[Pause]:
        found = self._rows("select * from docpipe_pauses order by at, kind, name")
        return [Pause(Paused(row["kind"]), row["name"], datetime.fromisoformat(row["at"])) for row in found]

    def release(self, *, ranges_at_once: int = 1, limit: int = 500) -> list[Released]:
        released: list[Released] = []
        with self._transaction() as db:
            for run in db.execute(_HELD).fetchall():
                ref = Ref(run["document_uuid"], run["run"])
                stage = ledger.first_incomplete(db, ref)
                if len(released) == limit:
                    break
                if stage and not ledger.is_paused(db, ref, stage["stage"]):
                    released.append(_released(db, ref, stage, run["priority"], ranges_at_once))
        return released


def _released(
    db: sqlite3.Connection, ref: Ref, stage: rows.Row, priority: int, ranges_at_once: int
) -> Released:
    name, task_id, first_pages = stage["stage"], str(uuid.uuid4()), None
    ledger.hold(db, ref, None)
    if rules.in_ranges(map(ledger.row_of, ledger.range_rows(db, ref, name))):
        first_pages = tuple(ranges.hand_out(db, ref, ranges_at_once))
    else:
        ledger.set_task(db, ref, task_id)
        ledger.set_status(db, ref, stage["words"]["queued"])
    ledger.update_stage(db, ref, name, queued_at=ledger.now(), waits_since=None)
    return Released(ref, name, priority, task_id, first_pages)
