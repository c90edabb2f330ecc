"""Columns whose type, enum, domain or CHECK has no room for what docpipe writes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from docpipe.cli.takeover.changes import LOOSEN, MODES, Change, Obstacle
from docpipe.cli.takeover.schema import (
    Check,
    Column,
    checks,
    columns,
    labels,
    literal,
    quoted,
    refused_by,
    stable,
    taken_by_domain,
)
from docpipe.cli.takeover.status_words import MEANINGS, ORDER, Place, same_kind
from docpipe.formats import READERS
from docpipe.models.status import WORDS, is_final

_WORD_TYPE = "character varying(50)"


def graph_words() -> list[str]:
    """What docpipe writes to `neo4j_documents."processingStatus"`."""
    stages = [
        word for words in WORDS.values() for word in (words.graph_started, words.graph_completed) if word
    ]
    return [*stages, *(word for word in ORDER if is_final(word))]


def clash(connection: psycopg.Connection, table: str, column: Column, wanted: str) -> Obstacle:
    """The column's type is not what docpipe writes."""
    new = {"S": "text", "N": "bigint", "D": "timestamp with time zone"}.get(wanted, wanted)
    what = f"its type is {column.type}, and docpipe needs {new}."
    return _other_type(connection, table, column, new, what)


def _other_type(connection: psycopg.Connection, table: str, column: Column, new: str, what: str) -> Obstacle:
    where, name = f"{table}.{column.name}", quoted(column.name)
    if users := _users(connection, table, column.name):
        statement = f"alter table public.{quoted(table)} alter column {name} type {new}"
        first = f"Take away what depends on it ({', '.join(users)}), run:"
        last = "and put it back with the same type."
        return Obstacle(where, what, f"{first} {statement} using {name}::{new}; {last}")
    keys = _foreign_keys(connection, table, column.name)
    change = _retype(connection, table, column, new, f"{name}::{column.type}")
    along = f" and drop {', '.join(each.told for each in keys)}" if keys else ""
    remedy = f"Let docpipe change it{along}, {LOOSEN}"
    return Obstacle(where, what, remedy, (*keys, change))


def short(connection: psycopg.Connection, table: str, column: Column, room: int) -> Iterator[Obstacle]:
    """The column is a varchar with room for less than docpipe may write there."""
    if column.length is not None and column.length < room:
        what = f"{column.type} is too short for what docpipe may write there."
        yield _other_type(connection, table, column, "text", what)


def refused_types(connection: psycopg.Connection, table: str, column: Column) -> Iterator[Obstacle]:
    """CHECKs on the MIME type of a document."""
    for check in checks(connection, table, column.name):
        if refused := refused_by(connection, column.name, check, list(READERS)):
            at, name = f"alter table public.{quoted(table)}", quoted(column.name)
            rows = f"update public.{quoted(table)} set {name} = null where not ({check.expression});"  # noqa: S608
            yield _refusing(f"{table}.{column.name}", check, refused, at, rows)


_USERS = """
select 'view ' || r.ev_class::regclass::text
  from pg_depend d join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.refobjid = to_regclass('public.' || quote_ident(%(table)s)) and a.attname = %(column)s
union
select 'policy ' || p.polname
  from pg_depend d join pg_policy p on p.oid = d.objid and d.classid = 'pg_policy'::regclass
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.refobjid = to_regclass('public.' || quote_ident(%(table)s)) and a.attname = %(column)s
order by 1
"""
_FOREIGN_KEYS = """
select n.nspname, r.relname, c.conname, pg_get_constraintdef(c.oid), c.confdeltype,
       format('%%I', (select a.attname from pg_attribute a
                       where a.attrelid = c.conrelid and c.conkey = array[a.attnum])),
       format('%%s d where d.%%I', c.confrelid::regclass, (select a.attname from pg_attribute a
              where a.attrelid = c.confrelid and c.confkey = array[a.attnum]))
  from pg_constraint c
  join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
  join pg_attribute a on a.attname = %(column)s
                     and a.attrelid = to_regclass('public.' || quote_ident(%(table)s))
 where c.contype = 'f' and c.conparentid = 0
   and ((c.conrelid = a.attrelid and a.attnum = any (c.conkey))
     or (c.confrelid = a.attrelid and a.attnum = any (c.confkey)))
 order by 1, 2, 3
"""


def _users(connection: psycopg.Connection, table: str, column: str) -> list[str]:
    """What forbids Postgres to change the column's type, and is not taken away and made again lightly."""
    return [row[0] for row in connection.execute(_USERS, {"table": table, "column": column})]


def _foreign_keys(connection: psycopg.Connection, table: str, column: str) -> tuple[Change, ...]:
    """Both ends of a foreign key have one type, so it goes for as long as the column has another."""
    found = connection.execute(_FOREIGN_KEYS, {"table": table, "column": column}).fetchall()
    return tuple(
        Change(
            f"foreign key {name} of {of}",
            f"alter table {quoted(schema, of)} drop constraint {quoted(name)};",
            f"alter table {quoted(schema, of)} add constraint {quoted(name)} {definition};",
            _followed(quoted(schema, of), action, column, target),
            early=True,
        )
        for schema, of, name, definition, action, column, target in found
    )


def _followed(of: str, action: str, column: str | None, target: str) -> str:
    """SQL that does what the foreign key would have done when documents were deleted meanwhile."""
    doing = {"c": f"delete from {of} f", "n": f"update {of} f set {column} = null"}.get(action)  # noqa: S608
    if doing is None or not column:
        return ""
    gone = f"not exists (select 1 from {target}::text = f.{column}::text)"  # noqa: S608
    return f"{doing} where f.{column} is not null and {gone};"


