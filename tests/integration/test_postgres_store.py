"""The postgres store beside what the contract says: forks, lost connections, and a pooler's terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from docpipe.errors import ConfigurationError, DocumentNotFoundError, StoreUnavailableError
from docpipe.stores.postgres.store import PostgresStore
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
