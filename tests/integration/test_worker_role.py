# ruff: noqa: E501 - SQL
"""The database role of workers: it does what a worker does, and nothing else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from docpipe.cli.takeover import migrate, takeover
from docpipe.errors import PermissionDeniedError
from docpipe.models import EntityLink, EntityName, Failure, NewChild, PageRange, Ref, StageOutput
from docpipe.models.status import StageState
from docpipe.pipeline.in_process import run_stages
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submitting import Terms
from docpipe.sources import Sources
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.supabase.store import SupabaseStore
from docpipe.stores.values import Handover, Heartbeat, Outcome
from docpipe.stores.webhook_port import Try, Webhook
from tests.contract.test_store import OUTPUTS, lost, new
from tests.engines import OPTIONS
from tests.stack import Stack

ROLE = "docpipe_worker"
FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr", "Traceback…")
OF_HOSTS = {
    "register", "register_new", "register_many", "batch", "select", "cancel", "resume", "resume_run", "reprocess",
    "replay", "delete",
    "expire", "forget_history", "attempts", "traces", "statistics", "keys", "members", "member", "relations_of",
    "set_apart", "own_children", "adopt", "refuse_queue", "grant_worker", "search", "record_action", "list_actions",
    "add_webhook", "list_webhooks", "remove_webhook", "list_deliveries", "replay_events", "ended", "notify",
    "pause", "limit", "limits", "shares", "search_vectors", "vectors_by", "excerpt",
}  # fmt: skip
"""The functions that are no worker's, without their prefix."""
HOST_TABLES = """
create schema private;
create table private.payroll (name text); insert into private.payroll values ('Ann');
create table public.customers (name text); insert into public.customers values ('Bob');
create view public.names as select name from public.customers;
create function public.pay() returns text language sql security definer as $$ select name from private.payroll $$;
revoke execute on function public.pay() from public;
"""


