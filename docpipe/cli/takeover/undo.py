"""What docpipe changed in tables that were not its own: seen by comparing, kept in `docpipe_undo`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from docpipe.cli.takeover.schema import literal

_OBJECTS = """
with foreign_tables as (select oid, relname from pg_class
                         where relnamespace = 'public'::regnamespace and relname = any (%(tables)s))
select 1 as turn, 'policy ' || p.polname || ' on ' || t.relname as change,
       format('drop policy %%I on public.%%I;', p.polname, t.relname) as undo
  from pg_policy p join foreign_tables t on t.oid = p.polrelid
union all
select 2, 'row level security on ' || c.relname,
       format('alter table public.%%I disable row level security;', c.relname)
  from pg_class c join foreign_tables t on t.oid = c.oid where c.relrowsecurity
union all
select 3, 'grant of ' || lower(x.privilege_type) || ' on ' || c.relname || ' to ' || x.grantee::regrole,
       format('revoke %%s on %%s public.%%I from %%s;', x.privilege_type,
              case c.relkind when 'S' then 'sequence' else 'table' end, c.relname, x.grantee::regrole)
  from pg_class c, aclexplode(c.relacl) x
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'S', 'v') and x.grantee <> 0
   and (c.oid in (select oid from foreign_tables) or (c.relkind = 'S' and c.relname = any (%(sequences)s)))
union all
select 3, 'grant of usage on the schema public to ' || x.grantee::regrole,
       format('revoke usage on schema public from %%s;', x.grantee::regrole)
  from pg_namespace n, aclexplode(n.nspacl) x
 where n.nspname = 'public' and x.privilege_type = 'USAGE' and x.grantee <> 0
union all
select 4, 'function ' || oid::regprocedure, format('drop function %%s;', oid::regprocedure)
  from pg_proc where pronamespace = 'public'::regnamespace and proname like 'docpipe\\_%%'
union all
select 5, 'table ' || relname, format('drop table public.%%I cascade;', relname)
  from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
   and relname not in ('docpipe_undo', 'docpipe_migrations')
union all
select 6, 'sequence ' || relname, format('drop sequence public.%%I;', relname)
  from pg_class
 where relnamespace = 'public'::regnamespace and relkind = 'S' and relname like 'docpipe\\_token%%'
union all
select 7, 'index ' || i.relname, format('drop index public.%%I;', i.relname)
  from pg_index x join pg_class i on i.oid = x.indexrelid join foreign_tables t on t.oid = x.indrelid
union all
select 8, 'column ' || t.relname || '.' || a.attname,
       format('alter table public.%%I drop column %%I;', t.relname, a.attname)
  from pg_attribute a join foreign_tables t on t.oid = a.attrelid where a.attnum > 0 and not a.attisdropped
"""

_COMMENTS = """
select c.relname, a.attname, col_description(c.oid, a.attnum)
  from pg_attribute a join pg_class c on c.oid = a.attrelid
 where c.relnamespace = 'public'::regnamespace and c.relname = any (%s)
   and a.attnum > 0 and not a.attisdropped
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The schema as far as docpipe may change it."""

    objects: dict[str, tuple[int, str]]
    """What there is, with the turn and the SQL of its undoing."""
    comments: dict[tuple[str, str], str | None]
    tables: list[str]
    sequences: list[str]


def snapshot(connection: psycopg.Connection, like: Snapshot | None = None) -> Snapshot:
    """The schema now. `like` an earlier one: for the tables that were there then."""
    tables = like.tables if like else _names(connection, "r")
    sequences = like.sequences if like else _names(connection, "S")
    rows = connection.execute(_OBJECTS, {"tables": tables, "sequences": sequences}).fetchall()
    comments = connection.execute(_COMMENTS, (tables,)).fetchall()
    return Snapshot(
        {change: (turn, undo) for turn, change, undo in rows},
        {(table, column): comment for table, column, comment in comments},
        tables,
        sequences,
    )


def _names(connection: psycopg.Connection, kind: str) -> list[str]:
    query = (
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = %s"
        " and relname <> all (%s) order by 1"
    )
    return [row[0] for row in connection.execute(query, (kind, ["docpipe_undo", "docpipe_migrations"]))]


@dataclass(frozen=True, slots=True)
class Undo:
    """One line of `docpipe_undo`."""

    change: str
    undo: str
    rows_first: bool = False


def differences(before: Snapshot, after: Snapshot) -> list[Undo]:
    """What was added, in the order of its making; which grants were taken, and which comments changed."""
    new = [
        (turn, change, undo) for change, (turn, undo) in after.objects.items() if change not in before.objects
    ]
    undone = [Undo(change, undo) for turn, change, undo in sorted(new, reverse=True)]
    undone += [
        Undo(f"no {change}", _granted_again(undo))
        for change, (_, undo) in before.objects.items()
        if change.startswith("grant of ") and change not in after.objects
    ]
    for (table, column), comment in after.comments.items():
        if (table, column) in before.comments and before.comments[table, column] != comment:
            old = before.comments[table, column]
            shown = "null" if old is None else literal(old)
            undone.append(
                Undo(
                    f"comment on {table}.{column}",
                    f'comment on column public."{table}"."{column}" is {shown};',
                )
            )
    return undone


def _granted_again(revoke: str) -> str:
    right, _, role = revoke.removeprefix("revoke ").rpartition(" from ")
    return f"grant {right} to {role}"


def functions(connection: psycopg.Connection) -> list[str]:
    """SQL that drops the functions of docpipe that are left: those that came by another way than `apply`."""
    query = (
        "select format('drop function %%s;', oid::regprocedure) from pg_proc"
        " where pronamespace = 'public'::regnamespace and proname like %s order by 1"
    )
    return [row[0] for row in connection.execute(query, (r"docpipe\_%",))]


def record(connection: psycopg.Connection, step: str, undone: list[Undo]) -> None:
    """Keep them; the time is this machine's."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into public.docpipe_undo (at, step, change, undo, rows_first)"
            " values (%s, %s, %s, %s, %s)",
            [(datetime.now(UTC), step, each.change, each.undo, each.rows_first) for each in undone],
        )


def recorded(connection: psycopg.Connection, *, rows_first: bool, step: str | None = None) -> list[str]:
    """The SQL that undoes, the newest change first; not of functions that a later docpipe has dropped."""
    query = (
        "select undo from public.docpipe_undo where rows_first = %s and (%s::text is null or step = %s)"
        " and case when change ^@ 'function docpipe_' then to_regprocedure(substr(change, 10)) is not null"
        " else true end order by id desc"
    )
    return [row[0] for row in connection.execute(query, (rows_first, step, step))]


def forget(connection: psycopg.Connection, step: str) -> None:
    """Strike out what has been undone."""
    connection.execute("delete from public.docpipe_undo where step = %s", (step,))
