"""What in an existing database would refuse docpipe's rows, and what to do about each.

Everything is read from Postgres's catalogue. An obstacle that docpipe can clear itself, in a way that can
be undone, carries the changes; the others need a decision of the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg

from docpipe.database.schema import Column, checks, columns, labels, literal, one, quoted, refused_by, stable
from docpipe.database.words import MEANINGS, ORDER, Place, same_kind
from docpipe.status import WORDS, is_final

SOURCE, GRAPH = "source_documents", "neo4j_documents"


@dataclass(frozen=True, slots=True)
class Change:
    """SQL, and the SQL that undoes it."""

    told: str
    statement: str
    undo: str
    undo_rows: str = ""
    """SQL that makes the rows fit again; it runs before the schema is undone."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way."""

    where: str
    what: str
    remedy: str
    changes: tuple[Change, ...] = ()
    """What `docpipe db apply --loosen` does about it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.remedy}"


_FILLED = {
    SOURCE: {
        "document_uuid", "original_file_path", "original_file_name", "file_size_bytes", "content_digest",
        "document_metadata", "celery_status", "initial_processing_status",
    },
    GRAPH: {"documentId", "sourceDocumentUuid", "processingStatus", "name"},
}  # fmt: skip
"""Columns that docpipe fills in every new row."""

_TYPES = {
    SOURCE: {
        "document_uuid": "S", "project_id": "S N uuid", "original_file_path": "S", "original_file_name": "S",
        "detected_file_type": "S", "file_size_bytes": "N", "celery_task_id": "S", "error_message": "S",
        "raw_extracted_text": "S", "ocr_completed_at": "D", "content_digest": "S", "docpipe_run": "N",
        "docpipe_result_run": "N", "document_metadata": "jsonb", "created_at": "D", "updated_at": "D",
    },
    GRAPH: {"documentId": "S", "sourceDocumentUuid": "S", "name": "S", "createdAt": "D", "updatedAt": "D"},
}  # fmt: skip
"""Categories of types, or types, of columns that may be there before docpipe. A project_id is taken in the
column's own type, so it may refer to projects of the database's own."""

_NO_PROJECT = Obstacle(
    "source_documents.project_id",
    "it is NOT NULL, and a document that is submitted without a project has none.",
    "Run: alter table public.source_documents alter column project_id drop not null;",
)
_STATUS = (
    (SOURCE, "celery_status", Place.DOCUMENT),
    (SOURCE, "initial_processing_status", Place.DOCUMENT),
    (GRAPH, "processingStatus", Place.GRAPH),
)
_WORD_TYPE = "character varying(50)"


def graph_words() -> list[str]:
    """What docpipe writes to `neo4j_documents."processingStatus"`."""
    stages = [
        word for words in WORDS.values() for word in (words.graph_started, words.graph_completed) if word
    ]
    return [*stages, *(word for word in ORDER if is_final(word))]


def find(connection: psycopg.Connection, defaults: Mapping[str, str] | None = None) -> list[Obstacle]:
    """Everything that stands in the way; nothing is changed.

    Args:
        defaults: `table.column` to the value that new rows are to get there.
    """
    return [
        *_roles(connection),
        *(each for table in (SOURCE, GRAPH) for each in _table(connection, table, defaults or {})),
        *(each for place in _STATUS for each in _words(connection, *place)),
        *_paths(connection),
        *_uuids(connection),
    ]


def _table(connection: psycopg.Connection, table: str, defaults: Mapping[str, str]) -> Iterator[Obstacle]:
    found = columns(connection, table)
    if found:
        yield from _kind(connection, table)
        yield from _row_security(connection, table)
    for column in found.values():
        where, wanted = f"{table}.{column.name}", _TYPES[table].get(column.name)
        if wanted and {column.category, column.type}.isdisjoint(wanted.split()):
            yield _clash(connection, table, column, wanted.split()[0])
        if column.generated and (column.name in _TYPES[table] or column.name in _FILLED[table]):
            run = f"alter table public.{quoted(table)} alter column {quoted(column.name)} drop expression;"
            yield Obstacle(where, "Postgres computes it, and docpipe writes it.", f"Run: {run}")
        if where == _NO_PROJECT.where and column.not_null:
            yield _NO_PROJECT
        elif _needs_value(table, column) and where not in defaults:
            yield _no_default(connection, table, column)


def _needs_value(table: str, column: Column) -> bool:
    filled = column.default is not None or column.identity or column.generated
    return column.not_null and not filled and column.name not in _FILLED[table]


def _no_default(connection: psycopg.Connection, table: str, column: Column) -> Obstacle:
    where = f"{table}.{column.name}"
    target = one(
        connection,
        "select confrelid::regclass::text from pg_constraint c join pg_attribute a"
        " on a.attrelid = c.conrelid and a.attname = %s and c.conkey = array[a.attnum]"
        " where c.contype = 'f' and c.conrelid = to_regclass('public.' || quote_ident(%s))",
        column.name,
        table,
    )
    points = f" It must name a row of {target}." if target else ""
    return Obstacle(
        where,
        f"it is NOT NULL ({column.type}) without a default, and docpipe does not fill it.",
        f"Name the value for new rows: docpipe db apply --default {where}=VALUE.{points}",
    )


def default_change(connection: psycopg.Connection, table: str, column: str, value: str) -> Change | None:
    """Sets a column's default; None if it is that already, or if there is no such column."""
    found = columns(connection, table).get(column)
    if found is None:
        return None
    at = f"alter table public.{quoted(table)} alter column {quoted(column)}"
    wanted = f"{literal(value)}::{found.type}"
    if found.default is not None and one(connection, f"select ({found.default})::text = ({wanted})::text"):
        return None
    undo = f"{at} drop default" if found.default is None else f"{at} set default {found.default}"
    return Change(f"default of {table}.{column}", f"{at} set default {wanted};", f"{undo};")


