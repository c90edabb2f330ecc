"""A project whose linking is stuck holds up nobody: no worker of its own, no connection that others need."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from docpipe.errors import StoreUnavailableError
from docpipe.graph.linking import link_document, names_in
from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.values import ALL_PARTS, Heartbeat
from tests.contract.test_fewer_calls import finished_with_names
from tests.contract.test_project_entities import added, completed, named
from tests.contract.test_store import claim, new, token_of

LOCK = "select pg_advisory_xact_lock(hashtextextended('docpipe project stuck', 0))"
LINKERS = 8
"""Twice the connections of a process."""


@pytest.fixture
def postgres(database: str) -> Iterator[PostgresStore]:
    store = PostgresStore(database)
    yield store
    store.close()


def test_linkers_of_a_stuck_project_do_not_wait_and_heartbeats_come_through(
    postgres: PostgresStore, database: str
) -> None:
    refs = [completed(postgres, ("PERSON", "Ann Lee"), project="stuck") for _ in range(LINKERS)]
    other = postgres.register(new(project_id="other", digest="cd" * 32)).ref
    token = token_of(claim(postgres, other, "ocr"))
    with psycopg.connect(database) as stuck, ThreadPoolExecutor(LINKERS) as threads:
        stuck.execute(LOCK)
        linking = [threads.submit(link_document, postgres, ref) for ref in refs]
        beats = [postgres.heartbeat(other, "ocr", token, 60.0) for _ in range(20)]
        errors = [each.exception(timeout=60) for each in linking]  # they end while the lock is held
        assert [type(each) for each in errors] == [StoreUnavailableError] * LINKERS
        assert beats == [Heartbeat.OK] * 20
    assert {*postgres.unlinked("stuck")} == {*refs}
    assert all(link_document(postgres, ref) for ref in refs)
    assert postgres.unlinked("stuck") == []


def test_a_finish_in_a_stuck_project_is_stored_and_linked_later(
    postgres: PostgresStore, database: str
) -> None:
    with psycopg.connect(database) as stuck:
        stuck.execute(LOCK)
        ref, finished = finished_with_names(postgres, named(("PERSON", "Ann Smith")), project="stuck")
        assert (finished.in_time, finished.linking) == (True, None)
    assert postgres.status(ref.document_uuid).status == "completed"
    assert postgres.unlinked("stuck") == [ref]


@pytest.mark.slow
@pytest.mark.parametrize(("many", "found"), [(199, 200), (200, 0)])
def test_a_name_has_no_rivals_in_a_block_of_very_many(store: Store, many: int, found: int) -> None:
    added(store, *(("PERSON", f"Annabella Number{number:03}") for number in range(many)))
    ref = completed(store, ("PERSON", "Annabella Xanthippe"))
    linking = store.link(ref, names_in(store.load(ref, ALL_PARTS)))
    assert linking is not None
    assert max(map(len, linking.rivals.values()), default=0) == found
