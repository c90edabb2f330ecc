"""Documents that the old system left open without an open row in its queue: they would never be processed."""

from __future__ import annotations

import psycopg

from docpipe.cli.takeover import queue_links
from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, literal, status_word
from docpipe.cli.takeover.status_words import ORDER, QUEUE, Work
from docpipe.models.status import is_final

_MARK = "document "
"""What `docpipe_queue_imports.queue_row` begins with for such a document; its uuid follows."""


def row_name(document_uuid: str) -> str:
    """Its key in `docpipe_queue_imports`."""
    return f"{_MARK}{document_uuid}"


def found(connection: psycopg.Connection, limit: int = 1_000_000) -> list[tuple[str, str]]:
    """Uuid and status of each, those first that came first."""
    if "docpipe_run" not in columns(connection, "source_documents"):
        return []
    final = [word for word in ORDER if is_final(word)]
    query = f"""
        select d.document_uuid, d.celery_status from public.source_documents d
         where d.docpipe_run is null and d.celery_status <> all (%s)
           and not exists (select 1 from public.docpipe_queue_imports i
                            where i.document_uuid = d.document_uuid)
           {_nothing_in_the_queue(connection)}
         order by d.created_at, d.document_uuid limit %s"""  # noqa: S608 - names and words are quoted
    return connection.execute(query.encode(), (final, limit)).fetchall()


def _nothing_in_the_queue(connection: psycopg.Connection) -> str:
    if "status" not in columns(connection, QUEUE_TABLE) or not queue_links.columns_that_name(connection):
        return ""
    words = ", ".join(literal(word) for word, work in QUEUE.items() if work is not Work.DONE)
    return f"""and not exists (
               select 1 from {queue_links.rows(connection)} q where q.docpipe_document = d.document_uuid
                  and {status_word("q.status")} in ({words}))"""  # noqa: S608 - names and words are quoted


def hand_back() -> str:
    """SQL that gives those that docpipe has not finished the status that they had."""
    return f"""update public.source_documents d
   set celery_status = i.former_status, initial_processing_status = i.former_status
  from public.docpipe_queue_imports i, public.docpipe_runs r
 where i.queue_row = {literal(_MARK)} || d.document_uuid
   and r.document_uuid = d.document_uuid and r.run = d.docpipe_run and r.state = 'active';"""  # noqa: S608
