"""Which document a row of the old queue is about."""

from __future__ import annotations

import psycopg

from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, quoted

_NAMED = {
    "source_document_uuid": "document_uuid",
    "source_document_id": "id",
    "document_uuid": "document_uuid",
    "document_id": "id",
}
"""Columns of the queue that may name the document, the surest first, and what they name of it."""

_ELSEWHERE = """
select a.attname from pg_constraint c
  join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
 where c.contype = 'f' and c.conrelid = to_regclass('public.' || quote_ident(%s))
   and c.confrelid is distinct from to_regclass('public.source_documents')
"""


def columns_that_name(connection: psycopg.Connection) -> dict[str, str]:
    """Column of the queue to column of source_documents; one with a foreign key to elsewhere names none."""
    there, here = columns(connection, "source_documents"), columns(connection, QUEUE_TABLE)
    elsewhere = {row[0] for row in connection.execute(_ELSEWHERE, (QUEUE_TABLE,))}
    return {
        column: named
        for column, named in _NAMED.items()
        if column in here and named in there and column not in elsewhere
    }


def rows(connection: psycopg.Connection) -> str:
    """The rows of the queue with their documents: SQL of a subselect with the columns of the queue, and
    `docpipe_document`, the uuid of the document that the first column names that names one, or null.
    """
    joins, found = [], []
    for number, (column, named) in enumerate(columns_that_name(connection).items()):
        joins.append(
            f" left join public.source_documents d{number}"
            f" on d{number}.{named}::text = q.{quoted(column)}::text"
        )
        found.append(f"d{number}.document_uuid")
    document = f"coalesce({', '.join(found)})" if found else "null::text"
    return f"(select q.*, {document} as docpipe_document from public.{QUEUE_TABLE} q{''.join(joins)})"  # noqa: S608
