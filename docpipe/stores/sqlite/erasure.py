"""How documents leave SQLite, and what is left of them then.

The functions of `sql/*_docpipe_erasure.sql`, and the file's own log and free pages.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from docpipe.errors import StoreUnavailableError
from docpipe.stores.ids import storable
from docpipe.stores.sqlite import ledger, page_index
from docpipe.stores.sqlite.file import OVERWRITES, SqliteFile
from docpipe.stores.sqlite.project_entities import prune
from docpipe.stores.values import Copy, Erasure

_OF_A_DOCUMENT = {
    "source_documents": "document_uuid",
    "neo4j_documents": '"sourceDocumentUuid"',
    **dict.fromkeys(
        (
            "docpipe_runs", "stage_runs", "docpipe_page_ranges", "docpipe_attempts", "docpipe_history",
            "docpipe_idempotency_keys",
            "docpipe_pages", "docpipe_page_search", "docpipe_chunks", "docpipe_vectors", "docpipe_mentions",
            "docpipe_entities", "docpipe_relations", "docpipe_edges", "docpipe_facts", "docpipe_children",
            "docpipe_entity_names", "docpipe_entity_linked", "docpipe_erasures", "docpipe_webhook_events",
        ),
        "document_uuid",
    ),
}  # fmt: skip
"""Table to the column that names its document."""
_NAMED = "exists (select 1 from docpipe_entity_names n where n.project_id = t.project_id and n.key = t.{})"
_OF_A_PROJECT = {
    "docpipe_entity_blocks": _NAMED.format("key"),
    "docpipe_entity_links": f"{_NAMED.format('key_a')} and {_NAMED.format('key_b')}",
    "docpipe_entity_decisions": f"{_NAMED.format('key_a')} and {_NAMED.format('key_b')}",
}
_BLOCK = 1 << 20


class SqliteErasures(SqliteFile):
    """The part of `SqliteStore` that `ErasureStore` describes."""

    def delete(self, document_uuid: str) -> list[str] | None:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            copies = _delete(db, document_uuid)
            return None if copies is None else [each.uri for each in copies]

    def expire(self, seconds: float, *, limit: int = 20) -> list[str]:
        with self._transaction() as db:
            due = db.execute(
                "select r.document_uuid from docpipe_runs r join source_documents d"
                " on d.document_uuid = r.document_uuid and d.docpipe_run = r.run"
                " where r.state <> 'active' and r.finished_at < ? order by r.finished_at limit ?",
                (ledger.now(-seconds), limit),
            ).fetchall()
            for row in due:
                _delete(db, row["document_uuid"])
            return [row["document_uuid"] for row in due]

    def forget_history(self, seconds: float, *, limit: int = 10_000) -> int:
        with self._transaction() as db:
            forgotten = db.execute(
                "delete from docpipe_history where id in (select h.id from docpipe_history h"
                " where h.at < ? and not exists (select 1 from docpipe_runs r"
                " where r.document_uuid = h.document_uuid and r.state = 'active') order by h.id limit ?)",
                (ledger.now(-seconds), limit),
            ).rowcount
            tried = db.execute(
                "delete from docpipe_attempts where token in (select a.token from docpipe_attempts a"
                " where a.ended_at < ? and not exists (select 1 from docpipe_runs r"
                " where r.document_uuid = a.document_uuid and r.state = 'active') order by a.token limit ?)",
                (ledger.now(-seconds), limit - forgotten),
            ).rowcount
            told = db.execute(
                "delete from docpipe_webhook_events where place in (select place from docpipe_webhook_events"
                " where settled_at < ? order by place limit ?)",
                (ledger.now(-seconds), limit - forgotten - tried),
            ).rowcount
            return forgotten + tried + told

    def erasures(self, document_uuid: str | None = None, *, limit: int = 100) -> list[Erasure]:
        wanted = None if document_uuid is None else storable(document_uuid)
        with self._transaction() as db:
            found = db.execute(
                "select * from docpipe_erasures where document_uuid = coalesce(?, document_uuid)"
                " order by tried_at is not null, tried_at, at limit ?",
                (wanted, limit),
            ).fetchall()
            db.executemany(
                "update docpipe_erasures set tried_at = ? where document_uuid = ?",
                [(ledger.now(), row["document_uuid"]) for row in found],
            )
            return [
                Erasure(row["document_uuid"], tuple(each for each in _copies(row) if not _is_used(db, each)))
                for row in found
            ]

    def erased(self, document_uuid: str) -> bool:
        self._forget_deleted()
        with self._transaction() as db:
            gone = db.execute(
                "delete from docpipe_erasures where document_uuid = ?", (storable(document_uuid),)
            )
            known = gone.rowcount > 0
        self._empty_log()  # of the erasure itself; what the document said has left it before
        return known

    def traces(self, document_uuid: str) -> dict[str, int]:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            of_document = {
                table: _count(db, f"select count(*) from {table} where {column} = ?", document_uuid)  # noqa: S608
                for table, column in _OF_A_DOCUMENT.items()
            }
            of_nobody = {
                table: _count(db, f"select count(*) from {table} t where not ({named})")  # noqa: S608
                for table, named in _OF_A_PROJECT.items()
            }
        files = {"store file": self.path, "log": self.path.with_name(f"{self.path.name}-wal")}
        of_document["docpipe_actions"] = self._actions_on(document_uuid)
        of_document["docpipe_webhook_deliveries"] = self._deliveries_of(document_uuid)
        return of_document | of_nobody | {name: _holds(path, document_uuid) for name, path in files.items()}

    def _actions_on(self, document_uuid: str) -> int:
        query = "select count(*) from docpipe_actions where instr(target, ?) > 0"
        return _count(self._connection(), query, document_uuid)

    def _deliveries_of(self, document_uuid: str) -> int:
        query = (
            "select count(*) from docpipe_webhook_deliveries t join docpipe_webhook_events e"
            " on e.id = t.event_id where e.document_uuid = ?"
        )
        return _count(self._connection(), query, document_uuid)

    def _forget_deleted(self) -> None:
        """Take what was deleted out of the free pages and the log. Raises `StoreUnavailableError`."""
        connection = self._connection()
        try:
            if connection.execute("pragma user_version").fetchone()[0] < OVERWRITES:
                connection.execute("vacuum")  # an earlier docpipe did not overwrite what it deleted
                connection.execute(f"pragma user_version = {OVERWRITES}")
            page_index.forget_words(connection)
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(
                f"The store {self.path} cannot be cleaned right now: {error}."
            ) from error
        if not self._empty_log():
            raise StoreUnavailableError(
                f"The log of {self.path} is being read; what was deleted is still in it."
            )

    def _empty_log(self) -> bool:
        """Whether the log is empty now: not while another connection reads what stands in it."""
        try:
            busy: int = self._connection().execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        return not busy


def _delete(db: sqlite3.Connection, document_uuid: str) -> list[Copy] | None:
    """Delete what stands here, and note what is left elsewhere; None: no such document."""
    document = ledger.one(
        db, "select project_id from source_documents where document_uuid = ?", document_uuid
    )
    if document is None:
        return None
    named = db.execute(
        "select key from docpipe_entity_names where document_uuid = ?", (document_uuid,)
    ).fetchall()
    copies = _note(db, document_uuid)
    db.execute("update docpipe_actions set target = null where instr(target, ?) > 0", (document_uuid,))
    db.execute("delete from source_documents where document_uuid = ?", (document_uuid,))
    prune(db, document["project_id"] or "", [row["key"] for row in named])
    return copies


def _note(db: sqlite3.Connection, document_uuid: str) -> list[Copy]:
    """Write down what will be left of a document that the caller deletes in the same transaction."""
    found = db.execute(
        "select source_uri, source_copied from docpipe_runs"
        " where document_uuid = ? and source_copied is not 0"
        " union select source_uri, 1 from docpipe_children where document_uuid = ? and child_uuid is null"
        " order by 1",
        (document_uuid, document_uuid),
    ).fetchall()
    copies = [_copy(row["source_uri"], row["source_copied"]) for row in found]
    told = json.dumps([[each.uri, each.made] for each in copies])
    row = {"document_uuid": document_uuid, "copies": told, "at": ledger.now()}
    ledger.insert(db, "docpipe_erasures", row)
    return copies


def _copies(row: sqlite3.Row) -> list[Copy]:
    return [_copy(uri, made) for uri, made in json.loads(row["copies"])]


def _copy(uri: str, made: object) -> Copy:
    return Copy(uri, None if made is None else bool(made))


def _is_used(db: sqlite3.Connection, copy: Copy) -> bool:
    found = db.execute("select 1 from docpipe_runs where source_uri = ? limit 1", (copy.uri,))
    return found.fetchone() is not None


def _count(db: sqlite3.Connection, query: str, *values: str) -> int:
    count: int = db.execute(query, values).fetchone()[0]
    return count


def _holds(path: Path, document_uuid: str) -> int:
    """How many blocks of the file hold the id, as bytes; SQLite writes each row with it."""
    wanted, found, before = document_uuid.encode(), 0, b""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found += wanted in before + block
            before = block[-len(wanted) + 1 :]
    return found
