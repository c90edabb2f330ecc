"""The canonical store: Postgres behind PostgREST, through supabase-py.

Every move is one call of a SQL function in `sql/`; reads are paged, because PostgREST caps the rows of
one answer. Single calls are repeated on network faults, which is safe: each move may be repeated.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx
from postgrest import SyncSelectRequestBuilder
from postgrest.exceptions import APIError
from supabase import Client, ClientOptions, create_client
from supabase.lib.client_options import DEFAULT_HEADERS
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from docpipe.errors import (
    BugError,
    ConfigurationError,
    DocpipeError,
    DocumentNotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    SchemaError,
    StoreUnavailableError,
    TransientError,
)
from docpipe.models import Document, DocumentStatus, Failure, Ref, StageOutput
from docpipe.models.status import StageState, document_status
from docpipe.stores import rows
from docpipe.stores.ids import storable
from docpipe.stores.ledger_rules import Claimant
from docpipe.stores.statistics import Statistics, statistics_of
from docpipe.stores.supabase.erasure import SupabaseErasures
from docpipe.stores.supabase.project_entities import SupabaseGraph
from docpipe.stores.supabase.ranges import SupabaseRanges, asked_by, failure_json, keys, match
from docpipe.stores.values import (
    ALL,
    Claim,
    Heartbeat,
    NewDocument,
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

SCHEMA_VERSION = "20261129221100"
"""What `docpipe_schema_version()` in `sql/` says."""
_PAGE_ROWS = 1000
"""PostgREST's usual cap; a lower cap of the server's is noticed by its shorter answers."""
_PART_BYTES = 500_000
"""Output above this travels in several requests, so that no proxy's body limit is met."""
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_ATTEMPTS = 4

T = TypeVar("T")


