"""A database with a rule of its own that refuses what docpipe writes: whole runs, to their ends."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import make_conninfo

from docpipe.cli.takeover import takeover
from docpipe.delivery.monitoring.health import Thresholds, examine_liveness
from docpipe.errors import DocpipeError, RefusedByDatabaseError
from docpipe.execution.policy import Policy
from docpipe.models.status import QUEUES, AttemptEnd
from docpipe.pipeline.default import health
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.submission import Submission
from docpipe.sources import Sources
from docpipe.stores.postgres.store import PostgresStore
from docpipe.testing import memory_app
from tests.contract.test_store import new
from tests.engines import OPTIONS
from tests.integration.test_health import PREFIX, close, command, new_pipeline, wrong  # noqa: F401 - a fixture
from tests.integration.test_probes import temporary  # noqa: F401 - a fixture
from tests.integration.test_worker_role import ROLE, make_role
from tests.unit.conftest import ENGINES, Docpipe
from tests.unit.conftest import docpipe as docpipe_command  # noqa: F401 - a fixture
from tests.workers import HANG_SECONDS, Workers, wait_until

RULES = {
    "the beginning": ("new.celery_status = 'ocr_processing'", "error_ocr", False),
    "the end of a stage": ("new.celery_status = 'ocr_complete'", "error_ocr", False),
    "the next stage": ("new.celery_status = 'text_processing'", "error_text_processing", False),
    "the end of all": ("new.celery_status = 'graph_complete'", "error_graph_building", False),
    "an end and its failure": (
        "new.celery_status in ('text_complete', 'error_text_processing')", "error_text_processing", True
    ),
    "all after a moment": ("old.celery_status = 'ocr_processing'", "error_ocr", True),
}  # fmt: skip
"""When it refuses, the status of such a document, and whether only the ledger may know that."""


@pytest.fixture
def pipeline(database: str, tmp_path: Path) -> Iterator[Pipeline]:
    store = PostgresStore(database)
    app = memory_app(task_always_eager=True)
    policy = Policy(grace_seconds=-1.0, backoff_seconds=0.001)
    yield Pipeline(app, store=store, sources=Sources(uploads=tmp_path), options=OPTIONS, policy=policy)
    store.close()


@pytest.mark.parametrize("rule", RULES)
def test_each_document_ends_with_the_words_of_the_rule_and_is_not_tried_again(
    pipeline: Pipeline, database: str, rule: str
) -> None:
    when, status, only_ledger = RULES[rule]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create function embargo() returns trigger language plpgsql as"
            " $$ begin raise exception 'Embargo until May'; end $$;"
            " create trigger embargo before update on source_documents for each row"
            f" when ({when}) execute function embargo()".encode()
        )
        try:
            submission = pipeline.submit(b"Ann met Bob.", name="a.txt")
            with pytest.raises(RefusedByDatabaseError) as caught:
                submission.wait(1.0)
            assert not pipeline.reap()
        finally:
            connection.execute("drop function embargo() cascade")
    assert submission.status().status == status
    told = str(caught.value)
    assert told.startswith("The database refuses it (P0001): Embargo until May.")
    assert told.count("and then: docpipe retry UUID.") == 1
    assert ("refuses to have that in source_documents" in told) == only_ledger
    assert [each.code for each in pipeline.store.statistics().failures] == ["refused_by_database"]
    assert pipeline.resume(submission.document_uuid)  # the rule is gone
    assert submission.wait(1.0).status == "completed"


def test_a_document_that_cannot_be_resumed_stops_the_reap_of_no_other(
    pipeline: Pipeline, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A trigger that breaks is no refusal: nobody knows what it would have said."""
    bad, good = (
        pipeline.store.register(new(name=name, digest=uuid.uuid4().hex)).ref
        for name in ("bad.txt", "good.txt")
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            b"create function breaks() returns trigger language plpgsql"
            b" as $$ begin return new.id / 0; end $$;"
            b" create trigger breaks before update on source_documents for each row"
            b" when (new.original_file_name = 'bad.txt') execute function breaks()"
        )
        try:
            assert pipeline.reap() == {"not_revived": 1, "resume": 1}
        finally:
            connection.execute("drop function breaks() cascade")
    told = [record.__dict__ for record in caplog.records if record.message == "run_not_revived"]
    assert [(each["document"], "division by zero" in each["error"]) for each in told] == [
        (bad.document_uuid, True)
    ]
    assert pipeline.store.status(bad.document_uuid).status == "pending"
    assert pipeline.store.status(good.document_uuid).status != "pending"


# --- a real worker -----------------------------------------------------------------------------------

EMBARGO = """
create function embargo() returns trigger language plpgsql as
 $$ begin raise exception 'Embargo until May'; end $$;
create trigger results before update on source_documents for each row
 when (new.original_file_name = 'results.txt' and new.raw_extracted_text is not null)
 execute function embargo();
create trigger ends before update on source_documents for each row
 when (new.original_file_name = 'end.txt' and new.celery_status in ('ocr_complete', 'error_ocr'))
 execute function embargo();
"""
WORDS = "The database refuses it (P0001): Embargo until May."
ENDS = {
    "results.txt": ("error_ocr", "refused_by_database", WORDS),
    "end.txt": ("error_ocr", "refused_by_database", WORDS),
    "right.txt": (
        "error_text_processing", "permission_denied",
        "Postgres refuses the user: permission denied for table docpipe_chunks.",
    ),
}  # fmt: skip
"""Whose results a trigger refuses; whose failure too; and whose chunks the worker may not write."""


