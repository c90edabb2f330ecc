"""Choosing documents reads what is chosen, however many others there are."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from benchmarks import growth_rows
from docpipe.stores import rows
from docpipe.stores.sqlite import statistics
from docpipe.stores.sqlite.selection import selected_values, selection_query
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.text_search import terms
from docpipe.stores.values import Selection

MANY = 5000
SELECTIONS = {
    "an error that none has": Selection(error_code="encrypted"),
    "a small project": Selection(project_id="small"),
    "a small batch": Selection(batch="june"),
}
INDEXES = ("stage_runs_error_idx", "source_documents_project_idx", "docpipe_runs_batch_idx")
FILL = """
insert into source_documents (document_uuid, project_id, original_file_name, celery_status, docpipe_run)
select 'd' || n, case when n = 7 then 'small' else 'large' end, n || '.pdf', 'graph_complete', 1
  from generate_series(1, {many}) n;
insert into docpipe_runs (document_uuid, run, state, source_uri, batch)
select 'd' || n, 1, 'completed', 'file:///' || n, case when n = 7 then 'june' end
  from generate_series(1, {many}) n;
insert into stage_runs (document_uuid, run, stage, position, queue, words, state, error_code)
select 'd' || n, 1, 'ocr', 0, 'ocr', '{{}}', 'failed', case when n % 10 = 0 then 'corrupt' end
  from generate_series(1, {many}) n;
analyze source_documents, docpipe_runs, stage_runs;
"""
READ = """
select sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables
 where relname in ('source_documents', 'docpipe_runs', 'stage_runs')
"""


@pytest.mark.parametrize("what", SELECTIONS)
def test_few_rows_are_read_of_many_in_postgres(database: str, what: str) -> None:
    asked = json.dumps(rows.selection_row(SELECTIONS[what]))
    with psycopg.connect(database) as db:
        db.execute(FILL.format(many=MANY).encode())
        db.commit()
        before = rows_read(db)
        db.execute("select docpipe_select(%s, 100)", (asked,))
        assert rows_read(db) - before < MANY / 10


def test_statistics_read_no_row_of_what_has_long_ended_in_postgres(database: str) -> None:
    with psycopg.connect(database) as db:
        db.execute(FILL.format(many=MANY).encode())
        db.execute("update docpipe_runs set finished_at = now() - interval '1 day'")
        db.execute("update stage_runs set finished_at = now()")
        db.commit()
        db.autocommit = True
        db.execute("vacuum analyze source_documents, docpipe_runs, stage_runs")
        db.autocommit = False
        before = rows_read(db)
        db.execute("select docpipe_statistics(3600, 100)")
        assert rows_read(db) - before < 1.5 * MANY  # the stages that ended within the hour, once


def rows_read(db: psycopg.Connection) -> int:
    found = db.execute(READ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(("what", "index"), list(zip(SELECTIONS, INDEXES, strict=True)))
def test_an_index_finds_them_in_sqlite(tmp_path: Path, what: str, index: str) -> None:
    store = SqliteStore(tmp_path / "docpipe.db")
    wanted = rows.selection_row(SELECTIONS[what])
    plan = store._rows(f"explain query plan {selection_query(wanted)}", *selected_values(wanted), 100)
    store.close()
    told = [row["detail"] for row in plan]
    assert any(index in each for each in told), told
    assert told.count("SCAN d") == 1, told  # of the few that were found


COUNTS: dict[str, tuple[str, tuple[str, ...] | dict[str, object]]] = {
    "source_documents_counts_idx": (statistics.DOCUMENTS, ()),
    "stage_runs_open_idx": (statistics.RUNNING, {"now": "", "limit": 1}),
    "stage_runs_finished_idx": (statistics.ENDED, ("",)),
}


@pytest.mark.parametrize("index", COUNTS)
def test_statistics_are_read_from_indexes_in_sqlite(tmp_path: Path, index: str) -> None:
    store = SqliteStore(tmp_path / "docpipe.db")
    sql, values = COUNTS[index]
    plan = store._connection().execute(f"explain query plan {sql}", values).fetchall()
    store.close()
    (first, *_) = [row["detail"] for row in plan if row["detail"].startswith(("SCAN", "SEARCH"))]
    assert index in first


def test_sqlite_takes_no_more_steps_for_any_of_some_words_when_more_pages_hold_them(tmp_path: Path) -> None:
    few, many = (_steps_of_a_search(tmp_path / f"{count}.db", count) for count in (4_000, 16_000))
    assert many < 1.5 * few


def _steps_of_a_search(path: Path, documents: int) -> int:
    """Thousands of instructions of SQLite's machine, among documents all of which hold two of the words."""
    store = SqliteStore(path)
    for statement in growth_rows.inserts(growth_rows.SQLITE, documents):
        store._connection().execute(statement)
    steps: list[int] = []
    store._connection().set_progress_handler(lambda: steps.append(1) or 0, 1000)  # type: ignore[func-returns-value]
    (hit,) = store.search_pages(terms("agreement ann 15"), any_term=True, limit=1)
    store.close()
    assert hit.ref.document_uuid == "d15"
    return len(steps)
