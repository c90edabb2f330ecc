"""Changing rows without anybody's triggers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from docpipe.cli.takeover.changes import MODES
from docpipe.cli.takeover.schema import quoted

_ENABLED = """
select c.relname, t.tgname, t.tgenabled from pg_trigger t join pg_class c on c.oid = t.tgrelid
 where c.relnamespace = 'public'::regnamespace and c.relname = any (%s)
   and c.relkind in ('r', 'p') and not t.tgisinternal and t.tgenabled <> 'D'
 order by 1, 2
"""


def silence(connection: psycopg.Connection, tables: list[str]) -> tuple[list[str], list[str]]:
    """Two lists of statements: the tables' triggers off, and each on again in its own mode.

    `session_replication_role` would be shorter, and takes a superuser.
    """
    found = connection.execute(_ENABLED, (tables,)).fetchall()
    return list(_switched(found, off=True)), list(_switched(found, off=False))


def _switched(found: list[tuple[str, str, str]], *, off: bool) -> Iterator[str]:
    for table, trigger, mode in found:
        yield f"alter table public.{quoted(table)} {MODES['D' if off else mode]} trigger {quoted(trigger)};"
