"""What people did, in SQLite: the functions of `sql/*_docpipe_actions.sql`."""

from __future__ import annotations

from docpipe.stores import rows
from docpipe.stores.sqlite import ledger
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.values import Action


class SqliteActions(SqliteFile):
    """The part of `SqliteStore` that remembers who did what."""

    def record_action(self, action: Action) -> bool:
        row = rows.action_row(action) | {"at": ledger.now()}
        with self._transaction() as db:
            if db.execute("select 1 from docpipe_actions where id = ?", (action.id,)).fetchone():
                return False
            ledger.insert(db, "docpipe_actions", row)
            return True

    def actions(self, project_id: str | None = None, *, limit: int = 50) -> list[Action]:
        found = self._rows(
            "select * from docpipe_actions where coalesce(?, project_id) is project_id"
            " order by at desc, id limit ?",
            *(project_id, limit),
        )
        return [rows.action_of(row) for row in found]
