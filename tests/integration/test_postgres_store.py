"""The postgres store beside what the contract says: forks, lost connections, and a pooler's terms."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from docpipe.errors import ConfigurationError, DocumentNotFoundError, SchemaError, StoreUnavailableError
from docpipe.models import Ref
from docpipe.models.reading import ReadingOptions
from docpipe.stores.functions.calls import Call
from docpipe.stores.postgres.store import PostgresStore
from tests.contract.test_store import OUTPUTS, claim, new
from tests.stack import Stack


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(database)
    yield opened
    opened.close()


def test_nothing_is_left_in_a_session_that_a_pooler_gives_to_others(store: PostgresStore) -> None:
    for _ in range(20):  # psycopg prepares from the fifth on
        store.check()
    with store.pool.connection() as connection:
        left = connection.execute(
            "select (select count(*) from pg_prepared_statements), (select count(*) from pg_cursors),"
            " (select count(*) from pg_settings where source = 'session'),"
            " (select count(*) from pg_locks where locktype = 'advisory')"
        ).fetchone()
    assert left == (0, 0, 0, 0)


def test_a_child_after_a_fork_has_connections_of_its_own(store: PostgresStore) -> None:
    def session() -> int:
        with store.pool.connection() as connection:
            return connection.info.backend_pid

    mine = session()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(session()).encode())
            store.close()
        finally:
            os._exit(0)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(read) as told:
        theirs = int(told.read())
    assert theirs != mine
    assert session() == mine  # the child has not ended it


def test_connections_that_died_with_the_server_are_replaced(store: PostgresStore, stack: Stack) -> None:
    assert store.check() == []
    stack.postgres.kill()
    stack.postgres.start()
    assert store.check() == []


def test_a_server_that_is_away_is_said_without_the_password() -> None:
    store = PostgresStore("postgresql://postgres:geheim@127.0.0.1:1/postgres")
    with pytest.raises(StoreUnavailableError, match="SUPABASE_DB_URL") as caught:
        store.statistics()
    assert "geheim" not in str(caught.value)


def test_a_wrong_password_is_said(database: str) -> None:
    store = PostgresStore(re.sub(r":[^:@/]+@", ":geheim@", database))
    with pytest.raises(StoreUnavailableError, match="password authentication failed") as caught:
        store.statistics()
    assert "geheim" not in str(caught.value)


def test_an_address_that_nobody_can_read_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        PostgresStore("postgresql://postgres:geheim@host:5432/postgres?sslmodus=x")
    assert "geheim" not in str(caught.value)


def test_two_addresses_of_one_database_are_one_store(database: str) -> None:
    other = re.sub(r"//[^@]+@", "//somebody:else@", database)
    assert PostgresStore(database).fingerprint == PostgresStore(other).fingerprint
    assert "@" not in PostgresStore(database).fingerprint


def test_no_such_document(store: PostgresStore) -> None:
    with pytest.raises(DocumentNotFoundError):
        store.status("nobody")


def _rows_of(store: PostgresStore, ref: Ref) -> list[tuple[str, dict[str, Any]]]:
    """All that was written of a document at its submit, without what is its own."""
    own = {"id", "document_uuid", "content_digest", "task_id", "celery_task_id"}
    with store.pool.connection() as connection:
        found = connection.execute(
            "select * from ("
            " select 'document', to_jsonb(d) from source_documents d where document_uuid = %(it)s"
            " union all select 'run', to_jsonb(r) from docpipe_runs r where document_uuid = %(it)s"
            " union all select 'stage', to_jsonb(s) from stage_runs s where document_uuid = %(it)s"
            " union all select 'history', to_jsonb(h) from docpipe_history h where document_uuid = %(it)s"
            ") f (kind, row) order by kind, row->'position', row->'id'",
            {"it": ref.document_uuid},
        ).fetchall()
    return [
        (
            kind,
            {name: name.endswith("at") or value for name, value in row.items() if name not in own and value},
        )
        for kind, row in found
    ]


def test_many_are_registered_as_one_is(store: PostgresStore) -> None:
    """New ones are written by statements of their own."""
    one = new(
        document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex, project_id="p1", priority=3, batch="june",
        metadata={"a": 1}, reading=ReadingOptions(dpi=72), trace_parent="00-1-2-01", copied=True,
    )  # fmt: skip
    other = replace(one, document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex)
    singly = store.register(one).ref
    store.queue(singly, one.stages[0].name, "t1")
    (together,) = store.register_many([other], ["t2"])
    assert _rows_of(store, singly) == _rows_of(store, together.ref)
    assert together.queued


HURRY = """
create function hurry() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.3); return new; end $$;
create trigger hurry before update on source_documents for each row execute function hurry();
"""


def test_a_role_that_is_given_little_time_still_ends_long_documents(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(HURRY)
        try:
            store = PostgresStore(make_conninfo(database, options="-c statement_timeout=200ms"))
            ref = store.register(new()).ref
            token = claim(store, ref, "ocr").token
            assert token is not None
            large = replace(OUTPUTS["ocr"], text="x" * 1_200_000)
            assert store.finish(ref, "ocr", token, large)
            with store.pool.connection() as connection:
                assert connection.execute("show statement_timeout").fetchone() == ("200ms",)
            with pytest.raises(SchemaError, match="docpipe_nonesuch"):
                store._call(Call("nonesuch", {}))
            store.close()
        finally:
            db.execute("drop function hurry() cascade")
