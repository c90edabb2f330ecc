# ruff: noqa: E501 - SQL
"""Crossing: anon, a stranger and a member of another project try every table, view and function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import psycopg
import pytest
from psycopg import sql

from docpipe.cli.takeover import migrate, takeover
from docpipe.cli.takeover.policies import Members, policies
from docpipe.errors import ConfigurationError

OLD_DEFAULTS = "".join(
    f"alter default privileges in schema public grant all on {kind} to anon, authenticated, service_role;"
    for kind in ("tables", "sequences", "functions")
)
HOST = """
create schema auth;
grant usage on schema auth to anon, authenticated;
create function auth.uid() returns uuid language sql stable as
    $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'sub')::uuid $$;
create table public."Team ""A"" members" ("User" uuid, "Project" text);
grant select on public."Team ""A"" members" to authenticated;
"""
MEMBERS = Members('Team "A" members', "User", "Project")
EARLIER = Path(__file__).parents[1] / "sql" / "schema_20261123090000.sql"
READABLE = {
    "source_documents", "docpipe_pages", "docpipe_chunks", "docpipe_mentions", "docpipe_entities",
    "docpipe_relations", "docpipe_edges", "docpipe_facts", "docpipe_entity_names",
}  # fmt: skip
ROWS = {
    "docpipe_pages": "(document_uuid, run, number, start_offset, end_offset, method) values (%s, 1, 1, 0, 1, 'text')",
    "docpipe_chunks": "(document_uuid, run, index, start_offset, end_offset, page_from, page_to, text)"
    " values (%s, 1, 0, 0, 1, 1, 1, 'secret')",
    "docpipe_mentions": "(document_uuid, run, index, text, label, start_offset, end_offset, page, score, source, chunk)"
    " values (%s, 1, 0, 'Ann', 'PERSON', 0, 3, 1, 1, 'x', 0)",
    "docpipe_entities": "(document_uuid, run, index, name, label, mentions) values (%s, 1, 0, 'Ann', 'PERSON', '[0]')",
    "docpipe_relations": "(document_uuid, run, index, type, source, target, start_offset, end_offset, page, score)"
    " values (%s, 1, 0, 'X', 0, 0, 0, 1, 1, 1)",
    "docpipe_edges": "(document_uuid, run, index, type, source, target) values (%s, 1, 0, 'X', 'a', 'b')",
    "docpipe_facts": "(document_uuid, run, index, type, role, text, start_offset, end_offset, page, score)"
    " values (%s, 1, 0, 'KIND', '', '', 0, 1, 1, 1)",
}


def user(name: str) -> str:
    return str(uuid5(NAMESPACE_DNS, name))


@pytest.fixture(params=["present defaults", "older defaults"])
def dsn(request: pytest.FixtureRequest, empty_database: str) -> str:
    """Two projects with a document each, and a member of each."""
    with psycopg.connect(empty_database, autocommit=True) as db:
        if request.param == "older defaults":
            db.execute(OLD_DEFAULTS.encode())
        db.execute(HOST.encode())
        takeover.apply(empty_database)
        db.execute(policies(empty_database, MEMBERS).encode())
        for project in ("acme", "other"):
            add(db, project)
    return empty_database


def add(db: psycopg.Connection, project: str) -> None:
    document = {
        "document_uuid": project,
        "project_id": project,
        "uri": "file:///x",
        "name": "x.txt",
        "size": 1,
    }
    more = {"digest": project, "metadata": {}, "stages": [], "priority": 0, "reprocess": False}
    db.execute("select docpipe_register(%s)", (json.dumps(document | more),))
    for table, rest in ROWS.items():
        db.execute(f"insert into {table} {rest}".encode(), (project,))
    db.execute(
        "insert into docpipe_entity_names values (%s, 1, 0, %s, 'k', 'Ann', 'PERSON', 'ann', 1)",
        (project, project),
    )
    db.execute(
        sql.SQL("insert into {} values (%s, %s)").format(sql.Identifier('Team "A" members')),
        (user(project), project),
    )


NEEDED = """
select a.attname, t.typname, t.typcategory from pg_attribute a join pg_type t on t.oid = a.atttypid
 where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attidentity = ''
   and a.attgenerated = '' and (t.typcategory = 'S' or a.attnotnull and not a.atthasdef)"""
CHECKS = """
select conrelid::regclass::text, conname from pg_constraint
 where contype = 'c' and connamespace = 'public'::regnamespace"""


@pytest.fixture
def filled(dsn: str) -> str:
    """Each project has a row in every table that there is, whatever it is for."""
    with psycopg.connect(dsn, autocommit=True) as db:
        for table, check in db.execute(CHECKS.encode()).fetchall():
            db.execute(f'alter table {table} drop constraint "{check}"'.encode())
        db.execute(b"set session_replication_role = replica")  # no triggers: not for foreign keys either
        for table in relations(dsn, "r"):
            for number, project in enumerate(("acme", "other"), 7):
                fill(db, table, project, number)
    return dsn


def fill(db: psycopg.Connection, table: str, project: str, number: int) -> None:
    columns = db.execute(NEEDED.encode(), (f'public."{table}"',)).fetchall()
    by_type = {"jsonb": json.dumps({"project": project}), "uuid": user(project), "tsvector": project}
    by_category = {"S": project, "N": number, "B": True, "D": "2026-01-01", "A": "{}"}
    db.execute(
        sql.SQL("insert into public.{} ({}) values ({}) on conflict do nothing").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.Identifier(name) for name, *_ in columns),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        ),
        [by_type.get(kind, by_category.get(category)) for _, kind, category in columns],
    )


@contextmanager
def as_role(dsn: str, role: str, name: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps({"sub": user(name)}),))
        db.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        yield db


def relations(dsn: str, kinds: str = "rpvmf") -> list[str]:
    """docpipe's tables and views."""
    with psycopg.connect(dsn) as db:
        query = (
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and strpos(%s, relkind::text) > 0 and relname not like 'Team%%' order by 1"
        )
        return [row[0] for row in db.execute(query, (kinds,))]


