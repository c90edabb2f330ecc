"""The embedded store: one SQLite file, no services. The same moves as the SQL functions in `sql/`.

Each move is one `BEGIN IMMEDIATE` transaction; several processes may share the file (WAL).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from docpipe.errors import DocumentNotFoundError
from docpipe.models import Document, DocumentStatus, Failure, Ref, StageOutput
from docpipe.models.status import PENDING, StageState
from docpipe.stores import rows
from docpipe.stores.ids import storable
from docpipe.stores.port import (
    Claim,
    Heartbeat,
    NewDocument,
    Outcome,
    Part,
    PlannedStage,
    Registered,
    Resumption,
    Revival,
    Selection,
    SourceRecord,
    Stalled,
    Summary,
)
from docpipe.stores.sqlite import ledger, recovery
from docpipe.stores.sqlite import ranges as sqlite_ranges
from docpipe.stores.sqlite import statistics as sqlite_statistics
from docpipe.stores.sqlite.project_entities import SqliteGraph
from docpipe.stores.statistics import Statistics, statistics_of


class SqliteStore(SqliteGraph):
    """A `Store` in one SQLite file; the file and its folder are made when missing."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.fingerprint = f"sqlite:///{self.path}"
        self.ranges = sqlite_ranges.SqliteRanges(self._transaction)

    # --- moves ----------------------------------------------------------------------------------

    def register(self, document: NewDocument) -> Registered:
        with self._transaction() as db:
            known = db.execute(
                "select * from source_documents where coalesce(project_id, '') = ? and content_digest = ?",
                (document.project_id or "", document.digest),
            ).fetchone()
            if known and not document.reprocess:
                ref = Ref(known["document_uuid"], known["docpipe_run"])
                return Registered(ref, False, known["celery_status"], known["celery_task_id"])
            if known:
                ref = Ref(known["document_uuid"], known["docpipe_run"] + 1)
                recovery.supersede(db, ref.document_uuid)
            else:
                ref = Ref(document.document_uuid, 1)
                ledger.insert_document(db, document)
            ledger.insert_run(db, ref, document)
            ledger.set_status(db, ref, PENDING)
            return Registered(ref, True, PENDING, None)

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        with self._transaction() as db:
            row = ledger.stage_row(db, ref, stage)
            if row is None or row["state"] != "queued":
                return False
            ledger.update_stage(db, ref, stage, queued_at=ledger.now(), task_id=task_id)
            db.execute(
                "update source_documents set celery_task_id = ? where document_uuid = ? and docpipe_run = ?",
                (task_id, ref.document_uuid, ref.run),
            )
            ledger.set_status(db, ref, row["words"]["queued"])
            return True

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        with self._transaction() as db:
            row = ledger.stage_row(db, ref, stage)
            if row is None or row["state"] != "queued":
                return False
            ledger.update_stage(db, ref, stage, queued_at=None)
            if row["position"] == 0:  # a later stage never steps back
                ledger.set_status(db, ref, PENDING, error=message)
            return True

    def claim(
        self,
        ref: Ref,
        stage: str,
        *,
        claim_id: str,
        task_id: str,
        worker: str,
        lease_seconds: float,
        max_attempts: int,
    ) -> Claim:
        with self._transaction() as db:
            refusal = ledger.refusal(db, ref, stage, claim_id, max_attempts)
            if refusal:
                return refusal
            token, joins = ledger.next_token(db), ledger.has_ranges(db, ref, stage)
            row = ledger.stage_row(db, ref, stage)
            assert row is not None
            ledger.update_stage(
                db,
                ref,
                stage,
                state="running",
                attempt=row["attempt"] + 1,
                claim_id=claim_id,
                token=token,
                task_id=task_id,
                worker=worker,
                started_at=(joins and row["started_at"]) or ledger.now(),
                lease_expires_at=ledger.now(lease_seconds),
            )
            ledger.set_processing(db, ref, row, once=joins)
            return Claim(Outcome.CLAIMED, token, row["attempt"] + 1, joins=joins)

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        with self._transaction() as db:
            run = ledger.run_row(db, ref)
            if run is None or run["state"] != "active":
                return Heartbeat.CANCELLED if run and run["state"] == "cancelled" else Heartbeat.LOST
            row = ledger.stage_row(db, ref, stage)
            if row is None or row["state"] != "running" or row["token"] != token:
                return Heartbeat.LOST
            ledger.update_stage(db, ref, stage, lease_expires_at=ledger.now(lease_seconds))
            return Heartbeat.CANCELLED if run["cancel_requested"] else Heartbeat.OK

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        with self._transaction() as db:
            run, row = ledger.run_row(db, ref), ledger.stage_row(db, ref, stage)
            if row and row["state"] == "complete" and row["token"] == token:
                return True
            if run is None or run["state"] != "active" or not ledger.holds(row, token, "running"):
                return False
            assert row is not None
            fields, tables = rows.run_fields(output), rows.result_rows(output)
            for table, found in tables.items():
                ledger.replace(db, f"docpipe_{table}", ref, found)
            ledger.update_run(db, ref, fields)
            ledger.update_stage(
                db,
                ref,
                stage,
                state="complete",
                finished_at=ledger.now(),
                lease_expires_at=None,
                makes=list(tables),
                output=fields.get("extra"),
                engine=fields.get("engine"),
                warnings=fields["warnings"],
                **ledger.failure_columns(None),
            )
            sqlite_ranges.put_away(db, ref, stage)
            ledger.set_status(db, ref, row["words"]["complete"], row["words"]["graph_completed"])
            ledger.move_on(db, ref)
            return True

    def retry(self, ref: Ref, stage: str, token: int, failure: Failure, delay_seconds: float) -> bool:
        with self._transaction() as db:
            if not ledger.holds(ledger.stage_row(db, ref, stage), token, "running", "retrying"):
                return False
            columns = ledger.failure_columns(failure)
            ledger.update_stage(
                db,
                ref,
                stage,
                state="retrying",
                lease_expires_at=None,
                queued_at=ledger.now(delay_seconds),
                **columns,
            )
            return True

    def fail(self, ref: Ref, stage: str, token: int | None, failure: Failure) -> bool:
        with self._transaction() as db:
            run, row = ledger.run_row(db, ref), ledger.stage_row(db, ref, stage)
            if run is None or row is None:
                return False
            if run["state"] != "active":
                return ledger.holds(row, token, "failed")
            if not ledger.holds(row, token, "running", "retrying"):
                return False
            ledger.fail(db, ref, row, failure)
            return True

    def fail_task(self, ref: Ref, task_id: str, failure: Failure) -> bool:
        with self._transaction() as db:
            run, row = ledger.run_row(db, ref), ledger.first_incomplete(db, ref)
            if run is None or run["state"] != "active" or row is None:
                return False
            if row["state"] not in {"running", "retrying"} or row["task_id"] != task_id:
                return False
            ledger.fail(db, ref, row, failure)
            return True

    def cancel(self, document_uuid: str) -> bool:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            run = db.execute(
                "select * from docpipe_runs where document_uuid = ? and state = 'active'", (document_uuid,)
            ).fetchone()
            if run is None:
                return False
            ref = Ref(document_uuid, run["run"])
            db.execute(
                "update docpipe_runs set cancel_requested = 1 where document_uuid = ? and run = ?",
                (document_uuid, ref.run),
            )
            row = ledger.first_incomplete(db, ref)
            if row is None or row["state"] != "running" or row["lease_expires_at"] <= ledger.now():
                ledger.end_cancelled(db, ref)
            return True

    # --- taking up again ------------------------------------------------------------------------

    def stalled(self, *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        times = {"before": ledger.now(-grace_seconds), "now": ledger.now(), "limit": limit}
        with self._transaction() as db:
            found = db.execute(recovery.STALLED_ALL, times).fetchall()
        return [
            Stalled(
                Ref(row["document_uuid"], row["run"]),
                row["stage"],
                StageState(row["state"]),
                row["first_page"],
            )
            for row in found
        ]

    def revive(self, ref: Ref, *, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        with self._transaction() as db:
            row = recovery.stalled_stage(db, ref, grace_seconds)
            return recovery.revive(db, ref, row, max_attempts, task_id) if row else Revival("none")

    def resume(self, document_uuid: str, task_id: str, *, ranges_at_once: int = 1) -> Resumption | None:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            run = ledger.one(
                db,
                "select r.* from docpipe_runs r join source_documents d"
                " on d.document_uuid = r.document_uuid and d.docpipe_run = r.run"
                " where r.document_uuid = ? and r.state in ('failed', 'cancelled')",
                document_uuid,
            )
            if run is None:
                return None
            resumed = recovery.resume(db, Ref(document_uuid, run["run"]), run["priority"], task_id)
            due = sqlite_ranges.resume(db, resumed.ref, resumed.stage, ranges_at_once)
            return replace(resumed, first_pages=due)

    def reprocess(
        self, document_uuid: str, from_stage: str, stages: Sequence[PlannedStage]
    ) -> Resumption | None:
        document_uuid = storable(document_uuid)
        names = [stage.name for stage in stages]
        if from_stage not in names:
            return None
        kept = names[: names.index(from_stage)]
        with self._transaction() as db:
            old = recovery.completed_before(db, document_uuid, kept)
            if old is None:
                return None
            return recovery.reprocess(db, old, from_stage, kept, stages)

    # --- reads ----------------------------------------------------------------------------------

    def source(self, ref: Ref) -> SourceRecord:
        found = self._rows(
            "select r.source_uri, d.original_file_name, d.content_digest, d.file_size_bytes"
            " from docpipe_runs r join source_documents d using (document_uuid)"
            " where r.document_uuid = ? and r.run = ?",
            ref.document_uuid,
            ref.run,
        )
        if not found:
            raise _not_found(ref.document_uuid)
        row = found[0]
        return SourceRecord(
            row["source_uri"], row["original_file_name"], row["content_digest"], row["file_size_bytes"]
        )

    def load(self, ref: Ref, parts: Collection[Part]) -> Document:
        found = self._rows(
            "select d.*, r.file_type, r.text as run_text, r.metadata"
            " from source_documents d join docpipe_runs r using (document_uuid)"
            " where d.document_uuid = ? and r.run = ?",
            ref.document_uuid,
            ref.run,
        )
        if not found:
            raise _not_found(ref.document_uuid)
        row = found[0]

        stages = self._stages(ref)

        def table(part: Part) -> list[rows.Row]:
            return self._result(part, ref) if part in parts else []

        return Document(
            document_uuid=ref.document_uuid,
            run=ref.run,
            status=row["celery_status"],
            name=row["original_file_name"],
            project_id=row["project_id"],
            metadata=row["document_metadata"] | row["metadata"],
            file_type=row["file_type"],
            text=(row["run_text"] or "") if Part.TEXT in parts else "",
            pages=tuple(map(rows.page_of, table(Part.PAGES))),
            chunks=tuple(map(rows.chunk_of, table(Part.CHUNKS))),
            mentions=tuple(map(rows.mention_of, table(Part.MENTIONS))),
            entities=tuple(map(rows.entity_of, table(Part.ENTITIES))),
            relations=tuple(map(rows.relation_of, table(Part.RELATIONS))),
            edges=tuple(map(rows.edge_of, table(Part.EDGES))),
            extras=rows.extras_of(stages) if Part.EXTRAS in parts else {},
            warnings=rows.warnings_of(stages),
        )

    def _result(self, part: Part, ref: Ref) -> list[rows.Row]:
        order = "number" if part is Part.PAGES else '"index"'
        return self._rows(
            f"select * from docpipe_{part.value} where document_uuid = ? and run = ? order by {order}",  # noqa: S608
            ref.document_uuid,
            ref.run,
        )

    def _stages(self, ref: Ref) -> list[rows.Row]:
        return self._rows(
            "select * from stage_runs where document_uuid = ? and run = ? order by position",
            ref.document_uuid,
            ref.run,
        )

    def status(self, document_uuid: str) -> DocumentStatus:
        document_uuid = storable(document_uuid)
        found = self._rows(
            "select d.document_uuid, d.docpipe_run as run, d.docpipe_result_run as result_run,"
            " d.celery_status as status,"
            ' n."processingStatus" as graph_status, d.original_file_name as name, d.project_id,'
            " d.celery_task_id as task_id from source_documents d"
            ' left join neo4j_documents n on n."sourceDocumentUuid" = d.document_uuid'
            " where d.document_uuid = ?",
            document_uuid,
        )
        if not found:
            raise _not_found(document_uuid)
        keys = (document_uuid, found[0]["run"])
        stages = self._stages(Ref(*keys))
        history = self._rows(
            "select at, status, graph_status from docpipe_history"
            " where document_uuid = ? and run = ? order by id",
            *keys,
        )
        listed = [[row["at"], row["status"], row["graph_status"]] for row in history]
        warnings = [warning for stage in stages for warning in stage["warnings"]]
        return rows.status_of(found[0] | {"stages": stages, "history": listed, "warnings": warnings})

    def documents(self, selection: Selection = Selection(), *, limit: int = 100) -> list[Summary]:  # noqa: B008
        wanted = rows.selection_row(selection)
        found = self._rows(ledger.select(wanted), *ledger.selected_values(wanted), limit)
        return [rows.summary_of(row) for row in found]

    def statistics(self, *, window_seconds: float = 3600.0, limit: int = 100) -> Statistics:
        with self._transaction() as db:
            return statistics_of(sqlite_statistics.statistics(db, window_seconds, limit))

    def check(self) -> list[str]:
        self._connection()  # opening it makes what is missing
        return []


def _not_found(document_uuid: str) -> DocumentNotFoundError:
    return DocumentNotFoundError(f"The store knows no document {document_uuid}.")
