"""Which documents were found inside which, in SQLite: the functions of `sql/*_docpipe_children.sql`."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence

from docpipe.models import NewChild, Ref
from docpipe.models.reading import ReadingOptions
from docpipe.models.status import PENDING, StageWords
from docpipe.stores import ledger_rules as rules
from docpipe.stores import rows
from docpipe.stores.ids import storable
from docpipe.stores.ledger_terms import Beat
from docpipe.stores.result_rows import child_rows
from docpipe.stores.sqlite import documents, ledger
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.values import Due, NewDocument, PlannedStage

_TABLE = "docpipe_children"


class SqliteChildren(SqliteFile):
    """The part of `SqliteStore` that `ChildStore` describes."""

    def note_children(
        self, ref: Ref, stage: str, token: int, children: Sequence[NewChild], most: int
    ) -> int | None:
        with self._transaction() as db:
            seen = ledger.see(db, ref, stage)
            beat = rules.heartbeat(seen.run, seen.row, token)
            if beat not in {Beat.EXTEND, Beat.EXTEND_AND_STOP}:
                return None
            ledger.replace(db, _TABLE, ref, ledger.prepared([]))
            fitting = rules.fitting(_family(db, ref), [child.digest for child in children], most)
            ledger.replace(db, _TABLE, ref, ledger.prepared(child_rows(children[:fitting])))
            return fitting

    def children_due(self, ref: Ref) -> list[Due]:
        found = self._rows(
            "select d.document_uuid, r.run, r.priority from docpipe_children c"
            " join source_documents d on d.document_uuid = c.child_uuid"
            " join docpipe_runs r on r.document_uuid = d.document_uuid and r.run = d.docpipe_run"
            " where c.document_uuid = ? and c.run = ? and d.celery_status = ?"
            ' group by d.document_uuid, r.run, r.priority order by min(c."index")',
            ref.document_uuid,
            ref.run,
            PENDING,
        )
        return [Due(Ref(row["document_uuid"], row["run"]), row["priority"]) for row in found]

    def own_children(self, document_uuid: str) -> list[str]:
        found = self._rows(
            "select d.document_uuid from source_documents d where d.document_uuid in"
            " (select c.child_uuid from docpipe_children c where c.document_uuid = ?)"
            " and d.document_uuid <> ? and d.docpipe_depth > 0 and not exists"
            " (select 1 from docpipe_children o where"
            " o.child_uuid = d.document_uuid and o.document_uuid <> ?) order by d.id",
            *[storable(document_uuid)] * 3,
        )
        return [row["document_uuid"] for row in found]

    def _kin(self, document_uuid: str) -> rows.Row:
        """The document inside which this one was found, and how many found inside it have which status."""
        parents = self._rows(
            "select document_uuid from docpipe_children where child_uuid = ? and document_uuid <> child_uuid"
            " order by 1 limit 1",
            document_uuid,
        )
        statuses = self._rows(
            "select document_status(celery_status, initial_processing_status) as status, count(*) as n"
            " from source_documents where document_uuid in"
            " (select child_uuid from docpipe_children where document_uuid = ?) group by 1",
            document_uuid,
        )
        return {
            "parent": parents[0]["document_uuid"] if parents else None,
            "children": {row["status"]: row["n"] for row in statuses},
        }


def _family(db: sqlite3.Connection, ref: Ref) -> set[str]:
    """The digests of all that was found inside the same submitted document."""
    (family,) = db.execute(
        "update source_documents set docpipe_family = coalesce(docpipe_family, ?) where document_uuid = ?"
        " returning docpipe_family",
        (str(uuid.uuid4()), ref.document_uuid),
    ).fetchone()
    found = db.execute(
        "select distinct c.digest from docpipe_children c join source_documents d using (document_uuid)"
        " where d.docpipe_family = ?",
        (family,),
    )
    return {row["digest"] for row in found}


def register_children(db: sqlite3.Connection, ref: Ref) -> None:
    """Register what the run has noted, on the terms of its own document, inside the caller's transaction."""
    terms = ledger.one(
        db,
        "select d.project_id, d.document_metadata, d.docpipe_depth, d.docpipe_family, d.docpipe_reading,"
        " r.priority, r.batch"
        " from source_documents d join docpipe_runs r using (document_uuid)"
        " where r.document_uuid = ? and r.run = ?",
        ref.document_uuid,
        ref.run,
    )
    assert terms is not None
    plan = _plan(db, ref)
    keys = (ref.document_uuid, ref.run)
    found = db.execute("select * from docpipe_children where document_uuid = ? and run = ?", keys).fetchall()
    for row in found:
        child = documents.register(db, _new_document(row, terms, plan))
        db.execute(
            'update docpipe_children set child_uuid = ? where document_uuid = ? and run = ? and "index" = ?',
            (child.ref.document_uuid, *keys, row["index"]),
        )


def _plan(db: sqlite3.Connection, ref: Ref) -> list[PlannedStage]:
    found = db.execute(
        "select stage, queue, words from stage_runs where document_uuid = ? and run = ? order by position",
        (ref.document_uuid, ref.run),
    )
    return [
        PlannedStage(row["stage"], row["queue"], StageWords(**row["words"]))
        for row in map(ledger.decoded, found)
    ]


def _new_document(row: sqlite3.Row, terms: rows.Row, plan: Sequence[PlannedStage]) -> NewDocument:
    return NewDocument(
        document_uuid=str(uuid.uuid4()),
        project_id=terms["project_id"],
        name=row["name"],
        uri=row["source_uri"],
        digest=row["digest"],
        size=row["size"],
        metadata=terms["document_metadata"],
        stages=plan,
        priority=terms["priority"],
        copied=True,
        batch=terms["batch"],
        depth=terms["docpipe_depth"] + 1,
        family=terms["docpipe_family"],
        reading=ReadingOptions.of_json(terms["docpipe_reading"]),
    )
