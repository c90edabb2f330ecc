"""An existing database becomes docpipe's, and can be given back: plan, apply, roll back.

What `apply` runs is the list that `plan` shows. Everything happens in one transaction, and the changes to
tables that were there before are kept with their undoing in `docpipe_undo`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote

import psycopg

from docpipe.cli.takeover import undo
from docpipe.cli.takeover.changes import Change, Obstacle
from docpipe.cli.takeover.connection import changing, connected, migrating, naming
from docpipe.cli.takeover.migrate import Migration, migrations
from docpipe.cli.takeover.queue import stranded
from docpipe.cli.takeover.queue.importing import hand_back
from docpipe.cli.takeover.schema import columns, one
from docpipe.cli.takeover.status_words import ORDER
from docpipe.cli.takeover.tables import backfill
from docpipe.cli.takeover.tables.obstacles import GRAPH, SOURCE, default_change, find
from docpipe.cli.takeover.tables.probe import TABLES, probe
from docpipe.cli.takeover.tables.silence import silence
from docpipe.errors import ConfigurationError, PermissionDeniedError

_STEP = "apply"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the reader decides: defaults (`table.column` to value), meanings of unknown status words, and
    whether docpipe may loosen what refuses its rows.
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    loosen: bool = False

    def __post_init__(self) -> None:
        for name in self.defaults:
            if name.partition(".")[0] not in {SOURCE, GRAPH} or not name.partition(".")[2]:
                raise ConfigurationError(f"{name}: write {SOURCE}.COLUMN or {GRAPH}.COLUMN.")
        for word, status in self.words.items():
            if status not in ORDER:
                raise ConfigurationError(
                    f"{word}={status}: {status} is not a status. Use one of {', '.join(ORDER)}."
                )


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the plan."""

    told: str
    statements: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do, and what keeps it from it."""

    steps: tuple[Step, ...]
    obstacles: tuple[str, ...]
    changes: tuple[Change, ...]
    """Those of the steps that bring their own undoing."""
    to_schema: int
    """How many of the steps are about the schema; the others fill rows."""

    def sql(self) -> str:
        """The whole of it, to read or to run."""
        parts = [f"-- {step.told}\n{step.statements.strip()}\n" for step in self.steps]
        return "\n".join(["begin;\n", *parts, "commit;\n"]) if parts else ""


def plan(dsn: str, wishes: Wishes = Wishes()) -> Plan:
    """What `apply` would run; nothing is changed.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    with connected(dsn) as connection:
        return _plan(connection, wishes)


def trial(dsn: str, wishes: Wishes = Wishes()) -> str:
    """What the database says to documents that are tried on the schema that `apply` would make, in a
    transaction that is rolled back; empty if it takes them. No rows are filled, no triggers fire.

    Raises:
        PermissionDeniedError, StoreUnavailableError: it could not be tried.
    """
    with connected(dsn) as connection, changing(connection, seconds=3, rolled_back=True):
        planned = _plan(connection, wishes)
        try:
            for step in planned.steps[: planned.to_schema]:
                with naming(step.told):
                    connection.execute(step.statements.encode())
            probe(connection, silent=True)
        except PermissionDeniedError:
            raise
        except ConfigurationError as error:
            return str(error)
    return ""


def _plan(connection: psycopg.Connection, wishes: Wishes) -> Plan:
    found = find(connection, wishes.defaults)
    named = [name.partition(".") for name in wishes.defaults]
    defaults = [
        default_change(connection, table, name, wishes.defaults[f"{table}.{name}"])
        for table, _, name in named
    ]
    loosened = dict.fromkeys(change for each in found for change in each.changes) if wishes.loosen else {}
    loosening = sorted(loosened, key=lambda change: not change.early)
    changes = [*loosening, *(change for change in defaults if change)]
    pending = _pending(connection)
    schema = [
        *(Step(change.told, change.statement) for change in changes),
        *(
            Step(migration.file_name, f"{migration.statements}{_recorded(migration)}")
            for migration in pending
        ),
    ]
    filling = _filling(connection, wishes, bool(pending))
    left = _left(connection, found, wishes)
    return Plan((*schema, *filling), tuple(left), tuple(changes), len(schema))


def _left(connection: psycopg.Connection, found: list[Obstacle], wishes: Wishes) -> list[str]:
    """What remains for the reader to decide."""
    unknown = backfill.unknown_words(connection, wishes.words)
    return [
        *(str(each) for each in found if not (wishes.loosen and each.changes)),
        *(
            f"{place}: {rows} rows have this word, and no table says what it means."
            f" Say it: docpipe db apply --word {quote(place.partition(': ')[2] + '=STATUS')}"
            for place, rows in unknown.items()
        ),
    ]


def _pending(connection: psycopg.Connection) -> list[Migration]:
    done: set[str] = set()
    if columns(connection, "docpipe_migrations"):
        done = {row[0] for row in connection.execute("select version from public.docpipe_migrations")}
    return [migration for migration in migrations() if migration.version not in done]


def _recorded(migration: Migration) -> str:
    values = f"('{migration.version}', '{migration.name}')"
    return f"\ninsert into public.docpipe_migrations (version, name) values {values};"


def _filling(connection: psycopg.Connection, wishes: Wishes, new: bool) -> list[Step]:
    """The rows that are there, without anybody's triggers; none if there is nothing to fill."""
    if not columns(connection, SOURCE):
        return []
    graph = bool(columns(connection, GRAPH))
    steps = []
    if new and (times := backfill.dates(connection)):
        steps.append(Step("when the old documents came in", times))
    if graph and (new or backfill.unlinked(connection)):
        steps += [Step("which document a graph row belongs to", each) for each in backfill.links(connection)]
    if new or backfill.waiting(connection, wishes.words):
        steps.append(Step("where the old documents stand", backfill.statuses(connection, wishes.words)))
    if not steps:
        return []
    off, on = silence(connection, TABLES)
    return [*_switches("triggers off", off), *steps, *_switches("triggers on again", on)]