def _clash(connection: psycopg.Connection, table: str, column: Column, wanted: str) -> Obstacle:
    new = {"S": "text", "N": "bigint", "D": "timestamp with time zone"}.get(wanted, wanted)
    where, what = f"{table}.{column.name}", f"its type is {column.type}, and docpipe needs {new}."
    users = _users(connection, table, column.name)
    statement = f"alter table public.{quoted(table)} alter column {quoted(column.name)} type {new}"
    if users:
        first = f"Take away what depends on it ({', '.join(users)}), run:"
        last = "and put it back with the same type."
        return Obstacle(where, what, f"{first} {statement} using {quoted(column.name)}::{new}; {last}")
    change = _retype(connection, table, column, new, f"{quoted(column.name)}::{column.type}")
    return Obstacle(where, what, "Let docpipe change it: docpipe db apply --loosen.", (change,))


_USERS = """
select 'view ' || r.ev_class::regclass::text
  from pg_depend d join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.refobjid = to_regclass('public.' || quote_ident(%(table)s)) and a.attname = %(column)s
union
select 'foreign key ' || c.conname || ' of ' || c.conrelid::regclass::text
  from pg_constraint c
  join pg_attribute a on a.attname = %(column)s
                     and a.attrelid = to_regclass('public.' || quote_ident(%(table)s))
 where c.contype = 'f' and ((c.conrelid = a.attrelid and a.attnum = any (c.conkey))
                         or (c.confrelid = a.attrelid and a.attnum = any (c.confkey)))
union
select 'policy ' || p.polname
  from pg_depend d join pg_policy p on p.oid = d.objid and d.classid = 'pg_policy'::regclass
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where d.refobjid = to_regclass('public.' || quote_ident(%(table)s)) and a.attname = %(column)s
order by 1
"""


def _users(connection: psycopg.Connection, table: str, column: str) -> list[str]:
    """What forbids Postgres to change the column's type."""
    return [row[0] for row in connection.execute(_USERS, {"table": table, "column": column})]


_COLUMN_TRIGGERS = """
select t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
  from pg_trigger t join pg_attribute a on a.attrelid = t.tgrelid and a.attname = %s
 where t.tgrelid = to_regclass('public.' || quote_ident(%s)) and not t.tgisinternal
   and exists (select 1 from pg_depend d where d.classid = 'pg_trigger'::regclass and d.objid = t.oid
                  and d.refobjid = t.tgrelid and d.refobjsubid = a.attnum)
 order by t.tgname
"""
MODES = {"O": "enable", "R": "enable replica", "A": "enable always", "D": "disable"}
"""`pg_trigger.tgenabled` as ALTER TABLE says it."""


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


