"""The schema on a real Postgres: what `docpipe db apply` makes of an empty database and of one of an earlier
docpipe, and what `docs/reference/schema.sql` shows.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from docpipe.cli.takeover import migrate, takeover
from docpipe.stores.functions.store import STATEMENT_SECONDS
from tests.integration.legacy_database import run, table, value
from tests.integration.test_worker_role import OF_HOSTS
from tests.sql.catalogue import Catalogue, catalogue, differences
from tests.sql.dump import SCHEMA, present_schema
from tests.stack import Stack

EARLIER = Path(__file__).parents[1] / "sql" / "schema_20261123090000.sql"
_numbers = count()

NewDatabase = Callable[[], str]


@pytest.fixture(scope="module")
def new_database(stack: Stack) -> Iterator[NewDatabase]:
    """Makes empty databases, in which a role may do only what it is granted there."""
    stack.mend()
    names = []

    def make() -> str:
        names.append(f"schema_{os.getpid()}_{next(_numbers)}")
        return stack.postgres.create_database(names[-1], for_api=False)

    yield make
    for name in names:
        stack.postgres.drop_database(name)


@pytest.fixture(scope="module")
def applied(new_database: NewDatabase) -> str:
    """A database that was empty when `docpipe db apply` was run; no test changes it."""
    dsn = new_database()
    takeover.apply(dsn)
    return dsn


def schema(dsn: str) -> Catalogue:
    """The catalogue of the database."""
    with psycopg.connect(dsn) as connection:
        return catalogue(connection)


def test_the_schema_file_is_what_the_migrations_make(stack: Stack) -> None:
    stack.mend()
    assert SCHEMA.read_text(encoding="utf-8") == present_schema(stack.postgres), "run: make schema"


def test_the_schema_file_and_the_migrations_make_equal_databases(
    applied: str, new_database: NewDatabase
) -> None:
    shown = new_database()
    run(shown, SCHEMA.read_text(encoding="utf-8"))
    assert differences(schema(applied), schema(shown)) == []


CHANGES = {
    "alter table docpipe_pages drop column height": ["column docpipe_pages.height: missing"],
    "alter table docpipe_pages add column colour text": ["column docpipe_pages.colour: not expected"],
    "alter table docpipe_pages alter column height set default 1": ["column docpipe_pages.height: "],
    "alter table docpipe_pages alter column height type real": ["column docpipe_pages.height: "],
    "alter table docpipe_staged alter column payload drop not null": [
        "column docpipe_staged.payload: ",
        "constraint docpipe_staged_payload_not_null on docpipe_staged: missing",
    ],
    "comment on column docpipe_pages.height is 'tall'": ["column docpipe_pages.height: "],
    "alter table docpipe_runs drop constraint docpipe_runs_run_check": [
        "constraint docpipe_runs_run_check on docpipe_runs: missing"
    ],
    "drop index stage_runs_open_idx": ["index stage_runs_open_idx: missing"],
    "alter sequence docpipe_token_seq increment 2": ["sequence docpipe_token_seq: "],
    "revoke usage on docpipe_token_seq from service_role": ["sequence docpipe_token_seq: "],
    "alter table docpipe_edges disable row level security": ["table docpipe_edges: "],
    "grant select on docpipe_edges to anon": ["table docpipe_edges: "],
    "grant select (type) on docpipe_edges to anon": ["column docpipe_edges.type: "],
    "alter policy docpipe_service_role on docpipe_edges using (false)": [
        "policy docpipe_service_role on docpipe_edges: "
    ],
    "create trigger t after insert on docpipe_edges for each row execute function docpipe_refuse_queue()": [
        "trigger t on docpipe_edges: not expected"
    ],
    "alter function docpipe_cancel(text) security definer": ["function docpipe_cancel(text): "],
    "alter function docpipe_cancel(text) set search_path = ''": ["function docpipe_cancel(text): "],
    "grant execute on function docpipe_cancel(text) to anon": ["function docpipe_cancel(text): "],
    "create or replace function docpipe_schema_version() returns text language sql immutable"
    " set search_path = public, extensions as 'select null::text'": ["function docpipe_schema_version(): "],
    "create type mood as enum ('fair')": ["type mood: not expected"],
    "create view seen as select 1 as one": [
        "column seen.one: not expected",
        "rule _RETURN on seen: not expected",
        "view seen: not expected",
    ],
    "revoke usage on schema public from service_role": ["schema public: "],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_between_two_databases_is_named(applied: str, change: str) -> None:
    with psycopg.connect(applied) as connection, connection.transaction(force_rollback=True):
        before = catalogue(connection)
        connection.execute(change.encode())
        found = differences(before, catalogue(connection))
    assert len(found) == len(CHANGES[change])
    for line, expected in zip(found, CHANGES[change], strict=True):
        assert line.startswith(expected)


def test_every_table_has_row_level_security_and_no_role_but_one_may_do_anything(applied: str) -> None:
    open_tables = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    assert table(applied, f"{open_tables} and not relrowsecurity") == []
    query = """
        select c.relname, x.grantee::regrole::text from pg_class c, aclexplode(c.relacl) x
         where c.relnamespace = 'public'::regnamespace and x.grantee <> c.relowner
        union
        select p.proname, x.grantee::regrole::text
          from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
         where p.pronamespace = 'public'::regnamespace and x.grantee <> p.proowner"""
    assert {role for _, role in table(applied, query)} == {"service_role"}


def rows(dsn: str) -> dict[str, list[str]]:
    """Table to its rows, each as JSON; what is null is left out, as a column that came later is."""
    names = [name for (name,) in table(dsn, "select tablename from pg_tables where schemaname = 'public'")]
    return {
        name: sorted(
            json.dumps(row)
            for (row,) in table(dsn, f"select jsonb_strip_nulls(to_jsonb(t)) from public.{name} t")
        )
        for name in names
    }


def test_a_database_of_an_earlier_docpipe_gets_the_present_schema_and_keeps_its_rows(
    new_database: NewDatabase, applied: str
) -> None:
    earlier = new_database()
    run(earlier, EARLIER.read_text(encoding="utf-8"))
    before = rows(earlier)
    assert [name for name, found in before.items() if not found] == []
    files = [each.file_name for each in migrate.migrations()]
    assert takeover.apply(earlier)[: len(files)] == files
    assert differences(schema(applied), schema(earlier)) == []
    assert migrate.check(earlier) == []
    after = rows(earlier)
    for record in ("docpipe_migrations", "docpipe_undo"):  # where `apply` writes down what it did
        assert set(before.pop(record)) < set(after.pop(record))
    done = re.compile(r'(?<="celery_status": )"completed(_with_warnings)?"')
    before["source_documents"] = sorted(
        done.sub('"graph_complete"', row) for row in before["source_documents"]
    )
    before["docpipe_runs"].sort()
    # in every row there was
    filled = re.compile(r'"(docpipe_depth|docpipe_page_count|unlinked|who|why)": (\d|true|false|""), ')
    for name in ("source_documents", "docpipe_runs", "docpipe_entity_decisions"):
        after[name] = sorted(filled.sub("", row) for row in after[name])
    after["stage_runs"] = sorted(row.replace('"priority": 0, ', "") for row in after["stage_runs"])
    (found,) = after.pop("docpipe_page_search")  # the one page of results there is can be searched now
    assert "Ann met Bob on 1 May 2024." in found
    assert after == before | {name: [] for name in after.keys() - before.keys()}
    assert takeover.apply(earlier) == []


def test_a_database_of_an_earlier_docpipe_can_be_given_back_although_a_function_was_dropped_since(
    new_database: NewDatabase,
) -> None:
    dsn = new_database()
    empty = schema(dsn)
    run(dsn, EARLIER.read_text(encoding="utf-8"))
    takeover.apply(dsn)
    run(dsn, "drop function docpipe_cancel(text); update docpipe_runs set state = 'completed'")
    takeover.rollback(dsn, drop_results=True)
    assert value(dsn, "select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0
    assert differences(empty, schema(dsn)) == []


def test_every_function_that_may_be_called_has_a_statements_time_of_its_own(applied: str) -> None:
    """PostgREST reads it here, and puts it in force before the call, whatever the role is given."""
    query = "select substr(proname, 9), proconfig from pg_proc where proname ^@ 'docpipe_'"
    found = {name: set(settings) for name, settings in table(applied, query)}
    granted = value(applied, "select prosrc from pg_proc where proname = 'docpipe_grant_worker'")
    workers = {name for name in found if f"'docpipe_{name}'" in granted}
    called = (workers | OF_HOSTS) - {"refuse_queue", "notify", "schema_version"}  # triggers', a constant
    assert len(called) > 75
    expected = f"statement_timeout={STATEMENT_SECONDS}s"
    assert {name for name in called if expected not in found[name]} == set()