def everything(dsn: str) -> dict[str, list[str]]:
    with psycopg.connect(dsn) as db:
        query = sql.SQL("select to_jsonb(t)::text from {} t order by 1")
        return {
            name: [row[0] for row in db.execute(query.format(sql.Identifier(name)))]
            for name in relations(dsn)
        }


def got(db: psycopg.Connection, statement: sql.Composed | bytes) -> int:
    """Rows seen or changed; 0 also where it is refused."""
    try:
        return max(db.execute(statement).rowcount, 0)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported):
        return 0


def attempts(name: str, column: str) -> dict[str, sql.Composed]:
    table = sql.Identifier("public", name)
    return {
        "select": sql.SQL("select * from {} t where to_jsonb(t)::text not like '%acme%'").format(table),
        "update": sql.SQL("update {} set {} = {}").format(table, *[sql.Identifier(column)] * 2),
        "delete": sql.SQL("delete from {}").format(table),
        "truncate": sql.SQL("truncate {} cascade").format(table),
        "insert": sql.SQL("insert into {} default values").format(table),
        "trigger": sql.SQL(
            "create trigger t before insert on {} execute function tsvector_update_trigger()"
        ).format(table),
    }


@pytest.mark.parametrize(
    ("role", "name"), [("anon", "nobody"), ("authenticated", "stranger"), ("authenticated", "acme")]
)
def test_nobody_reads_or_changes_what_is_not_of_his_project(filled: str, role: str, name: str) -> None:
    before = everything(filled)
    assert [table for table, rows in before.items() if not any("other" in row for row in rows)] == []
    columns = {table: next(iter(json.loads(rows[0]))) for table, rows in before.items()}
    with as_role(filled, role, name) as db:
        crossed = {
            (table, kind): count
            for table, column in columns.items()
            for kind, statement in attempts(table, column).items()
            if (count := got(db, statement))
        }
    assert crossed == {}
    assert everything(filled) == before


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_no_function_and_no_sequence_is_open(dsn: str, role: str) -> None:
    with psycopg.connect(dsn) as db:
        functions = db.execute(
            "select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace"
            " and proname like 'docpipe%%' and (prosecdef or has_function_privilege(%s, oid, 'execute'))", (role,)
        ).fetchall()  # fmt: skip
        sequences = db.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S'"
            " and relname like 'docpipe%%' and case when relkind = 'S' then has_sequence_privilege(%s, oid, 'usage, select, update') end", (role,)
        ).fetchall()  # fmt: skip
    assert (functions, sequences) == ([], [])


