"""What is taken back leaves no trace: the whole database is as it was, on each store."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest
from psycopg import sql

from docpipe.execution.plan import BUILT_IN
from docpipe.graph.build import entity_id
from docpipe.graph.linking import link_document
from docpipe.graph.reader import Graphs
from docpipe.models import Evidence, Ref, Relation
from docpipe.stores.port import Store
from docpipe.stores.sqlite.store import SqliteStore
from tests.contract.test_project_entities import added, named
from tests.contract.test_store import run_stage

WORKS = Relation("WORK_FOR", 0, 1, Evidence(0, 12, 1), 0.9)


def everything(store: Store) -> dict[str, list[str]]:
    """Every row of every table but the counter of fencing tokens, which never goes back. Of the index of
    words, which FTS5 keeps in tables of its own, the words and where they stand.
    """
    if isinstance(store, SqliteStore):
        kind = "fts5vocab (main, docpipe_page_words, instance)"
        store._connection().execute(f"create virtual table if not exists temp.words using {kind}")
        tables = [row["name"] for row in store._rows("select name from sqlite_master where type = 'table'")]
        own = [each for each in tables if not each.startswith("docpipe_page_words")]
        found: dict[str, list[Any]] = {
            each: store._rows(f'select * from "{each}"') for each in [*own, "words"]
        }
        del found["docpipe_token"]
        return {table: sorted(repr(tuple(row)) for row in rows) for table, rows in found.items()}
    with psycopg.connect(os.environ["SUPABASE_DB_URL"]) as database:
        rows = database.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        return {table: sorted(map(repr, database.execute(_all(table)).fetchall())) for (table,) in rows}


def _all(table: str) -> sql.Composed:
    return sql.SQL("select * from {}").format(sql.Identifier("public", table))


@pytest.fixture
def pair(store: Store) -> tuple[Ref, Ref]:
    """Two documents that both name Ann Lee; the first also Acme, the second Umbrella."""
    one = added(store, ("PERSON", "Ann Lee"), ("ORG", "Acme"), relations=(WORKS,))
    return one, added(store, ("ORG", "Umbrella"), ("PERSON", "Ann Lee"))


@pytest.mark.parametrize(("place", "rival", "first"), [(1, 0, "merge"), (0, 1, "split")])
def test_a_decision_taken_back(
    store: Store, pair: tuple[Ref, Ref], place: int, rival: int, first: str
) -> None:
    ids = entity_id(pair[0].document_uuid, place), entity_id(pair[1].document_uuid, rival)
    graphs, before = Graphs(store), everything(store)
    steps = [graphs.merge, graphs.split] if first == "merge" else [graphs.split, graphs.merge]
    steps[0](*ids)
    assert everything(store) != before
    steps[1](*ids)
    assert everything(store) == before


def test_a_document_with_decisions_and_two_runs_deleted(store: Store, pair: tuple[Ref, Ref]) -> None:
    graphs, before = Graphs(store), everything(store)
    names = (("PERSON", "Ann Leigh"), ("ORG", "Umbrela"), ("PERSON", "Ann Lee"))
    ref = added(store, *names, relations=(WORKS,))
    graphs.merge(entity_id(ref.document_uuid, 0), entity_id(pair[0].document_uuid, 1))
    graphs.split(entity_id(pair[0].document_uuid, 0), entity_id(ref.document_uuid, 2))
    again = store.reprocess(ref.document_uuid, "ocr", [stage.planned for stage in BUILT_IN])
    assert again is not None
    for stage, output in named(("ORG", "Zeta"), ("PERSON", "Ann Lee")).items():
        run_stage(store, again.ref, stage, output)
    assert link_document(store, again.ref)
    store.delete(ref.document_uuid)
    store.erased(ref.document_uuid)
    assert everything(store) == before