class SupabaseStore(SupabaseGraph, SupabaseErasures):
    """A `Store` in a Supabase project.

    Args:
        url: the project's address, `https://….supabase.co`.
        key: a secret key (`sb_secret_…`) or the legacy service role key; the public keys cannot write
            without a token.
        token: a JWT of a database role, sent in place of the key where rights are asked for.
    """

    def __init__(self, url: str, key: str, token: str | None = None) -> None:
        self._url, self._key = url, key
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.fingerprint = f"supabase:{urlsplit(url).netloc}"
        self._client: Client | None = None
        self._http: httpx.Client | None = None
        self._pid = 0
        self._lock = threading.Lock()

    # --- connection -----------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """supabase-py's client, one per process: its connections must not cross a fork."""
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._http = httpx.Client(timeout=_TIMEOUT, limits=httpx.Limits(max_keepalive_connections=4))
                options = ClientOptions(
                    headers=DEFAULT_HEADERS | self._headers,
                    httpx_client=self._http,
                    auto_refresh_token=False,
                    persist_session=False,
                    postgrest_client_retry=False,
                )
                self._client = create_client(self._url, self._key, options)
                self._pid = os.getpid()
            return self._client

    def close(self) -> None:
        if self._http is not None and self._pid == os.getpid():
            self._http.close()
        self._client = self._http = None

    def _rpc(self, function: str, **arguments: Any) -> Any:
        return _repeated(lambda: self.client.rpc(f"docpipe_{function}", arguments).execute().data)

    def _select(
        self, table: str, columns: str, match: Mapping[str, Any], order: str, at_once: int = _PAGE_ROWS
    ) -> Iterator[Mapping[str, Any]]:
        """All matching rows, `at_once` in one answer; the server's own cap may be lower than ours."""
        start = 0
        while True:
            query = self.client.table(table).select(columns).match(dict(match)).order(order)
            found = _rows(query.range(start, start + at_once - 1))
            yield from found
            start += len(found)
            if not found:
                return

    def _slice(self, table: str, ref: Ref, order: str, start: int, limit: int) -> list[rows.Row]:
        query = self.client.table(table).select("*").match(match(ref)).order(order)
        return _rows(query.range(start, start + limit - 1))

    # --- moves ----------------------------------------------------------------------------------

    def register(self, document: NewDocument) -> Registered:
        row = self._rpc("register", p_document=json.dumps(rows.document_row(document)))
        ref = Ref(row["document_uuid"], row["run"])
        return Registered(ref, row["created"], row["status"], row["task_id"])

    def queue(self, ref: Ref, stage: str, task_id: str) -> bool:
        return bool(self._rpc("queue", **keys(ref), p_stage=stage, p_task_id=task_id))

    def publish_failed(self, ref: Ref, stage: str, message: str) -> bool:
        return bool(self._rpc("publish_failed", **keys(ref), p_stage=stage, p_message=message))

    def claim(self, ref: Ref, stage: str, claimant: Claimant) -> Claim:
        return rows.claim_of(self._rpc("claim", **keys(ref), p_stage=stage, **asked_by(claimant)))

    def heartbeat(self, ref: Ref, stage: str, token: int, lease_seconds: float) -> Heartbeat:
        return Heartbeat(
            self._rpc("heartbeat", **keys(ref), p_stage=stage, p_token=token, p_lease_seconds=lease_seconds)
        )

    def finish(self, ref: Ref, stage: str, token: int, output: StageOutput) -> bool:
        last = self._staged(token, output)
        return bool(self._rpc("finish_stage", **keys(ref), p_stage=stage, p_token=token, p_output=last))

    def _staged(self, token: int, output: StageOutput) -> str:
        """Send all of the output but its last part, which is returned."""
        *parts, last = _payloads(output)
        for number, part in enumerate(parts):
            self._rpc("stage_part", p_token=token, p_part=number, p_output=part)
        return last

    @property
    def ranges(self) -> SupabaseRanges:
        return SupabaseRanges(self._rpc, self._select, self._staged)

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

    def stalled(self, *, grace_seconds: float, limit: int = 1000) -> list[Stalled]:
        found = self._rpc("stalled", p_grace_seconds=grace_seconds, p_limit=limit)
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

    def _one(self, table: str, columns: str, match: Mapping[str, Any]) -> Mapping[str, Any]:
        query = self.client.table(table).select(columns).match(dict(match)).limit(1)
        found = _rows(query)
        if not found:
            raise DocumentNotFoundError(f"The store knows no document {match['document_uuid']}.")
        return found[0]

    def source(self, ref: Ref) -> SourceRecord:
        columns = "original_file_name,content_digest,file_size_bytes"
        document = self._one("source_documents", columns, {"document_uuid": ref.document_uuid})
        run = self._one("docpipe_runs", "source_uri", match(ref))
        return SourceRecord(
            run["source_uri"],
            document["original_file_name"],
            document["content_digest"],
            document["file_size_bytes"],
        )

    def load(self, ref: Ref, parts: Collection[Part]) -> Document:
        columns = (
            "original_file_name,project_id::text,celery_status,initial_processing_status,document_metadata"
        )
        document = self._one("source_documents", columns, {"document_uuid": ref.document_uuid})
        text = ",text" if Part.TEXT in parts else ""
        run = self._one("docpipe_runs", f"file_type,metadata{text}", match(ref))

        stages = list(self._select("stage_runs", "stage,output,warnings", match(ref), "position"))

        def table(part: Part) -> Iterator[Mapping[str, Any]]:
            order = "number" if part is Part.PAGES else "index"
            return self._select(f"docpipe_{part}", "*", match(ref), order) if part in parts else iter(())

        return Document(
            document_uuid=ref.document_uuid,
            run=ref.run,
            status=document_status(document["celery_status"], document["initial_processing_status"]),
            name=document["original_file_name"],
            project_id=document["project_id"],
            metadata=document["document_metadata"] | run["metadata"],
            file_type=run["file_type"],
            text=run.get("text") or "",
            pages=tuple(map(rows.page_of, table(Part.PAGES))),
            chunks=tuple(map(rows.chunk_of, table(Part.CHUNKS))),
            mentions=tuple(map(rows.mention_of, table(Part.MENTIONS))),
            entities=tuple(map(rows.entity_of, table(Part.ENTITIES))),
            relations=tuple(map(rows.relation_of, table(Part.RELATIONS))),
            edges=tuple(map(rows.edge_of, table(Part.EDGES))),
            facts=rows.facts_of(table(Part.FACTS)),
            extras=rows.extras_of(stages) if Part.EXTRAS in parts else {},
            warnings=rows.warnings_of(stages),
        )

    def status(self, document_uuid: str) -> DocumentStatus:
        document_uuid = storable(document_uuid)
        row = self._rpc("status", p_document=document_uuid)
        if row is None or row["run"] is None:
            raise DocumentNotFoundError(f"The store knows no document {document_uuid}.")
        return rows.status_of(row)

    def documents(self, selection: Selection = ALL, *, limit: int = 100) -> list[Summary]:
        wanted = json.dumps(rows.selection_row(selection))
        return [rows.summary_of(row) for row in self._rpc("select", p_selection=wanted, p_limit=limit)]

    def statistics(self, *, window_seconds: float = 3600.0, limit: int = 100) -> Statistics:
        """Asked once, without repeats: whoever watches asks again anyway, and must not wait for long."""
        arguments = {"p_window_seconds": window_seconds, "p_limit": limit}
        found: Any = _translated(lambda: self.client.rpc("docpipe_statistics", arguments).execute().data)
        return statistics_of(found)

    def check(self) -> list[str]:
        """Asks for one row of every table and calls a function, as the key in use."""
        lacking = []
        ledger = ("docpipe_runs", "stage_runs", "docpipe_page_ranges", "docpipe_history")
        tables = ("source_documents", "neo4j_documents", *ledger)
        for table in (*tables, *(f"docpipe_{part}" for part in Part if part not in (Part.TEXT, Part.EXTRAS))):
            try:
                _rows(self.client.table(table).select("*").limit(1))
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


