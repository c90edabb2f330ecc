"""The old queue: hand its open rows over to docpipe, each once, and close it."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from docpipe.cli.takeover import undo
from docpipe.cli.takeover.connection import changing, connected, naming
from docpipe.cli.takeover.queue.locators import Where, locators, recorded
from docpipe.cli.takeover.queue.rows import (
    Open,
    key,
    open_rows,
    require_docpipe,
    require_queue,
    stranded_documents,
    unknown_statuses,
    unreadable,
)
from docpipe.cli.takeover.schema import QUEUE_TABLE, accepted, columns, literal, one, quoted
from docpipe.cli.takeover.status_words import Work
from docpipe.cli.takeover.tables import triggers
from docpipe.errors import ConfigurationError, PermanentError
from docpipe.models import Failure, Ref
from docpipe.models.status import COMPLETED, COMPLETED_WITH_WARNINGS, document_status
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import TakenIn
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.rows import document_row
from docpipe.stores.values import NewDocument

_ON = f"public.{QUEUE_TABLE}"
_SEAL = "docpipe_sealed"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one row of the queue, or of one document that was stranded without one."""

    row: str
    document_uuid: str | None
    outcome: str
    """`submitted`; `unreadable` (registered, and failed with a named error); `complete` (nothing to do any
    more); `known` (docpipe has the document already); `no_document` (the row names none)."""
    note: str = ""


Rows = Callable[[psycopg.Connection, int], list[Open]]


def _wanted(connection: psycopg.Connection, with_stranded: bool) -> list[Rows]:
    """What to import, in this order. A queue that is gone or cannot be read is missed unless only the
    stranded are wanted.
    """
    readable = not (with_stranded and unreadable(connection))
    return [*([open_rows] if readable else []), *([stranded_documents] if with_stranded else [])]


def listed(dsn: str, *, with_stranded: bool = False) -> list[Open]:
    """What `import_rows` would submit. Raises `StoreUnavailableError`, `ConfigurationError`."""
    with connected(dsn, QUEUE_TABLE) as connection:
        return [row for rows in _wanted(connection, with_stranded) for row in rows(connection, 1_000_000)]


def import_rows(
    dsn: str,
    pipeline: Pipeline,
    *,
    batch: int = 100,
    with_stranded: bool = False,
    where: Where = Where(),  # noqa: B008 - frozen
    tell: Callable[[Imported], None] = lambda _: None,
) -> Counter[str]:
    """Submit every open row's document, each once, however often this is killed and called again.

    A row is marked in the transaction that begins its document's run; the message follows. What was
    killed in between is found by the next call, or by the reaper. Two at a time share the rows.

    Args:
        batch: rows read at a time.
        with_stranded: also the documents that are open and that no open row names.
        where: what the rows leave out about where the bytes are.
        tell: called for each row when it is finished.

    Returns:
        How many rows had each outcome (`Imported.outcome`).

    Raises:
        ConfigurationError: workflow triggers are still on, a status is unknown, or there is no queue.
        TransientError: a source, the store or the broker cannot be reached; call again later.
    """
    outcomes: Counter[str] = Counter()
    with connected(dsn, QUEUE_TABLE) as connection:
        wanted = _wanted(connection, with_stranded)
        _refuse_unready(connection, queue=open_rows in wanted)
        _publish_left(connection, pipeline)
        for rows in wanted:
            for done in _import(connection, pipeline, rows, batch, where):
                outcomes[done.outcome] += 1
                tell(done)
    return outcomes


def _import(
    connection: psycopg.Connection, pipeline: Pipeline, rows: Rows, batch: int, where: Where
) -> Iterator[Imported]:
    while found := rows(connection, batch):
        for row in found:
            yield _import_one(connection, pipeline, row, where)


def _refuse_unready(connection: psycopg.Connection, *, queue: bool = True) -> None:
    require_docpipe(connection)
    working = [each.name for each in triggers.find(connection) if each.works and each.enabled]
    if working:
        raise ConfigurationError(
            f"Triggers still move the old queue: {', '.join(working)}. Run: docpipe db triggers --disable"
        )
    if queue and (unknown := unknown_statuses(connection)):
        raise ConfigurationError(
            f"Rows of {QUEUE_TABLE} have a status that docpipe does not know:"
            f" {', '.join(f'{word} ({rows} rows)' for word, rows in unknown.items())}."
            " Give them one of pending, processing, completed, failed or cancelled."
        )


def _publish_left(connection: psycopg.Connection, pipeline: Pipeline) -> None:
    """Documents that an importer registered and was killed before it published them."""
    query = (
        "select r.document_uuid, r.run, r.priority from public.docpipe_queue_imports i"
        " join public.docpipe_runs r on r.document_uuid = i.document_uuid and r.state = 'active'"
        " join public.stage_runs s on s.document_uuid = r.document_uuid and s.run = r.run"
        " where i.outcome = 'submitted' and s.position = 0 and s.state = 'queued' and s.queued_at is null"
    )
    for uid, run, priority in connection.execute(query).fetchall():
        pipeline.publish(Ref(uid, run), priority=priority)