def make_role(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        if not db.execute("select 1 from pg_roles where rolname = %s", (ROLE,)).fetchone():
            db.execute(sql.SQL("create role {} nologin").format(sql.Identifier(ROLE)))
        db.execute("select docpipe_grant_worker(%s)", (ROLE,))


@pytest.fixture
def dsn(empty_database: str) -> str:
    with psycopg.connect(empty_database, autocommit=True) as db:
        db.execute(HOST_TABLES.encode())
    takeover.apply(empty_database)
    make_role(empty_database)
    return empty_database


@contextmanager
def as_worker(dsn: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as db:
        db.execute(sql.SQL("set role {}").format(sql.Identifier(ROLE)))
        yield db


@pytest.fixture
def worker(dsn: str) -> Iterator[PostgresStore]:
    store = PostgresStore(make_conninfo(dsn, options=f"-c role={ROLE}"))
    yield store
    store.close()


@pytest.fixture
def owner(dsn: str) -> Iterator[PostgresStore]:
    """What a host holds."""
    store = PostgresStore(dsn)
    yield store
    store.close()


def added(owner: PostgresStore) -> Ref:
    return owner.register(new(document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex, copied=True)).ref


def claimed(worker: PostgresStore, ref: Ref, stage: str) -> int:
    claim = worker.claim(ref, stage, claimant())
    assert claim.outcome is Outcome.CLAIMED
    assert claim.token is not None
    return claim.token


def claimant() -> Claimant:
    return Claimant(uuid.uuid4().hex, "task", "host:1", 60.0, 5)


def test_a_worker_takes_a_document_through_all_stages(owner: PostgresStore, worker: PostgresStore) -> None:
    ref = added(owner)
    assert worker.queue(ref, "ocr", "task")
    assert worker.publish_failed(ref, "ocr", "no broker")
    for stage, output in OUTPUTS.items():
        token = claimed(worker, ref, stage)
        assert worker.heartbeat(ref, stage, token, 60.0) is Heartbeat.OK
        assert worker.retry(ref, stage, token, FAILURE, 0.0)
        large = StageOutput(text="x" * 1_200_000, pages=output.pages) if stage == "ocr" else output
        assert worker.finish(ref, stage, claimed(worker, ref, stage), large)
    assert worker.status(ref.document_uuid).status == "completed"
    assert worker.unlinked() == [ref]
    names = [
        EntityName(0, "k1", "Ann", "PERSON", "ann", 1, ("b",)),
        EntityName(1, "k2", "A", "PERSON", "a", 1, ("b",)),
    ]
    linking = worker.link(ref, names)
    assert linking is not None
    assert {block: sorted(keys) for block, keys in linking.rivals.items()} == {"b": ["k1", "k2"]}
    assert worker.link_by(ref, [EntityLink("k1", "k2", "form", 1.0)])
    assert worker.ties("", {"k1"}).links


def test_a_worker_reads_a_long_document_in_ranges(owner: PostgresStore, worker: PostgresStore) -> None:
    ref, other = added(owner), added(owner)
    token = claimed(worker, ref, "ocr")
    pages = [PageRange(1, 1), PageRange(2, 3), PageRange(4, 4)]
    assert worker.ranges.split(ref, "ocr", token, pages, 3) == Handover((1, 2, 4))
    tokens = {}
    for first in (1, 2, 4):
        tokens[first] = worker.ranges.claim(ref, first, claimant()).token or 0
        assert worker.ranges.heartbeat(ref, tokens[first], 60.0) is Heartbeat.OK
    assert worker.ranges.retry(ref, tokens[1], FAILURE, 0.0)
    tokens[1] = worker.ranges.claim(ref, 1, claimant()).token or 0
    assert worker.ranges.finish(ref, tokens[1], OUTPUTS["ocr"], 3) is not None
    assert worker.ranges.fail(ref, tokens[2], FAILURE, 3) is not None
    assert worker.ranges.revive(ref, 2, grace_seconds=-1.0, max_attempts=5, at_once=3).outcome == "resume"
    token = claimed(worker, other, "ocr")
    assert worker.ranges.split(other, "ocr", token, pages, 3)
    token = worker.ranges.claim(other, 1, claimant()).token or 0
    assert worker.ranges.fail_stage(other, token, FAILURE)


def test_a_worker_resumes_and_ends_what_stands_still(owner: PostgresStore, worker: PostgresStore) -> None:
    unsent, dead, cancelled, failing = (added(owner) for _ in range(4))
    for each in (unsent, cancelled):
        worker.queue(each, "ocr", "task")
    claimed(worker, dead, "ocr")
    assert worker.fail_task(dead, "task", FAILURE)
    assert worker.fail(failing, "ocr", claimed(worker, failing, "ocr"), FAILURE)
    claimed(worker, cancelled, "ocr")
    owner.cancel(cancelled.document_uuid)
    with owner.pool.connection() as db:
        db.execute("update stage_runs set lease_expires_at = now() - interval '1 hour'")
    found = {each.ref: each.state for each in lost(worker, -1.0)}
    assert found == {unsent: StageState.QUEUED, cancelled: StageState.RUNNING}
    revived = [worker.revive(ref, grace_seconds=-1.0, max_attempts=5, task_id="t").outcome for ref in found]
    assert sorted(revived) == ["cancelled", "resume"]


def test_a_worker_registers_what_it_finds_inside_a_document(
    owner: PostgresStore, worker: PostgresStore
) -> None:
    ref, child = added(owner), NewChild("one.txt", "text/plain", 3, uuid.uuid4().hex, "file:///up/one")
    token = claimed(worker, ref, "ocr")
    assert worker.note_children(ref, "ocr", token, [child], 1) == 1
    assert worker.finish(ref, "ocr", token, replace(OUTPUTS["ocr"], children=(child,)))
    (due,) = worker.children_due(ref)
    assert worker.queue(due.ref, "ocr", "task")
    assert owner.status(due.ref.document_uuid).parent == ref.document_uuid


def test_a_worker_erases_what_is_left_of_a_document_that_a_host_deleted(
    owner: PostgresStore, worker: PostgresStore
) -> None:
    ref = added(owner)
    owner.delete(ref.document_uuid)
    assert [each.document_uuid for each in worker.erasures()] == [ref.document_uuid]
    assert worker.erased(ref.document_uuid)


def test_a_worker_tells_the_webhooks_that_a_host_added(owner: PostgresStore, worker: PostgresStore) -> None:
    owner.webhooks.add(Webhook("hook", "https://example.com", "whsec_", ("document.failed",)))
    ref = added(owner)
    worker.fail(ref, "ocr", claimed(worker, ref, "ocr"), FAILURE)
    event = worker.webhooks.claim("hook", 60.0)
    assert event
    assert event.data["document_uuid"] == ref.document_uuid
    assert worker.webhooks.note(event, Try(0.1, 204, None), None)
    assert [each.state for each in owner.webhooks.log("hook")] == ["delivered"]


def test_a_worker_calls_its_functions_and_no_others(dsn: str) -> None:
    query = (
        "select proname, has_function_privilege(%s, oid, 'execute') from pg_proc"
        " where pronamespace = 'public'::regnamespace and proname ^@ 'docpipe_'"
    )
    with psycopg.connect(dsn) as db:
        may: dict[str, bool] = dict(db.execute(query, (ROLE,)).fetchall())
        refused = db.execute("select has_function_privilege(%s, 'pay()', 'execute')", (ROLE,)).fetchone()
    assert {name.removeprefix("docpipe_") for name, granted in may.items() if not granted} == OF_HOSTS
    assert refused == (False,)


TRIED = (
    "select * from {}", "insert into {} default values", "delete from {}", "truncate {}", "drop table {}",
    "create trigger t before insert on {} execute function tsvector_update_trigger()",
    "alter table {} disable row level security", "create policy open on {} using (true)",
)  # fmt: skip
OTHERS = [
    "public.customers", "public.names", "private.payroll", "public.docpipe_migrations", "public.docpipe_undo",
    "public.docpipe_former_status", "public.docpipe_queue_imports", "pg_authid", "pg_user_mapping",
]  # fmt: skip
REFUSED = [
    *(statement.format(table) for table in OTHERS for statement in TRIED),
    *(statement.format("public.stage_runs") for statement in TRIED[2:]),
    "delete from source_documents",
    "delete from docpipe_runs", "update docpipe_history set status = 'x'", "update docpipe_pages set method = 'x'",
    "create table public.mine (a int)", "create schema mine", "create role mine", "create view mine as select 1",
    "create function public.mine() returns int language sql as 'select 1'", "set session_replication_role = replica",
    "alter role docpipe_worker superuser", "set row_security = off; select * from source_documents",
    "grant docpipe_worker to anon", "alter function docpipe_claim security definer",
    "copy source_documents to '/tmp/x'", "copy source_documents from program 'id'", "select pg_read_file('/etc/passwd')",
    "select docpipe_grant_worker('anon')", "select pay()", "comment on table stage_runs is 'x'",
    "select setval('docpipe_token_seq', 1)",
]  # fmt: skip


@pytest.fixture(scope="module")
def shared(stack: Stack) -> Iterator[str]:
    """A database that no test changes."""
    stack.mend()
    dsn = stack.postgres.create_database("worker_role")
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(HOST_TABLES.encode())
    takeover.apply(dsn)
    make_role(dsn)
    yield dsn
    stack.postgres.drop_database("worker_role")


@pytest.mark.parametrize("statement", REFUSED)
def test_a_worker_is_refused(shared: str, statement: str) -> None:
    with as_worker(shared) as db, pytest.raises(psycopg.Error) as refused:
        db.execute(statement.encode())
    assert isinstance(refused.value, psycopg.errors.InsufficientPrivilege | psycopg.errors.WrongObjectType)


def test_a_later_migration_leaves_the_role_its_rights_and_takes_what_is_too_much(dsn: str) -> None:
    def rights() -> list[Any]:
        return db.execute(
            "select relname, relacl::text from pg_class where relacl::text like '%docpipe_worker%'"
            " union select oid::regprocedure::text, proacl::text from pg_proc"
            " where proacl::text like '%docpipe_worker%' order by 1"
        ).fetchall()

    with psycopg.connect(dsn, autocommit=True) as db:
        before = rights()
        db.execute("revoke execute on all functions in schema public from docpipe_worker")
        db.execute("revoke select on stage_runs from docpipe_worker")
        db.execute("grant delete on source_documents to docpipe_worker")
        db.execute("grant execute on function docpipe_delete to docpipe_worker")
        for migration in migrate.migrations():
            db.execute(migration.statements.encode())
        assert rights() == before
    assert migrate.check(dsn) == []


def test_a_worker_with_a_token_of_the_role_works_over_the_api(
    stack: Stack,
    supabase_env: dict[str, str],
    tmp_path: Path,
    letter: bytes = b"Ann Lee met Bob on 3 May 2024.",
) -> None:
    url = supabase_env["SUPABASE_URL"]
    make_role(stack.postgres.url)
    with psycopg.connect(stack.postgres.url, autocommit=True) as db:
        db.execute("grant docpipe_worker to authenticator")
    token = jwt.encode({"role": ROLE, "exp": time.time() + 600}, stack.api.jwt_secret, "HS256")
    host = Pipeline(
        store=SupabaseStore(url, supabase_env["SUPABASE_SECRET_KEY"]),
        sources=Sources(uploads=tmp_path),
        options=OPTIONS,
    )
    worker = Pipeline(
        store=SupabaseStore(url, stack.api.publishable_key, token), sources=host.sources, options=OPTIONS
    )
    assert worker.store.check() == []
    with pytest.raises(PermissionDeniedError):
        worker.process(letter, name="letter.txt")
    ref = host._submitter.register(host.sources.take_in(letter, "letter.txt"), Terms()).ref
    run_stages(worker.runtime, worker.stages, ref)
    assert host.status(ref.document_uuid).status == "completed"
    assert host.get(ref.document_uuid).mentions
    with pytest.raises(PermissionDeniedError):
        worker.delete(ref.document_uuid)
    assert host.store.delete(ref.document_uuid)
    assert worker.erase().done == 1
    for each in (host, worker):
        each.store.close()
