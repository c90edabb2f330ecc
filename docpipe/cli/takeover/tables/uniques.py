"""UNIQUE constraints and indexes that would refuse a second document of docpipe's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import psycopg

from docpipe.cli.takeover.changes import LOOSEN, Change, Obstacle
from docpipe.cli.takeover.schema import Column, quoted, stable

_UNIQUES = """
select coalesce(c.conname, k.relname), c.oid is not null,
       coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)),
       array(select a.attname::text from pg_attribute a
              where a.attrelid = i.indrelid and a.attnum > 0
                and (a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                     or exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass
                                   and d.objid = i.indexrelid and d.refobjid = i.indrelid
                                   and d.refobjsubid = a.attnum))
              order by a.attnum)
  from pg_index i join pg_class k on k.oid = i.indexrelid
  left join pg_constraint c on c.conindid = i.indexrelid and c.contype in ('u', 'p', 'x')
 where i.indrelid = to_regclass('public.' || quote_ident(%s)) and i.indisunique and not i.indisprimary
   and k.relname <> 'source_documents_content_idx'
 order by 1
"""


def find(
    connection: psycopg.Connection,
    table: str,
    found: Mapping[str, Column],
    filled: Collection[str],
    given: Collection[str],
) -> Iterator[Obstacle]:
    """Those of which all columns may be the same in two documents.

    Args:
        found: the table's columns.
        filled: those that docpipe fills, and not with something of each document's own.
        given: those that get a default for docpipe's sake.
    """
    ours = {*filled, *given}
    repeated = {name for name, column in found.items() if name in ours or _constant(column)}
    for name, is_constraint, definition, over in connection.execute(_UNIQUES, (table,)).fetchall():
        if not over or not repeated.issuperset(over):
            continue
        yield Obstacle(
            f"{table}.{over[0]}" if len(over) == 1 else table,
            _told(name, over),
            f"Let docpipe drop it, {LOOSEN}",
            (_dropped(table, name, definition, is_constraint=is_constraint),),
        )


def _constant(column: Column) -> bool:
    """Whether its default gives many rows the same value."""
    own = ("nextval(", "uuid", "random")
    return column.default is not None and not any(word in column.default for word in own)


def _told(name: str, over: list[str]) -> str:
    if over == ["original_file_path"]:
        return f"{name} is UNIQUE: a path in two projects, or with new bytes, would be refused."
    return f"{name} is UNIQUE over {', '.join(over)}: two documents may have the same there."


def _dropped(table: str, name: str, definition: str, *, is_constraint: bool) -> Change:
    at = f"alter table public.{quoted(table)}"
    told = f"UNIQUE {name} of {table}"
    if is_constraint:
        add = f"{at} add constraint {quoted(name)} {definition};"
        return Change(told, f"{at} drop constraint {quoted(name)};", add)
    return Change(told, f"drop index public.{quoted(name)};", f"{stable(definition)};")
