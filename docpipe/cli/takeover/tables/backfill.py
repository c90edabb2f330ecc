# ruff: noqa: S608 - SQL is written here, every name and word in it quoted
"""SQL that gives the rows of the old system docpipe's words: what they are now, never just `pending`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg

from docpipe.cli.takeover import queue_links
from docpipe.cli.takeover.schema import QUEUE_TABLE, columns, literal, one, quoted, status_word
from docpipe.cli.takeover.status_words import LAST_STEP, MEANINGS, ORDER, STEPS, VAGUE, Place
from docpipe.models.status import COMPLETED, WORDS, is_final

_QUEUE_PLACE = "queue"
_GRAPH_STATUS = 'n."processingStatus"'
_STATUS_COLUMNS = ("celery_status", "initial_processing_status")


def _said(connection: psycopg.Connection) -> Iterator[str]:
    """One SELECT (document_uuid, place, word) per column that says where documents stand."""
    before = columns(connection, "source_documents")
    for name in (*_STATUS_COLUMNS, "status"):
        if name in before:
            yield (
                f"select document_uuid, '{Place.DOCUMENT}' as place, {status_word(name)} as word"
                " from public.source_documents where docpipe_run is null"
            )
    if "raw_extracted_text" in before:
        yield (
            f"select document_uuid, '{Place.DOCUMENT}', 'ocr_complete' from public.source_documents"
            " where docpipe_run is null and raw_extracted_text <> ''"
        )
    if "processingStatus" in columns(connection, "neo4j_documents"):
        yield (
            f"select d.document_uuid, '{Place.GRAPH}', {status_word(_GRAPH_STATUS)}"
            ' from public.source_documents d join public.neo4j_documents n on n."sourceDocumentUuid" ='
            " d.document_uuid where d.docpipe_run is null"
        )
    queue = columns(connection, QUEUE_TABLE)
    if "status" in queue and queue_links.columns_that_name(connection):
        step = "coalesce(q.processing_step::text, '')" if "processing_step" in queue else "''"
        yield (
            f"select d.document_uuid, '{_QUEUE_PLACE}', {status_word('q.status')} || ':' || {step}"
            f" from {queue_links.rows(connection)} q join public.source_documents d"
            " on d.document_uuid = q.docpipe_document where d.docpipe_run is null"
        )


def _meanings(own: Mapping[str, str]) -> Iterator[tuple[str, str, str, bool]]:
    for place, table in MEANINGS.items():
        for word, status in (table | dict(own)).items():
            yield place, word, status, word in VAGUE and word not in own
    yield _QUEUE_PLACE, "completed:", COMPLETED, False
    yield _QUEUE_PLACE, f"completed:{LAST_STEP}", COMPLETED, False
    yield _QUEUE_PLACE, "failed:", MEANINGS[Place.DOCUMENT]["failed"], True
    for step, stage in STEPS.items():
        yield _QUEUE_PLACE, f"failed:{step}", WORDS[stage].error, False


def _values(own: Mapping[str, str]) -> str:
    rows = [
        f"({literal(place)}, {literal(word)}, {literal(status)}, {ORDER.index(status)},"
        f" {str(is_final(status)).lower()}, {str(vague).lower()})"
        for place, word, status, vague in _meanings(own)
    ]
    return ",\n        ".join(rows)


def _best(connection: psycopg.Connection, own: Mapping[str, str]) -> str:
    """CTEs that end with `best (document_uuid, status)`: an end goes before the way, a precise word before
    a vague one, and the farthest before the nearer.
    """
    said = "\n    union all ".join(_said(connection)) or "select null::text, null, null where false"
    return f"""with meaning (place, word, status, rank, final, vague) as (values
        {_values(own)}
), said (document_uuid, place, word) as (
    {said}
), best as (
    select distinct on (said.document_uuid) said.document_uuid, meaning.status
      from said join meaning using (place, word)
     order by said.document_uuid, (final and not vague) desc, final desc, rank desc
), changed as (
    select d.document_uuid, d.celery_status as former, coalesce(best.status, 'pending') as status
      from public.source_documents d left join best using (document_uuid)
     where d.docpipe_run is null and d.document_uuid is not null
       and d.celery_status is distinct from coalesce(best.status, 'pending')
)"""


def statuses(connection: psycopg.Connection, own: Mapping[str, str]) -> str:
    """SQL that fills `celery_status`, and keeps what stood there.

    Args:
        own: the reader's meanings of words that are not in our table.
    """
    return f"""{_best(connection, own)}, kept as (
    insert into public.docpipe_former_status (document_uuid, celery_status)
    select document_uuid, former from changed on conflict do nothing
)
update public.source_documents d set celery_status = changed.status
  from changed where changed.document_uuid = d.document_uuid;"""


def waiting(connection: psycopg.Connection, own: Mapping[str, str]) -> int:
    """How many rows `statuses` would change."""
    if "docpipe_run" not in columns(connection, "source_documents"):
        return 0
    return int(one(connection, f"{_best(connection, own)} select count(*) from changed"))


_GRAPH_LINKS = {
    "source_document_uuid": "document_uuid",
    "supabaseDocumentId": "document_uuid",
    "documentId": "document_uuid",
    "source_document_fk_id": "id",
}
"""Columns of neo4j_documents that may name the document, and what they name of it."""


def _unlinked(connection: psycopg.Connection) -> Iterator[str]:
    """One SELECT (document_uuid, place) per such column; the newest row where a document has several."""
    for column, named in _GRAPH_LINKS.items():
        if column in columns(connection, "neo4j_documents"):
            yield f"""select distinct on (d.document_uuid) d.document_uuid, n.ctid as place
          from public.source_documents d
          join public.neo4j_documents n on n.{quoted(column)}::text = d.{named}::text
         where n."sourceDocumentUuid" is null and not exists (
               select 1 from public.neo4j_documents o where o."sourceDocumentUuid" = d.document_uuid)
         order by d.document_uuid, n.ctid desc"""


def links(connection: psycopg.Connection) -> list[str]:
    """SQL that ties the rows of neo4j_documents to their documents."""
    return [
        f"""update public.neo4j_documents n set "sourceDocumentUuid" = found.document_uuid
  from ({found}) found
 where n.ctid = found.place;"""
        for found in _unlinked(connection)
    ]


def unlinked(connection: psycopg.Connection) -> bool:
    """Whether `links` has rows to change."""
    if "sourceDocumentUuid" not in columns(connection, "neo4j_documents"):
        return False
    return any(connection.execute(found.encode()).fetchone() for found in _unlinked(connection))


def dates(connection: psycopg.Connection) -> str:
    """SQL for the times of rows that were there before their columns; empty if nothing records them."""
    found = columns(connection, "source_documents")
    pairs = {"created_at": "intake_timestamp", "updated_at": "last_modified_at"}
    new = [
        f"{ours} = coalesce({old}, {ours})"
        for ours, old in pairs.items()
        if old in found and ours not in found
    ]
    if "project_id" not in found and "project_uuid" in found:
        new.append("project_id = project_uuid")
    return f"update public.source_documents set {', '.join(new)};" if new else ""


def _unsettled(connection: psycopg.Connection, table: str) -> str:
    """A condition: an earlier `apply` has not given the row's document one of our words."""
    if "docpipe_run" not in columns(connection, "source_documents"):
        return ""
    words = ", ".join(map(literal, ORDER))
    open_ = f"docpipe_run is null and coalesce(celery_status::text, '') not in ({words})"
    if table == "source_documents":
        return f"and {open_}"
    if "sourceDocumentUuid" not in columns(connection, table):
        return ""
    document = f't."sourceDocumentUuid" = d.document_uuid and {open_}'
    return f"and exists (select 1 from public.source_documents d where {document})"


def unknown_words(connection: psycopg.Connection, own: Mapping[str, str]) -> dict[str, int]:
    """`table.column: word` to how many rows have it, for words that no table knows."""
    places: tuple[tuple[str, str, Place], ...] = (
        ("source_documents", "celery_status", Place.DOCUMENT),
        ("source_documents", "initial_processing_status", Place.DOCUMENT),
        ("neo4j_documents", "processingStatus", Place.GRAPH),
    )
    if "initial_processing_status" not in columns(connection, "source_documents"):
        places = (*places, ("source_documents", "status", Place.DOCUMENT))
    found: dict[str, int] = {}
    for table, column, place in places:
        if column not in columns(connection, table):
            continue
        known = ["", *MEANINGS[place], *own]  # nothing said is nothing unknown
        said, open_rows = status_word(quoted(column)), _unsettled(connection, table)
        query = (
            f"select {said}, count(*) from public.{quoted(table)} t"
            f" where {said} <> all (%s) {open_rows} group by 1 order by 1"
        )
        for unknown, rows in connection.execute(query.encode(), (known,)):
            found[f"{table}.{column}: {unknown}"] = rows
    return found