def _import_one(connection: psycopg.Connection, pipeline: Pipeline, row: Open, where: Where) -> Imported:
    document = _document(connection, row.document_uuid)
    if document is None:
        return _mark(connection, row, "no_document", "the row names no document that is there", "failed")
    if document["docpipe_run"] is not None:
        return _mark(connection, row, "known", "docpipe has the document already", "cancelled")
    status = document_status(document["celery_status"], document["initial_processing_status"])
    if status in {COMPLETED, COMPLETED_WITH_WARNINGS}:
        return _mark(connection, row, "complete", "the document was complete", "completed")
    try:
        taken, error = _taken_in(pipeline, document, where), None
    except PermanentError as unreadable:
        taken, error = _not_taken(document, where), unreadable
    with connection.transaction():
        if not one(connection, "select public.docpipe_adopt(%s)", _adoption(pipeline, document, taken)):
            return _mark(connection, row, "known", "docpipe has the document already", "cancelled")
        outcome = "unreadable" if error else "submitted"
        done = _mark(connection, row, outcome, str(error or ""), "cancelled")
    ref = Ref(document["document_uuid"], 1)
    if error is None:
        pipeline.publish(ref)
    else:
        _fail(pipeline, ref, error)
    return done


def _document(connection: psycopg.Connection, uid: str | None) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select * from public.source_documents where document_uuid = %s", (uid,))
        return cursor.fetchone()


def _taken_in(pipeline: Pipeline, document: dict[str, Any], where: Where) -> TakenIn:
    """The first place that has the bytes. Raises the last place's error."""
    error: PermanentError = PermanentError(
        "The old row does not say where the bytes are. Give --root for relative paths, --bucket for S3 keys."
    )
    for place in locators(document, where):
        try:
            return pipeline.sources.take_in(place, document["original_file_name"])
        except PermanentError as unreadable:
            error = unreadable
    raise error


def _not_taken(document: dict[str, Any], where: Where) -> TakenIn:
    """What is known of a document whose bytes cannot be read, so that it can be resumed when they can."""
    name = document["original_file_name"] or "document"
    places = [*locators(document, where), Path("/", name).as_uri()]
    return TakenIn(recorded(places[0]), name, "", 0)


def _adoption(pipeline: Pipeline, document: dict[str, Any], taken: TakenIn) -> str:
    new = NewDocument(
        document_uuid=document["document_uuid"],
        project_id=document["project_id"],
        name=taken.name,
        uri=taken.uri,
        digest=taken.digest,
        size=taken.size,
        copied=taken.copied,
        metadata={},
        stages=[stage.planned for stage in pipeline.stages],
    )
    return json.dumps(document_row(new) | {"digest": taken.digest or None, "size": taken.size or None})


def _fail(pipeline: Pipeline, ref: Ref, error: PermanentError) -> None:
    """The first stage fails with the error, as it would have in a worker."""
    stage = pipeline.stages[0].name
    claimant = Claimant(uuid.uuid4().hex, "", "queue import", lease_seconds=60.0, max_attempts=5)
    claim = pipeline.store.claim(ref, stage, claimant)
    failure = Failure(error.code, type(error).__name__, str(error), stage)
    pipeline.store.fail(ref, stage, claim.token, failure)


def _mark(connection: psycopg.Connection, row: Open, outcome: str, note: str, word: str) -> Imported:
    """Close the row, and write down what became of it."""
    with connection.transaction(), naming(QUEUE_TABLE):
        connection.execute(
            "insert into public.docpipe_queue_imports"
            " (queue_row, document_uuid, former_status, outcome, note)"
            " values (%s, %s, %s, %s, %s) on conflict (queue_row) do update"
            " set outcome = excluded.outcome, note = excluded.note, at = now()"
            " where excluded.outcome <> 'known'",  # who took it has said what became of it
            (row.row, row.document_uuid, row.status, outcome, note),
        )
        if row.work is not Work.STRANDED:
            _close(connection, row, word)
    return Imported(row.row, row.document_uuid, outcome, note)


def _close(connection: psycopg.Connection, row: Open, word: str) -> None:
    """With the first word that the row takes; a CHECK may want more of one status than of another."""
    fitting = _fitting(connection, word, "cancelled", "completed", "failed")
    if not fitting:
        raise ConfigurationError(f"{QUEUE_TABLE}.status takes none of cancelled, completed, failed.")
    for each in fitting[:-1]:
        with suppress(psycopg.errors.CheckViolation), connection.transaction():
            _set_status(connection, row, each)
            return
    _set_status(connection, row, fitting[-1])


