"""What Postgres says about the tables that were there before docpipe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

QUEUE_TABLE = "document_processing_queue"

PIPELINE_TABLES = (
    "source_documents",
    "neo4j_documents",
    QUEUE_TABLE,
    "neo4j_chunks",
    "neo4j_entity_mentions",
    "neo4j_canonical_entities",
    "neo4j_relationships_staging",
    "neo4j_relationship_staging",
    "textract_jobs",
    "document_chunks",
    "entity_mentions",
    "canonical_entities",
    "relationship_staging",
    "processing_tasks",
)
"""The tables of the pipelines that docpipe replaces, under every name they had."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """As SQL writes it: `character varying(50)`."""
    category: str
    """Postgres's own: S string, N number, D time, E enum, U other."""
    length: int | None
    """Of `varchar(n)`."""
    not_null: bool
    default: str | None
    identity: bool
    generated: bool
    domain: bool


_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory,
       case when t.typname in ('varchar', 'bpchar') and a.atttypmod > 4 then a.atttypmod - 4 end,
       a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> '',
       t.typtype = 'd'
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attrelid = to_regclass('public.' || quote_ident(%s)) and a.attnum > 0 and not a.attisdropped
 order by a.attnum
"""


def columns(connection: psycopg.Connection, table: str) -> dict[str, Column]:
    """The columns of a table of the schema public by name; empty if there is no such table."""
    return {row[0]: Column(*row) for row in connection.execute(_COLUMNS, (table,))}


def one(connection: psycopg.Connection, query: str, *values: Any) -> Any:
    """The only value that the query gives; None if it gives no row."""
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]


def quoted(*names: str) -> str:
    """Names as SQL writes them, joined by dots."""
    return sql.Identifier(*names).as_string()


def status_word(expression: str) -> str:
    """SQL of a status word for comparing: lower case, without white space around it."""
    return f"lower(btrim({expression}::text, E' \\t\\r\\n'))"


def literal(value: str | None) -> str:
    """A value as SQL writes it."""
    return sql.Literal(value).as_string().strip()


_CAST_ARRAY = re.compile(
    r"\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]",
)


def stable(definition: str) -> str:
    """A definition that Postgres wrote, so that it writes the same again when it has read it.

    Of `x in ('a', 'b')` with a varchar Postgres makes `(ARRAY['a'::character varying, …])::text[]`, and
    reads that as a cast of each element; a second cast keeps it whole.
    """
    return _CAST_ARRAY.sub(r"((ARRAY[\1])::character varying[])::text[]", definition)


_CHECKS = """
select c.conname, pg_get_constraintdef(c.oid), pg_get_expr(c.conbin, c.conrelid)
  from pg_constraint c
  join pg_attribute a on a.attrelid = c.conrelid and a.attname = %s
 where c.conrelid = to_regclass('public.' || quote_ident(%s)) and c.contype = 'c'
   and c.conkey = array[a.attnum]
 order by c.conname
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK on one column."""

    name: str
    definition: str
    expression: str


def checks(connection: psycopg.Connection, table: str, column: str) -> list[Check]:
    """The CHECK constraints that look at this column alone."""
    found = connection.execute(_CHECKS, (column, table)).fetchall()
    return [Check(name, stable(definition), expression) for name, definition, expression in found]


def labels(connection: psycopg.Connection, table: str, column: str) -> list[str]:
    """The labels of the column's enum; empty if its type is none."""
    query = (
        "select e.enumlabel from pg_enum e join pg_attribute a on a.atttypid = e.enumtypid"
        " where a.attrelid = to_regclass('public.' || quote_ident(%s)) and a.attname = %s"
        " order by e.enumsortorder"
    )
    return [row[0] for row in connection.execute(query, (table, column))]


def taken_by_domain(connection: psycopg.Connection, column: Column, words: Iterable[str]) -> list[str]:
    """Those of the words that the column's domain takes whole. Postgres itself tries each."""
    query = f"select (%s::{column.type})::text = %s"
    found = []
    for word in dict.fromkeys(words):
        with suppress(psycopg.errors.IntegrityError, psycopg.errors.DataError), connection.transaction():
            if one(connection, query, word, word):
                found.append(word)
    return found


def accepted(connection: psycopg.Connection, table: str, column: Column, words: Iterable[str]) -> list[str]:
    """Those of the words that the column takes: by its enum, its length and its CHECKs."""
    found = list(words)
    if column.domain:
        found = taken_by_domain(connection, column, found)
    elif column.category == "E":
        known = labels(connection, table, column.name)
        found = [word for word in found if word in known]
    if column.length is not None:
        found = [word for word in found if len(word) <= column.length]
    for each in checks(connection, table, column.name):
        refused = refused_by(connection, column.name, each, found)
        found = [word for word in found if word not in refused]
    return found


def refused_by(connection: psycopg.Connection, column: str, check: Check, words: list[str]) -> set[str]:
    """Those of the words for which the CHECK is false. Postgres itself evaluates it."""
    query = sql.SQL(
        "select t.{column} from unnest(%s::text[]) as t({column}) where not ({expression})"
    ).format(column=sql.Identifier(column), expression=sql.SQL(check.expression))
    return {row[0] for row in connection.execute(query, (words,))}
