"""What became of a document: its final state, what it took, and that nothing stands there twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from docpipe.models import DocumentStatus
from docpipe.models.status import Stage, is_final

TABLES = {
    Stage.OCR: ("docpipe_pages",),
    Stage.CHUNK: ("docpipe_chunks",),
    Stage.ENTITIES: ("docpipe_mentions",),
    Stage.GRAPH: ("docpipe_entities", "docpipe_relations", "docpipe_edges", "docpipe_facts"),
}
_ONCE = {
    "source_documents": "document_uuid",
    "neo4j_documents": '"sourceDocumentUuid"',
    "docpipe_runs": "document_uuid",
}

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table."""

    failure: str
    stage: str
    state: str
    """The final status, and the error's code."""
    seconds: float
    """From registration to the final state, on this machine at this hour: for the reader, no verdict."""
    attempts: int
    """Of the stage that was hit."""
    duplicated: int
    lost: int
    differing: tuple[str, ...] = ()
    """Tables that hold something else than they do after a quiet run."""

    @property
    def harm(self) -> tuple[int, int, tuple[str, ...]]:
        """What stands there twice, what is lost, and what differs: `NO_HARM` when all is well."""
        return self.duplicated, self.lost, self.differing

    def cells(self) -> tuple[str, ...]:
        return (
            self.failure,
            self.stage,
            self.state,
            f"{self.seconds:.1f}",
            str(self.attempts),
            str(self.duplicated),
            str(self.lost),
            str(len(self.differing)),
        )


NO_HARM = (0, 0, ())


def judge(failure: str, stage: str, status: DocumentStatus, dsn: str, quiet: Rows) -> Verdict:
    """The verdict on a document, compared with a quiet run of the same text."""
    code = f" ({status.error.code})" if status.error else ""
    begin, end = status.history[0][0], status.history[-1][0]
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = _results(connection, status.document_uuid)
        beyond = sum(_count(connection, table, key, status.document_uuid) - 1 for table, key in _ONCE.items())
    return Verdict(
        failure=failure,
        stage=stage,
        state=status.status + code,
        seconds=(end - begin).total_seconds(),
        attempts=next((each.attempt for each in status.stages if each.stage == stage), 0),
        duplicated=beyond + sum(max(0, len(rows) - len(quiet[table])) for table, rows in found.items()),
        lost=int(not is_final(status.status)),
        differing=tuple(table for table, rows in _expected(status, quiet).items() if found[table] != rows),
    )


def results(dsn: str, document_uuid: str) -> Rows:
    """All result rows of a document's first run, without its identity, in the order of their keys."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return _results(connection, document_uuid)


def _expected(status: DocumentStatus, quiet: Rows) -> Rows:
    """What the tables must hold: the quiet run's rows of each complete stage, and none of the others."""
    complete = {each.stage for each in status.stages if each.state == "complete"}
    return {
        table: quiet[table] if stage in complete else []
        for stage, tables in TABLES.items()
        for table in tables
    }


def _results(connection: psycopg.Connection[Any], document_uuid: str) -> Rows:
    return {table: _rows(connection, table, document_uuid) for tables in TABLES.values() for table in tables}


def _rows(connection: psycopg.Connection[Any], table: str, document_uuid: str) -> list[tuple[Any, ...]]:
    order = "number" if table == "docpipe_pages" else "index"
    query = sql.SQL("select to_jsonb(t) - 'document_uuid' from {} t where document_uuid = %s order by {}")
    found = connection.execute(
        query.format(sql.Identifier("public", table), sql.Identifier(order)), (document_uuid,)
    )
    return found.fetchall()


def _count(connection: psycopg.Connection[Any], table: str, key: str, document_uuid: str) -> int:
    query = f"select count(*) from {table} where {key} = %s"
    row = connection.execute(query.encode(), (document_uuid,)).fetchone()
    assert row is not None
    return int(row[0])


HEADINGS = (
    "failure",
    "stage",
    "final state",
    "seconds",
    "attempts",
    "duplicated",
    "lost",
    "differing",
)


def as_table(lines: Sequence[Sequence[str]]) -> list[str]:
    """The cells of all lines, aligned below the headings."""
    widths = [max(map(len, column)) for column in zip(HEADINGS, *lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (HEADINGS, *lines)
    ]