def _fitting(connection: psycopg.Connection, *words: str) -> list[str]:
    """Those of the words that the status takes, each as it is spelt there: an enum may be in capitals."""
    column = columns(connection, QUEUE_TABLE)["status"]
    spellings = [spelt for word in words for spelt in (word, word.upper(), word.title())]
    return accepted(connection, QUEUE_TABLE, column, dict.fromkeys(spellings))


def _spelt(connection: psycopg.Connection, word: str) -> str | None:
    found = _fitting(connection, word)
    return literal(found[0]) if found else None


def _set_status(connection: psycopg.Connection, row: Open, word: str) -> None:
    update = f"update {_ON} set status = {literal(word)} where {_key(connection)}::text = %s"  # noqa: S608
    connection.execute(update.encode(), (row.row,))


def _key(connection: psycopg.Connection) -> str:
    return quoted(key(connection) or "id")


def hand_back(connection: psycopg.Connection) -> list[str]:
    """SQL that opens the rows again whose documents docpipe has not finished, and closes the others."""
    found = columns(connection, QUEUE_TABLE)
    if not found or not one(connection, "select 1 from public.docpipe_queue_imports limit 1"):
        return []
    done = _spelt(connection, "completed") or "q.status::text"
    failed = _spelt(connection, "failed") or "i.former_status"
    again = _spelt(connection, "pending") or "i.former_status"
    return [
        f"""update {_ON} q set status = (case
        when public.docpipe_document_status(d.celery_status::text, d.initial_processing_status::text)
             like 'completed%' then {done}
        when d.celery_status like 'error\\_%' or d.document_uuid is null then {failed}
        else {again} end)::{found["status"].type}
  from public.docpipe_queue_imports i left join public.source_documents d using (document_uuid)
 where q.{_key(connection)}::text = i.queue_row;"""  # noqa: S608
    ]


# --- seal ----------------------------------------------------------------------------------------


def seal(dsn: str) -> list[str]:
    """Stop new rows in the queue: privileges revoked, and a trigger whose error names docpipe.

    Returns:
        What was done, one line each; empty if it was sealed already.

    Raises:
        ConfigurationError: a trigger would still write to the queue, and documents could not come in.
    """
    with connected(dsn, QUEUE_TABLE) as connection, changing(connection):
        require_queue(connection)
        _refuse_unready(connection, queue=False)
        if sealed_at(connection) is not None:
            return []
        changes = [*_revoked(connection), _closed(connection)]
        for change, statement, _ in changes:
            with naming(change):
                connection.execute(statement.encode())
        undo.record(connection, "seal", [undo.Undo(change, back) for change, _, back in changes])
    return [change for change, _, _ in changes]


def unseal(dsn: str) -> list[str]:
    """Undo `seal`; returns what was run, nothing if the queue is not sealed."""
    with connected(dsn, QUEUE_TABLE) as connection, changing(connection):
        require_queue(connection)
        require_docpipe(connection)
        statements = undo.recorded(connection, rows_first=False, step="seal")
        for statement in statements:
            connection.execute(statement.encode())
        undo.forget(connection, "seal")
    return statements


def sealed_at(connection: psycopg.Connection) -> datetime | None:
    """When the queue was sealed, by the clock of the machine that did it."""
    found: datetime | None = one(connection, "select max(at) from public.docpipe_undo where step = 'seal'")
    return None if found is None else found.astimezone(UTC)


def _closed(connection: psycopg.Connection) -> tuple[str, str, str]:
    view = one(connection, "select relkind = 'v' from pg_class where oid = to_regclass(%s)", _ON)
    when = "instead of insert" if view else "before insert"
    each = "row" if view else "statement"
    return (
        f"a trigger refuses new rows in {QUEUE_TABLE}",
        f"create trigger {_SEAL} {when} on {_ON} for each {each}"
        " execute function public.docpipe_refuse_queue();",
        f"drop trigger {_SEAL} on {_ON};",
    )


_GRANTED = """
select case when x.grantee = 0 then 'public' else x.grantee::regrole::text end, x.is_grantable
  from pg_class c, aclexplode(c.relacl) x
 where c.oid = to_regclass(%s) and x.privilege_type = 'INSERT' and x.grantee <> c.relowner order by 1
"""


def _revoked(connection: psycopg.Connection) -> Iterator[tuple[str, str, str]]:
    for role, grantable in connection.execute(_GRANTED, (_ON,)).fetchall():
        option = " with grant option" if grantable else ""
        yield (
            f"{role} may not insert into {QUEUE_TABLE}",
            f"revoke insert on {_ON} from {role};",
            f"grant insert on {_ON} to {role}{option};",
        )