def _words(connection: psycopg.Connection, table: str, name: str, place: Place) -> Iterator[Obstacle]:
    column = columns(connection, table).get(name)
    if column is None:
        return
    ours = graph_words() if place is Place.GRAPH else list(ORDER)
    where = f"{table}.{name}"
    if column.category == "E":
        known = labels(connection, table, name)
        yield from _narrow_type(connection, table, column, ours, known, place, f"the enum {column.type}")
    elif column.length is not None and column.length < max(map(len, ours)):
        fit = [word for word in MEANINGS[place] if len(word) <= column.length]
        yield from _narrow_type(connection, table, column, ours, fit, place, column.type)
    elif column.category != "S":
        yield Obstacle(where, f"its type is {column.type}.", f"docpipe needs {_WORD_TYPE}.")
    for check in checks(connection, table, name):
        refused = refused_by(connection, name, check, ours)
        if refused:
            known = [w for w in MEANINGS[place] if not refused_by(connection, name, check, [w])]
            at = f"alter table public.{quoted(table)}"
            yield Obstacle(
                where,
                f"the CHECK {check.name} refuses {_few(refused)}.",
                "Let docpipe drop it, until the rollback: docpipe db apply --loosen.",
                (
                    Change(
                        f"CHECK {check.name} of {table}",
                        f"{at} drop constraint {quoted(check.name)};",
                        f"{at} add constraint {quoted(check.name)} {check.definition};",
                        _renamed_rows(table, column, ours, known, place),
                    ),
                ),
            )


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


_UNIQUE_PATH = """
select coalesce(c.conname, i.indexrelid::regclass::text), c.oid is not null,
       coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid))
  from pg_index i
  join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'original_file_path'
  left join pg_constraint c on c.conindid = i.indexrelid and c.contype = 'u'
 where i.indrelid = to_regclass('public.source_documents') and i.indisunique
   and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
"""


def _paths(connection: psycopg.Connection) -> Iterator[Obstacle]:
    for name, is_constraint, definition in connection.execute(_UNIQUE_PATH).fetchall():
        at = "alter table public.source_documents"
        if is_constraint:
            statement, undo = (
                f"{at} drop constraint {quoted(name)};",
                f"{at} add constraint {quoted(name)} {definition};",
            )
        else:
            statement, undo = f"drop index {name};", f"{stable(definition)};"
        yield Obstacle(
            "source_documents.original_file_path",
            f"{name} is UNIQUE: a path in two projects, or with new bytes, would be refused.",
            "Let docpipe drop it, until the rollback: docpipe db apply --loosen.",
            (Change(f"UNIQUE {name} of source_documents", statement, undo),),
        )


def _uuids(connection: psycopg.Connection) -> Iterator[Obstacle]:
    if "document_uuid" not in columns(connection, SOURCE):
        return
    missing = one(connection, "select count(*) from public.source_documents where document_uuid is null")
    if missing:
        yield Obstacle(
            "source_documents.document_uuid",
            f"{missing} rows have none.",
            "Run: update public.source_documents set document_uuid = gen_random_uuid()::text"
            " where document_uuid is null;",
        )
    doubled = one(
        connection,
        "select count(*) from (select 1 from public.source_documents where document_uuid is not null"
        " group by document_uuid having count(*) > 1) d",
    )
    if doubled:
        yield Obstacle(
            "source_documents.document_uuid",
            f"{doubled} uuids stand in more than one row.",
            "Give each row its own, and correct the tables that refer to it.",
        )


def _roles(connection: psycopg.Connection) -> Iterator[Obstacle]:
    if not one(connection, "select 1 from pg_roles where rolname = 'service_role'"):
        yield Obstacle(
            "roles",
            "there is no role service_role, so no key of the API may use docpipe's tables.",
            "Run: create role service_role nologin bypassrls; grant service_role to authenticator;",
        )


def _kind(connection: psycopg.Connection, table: str) -> Iterator[Obstacle]:
    row = connection.execute(
        "select relkind, pg_get_userbyid(relowner), pg_has_role(relowner, 'usage'), current_user"
        " from pg_class where oid = to_regclass('public.' || quote_ident(%s))",
        (table,),
    ).fetchone()
    assert row is not None
    kind, owner, may, user = row
    if kind not in {"r", "p"}:
        yield Obstacle(table, "it is not a table but a view.", f"Give the table itself the name {table}.")
    if not may:
        yield Obstacle(table, f"it belongs to {owner}, and {user} may not change it.", f"Connect as {owner}.")


def _row_security(connection: psycopg.Connection, table: str) -> Iterator[Obstacle]:
    query = (
        "select p.polname from pg_policy p join pg_roles r on r.rolname = 'service_role'"
        " where p.polrelid = to_regclass('public.' || quote_ident(%s)) and not p.polpermissive"
        " and not r.rolbypassrls and (0 = any (p.polroles) or r.oid = any (p.polroles)) order by 1"
    )
    for (policy,) in connection.execute(query, (table,)).fetchall():
        yield Obstacle(
            table,
            f"the restrictive policy {policy} applies to service_role, which does not bypass row security.",
            "Run: alter role service_role bypassrls; or except service_role from the policy.",
        )