def test_a_member_reads_all_of_his_project(dsn: str) -> None:
    with as_role(dsn, "authenticated", "acme") as db:
        seen = {
            table: got(db, sql.SQL("select * from {}").format(sql.Identifier(table))) for table in READABLE
        }
    assert seen == dict.fromkeys(READABLE, 1)


def test_an_upgrade_leaves_the_members_what_they_may_read(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        for migration in migrate.migrations():
            db.execute(migration.statements.encode())
    test_a_member_reads_all_of_his_project(dsn)


RIGHTS = {
    "all on docpipe_staged to anon": [
        f"no grant of {kind} on docpipe_staged to anon"
        for kind in ("delete", "insert", "references", "select", "trigger", "truncate", "update")
    ],
    "select on docpipe_history to anon": ["no grant of select on docpipe_history to anon"],
    "truncate on source_documents to authenticated": [
        "no grant of truncate on source_documents to authenticated"
    ],
    "update on docpipe_chunks to authenticated": ["no grant of update on docpipe_chunks to authenticated"],
    "all on sequence docpipe_token_seq to authenticated": [
        f"no grant of {kind} on docpipe_token_seq to authenticated" for kind in ("select", "update", "usage")
    ],
    "execute on function docpipe_cancel to anon": ["no grant of execute on docpipe_cancel(text) to anon"],
    "execute on function docpipe_cancel to public": [
        f"no grant of execute on docpipe_cancel(text) to {role}" for role in ("anon", "authenticated")
    ],
}


def test_the_check_is_red_where_old_default_privileges_are_still_there(dsn: str) -> None:
    assert migrate.check(dsn) == []
    with psycopg.connect(dsn, autocommit=True) as db:
        for right, told in RIGHTS.items():
            db.execute(f"grant {right}".encode())
            found = [line for line in migrate.check(dsn) if " of maintain on " not in line]
            assert found == told, right
            db.execute(f"revoke {right.replace(' to ', ' from ')}".encode())


def test_the_check_is_red_on_an_earlier_docpipes_database_with_older_defaults(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as db:
        db.execute(EARLIER.read_bytes())
        db.execute("grant all on all tables in schema public to anon, authenticated")
        db.execute("grant execute on all functions in schema public to anon, authenticated")
    told = set(migrate.check(empty_database))
    for role in ("anon", "authenticated"):
        assert f"no grant of truncate on docpipe_runs to {role}" in told
        assert any(
            line.startswith("no grant of execute on docpipe_") and line.endswith(role) for line in told
        )
    takeover.apply(empty_database)
    assert migrate.check(empty_database) == []


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (Members("nothing"), "no table 'nothing'"),
        (Members('x"; drop table docpipe_runs; --'), "no table"),
        (Members('Team "A" members'), "no column 'user_id'.*User, Project"),
        (Members('Team "A" members', "User", "pro;ject"), "no column 'pro;ject'"),
    ],
)
def test_an_unknown_table_or_column_is_refused(dsn: str, members: Members, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        policies(dsn, members)


def test_every_foreign_key_has_an_index(dsn: str) -> None:
    query = """
        select conrelid::regclass::text, conname from pg_constraint c
         where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
               select 1 from pg_index i where i.indrelid = c.conrelid and i.indpred is null
                  and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)"""
    with psycopg.connect(dsn) as db:
        assert db.execute(query.encode()).fetchall() == []
