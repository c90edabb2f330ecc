"""Rows of very many documents, made by the database itself: the same in Postgres and in SQLite.

Of each hundred documents 90 have completed, 1 has failed and 9 wait for their first stage. Half of them are
in one project, the others in some hundreds. Each that completed has a page that can be searched and three
names: two are its own, one it shares with a hundred documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from docpipe.execution.plan import BUILT_IN

WAITS = "n % 100 < 9"
FAILED = "n % 100 = 9"
DONE = "n % 100 > 9"
PROJECT = "case when n % 2 = 0 then 'large' else 'p' || (n % 1000) end"
TEXT = "'Agreement ' || n || ' of Ann and Bob'"
KEYS = ("'PERSON ann ' || n", "'ORG company ' || n", "'PERSON bob lee ' || (n / 100)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What two databases write in two ways."""

    numbers: str
    """A table `numbers` with a column n: 1 to {count}."""
    ago: str
    """The moment so many {seconds} ago."""
    search_columns: str
    search_values: str


POSTGRES = Dialect(
    "numbers as (select generate_series(1, {count}) as n)",
    "now() - make_interval(secs => {seconds})",
    "text, words",
    f"{TEXT}, to_tsvector('pg_catalog.english', {TEXT})",
)
SQLITE = Dialect(
    "numbers as (select 1 as n union all select n + 1 from numbers where n < {count})",
    "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-' || ({seconds}) || ' seconds')",
    "text",
    TEXT,
)


def inserts(dialect: Dialect, count: int) -> Iterator[str]:
    """The statements, in order; document n is `d` and its number, and n seconds old."""
    numbers = dialect.numbers.format(count=count)
    at = dialect.ago.format(seconds="1.0 * n")
    for table, columns, values, where in (*_ledger(at), *_results(dialect), *_names()):
        rows = f"select {values} from numbers where {where}"  # noqa: S608
        yield f"with recursive {numbers} insert into {table} ({columns}) {rows}"


Rows = Iterator[tuple[str, str, str, str]]
"""Table, columns, values, and which numbers have such a row."""


def _ledger(at: str) -> Rows:
    yield (
        "source_documents",
        "document_uuid, project_id, original_file_path, original_file_name, file_size_bytes, content_digest,"
        " document_metadata, celery_status, initial_processing_status, celery_task_id, docpipe_run,"
        " docpipe_result_run, created_at, updated_at",
        f"'d' || n, {PROJECT}, 'file:///' || n, n || '.pdf', 1000, 'digest ' || n, '{{}}',"
        f" {_status('graph_complete')}, {_status('completed')}, 't' || n, 1, case when {DONE} then 1 end,"
        f" {at}, {at}",
        "true",
    )
    yield (
        "docpipe_runs",
        "document_uuid, run, state, source_uri, batch, created_at, finished_at, unlinked",
        f"'d' || n, 1, {_either('active', 'failed', 'completed')}, 'file:///' || n, 'b' || (n / 500), {at},"
        f" case when not ({WAITS}) then {at} end, 1 = 0",
        "true",
    )
    for position, spec in enumerate(BUILT_IN):
        words = json.dumps(asdict(spec.words))
        state = _either("queued", "queued" if position else "failed", "complete")
        yield (
            "stage_runs",
            "document_uuid, run, stage, position, queue, words, state, attempt, queued_at, started_at,"
            " finished_at, error_code, priority",
            f"'d' || n, 1, '{spec.name}', {position}, '{spec.queue}', '{words}', {state}, 1,"
            f" case when {DONE} or {position} = 0 then {at} end, case when {DONE} then {at} end,"
            f" case when {DONE} then {at} end, case when {FAILED} and {position} = 0 then 'corrupt' end, 0",
            "true",
        )


def _results(dialect: Dialect) -> Rows:
    yield (
        "docpipe_pages",
        "document_uuid, run, number, start_offset, end_offset, method, reason, part, lines",
        "'d' || n, 1, 1, 0, 30, 'text', '', '', '[]'",
        DONE,
    )
    yield (
        "docpipe_page_search",
        f"document_uuid, run, number, {dialect.search_columns}",
        f"'d' || n, 1, 1, {dialect.search_values}",
        DONE,
    )


def _names() -> Rows:
    for place, key in enumerate(KEYS):
        keys = f"'d' || n, 1, {place}"
        yield (
            "docpipe_entities",
            'document_uuid, run, "index", name, label, mentions',
            f"{keys}, {key}, 'PERSON', '[]'",
            DONE,
        )
        yield (
            "docpipe_entity_names",
            'document_uuid, run, "index", project_id, key, name, label, spellings, mention_count',
            f"{keys}, {PROJECT}, {key}, {key}, 'PERSON', lower({key}), 1",
            DONE,
        )
        block = f"'PERSON ^' || substr({key}, 8, 4)"
        shared = "" if place < len(KEYS) - 1 else " and n % 100 in (10, 11)"
        yield "docpipe_entity_blocks", "project_id, block, key", f"{PROJECT}, {block}, {key}", DONE + shared
    yield "docpipe_entity_linked", "document_uuid, run", "'d' || n, 1", DONE


def _status(done: str) -> str:
    return _either("ocr_queued", "error_ocr", done)


def _either(waits: str, failed: str, done: str) -> str:
    return f"case when {WAITS} then '{waits}' when {FAILED} then '{failed}' else '{done}' end"
