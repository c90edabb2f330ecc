"""The store as calls of the SQL functions in `sql/`, whichever way they travel: `supabase` and `postgres`.

Every move is one call of a function; reads are paged. Single calls are repeated when the store does not
answer, which is safe: each move may be repeated.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ParamSpec, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from docpipe.errors import (
    DocumentNotFoundError,
    IdempotencyError,
    PermissionDeniedError,
    RequestTooLargeError,
    SchemaError,
    TransientError,
)
from docpipe.models import Attempt, Document, DocumentStatus, Failure, Ref, StageOutput
from docpipe.stores import rows
from docpipe.stores.documents import TABLES, document_of, input_of, source_of
from docpipe.stores.excerpt import Excerpt, Window, excerpt_of
from docpipe.stores.functions.calls import Call, Query, asked_by, failure_json, keys, match, rows_of
from docpipe.stores.functions.children import FunctionChildren
from docpipe.stores.functions.erasure import FunctionErasures
from docpipe.stores.functions.pauses import FunctionPauses
from docpipe.stores.functions.payloads import LEAST_BYTES, PART_BYTES, payloads
from docpipe.stores.functions.project_entities import FunctionGraph, linking_of
from docpipe.stores.functions.ranges import FunctionRanges
from docpipe.stores.functions.shares import FunctionShares
from docpipe.stores.functions.telemetry import FunctionTelemetry
from docpipe.stores.functions.webhooks import FunctionWebhooks
from docpipe.stores.ids import storable
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.message_rows import look_row, stalled_of
from docpipe.stores.statistics import Statistics, statistics_of
from docpipe.stores.text_search import PageHit, PassageHit, Term, websearch
from docpipe.stores.values import (
    ALL,
    Action,
    Claim,
    Finished,
    Heartbeat,
    Look,
    NewDocument,
    NextClaim,
    Part,
    PlannedStage,
    Registered,
    Resumption,
    Revival,
    Selection,
    SourceRecord,
    Stalled,
    Summary,
    Then,
)

SCHEMA_VERSION = "20261201043018"
"""What `docpipe_schema_version()` in `sql/` says."""
STATEMENT_SECONDS = 60
"""How long a call may take in the database, as `sql/` has it set for each function."""
_ATTEMPTS = 4

T = TypeVar("T")
P = ParamSpec("P")


class FunctionStore(FunctionGraph, FunctionErasures, FunctionChildren, FunctionPauses, FunctionShares):
    """A `Store` in Postgres. A subclass says how calls and queries travel, and translates what they raise."""

    fingerprint: str
    part_bytes = PART_BYTES
    """What a call may bring; less where that was refused."""

    @abstractmethod
    def _call(self, call: Call) -> Any:
        """Call a function, once."""

    @abstractmethod
    def _fetch(self, query: Query, start: int, limit: int) -> tuple[list[rows.Row], bool]:
        """At most `limit` rows after the first `start`, or fewer where a server caps its answers; and whether
        there are more.
        """

    @abstractmethod
    def close(self) -> None: ...

    def _rpc(self, function: str, **arguments: Any) -> Any:
        return repeated(self._call, Call(function, arguments))

    def _call_in_order(self, calls: Sequence[Call]) -> Any:
        """Call the functions, each a transaction of its own; the answer of the last."""
        *first, last = calls
        for call in first:
            repeated(self._call, call)
        return repeated(self._call, last)

    def _select(self, query: Query, *, start: int = 0, limit: int | None = None) -> Iterator[rows.Row]:
        more = True
        while more and limit != 0:
            at_once = min(query.at_once, limit or query.at_once)
            found, more = repeated(self._fetch, query, start, at_once)
            yield from found
            start += len(found)
            limit = None if limit is None else limit - len(found)

    # --- moves ----------------------------------------------------------------------------------

    def register(self, document: NewDocument) -> Registered:
        row = self._rpc("register", p_document=json.dumps(rows.document_row(document)))
        if "holder" in row:
            raise IdempotencyError.of(document.idempotency_key, row["holder"])
        ref = Ref(row["document_uuid"], row["run"])
        return Registered(ref, row["created"], row["status"], row["task_id"])

    def register_many(self, documents: Sequence[NewDocument], task_ids: Sequence[str]) -> list[Registered]:
        asked = [
            rows.document_row(document) | {"task_id": task_id}
            for document, task_id in zip(documents, task_ids, strict=True)
        ]
        try:
            answers = self._rpc("register_many", p_documents=json.dumps(asked))
        except RequestTooLargeError:
            if len(documents) == 1:
                raise
            half = len(documents) // 2
            return [
                *self.register_many(documents[:half], task_ids[:half]),
                *self.register_many(documents[half:], task_ids[half:]),
            ]
        return [
            Registered(
                Ref(row["document_uuid"], row["run"]),
                row["created"],
                row["status"],
                task_id if row["queued"] else row["task_id"],
                row["queued"],
            )
            for row, task_id in zip(answers, task_ids, strict=True)
        ]

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        return bool(self._rpc("queue", **keys(ref), p_stage=stage, p_task_id=task_id))

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        return bool(self._rpc("publish_failed", **keys(ref), p_stage=stage, p_message=message))

    def claim(self, ref: Ref, stage: str, claimant: Claimant, needs: Collection[Part] | None = None) -> Claim:
        asked = {**keys(ref), "p_stage": stage, **asked_by(claimant)}
        if needs is None:
            return rows.claim_of(self._rpc("claim", **asked))
        answer = self._rpc("claim_with_input", **asked, p_needs=json.dumps(sorted(needs)))
        found = answer.get("input")
        return replace(rows.claim_of(answer), input=found and input_of(ref, found, needs))

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        return Heartbeat(
            self._rpc("heartbeat", **keys(ref), p_stage=stage, p_token=token, p_lease_seconds=lease_seconds)
        )

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        arguments = {**keys(ref), "p_stage": stage, "p_token": token}
        return bool(self._with_output("finish_stage", arguments, token, output))

    def finish_on(self, ref: Ref, stage: str, token: int, output: StageOutput, then: Then) -> Finished:
        arguments = {**keys(ref), "p_stage": stage, "p_token": token}
        told = _told(then)
        answer = self._with_output("finish_on", arguments | {"p_then": json.dumps(told)}, token, output)
        if answer.get("index_ahead"):
            self._index_ahead(ref, token)
            told["index_ahead"] = False
            answer = self._with_output("finish_on", arguments | {"p_then": json.dumps(told)}, token, output)
        claim, linking = answer.get("claim"), answer.get("linking")
        return Finished(
            answer["finished"],
            claim and rows.claim_of(claim),
            linking and linking_of(linking),
            answer.get("others_wait", False),
        )

    def _index_ahead(self, ref: Ref, token: int) -> None:
        """Of a long document, index pages in calls of their own, so that none lasts long."""
        while self._rpc("index_ahead", **keys(ref), p_token=token):
            pass

    def _with_output(
        self, function: str, arguments: Mapping[str, Any], token: int, output: StageOutput
    ) -> Any:
        """Call a function that ends an attempt; of a large output, all but the last part goes ahead of it.

        Parts that are refused for their size are made smaller, for later outputs too. They replace those that
        went before, and none is a result before the last one is.
        """
        while True:
            size = self.part_bytes
            try:
                return self._in_parts(function, arguments, token, payloads(output, size))
            except RequestTooLargeError:
                if size <= LEAST_BYTES:
                    raise
                self.part_bytes = max(LEAST_BYTES, size // 4)

    def _in_parts(
        self, function: str, arguments: Mapping[str, Any], token: int, parts_of_output: Sequence[str]
    ) -> Any:
        *parts, last = parts_of_output
        calls = [
            Call("stage_part", {"p_token": token, "p_part": number, "p_output": part})
            for number, part in enumerate(parts)
        ]
        return self._call_in_order([*calls, Call(function, {**arguments, "p_output": last})])

    @property
    def ranges(self) -> FunctionRanges:
        return FunctionRanges(self._rpc, self._select, self._with_output)

    @property
    def telemetry(self) -> FunctionTelemetry:
        return FunctionTelemetry(self._rpc)

    @property
    def webhooks(self) -> FunctionWebhooks:
        return FunctionWebhooks(self._rpc)

    def retry(self, ref: Ref, stage: str, token: int, failure: Failure, delay_seconds: float) -> bool:
        error = failure_json(failure)
        return bool(
            self._rpc(
                "retry",
                **keys(ref),
                p_stage=stage,
                p_token=token,
                p_error=error,
                p_delay_seconds=delay_seconds,
            )
        )

    def fail(self, ref: Ref, stage: str, token: int | None, failure: Failure) -> bool:
        return bool(
            self._rpc("fail", **keys(ref), p_stage=stage, p_token=token, p_error=failure_json(failure))
        )

    def fail_task(self, ref: Ref, task_id: str, failure: Failure) -> bool:
        return bool(self._rpc("fail_task", **keys(ref), p_task_id=task_id, p_error=failure_json(failure)))

    def cancel(self, document_uuid: str) -> bool:
        document_uuid = storable(document_uuid)
        return bool(self._rpc("cancel", p_document=document_uuid))

    # --- taking up again ------------------------------------------------------------------------

    def lost(self, looks: Sequence[Look], *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        told = json.dumps([look_row(look) for look in looks])
        found = self._rpc("lost", p_grace_seconds=grace_seconds, p_looks=told, p_limit=limit)
        return [stalled_of(row) for row in found]

    def revive(self, ref: Ref, *, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        answer = self._rpc(
            "revive",
            **keys(ref),
            p_grace_seconds=grace_seconds,
            p_max_attempts=max_attempts,
            p_task_id=task_id,
        )
        return Revival(answer["outcome"], answer.get("stage"), answer.get("priority", 0))

    def resume(self, document_uuid: str, task_id: str, *, ranges_at_once: int = 1) -> Resumption | None:
        document_uuid = storable(document_uuid)
        answer = self._rpc(
            "resume_run", p_document=document_uuid, p_task_id=task_id, p_at_once=ranges_at_once
        )
        return None if answer is None else rows.resumption_of(document_uuid, answer)

    def reprocess(
        self, document_uuid: str, from_stage: str, stages: Sequence[PlannedStage]
    ) -> Resumption | None:
        document_uuid = storable(document_uuid)
        plan = json.dumps(rows.plan_rows(stages))
        answer = self._rpc("reprocess", p_document=document_uuid, p_from_stage=from_stage, p_stages=plan)
        if answer is None:
            return None
        return Resumption(Ref(document_uuid, answer["run"]), from_stage, answer["priority"])

    # --- reads ----------------------------------------------------------------------------------

    def _one(self, query: Query) -> rows.Row:
        found = list(self._select(query, limit=1))
        if not found:
            raise DocumentNotFoundError(f"The store knows no document {query.match['document_uuid']}.")
        return found[0]

    def source(self, ref: Ref) -> SourceRecord:
        columns = "original_file_name,content_digest,file_size_bytes,docpipe_reading"
        document = self._one(Query("source_documents", columns, {"document_uuid": ref.document_uuid}))
        return source_of(document, self._one(Query("docpipe_runs", "source_uri", match(ref))))

    def load(self, ref: Ref, parts: Collection[Part]) -> Document:
        columns = (
            "original_file_name,project_id::text,celery_status,initial_processing_status,document_metadata,"
            "docpipe_depth,docpipe_run"
        )
        document = self._one(Query("source_documents", columns, {"document_uuid": ref.document_uuid}))
        text = ",text" if Part.TEXT in parts else ""
        run = self._one(Query("docpipe_runs", f"file_type,metadata,refused{text}", match(ref)))
        newest = Ref(ref.document_uuid, document["docpipe_run"])
        end = run if newest == ref else self._one(Query("docpipe_runs", "refused", match(newest)))

        document["refused"] = end["refused"]
        stages = list(self._select(Query("stage_runs", "stage,output,warnings", match(ref), "position")))
        tables = {part.value: self._select(rows_of(part, ref)) for part in TABLES if part in parts}
        return document_of(ref, document, run, stages, tables, parts)

    def excerpt(self, ref: Ref, window: Window) -> Excerpt:
        return excerpt_of(self._rpc("excerpt", **keys(ref), p_window=json.dumps(asdict(window))))

    def status(self, document_uuid: str) -> DocumentStatus:
        document_uuid = storable(document_uuid)
        row = self._rpc("status", p_document=document_uuid)
        if row is None or row["run"] is None:
            raise DocumentNotFoundError(f"The store knows no document {document_uuid}.")
        return rows.status_of(row)

    def batch(self, name: str) -> dict[str, int]:
        return dict(self._rpc("batch", p_batch=name))

    def attempts(self, document_uuid: str, *, limit: int = 1000) -> list[Attempt]:
        found = self._rpc("attempts", p_document=storable(document_uuid), p_limit=limit)
        return [rows.attempt_of(row) for row in found]

    def documents(self, selection: Selection = ALL, *, limit: int = 100) -> list[Summary]:
        wanted = json.dumps(rows.selection_row(selection))
        return [rows.summary_of(row) for row in self._rpc("select", p_selection=wanted, p_limit=limit)]

    def search_pages(
        self,
        query: tuple[Term, ...],
        *,
        project_id: str | None = None,
        limit: int = 20,
        any_term: bool = False,
    ) -> list[PageHit]:
        both = tuple(term for term in query if not (any_term and term.wanted))
        wanted = json.dumps([" ".join(term.words) for term in query if term.wanted]) if any_term else None
        asked = {"p_query": websearch(both), "p_project": project_id, "p_limit": limit, "p_any": wanted}
        found = self._rpc("search", **asked)
        return [rows.page_hit_of(row) for row in found]

    def search_vectors(
        self, vector: Sequence[float], model: str, *, project_id: str | None = None, limit: int = 20
    ) -> list[PassageHit]:
        asked = {"p_vector": json.dumps(list(vector)), "p_model": model}
        found = self._rpc("search_vectors", **asked, p_project=project_id, p_limit=limit)
        return [rows.passage_hit_of(row) for row in found]

    def vectors_by(self) -> str:
        return str(self._rpc("vectors_by"))

    def record_action(self, action: Action) -> bool:
        return bool(self._rpc("record_action", p_action=json.dumps(rows.action_row(action))))

    def actions(self, project_id: str | None = None, *, limit: int = 50) -> list[Action]:
        return [rows.action_of(row) for row in self._rpc("list_actions", p_project=project_id, p_limit=limit)]

    def statistics(self, *, window_seconds: float = 3600.0, limit: int = 100) -> Statistics:
        """Asked once, without repeats: whoever watches asks again anyway, and must not wait for long."""
        arguments = {"p_window_seconds": window_seconds, "p_limit": limit}
        return statistics_of(self._call(Call("statistics", arguments)))

    def check(self) -> list[str]:
        """Asks for one row of every table and calls a function, as the user in use."""
        lacking = []
        ledger = ("docpipe_runs", "stage_runs", "docpipe_page_ranges", "docpipe_attempts", "docpipe_history")
        tables = ("source_documents", "neo4j_documents", *ledger, "docpipe_vectors")
        for table in (*tables, *(f"docpipe_{part}" for part in TABLES)):
            try:
                list(self._select(Query(table), limit=1))
            except (SchemaError, PermissionDeniedError) as error:
                lacking.append(f"{table}: {error}")
        try:
            self._rpc("status", p_document="")
        except (SchemaError, PermissionDeniedError) as error:
            lacking.append(f"docpipe_status(): {error}")
        return lacking or self._older_schema()

    def _older_schema(self) -> list[str]:
        """A newer schema than this docpipe's is fine: migrations only add."""
        try:
            found = str(self._rpc("schema_version"))
        except (SchemaError, PermissionDeniedError) as error:
            return [f"docpipe_schema_version(): {error}"]
        if found >= SCHEMA_VERSION:
            return []
        return [
            f"the schema is of version {found}, older than {SCHEMA_VERSION}, which this docpipe needs."
            " Run: docpipe db apply."
        ]


def _told(then: Then) -> dict[str, Any]:
    """As `docpipe_finish_on` takes it."""
    if isinstance(then, NextClaim):
        return {"claim": {"stage": then.stage, **asdict(then.claimant)}}
    return {"names": [asdict(name) for name in then], "index_ahead": True}


def repeated(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call, and repeat a few times what may work the next time."""
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=5.0) + wait_random(0, 0.2),
        reraise=True,
    )
    return retrying(call, *args, **kwargs)
