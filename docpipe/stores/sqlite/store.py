"""The embedded store: one SQLite file, no services. The same moves as the SQL functions in `sql/`.

Each move is one `BEGIN IMMEDIATE` transaction; several processes may share the file (WAL).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from docpipe.errors import DocumentNotFoundError
from docpipe.models import Attempt, Document, DocumentStatus, Failure, Ref, StageOutput
from docpipe.models.status import AttemptEnd
from docpipe.stores import ledger_rules as rules
from docpipe.stores import result_rows, rows
from docpipe.stores.documents import TABLES, document_of, order_of, source_of
from docpipe.stores.ids import storable
from docpipe.stores.ledger_terms import Beat, Cancel, Claimant, Move
from docpipe.stores.sqlite import attempts, ledger, messages, page_index, project_entities, recovery
from docpipe.stores.sqlite import lost as sqlite_lost
from docpipe.stores.sqlite import ranges as sqlite_ranges
from docpipe.stores.sqlite import statistics as sqlite_statistics
from docpipe.stores.sqlite.actions import SqliteActions
from docpipe.stores.sqlite.children import SqliteChildren, register_children
from docpipe.stores.sqlite.documents import register, register_and_queue
from docpipe.stores.sqlite.erasure import SqliteErasures
from docpipe.stores.sqlite.excerpts import SqliteExcerpts
from docpipe.stores.sqlite.page_search import SqliteSearch
from docpipe.stores.sqlite.pauses import SqlitePauses
from docpipe.stores.sqlite.project_entities import SqliteGraph
from docpipe.stores.sqlite.selection import selected_values, selection_query
from docpipe.stores.sqlite.shares import SqliteShares, any_waits
from docpipe.stores.sqlite.telemetry import SqliteTelemetry
from docpipe.stores.sqlite.vectors import SqliteVectors, packed
from docpipe.stores.sqlite.webhooks import SqliteWebhooks
from docpipe.stores.statistics import Statistics, statistics_of
from docpipe.stores.values import (
    ALL,
    Claim,
    Finished,
    Heartbeat,
    Look,
    NewDocument,
    NextClaim,
    Outcome,
    Part,
    PlannedStage,
    Registered,
    Resumption,
    Revival,
    Selection,
    SourceRecord,
    StageInput,
    Stalled,
    Summary,
    Then,
)


class SqliteStore(
    SqliteGraph,
    SqliteErasures,
    SqliteChildren,
    SqliteSearch,
    SqliteVectors,
    SqliteExcerpts,
    SqliteActions,
    SqlitePauses,
    SqliteShares,
):
    """A `Store` in one SQLite file; the file and its folder are made when missing."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.fingerprint = f"sqlite:///{self.path}"
        self.ranges = sqlite_ranges.SqliteRanges(self._transaction)
        self.webhooks = SqliteWebhooks(self._transaction)
        self.telemetry = SqliteTelemetry(self._transaction)

    # --- moves ----------------------------------------------------------------------------------

    def register(self, document: NewDocument) -> Registered:
        with self._transaction() as db:
            return register(db, document)

    def register_many(self, documents: Sequence[NewDocument], task_ids: Sequence[str]) -> list[Registered]:
        with self._transaction() as db:
            return [register_and_queue(db, *each) for each in zip(documents, task_ids, strict=True)]

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        with self._transaction() as db:
            return messages.queue(db, ref, stage, task_id)

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        with self._transaction() as db:
            seen = ledger.see(db, ref, stage)
            if rules.publish(seen.run, seen.row) is not Move.APPLY:
                return False
            return messages.unsent(db, ref, seen, message)

    def claim(self, ref: Ref, stage: str, claimant: Claimant, needs: Collection[Part] | None = None) -> Claim:
        with self._transaction() as db:
            claim = _claimed(db, ref, stage, claimant)
        if needs is None or claim.outcome is not Outcome.CLAIMED:
            return claim
        return replace(claim, input=self._input(ref, needs))

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        with self._transaction() as db:
            seen = ledger.see(db, ref, stage)
            beat = rules.heartbeat(seen.run, seen.row, token)
            if beat in {Beat.EXTEND, Beat.EXTEND_AND_STOP}:
                ledger.update_stage(db, ref, stage, lease_expires_at=ledger.now(lease_seconds))
            return ledger.BEATS[beat]

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        made = _Made.of(output)
        with self._transaction() as db:
            return _finished(db, ref, stage, token, made)

    def finish_on(self, ref: Ref, stage: str, token: int, output: StageOutput, then: Then) -> Finished:
        made = _Made.of(output)
        if not isinstance(then, NextClaim):
            self._index_ahead(ref, stage, token)
        with self._transaction() as db:
            if not _finished(db, ref, stage, token, made):
                return Finished(in_time=False)
            if isinstance(then, NextClaim):
                return Finished(in_time=True, claim=_claimed(db, ref, then.stage, then.claimant))
            linking = project_entities.link(db, ref, then)
            return Finished(in_time=True, linking=linking, others_wait=any_waits(db))

    def _index_ahead(self, ref: Ref, stage: str, token: int) -> None:
        """Of a long document, index pages in transactions of their own: others wait for none of them long."""
        keys = (ref.document_uuid, ref.run)
        while self._rows(page_index.UNINDEXED, *keys, *keys)[0]["pages"] > page_index.SLICE:
            with self._transaction() as db:
                seen = ledger.see(db, ref, stage)
                if rules.finish(seen.run, seen.row, token) is not Move.APPLY:
                    return
                page_index.index_some(db, ref)
            time.sleep(page_index.PAUSE_SECONDS)

    def retry(self, ref: Ref, stage: str, token: int, failure: Failure, delay_seconds: float) -> bool:
        with self._transaction() as db:
            seen = ledger.see(db, ref, stage)
            if rules.retry(seen.run, seen.row, token) is not Move.APPLY:
                return False
            ledger.update_stage(db, ref, stage, **ledger.retrying(db, token, failure, delay_seconds))
            return True

    def fail(self, ref: Ref, stage: str, token: int | None, failure: Failure) -> bool:
        with self._transaction() as db:
            seen = ledger.see(db, ref, stage)
            move = rules.fail(seen.run, seen.row, token)
            if move is Move.APPLY:
                ledger.fail(db, ref, seen.raw, failure)
            return move is not Move.LATE

    def fail_task(self, ref: Ref, task_id: str, failure: Failure) -> bool:
        with self._transaction() as db:
            seen = ledger.see(db, ref, None)
            if rules.fail_task(seen.run, seen.row, task_id) is not Move.APPLY:
                return False
            ledger.fail(db, ref, seen.raw, failure)
            return True

    def cancel(self, document_uuid: str) -> bool:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            active = db.execute(
                "select run from docpipe_runs where document_uuid = ? and state = 'active'", (document_uuid,)
            ).fetchone()
            ref = Ref(document_uuid, active["run"] if active else 0)
            seen = ledger.see(db, ref, None)
            decision = rules.cancel(seen.run, seen.row, ledger.moment())
            if decision is Cancel.NOTHING:
                return False
            db.execute(
                "update docpipe_runs set cancel_requested = 1 where document_uuid = ? and run = ?",
                (document_uuid, ref.run),
            )
            if decision is Cancel.END:
                ledger.end_cancelled(db, ref)
            return True

    # --- taking up again ------------------------------------------------------------------------

    def lost(self, looks: Sequence[Look], *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        with self._transaction() as db:
            return sqlite_lost.lost(db, looks, grace_seconds)[:limit]

    def revive(self, ref: Ref, *, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        with self._transaction() as db:
            return recovery.revive(db, ref, grace_seconds, max_attempts, task_id)

    def resume(self, document_uuid: str, task_id: str, *, ranges_at_once: int = 1) -> Resumption | None:
        document_uuid = storable(document_uuid)
        with self._transaction() as db:
            ref, run = recovery.newest_run(db, document_uuid)
            if run is None or not rules.resumable(ledger.run_of(run)):
                return None
            resumed = recovery.resume(db, ref, run["priority"], task_id)
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
            return recovery.reprocess(db, old, kept, stages) if old else None

    # --- reads ----------------------------------------------------------------------------------

    def source(self, ref: Ref) -> SourceRecord:
        found = self._rows(
            "select r.source_uri, d.original_file_name, d.content_digest, d.file_size_bytes,"
            " d.docpipe_reading"
            " from docpipe_runs r join source_documents d using (document_uuid)"
            " where r.document_uuid = ? and r.run = ?",
            ref.document_uuid,
            ref.run,
        )
        if not found:
            raise _not_found(ref.document_uuid)
        return source_of(found[0], found[0])

    def load(self, ref: Ref, parts: Collection[Part]) -> Document:
        return self._input(ref, parts).document

    def _input(self, ref: Ref, parts: Collection[Part]) -> StageInput:
        found = self._rows(
            "select d.*, r.file_type, r.text, r.metadata, r.source_uri"
            " from source_documents d join docpipe_runs r using (document_uuid)"
            " where d.document_uuid = ? and r.run = ?",
            ref.document_uuid,
            ref.run,
        )
        if not found:
            raise _not_found(ref.document_uuid)
        row = found[0]
        run = row if Part.TEXT in parts else row | {"text": None}
        tables = {part.value: self._result(part, ref) for part in TABLES if part in parts}
        document = document_of(ref, row, run, self._stages(ref), tables, parts)
        return StageInput(document, source_of(row, row))

    def _result(self, part: Part, ref: Ref) -> list[rows.Row]:
        return self._rows(
            f"select * from docpipe_{part} where document_uuid = ? and run = ?"  # noqa: S608
            f' order by "{order_of(part)}"',
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
            " document_status(d.celery_status, d.initial_processing_status) as status,"
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
        kin = self._kin(document_uuid)
        return rows.status_of(found[0] | kin | {"stages": stages, "history": listed, "warnings": warnings})

    def batch(self, name: str) -> dict[str, int]:
        found = self._rows(
            "select document_status(celery_status, initial_processing_status) as status, count(*) as number"
            " from source_documents where document_uuid in"
            " (select document_uuid from docpipe_runs where batch = ?) group by 1",
            name,
        )
        return {row["status"]: row["number"] for row in found}

    def attempts(self, document_uuid: str, *, limit: int = 1000) -> list[Attempt]:
        found = self._rows(
            "select * from docpipe_attempts where document_uuid = ? order by token desc limit ?",
            storable(document_uuid),
            limit,
        )
        return [rows.attempt_of(row) for row in reversed(found)]

    def documents(self, selection: Selection = ALL, *, limit: int = 100) -> list[Summary]:
        wanted = rows.selection_row(selection)
        found = self._rows(selection_query(wanted), *selected_values(wanted), limit)
        return [rows.summary_of(row) for row in found]

    def statistics(self, *, window_seconds: float = 3600.0, limit: int = 100) -> Statistics:
        with self._transaction() as db:
            return statistics_of(sqlite_statistics.statistics(db, window_seconds, limit))

    def check(self) -> list[str]:
        self._connection()  # opening it makes what is missing
        return []


def _claimed(db: sqlite3.Connection, ref: Ref, stage: str, claimant: Claimant) -> Claim:
    seen, first = ledger.see(db, ref, stage), ledger.first_incomplete(db, ref)
    ready, joins = (
        first is not None and first["stage"] == stage,
        bool(ledger.range_rows(db, ref, stage)),
    )
    paused = ledger.is_paused(db, ref, stage)
    answer = rules.claim(seen.run, seen.row, ready, claimant, ledger.moment(), paused=paused)
    refused = ledger.answered(db, ref, seen, answer, joins=joins)
    if refused:
        return refused
    changes = ledger.taken(db, claimant, seen.raw)
    if not joins or seen.raw["started_at"] is None:
        changes["started_at"] = ledger.now()
    ledger.update_stage(db, ref, stage, **changes, waits_since=None)
    if seen.run and seen.run.held:
        ledger.hold(db, ref, None)
    ledger.set_processing(db, ref, seen.raw, claimant, once=joins)
    return Claim(Outcome.CLAIMED, changes["token"], changes["attempt"], joins=joins)


class _Made(NamedTuple):
    """What a stage made, ready to be written."""

    fields: rows.Row
    tables: dict[str, ledger.Prepared]

    @classmethod
    def of(cls, output: StageOutput) -> _Made:
        tables = result_rows.result_rows(output)
        if "vectors" in tables:
            tables["vectors"] = packed(tables["vectors"])
        return cls(rows.run_fields(output), {name: ledger.prepared(found) for name, found in tables.items()})


def _finished(db: sqlite3.Connection, ref: Ref, stage: str, token: int, made: _Made) -> bool:
    seen = ledger.see(db, ref, stage)
    move = rules.finish(seen.run, seen.row, token)
    if move is Move.APPLY:
        _complete(db, ref, seen.raw, made)
    return move is not Move.LATE


def _complete(db: sqlite3.Connection, ref: Ref, row: rows.Row, made: _Made) -> None:
    fields, tables = made
    for table, found in tables.items():
        ledger.replace(db, f"docpipe_{table}", ref, found)
    if "children" in tables:
        register_children(db, ref)
    ledger.update_run(db, ref, fields)
    ledger.update_stage(
        db,
        ref,
        row["stage"],
        state="complete",
        finished_at=ledger.now(),
        lease_expires_at=None,
        makes=list(tables),
        output=fields.get("extra"),
        engine=fields.get("engine"),
        docpipe_version=fields["docpipe_version"],
        warnings=fields["warnings"],
        **ledger.failure_columns(None),
    )
    attempts.end(db, row["token"], AttemptEnd.COMPLETE, ledger.now())
    sqlite_ranges.put_away(db, ref, row["stage"])
    ledger.set_status(db, ref, row["words"]["complete"], row["words"]["graph_completed"])
    ledger.move_on(db, ref)


def _not_found(document_uuid: str) -> DocumentNotFoundError:
    return DocumentNotFoundError(f"The store knows no document {document_uuid}.")