def _payloads(output: StageOutput) -> list[str]:
    """The output as JSON objects of limited size; the last is the one for `docpipe_finish`."""
    tables = rows.result_rows(output)
    fields = rows.run_fields(output) | {"replaces": list(tables)}
    payloads = [json.dumps({table: part}) for table, found in tables.items() for part in _slices(found)]
    text = fields.get("text", "")
    if len(text) > _PART_BYTES:
        cuts = range(0, len(text), _PART_BYTES)
        payloads += [json.dumps({"text": text[cut : cut + _PART_BYTES]}) for cut in cuts]
        fields["text"] = ""
    if sum(map(len, payloads)) <= _PART_BYTES:
        return [json.dumps(fields | tables)]
    return [*payloads, json.dumps(fields)]


def _slices(found: list[rows.Row]) -> Iterator[list[rows.Row]]:
    slice_, size = [], 0
    for row in found:
        slice_.append(row)
        size += len(json.dumps(row))
        if size > _PART_BYTES:
            yield slice_
            slice_, size = [], 0
    if slice_:
        yield slice_


def _rows(query: SyncSelectRequestBuilder) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", _repeated(query.execute).data)


def _repeated(call: Callable[[], T]) -> T:
    """Call, translate the vendor's errors, and repeat a few times what may work the next time."""
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=5.0) + wait_random(0, 0.2),
        reraise=True,
    )
    return cast("T", retrying(_translated, call))


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except APIError as error:
        raise _error_of(error) from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"Supabase does not answer: {type(error).__name__}: {error}.") from error


def _error_of(error: APIError) -> DocpipeError:
    """PostgREST's codes: https://docs.postgrest.org/en/stable/references/errors.html."""
    code, message = str(error.code or ""), error.message or str(error)
    wrong_key = not code and "api key" in message.lower()
    if wrong_key or code in {"42501", "401", "403"} or code.startswith("PGRST3"):
        return PermissionDeniedError(f"Supabase refuses the key: {message}.")
    if code in {"PGRST202", "PGRST204", "PGRST205", "42P01", "42703", "42883", "23502"}:
        return SchemaError(f"The database is not ready for docpipe: {message}.")
    if code in {"22P02", "22003", "22021", "23503"}:
        details = f" {error.details}" if error.details else ""
        return ConfigurationError(
            f"The database refuses a value: {message}.{details} A project id must be one that"
            " source_documents.project_id takes."
        )
    if code == "429":
        return RateLimitedError("Supabase asks for fewer requests (429).")
    server_side = code.startswith(("5", "08", "40", "53", "57", "58", "55", "PGRST0"))
    if server_side or code == "" or not code[:1].isdigit():
        return StoreUnavailableError(f"Supabase fails ({code}): {message}.")
    return BugError(f"Supabase refuses a call ({code}): {message}.")