@contextmanager
def refusing(dsn: str) -> Iterator[None]:
    """The triggers are there, and the worker may not write chunks."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(EMBARGO.encode())
        connection.execute(f"revoke insert on docpipe_chunks from {ROLE}".encode())
        yield
        connection.execute("drop function embargo() cascade")
        connection.execute(f"grant insert on docpipe_chunks to {ROLE}".encode())


@pytest.fixture
def hosted(empty_database: str, redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    """On a database in which there is a role for workers."""
    takeover.apply(empty_database)
    make_role(empty_database)
    policy = Policy(grace_seconds=-1.0)
    made = new_pipeline(redis_url, PostgresStore(empty_database), tmp_path, policy)
    yield made
    close(made)


def ended(submission: Submission) -> DocpipeError:
    with pytest.raises(DocpipeError) as caught:
        submission.wait(HANG_SECONDS)
    return caught.value


def test_what_a_worker_is_refused_ends_with_the_words_and_goes_on_when_it_is_allowed(
    hosted: Pipeline,
    command: Docpipe,  # noqa: F811
    empty_database: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = {"REDIS_URL": redis_url, "DOCPIPE_STORE": "postgres", "SUPABASE_DB_URL": empty_database}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    own = {"SUPABASE_DB_URL": make_conninfo(empty_database, options=f"-c role={ROLE}")}
    with Workers(tmp_path, ENGINES | mine | own) as workers, redis.Redis.from_url(redis_url) as client:
        with refusing(empty_database):
            submissions = {name: hosted.submit(f"Ann met {name}.".encode(), name=name) for name in ENDS}
            workers.start(*QUEUES.values())
            errors = {name: ended(each) for name, each in submissions.items()}
            wait_until(lambda: not client.hlen(f"{PREFIX}unacked"), "no worker has a message")
            assert not hosted.reap()
            assert set(hosted.broker.depths(QUEUES.values()).values()) == {0}
            for name, each in submissions.items():
                status, code, words = ENDS[name]
                (told,) = command("status", each.document_uuid, "--json").objects
                assert (told["status"], told["error"]["code"]) == (status, code)
                assert words in told["error"]["message"]
                assert words in str(errors[name])
                tried = [every.ended for every in hosted.attempts(each.document_uuid)]
                assert tried.count(AttemptEnd.FAILED) == 1
                assert set(tried) <= {AttemptEnd.COMPLETE, AttemptEnd.FAILED}
            (seen,) = command("monitor", "--once", "--json").objects
            shown = {each["name"]: each["message"] for each in seen["statistics"]["failed_attempts"]}
            assert shown.keys() == ENDS.keys()
            assert all(ENDS[name][2] in message for name, message in shown.items())
        uuids = [each.document_uuid for each in submissions.values()]
        assert command("resume", *uuids).code == 0
        for each in submissions.values():
            assert each.wait(HANG_SECONDS).status == "completed"


LEDGER_RIGHTS = {
    "a table of the ledger": ("revoke update on stage_runs from", "permission denied for table stage_runs"),
    "the function itself": (
        "revoke execute on function docpipe_claim_with_input(text, integer, text, text, text, text, double"
        " precision, integer, text) from",
        "permission denied for function docpipe_claim_with_input",
    ),
}  # fmt: skip


@pytest.mark.parametrize("app", ["docpipe.worker", "tests.integration.deaf_app"])
@pytest.mark.parametrize("right", LEDGER_RIGHTS)
def test_a_worker_that_may_begin_nothing_stands_back_and_says_why(
    hosted: Pipeline,
    empty_database: str,
    redis_url: str,
    tmp_path: Path,
    temporary: Path,  # noqa: F811
    right: str,
    app: str,
) -> None:
    """Its messages wait for a worker that may: none is lost, none is sent again and again."""
    revoke, words = LEDGER_RIGHTS[right]
    own = make_conninfo(empty_database, options=f"-c role={ROLE}")
    mine = {"REDIS_URL": redis_url, "DOCPIPE_STORE": "postgres", "SUPABASE_DB_URL": own}
    environment = ENGINES | mine | {"TMPDIR": str(temporary)}
    submissions = [hosted.submit(f"Ann met {name}.".encode(), name=name) for name in ("Bob", "Cid")]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"{revoke} {ROLE}".encode())
    with Workers(tmp_path, environment, app=app) as workers:
        workers.start(*QUEUES.values())
        wait_until(lambda: words in " ".join(wrong(examine_liveness()).values()), "its probe has the words")
        wait_until(lambda: is_at_rest(hosted, len(submissions)), "the messages wait in the queue again")
        assert [dict(hosted.reap()) for _ in range(3)] == [{}] * 3
        assert is_at_rest(hosted, len(submissions))
        assert {each.status().status for each in submissions} == {"ocr_queued"}
        assert "queue ocr" in wrong(health(hosted, limits=Thresholds(canary_seconds=1.0)))
    make_role(empty_database)
    with Workers(tmp_path, environment, app=app) as workers:
        workers.start(*QUEUES.values())
        for each in submissions:
            assert each.wait(HANG_SECONDS).status == "completed"
        assert examine_liveness().ok


def is_at_rest(pipeline: Pipeline, count: int) -> bool:
    """Whether so many messages wait for the first stage, and no worker holds one."""
    counts = pipeline.broker.counts(["ocr"])
    return counts is not None and (counts["ocr"].waiting, counts["ocr"].unacknowledged) == (count, 0)