_COLUMN_TRIGGERS = """
select t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
  from pg_trigger t join pg_attribute a on a.attrelid = t.tgrelid and a.attname = %s
 where t.tgrelid = to_regclass('public.' || quote_ident(%s)) and not t.tgisinternal
   and exists (select 1 from pg_depend d where d.classid = 'pg_trigger'::regclass and d.objid = t.oid
                  and d.refobjid = t.tgrelid and d.refobjsubid = a.attnum)
 order by t.tgname
"""


def _retype(connection: psycopg.Connection, table: str, column: Column, new: str, back: str) -> Change:
    """Changes the type; triggers that name the column are taken away meanwhile."""
    place, name = f"public.{quoted(table)}", quoted(column.name)
    drop, create = [], []
    for trigger, definition, mode in connection.execute(_COLUMN_TRIGGERS, (column.name, table)):
        drop.append(f"drop trigger {quoted(trigger)} on {place};")
        create.append(f"{stable(definition)};")
        if mode != "O":
            create.append(f"alter table {place} {MODES[mode]} trigger {quoted(trigger)};")
    at = f"alter table {place} alter column {name}"
    off = [f"{at} drop default;"] if column.default else []
    # an enum's label becomes a text: 'pending'::doc_status, 'pending'::text
    on_new = [f"{at} set default ({column.default})::text;"] if column.default else []
    on_old = [f"{at} set default {column.default};"] if column.default else []
    do = [*drop, *off, f"{at} type {new} using {name}::text::{new};", *on_new, *create]
    undo = [*drop, *off, f"{at} type {column.type} using ({back});", *on_old, *create]
    return Change(f"type of {table}.{column.name}", "\n".join(do), "\n".join(undo))


def narrow(connection: psycopg.Connection, table: str, name: str, place: Place) -> Iterator[Obstacle]:
    """What keeps docpipe's statuses out of a column: its enum, domain, length, type or CHECKs."""
    column = columns(connection, table).get(name)
    if column is None:
        return
    ours = graph_words() if place is Place.GRAPH else list(ORDER)
    if column.domain:
        known = taken_by_domain(connection, column, [*ours, *MEANINGS[place]])
        yield from _narrow_type(connection, table, column, ours, known, place, f"the domain {column.type}")
    elif column.category == "E":
        known = labels(connection, table, name)
        yield from _narrow_type(connection, table, column, ours, known, place, f"the enum {column.type}")
    elif column.length is not None and column.length < max(map(len, ours)):
        fit = [word for word in MEANINGS[place] if len(word) <= column.length]
        yield from _narrow_type(connection, table, column, ours, fit, place, column.type)
    elif column.category != "S":
        yield Obstacle(f"{table}.{name}", f"its type is {column.type}.", f"docpipe needs {_WORD_TYPE}.")
    for check in checks(connection, table, name):
        if refused := refused_by(connection, name, check, ours):
            known = [w for w in MEANINGS[place] if not refused_by(connection, name, check, [w])]
            at = f"alter table public.{quoted(table)}"
            rows = _renamed_rows(table, column, ours, known, place)
            yield _refusing(f"{table}.{name}", check, refused, at, rows)


def _refusing(where: str, check: Check, refused: set[str], at: str, rows: str) -> Obstacle:
    change = Change(
        f"CHECK {check.name} of {where.partition('.')[0]}",
        f"{at} drop constraint {quoted(check.name)};",
        f"{at} add constraint {quoted(check.name)} {check.definition};",
        rows,
    )
    what = f"the CHECK {check.name} refuses {_few(refused)}."
    return Obstacle(where, what, f"Let docpipe drop it, {LOOSEN}", (change,))


def _narrow_type(
    connection: psycopg.Connection,
    table: str,
    column: Column,
    ours: list[str],
    known: list[str],
    place: Place,
    kind: str,
) -> Iterator[Obstacle]:
    refused = {word for word in ours if word not in known}
    if not refused:
        return
    where, what = f"{table}.{column.name}", f"{kind} has no room for {_few(refused)}."
    if users := _users(connection, table, column.name):
        remedy = f"First take away what depends on it ({', '.join(users)}), then: docpipe db apply --loosen."
        yield Obstacle(where, what, remedy)
        return
    back = f"({_renamed(column, ours, known, place)})::{column.type}"
    change = _retype(connection, table, column, _WORD_TYPE, back)
    yield Obstacle(where, what, f"Let docpipe make it {_WORD_TYPE}: docpipe db apply --loosen.", (change,))


def _renamed(column: Column, ours: list[str], known: list[str], place: Place) -> str:
    """SQL that gives, for each of our words that the column did not know, the one nearest to it."""
    cases = "".join(
        f" when {literal(word)} then {literal(_nearest(word, known, place))}"
        for word in ours
        if word not in known
    )
    return f"case {quoted(column.name)}::text{cases} else {quoted(column.name)}::text end"


def _renamed_rows(table: str, column: Column, ours: list[str], known: list[str], place: Place) -> str:
    refused = ", ".join(literal(word) for word in ours if word not in known)
    fitting = f"{quoted(column.name)} = {_renamed(column, ours, known, place)}"
    return f"update public.{quoted(table)} set {fitting} where {quoted(column.name)} in ({refused});"  # noqa: S608


def _nearest(word: str, known: list[str], place: Place) -> str | None:
    """A word that means the same, or one for the same outcome, or none."""
    meanings = {each: MEANINGS[place].get(each.lower(), "") for each in known}
    same = [each for each, meaning in meanings.items() if meaning == word]
    kind = [each for each, meaning in meanings.items() if meaning and same_kind(meaning, word)]
    return next(iter([*same, *kind]), None)


def _few(words: set[str]) -> str:
    shown = sorted(words)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