def _switches(told: str, statements: list[str]) -> list[Step]:
    return [Step(told, "\n".join(statements))] if statements else []


def apply(dsn: str, wishes: Wishes = Wishes()) -> list[str]:
    """Take the database over, and prove it with a document that goes all the way and leaves nothing.

    Returns:
        What was done, one line each; empty if there was nothing to do.

    Raises:
        ConfigurationError: something stands in the way, or does not fit; nothing was changed.
        PermissionDeniedError: this user may not do it; nothing was changed.
        StoreUnavailableError: the database cannot be reached.
    """
    with connected(dsn) as connection, migrating(connection):
        planned = _plan(connection, wishes)
        if planned.obstacles:
            raise ConfigurationError(
                "\n".join(["the database cannot be taken over yet:", *planned.obstacles])
            )
        before = undo.snapshot(connection)
        had_status = "celery_status" in columns(connection, SOURCE)
        for step in planned.steps:
            with naming(step.told):
                connection.execute(step.statements.encode())
        if planned.steps:
            _record(connection, planned, before, had_status=had_status)
            probe(connection, silent=True)
            connection.execute("notify pgrst, 'reload schema'")
    return [*dict.fromkeys(step.told for step in planned.steps if not step.told.startswith("triggers o"))]


_FORMER_STATUS = """update public.source_documents d set celery_status = f.celery_status
  from public.docpipe_former_status f where f.document_uuid = d.document_uuid and d.docpipe_run is null;"""


def _record(
    connection: psycopg.Connection, planned: Plan, before: undo.Snapshot, *, had_status: bool
) -> None:
    own = [undo.Undo(change.told, change.undo) for change in planned.changes if change.undo]
    rows = [undo.Undo(change.told, change.undo_rows, True) for change in planned.changes if change.undo_rows]
    known = set(undo.recorded(connection, rows_first=True))
    if had_status and _FORMER_STATUS not in known:
        rows.append(undo.Undo("statuses of the old documents", _FORMER_STATUS, True))
    seen = undo.differences(before, undo.snapshot(connection, before))
    undo.record(connection, _STEP, [*own, *rows, *seen])


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a rollback runs."""

    statements: tuple[str, ...]
    handed_back: int
    """Rows of the old queue that are open again."""


def rollback(dsn: str, *, drop_results: bool = False, dry_run: bool = False) -> Rollback:
    """Give the database back as it was: rows of the old queue first, then everything that was changed,
    the newest change first, then docpipe's own tables. Stop the workers before.

    Args:
        drop_results: whether docpipe's tables may be dropped although they hold results.
        dry_run: only say what would be run.

    Raises:
        ConfigurationError: there is no record of changes, or documents or results would be lost.
        PermissionDeniedError, StoreUnavailableError: nothing was changed.
    """
    with connected(dsn) as connection, migrating(connection, rolled_back=dry_run):
        if not columns(connection, "docpipe_undo") and not columns(connection, "docpipe_runs"):
            return Rollback((), 0)
        _refuse_unrecorded(connection)
        _refuse_loss(connection, drop_results)
        off, on = silence(connection, TABLES)
        handed_back = hand_back(connection)
        rows = [*off, *handed_back, stranded.hand_back(), *undo.recorded(connection, rows_first=True), *on]
        recorded = [*rows, *undo.recorded(connection, rows_first=False)]
        count = {statement: _run(connection, statement) for statement in recorded}
        last = ["drop table public.docpipe_undo, public.docpipe_migrations;", *undo.functions(connection)]
        count |= {statement: _run(connection, statement) for statement in last}
        statements = [*recorded, *last]
        connection.execute("notify pgrst, 'reload schema'")
    return Rollback(tuple(statements), sum(count[statement] for statement in handed_back))


def _run(connection: psycopg.Connection, statement: str) -> int:
    with naming(f"the rollback ({statement.splitlines()[0]})"):
        return connection.execute(statement.encode()).rowcount


def _refuse_unrecorded(connection: psycopg.Connection) -> None:
    """Only who has seen the database without docpipe's tables knows what was there before."""
    first = "select count(*) from public.docpipe_undo where step = %s and change = 'table docpipe_runs'"
    if not columns(connection, "docpipe_undo") or not one(connection, first, _STEP):
        raise ConfigurationError(
            "There is no record of what was there before docpipe: its tables were not made by"
            " `docpipe db apply` but by another tool (`supabase db push`, perhaps), which has to take them"
            " back. Nothing was changed."
        )


def _refuse_loss(connection: psycopg.Connection, drop_results: bool) -> None:
    in_work = one(
        connection,
        "select count(*) from public.docpipe_runs r where r.state = 'active' and not exists"
        " (select 1 from public.docpipe_queue_imports i where i.document_uuid = r.document_uuid)",
    )
    if in_work:
        raise ConfigurationError(
            f"{in_work} documents in progress are unknown to the old queue. Wait until they are done, or"
            " docpipe cancel them."
        )
    results = one(connection, "select count(*) from public.docpipe_runs where state = 'completed'")
    if results and not drop_results:
        raise ConfigurationError(
            f"{results} runs have results in docpipe's tables, which the rollback drops. Save them first"
            " (pg_dump -t 'docpipe_*'), then: docpipe db rollback --drop-results"
        )
