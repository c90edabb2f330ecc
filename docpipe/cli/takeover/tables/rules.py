"""Rewrite rules on the tables that docpipe writes to.

A rule turns a statement into another one before any trigger sees it, and Postgres takes neither ON CONFLICT
nor WITH on a table that has one, even while it is disabled. So a rule is taken away, not switched off.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from docpipe.cli.takeover.changes import LOOSEN, MODES, Change, Obstacle
from docpipe.cli.takeover.schema import quoted

_RULES = """
select r.rulename, pg_get_ruledef(r.oid), r.ev_enabled
  from pg_rewrite r join pg_class c on c.oid = r.ev_class
 where c.oid = to_regclass('public.' || quote_ident(%s)) and c.relkind in ('r', 'p')
 order by r.rulename
"""


def find(connection: psycopg.Connection, table: str) -> Iterator[Obstacle]:
    """One obstacle per rule of the table."""
    place = f"public.{quoted(table)}"
    for name, definition, mode in connection.execute(_RULES, (table,)).fetchall():
        again = f"alter table {place} {MODES[mode]} rule {quoted(name)};"
        back = [definition] if mode == "O" else [definition, again]
        yield Obstacle(
            table,
            f"the rule {name} turns what is written there into something else.",
            f"Let docpipe drop it, {LOOSEN}",
            (Change(f"rule {name} of {table}", f"drop rule {quoted(name)} on {place};", "\n".join(back)),),
        )
